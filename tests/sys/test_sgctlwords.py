#!/usr/bin/env python3
"""Wrong words on sgctl's command line: each is refused before anything is done, with exit status 2,
one exact line, and what would be right."""
import json
import pathlib
import re
import shutil
import subprocess

import sg
import sgfeed

ALICE = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"
MISTYPED = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAeD"  # the last letter: EIP-55 tells
FILM = f"eip155:1/erc721:{ALICE}/42"
TICKETS = f"eip155:1/erc1155:{ALICE}/1"
SOLANA = "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp"
MINT = "So11111111111111111111111111111111111111112"
LONG = "x" * 100_000

CONFIG = """
node: {run_dir: "{folder}/run", state_dir: "{folder}/state", workers: 1}
listeners: [{address: "127.0.0.1:{port}"}]
cache: {ram_bytes: 32MiB}
tenants: [{name: films, secret_file: "{folder}/secret"}, {name: music, secret_file: "{folder}/secret"}]
origins: [{name: studio, urls: [{url: "http://127.0.0.1:1"}]}]
sites: [{name: gated, tenant: films, hosts: ["*"], path: /, origin: studio, access: token}]
"""

ACCOUNTS = (  # what is no account of eip155:1, and what is said
    ("nonsense", "nonsense: expected an account, such as eip155:1:0x"),
    ("", ": expected an account"),
    (LONG, "xxx: expected an account"),
    (ALICE, "on which chain? expected such as eip155:1:0x"),
    (f"eip155:1:{MISTYPED}", "its capitals are no EIP-55 checksum"),
    (f"eip155:1:{ALICE[:-1]}", "expected an account"),
    (f"eip155:01:{ALICE}", "expected an account"),
    (f"{SOLANA}:{MINT}0", "expected an account"),
)
OTHERS = (  # right, and of another chain
    (f"eip155:137:{ALICE}",
     f"is an account of another chain: expected such as eip155:1:{ALICE.lower()}"),
    (f"{SOLANA}:{MINT}", "is an account of another chain: expected such as eip155:1:ADDRESS"),
)
FACTS = (
    ("film 42", "film 42: expected an asset, such as eip155:1/erc721:0x"),
    ("0x12345678", "expected an asset"),
    (LONG, "expected an asset"),
    (f"eip155:1/erc721:{MISTYPED}/42", "its capitals are no EIP-55 checksum"),
    (f"eip155:1/erc721:{ALICE}", f"which token of it? Such as eip155:1/erc721:{ALICE}/42"),
    (f"eip155:1/erc721:{ALICE}/042", "expected an asset"),
    (f"eip155:1/nft:{ALICE}", "expected an asset"),
    (TICKETS, "has no one owner but balances: say --amount N"),
)


