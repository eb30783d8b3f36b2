#!/usr/bin/env python3
"""Rules of a configuration, and whose configurations a node takes."""
import json
import pathlib
import subprocess

import sg
import wallet

CONTRACT = "0x06012c8cf97bead5deae237070f9587f8e7a266d"
ALICE = "eip155:1:0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"
BOB = "eip155:1:0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359"

GATED = """
node: {run_dir: "{folder}/run", state_dir: "{folder}/state", workers: 1}
listeners: [{address: "127.0.0.1:{port}"}]
admin: {address: "127.0.0.1:{admin_port}"}
cache: {ram_bytes: 64MiB}
tenants: [{name: films, secret_file: "{folder}/secret"}]
rules: [{name: holders, tenant: films, version: 1, require: "REQUIRE"}]
origins: [{name: studio, urls: [{url: "{origin}"}]}]
sites:
  - {name: films, tenant: films, hosts: ["*"], origin: studio, access: public}
  - {name: gated, tenant: films, hosts: ["*"], path: /gated/, origin: studio, access: token,
     rule: holders}
"""
HOLDERS = f"erc721(eip155:1/erc721:{CONTRACT})"


class Rules(sg.Scenario):
    def gated(self, require, start=True):
        node = self.node(self.origin({"/a": "public", "/gated/a": "x"}), GATED.replace("REQUIRE", require), start=False)
        (node.folder / "secret").write_text("0123456789abcdef0123456789abcdef\n")
        return node.start() if start else node

    def test_a_rule_that_cannot_be_compiled_closes_its_site_and_says_so(self):
        node = self.gated("erc721(eip155:1/erc721:0x12)")
        self.assertEqual(node.get("/a").status, 200)
        self.assertEqual(node.get("/gated/a").status, 403)
        self.assertIn("rules[0].require: rule holders: 8: expected an asset", node.said())
        self.assertIn("site gated is closed: its rule can't be compiled", node.said())
        self.assertEqual(node.status()["sites_unreadable"], 1)
        self.assertIn("streamgate_sites_unreadable 1", node.command("/metrics").text)

    def test_a_reload_with_a_rule_that_cannot_be_compiled_changes_nothing(self):
        node = self.gated(HOLDERS)
        self.assertEqual(node.get("/gated/a").status, 401)
        text = node.file.read_text()
        node.file.write_text(text.replace(HOLDERS, "nothing"))
        line = text[:text.index(HOLDERS)].count("\n") + 1
        done = node.sgctl("reload", check=False)
        self.assertEqual(done.returncode, 1)
        told = f"{node.file}:{line}: rules[0].require: rule holders: 1: expected a condition"
        self.assertIn(told, done.stderr)
        self.assertEqual(node.get("/gated/a").status, 401)
        checked = subprocess.run([sg.STREAMGATED, "--check", "-c", node.file], capture_output=True,
                                 text=True, check=False)
        self.assertEqual(checked.returncode, 1)
        self.assertIn(told, checked.stdout + checked.stderr)
        node.file.write_text(text)
        node.sgctl("reload")

    def test_a_raised_version_refuses_the_tokens_of_before(self):
        node = self.gated(HOLDERS)
        asset = f"eip155:1/erc721:{CONTRACT}/1"
        node.sgctl("own", "set", asset, ALICE)
        minted = node.sgctl("--json", "token", "mint", "--path", "/gated/", "--fact", asset,
                            "--lifetime", "600")
        fields = {"CTA-Common-Access-Token": json.loads(minted.stdout)["token"]}
        self.assertEqual(node.get("/gated/a", fields).status, 200)
        node.file.write_text(node.file.read_text().replace("version: 1", "version: 2"))
        node.sgctl("reload")
        before = node.get("/gated/a", fields)
        self.assertEqual((before.status, b"token_rule_changed" in before.body), (401, True))
        again = node.sgctl("token", "mint", "--path", "/gated/", "--fact", asset).stdout.strip()
        self.assertEqual(node.get("/gated/a", {"CTA-Common-Access-Token": again}).status, 200)

    def test_what_is_taken_at_head_is_refused_and_what_is_given_counts_at_safe(self):
        node = self.gated(HOLDERS)
        asset = f"eip155:1/erc721:{CONTRACT}/1"
        alice, bob = wallet.Viewer(node, wallet.Evm()), wallet.Viewer(node, wallet.Evm())
        node.sgctl("own", "set", asset, alice.wallet.account)
        alice.sign_in(path="/gated/")
        self.assertEqual(alice.get("/gated/a").status, 200)
        self.assert_no_entry(bob)
        node.sgctl("own", "transfer", asset, alice.wallet.account, bob.wallet.account, "--head-only")
        gone = alice.get("/gated/a")
        self.assertEqual((gone.status, b"ownership_changed" in gone.body), (403, True))
        self.assertEqual(alice.renew(query={"path": "/gated/"}).json()["reason"], "not_held")
        self.assert_no_entry(bob)
        node.sgctl("own", "set", asset, bob.wallet.account)  # it is safe
        bob.sign_in(path="/gated/")
        self.assertEqual(bob.get("/gated/a").status, 200)
        node.sgctl("own", "set", asset, alice.wallet.account)  # back, under another generation
        self.assertEqual(alice.get("/gated/a").status, 403)
        alice.token = alice.renew(query={"path": "/gated/"}).json()["token"]
        self.assertEqual(alice.get("/gated/a").status, 200)  # and without a prompt
        record = json.loads(node.sgctl("--json", "log", "--from-start").stdout.splitlines()[-1])
        self.assertEqual(record["rule_version"], 1)

    def assert_no_entry(self, viewer):
        viewer.signed(viewer.challenge(path="/gated/").json())
        answer = viewer.post("grant", query={"path": "/gated/"})
        self.assertEqual((answer.status, answer.json()["reason"]), (403, "not_held"))

    def test_rule_list_shows_sites_and_what_must_be_followed(self):
        node = self.gated(HOLDERS, start=False)
        rules = json.loads(node.sgctl("--json", "rule", "list").stdout)["rules"]
        self.assertEqual(rules[0]["sites"], ["gated"])
        self.assertEqual(rules[0]["assets"], [f"eip155:1/erc721:{CONTRACT}"])


