#!/usr/bin/env python3
"""The whole node beside EVM nodes of other makers than anvil's: from a mint to a refusal, through a
chain that was put back, by WebSocket, with headers and owners proven where the node can."""
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import followed  # noqa: E402
import nodes  # noqa: E402
from followed import CONFIG, DEPTH, SEGMENT, sg, wallet  # noqa: E402

HEARD = 'servers: [{url: "{chain}", ws_url: "{ws}"}]\n    check_headers: true\n    poll_ms: 20000'


class Nodes(followed.Followed):
    maker = None

    def setUp(self):
        if self.maker is None:
            self.skipTest("of no maker")
        sg.Scenario.setUp(self)
        self.chain = self.maker()
        self.addCleanup(self.chain.close)
        self.films = self.chain.deploy("Film721")
        self.alice, self.bob = wallet.Evm(nodes.CHAIN), wallet.Evm(nodes.CHAIN)

    def follower(self, config=CONFIG):
        """Every change is heard by WebSocket, or not within the test's patience."""
        config = config.replace('servers: [{url: "{chain}"}]', HEARD).replace("    poll_ms: 50\n", "")
        return super().follower(config.replace("{ws}", self.chain.url.replace("http", "ws")))

    def proving(self):
        return CONFIG.replace("    depth: 3\n", "    depth: 3\n    contracts: [{asset: "
                              f'"eip155:31337/erc721:{self.films.address}", proof_slot: 2}}]\n')

    def check_a_transfer_and_a_chain_put_back(self, config):
        for token in range(100, 120):
            self.films.send("mint", self.bob.address, token)
        self.chain.mine(300)  # of this long ago, logs are asked for by ranges
        for token in range(100, 120):
            self.films.send("burn", token)
        self.chain.mine(DEPTH)
        node = self.follower(config)
        self.films.send("mint", self.alice.address, 7)
        self.chain.mine(DEPTH)
        self.followed(node)
        sg.until(lambda: self.chains(node)[0]["subscription"]["up"], "it is subscribed")
        viewer = self.let_in(node, self.alice)
        self.assertEqual(viewer.get(SEGMENT).text, "segment")

        before = self.chain.rpc("evm_snapshot")
        self.films.send("move", self.bob.address, 7)
        self.assertLess(self.refused_within(viewer), 2)
        self.chain.rpc("evm_revert", before)
        time.sleep(1.1)  # else the same block would come at the same second
        self.chain.mine(2)
        sg.until(lambda: self.followed(node)["reorgs"]["depth"] == 1, "the block is undone")
        self.assertNotEqual(viewer.get(SEGMENT).status, 200)
        viewer = self.let_in(node, self.alice)

        self.films.send("move", self.bob.address, 7)
        self.refused_within(viewer)
        self.chain.mine(DEPTH)
        self.assertEqual(self.let_in(node, self.bob).get(SEGMENT).text, "segment")
        said = self.chains(node)[0]
        self.assertEqual(list(said["servers"][0]["ends"]), ["ok"], "a question it has no answer to")
        self.assertGreater(said["counts"]["history_logs"], 20)
        return node


class HardhatNode(Nodes):
    maker = nodes.Hardhat

    def test_a_transfer_and_a_chain_put_back_with_owners_proven(self):
        node = self.check_a_transfer_and_a_chain_put_back(self.proving())
        self.assertRegex(node.command("/metrics").text,
                         r'streamgate_chain_proven_total\{chain="eip155:31337"\} [1-9]')


class GanacheNode(Nodes):
    maker = nodes.Ganache

    def test_a_transfer_and_a_chain_put_back(self):
        self.check_a_transfer_and_a_chain_put_back(CONFIG)

    def test_without_proofs_of_a_block_by_its_hash_the_chain_is_closed_and_says_so(self):
        node = self.follower(self.proving())
        self.films.send("mint", self.alice.address, 7)
        sg.until(lambda: self.chains(node)[0]["state"] == "closed", "the chain is closed")
        said = self.chains(node)[0]
        self.assertIn("no server gives proofs", said["why"])
        self.assertNotIn("refused", said["servers"][0]["ends"])  # it knows no better


if __name__ == "__main__":
    followed.main()
