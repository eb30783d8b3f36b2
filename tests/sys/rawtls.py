"""rawtls - a TLS client whose every byte a test can choose, for what no library would send.

It speaks TLS 1.3 (X25519, ChaCha20-Poly1305 with SHA-256) and of TLS 1.2 just as much; it believes
every certificate. Nothing of it is OpenSSL's: curve, cipher and key schedule are written out from
RFC 7748, 8439, 8446 and 5246, as short as can be and as slow as that is.

    client = rawtls.Client(port)
    client.shake(rawtls.hello())        # or step by step: say_hello(), hear_flight(), say_finished()
    client.say(rawtls.DATA, b"GET / HTTP/1.1\\r\\n...")
    kind, content = client.hear()       # (rawtls.ALERT, bytes([2, 10])); None: the end
"""
import hashlib
import hmac
import os
import socket
import struct

CCS, ALERT, HANDSHAKE, DATA = 20, 21, 22, 23
(CLIENT_HELLO, SERVER_HELLO, TICKET, EXTENSIONS, CERTIFICATE, KEY_EXCHANGE, HELLO_DONE, VERIFY, CLIENT_KEY,
 FINISHED, KEY_UPDATE) = 1, 2, 4, 8, 11, 12, 14, 15, 16, 20, 24
CHACHA20_13, CHACHA20_12_ECDSA, CHACHA20_12_RSA = 0x1303, 0xcca9, 0xcca8
X25519 = 0x1d
RETRY = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")


# ---- arithmetic: RFC 7748, RFC 8439 ----

def x25519(scalar, u):
    """u as 32 bytes; the base point is 9."""
    p = 2**255 - 19
    k = int.from_bytes(scalar, "little") & ~7 & (2**255 - 1) | 2**254
    x1 = int.from_bytes(u, "little") & (2**255 - 1)
    x2, z2, x3, z3, swapped = 1, 0, x1, 1, 0
    for t in reversed(range(255)):
        bit = k >> t & 1
        if bit != swapped:
            x2, x3, z2, z3 = x3, x2, z3, z2
        swapped = bit
        a, b, c, d = x2 + z2, x2 - z2, x3 + z3, x3 - z3
        da, cb, aa, bb = d * a % p, c * b % p, a * a % p, b * b % p
        x3, z3 = (da + cb)**2 % p, x1 * (da - cb)**2 % p
        e = aa - bb
        x2, z2 = aa * bb % p, e * (aa + 121665 * e) % p
    if swapped:
        x2, z2 = x3, z3
    return (x2 * pow(z2, p - 2, p) % p).to_bytes(32, "little")


def chacha20_block(key, counter, nonce):
    start = struct.unpack("<16I", b"expand 32-byte k" + key + struct.pack("<I", counter) + nonce)
    s = list(start)
    for _ in range(10):
        for a, b, c, d in ((0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15),
                           (0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14)):
            for x, y, z, n in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
                s[x] = s[x] + s[y] & 0xffffffff
                s[z] ^= s[x]
                s[z] = (s[z] << n | s[z] >> 32 - n) & 0xffffffff
    return struct.pack("<16I", *(a + b & 0xffffffff for a, b in zip(s, start)))


