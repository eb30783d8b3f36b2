#!/usr/bin/env python3
"""TLS as clients of three libraries see it: OpenSSL's, curl, GnuTLS."""
import os
import pathlib
import re
import shutil
import socket
import ssl
import struct
import subprocess
import time
import unittest

import sg
import sgtls
from sgtls import BODY, CONFIG


class Tls(sgtls.TlsScenario):
    def curl(self, node, path, *options, host="node.test", cert="ec"):
        done = subprocess.run(
            ["curl", "-sS", "-m", "20", "--resolve", f"{host}:{node.tls_port}:127.0.0.1",
             "--cacert", self.folder / f"{cert}.pem", *options,
             f"https://{host}:{node.tls_port}{path}"], capture_output=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def test_curl_gets_every_byte_with_every_suite(self):
        node = self.tls_node()
        for options, cert in (
                (["--tlsv1.3", "--tls13-ciphers", "TLS_AES_128_GCM_SHA256"], "ec"),
                (["--tlsv1.3", "--tls13-ciphers", "TLS_AES_256_GCM_SHA384"], "ec"),
                (["--tlsv1.3", "--tls13-ciphers", "TLS_CHACHA20_POLY1305_SHA256"], "ec"),
                (["--tls-max", "1.2", "--ciphers", "ECDHE-ECDSA-AES128-GCM-SHA256"], "ec"),
                (["--tls-max", "1.2", "--ciphers", "ECDHE-RSA-AES256-GCM-SHA384"], "rsa"),
                (["--tls-max", "1.2", "--ciphers", "ECDHE-ECDSA-CHACHA20-POLY1305"], "ec")):
            self.assertEqual(self.curl(node, "/big", *options, cert=cert), BODY, options)
        self.assertEqual(node.counter("handshakes_failed"), 0)
        self.assertEqual(node.counter("handshakes_full"), 6)
        self.assertEqual(node.counter("handshakes_own"), 2)  # TLS 1.3 with SHA-256

    def test_certificates_are_chosen_by_name(self):
        node = self.tls_node()
        self.assertEqual(self.curl(node, "/small", host="other.test", cert="other"), b"hello")

    def gnutls(self, node, priority, *options):
        if shutil.which("gnutls-cli") is None:
            raise unittest.SkipTest("no gnutls-cli on this machine")
        return subprocess.run(
            ["gnutls-cli", "--x509cafile", str(self.folder / "ec.pem"), "--sni-hostname=node.test",
             "--verify-hostname=node.test", "--priority", priority, *options, "-p",
             str(node.tls_port), "127.0.0.1"],
            input=b"GET /small HTTP/1.1\r\nHost: node.test\r\nConnection: close\r\n\r\n",
            capture_output=True, timeout=sg.PATIENCE_S, check=False)

    def test_gnutls_talks_to_it_and_resumes(self):
        node = self.tls_node()
        for version, groups in (("1.3", ":-GROUP-ALL:+GROUP-X25519"), ("1.3", ""), ("1.2", "")):
            done = self.gnutls(node, f"NORMAL:-VERS-ALL:+VERS-TLS{version}{groups}")
            self.assertIn(b"200 OK", done.stdout, done.stderr)
        self.assertGreater(node.counter("handshakes_own"), 0)
        resumed = node.counter("handshakes_resumed")
        done = self.gnutls(node, "NORMAL:-VERS-ALL:+VERS-TLS1.3", "--resume", "--waitresumption")
        self.assertIn(b"This is a resumed session", done.stdout)
        self.assertGreater(node.counter("handshakes_resumed"), resumed)

    def s_client(self, node, commands, *options):
        client = subprocess.Popen(
            ["openssl", "s_client", "-connect", f"127.0.0.1:{node.tls_port}", "-servername",
             "node.test", *options], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT)
        for pause, bytes_ in commands:
            time.sleep(pause)
            client.stdin.write(bytes_)
            client.stdin.flush()
        time.sleep(0.7)
        return client.communicate(timeout=sg.PATIENCE_S)[0]

    def test_openssl_changes_keys_between_requests(self):
        node = self.tls_node()
        get = b"GET /small HTTP/1.1\r\nHost: node.test\r\n\r\n"
        said = self.s_client(node, [(0.7, get), (0.5, b"K\n"), (0.5, get), (0.5, b"k\n"),
                                    (0.5, get)], "-tls1_3")
        self.assertEqual(said.count(b"HTTP/1.1 200"), 3, said)
        self.assertEqual(said.count(b"KEYUPDATE"), 2)

    def test_a_client_that_has_nothing_but_the_hybrid_group_gets_it(self):
        groups = subprocess.run(["openssl", "list", "-tls-groups"], capture_output=True, text=True,
                                check=False).stdout
        if "X25519MLKEM768" not in groups:
            raise unittest.SkipTest("OpenSSL before 3.5")
        node = self.tls_node()
        get = b"GET /small HTTP/1.1\r\nHost: node.test\r\n\r\n"
        for groups, own in ((["-groups", "X25519MLKEM768"], 0), ([], 1)):  # its default: both shares
            said = self.s_client(node, [(0.7, get)], "-tls1_3", *groups)
            self.assertIn(b"HTTP/1.1 200", said)
            self.assertEqual(node.counter("handshakes_own"), own)

    def test_renegotiation_is_refused(self):
        node = self.tls_node()
        said = self.s_client(node, [(0.7, b"R\n")], "-tls1_2")
        self.assertIn(b"RENEGOTIATING", said)
        self.assertTrue(re.search(rb"no.renegotiation|ssl handshake failure|alert", said), said)

    def strict(self, node):
        """A connection that raises where its end is a mere FIN."""
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.options &= ~getattr(ssl, "OP_IGNORE_UNEXPECTED_EOF", 0)
        plain = socket.create_connection(("127.0.0.1", node.tls_port), sg.PATIENCE_S)
        return context.wrap_socket(plain, suppress_ragged_eofs=False)

    def test_who_left_without_a_word_is_sent_nothing_but_the_answer_it_waits_for(self):
        node = self.tls_node()
        get = b"GET /big HTTP/1.1\r\nHost: node.test\r\n\r\n"
        with self.strict(node) as viewer, socket.socket(fileno=os.dup(viewer.fileno())) as raw:
            viewer.sendall(get)
            raw.shutdown(socket.SHUT_WR)
            said = b""
            while piece := viewer.recv(1 << 16):  # the end is told: the answer was still due
                said += piece
            self.assertTrue(said.endswith(BODY))
        with self.strict(node) as viewer, socket.socket(fileno=os.dup(viewer.fileno())) as raw:
            viewer.sendall(get.replace(b"/big", b"/small"))
            said = b""
            while not said.endswith(b"hello"):
                said += viewer.recv(4096)
            raw.shutdown(socket.SHUT_WR)
            with self.assertRaisesRegex(OSError, "EOF|eof|pipe"):  # which is OpenSSL's and Python's whim
                viewer.recv(4096)

    def test_an_end_is_told_by_close_notify(self):
        node = self.tls_node()
        with self.strict(node) as viewer:
            viewer.sendall(b"GET /small HTTP/1.1\r\nHost: node.test\r\nConnection: close\r\n\r\n")
            said = b""
            while piece := viewer.recv(4096):  # raises where the end is a mere FIN
                said += piece
        self.assertTrue(said.endswith(b"hello"))

    def test_plain_http_is_told_so(self):
        node = self.tls_node()
        with socket.create_connection(("127.0.0.1", node.tls_port), sg.PATIENCE_S) as plain:
            plain.sendall(b"GET / HTTP/1.1\r\nHost: node.test\r\n\r\n")
            said = plain.recv(4096)
        self.assertTrue(said.startswith(b"HTTP/1.1 400 "), said)
        self.assertIn(b"plain HTTP", said)

    def test_a_forged_record_is_answered_with_an_alert(self):
        node = self.tls_node()
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = context.wrap_bio(incoming, outgoing)
        with socket.create_connection(("127.0.0.1", node.tls_port), sg.PATIENCE_S) as plain:
            while True:
                try:
                    tls.do_handshake()
                    break
                except ssl.SSLWantReadError:
                    plain.sendall(outgoing.read())
                    incoming.write(plain.recv(65536))
            plain.sendall(outgoing.read() + struct.pack(">BHH", 23, 0x0303, 40) + bytes(40))
            with self.assertRaisesRegex(ssl.SSLError, "BAD_RECORD_MAC"):
                while True:
                    try:
                        tls.read(100)
                    except ssl.SSLWantReadError:
                        incoming.write(plain.recv(65536) or self.fail("no alert"))

    def test_a_new_certificate_is_served_after_a_reload_and_old_connections_go_on(self):
        node = self.tls_node()
        old = node.connect(tls=True)
        old.request("GET", "/small")
        self.assertEqual(sg.Answer(old.getresponse()).body, b"hello")
        before = ssl.get_server_certificate(("127.0.0.1", node.tls_port))
        self.certificate_of("ec", "node.test")
        self.assertTrue(node.command("/v1/reload", "POST").json()["ok"])
        self.assertEqual(self.curl(node, "/small"), b"hello")
        self.assertNotEqual(before, ssl.get_server_certificate(("127.0.0.1", node.tls_port)))
        old.request("GET", "/small")
        self.assertEqual(sg.Answer(old.getresponse()).body, b"hello")

    def test_a_bad_certificate_is_refused_and_the_old_one_stays(self):
        node = self.tls_node()
        pathlib.Path(self.folder / "ec.key").write_text((self.folder / "other.key").read_text())
        told = node.command("/v1/reload", "POST").json()
        self.assertFalse(told["ok"])
        self.assertIn("not the key of the certificate", told["report"][0])
        self.assertEqual(self.curl(node, "/small"), b"hello")

    def test_silence_in_a_handshake_ends_it(self):
        self.certificate_of("ec", "node.test")
        self.certificate_of("rsa", "node.test", "rsa")
        self.certificate_of("other", "other.test")
        node = self.node(self.origin({}), CONFIG.replace("{certs}", str(self.folder)) +
                         "limits: {handshake_timeout_ms: 500}\n")
        with socket.create_connection(("127.0.0.1", node.tls_port), sg.PATIENCE_S) as plain:
            plain.sendall(b"\x16\x03\x01")
            with self.assertRaises(ConnectionResetError):
                plain.recv(1) or self.fail("a FIN instead of a reset")


if __name__ == "__main__":
    sg.main()
