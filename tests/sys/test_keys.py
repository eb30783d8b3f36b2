#!/usr/bin/env python3
"""Keys and secrets: sealed at rest, a tenant's own, another region's, and none in a core dump."""
import base64
import hashlib
import hmac
import json
import os
import pathlib
import re
import socket
import ssl
import subprocess
import time

import natsjwt
import sg
import sgfeed

CONFIG = """
node: {name: edge1, region: {region}, workers: 1, state_dir: {folder}/state, run_dir: {folder}/run,
       {seal}}
listeners:
  - {address: "127.0.0.1:{port}"}
  - address: "127.0.0.1:{tls_port}"
    tls: {certificates: [{cert_file: "{cert}", key_file: "{key}"}]}
cache: {ram_bytes: 16MiB}
limits: {connections: 64}
tenants: [{name: films, secret_file: "{secret}"{regions}}]
origins: [{name: studio, urls: [{url: "{origin}"}]}]
sites: [{name: gated, tenant: films, hosts: ["*"], origin: studio, access: token}]
"""
SECRET = b"the-regions-secret-that-nobody-may-ever-see-0123456789"


def hkdf(secret, info):
    key = hmac.new(bytes(32), secret, hashlib.sha256).digest()
    return hmac.new(key, info + b"\1", hashlib.sha256).digest()


def knows_localhost():
    """A chroot may have no /etc/hosts; and a certificate's name is what nats.c compares."""
    try:
        return socket.gethostbyname("localhost") == "127.0.0.1"
    except OSError:
        return False