def wrong_words():
    """(words, what is said), for all that has verbs, options or words of a form."""
    account = f"eip155:1:{ALICE}"
    for text, said in ACCOUNTS + OTHERS:
        yield ("own", "set", FILM, text), said
        yield ("own", "transfer", FILM, account, text), said
        yield ("own", "transfer", FILM, text, account), said
        yield ("own", "set", TICKETS, text, "--amount", "1"), said
        yield ("own", "show", TICKETS, "--of", text), said
        yield ("token", "mint", "--path", "/", "--fact", FILM, "--owner", text), said
    for text, said in ACCOUNTS:
        yield ("own", "list", text), said
        yield ("rule", "test", "country(DE)", "--account", text), said
    for text, said in FACTS:
        yield ("own", "set", text, account), said
        yield ("own", "transfer", text, account, account), said
        yield ("own", "show", text), said
        yield ("token", "mint", "--path", "/", "--fact", text), said
    yield from (
        (("own",), "own: what? set, transfer, show, list, digest or feed"),
        (("own", "sell"), "own: sell: expected set, transfer"),
        (("own", "set", FILM), "own set takes FACT OWNER, or ASSET ACCOUNT --amount N: 1 given"),
        (("own", "set", FILM, account, account), "3 given"),
        (("own", "set", FILM, account, "--block", "-1"), "-1: a number up to"),
        (("own", "set", FILM, account, "--block"), "own: --block needs a value after it"),
        (("own", "set", FILM, account, "--head-only=yes"), "that option takes no value"),
        (("own", "set", FILM, account, "--amount", "1"), "has an owner, and no balances"),
        (("own", "set", TICKETS, account, "--amount", "many"), "--amount many: expected a number"),
        (("own", "set", TICKETS, account, "--amount", "9" * 79), "expected a number"),
        (("own", "show", FILM, "--of", account), "has an owner, and no balances"),
        (("own", "list", account, "--amount", "1"), "own list: --amount is not for that; it takes"),
        (("own", "digest", "all"), "own digest takes nothing more: all"),
        (("own", "feed", "--every", "soon"), "soon: a number up to"),
        (("own", "feed", "--evry", "5"), "own: there is no option --evry; it takes --block"),
        (("token",), "token: what? mint, inspect or revoke"),
        (("token", "forge"), "token: forge: expected mint, inspect or revoke"),
        (("token", "mint"), "token mint: what does it open?"),
        (("token", "mint", "/films/"), "token mint takes options alone: /films/"),
        (("token", "mint", "--path"), "token mint: --path needs a value after it"),
        (("token", "mint", "--pth", "/"), "token mint: there is no option --pth"),
        (("token", "mint", "--path", "/", "--owner", account), "--owner needs a --fact"),
        (("token", "mint", "--path", "/", "--lifetime", "forever"), "forever: a number up to"),
        (("token", "mint", "--path", "/", "--country", "Germany"), "two capital letters"),
        (("token", "inspect"), "token inspect takes TOKEN: 0 given"),
        (("token", "revoke"), "expected one of TOKEN, --cti, --index, --rule and --all"),
        (("token", "revoke", "--all", "--index", "1"), "expected one of TOKEN"),
        (("token", "revoke", "--tenant", "films", "--cti", "12"), "--cti 12: expected 32 hex"),
        (("token", "revoke", "--tenant", "films", "--index", "1.5"), "1.5: a number up to"),
        (("token", "revoke", "--tenant", "films", "--all", "--wait", "9999"), "9999: a number up"),
        (("grant",), "grant: what? inspect or revoke"),
        (("grant", "inspect"), "grant inspect takes GRANT [AUTHORITY]: 0 given"),
        (("grant", "revoke", "--all"), "grant: there is no option --all; it takes none"),
        (("list",), "list: what? set, remove, show or proof"),
        (("list", "set", "vip"), "expected --file FILE or --root HEX, one of them"),
        (("list", "set", "vip", "--root", "12"), "--root 12: expected 64 hexadecimal digits"),
        (("list", "set", "vip", "--root", "0x" + 64 * "1", "--proofs", "/tmp"), "needs --file"),
        (("list", "set", LONG, "--root", 64 * "1"), "a list's name has 1 to 64 bytes"),
        (("list", "show", ""), "a list's name has 1 to 64 bytes"),
        (("list", "remove"), "list remove takes NAME: 0 given"),
        (("list", "proof", "/dev/null", "nobody"), "nobody: expected an account"),
        (("list", "proof", "/dev/null", MISTYPED), "its capitals are no EIP-55 checksum"),
        (("list", "show", "--file", "x"), "list show: --file is not for that; it takes --tenant"),
        (("key",), "key: what? tenant, generate, seal, reseal or unseal"),
        (("key", "seal"), "key seal takes FILE: 0 given"),
        (("key", "tenant", "films"), "key tenant takes nothing more: films"),
        (("rule", "test", "country(DE)"), "rule test: --account is missing"),
        (("rule", "test", "country(", "--account", account), "rule test: at character 9: expected"),
        (("rule", "test", "country(DE)", "--account", account, "--at", "noon"), "--at noon: expected"),
        (("rule", "test", "country(DE)", "--account", account, "--country", "DEU"), "two letters"),
        (("rule", "test", "country(DE)", "--account", account, "--facts", "a", "--state", "b"), "not both"),
        (("rule", "list", "films"), "rule list takes nothing more: films"),
        (("config", "sign", "a.yaml"), "config sign: --key is missing"),
        (("config", "keygen", "one.pem"), "config keygen takes PRIVATE.pem PUBLIC.pem: 1 given"),
        (("config", "keygen", "a", "b", "--key", "c"), "config keygen: --key is not for that"),
        (("chain", "dance"), "chain: dance: expected status or rebuild"),
        (("chain", "rebuild"), "chain rebuild takes CHAIN: 0 given"),
        (("chain", "rebuild", "ethereum"), "ethereum: expected a chain, such as eip155:1"),
        (("chain", "rebuild", LONG), "expected a chain"),
        (("feed", "stats"), "feed: stats: expected status"),
        (("feed", "status", "now"), "feed status takes nothing more: now"),
        (("purge", "--hard", "url", "https://a/"), "purge: there is no option --hard; it takes"),
        (("purge", "url", "https://a/", "--tenant", "films"), "purge url: --tenant is not for that"),
        (("purge", "url"), "purge url takes URL: 0 given"),
        (("explain",), "explain takes a request's id, the X-Request-Id of its answer: 0 given"),
        (("top", "--count", "0"), "0: a number from 1 on was expected"),
        (("top", "--interval", "x"), "x: a number up to 86400"),
        (("log", "--tail"), "log: there is no option --tail; it takes --follow, --from-start"),
        (("status", "-v"), "status: there is no option -v; it takes none"),
        (("stat", "all"), "stat takes nothing more: all"),
        (("reload", "now"), "reload takes nothing more: now"),
        (("dance",), "dance: there is no such command; sgctl --help lists them"),
    )


