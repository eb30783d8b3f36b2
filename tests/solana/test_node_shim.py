#!/usr/bin/env python3
"""A whole node that follows Solana through the shim (shim.mjs: real programs made the accounts, the
server is ours): wallets that sign in by what they hold, and by what they do not."""
import json
import os
import pathlib
import subprocess
import sys
import unittest
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "sys")]
import sg  # noqa: E402
import wallet  # noqa: E402

CHAIN = "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp"
FILMS, OTHERS = "/films/", "/others/"
SEGMENT = "a/seg1.m4s"
CONFIG = """
node: {name: edge1, region: eu, workers: 2, state_dir: {folder}/state, run_dir: {folder}/run}
listeners: [{address: "127.0.0.1:{port}"}]
admin: {address: "127.0.0.1:{admin_port}"}
cache: {ram_bytes: 64MiB}
tenants: [{name: films, secret_file: "{secret}", token_lifetime_s: 600}]
origins: [{name: studio, urls: [{url: "{origin}"}]}]
rules:
  - {name: holders, tenant: films, require: "nft({chain}/nft:{film})"}
  - {name: strangers, tenant: films, require: "not collection({chain}/nft:{saga})"}
chains:
  - {id: "{chain}", servers: [{url: "{server}", ws_url: "{ws}"}], poll_ms: 100, late_s: 0}
sites:
  - {name: films, tenant: films, hosts: ["*"], path: /films/, origin: studio, access: token,
     rule: holders}
  - {name: others, tenant: films, hosts: ["*"], path: /others/, origin: studio, access: token,
     rule: strangers}
  - {name: open, tenant: films, hosts: ["*"], path: /, origin: studio, access: public}
"""


class Shim:
    def __init__(self):
        self.process = subprocess.Popen(["node", HERE / "shim.mjs"], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE)
        port = self.process.stdout.readline()
        if not port:
            self.close()
            raise unittest.SkipTest("LiteSVM's machine does not run in this node: 20 or later does")
        self.host = f"127.0.0.1:{int(port)}"

    def close(self):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()

    def ask(self, method, *params):
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "test_" + method,
                           "params": params}).encode()
        with urllib.request.urlopen(f"http://{self.host}", body, timeout=60) as answer:
            said = json.load(answer)
        assert "error" not in said, said
        return said["result"]

    def settle(self):
        """What happened is final, and later slots come."""
        self.ask("finalize")
        self.ask("advance", 1)


class Solana(sg.Scenario):
    def setUp(self):
        super().setUp()
        self.shim = Shim()
        self.addCleanup(self.shim.close)
        self.maker = self.shim.ask("wallet")
        self.alice, self.bob = wallet.Solana(), wallet.Solana()
        self.film = self.shim.ask("mint", {"owner": self.maker, "amount": 1})
        self.saga = self.shim.ask("mint", {"owner": self.maker, "amount": 1})
        self.shim.ask("metadata", {"mint": self.film, "collection": self.saga})
        self.shim.settle()

    def follower(self):
        secret = self.folder / "secret"
        secret.write_text("0123456789abcdef0123456789abcdef\n")
        config = CONFIG
        for name, value in {"secret": secret, "chain": CHAIN, "film": self.film, "saga": self.saga,
                            "server": f"http://{self.shim.host}",
                            "ws": f"ws://{self.shim.host}"}.items():
            config = config.replace("{" + name + "}", str(value))
        return self.node(self.origin({FILMS + SEGMENT: "film", OTHERS + SEGMENT: "other"}), config)

    def give(self, owner):
        self.shim.ask("transfer", {"mint": self.film, "from": self.maker,
                                   "to": owner.account.rpartition(":")[2], "amount": 1})

    def until_in(self, node, who, path):
        viewer = wallet.Viewer(node, who)

        def asked():
            self.shim.settle()
            try:
                return viewer.sign_in(path=path)
            except AssertionError:
                return None
        sg.until(asked, f"{who.account} gets in at {path}")
        return viewer

    def refused(self, node, who, path, why="grant: 403"):
        """Once the state has heard what makes it so."""
        def asked():
            try:
                wallet.Viewer(node, who).sign_in(path=path)
            except AssertionError as refusal:
                return why in str(refusal)
            return False
        sg.until(asked, f"{who.account} is refused at {path}: {why}")

    def test_who_holds_and_who_does_not_hold_are_let_in_through_the_shim(self):
        node = self.follower()
        self.until_in(node, self.alice, OTHERS)
        self.refused(node, self.alice, FILMS)
        self.give(self.alice)
        viewer = self.until_in(node, self.alice, FILMS)
        self.assertEqual(viewer.get(FILMS + SEGMENT).text, "film")
        self.refused(node, self.alice, OTHERS)
        self.until_in(node, self.bob, OTHERS)
        self.refused(node, self.bob, FILMS)
        self.assertIn("hears    of news at once", node.sgctl("chain").stdout)
        self.assertIn(f'streamgate_chain_subscribed{{chain="{CHAIN}"}} 1\n',
                      node.command("/metrics").text)

    def test_reloads_end_and_begin_to_follow_through_the_shim(self):
        node = self.follower()
        self.until_in(node, self.alice, OTHERS)
        whole = node.file.read_text()
        start, end = whole.index("chains:"), whole.index("sites:")
        node.configure(whole[:start] + whole[end:])
        node.sgctl("reload")
        self.refused(node, self.alice, OTHERS, "not_followed")
        self.give(self.alice)
        node.configure(whole)
        node.sgctl("reload")
        self.until_in(node, self.alice, FILMS)
        self.refused(node, self.alice, OTHERS)
        turns = json.loads(node.sgctl("--json", "chain").stdout)["chains"][0]["counts"]["turns"]
        node.sgctl("reload")
        after = json.loads(node.sgctl("--json", "chain").stdout)["chains"][0]["counts"]["turns"]
        self.assertGreaterEqual(after, turns)


if __name__ == "__main__":
    if subprocess.run([os.environ["SG_SOLANA_PREPARE"], HERE, os.environ["SG_SOLANA_PACKAGES"]],
                      check=False, stdout=sys.stderr).returncode:
        print("no npm, or no litesvm")
        sys.exit(sg.SKIPPED)
    sg.main()
