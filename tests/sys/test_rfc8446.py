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
 DECRYPT_ERROR, PROTOCOL_VERSION) = 10, 20, 22, 40, 47, 50, 51, 70


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


class Rfc8446(sgtls.TlsScenario):
    def outcome(self, node, act):
        """What the server did: ANSWERED, an alert's number, or how it left."""
        with rawtls.Client(node.tls_port, sg.PATIENCE_S) as client:
            try:
                act(client)
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

    def test_the_first_records(self):
        self.all_of(RECORDS)

    def test_what_comes_instead_of_finished(self):
        self.all_of(FLIGHTS, lambda steps: before_finished(*steps))

    def test_what_comes_over_a_connection(self):
        self.all_of(CONNECTIONS, lambda steps: connected(*steps))


if __name__ == "__main__":
    sg.main()
