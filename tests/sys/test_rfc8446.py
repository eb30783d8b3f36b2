#!/usr/bin/env python3
"""What RFC 8446 has a server do with a client that breaks its rules: which alert, and then the end.

Each table is {what the client does: (how, what the server must do)}. The client is rawtls.py."""
import os

import rawtls
import sg
import sgtls
from rawtls import ALERT, CCS, DATA, HANDSHAKE

GET = b"GET /small HTTP/1.1\r\nHost: node.test\r\n\r\n"
ANSWERED = "an answer"
(UNEXPECTED_MESSAGE, BAD_RECORD_MAC, RECORD_OVERFLOW, HANDSHAKE_FAILURE, ILLEGAL_PARAMETER, DECODE_ERROR,
 DECRYPT_ERROR, PROTOCOL_VERSION, MISSING_EXTENSION, UNRECOGNIZED_NAME,
 NO_APPLICATION_PROTOCOL) = 10, 20, 22, 40, 47, 50, 51, 70, 109, 112, 120


def say(kind, content, padding=0):
    return lambda client: client.say(kind, content, padding)


def plainly(kind, content, version=0x0303):
    return lambda client: client.send(client.raw(kind, content, version))


def in_turn(*steps):
    def run(client):
        for step in steps:
            step(client)
    return run


def get(client):
    client.say(DATA, GET)


def finished(client):
    client.say_finished()


def before_finished(*steps):
    def run(client):
        client.say_hello(rawtls.hello())
        client.hear_hello()
        client.hear_flight()
        in_turn(*steps)(client)
    return run


def connected(*steps):
    def run(client):
        client.shake()
        in_turn(*steps)(client)
    return run


def finished_in_two(between):
    def run(client):
        whole = client.finished()
        client.say(HANDSHAKE, whole[:10])
        between(client)
        client.say(HANDSHAKE, whole[10:])
        client.after_finished(whole)
        get(client)
    return run


def finished_byte_by_byte(client):
    whole = client.finished()
    for i in range(len(whole)):
        client.say(HANDSHAKE, whole[i:i + 1])
    client.after_finished(whole)


def finished_forged(client):
    whole = client.finished()
    client.say(HANDSHAKE, whole[:-1] + bytes([whole[-1] ^ 1]))


def finished_and_more(client):
    client.say(HANDSHAKE, client.finished() + rawtls.message(rawtls.KEY_UPDATE, b"\0"))


def finished_with_data(client):
    whole = client.finished()
    sealed = client.sealed(HANDSHAKE, whole)
    client.after_finished(whole)
    client.send(sealed + client.sealed(DATA, GET))


def hello_in_records(size, at_once):
    """Cut into records of `size`, in one segment or in many."""
    def run(client):
        whole = rawtls.hello()
        client.transcript += whole
        records = [client.raw(HANDSHAKE, whole[i:i + size], 0x0301)
                   for i in range(0, len(whole), size)]
        for piece in [b"".join(records)] if at_once else records:
            client.send(piece)
        client.hear_hello()
        client.hear_flight()
        finished(client)
        get(client)
    return run


def hello_in_segments(client):
    """A byte a segment."""
    whole = rawtls.hello()
    client.transcript += whole
    for byte in client.raw(HANDSHAKE, whole, 0x0301):
        client.send(bytes([byte]))
    client.hear_hello()
    client.hear_flight()
    finished(client)
    get(client)


def data_sent_early(size):
    """With a ticket that nobody knows: what is under its key is skipped, up to a bound."""
    def run(client):
        ticket = {"ticket": bytes(60), "age_add": 0, "psk": bytes(32)}
        hello = rawtls.psk_hello(ticket, {**rawtls.extensions13(), rawtls.EARLY_DATA: b""})
        client.transcript += hello
        client.send(client.raw(HANDSHAKE, hello, 0x0301) + client.raw(CCS, b"\1") +
                    b"".join(client.raw(DATA, os.urandom(2000)) for _ in range(0, size, 2000)))
        client.hear_hello()
        client.hear_flight()
        finished(client)
        get(client)
    return run


