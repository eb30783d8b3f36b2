#!/usr/bin/env python3
"""HTTP/1.1 on the wire: what is answered, what is refused, and that a refused request is never two."""
import re
import socket
import threading
import time
import unittest

import sg

HOST = b"Host: a.example\r\n"
GET = b"GET /a HTTP/1.1\r\n" + HOST
EVIL = b"GET /evil HTTP/1.1\r\n" + HOST + b"\r\n"


class Wire:
    """A connection that sends bytes as they are given."""

    def __init__(self, node):
        self.socket = socket.create_connection(("127.0.0.1", node.port), sg.PATIENCE_S)
        self.got = b""

    def send(self, data, step=None):
        for at in range(0, len(data), step or len(data) or 1):
            try:
                self.socket.sendall(data[at:at + (step or len(data))])
            except (BrokenPipeError, ConnectionResetError):
                return self  # it was refused before it was whole
        return self

    def end(self):
        self.socket.shutdown(socket.SHUT_WR)
        return self

    def read_until(self, what):
        """True once `what` came (then all up to it is taken), False at the connection's end."""
        while what not in self.got:
            data = self.socket.recv(65536)
            if not data:
                return False
            self.got += data
        self.got = self.got.split(what, 1)[1]
        return True

    def read_all(self):
        """What comes until the connection ends, and whether it ended in order."""
        try:
            while data := self.socket.recv(65536):
                self.got += data
        except ConnectionResetError:
            return self.got, False
        return self.got, True


def statuses(data):
    return [int(code) for code in re.findall(rb"HTTP/1\.1 (\d{3}) ", data)]


