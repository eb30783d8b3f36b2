#!/usr/bin/env python3
"""A sealing key that stays in a PKCS#11 token. The token is SoftHSM's, filled by OpenSC's tool."""
import os
import pathlib
import pwd
import shutil
import signal
import subprocess

import sg
import sgfeed

MODULE = pathlib.Path("/usr/lib/softhsm/libsofthsm2.so")
PIN = "4321-the-right-one"
CONFIG = """
node: {name: edge1, region: eu, workers: 1, state_dir: {folder}/state, run_dir: {folder}/run,
       seal_key: "{seal}"{user}}
listeners:
  - {address: "127.0.0.1:{port}"}
  - address: "127.0.0.1:{tls_port}"
    tls: {certificates: [{cert_file: "{cert}", key_file: "{key}"}], ticket_key_file: "{tickets}"}
cache: {ram_bytes: 16MiB}
limits: {connections: 64}
tenants: [{name: films, secret_file: "{secret}"}]
origins: [{name: studio, urls: [{url: "{origin}"}]}]
sites: [{name: gated, tenant: films, hosts: ["*"], origin: studio, access: token}]
"""


def run(*words):
    return subprocess.run([str(w) for w in words], check=True, capture_output=True, text=True).stdout


class Token:
    """A token in a folder; its PIN in a file beside it."""

    def __init__(self, folder):
        self.folder = folder / "tokens"
        self.folder.mkdir()
        conf = folder / "softhsm"
        conf.write_text(f"directories.tokendir = {self.folder}\nlog.level = ERROR\n")
        os.environ["SOFTHSM2_CONF"] = str(conf)
        self.pin = folder / "pin"
        self.pin.write_text(PIN + "\n")
        self.pin.chmod(0o600)
        run("softhsm2-util", "--init-token", "--free", "--label", "node", "--so-pin", "87654321",
            "--pin", PIN)

    def tool(self, *words):
        return run("pkcs11-tool", "--module", MODULE, "--token-label", "node", "--login", "--pin",
                   PIN, *words)

    def key(self, label):
        self.tool("--keygen", "--key-type", "AES:32", "--label", label, "--sensitive")

    def forget(self, label):
        self.tool("--delete-object", "--type", "secrkey", "--label", label)

    def uri(self, label):
        return f"pkcs11:token=node;object={label}?module-path={MODULE}&pin-source=file:{self.pin}"