def key_update(request):
    def run(client):
        client.say(HANDSHAKE, rawtls.message(rawtls.KEY_UPDATE, bytes([request])))
        client.tx = client.new_keys(client.tx)
    return run


RECORDS = {
    "a ClientHello in pieces, one segment each": (hello_in_records(40, False), ANSWERED),
    "a ClientHello in pieces, all in one segment": (hello_in_records(40, True), ANSWERED),
    "a ClientHello, a byte a record": (hello_in_records(1, True), ANSWERED),
    "a ClientHello, a byte a segment": (hello_in_segments, ANSWERED),
    "two ClientHellos in a record": (plainly(HANDSHAKE, rawtls.hello() * 2), UNEXPECTED_MESSAGE),
    "records of nothing, without end": (
        lambda client: client.send(client.raw(HANDSHAKE, b"") * 40), UNEXPECTED_MESSAGE),
    "a first record of data": (plainly(DATA, GET), UNEXPECTED_MESSAGE),
    "change_cipher_spec first": (plainly(CCS, b"\1"), UNEXPECTED_MESSAGE),
    "not TLS at all": (lambda client: client.send(bytes(100)), UNEXPECTED_MESSAGE),
    "TLS of another age": (plainly(HANDSHAKE, rawtls.hello(), 0x0500), PROTOCOL_VERSION),
    "a record that is too long": (plainly(HANDSHAKE, bytes(16385)), RECORD_OVERFLOW),
    "data sent early, within bounds": (data_sent_early(14000), ANSWERED),
    "data sent early, too much": (data_sent_early(40000), UNEXPECTED_MESSAGE),
}

FLIGHTS = {
    "change_cipher_spec": ([plainly(CCS, b"\1"), finished, get], ANSWERED),
    "change_cipher_spec, without end": ([plainly(CCS, b"\1")] * 40, UNEXPECTED_MESSAGE),
    "change_cipher_spec of 2": ([plainly(CCS, b"\2")], UNEXPECTED_MESSAGE),
    "change_cipher_spec of two bytes": ([plainly(CCS, b"\1\1")], UNEXPECTED_MESSAGE),
    "change_cipher_spec, sealed": ([say(CCS, b"\1")], UNEXPECTED_MESSAGE),
    "a second ClientHello": ([plainly(HANDSHAKE, rawtls.hello())], UNEXPECTED_MESSAGE),
    "data": ([get], UNEXPECTED_MESSAGE),
    "data in the clear": ([plainly(DATA, GET)], BAD_RECORD_MAC),
    "a record of no type": ([plainly(24, b"heartbeat")], UNEXPECTED_MESSAGE),
    "nothing but zeros": ([say(0, bytes(20))], UNEXPECTED_MESSAGE),
    "a message of no bytes": ([say(HANDSHAKE, b"")], UNEXPECTED_MESSAGE),
    "a certificate": ([say(HANDSHAKE, rawtls.message(11, bytes(4)))], UNEXPECTED_MESSAGE),
    "a forged Finished": ([finished_forged], DECRYPT_ERROR),
    "a short Finished": ([say(HANDSHAKE, rawtls.message(20, bytes(31)))], DECODE_ERROR),
    "a long Finished": ([say(HANDSHAKE, rawtls.message(20, bytes(33)))], DECODE_ERROR),
    "Finished, byte by byte": ([finished_byte_by_byte, get], ANSWERED),
    "Finished and the first request": ([finished_with_data], ANSWERED),
    "Finished and KeyUpdate in a record": ([finished_and_more], UNEXPECTED_MESSAGE),
    "Finished with nothing amid": ([finished_in_two(say(HANDSHAKE, b""))], UNEXPECTED_MESSAGE),
    "Finished with change_cipher_spec amid": ([finished_in_two(plainly(CCS, b"\1"))],
                                              UNEXPECTED_MESSAGE),
    "Finished with user_canceled amid": ([finished_in_two(say(ALERT, b"\1\x5a"))],
                                         UNEXPECTED_MESSAGE),
    "Finished with data amid": ([finished_in_two(get)], UNEXPECTED_MESSAGE),
    "an alert in the clear": ([plainly(ALERT, b"\2\x30")], "closed"),
    "close_notify in the clear": ([plainly(ALERT, b"\1\0")], "closed"),
    "an alert of one byte": ([say(ALERT, b"\2")], DECODE_ERROR),
    "an alert": ([say(ALERT, b"\2\x28")], "closed"),
}

