"""The servers that the bench compares: each started on one core, from its file in peers/."""
import os
import pathlib
import shutil
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tools" / "demo"))
from processes import Child, Failed  # noqa: E402

OBJECTS = {"1k": 1 << 10, "64k": 64 << 10, "1m": 1 << 20, "4m": 4 << 20}
PATH = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"

# name: (program, file in peers/, its arguments). The first is also the origin of the caches.
PEERS = {
    "nginx-sendfile": ("nginx", "nginx-sendfile.conf", "-c @FILE@ -e @DIR@/@NAME@.err"),
    "nginx-buffers": ("nginx", "nginx-buffers.conf", "-c @FILE@ -e @DIR@/@NAME@.err"),
    "nginx-cache": ("nginx", "nginx-cache.conf", "-c @FILE@ -e @DIR@/@NAME@.err"),
    "h2o": ("h2o", "h2o.conf", "-c @FILE@"),
    "haproxy": ("haproxy", "haproxy.cfg", "-db -f @FILE@"),
    "varnish": ("varnishd", "varnish.vcl",
                "-F -j none -n @DIR@/varnish -a 127.0.0.1:@PLAIN@ -T none -f @FILE@ "
                "-s malloc,512m -p thread_pools=1 -p thread_pool_min=100 "
                "-p thread_pool_max=400 -p timeout_idle=300"),
    "trafficserver": ("traffic_server", "trafficserver/runroot.yaml", "--run-root=@FILE@"),
}
WITHOUT_TLS = {"varnish"}
NODE = "streamgate"


class Server:
    """One running server: its base URLs by case and the process whose family is measured."""

    def __init__(self, name, child, plain, tls):
        self.name, self.child = name, child
        self.ports = {"plain": plain}
        if name not in WITHOUT_TLS:
            self.ports["tls"] = tls


class Servers:
    """All of them, in a directory of their own on tmpfs."""

    def __init__(self, directory, first_port, core):
        self.dir, self.core = pathlib.Path(directory), core
        self.port = first_port
        self.origin_port = None
        self.running = []
        self.token = None
        self.make_objects()

    def make_objects(self):
        www = self.dir / "www"
        www.mkdir()
        for name, size in OBJECTS.items():
            (www / f"{name}.bin").write_bytes(os.urandom(size))
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
             "-nodes", "-days", "2", "-subj", "/CN=localhost", "-keyout", self.dir / "key.pem",
             "-out", self.dir / "cert.pem"], check=True, capture_output=True)
        both = (self.dir / "cert.pem").read_bytes() + (self.dir / "key.pem").read_bytes()
        (self.dir / "both.pem").write_bytes(both)
        (self.dir / "region-secret").write_text(os.urandom(32).hex() + "\n", encoding="ascii")
        for path in [self.dir, *self.dir.rglob("*")]:
            path.chmod(0o755 if path.is_dir() else 0o644)

    def filled(self, text, **more):
        for key, value in {"DIR": self.dir, "ORIGIN": self.origin_port, **more}.items():
            text = text.replace(f"@{key}@", str(value))
        return text

    def place(self, source, target, **more):
        target.write_text(self.filled(source.read_text(encoding="utf-8"), **more),
                          encoding="utf-8")

    def start(self, name, program, source, arguments):
        """Starts one, or tells why not; nothing is half-started afterwards."""
        plain, tls = self.port, self.port + 1
        self.port += 2
        self.origin_port = self.origin_port or plain
        words = {"NAME": name, "PLAIN": plain, "TLS": tls}
        target = self.dir / f"{name}{source.suffix}"
        self.place(source, target, **words)
        if name == "trafficserver":
            self.prepare_trafficserver(source.parent, **words)
        command = ["taskset", "-c", str(self.core), program,
                   *self.filled(arguments, FILE=target, **words).split()]
        child = Child(name, command, self.dir / f"{name}.log", plain, seconds=20)
        server = Server(name, child, plain, tls)
        self.running.append(server)
        return server

    def prepare_trafficserver(self, source, **words):
        etc = self.dir / "trafficserver-etc"
        for directory in (etc, self.dir / "trafficserver-store", *(
                self.dir / "trafficserver" / d for d in ("cache", "var", "run", "log"))):
            directory.mkdir(parents=True)
        for file in source.iterdir():
            self.place(file, etc / file.name, **words)
        for path in self.dir.glob("trafficserver*"):
            subprocess.run(["chown", "-R", "trafficserver", path], check=True)

    def start_peers(self, wanted):
        for name, (program, source, arguments) in PEERS.items():
            found = shutil.which(program, path=PATH)
            if name not in wanted and self.origin_port is not None:
                continue
            if found is None:
                print(f"note: {name} is not installed: tools/packages/install bench")
                continue
            try:
                self.start(name, found, HERE / "peers" / source, arguments)
            except Failed as why:
                print(f"note: {name} is left out: {why}")

    def start_node(self, binaries):
        for name in ("streamgate-state", "streamgate-run"):
            (self.dir / name).mkdir()
        server = self.start(NODE, f"{binaries}/streamgated", HERE / "peers" / "streamgate.yaml",
                            "--config @FILE@")
        self.token = subprocess.run(
            [f"{binaries}/sgctl", "--config", self.dir / "streamgate.yaml", "token", "mint",
             "--tenant", "bench", "--path", "/gated/", "--lifetime", "3600"],
            capture_output=True, text=True, check=True).stdout.strip()
        return server

    def warm(self):
        """Every object once through every server, so that the caches hold them."""
        for server in list(self.running):
            for name in OBJECTS:
                url = f"http://127.0.0.1:{server.ports['plain']}/{name}.bin"
                done = subprocess.run(["curl", "-s", "-f", "-m", "10", "-o", os.devnull, url],
                                      check=False)
                if done.returncode:
                    print(f"note: {server.name} is left out: it does not serve {name}.bin")
                    self.running.remove(server)
                    server.child.stop()
                    break
        time.sleep(0.2)

    def stop(self):
        for server in reversed(self.running):
            server.child.stop()