class Scenario(sg.Scenario):
    def make(self):
        node = self.node(None, CONFIG, start=False)
        (node.folder / "secret").write_text(sgfeed.SECRET)
        return node


class Words(Scenario):

    def test_whatever_is_wrong_is_told_exactly_and_nothing_is_done(self):
        node = self.make()
        for words, told in wrong_words():
            with self.subTest(words=[w[:60] for w in words]):
                done = node.sgctl(*words, check=False)
                self.assertEqual((done.returncode, done.stdout), (2, ""), done.stderr[:400])
                self.assertIn(told, done.stderr)
                self.assertTrue(done.stderr.startswith("sgctl: "), done.stderr[:200])
                self.assertLess(len(done.stderr), 700)

    def test_right_words_about_what_is_not_there_are_refused_with_1(self):
        node = self.make()
        account = f"eip155:1:{ALICE}"
        for words, told in (
                (("own", "show", FILM), "nothing is known of"),
                (("own", "show", "0x0123456789abcdef"), "nothing is known of"),
                (("own", "show", TICKETS, "--of", account), "nothing is known of"),
                (("own", "transfer", FILM, account, "nobody"), "nothing is known of"),
                (("token", "mint", "--path", "/"), "which tenant? The configuration has 2"),
                (("token", "mint", "--path", "/", "--tenant", "tv"), "has no tenant tv"),
                (("token", "revoke", "garbage"), "not a token"),
                (("grant", "revoke", "garbage"), "not a grant"),
                (("list", "set", "vip", "--tenant", "films", "--file", "/nowhere"), "/nowhere"),
                (("key", "seal", "/nowhere"), "/nowhere: "),
                (("key", "tenant", "--tenant", "tv"), "has no tenant tv")):
            with self.subTest(words=words):
                done = node.sgctl(*words, check=False)
                self.assertEqual((done.returncode, done.stdout), (1, ""), done.stderr)
                self.assertIn(told, done.stderr)

    def test_right_words_are_taken_whatever_the_letters_case(self):
        node = self.make()
        for account in (f"eip155:1:{ALICE}", f"eip155:1:{ALICE.lower()}", "nobody"):
            node.sgctl("own", "set", FILM, account)
        node.sgctl("own", "set", TICKETS, f"eip155:1:{ALICE}", "--amount", "3")
        node.sgctl("own", "set", f"{SOLANA}/nft:{MINT}", f"{SOLANA}:{MINT}", "--head-only")
        held = node.sgctl("own", "list", f"eip155:1:{ALICE.lower()}").stdout
        self.assertIn('"balance"', held)

    def test_json_may_stand_anywhere(self):
        node = self.make()
        node.sgctl("own", "set", FILM, "nobody")
        told = [node.sgctl(*words).stdout for words in (
            ("--json", "own", "show", FILM), ("own", "show", "--json", FILM),
            ("own", "show", FILM, "--json"))]
        self.assertEqual(json.loads(told[0])["fact"], FILM)
        self.assertEqual(told[1:], told[:1] * 2)

    def test_what_a_running_node_finds_wrong_has_the_same_statuses(self):
        node = self.make().start()
        for words, status, told in (
                (("explain", "x"), 2, "16 hexadecimal"), (("explain", "-1"), 2, ""),
                (("explain", "0x12"), 2, "16 hexadecimal"), (("explain", LONG[:5000]), 2, ""),
                (("explain", "00000000000000ff"), 1, "not in the ring"),
                (("chain", "rebuild", "eip155:1"), 1, "not followed here"),
                (("purge", "url", "a"), 2, "is no URL"),
                (("purge", "url", "x" * 9000), 2, "more than a node can be asked"),
                (("purge", "tenant", "tv"), 1, "is no tenant"),
                (("purge", "tag", "x"), 2, "several tenants")):
            with self.subTest(words=[w[:60] for w in words]):
                done = node.sgctl(*words, check=False)
                self.assertEqual(done.returncode, status, done.stderr)
                self.assertIn(told, done.stderr)