class RuleTest(sg.Scenario):
    """sgctl rule test: no node runs."""

    def ask(self, *words):
        done = subprocess.run([sg.SGCTL, "--json", "rule", "test", *words], capture_output=True,
                              text=True, check=False, timeout=sg.PATIENCE_S)
        return done.returncode, json.loads(done.stdout) if done.stdout else done.stderr

    def facts(self, *facts):
        file = self.folder / "facts.json"
        file.write_text(json.dumps(facts))
        return str(file)

    def test_facts_of_a_file_are_asked(self):
        facts = self.facts(
            {"asset": f"eip155:1/erc721:{CONTRACT}/7", "owner": ALICE},
            {"asset": f"eip155:1/erc1155:{CONTRACT}/3", "account": ALICE, "amount": "5", "safe": "2"},
            {"delegation": {"vault": ALICE, "delegate": BOB}},
            {"chain": "eip155:1", "caught_up": True})
        status, told = self.ask(HOLDERS, "--account", ALICE, "--facts", facts)
        self.assertEqual((status, told["holds"], len(told["facts"])), (0, True, 1))
        status, told = self.ask(HOLDERS, "--account", BOB, "--facts", facts)
        self.assertEqual((status, told["holds"]), (1, False))
        self.assertIn("the account has none", told["why"])
        self.assertEqual(self.ask(f"delegated({HOLDERS})", "--account", BOB, "--facts", facts)[0], 0)
        self.assertEqual(self.ask(f"not {HOLDERS}", "--account", BOB, "--facts", facts)[0], 0)
        balance = f"erc1155(eip155:1/erc1155:{CONTRACT}/3, 3)"
        self.assertEqual(self.ask(balance, "--account", ALICE, "--facts", facts)[0], 1)
        status, told = self.ask(balance, "--account", ALICE, "--facts", facts, "--provisional")
        self.assertEqual((status, told["provisional"]), (0, True))

    def test_time_and_place_are_given(self):
        rule = self.folder / "a.rule"
        rule.write_text('between("2026-01-01T00:00Z", "2026-02-01T00:00Z")\n  and not country(KP)\n')
        asked = [str(rule), "--account", ALICE, "--at", "2026-01-31T23:59:59Z"]
        status, told = self.ask(*asked, "--country", "DE")
        self.assertEqual((status, told["until"]), (0, "2026-02-01T00:00:00Z"))
        self.assertEqual(self.ask(*asked, "--country", "KP")[0], 1)
        self.assertEqual(self.ask(*asked)[0], 1)
        asked[4] = "2026-02-01T00:00Z"
        self.assertEqual(self.ask(*asked, "--country", "DE")[0], 1)

    def test_what_is_no_rule_is_2_with_the_column(self):
        status, told = self.ask("erc721(eip155:1/erc20:0x12)", "--account", ALICE)
        self.assertEqual(status, 2)
        self.assertIn("8: expected an asset", told)
        self.assertEqual(self.ask(HOLDERS, "--account", "0x12")[0], 2)
        self.assertEqual(self.ask(HOLDERS)[0], 2)

    def test_a_node_s_state_is_asked(self):
        node = self.node(start=False)
        asset = f"eip155:1/erc721:{CONTRACT}/9"
        node.sgctl("own", "set", asset, BOB)
        state = str(node.folder / "state")
        self.assertEqual(self.ask(HOLDERS, "--account", BOB, "--state", state)[0], 0)
        self.assertEqual(self.ask(HOLDERS, "--account", ALICE, "--state", state)[0], 1)
        node.sgctl("own", "transfer", asset, BOB, ALICE, "--head-only")
        self.assertEqual(self.ask(HOLDERS, "--account", BOB, "--state", state)[0], 1)
        self.assertEqual(self.ask(HOLDERS, "--account", ALICE, "--state", state)[0], 1)
        listed = json.loads(node.sgctl("--json", "own", "list", ALICE).stdout)
        self.assertEqual(len(listed["holdings"]), 1)
        self.assertFalse(listed["holdings"][0]["safe"])


