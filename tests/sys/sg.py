"""sg - what a scenario needs: an origin, a node with a configuration of its own, and clients.

A scenario is a unittest.TestCase whose methods read like a story:

    class Reload(sg.Scenario):
        def test_a_reload_drops_no_connection(self):
            origin = self.origin({"/a": "hello"})
            node = self.node(origin)
            self.assertEqual(node.get("/a").body, b"hello")

Everything runs in a folder of its own, on free ports, and is stopped at the end; on failure the
node's log is printed. Only Python's own library is used. Run one file directly, or all by
`meson test --suite sys`.
"""
import contextlib
import http.client
import http.server
import json
import os
import pathlib
import random
import re
import resource
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.parse

ROOT = pathlib.Path(__file__).resolve().parents[2]
STREAMGATED = os.environ.get("SG_STREAMGATED", str(ROOT / "build/tools/streamgated"))
SGCTL = os.environ.get("SG_SGCTL", str(ROOT / "build/tools/sgctl"))
PATIENCE_S = 20  # for anything that should be quick: a loaded machine is slow, not broken
SKIPPED = 77
CORE_BYTES_MAX = 1 << 30  # a dump that goes wrong must not fill the disk


# Before a command: it ends with the test, however that ends. Not for what gives root up.
WITH_US = ["setpriv", "--pdeathsig", "KILL"]


def free_port():
    """Below those that the kernel gives to whoever asks for any: nobody is given it by chance before
    it is used."""
    while True:
        port = random.SystemRandom().randrange(20000, 32000)
        with socket.socket() as s:
            with contextlib.suppress(OSError):
                s.bind(("127.0.0.1", port))
                return port


def until(question, what, patience_s=PATIENCE_S):
    """Polls `question` until it is true, and returns what it said; fails loudly otherwise."""
    end = time.monotonic() + patience_s
    while time.monotonic() < end:
        answer = question()
        if answer:
            return answer
        time.sleep(0.02)
    raise AssertionError(f"not within {patience_s} s: {what}")


class Answer:
    """A response, read whole."""

    def __init__(self, response):
        self.status = response.status
        self.fields = {name.lower(): value for name, value in response.getheaders()}
        self.body = response.read()
        self.text = self.body.decode("utf-8", "replace")

    def json(self):
        return json.loads(self.body)


def private_numbers(key):
    """What is private in a key's file, as bytes in both orders: OpenSSL's numbers lie with the
    lowest word first."""
    text = subprocess.run(["openssl", "pkey", "-in", key, "-noout", "-text"], check=True,
                          capture_output=True, text=True).stdout
    numbers = re.findall(r"^(?:priv|privateExponent|prime1|prime2):\n((?: +[0-9a-f:]+\n)+)", text,
                         re.M)
    assert numbers, text
    whole = [bytes.fromhex(re.sub(r"[\s:]", "", n)).lstrip(b"\0") for n in numbers]
    return whole + [number[::-1] for number in whole]


class Origin:
    """An origin in this process. `content` maps a path to bytes, str, or a function that takes the
    request handler and answers by itself. `hits` counts requests by path."""

    def __init__(self, content):
        self.content = dict(content)
        self.hits = {}
        self.requests = []  # (method, path, fields)
        origin = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                origin.answer(self)

            do_HEAD = do_POST = do_PUT = do_DELETE = do_OPTIONS = do_BREW = do_GET

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 512

            def handle_error(self, *_):
                pass  # a node that goes away in mid-answer is no news

        self.server = Server(("127.0.0.1", 0), Handler)
        self.port = self.server.server_port
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def answer(self, handler):
        path = handler.path
        self.hits[path] = self.hits.get(path, 0) + 1
        self.requests.append((handler.command, path, dict(handler.headers)))
        content = self.content.get(path, self.content.get(path.split("?")[0]))
        if callable(content):
            content(handler)
        elif content is None:
            reply(handler, 404, b"no\n")
        else:
            reply(handler, 200, content)

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


def reply(handler, status, body, fields=None):
    """An ordinary answer of an origin: a length, and a minute of freshness unless `fields` say."""
    body = body.encode() if isinstance(body, str) else body
    handler.send_response(status)
    fields = {"Cache-Control": "max-age=60", **(fields or {})}
    for name, value in fields.items():
        if value is not None:
            handler.send_header(name, value)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    if handler.command != "HEAD":
        handler.wfile.write(body)


