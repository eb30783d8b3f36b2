#!/usr/bin/env python3
"""From a transfer on a real chain to a refusal at the node: a whole node that follows an anvil with
OpenZeppelin's ERC-721, wallets that sign in by a rule, and what becomes of their tokens."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import followed  # noqa: E402
from followed import DEPTH, SEGMENT, sg, wallet  # noqa: E402


class Ownership(followed.Followed):
    def test_a_transfer_ends_the_token_within_a_second_and_the_new_owner_gets_in_at_safe(self):
        node = self.follower()
        self.films.send("mint", self.alice.address, 7)
        self.chain.mine(DEPTH)
        self.followed(node)
        viewer = self.let_in(node, self.alice)
        answer = viewer.get(SEGMENT)
        self.assertEqual(answer.text, "segment")
        self.assertEqual(viewer.get(SEGMENT).status, 200)
        mint = int(self.chain.rpc("eth_blockNumber"), 16) - DEPTH
        said = node.sgctl("explain", answer.fields["x-request-id"]).stdout
        self.assertIn(f"eip155:31337 block {mint}, log 0", said)

        self.films.send("move", self.bob.address, 7)
        took = self.refused_within(viewer)
        self.assertLess(took, 1)
        said = node.sgctl("explain", answer.fields["x-request-id"]).stdout
        self.assertIn("changed since", said)
        with self.assertRaisesRegex(AssertionError, "grant: 403"):
            wallet.Viewer(node, self.bob).sign_in({"path": SEGMENT})  # at head only
        self.chain.mine(DEPTH)
        self.followed(node)
        self.assertEqual(self.let_in(node, self.bob).get(SEGMENT).text, "segment")
        with self.assertRaisesRegex(AssertionError, "grant: 403"):
            wallet.Viewer(node, self.alice).sign_in({"path": SEGMENT})

    def test_a_reorg_gives_the_token_back_to_its_owner_but_revives_no_edge_token(self):
        node = self.follower()
        self.films.send("mint", self.alice.address, 7)
        self.chain.mine(DEPTH)
        self.followed(node)
        viewer = self.let_in(node, self.alice)
        self.assertEqual(viewer.get(SEGMENT).status, 200)
        self.films.send("move", self.bob.address, 7)
        self.refused_within(viewer)
        self.chain.rpc("anvil_reorg", 1, [])
        sg.until(lambda: self.followed(node)["reorgs"]["depth"] == 1, "the reorg is undone")
        self.assertNotEqual(viewer.get(SEGMENT).status, 200)
        self.assertEqual(self.let_in(node, self.alice).get(SEGMENT).text, "segment")

    def test_the_chain_is_told_in_status_and_metrics_and_followed_after_a_restart(self):
        node = self.follower()
        self.films.send("mint", self.alice.address, 7)
        self.chain.mine(DEPTH)
        head = self.followed(node)["head"]
        metrics = node.command("/metrics").text
        self.assertIn(f'streamgate_chain_head{{chain="eip155:31337"}} {head}\n', metrics)
        self.assertIn('streamgate_chain_following{chain="eip155:31337"} 1\n', metrics)
        self.assertIn('streamgate_chain_odd_total{chain="eip155:31337"} 0\n', metrics)
        self.assertIn("eip155:31337  following", node.sgctl("chain").stdout)
        node.stop()
        self.films.send("move", self.bob.address, 7)
        self.chain.mine(DEPTH)
        node.start()
        self.followed(node)
        self.assertEqual(self.let_in(node, self.bob).get(SEGMENT).text, "segment")
        node.sgctl("chain", "rebuild", "eip155:31337")
        sg.until(lambda: "forgotten, as asked" in node.said(), "the chain is forgotten")
        self.followed(node)
        self.assertEqual(self.let_in(node, self.bob).get(SEGMENT).text, "segment")
        self.assertNotEqual(node.sgctl("chain", "rebuild", "eip155:1", check=False).returncode, 0)

    def test_a_reload_follows_the_contracts_of_its_rules(self):
        node = self.follower()
        other = self.chain.deploy("Film721")
        other.send("mint", self.bob.address, 1)
        self.chain.mine(DEPTH)
        self.followed(node)
        node.configure(node.file.read_text().replace(self.films.address, other.address))
        node.sgctl("reload")
        self.assertEqual(self.let_in(node, self.bob).get(SEGMENT).text, "segment")


if __name__ == "__main__":
    followed.main()
