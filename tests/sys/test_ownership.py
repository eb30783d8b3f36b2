#!/usr/bin/env python3
"""A wallet, a contract on a real chain, and a node that follows it: who holds the NFT watches."""
import os
import pathlib
import sys
import time

import sg
import wallet

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "chain"))
import anvil  # noqa: E402

CONFIG = """
node: {name: edge1, region: eu, workers: 1, state_dir: {folder}/state, run_dir: {folder}/run}
listeners: [{address: "127.0.0.1:{port}"}]
admin: {address: "127.0.0.1:{admin_port}"}
cache: {ram_bytes: 64MiB}
tenants: [{name: films, secret_file: "{secret}", token_lifetime_s: 600, clock_skew_s: 5{tenant}}]
chains: [{id: "eip155:31337", servers: [{url: "{chain}"}], agree: 1, poll_ms: 100}]
rules: [{name: film, tenant: films, require: "erc721(eip155:31337/erc721:{contract})"}]
origins: [{name: studio, urls: [{url: "{origin}"}]}]
sites: [{name: gated, tenant: films, hosts: ["*"], path: /films/, origin: studio, access: token, rule: film}]
"""
SEGMENT = "/films/a/seg1.m4s"


class Ownership(sg.Scenario):
    def setUp(self):
        super().setUp()
        self.chain = anvil.Anvil("--block-time", "1", "--mixed-mining")
        self.addCleanup(self.chain.close)
        self.films = self.chain.deploy("Film721")

    def watched(self, tenant=""):
        file = self.folder / "secret"
        file.write_text("0123456789abcdef0123456789abcdef\n")
        config = CONFIG.replace("{secret}", str(file)).replace("{chain}", self.chain.url)
        config = config.replace("{contract}", self.films.address).replace("{tenant}", tenant)
        return self.node(self.origin({SEGMENT: "segment"}), config)

    def get_in(self, viewer):
        """Tries with one grant until the node has seen what the account holds."""
        viewer.signed(viewer.challenge().json())
        answer = sg.until(lambda: next((a for a in [viewer.post("grant")] if a.status == 200), None),
                          "the holder is let in")
        viewer.token = answer.json()["token"]
        return answer.json()

    def test_holder_in_stranger_out_sold_out_bought_in(self):
        node = self.watched()
        alice = wallet.Viewer(node, wallet.Evm(31337))
        bob = wallet.Viewer(node, wallet.Evm(31337))
        self.films.send("mint", alice.wallet.address, 7)
        self.assertFalse(self.get_in(alice)["provisional"])
        self.assertEqual(alice.get(SEGMENT).text, "segment")
        bob.signed(bob.challenge().json())
        refused = bob.post("grant")
        self.assertEqual((refused.status, refused.json()["reason"]), (403, "not_held"))

        self.films.send("move", bob.wallet.address, 7)
        sold = time.monotonic()
        sg.until(lambda: alice.get(SEGMENT).status == 403, "the seller is refused")
        print(f"refused {time.monotonic() - sold:.2f} s after the transaction", file=sys.stderr)
        self.assertEqual(alice.renew().json()["reason"], "not_held")
        self.get_in(bob)
        self.assertEqual(bob.get(SEGMENT).text, "segment")

    def test_who_still_holds_another_renews_without_the_wallet(self):
        node = self.watched()
        alice = wallet.Viewer(node, wallet.Evm(31337))
        self.films.send("mint", alice.wallet.address, 1)
        self.films.send("mint", alice.wallet.address, 2)
        self.get_in(alice)
        for sold in (1, 2):
            self.films.send("move", self.chain.accounts[3], sold)
            if sold == 1:
                sg.until(lambda: alice.renew().status == 200, "it renews by the other one")
        sg.until(lambda: alice.renew().status == 403, "nothing is left")
        sg.until(lambda: alice.get(SEGMENT).status == 403, "the token is refused")

    def test_what_is_not_safe_yet_gives_a_short_token_where_the_tenant_wants_it(self):
        node = self.watched(", provisional_s: 5")
        alice = wallet.Viewer(node, wallet.Evm(31337))
        self.films.send("mint", alice.wallet.address, 9)
        granted = self.get_in(alice)
        if granted["provisional"]:
            self.assertLessEqual(granted["expires"], time.time() + 5)
        self.assertEqual(alice.get(SEGMENT).text, "segment")


if __name__ == "__main__":
    if not os.access(sg.STREAMGATED, os.X_OK):
        sys.exit(sg.SKIPPED)
    sg.main()
