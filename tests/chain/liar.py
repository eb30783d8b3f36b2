#!/usr/bin/env python3
"""A shim of our own in front of a real anvil, that lies, lags, drops, answers garbage or 429.

    liar.py URL [KEY CERTIFICATE]    prints its port, then serves until its standard input ends

How it treats a request stands in the path: http://127.0.0.1:PORT/hash. The path /now does what was
last asked for with a GET of /set/MODE.
"""
import gzip
import http.server
import json
import socket
import ssl
import sys
import threading
import time
import urllib.request

LAG = 40
current = "honest"


def ask(url, body):
    request = urllib.request.Request(url, json.dumps(body).encode(),
                                     {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def changed(text):
    """The same hex with its last digit another."""
    return text[:-1] + ("1" if text[-1] == "0" else "0")


def lie_hash(call, answer):
    if isinstance(answer["result"], dict) and "hash" in answer["result"]:
        answer["result"]["hash"] = changed(answer["result"]["hash"])


def lie_root(call, answer):
    if isinstance(answer["result"], dict) and "stateRoot" in answer["result"]:
        answer["result"]["stateRoot"] = changed(answer["result"]["stateRoot"])


def lie_omit(call, answer):
    if call["method"] == "eth_getLogs":
        answer["result"] = answer["result"][1:]


def lie_twice(call, answer):
    if call["method"] == "eth_getLogs":
        answer["result"] += answer["result"][-1:]


def lie_foreign(call, answer):
    if call["method"] == "eth_getLogs":
        for log in answer["result"][:1]:
            log["address"] = changed(log["address"])


def lie_owner(call, answer):
    if call["method"] == "eth_getLogs":
        for log in answer["result"]:
            if len(log["topics"]) == 4:
                log["topics"][2] = changed(log["topics"][2])


def lie_amount(call, answer):
    if call["method"] == "eth_getLogs":
        for log in answer["result"]:
            if len(log["data"]) == 2 + 128:
                log["data"] = log["data"][:-1] + "f"


def lie_call(call, answer):
    if call["method"] == "eth_call":
        answer["result"] = changed(answer["result"])


def lie_proof(call, answer):
    if call["method"] == "eth_getProof":
        nodes = answer["result"]["storageProof"][0]["proof"]
        nodes[-1] = changed(nodes[-1])


def lie_id(call, answer):
    answer["id"] = call["id"] + 1


def lie_form(call, answer):
    answer["result"] = {"number": []}


def lie_error(call, answer):
    del answer["result"]
    answer["error"] = {"code": -32000, "message": "no"}


def lie_limit(call, answer):
    if call["method"] == "eth_getLogs":
        del answer["result"]
        answer["error"] = {"code": -32005, "message": "limit exceeded"}


def lie_too_many(call, answer):
    if call["method"] == "eth_getLogs":
        del answer["result"]
        answer["error"] = {"code": -32005, "message": "query returned more than 10000 results"}


LIES = {name[4:]: lie for name, lie in globals().items() if name.startswith("lie_")}


class Liar(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 65536  # head and body in one segment: no waiting for an acknowledgement

    def log_message(self, *_):
        pass

    def answer(self, body, status=200, **fields):
        self.send_response(status)
        if self.path == "/folded":
            self._headers_buffer.insert(1, b" x: a folded line with none before it\r\n")
        for name, value in fields.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        global current
        current = self.path.rsplit("/", 1)[1]
        self.answer(b"")

    def do_POST(self):
        call = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if isinstance(call, list):  # the last one first
            self.answer(json.dumps([ask(sys.argv[1], one) for one in reversed(call)]).encode())
            return
        mode = self.path[1:] if self.path != "/now" else current
        if mode == "field" and self.headers["x-key"] != "7":
            self.answer(b"who are you?", 401)
            return
        plain = {"garbage": b"<html>502</html>", "empty": b"", "cut": b'{"jsonrpc":"2.0","id":',
                 "deep": b"[" * 100000 + b"]" * 100000, "array": b"[]", "null": b"null"}
        if mode in plain:
            self.answer(plain[mode])
        elif mode == "limited":
            self.answer(b"slow down", 429, retry_after="1")
        elif mode == "broken":
            self.answer(b"oops", 502)
        elif mode == "pruned":
            self.answer(json.dumps({"jsonrpc": "2.0", "id": call["id"], "result": None}).encode())
        elif mode == "badgzip":
            self.answer(b"\x1f\x8b\x08 no gzip", content_encoding="gzip")
        elif mode == "bomb":
            self.answer(gzip.compress(b" " * (64 << 20), 1), content_encoding="gzip")
        elif mode == "unavailable":
            self.answer(b"later", 503, retry_after="1")
        elif mode == "drop":
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
        elif mode == "half":
            self.wfile.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n{")
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True
        elif mode == "trickle":
            try:
                for byte in b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n" + b" " * 1000:
                    self.wfile.write(bytes([byte]))
                    self.wfile.flush()
                    time.sleep(0.02)
            except OSError:
                self.close_connection = True
        elif mode == "slow":
            time.sleep(3)
            self.forward(call, mode)
        elif mode == "endless":
            self.wfile.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000000\r\n\r\n")
            try:
                while True:
                    self.wfile.write(b" " * 65536)
            except OSError:
                self.close_connection = True
        else:
            self.forward(call, mode)

    def forward(self, call, mode):
        if mode == "lag" and call["method"] == "eth_getBlockByNumber":
            head = int(ask(sys.argv[1], {**call, "method": "eth_blockNumber", "params": []})
                       ["result"], 16)
            asked = call["params"][0]
            number = head - LAG if not asked.startswith("0x") else int(asked, 16)
            call["params"][0] = hex(number if number <= head - LAG else 1 << 60)
        answer = ask(sys.argv[1], call)
        if mode in LIES and "result" in answer:
            LIES[mode](call, answer)
        body = json.dumps(answer).encode()
        if mode == "gzip" and "gzip" in self.headers.get("accept-encoding", ""):
            self.answer(gzip.compress(body), content_encoding="gzip")
        else:
            self.answer(body)


def main():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Liar)
    server.daemon_threads = True
    if len(sys.argv) > 2:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(sys.argv[3], sys.argv[2])
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.server_port, flush=True)
    sys.stdin.read()


main()
