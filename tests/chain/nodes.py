"""Real EVM nodes of other makers than anvil's, with anvil.py's face; their packages are those of
tests/chain/nodes."""
import os
import pathlib
import subprocess
import tempfile
import time

import anvil
import sg

NPM = anvil.HERE.parents[1] / "tools" / "packages" / "npm"
CHAIN = 31337


def folder():
    """Where their packages are, made when absent."""
    made = pathlib.Path(os.environ.get("SG_CHAIN_NODES", "build/tests/chain/nodes"))
    if subprocess.run([NPM, anvil.HERE / "nodes", made], check=False, stdout=2).returncode:
        raise anvil.Missing(f"no nodes: {made}")
    return made.resolve()


class Node(anvil.Anvil):
    """One that mines as it is sent something."""
    gas = 2**24  # as much as Osaka lets one have

    def __init__(self, *_):  # pylint: disable=super-init-not-called
        packages = folder()
        self.contracts = anvil.contracts()
        self.log = tempfile.NamedTemporaryFile("w+", prefix="node.")
        self.home = tempfile.TemporaryDirectory(prefix="node.")
        self.port = sg.free_port()
        modules = pathlib.Path(self.home.name, "node_modules")  # Hardhat wants to lie beside its file
        modules.symlink_to(packages / "node_modules")
        self.process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "node", modules / ".bin" / self.name,
             *self.options()], cwd=self.home.name, stdin=subprocess.DEVNULL, stdout=self.log,
            stderr=self.log, env={**os.environ, "HOME": self.home.name})
        self.url = f"http://127.0.0.1:{self.port}"
        self.await_it()
        self.accounts = self.rpc("eth_accounts")

    def await_it(self):
        until = time.monotonic() + 60
        while time.monotonic() < until and self.process.poll() is None:
            try:
                self.rpc("eth_chainId")
                return
            except OSError:
                time.sleep(0.05)
        raise RuntimeError(f"{self.name}: {pathlib.Path(self.log.name).read_text()}")

    def close(self):
        super().close()
        self.home.cleanup()

    def mine(self, blocks=1):
        for _ in range(blocks):
            self.rpc("evm_mine")

    def options(self):
        raise NotImplementedError


class Ganache(Node):
    name = "ganache"

    def options(self):
        return ["--server.host", "127.0.0.1", "--server.port", str(self.port),
                "--chain.chainId", str(CHAIN)]


class Hardhat(Node):
    name = "hardhat"

    def options(self):
        pathlib.Path(self.home.name, "hardhat.config.js").write_text(
            "module.exports = { solidity: '0.8.30', "
            f"networks: {{ hardhat: {{ chainId: {CHAIN} }} }} }};\n")
        return ["node", "--hostname", "127.0.0.1", "--port", str(self.port)]