class Nginx:
    """An nginx that serves `folder`."""

    def __init__(self, folder):
        program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
        if program is None:
            raise unittest.SkipTest("no nginx on this machine")
        self.folder = pathlib.Path(folder)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        work = pathlib.Path(tempfile.mkdtemp(prefix="sg-nginx-"))
        temps = "".join(f"{kind}_temp_path {work}/{kind};" for kind in
                        ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        user = "user root;" if os.geteuid() == 0 else ""
        (work / "nginx.conf").write_text(
            f"{user} daemon off; worker_processes 1; pid {work}/pid; error_log {work}/error.log;"
            f"events {{}} http {{ access_log off; {temps} add_header Cache-Control max-age=60;"
            f"server {{ listen 127.0.0.1:{self.port}; root {self.folder}; }} }}")
        self.work = work
        self.process = subprocess.Popen([*WITH_US, program, "-c", str(work / "nginx.conf"), "-e",
                                         str(work / "error.log")], stderr=subprocess.DEVNULL)
        until(self.answers, "nginx answers")

    def answers(self):
        with contextlib.suppress(OSError):
            with socket.create_connection(("127.0.0.1", self.port), 1):
                return True
        return False

    def stop(self):
        self.process.terminate()
        self.process.wait(PATIENCE_S)
        shutil.rmtree(self.work, ignore_errors=True)


class Node:
    """A streamgated with its configuration, folders and log in `folder`."""

    def __init__(self, folder, config):
        self.folder = pathlib.Path(folder)
        self.file = self.folder / "streamgate.yaml"
        self.log = self.folder / "node.log"
        self.port = free_port()
        self.tls_port = free_port()
        self.admin_port = free_port()
        self.socket = str(self.folder / "run/admin.sock")
        self.process = None
        self.configure(config)

    def configure(self, config):
        """Writes the file; {port}, {tls_port}, {admin_port} and {folder} are filled in."""
        for name in ("port", "tls_port", "admin_port", "folder"):
            config = config.replace("{" + name + "}", str(getattr(self, name)))
        self.file.write_text(config)

    def start(self, *options, before=(), wait=True):
        """`before`: words in front of the command, such as "setpriv ..."."""
        with open(self.log, "a", encoding="utf-8") as log:
            self.process = subprocess.Popen(
                [*WITH_US, *before, STREAMGATED, "--config", str(self.file), *options], stdout=log,
                stderr=log)
        if wait:
            until(self.ready, "the node is ready")
        return self

    def ready(self):
        if self.process.poll() is not None:
            raise AssertionError(f"the node ended with {self.process.returncode}:\n" + self.said())
        with contextlib.suppress(OSError, http.client.HTTPException):
            return self.command("/readyz").status == 200
        return False

    def said(self):
        return self.log.read_text(encoding="utf-8", errors="replace") if self.log.exists() else ""

    # ---- as a viewer ----

    def connect(self, tls=False, timeout_s=PATIENCE_S):
        if not tls:
            return http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout_s)
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return http.client.HTTPSConnection("127.0.0.1", self.tls_port, timeout=timeout_s,
                                           context=context)

    def get(self, path, fields=None, method="GET", tls=False, host=None):
        connection = self.connect(tls)
        fields = dict(fields or {})
        if host is not None:
            fields["Host"] = host
        try:
            connection.request(method, path, headers=fields)
            return Answer(connection.getresponse())
        finally:
            connection.close()

    # ---- as an operator ----

    def command(self, path, method="GET", **params):
        """A request on the admin socket."""
        query = urllib.parse.urlencode({k: v for k, v in params.items() if v is not None})
        connection = http.client.HTTPConnection("node", timeout=PATIENCE_S)
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.settimeout(PATIENCE_S)
        try:
            connection.sock.connect(self.socket)
            connection.request(method, path + ("?" + query if query else ""))
            return Answer(connection.getresponse())
        finally:
            connection.close()

    def status(self):
        return self.command("/v1/status").json()

    def counter(self, name):
        return self.status()["counters"][name]

    def sgctl(self, *words, check=True):
        done = subprocess.run([SGCTL, "--config", str(self.file), *words], capture_output=True,
                              text=True, timeout=PATIENCE_S, check=False)
        if check and done.returncode:
            raise AssertionError(f"sgctl {words}: {done.returncode}: {done.stdout}{done.stderr}")
        return done

    def signal(self, number):
        self.process.send_signal(number)

    def core(self):
        """A core dump of it, as it runs."""
        gcore, program = shutil.which("gcore"), pathlib.Path(STREAMGATED).read_bytes()
        if gcore is None:
            raise unittest.SkipTest("no gcore on this machine")
        if any(name in program for name in (b"__asan_init", b"__tsan_init")):
            raise unittest.SkipTest("a sanitizer's shadow memory would be dumped, terabytes of it")
        # private memory, which is where a key could be: not the gigabytes that are mapped
        pathlib.Path(f"/proc/{self.process.pid}/coredump_filter").write_text("0x1")
        limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (CORE_BYTES_MAX, CORE_BYTES_MAX))
        done = subprocess.run([gcore, "-o", str(self.folder / "core"), str(self.process.pid)],
                              capture_output=True, text=True, check=False, preexec_fn=limit)
        cores = list(self.folder.glob("core.*"))
        if not cores:
            raise unittest.SkipTest(f"gcore may not: {done.stderr[-200:]}")
        core = cores[0].read_bytes()
        cores[0].unlink()
        assert b"127.0.0.1" in core  # it is a dump, of this node
        return core

    def kill(self):
        """As if the machine had lost power, but for what the kernel holds."""
        self.process.kill()
        self.process.wait(PATIENCE_S)

    def stop(self):
        """Drains, and returns the exit status."""
        if self.process is None or self.process.poll() is not None:
            return self.process and self.process.returncode
        self.process.terminate()
        try:
            return self.process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGABRT)  # its core tells where it stood
            self.process.wait()
            raise