class Signed(sg.Scenario):
    """Only configurations of one key are taken."""

    def setUp(self):
        super().setUp()
        self.key, self.public = self.folder / "key.pem", self.folder / "public.pem"
        subprocess.run([sg.SGCTL, "config", "keygen", self.key, self.public], check=True)

    def sign(self, node):
        node.sgctl("config", "sign", "--key", str(self.key), str(node.file))

    def check(self, node):
        done = subprocess.run([sg.STREAMGATED, "--check", "-c", node.file, "--trust", self.public],
                              capture_output=True, text=True, check=False)
        return done.returncode, done.stderr

    def test_a_signed_one_is_taken_and_told(self):
        node = self.node(self.origin({"/a": "x"}), start=False)
        self.sign(node)
        self.assertEqual(self.check(node), (0, ""))
        node.start("--trust", str(self.public))
        self.assertEqual(node.get("/a").status, 200)
        paths = {path["what"]: path["used"] for path in node.status()["paths"]}
        self.assertEqual(paths["config"], "signed")

    def test_one_that_is_not_signed_is_refused_at_start_check_and_reload(self):
        node = self.node(self.origin({"/a": "x"}), start=False)
        status, said = self.check(node)
        self.assertEqual(status, 1)
        self.assertIn("there is none that can be read; right would be: sgctl config sign", said)
        node.start("--trust", str(self.public), wait=False)
        self.assertEqual(node.process.wait(sg.PATIENCE_S), 1)
        self.sign(node)
        node.start("--trust", str(self.public))
        serial = node.status()["config_serial"]
        node.file.write_text(node.file.read_text().replace("access: public", "access: closed"))
        done = node.sgctl("reload", check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("it is not of this file by the trusted key", done.stderr)
        self.assertEqual((node.get("/a").status, node.status()["config_serial"]), (200, serial))
        self.sign(node)
        node.sgctl("reload")
        self.assertEqual(node.get("/a").status, 403)

    def revise(self, node, revision, more=""):
        text = [line for line in node.file.read_text().splitlines() if "revision:" not in line]
        node.file.write_text("\n".join(text) + f"\nrevision: {revision}\n{more}")
        self.sign(node)
        return node.file.read_bytes(), pathlib.Path(f"{node.file}.sig").read_bytes()

    def put_back(self, node, saved):
        node.file.write_bytes(saved[0])
        pathlib.Path(f"{node.file}.sig").write_bytes(saved[1])

    def test_an_older_one_is_not_taken_back_however_well_signed(self):
        node = self.node(self.origin({"/a": "x"}), start=False)
        first = self.revise(node, 7)
        node.start("--trust", str(self.public))
        second = self.revise(node, 8)
        node.sgctl("reload")
        self.put_back(node, first)
        done = node.sgctl("reload", check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("revision: 7 is signed, but a higher one was taken before", done.stderr)
        self.assertEqual(self.check(node)[0], 1)
        node.stop()
        node.start("--trust", str(self.public), wait=False)
        self.assertEqual(node.process.wait(sg.PATIENCE_S), 1)
        self.put_back(node, second)
        node.start("--trust", str(self.public))  # the same one again
        self.revise(node, 8, "# another\n")
        done = node.sgctl("reload", check=False)
        self.assertIn("another file of this revision was taken before", done.stderr)
        self.revise(node, 0)
        self.assertEqual(node.sgctl("reload", check=False).returncode, 1)

        self.put_back(node, first)  # on purpose: signed again above what was taken
        self.revise(node, 9)
        node.sgctl("reload")
        kept = list((node.folder / "state").glob("trusted-*"))
        self.assertEqual(len(kept), 1)
        self.assertTrue(kept[0].read_text().startswith("9 "))
        kept[0].write_text("nonsense\n")
        self.revise(node, 10)
        self.assertEqual(node.sgctl("reload", check=False).returncode, 1)
        kept[0].unlink()  # on purpose, without the private key
        self.put_back(node, first)
        node.sgctl("reload")

    def test_signatures_are_those_of_openssl(self):
        node = self.node(start=False)
        signature = pathlib.Path(str(node.file) + ".sig")
        subprocess.run(["openssl", "pkeyutl", "-sign", "-rawin", "-inkey", self.key, "-in", node.file,
                        "-out", signature], check=True)
        self.assertEqual(self.check(node), (0, ""))
        node.sgctl("config", "verify", "--key", str(self.public), str(node.file))
        whole = signature.read_bytes()
        for other in (whole[:-1], whole + b"\n", whole[:10] + bytes([whole[10] ^ 1]) + whole[11:]):
            signature.write_bytes(other)
            self.assertEqual(self.check(node)[0], 1)
        self.assertEqual(node.sgctl("config", "verify", "--key", str(self.public), str(node.file),
                                    check=False).returncode, 1)

    def test_keys_are_never_written_over_nor_read_by_others(self):
        again = subprocess.run([sg.SGCTL, "config", "keygen", self.key, self.public],
                               capture_output=True, text=True, check=False)
        self.assertEqual(again.returncode, 1)
        self.assertEqual(self.key.stat().st_mode & 0o777, 0o600)
        self.key.chmod(0o640)
        node = self.node(start=False)
        done = node.sgctl("config", "sign", "--key", str(self.key), str(node.file), check=False)
        self.assertIn("chmod 600", done.stderr)


if __name__ == "__main__":
    sg.main()