# What was, somewhere, read as one request by one server and as two by the next. All are refused, and
# what follows them on the connection is not a request.
SMUGGLED = {
    "length and chunked": (400, b"Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    "chunked and length": (400, b"Transfer-Encoding: chunked\r\nContent-Length: 6\r\n\r\n0\r\n\r\n"),
    "two lengths": (400, b"Content-Length: 0\r\nContent-Length: 40\r\n\r\n"),
    "two equal lengths": (400, b"Content-Length: 0\r\nContent-Length: 0\r\n\r\n"),
    "a list of lengths": (400, b"Content-Length: 0, 40\r\n\r\n"),
    "a signed length": (400, b"Content-Length: +0\r\n\r\n"),
    "a hexadecimal length": (400, b"Content-Length: 0x10\r\n\r\n"),
    "a length behind a blank": (400, b"Content-Length : 40\r\n\r\n"),
    "a length in a folded line": (400, b"X: a\r\n Content-Length: 40\r\n\r\n"),
    "a length behind a bare LF": (400, b"X: a\nContent-Length: 40\r\n\r\n"),
    "a length behind a bare CR": (400, b"X: a\rContent-Length: 40\r\n\r\n"),
    "a length behind NUL": (400, b"X: a\0Content-Length: 40\r\n\r\n"),
    "chunked twice": (400, b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n"),
    "chunked, then identity": (400, b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n"),
    "identity": (400, b"Transfer-Encoding: identity\r\n\r\n"),
    "xchunked": (400, b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"),
    "chunked in quotes": (400, b'Transfer-Encoding: "chunked"\r\n\r\n0\r\n\r\n'),
    "chunked behind a blank": (400, b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n"),
    "chunked behind a vertical tab": (400, b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n"),
    "chunked in a folded line": (400, b"Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n"),
    "another coding": (501, b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
    "a chunk size with 0x": (400, b"Transfer-Encoding: chunked\r\n\r\n0x0\r\n\r\n"),
    "a chunk size with a sign": (400, b"Transfer-Encoding: chunked\r\n\r\n+0\r\n\r\n"),
    "a chunk size with a blank": (400, b"Transfer-Encoding: chunked\r\n\r\n0 \r\n\r\n"),
    "a chunk size that overflows": (
        400, b"Transfer-Encoding: chunked\r\n\r\n10000000000000000\r\n\r\n"),
    "a chunk that ends in LF": (400, b"Transfer-Encoding: chunked\r\n\r\n1\r\na\n0\r\n\r\n"),
    "a chunk that is longer": (400, b"Transfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n"),
    "a chunk extension with LF": (400, b"Transfer-Encoding: chunked\r\n\r\n0;a\n\r\n\r\n"),
    "a trailer without a colon": (400, b"Transfer-Encoding: chunked\r\n\r\n0\r\nX\r\n\r\n"),
    "two hosts": (400, b"Host: b.example\r\n\r\n"),
    "a field without a name": (400, b": a\r\n\r\n"),
    "an expectation": (417, b"Expect: 200-ok\r\n\r\n"),
}

REFUSED = {
    "HTTP/2's preface": (505, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    "HTTP/0.9": (400, b"GET /a\r\n\r\n"),
    "HTTP/3.0": (505, b"GET /a HTTP/3.0\r\n" + HOST + b"\r\n"),
    "a version in lower case": (400, b"GET /a http/1.1\r\n" + HOST + b"\r\n"),
    "two blanks": (400, b"GET  /a HTTP/1.1\r\n" + HOST + b"\r\n"),
    "bare LF": (400, b"GET /a HTTP/1.1\nHost: a\n\n"),
    "no host": (400, b"GET /a HTTP/1.1\r\n\r\n"),
    "an empty host": (400, b"GET /a HTTP/1.1\r\nHost:\r\n\r\n"),
    "a host with a path": (400, b"GET /a HTTP/1.1\r\nHost: a/b\r\n\r\n"),
    "another host than the target's": (400, b"GET http://b/a HTTP/1.1\r\n" + HOST + b"\r\n"),
    "another scheme": (421, b"GET https://a.example/a HTTP/1.1\r\n" + HOST + b"\r\n"),
    "a fragment": (400, b"GET /a#b HTTP/1.1\r\n" + HOST + b"\r\n"),
    "CONNECT": (501, b"CONNECT a.example:443 HTTP/1.1\r\n" + HOST + b"\r\n"),
    "GET *": (400, b"GET * HTTP/1.1\r\n" + HOST + b"\r\n"),
    "an unknown method": (501, b"BREW /a HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n"),
    "a method in lower case": (501, b"get /a HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n"),
    "a method without end": (501, b"A" * 40 + b" /a HTTP/1.1\r\n" + HOST + b"\r\n"),
    "a target without end": (414, b"GET /" + b"a" * 70000),
    "a head without end": (431, GET + b"X: " + b"a" * 70000),
    "fields without end": (431, GET + b"X: y\r\n" * 2000),
    "TLS on a plain port": (400, bytes.fromhex("16030100a50100")),
    "a path above the root": (400, b"GET /../a HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n"),
    "an escaped slash": (400, b"GET /a%2fb HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n"),
    "an escaped NUL": (400, b"GET /a%00 HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n"),
}

CONFIG = sg.CONFIG.replace(
    "access: public", "access: public, methods: [POST, PUT, DELETE]").replace(
        "cache:", "limits: {header_timeout_ms: 700, keepalive_timeout_ms: 3000, body_bytes: 1MiB}\n"
        "cache:")


def echo(handler):
    """Answers with the body it got, however that was framed."""
    if handler.headers.get("Transfer-Encoding", "").lower() == "chunked":
        body = b""
        while size := int(handler.rfile.readline().split(b";")[0], 16):
            body += handler.rfile.read(size)
            handler.rfile.readline()
        handler.rfile.readline()
    else:
        body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
    sg.reply(handler, 200, body, {"Cache-Control": "no-store"})


def unsized(handler):
    handler.send_response(200)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    for part in (b"one", b"two", b"three"):
        handler.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
        handler.wfile.flush()
        time.sleep(0.05)
    handler.wfile.write(b"0\r\n\r\n")


def cut(handler):
    """Says 1000 bytes and gives half of them."""
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b"x" * 500)
    handler.wfile.flush()
    handler.close_connection = True


class Http(sg.Scenario):
    def setUp(self):
        super().setUp()
        self.studio = self.origin({"/a": "hello", "/b": "again", "/echo": echo, "/unsized": unsized,
                                   "/cut": cut, "/evil": "evil"})
        self.edge = self.node(self.studio, CONFIG)

    def test_what_could_be_two_requests_is_none(self):
        for name, (status, fields) in SMUGGLED.items():
            for step in (None, 1):
                with self.subTest(name, step=step):
                    wire = Wire(self.edge).send(b"POST /echo HTTP/1.1\r\n" + HOST + fields + EVIL, step)
                    told, _ = wire.read_all()
                    self.assertEqual(statuses(told), [status])
        self.assertNotIn("/evil", self.studio.hits)

    def test_each_refusal_has_its_status_says_why_and_ends_the_connection(self):
        for name, (status, request) in REFUSED.items():
            with self.subTest(name):
                told, in_order = Wire(self.edge).send(request).read_all()
                self.assertEqual(statuses(told), [status])
                self.assertTrue(in_order, "the answer could be lost to a reset")
                head, body = told.split(b"\r\n\r\n", 1)
                self.assertIn(b"content-type: text/plain", head)
                self.assertIn(b"connection: close", head)
                self.assertGreater(len(body), 20)

    def test_a_pipeline_is_answered_in_order(self):
        requests = (GET + b"\r\n" + b"GET /b HTTP/1.1\r\n" + HOST + b"\r\n" + b"\r\n" + GET + b"\r\n" +
                    b"GET /none HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n" + EVIL)
        for step in (None, 1, 7):
            told, in_order = Wire(self.edge).send(requests, step).read_all()
            self.assertEqual(statuses(told), [200, 200, 200, 404])
            self.assertTrue(in_order)
            self.assertLess(told.index(b"hello"), told.index(b"again"))

    def test_bodies_reach_the_origin_as_they_were_sent(self):
        body = bytes(range(256)) * 1000
        sized = b"Content-Length: %d\r\n\r\n" % len(body) + body
        chunks = b"Transfer-Encoding: chunked\r\n\r\n"
        for at in range(0, len(body), 7777):
            part = body[at:at + 7777]
            chunks += b"%X;x=y\r\n%s\r\n" % (len(part), part)
        chunks += b"0\r\nTrailer: dropped\r\n\r\n"
        for framing in (sized, chunks):
            for method in (b"POST", b"PUT"):
                wire = Wire(self.edge).send(method + b" /echo HTTP/1.1\r\n" + HOST +
                                            b"Connection: close\r\n" + framing)
                told, in_order = wire.read_all()
                self.assertEqual((statuses(told), in_order), ([200], True))
                self.assertEqual(told.split(b"\r\n\r\n", 1)[1], body)

    def test_a_body_may_not_be_larger_than_allowed(self):
        for framing in (b"Content-Length: 1048577\r\n\r\n",
                        b"Transfer-Encoding: chunked\r\n\r\n100001\r\n"):
            told, _ = Wire(self.edge).send(b"POST /echo HTTP/1.1\r\n" + HOST + framing).read_all()
            self.assertEqual(statuses(told), [413])

    def test_continue_comes_before_the_body_or_a_refusal_instead(self):
        wire = Wire(self.edge).send(b"POST /echo HTTP/1.1\r\n" + HOST + b"Content-Length: 4\r\n"
                                    b"Expect: 100-continue\r\nConnection: close\r\n\r\n")
        self.assertTrue(wire.read_until(b"HTTP/1.1 100 Continue\r\n\r\n"))
        told, _ = wire.send(b"abcd").read_all()
        self.assertEqual(statuses(told), [200])
        self.assertTrue(told.endswith(b"abcd"))
        told, _ = Wire(self.edge).send(b"PATCH /a HTTP/1.1\r\n" + HOST + b"Content-Length: 4\r\n"
                                       b"Expect: 100-continue\r\n\r\n").read_all()
        self.assertEqual(statuses(told), [405])

    def test_an_answer_of_unknown_length_is_framed_as_the_version_allows(self):
        told, _ = Wire(self.edge).send(b"GET /unsized HTTP/1.1\r\n" + HOST +
                                       b"Connection: close\r\n\r\n").read_all()
        self.assertIn(b"transfer-encoding: chunked\r\n", told)
        self.assertTrue(told.endswith(b"\r\n0\r\n\r\n"))
        told, in_order = Wire(self.edge).send(b"GET /unsized?2 HTTP/1.0\r\n\r\n").read_all()
        self.assertNotIn(b"transfer-encoding", told)
        self.assertTrue(told.endswith(b"\r\n\r\nonetwothree") and in_order)

    def test_early_hints_are_passed_on_to_all_who_wait(self):
        hint, go = threading.Event(), threading.Event()

        def hinting(handler):
            hint.wait(10)
            handler.wfile.write(b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n"
                                b"Connection: x-hop\r\nX-Hop: 1\r\n\r\n"
                                b"HTTP/1.1 102 Processing\r\n\r\n")
            go.wait(10)
            sg.reply(handler, 200, b"hello")
        self.studio.content["/hinted"] = hinting
        ask = b"GET /hinted HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n"
        before = self.edge.counter("requests")
        wires = [Wire(self.edge).send(ask) for _ in range(6)]
        old = Wire(self.edge).send(b"GET /hinted HTTP/1.0\r\nHost: a\r\n\r\n")
        sg.until(lambda: self.edge.counter("requests") >= before + 7, "all wait")
        time.sleep(0.1)
        hint.set()
        for wire in wires:
            self.assertTrue(wire.read_until(b"rel=preload\r\n"))
        go.set()
        for wire in wires:
            told, in_order = wire.read_all()
            self.assertEqual(statuses(told), [200])
            self.assertTrue(told.endswith(b"hello") and in_order)
            self.assertNotIn(b"x-hop", told.lower())
        told, _ = old.read_all()
        self.assertEqual(statuses(told), [200])
        again, _ = Wire(self.edge).send(ask).read_all()
        self.assertEqual(statuses(again), [200])  # it is no part of what is stored

    def test_a_cut_answer_never_looks_whole(self):
        told, in_order = Wire(self.edge).send(b"GET /cut HTTP/1.1\r\n" + HOST + b"\r\n").read_all()
        head, _, body = told.partition(b"\r\n\r\n")
        self.assertTrue(statuses(told) != [200] or not in_order or
                        len(body) < int(re.search(rb"content-length: (\d+)", head)[1]))
        self.assertEqual(self.edge.get("/a").status, 200)

    def test_a_viewer_may_stop_sending_and_still_be_answered(self):
        told, in_order = Wire(self.edge).send(GET + b"\r\n").end().read_all()
        self.assertEqual((statuses(told), in_order), ([200], True))
        told, _ = Wire(self.edge).send(GET[:-5]).end().read_all()
        self.assertEqual(told, b"")

    def test_a_slow_head_is_not_waited_for(self):
        wire = Wire(self.edge).send(b"GET /a HT")
        begin = time.monotonic()
        told, _ = wire.read_all()
        self.assertEqual(statuses(told), [408])
        self.assertLess(time.monotonic() - begin, 5)

        wire, stop = Wire(self.edge), threading.Event()

        def drip():
            while not stop.wait(0.1):
                wire.send(b"X: y\r\n")

        wire.send(GET)
        thread = threading.Thread(target=drip)
        thread.start()
        told, _ = wire.read_all()
        stop.set()
        thread.join()
        self.assertEqual(statuses(told), [408])

    def test_a_connection_may_rest_between_requests_but_not_for_ever(self):
        wire = Wire(self.edge).send(GET + b"\r\n")
        self.assertTrue(wire.read_until(b"hello"))
        time.sleep(1.2)  # longer than a head may take
        wire.send(GET + b"\r\n")
        self.assertTrue(wire.read_until(b"hello"))
        told, in_order = wire.read_all()
        self.assertEqual((told, in_order), (b"", True))

    def test_old_viewers_are_served(self):
        told, in_order = Wire(self.edge).send(b"GET /a HTTP/1.0\r\n\r\n").read_all()
        self.assertEqual((statuses(told), in_order), ([200], True))
        wire = Wire(self.edge).send(b"GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        self.assertTrue(wire.read_until(b"connection: keep-alive\r\n"))
        self.assertTrue(wire.read_until(b"hello"))
        wire.send(GET + b"\r\n")
        self.assertTrue(wire.read_until(b"hello"))

    def test_absolute_targets_and_options(self):
        told, _ = Wire(self.edge).send(b"GET HTTP://A.example:80/a HTTP/1.1\r\n" + HOST +
                                       b"Connection: close\r\n\r\n").read_all()
        self.assertTrue(told.endswith(b"hello"))
        told, _ = Wire(self.edge).send(b"OPTIONS * HTTP/1.1\r\n" + HOST +
                                       b"Connection: close\r\n\r\n").read_all()
        self.assertEqual(statuses(told), [204])
        self.assertNotIn(b"content-length", told)


if __name__ == "__main__":
    sg.main()