CONFIG = """
node: {name: edge1, workers: 2, state_dir: {folder}/state, run_dir: {folder}/run, drain_s: 5}
listeners: [{address: "127.0.0.1:{port}"}]
admin: {address: "127.0.0.1:{admin_port}"}
cache: {ram_bytes: 64MiB}
tenants: [{name: films}]
origins: [{name: studio, urls: [{url: "{origin}"}]}]
sites: [{name: films, tenant: films, hosts: ["*"], origin: studio, access: public}]
"""


class Scenario(unittest.TestCase):
    """Starts things and stops them again, in reverse."""

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="sg-sys-"))
        self.nodes = []
        self.addCleanup(self.clean)

    def clean(self):
        failed = self.unlucky()
        for node in self.nodes:
            if failed:
                print(f"---- {node.log} ----\n{node.said()}", file=sys.stderr)
            with contextlib.suppress(Exception):
                node.stop()
        undefined = [line for node in self.nodes for line in node.said().splitlines()
                     if "runtime error:" in line]  # UBSan goes on after it told
        shutil.rmtree(self.folder, ignore_errors=True)
        self.assertEqual(undefined, [])

    def unlucky(self):
        outcome = getattr(self, "_outcome", None)
        result = getattr(outcome, "result", None)
        told = getattr(result, "failures", []) + getattr(result, "errors", [])
        return any(test is self for test, _ in told) or bool(sys.exc_info()[0])

    def origin(self, content):
        origin = Origin(content)
        self.addCleanup(origin.stop)
        return origin

    def nginx(self, folder):
        nginx = Nginx(folder)
        self.addCleanup(nginx.stop)
        return nginx

    def node(self, origin=None, config=CONFIG, start=True, name="node"):
        """A node in front of `origin`; {origin} in `config` becomes its URL."""
        folder = self.folder / name
        folder.mkdir()
        node = Node(folder, config.replace("{origin}", origin.url if origin else "http://127.0.0.1:9"))
        self.nodes.append(node)
        return node.start() if start else node

    def certificate(self, name="localhost", kind="ec"):
        """A self-signed one; returns the two files."""
        cert, key = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        curve = ["-pkeyopt", "ec_paramgen_curve:P-256"] if kind == "ec" else []
        subprocess.run(["openssl", "req", "-x509", "-newkey", kind, *curve, "-nodes", "-days", "30", "-subj", f"/CN={name}",
                        "-addext", f"subjectAltName=DNS:{name}", "-keyout", key, "-out", cert],
                       check=True, capture_output=True)
        return cert, key


def main():
    """Runs the file's scenarios; skipped as a whole where the kernel has no io_uring."""
    if not os.access(STREAMGATED, os.X_OK):
        print(f"{STREAMGATED} is not there: build first, or set SG_STREAMGATED")
        sys.exit(SKIPPED)
    with contextlib.suppress(OSError):
        off = pathlib.Path("/proc/sys/kernel/io_uring_disabled").read_text().strip()
        if off == "2" or (off == "1" and os.geteuid() != 0):
            print("io_uring is switched off on this machine")
            sys.exit(SKIPPED)
    unittest.main(verbosity=2, warnings="ignore")
