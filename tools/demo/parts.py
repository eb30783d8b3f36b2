"""The parts of a demonstration: an origin (nginx), a node (streamgated) and the page's back end.

Used by tools/up, and by the tests that need the same things.
"""
import http.server
import json
import os
import pathlib
import pwd
import shutil
import stat
import subprocess
import tempfile
import threading
from urllib.parse import parse_qs, urlsplit

from processes import Child, Failed

SOCKET_PATH_MAX = 107

ORIGIN_CONF = """\
daemon off;
worker_processes 1;
pid "{run}/origin.pid";
error_log "{run}/origin.log";
{user}
events {{ }}
http {{
  access_log off;
  sendfile on;
  types {{
    text/html html;
    text/css css;
    text/javascript js mjs;
    application/vnd.apple.mpegurl m3u8;
    application/dash+xml mpd;
    video/mp4 mp4;
    video/iso.segment m4s;
  }}
  client_body_temp_path "{run}/nginx-body";
  proxy_temp_path "{run}/nginx-proxy";
  fastcgi_temp_path "{run}/nginx-fastcgi";
  uwsgi_temp_path "{run}/nginx-uwsgi";
  scgi_temp_path "{run}/nginx-scgi";
  server {{
    listen 127.0.0.1:{port};
    location /show/ {{
      alias "{media}/";
      add_header Cache-Control "public, max-age=3600";
    }}
    location /player/ {{
      alias "{page}/";
      index index.html;
      add_header Cache-Control "public, max-age=5";
    }}
    location /player/proofs/ {{
      alias "{run}/proofs/";
      add_header Cache-Control "no-cache";
    }}
    location ~ ^/player/(token|revoke|transfer|buy)$ {{
      proxy_pass http://127.0.0.1:{back_end};
    }}
  }}
}}
"""

SOLANA = "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp"  # the main network
NODE_CONF = """\
# Made by tools/up: a node with one tenant. /player/ is open to all; /show/ needs a token.
node:
  name: demo
  workers: 1
{user}  state_dir: "{run}/state"
  run_dir: "{run}/node"
listeners:
  - address: 127.0.0.1:{tls_port}
    tls:
      certificates:
        - cert_file: "{run}/cert.pem"
          key_file: "{run}/key.pem"
  - address: 127.0.0.1:{plain_port}
cache:
  ram_bytes: 256MiB
tenants:
  - name: demo
    secret_file: "{run}/region-secret"
    token_lifetime_s: {lifetime}
    clock_skew_s: 0
# Smart wallets and multisigs: their chain is asked, and the answer is signed with this key.
gate:
  countersign_key: "{run}/countersign.pem"
  countersigners:
    - key_file: "{run}/countersign.pub"
{chains}rules:
  - name: film
    tenant: demo
    require: {require}
origins:
  - name: origin
    urls:
      - url: http://127.0.0.1:{origin_port}
sites:
  - name: page
    tenant: demo
    hosts: ["*"]
    path: /player/
    origin: origin
    access: public
    methods: [POST]
  - name: show
    tenant: demo
    hosts: ["*"]
    path: /show/
    origin: origin
    access: token
{sign_in}"""


class Origin:
    """nginx on loopback: the stream, the player page, and the way to the back end."""

    def __init__(self, run, port, media, page, back_end_port):
        nginx = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin")
        if nginx is None:
            raise Failed("nginx is missing: tools/packages/install run")
        user = "user root;" if os.geteuid() == 0 else ""
        conf = pathlib.Path(run, "origin.conf")
        conf.write_text(ORIGIN_CONF.format(run=run, port=port, media=media, page=page, user=user,
                                           back_end=back_end_port), encoding="utf-8")
        self.child = Child("nginx (the origin)",
                           [nginx, "-c", str(conf), "-e", f"{run}/origin.log"],
                           f"{run}/origin.out", port)
        self.stop = self.child.stop


def node_user():
    """Whom the node becomes where root starts it; None: it stays who we are."""
    for name in ("streamgate-demo", "nobody") if os.geteuid() == 0 else ():
        try:
            return pwd.getpwnam(name)
        except KeyError:
            pass
    return None


def others_reach(folder):
    """Whether each folder on the way there lets others through (not so below root's home)."""
    path = pathlib.Path(folder).resolve()
    return all(place.stat().st_mode & stat.S_IXOTH for place in path.parents)


class Place:
    """Where the node has its file, keys and state: `run`, or where its user cannot reach that, or it
    is too long for the name of a socket, a folder of its own."""

    def __init__(self, run):
        self.user, self.run = node_user(), run
        self.elsewhere = (len(os.fsencode(f"{run}/node/admin.sock")) > SOCKET_PATH_MAX
                          or (self.user is not None and not others_reach(run)))
        if self.elsewhere:
            self.run = tempfile.mkdtemp(prefix="streamgate-demo-", dir="/var/tmp")

    def give_away(self):
        """All in it becomes the user's; the origin's and the logs too, where it is `run` itself."""
        if self.user is None:
            return
        for folder, _, files in os.walk(self.run):
            for path in (folder, *(f"{folder}/{name}" for name in files)):
                os.chown(path, self.user.pw_uid, self.user.pw_gid)

    def stop(self):
        if self.elsewhere:
            shutil.rmtree(self.run, ignore_errors=True)


def openssl(*words):
    subprocess.run(["openssl", *words], check=True, capture_output=True)


