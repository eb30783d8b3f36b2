"""A real EVM chain for a test, with real contracts on it.

    with Anvil() as chain:                       # raises Missing where npm's packages can't be had
        films = chain.deploy("Film721")
        films.send("mint", chain.accounts[1], 7) # mined; returns the receipt
        films.call("ownerOf", 7)                 # bytes of the answer
        chain.rpc("anvil_reorg", 3, [])

The contracts are those of tests/chain/contracts, the accounts anvil's own, unlocked.
"""
import json
import os
import pathlib
import subprocess
import tempfile
import time
import unittest
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
ANVIL = "node_modules/@foundry-rs/anvil-linux-amd64/bin/anvil"


class Missing(unittest.SkipTest):
    """anvil or the compiled contracts are not to be had on this machine: tests are skipped then."""


class Refused(Exception):
    """The chain answered with an error."""


def packages():
    """The folder with anvil and the contracts, made when absent."""
    folder = pathlib.Path(os.environ.get("SG_CHAIN_PACKAGES", "build/tests/chain/packages"))
    if subprocess.run([HERE / "prepare", folder], check=False).returncode:
        raise Missing(f"no anvil: {folder}")
    return folder.resolve()


def contracts():
    """What compile.mjs made of tests/chain/contracts."""
    return json.loads((packages() / "contracts.json").read_text())


def word(value):
    """A static ABI value: a number, an address or bytes32 as 0x text, a truth."""
    if isinstance(value, str):
        return bytes.fromhex(value[2:]).rjust(32, b"\0") if len(value) == 42 else \
            bytes.fromhex(value[2:]).ljust(32, b"\0")
    return int(value).to_bytes(32, "big")


def encode(values):
    """ABI: numbers, addresses, bytes32; lists of them; bytes."""
    head, tail = b"", b""
    for value in values:
        if isinstance(value, (list, tuple)):
            made = word(len(value)) + b"".join(word(one) for one in value)
        elif isinstance(value, bytes):
            made = word(len(value)) + value + bytes(-len(value) % 32)
        else:
            head += word(value)
            continue
        head += word(32 * len(values) + len(tail))
        tail += made
    return head + tail


class Contract:
    def __init__(self, chain, name, address):
        self.chain, self.name, self.address = chain, name, address

    def data(self, function, values):
        selectors = self.chain.contracts[self.name]["selectors"]
        found = [four for text, four in selectors.items()
                 if text == function or text.split("(")[0] == function and
                 text.count(",") + (not text.endswith("()")) == len(values)]
        assert len(found) == 1, f"{function} of {self.name}: {found}"
        return "0x" + found[0] + encode(values).hex()

    def call(self, function, *values, block="latest"):
        call = {"to": self.address, "data": self.data(function, values)}
        return bytes.fromhex(self.chain.rpc("eth_call", call, block)[2:])

    def send(self, function, *values, sender=None):
        return self.chain.send(self.address, self.data(function, values), sender)


class Anvil:
    gas = 29_000_000  # of a transaction

    def __init__(self, *options, port=0):
        folder = packages()
        self.contracts = contracts()
        self.log = tempfile.NamedTemporaryFile("w+", prefix="anvil.")
        self.process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", folder / ANVIL, "--host", "127.0.0.1", "--port", str(port), "--slots-in-an-epoch",
             "1", *options], stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        self.port = self.listening()
        self.url = f"http://127.0.0.1:{self.port}"
        self.accounts = self.rpc("eth_accounts")

    def listening(self):
        until = time.monotonic() + 20
        while time.monotonic() < until and self.process.poll() is None:
            text = pathlib.Path(self.log.name).read_text()
            if "Listening on " in text:
                return int(text.split("Listening on ")[1].split("\n")[0].rsplit(":")[-1])
            time.sleep(0.02)
        raise RuntimeError(f"anvil did not start: {pathlib.Path(self.log.name).read_text()}")

    def close(self):
        self.process.kill()
        self.process.wait()
        self.log.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def rpc(self, method, *params):
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
        request = urllib.request.Request(self.url, body, {"content-type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            said = json.load(answer)
        if "error" in said:
            raise Refused(said["error"])
        return said["result"]

    def mine(self, blocks=1):
        self.rpc("anvil_mine", hex(blocks))

    def post(self, to, data, sender=None):
        """Into the pool, without waiting for a block: for when automine is off."""
        call = {"from": sender or self.accounts[0], "data": data, "gas": hex(self.gas)}
        return self.rpc("eth_sendTransaction", {**call, "to": to} if to else call)

    def send(self, to, data, sender=None):
        """The receipt. Needs automine, which is on unless it was turned off."""
        sent = self.post(to, data, sender)
        until = time.monotonic() + 20
        receipt = None
        while receipt is None and time.monotonic() < until:
            receipt = self.rpc("eth_getTransactionReceipt", sent)
        if receipt is None or int(receipt["status"], 16) != 1:
            raise Refused(receipt)
        return receipt

    def deploy(self, name, *values):
        made = self.send(None, self.contracts[name]["code"] + encode(values).hex())
        return Contract(self, name, made["contractAddress"])
