"""natsjwt - an operator, an account and a user of nats-server's, and what proves who they are: NATS's
own way (nkeys and JWTs), by openssl and Python's library alone."""
import base64
import json
import subprocess
import time

KINDS = {"O": 14 << 3, "A": 0, "U": 20 << 3}
SEED = 18 << 3
DER_HEAD = bytes.fromhex("302e020100300506032b657004220420")  # PKCS #8 of an Ed25519 seed


def b32(data):
    return base64.b32encode(data + crc16(data).to_bytes(2, "little")).decode().rstrip("=")


def crc16(data):
    crc = 0
    for byte in data:
        crc ^= byte << 8
        for _ in range(8):
            crc = ((crc << 1) ^ 0x1021 if crc & 0x8000 else crc << 1) & 0xffff
    return crc


def b64(data):
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


class Nkey:
    def __init__(self, folder, kind, name):
        self.file = folder / f"nkey-{name}"
        subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", self.file], check=True)
        der = subprocess.run(["openssl", "pkey", "-in", self.file, "-outform", "DER"], check=True,
                             capture_output=True).stdout
        public = subprocess.run(["openssl", "pkey", "-in", self.file, "-pubout", "-outform", "DER"],
                                check=True, capture_output=True).stdout[-32:]
        self.raw, code = der[len(DER_HEAD):], KINDS[kind]
        self.name = b32(bytes([code]) + public)
        self.seed = b32(bytes([SEED | code >> 5, (code & 31) << 3]) + self.raw)

    def sign(self, claims):
        head = b64(json.dumps({"typ": "JWT", "alg": "ed25519-nkey"}).encode())
        text = f"{head}.{b64(json.dumps(claims).encode())}"
        message = self.file.with_suffix(".text")
        message.write_text(text)
        signature = subprocess.run(["openssl", "pkeyutl", "-sign", "-rawin", "-inkey", self.file,
                                    "-in", message], check=True, capture_output=True).stdout
        return f"{text}.{b64(signature)}"


def claims(issuer, subject, name, nats):
    return {"jti": name, "iat": int(time.time()), "iss": issuer.name, "name": name,
            "sub": subject.name, "nats": {"version": 2, **nats}}


def world(folder):
    """A server's configuration, and the text of a user's credentials; the user's nkey too."""
    operator, account, system, user = (
        Nkey(folder, kind, name) for kind, name in
        (("O", "operator"), ("A", "account"), ("A", "system"), ("U", "user")))
    limits = {name: -1 for name in ("subs", "conn", "leaf", "imports", "exports", "data", "payload",
                                    "mem_storage", "disk_storage", "streams", "consumer")}
    of_operator = operator.sign(claims(operator, operator, "op", {"type": "operator"}))
    of_account = operator.sign(claims(operator, account, "acc", {
        "type": "account", "limits": {**limits, "wildcards": True}}))
    no_streams = {**limits, "mem_storage": 0, "disk_storage": 0, "wildcards": True}
    of_system = operator.sign(claims(operator, system, "sys", {"type": "account",
                                                               "limits": no_streams}))
    of_user = account.sign(claims(account, user, "user", {
        "type": "user", "pub": {}, "sub": {}, "subs": -1, "data": -1, "payload": -1}))
    config = (f"operator: {of_operator}\nresolver: MEMORY\nsystem_account: {system.name}\n"
              f"resolver_preload: {{ {account.name}: {of_account}, {system.name}: {of_system} }}\n")
    creds = (f"-----BEGIN NATS USER JWT-----\n{of_user}\n------END NATS USER JWT------\n\n"
             f"-----BEGIN USER NKEY SEED-----\n{user.seed}\n------END USER NKEY SEED------\n")
    return config, creds, user