ROOT = pathlib.Path(__file__).resolve().parents[2]


class Documented(Scenario):
    """What --help says, the man page and the completion agree."""

    @staticmethod
    def told(*words):
        return subprocess.run([sg.SGCTL, *words, "--help"], capture_output=True, text=True,
                              check=True).stdout

    def commands(self):
        return re.findall(r"^  ([a-z]+)  +", self.told(), re.MULTILINE)

    def syntax(self, command):
        """Verbs and options, as the command's own help has them."""
        usage = self.told(command)
        verbs = set(re.findall(rf"^sgctl {command} (?:\[--soft\] )?\[?([a-z]+)\b", usage,
                               re.MULTILINE))
        return verbs, set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", usage)) - {"--json", "--trust"}  # sgctl's own; streamgated's

    def test_every_option_and_verb_that_sgctl_takes_is_in_its_help(self):
        node = self.make()
        for command in self.commands():
            done = node.sgctl(command, "--no-such-option", check=False)
            verbs, options = self.syntax(command)
            for option in re.findall(r"--[a-z-]+", done.stderr.split("it takes")[-1].split("\n")[0]):
                if "it takes" in done.stderr:
                    self.assertIn(option, options, command)
            done = node.sgctl(command, "no-such-verb", check=False)
            known = re.search(r"no-such-verb: expected (.*)", done.stderr)
            if known:
                self.assertEqual(set(re.split(r", | or ", known[1])), verbs, command)

    def test_the_man_page_has_every_command_verb_and_option(self):
        if shutil.which("man") is None:
            self.skipTest("no man on this machine")
        page = subprocess.run(["man", "-l", str(ROOT / "docs/man/sgctl.1")], capture_output=True,
                              text=True, check=False, env={"MANWIDTH": "200", "PATH": "/usr/bin:/bin"})
        self.assertEqual(page.returncode, 0, page.stderr)
        text = page.stdout.replace("\u2010", "-").replace("\u2212", "-")
        for command in self.commands():
            verbs, options = self.syntax(command)
            for word in {command} | verbs | options:
                self.assertRegex(text, rf"(?<![\w-]){re.escape(word)}(?![\w-])", f"sgctl {command}")

    def test_completion_offers_every_command_verb_and_option(self):
        for command in self.commands():
            script = (f'. "{ROOT}/tools/completion/sgctl.bash"; COMP_WORDS=(sgctl {command} ""); '
                      'COMP_CWORD=2; _sgctl; echo "${COMPREPLY[@]}"')
            offered = subprocess.run(["bash", "-c", script], capture_output=True, text=True,
                                     check=True).stdout.split()
            verbs, options = self.syntax(command)
            self.assertEqual(set(offered) - {"--help"}, verbs | options, command)


if __name__ == "__main__":
    sg.main()
