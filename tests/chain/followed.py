"""A whole node that follows a real anvil with OpenZeppelin's ERC-721, for tests over it."""
import json
import pathlib
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
tenants: [{name: films, secret_file: "{secret}", token_lifetime_s: 600}]
origins: [{name: studio, urls: [{url: "{origin}"}]}]
rules: [{name: ticket, tenant: films, require: "erc721(eip155:31337/erc721:{films})"}]
chains:
  - id: eip155:31337
    servers: [{url: "{chain}"}]
    finality: depth
    depth: 3
    poll_ms: 50
    late_s: 0
sites:
  - {name: gated, tenant: films, hosts: ["*"], path: /films/, origin: studio, access: token,
     rule: ticket}
  - {name: open, tenant: films, hosts: ["*"], path: /, origin: studio, access: public}
"""
SEGMENT = "/films/a/seg1.m4s"


class Followed(sg.Scenario):
    def setUp(self):
        super().setUp()
        self.chain = anvil.Anvil()
        self.addCleanup(self.chain.close)
        self.films = self.chain.deploy("Film721")
        self.alice, self.bob = wallet.Evm(31337), wallet.Evm(31337)

    def follower(self, config=CONFIG):
        secret = self.folder / "secret"
        secret.write_text("0123456789abcdef0123456789abcdef\n")
        config = config.replace("{secret}", str(secret)).replace("{chain}", self.chain.url)
        return self.node(self.origin({SEGMENT: "segment"}),
                         config.replace("{films}", self.films.address))

    @staticmethod
    def chains(node):
        return json.loads(node.sgctl("--json", "chain").stdout)["chains"]

    def followed(self, node):
        """What the node says of the chain, once its head is the chain's."""
        latest = int(self.chain.rpc("eth_blockNumber"), 16)

        def there():
            said = self.chains(node)
            return said[0] if said and said[0]["head"] == latest and \
                said[0]["state"] == "following" and \
                said[0]["contracts"]["joined"] == said[0]["contracts"]["all"] else None
        return sg.until(there, f"block {latest} is followed")

    def let_in(self, node, who):
        """Signs in as soon as the node lets it."""
        viewer = wallet.Viewer(node, who)

        def asked():
            try:
                return viewer.sign_in({"path": SEGMENT})
            except AssertionError:
                return None
        sg.until(asked, "the node lets the owner in")
        return viewer

    def refused_within(self, viewer):
        began = time.monotonic()
        sg.until(lambda: viewer.get(SEGMENT).status != 200, "the token is refused")
        return time.monotonic() - began


def main():
    """Of a test file; skipped without npm's packages."""
    try:
        anvil.packages()
    except anvil.Missing as missing:
        print(missing)
        sys.exit(sg.SKIPPED)
    sg.main()
