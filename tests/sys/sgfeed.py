"""sgfeed - what scenarios of the ownership feed need beside sg: a real nats-server, a node that feeds
edges, and entries put into the stream as the publisher would."""
import contextlib
import hashlib
import json
import shutil
import socket
import struct
import subprocess
import unittest

import sg

CONFIG = """
node: {name: {name}, region: eu, workers: 1, pin_workers: false, state_dir: {folder}/state,
       run_dir: {folder}/run}
listeners: [{address: "127.0.0.1:{port}"}]
bus: {url: "{nats}"}
cache: {ram_bytes: 32MiB}
tenants: [{name: films, secret_file: "{secret}", stale_limit_s: 8}]
origins: [{name: studio, urls: [{url: "{origin}"}]}]
sites:
  - {name: gated, tenant: films, hosts: ["*"], path: /, origin: studio, access: token}
"""
SECRET = "0123456789abcdef0123456789abcdef\n"


class Nats:
    """A nats-server with JetStream, and a connection that says things to it."""

    def __init__(self, folder, config=None):
        self.config = config  # lines of the server's own
        self.program = shutil.which("nats-server", path="/usr/sbin:/usr/bin:/usr/local/bin")
        if self.program is None:
            raise unittest.SkipTest("no nats-server on this machine")
        self.folder, self.port, self.socket = folder, sg.free_port(), None
        self.url = f"nats://127.0.0.1:{self.port}"
        self.process = None

    def start(self, asks=True):
        """`asks`: whether it lets anybody in, us too."""
        self.process = subprocess.Popen(
            [*sg.WITH_US, self.program, "-a", "127.0.0.1", "-p", str(self.port), "-js", "-sd",
             str(self.folder / "nats"), "-l", str(self.folder / "nats.log"), *self.words()])
        sg.until(self.answers if asks else self.listens, "nats-server answers")
        return self

    def listens(self):
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", self.port), 5).close()
            return True
        return False

    def words(self):
        if self.config is None:
            return []
        (self.folder / "nats.conf").write_text(self.config)
        return ["-c", str(self.folder / "nats.conf")]

    def answers(self):
        with contextlib.suppress(OSError):
            self.socket = socket.create_connection(("127.0.0.1", self.port), 5)
            self.socket.makefile("rb").readline()
            self.socket.sendall(b'CONNECT {"verbose":false}\r\nPING\r\n')
            return b"PONG" in self.socket.recv(64)
        return False

    def publish(self, subject, payload):
        self.socket.sendall(f"PUB {subject} {len(payload)}\r\n".encode() + payload + b"\r\n")

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(sg.PATIENCE_S)


def account(name):
    return hashlib.sha256(name.encode()).digest()


def entry(fact, owner):
    """One entry of the stream: `owner` has `fact`, a key such as 0x0123456789abcdef, from now on,
    at head and at safe."""
    key, check = int(fact, 16), 1
    head = account(owner)
    change = struct.pack("<QQBBBIIQQ", key, check, 1, 1, 0, 0, 0, 1, 0)
    return struct.pack("<BHH", 1, 1, 0) + change + head + head + head + bytes(32)


class Scenario(sg.Scenario):
    def world(self, edges, content):
        """nats-server, a control node, and `edges` edges that are fed."""
        (self.folder / "secret").write_text(SECRET)
        self.nats = Nats(self.folder).start()
        self.addCleanup(self.nats.stop)
        self.studio = self.origin(content)
        self.control = self.member("control", "--role", "control")
        self.edges = [self.member(f"edge{i}", "--role", "edge") for i in range(edges)]
        for edge in self.edges:
            sg.until(lambda e=edge: self.feed(e)["phase"] == "following", "the edge follows")

    def member(self, name, *options, start=True):
        config = CONFIG.replace("{name}", name).replace("{nats}", self.nats.url)
        config = config.replace("{secret}", str(self.folder / "secret"))
        node = self.node(self.studio, config, start=False, name=name)
        return node.start(*options) if start else node

    def feed(self, node):
        return node.command("/v1/feed").json()

    def transfer(self, fact, owner):
        self.nats.publish("streamgate.eu.own", entry(fact, owner))

    def owned(self, fact, owner, nodes):
        """Transfers, and waits until the nodes know it and are young."""
        before = max(self.feed(n)["seq"] for n in nodes)
        self.transfer(fact, owner)
        for node in nodes:
            sg.until(lambda n=node: self.feed(n)["seq"] > before, "the entry is applied")
            sg.until(lambda n=node: "fed_at" in self.feed(n), "the node is young")

    def mint(self, node, *words):
        return node.sgctl("token", "mint", "--path", "/", *words).stdout.strip()

    def status(self, node, token, path="/seg"):
        return node.get(path, {"CTA-Common-Access-Token": token}).status

    def said(self, done):
        return json.loads(done.stdout)