def chacha20(key, nonce, data):
    blocks = range(1, len(data) // 64 + 2)
    stream = b"".join(chacha20_block(key, i, nonce) for i in blocks)[:len(data)]
    n = int.from_bytes(data, "little") ^ int.from_bytes(stream, "little")
    return n.to_bytes(len(data), "little")


def poly1305(key, nonce, aad, sealed):
    one_time = chacha20_block(key, 0, nonce)
    r = int.from_bytes(one_time[:16], "little") & 0x0ffffffc0ffffffc0ffffffc0fffffff
    total = 0
    padded = (aad + bytes(-len(aad) % 16) + sealed + bytes(-len(sealed) % 16) +
              struct.pack("<QQ", len(aad), len(sealed)))
    for at in range(0, len(padded), 16):
        block = int.from_bytes(padded[at:at + 16], "little") | 1 << 128
        total = (total + block) * r % (2**130 - 5)
    tag = total + int.from_bytes(one_time[16:32], "little")
    return (tag & (1 << 128) - 1).to_bytes(16, "little")


class Keys:
    """One direction's."""

    def __init__(self, key, iv, secret=None):
        self.key, self.iv, self.secret, self.seq = key, iv, secret, 0

    def nonce(self):
        self.seq += 1
        n = int.from_bytes(self.iv, "big") ^ (self.seq - 1)
        return n.to_bytes(12, "big")

    def seal(self, aad, plain):
        nonce = self.nonce()
        sealed = chacha20(self.key, nonce, plain)
        return sealed + poly1305(self.key, nonce, aad, sealed)

    def unseal(self, aad, sealed):
        nonce = self.nonce()
        if poly1305(self.key, nonce, aad, sealed[:-16]) != sealed[-16:]:
            raise ValueError("a forged record")
        return chacha20(self.key, nonce, sealed[:-16])


def mac(key, data):
    return hmac.new(key, data, hashlib.sha256).digest()


def expand(secret, label, context=b"", length=32):
    label = b"tls13 " + label.encode()
    info = struct.pack(">HB", length, len(label)) + label + bytes([len(context)]) + context
    return mac(secret, info + b"\x01")[:length]


def keys13(secret):
    return Keys(expand(secret, "key"), expand(secret, "iv", length=12), secret)


def prf12(secret, label, seed, length):
    seed, out = label.encode() + seed, b""
    a = seed
    while len(out) < length:
        a = mac(secret, a)
        out += mac(secret, a + seed)
    return out[:length]


# ---- messages ----

def vector(size, content):
    return len(content).to_bytes(size, "big") + content


def message(kind, content):
    return bytes([kind]) + vector(3, content)


def numbers(*values):
    return vector(2, b"".join(struct.pack(">H", value) for value in values))


SERVER_NAME, GROUPS, SIGNATURES, ALPN, EMS, SESSION_TICKET = 0, 10, 13, 16, 23, 35
PSK, EARLY_DATA, VERSIONS, COOKIE, PSK_MODES, KEY_SHARE, RENEGOTIATION = 41, 42, 43, 44, 45, 51, 0xff01
PRIVATE = bytes(range(32))  # the client's, in every handshake
PUBLIC = x25519(PRIVATE, bytes([9]) + bytes(31))


def share(group=X25519, key=PUBLIC):
    return struct.pack(">H", group) + vector(2, key)


def name(host="node.test"):
    return vector(2, b"\0" + vector(2, host.encode()))


def extensions13():
    """What a plain client sends, in order: a dict to be changed."""
    return {SERVER_NAME: name(), GROUPS: numbers(X25519), SIGNATURES: numbers(0x0403, 0x0804),
            VERSIONS: b"\x02\x03\x04", PSK_MODES: b"\x01\x01", KEY_SHARE: vector(2, share())}


def extensions12():
    return {SERVER_NAME: name(), GROUPS: numbers(X25519), SIGNATURES: numbers(0x0403, 0x0804),
            EMS: b"", RENEGOTIATION: b"\0"}


def hello(extensions=None, version=0x0303, session=b"", suites=None, compressions=b"\0",
          random=None):
    """A ClientHello message. `extensions`: a dict, or a list of pairs, or raw bytes."""
    extensions = extensions13() if extensions is None else extensions
    if isinstance(extensions, dict):
        extensions = extensions.items()
    if not isinstance(extensions, bytes):
        extensions = vector(2, b"".join(struct.pack(">H", kind) + vector(2, body)
                                        for kind, body in extensions if body is not None))
    suites = suites or (CHACHA20_13, CHACHA20_12_ECDSA, CHACHA20_12_RSA)
    return message(CLIENT_HELLO, struct.pack(">H", version) + (random or os.urandom(32)) +
                   vector(1, session) + numbers(*suites) + vector(1, compressions) + extensions)


class Client:
    """A connection. Whoever reads what says so: hear() gives records, messages() handshake messages."""

    def __init__(self, port, patience_s=20):
        self.socket = socket.create_connection(("127.0.0.1", port), patience_s)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.tx = self.rx = None  # in the clear
        self.version = 0x0304
        self.transcript = b""
        self.pending = b""
        self.resumption = None  # the key that a ticket stands for
        self.longest_sealed = 0  # of TLS 1.3's records: what was in them

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    # ---- records ----

    def raw(self, kind, content, version=0x0303):
        return bytes([kind]) + struct.pack(">H", version) + vector(2, content)

    def send(self, bytes_):
        self.socket.sendall(bytes_)

    def sealed(self, kind, content, padding=0):
        if self.tx is None:
            return self.raw(kind, content)
        if self.version == 0x0303:
            aad = struct.pack(">QBHH", self.tx.seq, kind, 0x0303, len(content))
            return self.raw(kind, self.tx.seal(aad, content))
        inner = content + bytes([kind]) + bytes(padding)
        return self.raw(DATA, self.tx.seal(struct.pack(">BHH", DATA, 0x0303, len(inner) + 16), inner))

    def say(self, kind, content, padding=0):
        self.send(self.sealed(kind, content, padding))

    def exactly(self, count):
        got = b""
        while len(got) < count:
            try:
                piece = self.socket.recv(count - len(got))
            except ConnectionResetError as reset:
                raise EOFError("reset") from reset
            if not piece:
                raise EOFError("closed")
            got += piece
        return got

    def hear(self):
        """The next record: (kind, content). None: the connection's end."""
        try:
            header = self.exactly(5)
        except EOFError:
            return None
        kind, _, length = struct.unpack(">BHH", header)
        body = self.exactly(length)
        if self.rx is None or (self.version == 0x0304 and kind != DATA):
            return kind, body
        if self.version == 0x0303:
            aad = struct.pack(">QBHH", self.rx.seq, kind, 0x0303, length - 16)
            return kind, self.rx.unseal(aad, body)
        inner = self.rx.unseal(header, body).rstrip(b"\0")
        self.longest_sealed = max(self.longest_sealed, len(inner) - 1)
        return inner[-1], inner[:-1]

    def message(self):
        """The next handshake message, whole: (kind, content, all of it)."""
        while len(self.pending) < 4 or len(self.pending) < 4 + int.from_bytes(self.pending[1:4], "big"):
            record = self.hear()
            if record is None or record[0] not in (HANDSHAKE, CCS):
                raise Refused(record)
            if record[0] == HANDSHAKE:
                self.pending += record[1]
        length = 4 + int.from_bytes(self.pending[1:4], "big")
        whole, self.pending = self.pending[:length], self.pending[length:]
        return whole[0], whole[4:], whole

    def ending(self):
        """What a server that ends a connection said last: an alert's number, "closed", "reset"."""
        try:
            while record := self.hear():
                if record[0] == ALERT:
                    return record[1][1]
            return "closed"
        except EOFError as end:
            return str(end)

    # ---- TLS 1.3 ----

    def say_hello(self, hello_):
        self.transcript += hello_
        self.send(self.raw(HANDSHAKE, hello_, 0x0301))

    def hash(self):
        return hashlib.sha256(self.transcript).digest()

    def hear_hello(self):
        """ServerHello; returns its extensions. Of TLS 1.3 the keys are made."""
        kind, body, whole = self.message()
        if kind != SERVER_HELLO:
            raise Refused((HANDSHAKE, whole))
        self.server_random = body[2:34]
        session_end = 35 + body[34]
        self.suite = int.from_bytes(body[session_end:session_end + 2], "big")
        extensions = extensions_of(body[session_end + 3:])
        self.version = 0x0304 if VERSIONS in extensions else 0x0303
        if self.server_random == RETRY:
            self.transcript = message(254, self.hash())
        self.transcript += whole
        if self.version == 0x0304 and self.server_random != RETRY:
            self.schedule(x25519(PRIVATE, extensions[KEY_SHARE][4:]), PSK in extensions)
        return extensions

    def schedule(self, shared, resumed):
        early = mac(bytes(32), self.resumption if resumed else bytes(32))
        nothing = hashlib.sha256(b"").digest()
        handshake = mac(expand(early, "derived", nothing), shared)
        self.tx = keys13(expand(handshake, "c hs traffic", self.hash()))
        self.rx = keys13(expand(handshake, "s hs traffic", self.hash()))
        self.master = mac(expand(handshake, "derived", nothing), bytes(32))

    def hear_flight(self):
        """All up to the server's Finished; returns {kind: content}."""
        heard = {}
        while FINISHED not in heard:
            kind, body, whole = self.message()
            if kind == FINISHED:
                key = expand(self.rx.secret, "finished")
                if body != mac(key, self.hash()):
                    raise ValueError("not the server's Finished")
            heard[kind] = body
            self.transcript += whole
        self.data_keys = [keys13(expand(self.master, f"{who} ap traffic", self.hash())) for who in "cs"]
        self.rx = self.data_keys[1]
        return heard

    def finished(self):
        return message(FINISHED, mac(expand(self.tx.secret, "finished"), self.hash()))

    def say_finished(self):
        whole = self.finished()
        self.say(HANDSHAKE, whole)
        self.after_finished(whole)

    def after_finished(self, whole):
        self.transcript += whole
        self.tx = self.data_keys[0]

    def shake(self, hello_=None):
        self.say_hello(hello_ or hello())
        self.hear_hello()
        heard = self.hear_flight()
        self.say_finished()
        return heard

    def hear_ticket(self):
        """NewSessionTicket; returns {lifetime, age_add, nonce, ticket}, and keeps what resumes."""
        kind, body, _ = self.message()
        if kind != TICKET:
            raise ValueError(f"message {kind} instead of a ticket")
        lifetime, age_add = struct.unpack(">II", body[:8])
        nonce = body[9:9 + body[8]]
        at = 9 + body[8]
        ticket = body[at + 2:at + 2 + int.from_bytes(body[at:at + 2], "big")]
        secret = expand(self.master, "res master", self.hash())
        return {"lifetime": lifetime, "age_add": age_add, "nonce": nonce, "ticket": ticket,
                "psk": expand(secret, "resumption", nonce)}

    def new_keys(self, direction):
        return keys13(expand(direction.secret, "traffic upd"))

    # ---- TLS 1.2 ----

    def shake12(self, hello_, behind_finished=b""):
        """A full handshake with ECDHE; returns {kind: content}."""
        self.say_hello(hello_)
        heard = {EXTENSIONS: self.hear_hello()}
        while HELLO_DONE not in heard:
            kind, heard[kind], whole = self.message()
            self.transcript += whole
        exchange = heard[KEY_EXCHANGE]  # named curve, its number, the point
        public = exchange[4:4 + exchange[3]]
        key = message(CLIENT_KEY, vector(1, PUBLIC))
        self.transcript += key
        label, seed = "master secret", hello_[6:38] + self.server_random
        if EMS in heard[EXTENSIONS]:
            label, seed = "extended master secret", self.hash()
        self.master12(prf12(x25519(PRIVATE, public), label, seed, 48), hello_[6:38])
        self.say(HANDSHAKE, key)
        self.say_finished12(behind_finished)
        return {**heard, **self.hear_finished12()}

    def master12(self, master, client_random):
        self.master = master
        block = prf12(master, "key expansion", self.server_random + client_random, 88)
        self.block = Keys(block[:32], block[64:76]), Keys(block[32:64], block[76:88])

    def say_finished12(self, more=b""):
        """`more` goes into the same record."""
        self.say(CCS, b"\x01")
        self.tx = self.block[0]
        whole = message(FINISHED, prf12(self.master, "client finished", self.hash(), 12))
        self.transcript += whole
        self.say(HANDSHAKE, whole + more)

    def hear_finished12(self):
        """A ticket where there is one, change_cipher_spec, Finished."""
        heard = {}
        while True:
            record = self.hear()
            if record is None or record[0] not in (HANDSHAKE, CCS):
                raise Refused(record)
            if record[0] == CCS:
                self.rx = self.block[1]
                continue
            heard[record[1][0]] = record[1][4:]
            if FINISHED in heard:
                if heard[FINISHED] != prf12(self.master, "server finished", self.hash(), 12):
                    raise ValueError("not the server's Finished")
                return heard
            self.transcript += record[1]


class Refused(Exception):
    """The server said `record` (None: nothing, and left) in mid-handshake."""

    def __init__(self, record):
        super().__init__(record)
        self.record = record


def extensions_of(bytes_):
    out, at = {}, 2
    while at < len(bytes_):
        kind, length = struct.unpack(">HH", bytes_[at:at + 4])
        out[kind] = bytes_[at + 4:at + 4 + length]
        at += 4 + length
    return out


def psk_hello(ticket, extensions=None, binder=None, age_ms=0, before=b"", **others):
    """A ClientHello that offers `ticket` (of hear_ticket()), with its binder made; `before` is what was
    said before it. `binder` may change the binder."""
    extensions = dict(extensions13() if extensions is None else extensions)
    age = (age_ms + ticket["age_add"]) & 0xffffffff
    identities = vector(2, vector(2, ticket["ticket"]) + struct.pack(">I", age))
    extensions[PSK] = identities + vector(2, vector(1, bytes(32)))
    whole = hello(extensions, **others)
    key = expand(expand(mac(bytes(32), ticket["psk"]), "res binder", hashlib.sha256(b"").digest()),
                 "finished")
    good = mac(key, hashlib.sha256(before + whole[:-35]).digest())
    return whole[:-32] + (binder(good) if binder else good)
