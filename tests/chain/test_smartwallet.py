#!/usr/bin/env python3
"""Smart wallets sign in at a whole node: EIP-1271 and ERC-6492 wallets on a real anvil, asked by the
node's control plane, which countersigns. The node hears of new blocks by WebSocket."""
import pathlib
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "sys")]
import anvil  # noqa: E402
import sg  # noqa: E402
import wallet  # noqa: E402

DEPTH = 3
CONFIG = """
node: {name: edge1, region: eu, workers: 2, state_dir: {folder}/state, run_dir: {folder}/run}
listeners: [{address: "127.0.0.1:{port}"}]
admin: {address: "127.0.0.1:{admin_port}"}
cache: {ram_bytes: 64MiB}
gate:
  countersign_key: {keys}/countersign.pem
  countersigners: [{key_file: {keys}/countersign.pub}]
tenants: [{name: films, secret_file: "{keys}/secret", token_lifetime_s: 600}]
origins: [{name: studio, urls: [{url: "{origin}"}]}]
rules: [{name: ticket, tenant: films, require: "erc721(eip155:31337/erc721:{films})"}]
chains:
  - id: eip155:31337
    servers: [{url: "{chain}", ws_url: "{ws}"}]
    check_headers: true
    contracts: [{asset: "eip155:31337/erc721:{films}", proof_slot: "2"}]
    finality: depth
    depth: 3
    poll_ms: {poll}
    late_s: 0
sites:
  - {name: gated, tenant: films, hosts: ["*"], path: /films/, origin: studio, access: token,
     rule: ticket}
"""
SEGMENT = "/films/a/seg1.m4s"


class Smart:
    """A wallet that is a contract: its owner's key signs, its address is the account."""
    alg = "on-chain"

    def __init__(self, address, owner, wrap=lambda signature: signature):
        self.address, self.owner, self.wrap = address, owner, wrap
        self.account = f"eip155:31337:{address.lower()}"

    def sign(self, challenge):
        return self.wrap(self.owner.sign(challenge))


class SmartWallets(sg.Scenario):
    def setUp(self):
        super().setUp()
        self.chain = anvil.Anvil()
        self.addCleanup(self.chain.close)
        self.films = self.chain.deploy("Film721")
        self.owner, self.thief = wallet.Evm(31337), wallet.Evm(31337)

    def asking(self, poll_ms=50):
        """A node that has the key, and follows the chain."""
        (self.folder / "secret").write_text("0123456789abcdef0123456789abcdef\n")
        key, public = self.folder / "countersign.pem", self.folder / "countersign.pub"
        subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", key], check=True)
        key.chmod(0o600)
        subprocess.run(["openssl", "pkey", "-in", key, "-pubout", "-out", public], check=True)
        config = CONFIG.replace("{chain}", self.chain.url).replace("{films}", self.films.address)
        config = config.replace("{keys}", str(self.folder)).replace("{poll}", str(poll_ms))
        config = config.replace("{ws}", self.chain.url.replace("http", "ws"))
        return self.node(self.origin({SEGMENT: "segment"}), config)

    def let_in(self, node, who):
        viewer, said = wallet.Viewer(node, who), []

        def asked():
            try:
                return viewer.sign_in({"path": SEGMENT})
            except AssertionError as error:
                said.append(str(error))
                return None
        try:
            sg.until(asked, "the node lets the wallet in")
        except AssertionError:
            raise AssertionError(said[-1]) from None
        return viewer

    def test_a_wallet_that_holds_the_asset_is_let_in_by_its_owners_signature_and_out_by_a_transfer(
            self):
        safe = self.chain.deploy("Wallet", self.owner.address)
        node = self.asking(poll_ms=2000)
        self.films.send("mint", safe.address, 7)
        self.chain.mine(DEPTH)
        viewer = self.let_in(node, Smart(safe.address, self.owner))
        self.assertEqual(viewer.get(SEGMENT).text, "segment")
        self.assertEqual(viewer.renew().status, 200)
        metrics = node.command("/metrics").text
        self.assertTrue(any(line.startswith('streamgate_onchain_signatures_total{said="yes"} ') and
                            not line.endswith(" 0") for line in metrics.splitlines()))
        with self.assertRaisesRegex(AssertionError, "grant_signature"):
            wallet.Viewer(node, Smart(safe.address, self.thief)).sign_in({"path": SEGMENT})
        # Heard of by WebSocket: polling alone would take up to two seconds.
        began = time.monotonic()
        self.films.send("move", self.thief.address, 7)
        sg.until(lambda: viewer.get(SEGMENT).status != 200, "the token is refused")
        self.assertLess(time.monotonic() - began, 1)

    def test_a_wallet_that_is_not_deployed_yet_is_let_in(self):
        factory = self.chain.deploy("WalletFactory")
        salt = "0x" + "07" * 32
        said = factory.call("addressOf", self.owner.address, salt)
        address = "0x" + said[12:].hex()
        create = bytes.fromhex(factory.data("create", (self.owner.address, salt))[2:])

        def wrap(signature):
            return anvil.encode((factory.address, create, signature)) + bytes.fromhex("6492" * 16)
        node = self.asking()
        self.films.send("mint", address, 8)
        self.chain.mine(DEPTH)
        viewer = self.let_in(node, Smart(address, self.owner, wrap))
        self.assertEqual(viewer.get(SEGMENT).text, "segment")
        with self.assertRaisesRegex(AssertionError, "grant_signature"):
            wallet.Viewer(node, Smart(address, self.thief, wrap)).sign_in({"path": SEGMENT})

    def test_a_chain_that_cannot_be_asked_is_said_so(self):
        safe = self.chain.deploy("Wallet", self.owner.address)
        node = self.asking()
        self.films.send("mint", safe.address, 7)
        self.chain.mine(DEPTH)
        self.let_in(node, Smart(safe.address, self.owner))
        self.chain.process.kill()
        self.chain.process.wait()
        with self.assertRaisesRegex(AssertionError, "503.*grant_on_chain_unavailable"):
            wallet.Viewer(node, Smart(safe.address, self.owner)).sign_in({"path": SEGMENT})


if __name__ == "__main__":
    try:
        anvil.packages()
    except anvil.Missing as missing:
        print(f"no anvil on this machine: {missing}")
        sys.exit(sg.SKIPPED)
    sg.main()
