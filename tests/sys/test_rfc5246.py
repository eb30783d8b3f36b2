#!/usr/bin/env python3
"""What RFC 5246 (TLS 1.2) and those that mend it have a server do: RFC 5746 (renegotiation), 6066
(names, fragments), 7507 (fallback), 7627 (extended master secret). The client is rawtls.py."""
import rawtls
import sg
import sgtls
import test_rfc8446
from rawtls import ALERT, CCS, DATA, HANDSHAKE
from test_rfc8446 import (AGREED, ANSWERED, BAD_RECORD_MAC, DECODE_ERROR, GET, HANDSHAKE_FAILURE,
                          ILLEGAL_PARAMETER, PROTOCOL_VERSION, RECORD_OVERFLOW, UNEXPECTED_MESSAGE, get,
                          plainly, say)

INAPPROPRIATE_FALLBACK, NO_RENEGOTIATION = 86, 100
FALLBACK_SCSV, RENEGOTIATION_SCSV = 0x5600, 0xff
P256 = 0x17


def hello(suites=(rawtls.CHACHA20_12_ECDSA, rawtls.CHACHA20_12_RSA), **extensions):
    others = {name: extensions.pop(name) for name in ("version", "session", "compressions")
              if name in extensions}
    return rawtls.hello({**rawtls.extensions12(), rawtls.GROUPS: rawtls.numbers(rawtls.X25519, P256),
                         **{getattr(rawtls, name): body for name, body in extensions.items()}},
                        suites=suites, **others)


HELLOS = {
    "a plain one": (hello(), AGREED),
    "with the old signal of RFC 5746": (hello((rawtls.CHACHA20_12_ECDSA, RENEGOTIATION_SCSV),
                                              RENEGOTIATION=None), AGREED),
    "with a renegotiation's extension": (hello(RENEGOTIATION=b"\1\1"), HANDSHAKE_FAILURE),
    "without the extended master secret": (hello(EMS=None), AGREED),
    "with an extended master secret of a byte": (hello(EMS=b"\0"), DECODE_ERROR),
    "fallen back": (hello((rawtls.CHACHA20_12_ECDSA, FALLBACK_SCSV)), INAPPROPRIATE_FALLBACK),
    "with RSA key exchange": (hello((0x9c, 0x2f, 0x35)), HANDSHAKE_FAILURE),
    "with CBC": (hello((0xc009, 0xc013, 0xc023, 0xc027)), HANDSHAKE_FAILURE),
    "with finite fields": (hello((0x9e, 0xccaa)), HANDSHAKE_FAILURE),
    "compressed": (hello(compressions=b"\1"), ILLEGAL_PARAMETER),
    "perhaps compressed": (hello(compressions=b"\1\0"), AGREED),
    "of TLS 1.1": (hello(version=0x0302), PROTOCOL_VERSION),
    "of a version to come": (hello(version=0x0304), AGREED),
    "with SHA-1 only": (hello(SIGNATURES=rawtls.numbers(0x0203, 0x0201)), HANDSHAKE_FAILURE),
    "with compressed points only": (rawtls.hello({**rawtls.extensions12(), 11: b"\1\1"}),
                                    ILLEGAL_PARAMETER),
    "with a ticket of nobody's": (hello(SESSION_TICKET=bytes(200)), AGREED),
}
CONNECTIONS = {
    "a request": ([get], ANSWERED),
    "change_cipher_spec": ([say(CCS, b"\1")], UNEXPECTED_MESSAGE),
    "a record of no type": ([say(24, b"heartbeat")], UNEXPECTED_MESSAGE),
    "a message of no bytes": ([say(HANDSHAKE, b"")], UNEXPECTED_MESSAGE),
    "HelloRequest": ([say(HANDSHAKE, rawtls.message(0, b""))], UNEXPECTED_MESSAGE),
    "Finished": ([say(HANDSHAKE, rawtls.message(20, bytes(12)))], UNEXPECTED_MESSAGE),
    "no data, some times": ([say(DATA, b"")] * 10 + [get], ANSWERED),
    "no data, without end": ([say(DATA, b"")] * 40, UNEXPECTED_MESSAGE),
    "warnings": ([say(ALERT, b"\1\x5a")] * 3 + [get], ANSWERED),
    "warnings, without end": ([say(ALERT, b"\1\x5a")] * 40, UNEXPECTED_MESSAGE),
    "an alert": ([say(ALERT, b"\2\x28")], "closed"),
    "an alert of one byte": ([say(ALERT, b"\2")], DECODE_ERROR),
    "a byte of data too much": ([say(DATA, bytes(16385))], RECORD_OVERFLOW),
    "a forged record": ([plainly(DATA, bytes(100))], BAD_RECORD_MAC),
    "a record too short for a tag": ([plainly(DATA, bytes(10))], BAD_RECORD_MAC),
    "a record of TLS 1.0": ([plainly(DATA, bytes(100), 0x0301)], PROTOCOL_VERSION),
}
BEHIND_FINISHED = {
    "HelloRequest": rawtls.message(0, b""),
    "a message of no type": rawtls.message(99, b"x"),
    "Finished again": rawtls.message(20, bytes(12)),
}