def changed(**extensions):
    """A plain ClientHello but for these extensions; None: without it."""
    return rawtls.hello({**rawtls.extensions13(),
                         **{getattr(rawtls, name): body for name, body in extensions.items()}})


def with_share(key, group=rawtls.X25519, groups=(rawtls.X25519,)):
    return changed(GROUPS=rawtls.numbers(*groups),
                   KEY_SHARE=rawtls.vector(2, rawtls.share(group, key)))


def with_more(*pairs):
    return rawtls.hello([*rawtls.extensions13().items(), *pairs])


P256 = 0x17
A_POINT = bytes.fromhex("046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"
                        "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5")
A_PSK = rawtls.vector(2, rawtls.vector(2, bytes(40)) + bytes(4)) + rawtls.vector(2, rawtls.vector(1, bytes(32)))
AGREED = "a handshake"
HELLOS = {
    "a plain one": (rawtls.hello(), AGREED),
    "with a session id": (rawtls.hello(session=bytes(32)), AGREED),
    "with a session id of 33 bytes": (rawtls.hello(session=bytes(33)), DECODE_ERROR),
    "with a byte behind it": (rawtls.message(1, rawtls.hello()[4:] + b"\0"), DECODE_ERROR),
    "of nothing": (rawtls.message(1, b""), DECODE_ERROR),
    "that is a Finished": (rawtls.message(20, bytes(32)), UNEXPECTED_MESSAGE),
    "an extension twice": (with_more((rawtls.SERVER_NAME, rawtls.name())), ILLEGAL_PARAMETER),
    "an unknown extension twice": (with_more((0x7777, b""), (0x7777, b"")), ILLEGAL_PARAMETER),
    "an extension behind pre_shared_key": (with_more((rawtls.PSK, A_PSK), (0x7777, b"")),
                                           ILLEGAL_PARAMETER),
    "a thousand extensions": (with_more(*((0x8000 + i, b"") for i in range(1000))), AGREED),
    "as browsers grease it": (rawtls.hello(
        {0x1a1a: b"\0", **rawtls.extensions13(), rawtls.GROUPS: rawtls.numbers(0x2a2a, 0x11ec, 0x1d),
         rawtls.KEY_SHARE: rawtls.vector(2, rawtls.share(0x2a2a, b"\0") +
                                         rawtls.share(0x11ec, bytes(1216)) + rawtls.share())},
        suites=(0x3a3a, rawtls.CHACHA20_13)), AGREED),
    "of 12 KiB": (with_more((0x7777, bytes(12000))), AGREED),
    "that says 3.0": (rawtls.hello(version=0x0300), PROTOCOL_VERSION),
    "that says 2.0": (rawtls.hello(version=0x0200), PROTOCOL_VERSION),
    "that says 3.1": (rawtls.hello(version=0x0301), AGREED),
    "that says 3.4": (rawtls.hello(version=0x0304), AGREED),
    "of TLS 1.1": (rawtls.hello({}, version=0x0302, suites=(0xc013,)), PROTOCOL_VERSION),
    "with versions nobody knows": (changed(VERSIONS=b"\4\x7f\x1c\3\5"), PROTOCOL_VERSION),
    "with a greased version": (changed(VERSIONS=b"\4\x7a\x7a\3\4"), AGREED),
    "with no versions": (changed(VERSIONS=b"\0"), DECODE_ERROR),
    "with one and a half versions": (changed(VERSIONS=b"\3\3\4\3"), DECODE_ERROR),
    "with a byte behind the versions": (changed(VERSIONS=b"\2\3\4\0"), DECODE_ERROR),
    "compressed": (rawtls.hello(compressions=b"\1"), ILLEGAL_PARAMETER),
    "perhaps compressed": (rawtls.hello(compressions=b"\0\1"), ILLEGAL_PARAMETER),
    "with no compression methods": (rawtls.hello(compressions=b""), DECODE_ERROR),
    "with a suite of nobody's": (rawtls.hello(suites=(0x1305,)), HANDSHAKE_FAILURE),
    "without groups": (changed(GROUPS=None), MISSING_EXTENSION),
    "with no groups": (changed(GROUPS=b"\0\0"), DECODE_ERROR),
    "with half a group": (changed(GROUPS=b"\0\3\0\x1d\0"), DECODE_ERROR),
    "with a group of nobody's": (with_share(b"x", 0x9999, (0x9999,)), HANDSHAKE_FAILURE),
    "without key shares": (changed(KEY_SHARE=None), MISSING_EXTENSION),
    "with a share of no bytes": (with_share(b""), DECODE_ERROR),
    "with a share too short": (with_share(bytes(31)), ILLEGAL_PARAMETER),
    "with a share too long": (with_share(rawtls.PUBLIC + b"\0"), ILLEGAL_PARAMETER),
    "with a share of zeros": (with_share(bytes(32)), ILLEGAL_PARAMETER),
    "with a share of order 1": (with_share(b"\1" + bytes(31)), ILLEGAL_PARAMETER),
    "with a share of order 8": (with_share(bytes.fromhex(
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800")), ILLEGAL_PARAMETER),
    "with a share not named": (with_share(rawtls.PUBLIC, groups=(P256,)), ILLEGAL_PARAMETER),
    "with another share not named": (changed(KEY_SHARE=rawtls.vector(
        2, rawtls.share() + rawtls.share(P256, A_POINT))), ILLEGAL_PARAMETER),
    "with a share twice": (changed(KEY_SHARE=rawtls.vector(2, rawtls.share() * 2)), ILLEGAL_PARAMETER),
    "with half a share": (changed(KEY_SHARE=rawtls.vector(2, rawtls.share())[:-1]), DECODE_ERROR),
    "with a share off its curve": (with_share(A_POINT[:-1] + b"\0", P256, (P256,)), ILLEGAL_PARAMETER),
    "with a compressed share": (with_share(b"\3" + A_POINT[1:33], P256, (P256,)), ILLEGAL_PARAMETER),
    "without signature algorithms": (changed(SIGNATURES=None), MISSING_EXTENSION),
    "with no signature algorithms": (changed(SIGNATURES=b"\0\0"), DECODE_ERROR),
    "with SHA-1 only": (changed(SIGNATURES=rawtls.numbers(0x0201, 0x0203)), HANDSHAKE_FAILURE),
    "with PKCS #1 only": (changed(SIGNATURES=rawtls.numbers(0x0401)), HANDSHAKE_FAILURE),
    "with RSA-PSS only": (changed(SIGNATURES=rawtls.numbers(0x0804)), AGREED),
    "with an empty name": (changed(SERVER_NAME=rawtls.name("")), DECODE_ERROR),
    "with no name": (changed(SERVER_NAME=b"\0\0"), DECODE_ERROR),
    "with a name that has a NUL": (changed(SERVER_NAME=rawtls.name("node\0test")), ILLEGAL_PARAMETER),
    "with a name in UTF-8": (changed(SERVER_NAME=rawtls.name("n\u00f6de.test")), ILLEGAL_PARAMETER),
    "with a name too long": (changed(SERVER_NAME=rawtls.name("a" * 256)), UNRECOGNIZED_NAME),
    "with a name that nobody has": (changed(SERVER_NAME=rawtls.name("nobody.test")), AGREED),
    "with another's protocol": (changed(ALPN=rawtls.vector(2, b"\2h2")), NO_APPLICATION_PROTOCOL),
    "with our protocol too": (changed(ALPN=rawtls.vector(2, b"\2h2\x08http/1.1")), AGREED),
    "with no protocol": (changed(ALPN=b"\0\0"), DECODE_ERROR),
    "with an empty protocol": (changed(ALPN=rawtls.vector(2, b"\0\x08http/1.1")), DECODE_ERROR),
    "with a ticket and no modes": (changed(PSK_MODES=None, PSK=A_PSK), MISSING_EXTENSION),
    "with no modes": (changed(PSK_MODES=b"\0"), DECODE_ERROR),
    "with early data that says something": (changed(EARLY_DATA=b"\0"), DECODE_ERROR),
    "with a record size limit": (with_more((28, b"\x40\1")), AGREED),
    "with a record size limit of 63": (with_more((28, b"\0\x3f")), ILLEGAL_PARAMETER),
    "with an extended master secret of a byte": (changed(EMS=b"\0"), DECODE_ERROR),
}

CONNECTIONS = {
    "change_cipher_spec": ([plainly(CCS, b"\1")], UNEXPECTED_MESSAGE),
    "a ClientHello": ([say(HANDSHAKE, rawtls.hello())], UNEXPECTED_MESSAGE),
    "a record of no type": ([say(24, b"heartbeat")], UNEXPECTED_MESSAGE),
    "nothing but zeros": ([say(0, bytes(50))], UNEXPECTED_MESSAGE),
    "no data, some times": ([say(DATA, b"")] * 10 + [get], ANSWERED),
    "no data, padded": ([say(DATA, b"", 1000), get], ANSWERED),
    "no data, without end": ([say(DATA, b"")] * 40, UNEXPECTED_MESSAGE),
    "no message": ([say(HANDSHAKE, b"")], UNEXPECTED_MESSAGE),
    "an alert of no bytes": ([say(ALERT, b"")], DECODE_ERROR),
    "new keys": ([key_update(0), get], ANSWERED),
    "new keys, 30 times": ([key_update(0)] * 30 + [get], ANSWERED),
    "new keys, without end": ([key_update(0)] * 40, UNEXPECTED_MESSAGE),
    "KeyUpdate of 2": ([key_update(2)], ILLEGAL_PARAMETER),
    "KeyUpdate of no bytes": ([say(HANDSHAKE, rawtls.message(24, b""))], DECODE_ERROR),
    "KeyUpdate of two bytes": ([say(HANDSHAKE, rawtls.message(24, b"\0\0"))], DECODE_ERROR),
    "two KeyUpdates in a record": ([say(HANDSHAKE, rawtls.message(24, b"\0") * 2)],
                                   UNEXPECTED_MESSAGE),
    "data amid a KeyUpdate": ([say(HANDSHAKE, b"\x18\0\0"), get], UNEXPECTED_MESSAGE),
    "all the padding there can be": ([say(DATA, GET, 16384 - len(GET))], ANSWERED),
    "a byte of padding more": ([say(DATA, GET, 16385 - len(GET))], RECORD_OVERFLOW),
    "a byte of data too much": ([say(DATA, bytes(16385))], RECORD_OVERFLOW),
    "a record longer than any": ([plainly(DATA, bytes(16384 + 257))], RECORD_OVERFLOW),
    "a record too short for a tag": ([plainly(DATA, bytes(16))], BAD_RECORD_MAC),
    "a forged record, and much behind it": ([plainly(DATA, bytes(40)), plainly(23, bytes(16000))],
                                            BAD_RECORD_MAC),
    "user_canceled": ([say(ALERT, b"\1\x5a"), get], ANSWERED),
    "an alert that says it is a warning": ([say(ALERT, b"\1\x28")], "closed"),
}


class RulesScenario(sgtls.TlsScenario):
    def outcome(self, node, act):
        """What the server did: ANSWERED, an alert's number, or how it left."""
        with rawtls.Client(node.tls_port, sg.PATIENCE_S) as client:
            try:
                if act(client) == AGREED:
                    return AGREED
                while record := client.hear():
                    if record[0] == DATA and b"200 OK" in record[1]:
                        return ANSWERED
                    if record[0] == ALERT:
                        self.assertEqual(client.ending(), "closed")
                        self.assertEqual(record[1][0], 2, "a fatal one")
                        return record[1][1]
            except rawtls.Refused as refused:
                if refused.record is None or refused.record[0] != ALERT:
                    raise
                self.assertEqual(client.ending(), "closed")
                return refused.record[1][1]
        return "closed"

    def all_of(self, table, with_what=lambda how: how):
        node = self.tls_node()
        for what, (how, wanted) in table.items():
            with self.subTest(what):
                self.assertEqual(self.outcome(node, with_what(how)), wanted)
        sg.until(lambda: node.counter("connections_open") == 0, "none is left open")

    def fetch(self, client, path):
        """The answer's bytes, and the longest content of a record."""
        client.say(DATA, f"GET {path} HTTP/1.1\r\nHost: node.test\r\nConnection: close\r\n\r\n".encode())
        body, longest = b"", 0
        while (record := client.hear())[0] in (DATA, HANDSHAKE):
            body += record[1] if record[0] == DATA else b""
            longest = max(longest, len(record[1]))
        return body, longest


class Rfc8446(RulesScenario):
    def test_a_client_hello(self):
        def hear_all(client):
            client.hear_hello()
            client.hear_flight()
            return AGREED
        self.all_of(HELLOS, lambda hello: lambda client: client.say_hello(hello) or hear_all(client))

    def test_records_are_as_short_as_the_client_wants_them(self):
        node = self.tls_node()
        shapes = {"ours": {}, "OpenSSL's": {"version": 0x0302}}
        for limits, most in (({28: b"\4\0"}, 1023), ({1: b"\2"}, 1024), ({28: b"\x40\1"}, 16384),
                             ({28: b"\2\1"}, 512), ({1: b"\1", 28: b"\x10\0"}, 512)):
            for whose, shape in shapes.items():
                with self.subTest(whose, limits=limits), rawtls.Client(node.tls_port) as client:
                    heard = client.shake(rawtls.hello({**limits, **rawtls.extensions13()}, **shape))
                    agreed = rawtls.extensions_of(heard[rawtls.EXTENSIONS])
                    self.assertEqual(agreed.get(28), None if 1 in limits else b"\x40\1")
                    self.assertEqual(agreed.get(1), limits.get(1))
                    body, longest = self.fetch(client, "/some")
                    self.assertTrue(body.endswith(sgtls.SOME))
                    self.assertEqual(longest, most)
                    self.assertLessEqual(client.longest_sealed, most)

    def test_a_client_that_wants_short_records_sends_them_too(self):
        hello = rawtls.hello({1: b"\1", **rawtls.extensions13()})
        def connected(*steps):
            return lambda client: (client.shake(hello), in_turn(*steps)(client))
        self.all_of({"as long as agreed": (connected(say(DATA, GET, 512 - len(GET))), ANSWERED),
                     "a byte more": (connected(say(DATA, GET, 513 - len(GET))), RECORD_OVERFLOW)})

    def test_a_chain_takes_as_many_records_as_it_needs(self):
        for links, own in ((30, 1), (70, 0)):  # beyond 40 KiB our own server leaves it to OpenSSL
            node = self.tls_node(links)
            with self.subTest(links=links), rawtls.Client(node.tls_port) as client:
                heard = client.shake()
                self.assertGreater(len(heard[rawtls.CERTIFICATE]), links * 700)
                body, _ = self.fetch(client, "/some")
                self.assertTrue(body.endswith(sgtls.SOME))
            self.assertEqual(node.counter("handshakes_own"), own)

    def test_a_ticket_resumes(self):
        node = self.tls_node()
        tickets = []
        for retry in (False, True):
            ticket = self.ticket(node)
            tickets.append(ticket["ticket"])
            self.assertEqual(self.offer(node, ticket, retry), "resumed")
        self.assertEqual(node.counter("handshakes_resumed"), 2)
        self.assertEqual(len(set(tickets)), 2)

    def ticket(self, node):
        with rawtls.Client(node.tls_port) as client:
            client.shake()
            get(client)
            return client.hear_ticket()

    def offer(self, node, ticket, retry=False, **others):
        """What becomes of a ClientHello with the ticket: "resumed", "full", or an alert. A resumed
        connection must bring another ticket."""
        with rawtls.Client(node.tls_port) as client:
            client.resumption = ticket["psk"]
            try:
                if retry:
                    client.say_hello(rawtls.hello({**rawtls.extensions13(), rawtls.KEY_SHARE: b"\0\0"}))
                    client.hear_hello()
                    self.assertEqual(client.server_random, rawtls.RETRY)
                client.say_hello(rawtls.psk_hello(ticket, before=client.transcript, **others))
                agreed = client.hear_hello()
                heard = client.hear_flight()
            except rawtls.Refused as refused:
                return refused.record[1][1]
            client.say_finished()
            get(client)
            self.assertNotEqual(client.hear_ticket()["ticket"], ticket["ticket"])
            resumed = rawtls.PSK in agreed and rawtls.CERTIFICATE not in heard
            return "resumed" if resumed else "full"

    def test_a_ticket_that_is_no_good(self):
        node = self.tls_node()
        ticket = self.ticket(node)

        def spoilt(at):
            bytes_ = ticket["ticket"]
            return {**ticket, "ticket": bytes_[:at] + bytes([bytes_[at] ^ 1]) + bytes_[at + 1:]}
        forged = {"binder": lambda good: good[:-1] + bytes([good[-1] ^ 1])}
        for what, told, offered in (
                ("its binder", DECRYPT_ERROR, (ticket, False, forged)),
                ("its binder after a retry", DECRYPT_ERROR, (ticket, True, forged)),
                ("its name", "full", (spoilt(3), False, {})), ("its iv", "full", (spoilt(20), False, {})),
                ("its content", "full", (spoilt(50), False, {})),
                ("its mac", "full", (spoilt(len(ticket["ticket"]) - 1), False, {})),
                ("its length", "full", ({**ticket, "ticket": ticket["ticket"][:20]}, False, {}))):
            with self.subTest(what):
                offered_ticket, retry, others = offered
                self.assertEqual(self.offer(node, offered_ticket, retry, **others), told)

    def test_a_second_client_hello(self):
        def retried(second):
            def run(client):
                first = {**rawtls.extensions13(), rawtls.KEY_SHARE: b"\0\0"}
                client.say_hello(rawtls.hello(first, session=bytes(32), random=bytes(32)))
                client.hear_hello()
                self.assertEqual(client.server_random, rawtls.RETRY)
                second(client)
                client.hear_hello()
                client.hear_flight()
                finished(client)
                get(client)
            return run

        def again(suites=None, **extensions):
            hello = rawtls.hello({**rawtls.extensions13(), **{getattr(rawtls, name): body for name, body
                                                              in extensions.items()}},
                                 session=bytes(32), random=bytes(32), suites=suites)
            return lambda client: client.say_hello(hello)
        self.all_of({
            "as asked for": (again(), ANSWERED),
            "behind change_cipher_spec": (in_turn(plainly(CCS, b"\1"), again()), ANSWERED),
            "without a share": (again(KEY_SHARE=b"\0\0"), ILLEGAL_PARAMETER),
            "with another share": (again(GROUPS=rawtls.numbers(P256), KEY_SHARE=rawtls.vector(
                2, rawtls.share(P256, A_POINT))), ILLEGAL_PARAMETER),
            "with two shares": (again(GROUPS=rawtls.numbers(rawtls.X25519, P256), KEY_SHARE=rawtls.vector(
                2, rawtls.share() + rawtls.share(P256, A_POINT))), ILLEGAL_PARAMETER),
            "with another suite": (again((0x1301,)), ILLEGAL_PARAMETER),
            "of TLS 1.2": (again(VERSIONS=None, EMS=b""), PROTOCOL_VERSION),
            "with early data": (again(EARLY_DATA=b""), ILLEGAL_PARAMETER),
            "behind data": (in_turn(plainly(DATA, bytes(40)), again()), UNEXPECTED_MESSAGE),
        }, retried)

    def test_the_first_records(self):
        self.all_of(RECORDS)

    def test_what_comes_instead_of_finished(self):
        self.all_of(FLIGHTS, lambda steps: before_finished(*steps))

    def test_what_comes_over_a_connection(self):
        self.all_of(CONNECTIONS, lambda steps: connected(*steps))


if __name__ == "__main__":
    sg.main()
