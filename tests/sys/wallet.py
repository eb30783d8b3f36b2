"""wallet - who signs in: a viewer with a wallet and a session key, who speaks to
/.well-known/streamgate as a player would.

    alice = wallet.Viewer(node, wallet.Evm())
    token = alice.sign_in()["token"]

The wallet is this file's own: ECDSA over secp256k1 and Keccak-256 in Python, Ed25519 by openssl.
That other makers' wallets are accepted too is what tests/oracle and tests/browser show.
"""
import base64
import hashlib
import json
import os
import pathlib
import subprocess
import tempfile
import time
import urllib.parse

import sg

ROOT = "/.well-known/streamgate/"


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


# ---- Keccak-256 ----

def keccak(data):
    mask, rounds, lfsr = (1 << 64) - 1, [], 1
    for _ in range(24):
        constant = 0
        for bit in range(7):
            constant |= (lfsr & 1) << ((1 << bit) - 1)
            lfsr = lfsr << 1 ^ (0x171 if lfsr >> 7 else 0)
        rounds.append(constant)
    lanes = [[0] * 5 for _ in range(5)]
    padded = bytearray(data + b"\x01" + bytes(-(len(data) + 1) % 136))
    padded[-1] |= 0x80

    def rotate(value, by):
        return (value << by | value >> (64 - by)) & mask if by else value
    for at in range(0, len(padded), 136):
        for lane in range(17):
            lanes[lane % 5][lane // 5] ^= int.from_bytes(padded[at + 8 * lane:at + 8 * lane + 8],
                                                         "little")
        for constant in rounds:
            parity = [a[0] ^ a[1] ^ a[2] ^ a[3] ^ a[4] for a in lanes]
            for x in range(5):
                d = parity[x - 1] ^ rotate(parity[(x + 1) % 5], 1)
                lanes[x] = [lane ^ d for lane in lanes[x]]
            x, y, current = 1, 0, lanes[1][0]
            for step in range(24):
                x, y = y, (2 * x + 3 * y) % 5
                current, lanes[x][y] = lanes[x][y], rotate(current, (step + 1) * (step + 2) // 2 % 64)
            for y in range(5):
                row = [lanes[x][y] for x in range(5)]
                for x in range(5):
                    lanes[x][y] = row[x] ^ (~row[(x + 1) % 5] & mask & row[(x + 2) % 5])
            lanes[0][0] ^= constant
    return b"".join(lanes[i % 5][i // 5].to_bytes(8, "little") for i in range(4))


# ---- ECDSA ----

class Curve:
    def __init__(self, p, a, n, gx, gy):
        self.p, self.a, self.n, self.g = p, a, n, (gx, gy)

    def add(self, s, t):
        if s is None or t is None:
            return s or t
        if s[0] == t[0] and (s[1] + t[1]) % self.p == 0:
            return None
        slope = ((3 * s[0] * s[0] + self.a) * pow(2 * s[1], -1, self.p) if s == t
                 else (t[1] - s[1]) * pow(t[0] - s[0], -1, self.p)) % self.p
        x = (slope * slope - s[0] - t[0]) % self.p
        return x, (slope * (s[0] - x) - s[1]) % self.p

    def times(self, k):
        sum_, doubled = None, self.g
        while k:
            if k & 1:
                sum_ = self.add(sum_, doubled)
            doubled, k = self.add(doubled, doubled), k >> 1
        return sum_

    def sign(self, key, digest):
        """(r, s, whether R's y is odd), with a low s."""
        k = int.from_bytes(os.urandom(40), "big") % (self.n - 1) + 1
        x, y = self.times(k)
        r = x % self.n
        s = pow(k, -1, self.n) * (int.from_bytes(digest, "big") + r * key) % self.n
        return (r, self.n - s, 1 - y % 2) if s > self.n // 2 else (r, s, y % 2)


SECP256K1 = Curve(2**256 - 2**32 - 977, 0,
                  0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141,
                  0x79BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798,
                  0x483ADA7726A3C4655DA4FBFC0E1108A8FD17B448A68554199C47D08FFB10D4B8)
P256 = Curve(2**256 - 2**224 + 2**192 + 2**96 - 1, -3,
             0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
             0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
             0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5)


# ---- wallets ----

class Evm:
    """Signs SIWE texts by EIP-191."""
    alg = "siwe"

    def __init__(self, chain=1):
        self.key = int.from_bytes(os.urandom(32), "big") % SECP256K1.n
        x, y = SECP256K1.times(self.key)
        self.address = "0x" + keccak(x.to_bytes(32, "big") + y.to_bytes(32, "big"))[12:].hex()
        self.account = f"eip155:{chain}:{self.address}"

    def sign(self, challenge):
        text = challenge["text"].encode()
        digest = keccak(b"\x19Ethereum Signed Message:\n%d" % len(text) + text)
        r, s, odd = SECP256K1.sign(self.key, digest)
        return r.to_bytes(32, "big") + s.to_bytes(32, "big") + bytes([27 + odd])


def base58(data):
    number, text = int.from_bytes(data, "big"), ""
    while number:
        number, rest = divmod(number, 58)
        text = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"[rest] + text
    return "1" * (len(data) - len(data.lstrip(b"\0"))) + text


class Solana:
    """Signs texts, messages and transactions with Ed25519, by openssl."""

    def __init__(self, alg="solana-text"):
        self.alg = alg
        self.folder = tempfile.TemporaryDirectory(prefix="sg-wallet-")
        self.pem = pathlib.Path(self.folder.name, "key.pem")
        openssl("genpkey", "-algorithm", "ed25519", "-out", self.pem)
        public = openssl("pkey", "-in", self.pem, "-pubout", "-outform", "DER")[-32:]
        self.account = f"solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp:{base58(public)}"

    def sign(self, challenge):
        message = challenge["text"].encode() if "text" in challenge else unb64(challenge["message"])
        file = pathlib.Path(self.folder.name, "message")
        file.write_bytes(message)
        signature = openssl("pkeyutl", "-sign", "-inkey", self.pem, "-rawin", "-in", file)
        return signature + (message if self.alg == "solana-memo" else b"")


def openssl(*words):
    return subprocess.run(["openssl", *words], check=True, capture_output=True).stdout


# ---- a viewer ----

class Session:
    """A P-256 key, and proofs by it (RFC 9449)."""

    def __init__(self):
        self.key = int.from_bytes(os.urandom(32), "big") % P256.n
        x, y = (c.to_bytes(32, "big") for c in P256.times(self.key))
        self.jwk = {"kty": "EC", "crv": "P-256", "x": b64(x), "y": b64(y)}
        cose = bytes.fromhex("a401022001215820") + x + bytes.fromhex("225820") + y
        self.ckt = b64(hashlib.sha256(cose).digest())

    def proof(self, uri, method="POST", token=None, **changes):
        header = {"typ": "dpop+jwt", "alg": "ES256", "jwk": self.jwk}
        claims = {"jti": b64(os.urandom(12)), "htm": method, "htu": uri, "iat": int(time.time())}
        if token is not None:
            claims["ath"] = b64(hashlib.sha256(token.encode()).digest())
        claims.update(changes)
        said = ".".join(b64(json.dumps(part).encode()) for part in (header, claims))
        r, s, _ = P256.sign(self.key, hashlib.sha256(said.encode()).digest())
        return said + "." + b64(r.to_bytes(32, "big") + s.to_bytes(32, "big"))


class Viewer:
    """Signs in at `node` as a player does; every step can be had alone, and changed."""

    def __init__(self, node, wallet, host=None):
        self.node, self.wallet, self.session = node, wallet, Session()
        self.host = host or f"127.0.0.1:{node.port}"
        self.grant = self.token = None

    def ask(self, method, what, query=None, body=None, fields=None):
        path = ROOT + what + ("?" + urllib.parse.urlencode(query) if query else "")
        connection = self.node.connect()
        try:
            connection.request(method, path, body, {"Host": self.host, **(fields or {})})
            return sg.Answer(connection.getresponse())
        finally:
            connection.close()

    def uri(self, what):
        return f"http://{self.host}{ROOT}{what}"

    def challenge(self, **query):
        query = {"account": self.wallet.account, "alg": self.wallet.alg, "ckt": self.session.ckt,
                 **query}
        return self.ask("GET", "challenge", {k: v for k, v in query.items() if v is not None})

    def signed(self, challenge):
        self.grant = {"header": challenge["header"], "claims": challenge["claims"],
                      "signature": b64(self.wallet.sign(challenge))}
        return self.grant

    def post(self, what, grant=None, proof=None, token=None, query=None, fields=None):
        proof = proof or self.session.proof(self.uri(what), token=token)
        fields = {"Content-Type": "application/json", "DPoP": proof, **(fields or {})}
        if token is not None:
            fields["CTA-Common-Access-Token"] = token
        return self.ask("POST", what, query, json.dumps(grant or self.grant), fields)

    def renew(self, **more):
        return self.post("renew", token=self.token, **more)

    def sign_in(self, query=None, **wanted):
        """The answer to the grant, as JSON."""
        answer = self.challenge(**wanted)
        if answer.status != 200:
            raise AssertionError(f"challenge: {answer.status} {answer.text}")
        self.signed(answer.json())
        answer = self.post("grant", query=query or {"path": wanted["path"]} if "path" in wanted
                           else query)
        if answer.status != 200:
            raise AssertionError(f"grant: {answer.status} {answer.text}")
        self.token = answer.json()["token"]
        return answer.json()

    def get(self, path, **more):
        return self.node.get(path, {"CTA-Common-Access-Token": self.token}, host=self.host, **more)
