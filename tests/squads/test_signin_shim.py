#!/usr/bin/env python3
"""The members of a Squads multisig sign in at a whole node for their vault. The account is the Squads
SDK's, the server that hands it out a shim of ours: shim.mjs says what that does not prove."""
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

CONFIG = """
node: {name: edge1, region: eu, workers: 1, state_dir: {folder}/state, run_dir: {folder}/run}
listeners: [{address: "127.0.0.1:{port}"}]
admin: {address: "127.0.0.1:{admin_port}"}
cache: {ram_bytes: 64MiB}
gate: {countersign_key: {keys}/countersign.pem, countersigners: [{key_file: {keys}/countersign.pub}]}
tenants: [{name: films, secret_file: "{keys}/secret", token_lifetime_s: 600}]
chains: [{id: "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp", servers: [{url: "{chain}"}]}]
origins: [{name: studio, urls: [{url: "{origin}"}]}]
sites:
  - {name: any, tenant: films, hosts: ["*"], path: /, origin: studio, access: token, sign_in: any}
"""
CHAIN = "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp:"
ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


def key_of(text):
    number = 0
    for letter in text:
        number = 58 * number + ALPHABET.index(letter)
    return number.to_bytes(32, "big")


def cbor_bytes(data):
    return bytes([0x58, len(data)]) + data


class Vault:
    """A wallet that is several: all of `members` sign."""
    alg = "on-chain"

    def __init__(self, multisig, vault, members):
        self.multisig, self.account = multisig, CHAIN + vault
        self.members = sorted(members, key=lambda one: key_of(one.account.split(":")[-1]))

    def sign(self, challenge):
        pairs = [b"\x82" + cbor_bytes(key_of(one.account.split(":")[-1])) +
                 cbor_bytes(one.sign(challenge)) for one in self.members]
        return b"\x83" + cbor_bytes(key_of(self.multisig)) + b"\x00" + \
            bytes([0x80 + len(pairs)]) + b"".join(pairs)


class Squads(sg.Scenario):
    def setUp(self):
        super().setUp()
        packages = os.environ["SG_SQUADS_PACKAGES"]
        if subprocess.run([os.environ["SG_SQUADS_PREPARE"], HERE, packages], stdout=2,
                          check=False).returncode:
            raise unittest.SkipTest("no npm, or no Squads SDK")
        shim = subprocess.Popen(["node", HERE / "shim.mjs"], stdin=subprocess.PIPE,
                                stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.addCleanup(shim.wait)
        self.addCleanup(shim.stdout.close)
        self.addCleanup(shim.stdin.close)
        self.url = f"http://127.0.0.1:{int(shim.stdout.readline())}"

    def steer(self, method, *params):
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
        with urllib.request.urlopen(self.url, body, timeout=20) as answer:
            return json.load(answer)["result"]

    def start(self):
        (self.folder / "secret").write_text("0123456789abcdef0123456789abcdef\n")
        key, public = self.folder / "countersign.pem", self.folder / "countersign.pub"
        wallet.openssl("genpkey", "-algorithm", "ed25519", "-out", key)
        wallet.openssl("pkey", "-in", key, "-pubout", "-out", public)
        key.chmod(0o600)
        config = CONFIG.replace("{keys}", str(self.folder)).replace("{chain}", self.url)
        return self.node(self.origin({"/seg1.m4s": "segment"}), config)

    def test_two_of_three_members_sign_in_for_their_vault_and_one_does_not(self):
        members = [wallet.Solana() for _ in range(3)]
        multisig = self.steer("test_multisig", {
            "threshold": 2, "members": [{"key": one.account.split(":")[-1]} for one in members]})
        vault = self.steer("test_vault", multisig, 0)
        node = self.start()
        viewer = wallet.Viewer(node, Vault(multisig, vault, members[:2]))
        viewer.sign_in()
        self.assertEqual(viewer.get("/seg1.m4s").text, "segment")
        self.assertEqual(viewer.renew().status, 200)
        with self.assertRaisesRegex(AssertionError, "401.*grant_signature"):
            wallet.Viewer(node, Vault(multisig, vault, members[:1])).sign_in()
        with self.assertRaisesRegex(AssertionError, "401.*grant_signature"):
            wallet.Viewer(node, Vault(multisig, vault, [members[0], wallet.Solana()])).sign_in()
        self.assertIn('streamgate_onchain_signatures_total{said="no"} 2',
                      node.command("/metrics").text)


if __name__ == "__main__":
    sg.main()