class Pkcs11(sg.Scenario):
    def setUp(self):
        if not MODULE.exists() or not shutil.which("pkcs11-tool"):
            self.skipTest("no SoftHSM or no pkcs11-tool on this machine")
        super().setUp()
        self.token = Token(self.folder)
        self.token.key("one")
        self.studio = self.origin({"/seg": "segment"})
        self.cert, self.key = self.certificate()
        self.secret, self.tickets = self.folder / "secret", self.folder / "tickets"
        self.secret.write_text(os.urandom(32).hex())
        self.tickets.write_bytes(os.urandom(80))
        self.sealed = [self.secret, self.key, self.tickets]

    def config(self, label="one", user=""):
        config = CONFIG.replace("{seal}", self.token.uri(label)).replace("{user}", user)
        for name in ("cert", "key", "tickets", "secret"):
            config = config.replace("{" + name + "}", str(getattr(self, name)))
        return config

    def made(self, **more):
        """A node that is not started, whose files are sealed under the token's key."""
        node = self.node(self.studio, self.config(**more), start=False)
        for file in self.sealed:
            node.sgctl("key", "seal", str(file))
            self.assertTrue(file.read_bytes().startswith(b"streamgate-sealed-1:"))
        return node

    def serves(self, node):
        token = node.sgctl("token", "mint", "--path", "/").stdout.strip()
        fields = {"CTA-Common-Access-Token": token}
        self.assertEqual((node.get("/seg", fields).status, node.get("/seg", fields, tls=True).status),
                         (200, 200))

    def configure(self, node, label):
        node.configure(self.config(label).replace("{origin}", self.studio.url))

    def refused(self, node, words):
        """A reload that changes nothing, and says why."""
        done = node.sgctl("reload", check=False)
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertIn(words, done.stdout + done.stderr)
        self.assertNotIn(PIN, done.stdout + done.stderr)
        token = node.sgctl("token", "mint", "--path", "/", check=False)
        self.assertIn(words, token.stderr)
        self.assertEqual(node.get("/seg").status, 401)

    def test_what_a_token_sealed_serves(self):
        node = self.made().start()
        self.serves(node)

    def test_the_token_is_left_so_that_neither_key_nor_pin_is_in_a_core_dump(self):
        known = os.urandom(32)
        file = self.folder / "known"
        file.write_bytes(known)
        self.token.tool("--write-object", str(file), "--type", "secrkey", "--key-type", "AES:32",
                        "--label", "known")
        node = self.made(label="known").start()
        self.serves(node)
        self.assertTrue(node.command("/v1/reload", "POST").json()["ok"])
        core = node.core()
        self.assertEqual([what for what in (known, PIN.encode()) if what in core], [])
        self.assertNotIn(PIN, node.said())

    def test_a_control_node_starts_with_what_a_token_sealed(self):
        nats = sgfeed.Nats(self.folder).start()
        self.addCleanup(nats.stop)
        countersign = self.folder / "countersign"
        run("openssl", "genpkey", "-algorithm", "ed25519", "-out", countersign)
        numbers = sg.private_numbers(countersign)
        self.sealed.append(countersign)
        node = self.made()
        with open(node.file, "a", encoding="utf-8") as file:
            file.write(f'bus: {{url: "{nats.url}"}}\ngate: {{countersign_key: "{countersign}"}}\n')
        run(sg.STREAMGATED, "--check", "--config", node.file, "--role", "control")
        self.token.pin.write_text("4321-wrong")
        node.start("--role", "control", wait=False)
        self.assertEqual(node.process.wait(sg.PATIENCE_S), 1)
        self.assertIn("is wrong. It was tried once", node.said())
        self.token.pin.write_text(PIN)
        node.start("--role", "control")
        self.assertTrue(node.command("/v1/reload", "POST").json()["ok"])
        core = node.core()
        self.assertFalse(any(number in core for number in numbers))

    def test_a_key_is_rotated_by_reseal_and_reload(self):
        node = self.made().start()
        self.token.key("two")
        self.configure(node, "two")
        self.refused_sealed_under_another(node)
        node.sgctl("key", "reseal", "--from", self.token.uri("one"), *map(str, self.sealed))
        self.assertIn("is in force", node.sgctl("reload").stdout)
        self.token.forget("one")
        self.serves(node)
        self.assertTrue(node.command("/v1/reload", "POST").json()["ok"])
        self.assertEqual(node.stop(), 0)
        node.start()
        self.serves(node)

    def refused_sealed_under_another(self, node):
        done = node.sgctl("reload", check=False)
        self.assertIn("sealed under another key", done.stdout + done.stderr)

    def test_what_cannot_all_be_resealed_stays_as_it_was(self):
        node = self.made()
        self.token.key("two")
        self.configure(node, "two")
        before = [file.read_bytes() for file in self.sealed]
        odd = self.folder / "odd"
        odd.write_text("not sealed")
        done = node.sgctl("key", "reseal", "--from", self.token.uri("one"),
                          *map(str, self.sealed), str(odd), check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("odd: it is not sealed", done.stderr)
        (self.folder / "tickets.sealed").write_text("in the way")
        done = node.sgctl("key", "reseal", "--from", self.token.uri("one"),
                          *map(str, self.sealed), check=False)
        self.assertEqual(done.returncode, 1)
        self.assertEqual([file.read_bytes() for file in self.sealed], before)
        self.assertEqual([f.name for f in self.folder.glob("*.sealed")], ["tickets.sealed"])

    def test_a_token_that_is_gone_at_a_reload_leaves_what_there_was(self):
        node = self.made().start()
        away = self.token.folder.rename(self.folder / "pulled")
        self.token.folder.mkdir()
        self.refused(node, "no such token: there is none at all")
        self.token.folder.rmdir()
        away.rename(self.token.folder)
        self.assertTrue(node.command("/v1/reload", "POST").json()["ok"])
        self.serves(node)

    def test_a_wrong_pin_is_refused_and_is_nowhere_to_be_read(self):
        node = self.made()
        self.token.pin.write_text("4321-wrong")
        node.start(wait=False)
        self.assertEqual(node.process.wait(sg.PATIENCE_S), 1)
        self.assertEqual(node.said().count("is wrong. It was tried once"), 1)
        self.assertNotIn("4321-wrong", node.said())
        self.token.pin.write_text(PIN)
        self.token.pin.chmod(0o644)
        checked = subprocess.run([sg.STREAMGATED, "--check", "--config", node.file],
                                 capture_output=True, text=True, check=False)
        self.assertEqual(checked.returncode, 1)
        self.assertIn("chmod o= ", checked.stderr)
        self.token.pin.chmod(0o600)
        node.start()
        self.serves(node)
        self.token.pin.write_text("4321-wrong")
        self.refused(node, "is wrong. It was tried once")

    def test_ticket_keys_that_change_are_unsealed_while_the_node_serves(self):
        node = self.made().start()
        self.tickets.write_bytes(os.urandom(160))
        node.sgctl("key", "seal", str(self.tickets))
        sg.until(lambda: "ticket keys read again" in node.said(), "they are read")

    def test_a_process_that_takes_over_goes_to_the_token_itself(self):
        node = self.made().start()
        node.signal(signal.SIGUSR2)
        sg.until(lambda: node.said().count("serving: version") == 2, "the next process serves")
        sg.until(lambda: node.process.poll() is not None, "the old one ends")
        self.serves(node)
        os.kill(node.status()["pid"], signal.SIGTERM)

    def test_the_user_that_root_became_can_go_to_the_token_again(self):
        if os.geteuid() != 0:
            self.skipTest("needs root")
        nobody = pwd.getpwnam("nobody").pw_uid
        node = self.made(user=", user: nobody")
        self.folder.chmod(0o755)
        for path in (self.token.pin, *self.sealed, self.token.folder, *self.token.folder.rglob("*")):
            os.chown(path, nobody, -1)
        node.start()
        self.serves(node)
        self.assertTrue(node.command("/v1/reload", "POST").json()["ok"])
        os.chown(self.token.pin, 0, 0)
        answer = node.command("/v1/reload", "POST")
        self.assertIn("ermission denied", answer.text)
        self.serves(node)


if __name__ == "__main__":
    sg.main()
