#!/usr/bin/env python3
"""Smart wallets sign in: EIP-1271 and ERC-6492 wallets on a real anvil. An edge that has no chain
asks its region's control plane, another process, over a real nats-server; that asks the chain and
countersigns. A node that is both asks itself."""
import pathlib
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "sys")]
import anvil  # noqa: E402
import followed  # noqa: E402
import sg  # noqa: E402
import sgfeed  # noqa: E402
import wallet  # noqa: E402

DEPTH = 3
# {more}: what makes it a control plane.
CONFIG = """
node: {name: {name}, region: eu, workers: 1, pin_workers: false, state_dir: {folder}/state,
       run_dir: {folder}/run}
listeners: [{address: "127.0.0.1:{port}"}]
admin: {address: "127.0.0.1:{admin_port}"}
bus: {url: "{bus}"}
cache: {ram_bytes: 64MiB}
gate:
  countersigners: [{key_file: {keys}/countersign.pub}]
{more}
tenants: [{name: films, secret_file: "{keys}/secret", token_lifetime_s: 600}]
origins: [{name: studio, urls: [{url: "{origin}"}]}]
rules: [{name: ticket, tenant: films, require: "erc721(eip155:31337/erc721:{films})"}]
sites:
  - {name: gated, tenant: films, hosts: ["*"], path: /films/, origin: studio, access: token,
     rule: ticket}
  - {name: any, tenant: films, hosts: ["*"], path: /any/, origin: studio, access: token,
     sign_in: any}
"""
ASKS = """
  countersign_key: {keys}/countersign.pem
chains:
  - id: eip155:31337
    servers: [{url: "{chain}", ws_url: "{ws}"}]
    check_headers: true
    contracts: [{asset: "eip155:31337/erc721:{films}", proof_slot: "2"}]
    finality: depth
    depth: 3
    poll_ms: 2000
    late_s: 0
"""
SEGMENT, ANY = "/films/seg1.m4s", "/any/seg1.m4s"


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
        self.safe = self.chain.deploy("Wallet", self.owner.address).address
        self.studio = self.origin({SEGMENT: "segment", ANY: "segment"})
        (self.folder / "secret").write_text(sgfeed.SECRET)
        key, public = self.folder / "countersign.pem", self.folder / "countersign.pub"
        subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", key], check=True)
        key.chmod(0o600)
        subprocess.run(["openssl", "pkey", "-in", key, "-pubout", "-out", public], check=True)

    def config(self, more="", bus="embedded:", name="node"):
        values = {"more": more, "bus": bus, "name": name, "keys": str(self.folder),
                  "films": self.films.address, "chain": self.chain.url, "origin": self.studio.url,
                  "ws": self.chain.url.replace("http", "ws")}
        config = CONFIG
        for key, value in values.items():
            config = config.replace("{" + key + "}", value)
        return config

    def undeployed(self, owner):
        """A wallet that its factory has yet to make, and how its signatures say so (ERC-6492)."""
        factory = self.chain.deploy("WalletFactory")
        salt = "0x" + "07" * 32
        said = factory.call("addressOf", owner.address, salt)
        create = bytes.fromhex(factory.data("create", (owner.address, salt))[2:])

        def wrap(signature):
            return anvil.encode((factory.address, create, signature)) + bytes.fromhex("6492" * 16)
        return "0x" + said[12:].hex(), wrap

    def let_in(self, node, who, path=SEGMENT):
        viewer, said = wallet.Viewer(node, who), []

        def asked():
            try:
                return viewer.sign_in(path=path)
            except AssertionError as error:
                said.append(str(error))
                return None
        try:
            sg.until(asked, "the node lets the wallet in")
        except AssertionError:
            raise AssertionError(sorted(set(said))) from None
        return viewer

    def refused(self, node, who, path=ANY):
        """Why, and how long that took."""
        viewer, began = wallet.Viewer(node, who), time.monotonic()
        viewer.signed(viewer.challenge(path=path).json())
        answer = viewer.post("grant", query={"path": path})
        self.assertNotEqual(answer.status, 200)
        return answer.status, answer.json()["reason"], time.monotonic() - began, answer

    def unavailable(self, node, who):
        status, reason, took, answer = self.refused(node, who)
        self.assertEqual((status, reason), (503, "grant_on_chain_unavailable"))
        self.assertLess(took, 4)
        self.assertGreaterEqual(int(answer.fields["retry-after"]), 1)

    def counted(self, node, line):
        found = [one for one in node.command("/metrics").text.splitlines() if one.startswith(line)]
        return float(found[0].split()[-1]) if found else 0

    def test_an_edge_without_a_chain_asks_its_region(self):
        nats = sgfeed.Nats(self.folder).start()
        self.addCleanup(nats.stop)
        other, wrap = self.undeployed(self.owner)
        self.films.send("mint", self.safe, 7)
        self.films.send("mint", other, 8)
        self.chain.mine(DEPTH)
        control = self.node(self.studio, self.config(ASKS, nats.url, "control"), False, "control")
        edge = self.node(self.studio, self.config("", nats.url, "edge"), False, "edge")
        owner = Smart(self.safe, self.owner)
        control.start("--role", "control")
        edge.start("--role", "edge")
        self.let_in(edge, owner, ANY)
        control.kill()
        self.unavailable(edge, owner)  # nobody is there to be asked
        control.start("--role", "control")
        viewer = self.let_in(edge, owner)
        self.assertEqual(viewer.get(SEGMENT).text, "segment")
        asked = self.counted(control, 'streamgate_onchain_answered_total{from="chain"}')
        self.assertGreater(asked, 0)
        renewed = viewer.renew(query={"path": SEGMENT})
        self.assertEqual(renewed.status, 200)  # within ten minutes nobody is asked again
        self.assertEqual(
            self.counted(control, 'streamgate_onchain_answered_total{from="chain"}'), asked)
        self.assertGreater(
            self.counted(edge, 'streamgate_onchain_signatures_total{said="yes"}'), 0)
        self.assertEqual(
            self.let_in(edge, Smart(other, self.owner, wrap)).get(SEGMENT).text, "segment")
        for thief in (Smart(self.safe, self.thief), Smart(other, self.thief, wrap)):
            self.assertEqual(self.refused(edge, thief)[:2], (401, "grant_signature"))
        # Heard of by WebSocket: polling alone would take up to two seconds.
        began = time.monotonic()
        self.films.send("move", self.thief.address, 7)
        sg.until(lambda: viewer.get(SEGMENT).status != 200, "the token is refused")
        self.assertLess(time.monotonic() - began, 1)
        nats.stop()
        self.unavailable(edge, owner)

    def test_a_node_asks_with_the_key_and_the_chains_of_its_last_reload(self):
        node = self.node(self.studio, self.config())
        owner = Smart(self.safe, self.owner)
        self.unavailable(node, owner)
        asking = self.config(ASKS)
        node.configure(asking)
        node.sgctl("reload")
        self.let_in(node, owner, ANY)
        node.configure(asking.replace("countersign.pem", "secret"))
        self.assertNotEqual(node.sgctl("reload", check=False).returncode, 0)
        self.let_in(node, owner, ANY)  # a key that is none changes nothing
        self.chain.close()
        self.unavailable(node, owner)
        node.configure(self.config())
        node.sgctl("reload")
        self.unavailable(node, owner)


if __name__ == "__main__":
    followed.main()