class Rfc5246(test_rfc8446.RulesScenario):
    def test_a_client_hello(self):
        self.all_of(HELLOS, lambda hello_: lambda client: client.shake12(hello_) and AGREED)

    def test_what_comes_over_a_connection(self):
        def connected(steps):
            return lambda client: (client.shake12(hello()), [step(client) for step in steps])
        self.all_of(CONNECTIONS, connected)

    def test_what_comes_behind_finished_in_its_record(self):
        self.all_of({what: (more, UNEXPECTED_MESSAGE) for what, more in BEHIND_FINISHED.items()},
                    lambda more: lambda client: client.shake12(hello(), more))

    def test_it_says_that_it_could_have_spoken_a_newer_version(self):
        with rawtls.Client(self.tls_node().tls_port) as client:
            client.shake12(hello())
            self.assertEqual(client.server_random[-8:], b"DOWNGRD\1")

    def test_renegotiation_ends_with_a_warning_and_in_order(self):
        node = self.tls_node()
        for again in (hello(), hello(RENEGOTIATION=None)):
            with rawtls.Client(node.tls_port) as client:
                client.shake12(hello())
                client.say(HANDSHAKE, again)
                self.assertEqual([client.hear(), client.hear(), client.hear()],
                                 [(ALERT, bytes([1, NO_RENEGOTIATION])), (ALERT, b"\1\0"), None])

    def test_without_the_extended_master_secret_nothing_is_resumed(self):
        node = self.tls_node()
        with rawtls.Client(node.tls_port) as client:
            heard = client.shake12(hello(EMS=None, SESSION_TICKET=b""))
            self.assertEqual(heard[rawtls.TICKET], bytes(6), "a ticket of no bytes")
            get(client)
            self.assertIn(b"200 OK", client.hear()[1])
        with rawtls.Client(node.tls_port) as client:
            ticket = client.shake12(hello(SESSION_TICKET=b""))[rawtls.TICKET][6:]
        again = hello(EMS=None, SESSION_TICKET=ticket, session=bytes(32))
        self.assertEqual(self.outcome(node, lambda client: client.shake12(again)), HANDSHAKE_FAILURE)

    def test_records_are_as_short_as_the_client_wants_them(self):
        node = self.tls_node()
        for limits, most in (((1, b"\2"), 1024), ((28, b"\4\0"), 1024)):
            extensions = {**rawtls.extensions12(), limits[0]: limits[1]}
            with rawtls.Client(node.tls_port) as client:
                heard = client.shake12(rawtls.hello(extensions, suites=(rawtls.CHACHA20_12_RSA,)))
                self.assertEqual(heard[rawtls.EXTENSIONS][limits[0]],
                                 b"\2" if limits[0] == 1 else b"\x40\0")
                body, longest = self.fetch(client, "/some")
                self.assertTrue(body.endswith(sgtls.SOME))
                self.assertEqual(longest, most)

    def resumes(self, node, before, now):
        """Whether a session made for one name is resumed for another (None: no name)."""
        with rawtls.Client(node.tls_port) as client:
            heard = client.shake12(hello(SERVER_NAME=before and rawtls.name(before), SESSION_TICKET=b""))
            ticket = heard[rawtls.TICKET][6:]
        with rawtls.Client(node.tls_port) as client:
            client.say_hello(hello(SERVER_NAME=now and rawtls.name(now), SESSION_TICKET=ticket,
                                   session=bytes(32)))
            client.hear_hello()
            record = client.hear()
        return record[0] == CCS or record[1][0] == rawtls.TICKET

    def test_a_session_is_resumed_for_its_name_only(self):
        node = self.tls_node()
        for before, now, wanted in (("node.test", "node.test", True), ("node.test", "NODE.test", True),
                                    (None, None, True), ("node.test", "other.test", False),
                                    ("node.test", "nobody.test", False), ("node.test", None, False),
                                    (None, "node.test", False)):
            with self.subTest(before=before, now=now):
                self.assertEqual(self.resumes(node, before, now), wanted)


if __name__ == "__main__":
    sg.main()