def chains_conf(urls):
    """`urls`: by the chain's name."""
    conf = "".join(f'  - id: {name}\n    servers: [{{url: "{url}"}}]\n    poll_ms: 100\n'
                   for name, url in urls.items() if url)
    return f"chains:\n{conf}" if conf else ""


def sign_in_conf(anyone, plain_url):
    """Of the gated site: who may sign in, and where players find proofs of their place in a list."""
    who = "sign_in: any" if anyone else "rule: film"
    return f"    {who}\n    list_proofs_url: {plain_url}/player/proofs/\n"


class Node:
    """streamgated, with a certificate and a region secret made on the spot."""

    def __init__(self, args, place, tls_port, plain_port, origin_port, market):
        self.run, self.binaries, self.lifetime_s = place.run, args.binaries, args.lifetime
        self.market = market
        run, binaries = self.run, self.binaries
        self.plain_url = f"http://127.0.0.1:{plain_port}"
        self.tls_url = f"https://localhost:{tls_port}"
        self.conf = f"{run}/node.yaml"
        os.makedirs(f"{run}/node", exist_ok=True)
        os.makedirs(f"{run}/state", exist_ok=True)
        self.make_keys()
        pathlib.Path(self.conf).write_text(
            NODE_CONF.format(run=run, tls_port=tls_port, plain_port=plain_port,
                             origin_port=origin_port, lifetime=self.lifetime_s,
                             require=market.require,
                             chains=chains_conf({"eip155:31337": market.chain_url,
                                                 SOLANA: args.solana}),
                             user=f"  user: {place.user.pw_name}\n" if place.user else "",
                             sign_in=sign_in_conf(args.anyone, self.plain_url)),
            encoding="utf-8")
        market.open(self)
        place.give_away()
        self.child = Child("streamgated", [f"{binaries}/streamgated", "--config", self.conf],
                           f"{args.run}/node.log", plain_port)
        # What the followers of a chain say, where there is none: that all is known up to now.
        self.feed = None
        if not market.chain_url:
            self.feed = subprocess.Popen(self.sgctl_command("own", "feed", "--every", "5"),
                                         stdin=subprocess.DEVNULL, start_new_session=True)

    def stop(self):
        if self.feed:
            self.feed.terminate()
            self.feed.wait()
        self.child.stop()

    def make_keys(self):
        secret = pathlib.Path(self.run, "region-secret")
        if not secret.exists():
            secret.write_text(os.urandom(32).hex() + "\n", encoding="ascii")
            secret.chmod(0o600)
        if not os.path.exists(f"{self.run}/cert.pem"):
            openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                    "-nodes", "-days", "30", "-subj", "/CN=localhost",
                    "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
                    "-keyout", f"{self.run}/key.pem", "-out", f"{self.run}/cert.pem")
        key = pathlib.Path(self.run, "countersign.pem")
        if not key.exists():
            openssl("genpkey", "-algorithm", "ed25519", "-out", str(key))
            openssl("pkey", "-in", str(key), "-pubout", "-out", f"{self.run}/countersign.pub")
            key.chmod(0o600)

    def sgctl_command(self, *arguments):
        return [f"{self.binaries}/sgctl", "--config", self.conf, *arguments]

    def sgctl(self, *arguments):
        done = subprocess.run(self.sgctl_command(*arguments), capture_output=True, text=True,
                              timeout=10, check=False)
        if done.returncode:
            raise Failed(f"sgctl {' '.join(arguments)}: {(done.stderr or done.stdout).strip()}")
        return done.stdout.strip()

    def mint(self):
        """A token without a wallet; one that names the NFT is refused once that is another's."""
        return self.sgctl("token", "mint", "--tenant", "demo", "--path", "/show/", "--lifetime",
                          str(self.lifetime_s), *self.market.mint_options())

    def revoke(self, token):
        self.sgctl("token", "revoke", token)


class BackEnd:
    """What the page asks for: a token where no wallet signs in, its revocation, a purchase and a
    sale. A stand-in for a market."""

    def __init__(self, port, node):
        self.node, self.revoked = node, set()  # of viewers
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", port), self.handler())
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def handler(self):
        back_end = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def answer(self, status, kind, text):
                body = text.encode()
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.send_header("Cache-Control", "no-store")
                self.end_headers()
                self.wfile.write(body)

            def do_GET(self):
                viewer = parse_qs(urlsplit(self.path).query).get("viewer", [""])[0]
                try:
                    self.answer(200, "application/json", json.dumps(back_end.token(viewer)))
                except Failed as why:
                    self.answer(403, "text/plain", str(why))

            def do_POST(self):
                length = int(self.headers.get("Content-Length", 0))
                try:
                    asked = json.loads(self.rfile.read(length))
                    done = back_end.act(self.path, asked["viewer"], asked["token"],
                                        asked.get("account"))
                    self.answer(200, "text/plain", done)
                except (Failed, ValueError, KeyError) as why:
                    self.answer(400, "text/plain", str(why))

            def log_message(self, *_):
                pass
        return Handler

    def token(self, viewer):
        if viewer in self.revoked:
            raise Failed("this viewer's token was revoked")
        return {"token": self.node.mint(), "lifetime_s": self.node.lifetime_s}

    def act(self, path, viewer, token, account):
        if path.endswith("/revoke"):
            self.node.revoke(token)
            self.revoked.add(viewer)
            return "the token is revoked"
        if path.endswith("/buy"):
            self.node.market.give(account)
            return f"the NFT is {account}'s now"
        if path.endswith("/transfer"):
            self.node.market.sell(account)
            return "the NFT is another's now"
        raise Failed(f"no such action: {path}")

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