class Keys(sg.Scenario):
    def made(self, region="eu", seal="", regions="", name="node"):
        """A node that is not started, with a secret and a TLS key in the clear."""
        if not hasattr(self, "studio"):
            self.studio = self.origin({"/seg": "segment"})
            self.cert, self.key = self.certificate()
        secret = self.folder / f"secret-{region}"
        if not secret.exists():
            secret.write_bytes(SECRET + region.encode() + b"\n")
        config = CONFIG.replace("{region}", region).replace("{seal}", seal)
        config = config.replace("{regions}", regions).replace("{secret}", str(secret))
        config = config.replace("{cert}", str(self.cert)).replace("{key}", str(self.key))
        node = self.node(self.studio, config, start=False, name=name)
        node.secret = secret
        return node

    def mint(self, node):
        return node.sgctl("token", "mint", "--path", "/").stdout.strip()

    def get(self, node, token, **more):
        return node.get("/seg", {"CTA-Common-Access-Token": token}, **more).status

    def test_a_sealed_secret_and_a_sealed_tls_key_serve_as_well(self):
        seal = self.folder / "sealing"
        seal.write_bytes(os.urandom(16).hex().encode() + b"\n")
        node = self.made(seal=f'seal_key: "file:{seal}"')
        for file in (node.secret, self.key):
            before = file.read_bytes()
            node.sgctl("key", "seal", str(file))
            self.assertTrue(file.read_bytes().startswith(b"streamgate-sealed-1:"))
            done = subprocess.run([sg.SGCTL, "--config", str(node.file), "key", "unseal",
                                   str(file)], capture_output=True, check=True)
            self.assertEqual(done.stdout, before)
            self.assertIn("already", node.sgctl("key", "seal", str(file), check=False).stderr)
        node.start()
        token = self.mint(node)
        self.assertEqual((self.get(node, token), self.get(node, token, tls=True)), (200, 200))
        node.stop()
        seal.write_bytes(os.urandom(16).hex().encode())
        checked = subprocess.run([sg.STREAMGATED, "--check", "--config", str(node.file)],
                                 capture_output=True, text=True, check=False)
        self.assertEqual(checked.returncode, 1)
        self.assertIn("sealed under another key", checked.stderr)

    def test_sealed_ticket_keys_are_shared_as_those_in_the_clear(self):
        seal, tickets = self.folder / "sealing", self.folder / "tickets"
        seal.write_bytes(os.urandom(32))
        tickets.write_bytes(os.urandom(160))
        one, other = (self.made(seal=f'seal_key: "file:{seal}"', name=name)
                      for name in ("one", "other"))
        for node in (one, other):
            node.file.write_text(node.file.read_text().replace(
                f'key_file: "{self.key}"}}]', f'key_file: "{self.key}"}}], ticket_key_file: "{tickets}"'))
        one.sgctl("key", "seal", str(tickets))
        self.assertTrue(tickets.read_bytes().startswith(b"streamgate-sealed-1:"))
        one.start()
        other.start()
        session = self.folder / "session"

        def shake(node, *words):
            done = subprocess.run(
                ["openssl", "s_client", "-connect", f"127.0.0.1:{node.tls_port}", "-ign_eof",
                 *words], input=b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
                capture_output=True, check=False, timeout=sg.PATIENCE_S)
            return done.stdout
        self.assertIn(b"New, TLS", shake(one, "-sess_out", str(session)))
        self.assertIn(b"Reused, TLS", shake(other, "-sess_in", str(session)))
        one.stop()
        seal.write_bytes(os.urandom(32))
        checked = subprocess.run([sg.STREAMGATED, "--check", "--config", str(one.file)],
                                 capture_output=True, text=True, check=False)
        self.assertEqual(checked.returncode, 1)
        self.assertIn("ticket keys: sealed under another key", checked.stderr)

    def test_a_made_secret_is_sealed_and_is_nobody_elses_to_read(self):
        seal = self.folder / "sealing"
        seal.write_bytes(b"x" * 32)
        node = self.made(seal=f'seal_key: "file:{seal}"')
        new = self.folder / "new"
        node.sgctl("key", "generate", str(new))
        self.assertEqual(new.stat().st_mode & 0o777, 0o600)
        self.assertEqual(len(node.sgctl("key", "unseal", str(new)).stdout), 65)
        self.assertEqual(node.sgctl("key", "generate", str(new), check=False).returncode, 1)

    def test_a_tenants_back_end_gets_its_own_key_and_no_more(self):
        node = self.made()
        told = json.loads(node.sgctl("--json", "key", "tenant", "--tenant", "films").stdout)
        self.assertEqual(told["key"], hkdf(SECRET + b"eu", b"streamgate/tenant/films").hex())
        self.assertNotIn(SECRET.decode(), json.dumps(told))

    def test_tokens_of_a_region_that_failed_are_taken_where_its_secret_is(self):
        there = self.made("us", name="there")
        alone = self.made("eu", name="alone").start()
        regions = f', regions: [{{name: us, secret_file: "{there.secret}"}}]'
        ready = self.made("eu", regions=regions, name="ready").start()
        theirs, ours = self.mint(there), self.mint(alone)
        self.assertEqual([self.get(alone, t) for t in (theirs, ours)], [401, 200])
        self.assertEqual([self.get(ready, t) for t in (theirs, ours)], [200, 200])
        cut = theirs[:-2] + ("AA" if theirs[-2:] != "AA" else "BB")
        self.assertEqual(self.get(ready, cut), 401)

    def test_no_key_of_a_certificate_is_in_a_core_dump(self):
        node = self.made()
        rsa, ed = (self.certificate(name, kind) for name, kind in
                   (("rsa", "rsa:2048"), ("ed", "ed25519")))
        pairs = "".join(f', {{cert_file: "{cert}", key_file: "{key}"}}' for cert, key in (rsa, ed))
        node.file.write_text(node.file.read_text().replace(
            f'key_file: "{self.key}"}}', f'key_file: "{self.key}"}}{pairs}'))
        node.start()
        for name, sigalg in (("localhost", "ECDSA+SHA256"), ("rsa", "RSA-PSS+SHA256"),
                             ("ed", "ed25519")):
            done = subprocess.run(
                ["openssl", "s_client", "-connect", f"127.0.0.1:{node.tls_port}", "-servername", name,
                 "-sigalgs", sigalg], input=b"", capture_output=True, check=False)
            self.assertIn(f"CN = {name}".encode(), done.stdout)
        self.assertEqual(self.get(node, self.mint(node), tls=True), 200)
        core = node.core()
        found = [f"{key.name} {i}" for key in (self.key, rsa[1], ed[1])
                 for i, number in enumerate(sg.private_numbers(key)) if number in core]
        self.assertEqual(found, [])
        for key in (self.key, rsa[1], ed[1]):
            for line in key.read_bytes().splitlines()[1:-1]:
                self.assertNotIn(line, core)

    def test_a_regions_secret_is_changed_and_no_token_is_refused_before_its_time(self):
        old, new = self.folder / "secret-eu", self.folder / "secret-new"
        new.write_bytes(os.urandom(32).hex().encode())
        node = self.made()

        def under(first, other=None):
            more = f', regions: [{{name: eu, secret_file: "{other}"}}]' if other else ""
            node.file.write_text(re.sub(
                r"tenants: .*", f'tenants: [{{name: films, secret_file: "{first}"{more}}}]',
                node.file.read_text()))
            if node.process:
                self.assertTrue(node.command("/v1/reload", "POST").json()["ok"])

        under(new)
        theirs = self.mint(node)  # of a node that is a step ahead
        under(old)
        node.start()
        before = self.mint(node)
        self.assertEqual([self.get(node, t) for t in (before, theirs)], [200, 401])
        for pair in ((old, new), (new, old)):
            under(*pair)
            self.assertEqual([self.get(node, t) for t in (before, theirs, self.mint(node))], [200] * 3)
            cut = before[:-2] + ("AA" if before[-2:] != "AA" else "BB")
            self.assertEqual(self.get(node, cut), 401)
            told = json.loads(node.sgctl("--json", "token", "inspect", before).stdout)
            self.assertEqual(told["verdict"], "allowed")
        node.sgctl("token", "revoke", before)
        self.assertEqual(self.get(node, before), 403)
        under(new)
        self.assertEqual([self.get(node, t) for t in (before, theirs)], [401, 200])

    def full_of_secrets(self):
        """A node that has one of every kind, used; and what nobody may learn, by its name."""
        seal, tickets, s3 = (self.folder / name for name in ("sealing", "tickets", "s3"))
        seal.write_bytes(os.urandom(16).hex().encode() + b"\n")
        tickets.write_bytes(os.urandom(80))
        s3.write_bytes(os.urandom(16).hex().encode() + b"\n")
        (self.folder / "s3id").write_text("AKID")
        node = self.made(seal=f'seal_key: "file:{seal}"')
        client = self.certificate("client")[1]
        node.file.write_text(
            node.file.read_text().replace("}]}]\nsites", '}], client_cert_file: "%s", '
                'client_key_file: "%s", signing: {access_key_file: "%s", secret_key_file: "%s", '
                'region: eu}}]\nsites' % (client.with_suffix(".pem"), client, self.folder / "s3id", s3))
            .replace(f'"{self.key}"}}]', f'"{self.key}"}}], ticket_key_file: "{tickets}"')
            + "log: {level: debug}\n")
        clear = {"s3": s3.read_bytes().strip(), "tickets": tickets.read_bytes(), "region": SECRET}
        for name, file in (("tls", self.key), ("client", client)):
            clear[name] = file.read_bytes().splitlines()[1]
        for file in (node.secret, self.key, client, tickets, s3):
            node.sgctl("key", "seal", str(file))
        node.start()
        token = self.mint(node)
        self.assertEqual((self.get(node, token), self.get(node, token, tls=True)), (200, 200))
        self.assertIn("AKID", str(self.studio.requests))
        clear["seal"] = seal.read_bytes().strip()
        clear["tenant"] = hkdf(SECRET + b"eu", b"streamgate/tenant/films")
        clear["epoch"] = hkdf(clear["tenant"], f"streamgate/epoch/{int(time.time()) // 86400}".encode())
        return node, token, clear

    def test_the_key_that_is_shown_to_an_origin_is_in_no_core_dump(self):
        for kind in ("ec", "rsa:2048"):
            cert, key = self.certificate(f"client-{kind[:2]}", kind)
            studio = self.origin({"/seg": "segment"})
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*self.certificate("127.0.0.1"))
            context.load_verify_locations(cert)
            context.verify_mode = ssl.CERT_REQUIRED
            studio.server.socket = context.wrap_socket(studio.server.socket, server_side=True)
            config = sg.CONFIG.replace("]}]\nsites", f'], tls_verify: false, client_cert_file: "{cert}", '
                                       f'client_key_file: "{key}"}}]\nsites')
            studio.url = studio.url.replace("http:", "https:")
            node = self.node(studio, config, name=f"shows-{kind[:2]}")
            self.assertEqual(node.get("/seg").status, 200)
            core = node.core()
            self.assertEqual([i for i, n in enumerate(sg.private_numbers(key)) if n in core], [])
            self.assertNotIn(key.read_bytes().splitlines()[1], core)

    def bus_node(self, bus, *sealed):
        """A control node that reaches the server by what was sealed."""
        seal = self.folder / "sealing"
        seal.write_bytes(os.urandom(32))
        node = self.made(seal=f'seal_key: "file:{seal}"')
        with open(node.file, "a", encoding="utf-8") as file:
            file.write(f"bus: {{{bus}}}\n")
        for file in sealed:
            node.sgctl("key", "seal", str(file))
        node.start("--role", "control")
        sg.until(lambda: node.command("/v1/feed").json()["connected"], "it is on the bus")
        return node

    def test_the_buss_credentials_may_be_sealed(self):
        config, creds, user = natsjwt.world(self.folder)
        nats = sgfeed.Nats(self.folder, config).start(asks=False)
        self.addCleanup(nats.stop)
        file = self.folder / "node.creds"
        file.write_text(creds)
        node = self.bus_node(f'url: "{nats.url}", creds_file: "{file}"', file)
        core = node.core()
        self.assertNotIn(user.seed.encode(), core)
        self.assertNotIn(user.raw, core)

    @sg.unittest.skipUnless(knows_localhost(), "nobody here knows what localhost is")
    def test_the_buss_private_key_may_be_sealed(self):
        cert, key = self.certificate("node")
        theirs, their_key = (file.rename(self.folder / f"nats{file.suffix}")
                             for file in self.certificate("localhost"))
        nats = sgfeed.Nats(self.folder, f"tls {{ cert_file: '{theirs}', key_file: '{their_key}', "
                                        f"ca_file: '{cert}', verify: true }}").start(asks=False)
        self.addCleanup(nats.stop)
        url = nats.url.replace("nats:", "tls:").replace("127.0.0.1", "localhost")
        numbers, line = sg.private_numbers(key), key.read_bytes().splitlines()[1]
        node = self.bus_node(f'url: "{url}", ca_file: "{theirs}", cert_file: "{cert}", '
                             f'key_file: "{key}"', key)
        core = node.core()
        self.assertEqual([i for i, n in enumerate((*numbers, line)) if n in core], [])

    def test_no_secret_is_told_anywhere(self):
        node, token, clear = self.full_of_secrets()
        self.get(node, token[:-4] + "AAAA")
        self.get(node, "not a token")
        request = node.get("/seg?CAT=" + token).fields["x-request-id"]
        self.assertTrue(node.command("/v1/reload", "POST").json()["ok"])
        seal = self.folder / "sealing"
        seal.write_bytes(os.urandom(32))
        refused = node.sgctl("reload", check=False)
        self.assertIn("sealed under another key", refused.stdout + refused.stderr)
        told = [node.said(), refused.stdout, refused.stderr]
        for path in ("status", "origins", "chains", "feed", "explain"):
            told.append(node.command(f"/v1/{path}", id=request).text)
        told.append(node.command("/metrics").text)
        for words in (("status",), ("stat",), ("log",), ("origins",), ("explain", request),
                      ("token", "inspect", token), ("rule", "list")):
            for form in ((), ("--json",)):
                done = node.sgctl(*form, *words, check=False)
                told += [done.stdout, done.stderr]
        for name in ("environ", "cmdline"):
            told.append(pathlib.Path(f"/proc/{node.process.pid}/{name}").read_bytes().decode())
        for name, secret in clear.items():
            for shape in (secret.hex(), base64.b64encode(secret).decode().rstrip("="),
                          base64.urlsafe_b64encode(secret).decode().rstrip("="),
                          secret.decode("latin-1")):
                self.assertFalse(any(shape in text for text in told), name)
        self.assertFalse(any(token[:-20] in text for text in told), "the token")

    def test_no_secret_is_in_a_core_dump(self):
        node, _, clear = self.full_of_secrets()
        core = node.core()
        self.assertEqual([name for name, secret in clear.items() if secret in core], [])


if __name__ == "__main__":
    sg.main()
