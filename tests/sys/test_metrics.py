#!/usr/bin/env python3
"""What the node tells those who watch it, and whom it lets command."""
import http.client
import re
import shutil
import subprocess

import sg

SAMPLE = re.compile(r'^([a-z0-9_]+)(\{[^}]*\})? (-?[0-9.]+(?:e[+-]?[0-9]+)?)$')


class Metrics(sg.Scenario):
    def loopback(self, node, path, method="GET"):
        connection = http.client.HTTPConnection("127.0.0.1", node.admin_port, timeout=10)
        try:
            connection.request(method, path)
            return sg.Answer(connection.getresponse())
        finally:
            connection.close()

    def test_every_sample_has_its_help_and_type_and_stands_once(self):
        cert, key = self.certificate()
        tls = f"""listeners: [{{address: "127.0.0.1:{{port}}"}},
          {{address: "127.0.0.1:{{tls_port}}", tls: {{certificates: [
             {{cert_file: {cert}, key_file: {key}}}]}}}}]"""
        node = self.node(self.origin({"/a": "hello"}), config=sg.CONFIG.replace(
            'listeners: [{address: "127.0.0.1:{port}"}]', tls))
        node.get("/a")
        node.get("/a", tls=True)
        answer = self.loopback(node, "/metrics")
        self.assertIn("version=0.0.4", answer.fields["content-type"])
        types, seen = {}, set()
        for line in answer.text.splitlines():
            if line.startswith("# TYPE "):
                _, _, name, kind = line.split()
                self.assertNotIn(name, types)
                types[name] = kind
            elif not line.startswith("# HELP "):
                sample = SAMPLE.match(line)
                self.assertIsNotNone(sample, line)
                base = re.sub("_(bucket|sum|count)$", "", sample[1])
                self.assertTrue(sample[1] in types or types.get(base) == "histogram", line)
                self.assertNotIn((sample[1], sample[2]), seen)
                seen.add((sample[1], sample[2]))
                self.assertEqual(types.get(sample[1]) == "counter", sample[1].endswith("_total"))
        for words in ('streamgate_requests_total{worker="', 'streamgate_close_total{reason="none"}',
                      'streamgate_origin_up{origin="studio"', 'streamgate_certificate_end_time_seconds{',
                      'streamgate_loop_busy_seconds_total{'):
            self.assertIn(words, answer.text)
        if shutil.which("promtool"):
            done = subprocess.run(["promtool", "check", "metrics"], input=answer.text, text=True,
                                  capture_output=True, check=False)
            self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_what_transfers_hold_is_told_and_given_back(self):
        node = self.node(self.origin({"/large": bytes(8 << 20)}))
        node.get("/large")
        viewer = node.connect()
        viewer.request("GET", "/large")
        sg.until(lambda: node.counter("arena_pinned_bytes") > 0, "a slow viewer pins bytes")
        viewer.close()
        sg.until(lambda: node.counter("arena_pinned_bytes") == 0, "they are given back")

    def test_the_loopback_address_watches_and_commands_nothing(self):
        node = self.node(self.origin({}))
        self.assertEqual(self.loopback(node, "/healthz").text, "ok\n")
        self.assertEqual(self.loopback(node, "/readyz").status, 200)
        for path, method in (("/v1/status", "GET"), ("/v1/reload", "POST"), ("/v1/drain", "POST"),
                             ("/v1/purge?scope=tenant", "POST"), ("/v1/explain?id=1", "GET")):
            self.assertEqual(self.loopback(node, path, method).status, 403)
        self.assertEqual(node.status()["config_serial"], 1)

    def test_odd_requests_to_the_admin_socket_get_plain_refusals(self):
        node = self.node(self.origin({}))
        self.assertEqual(node.command("/v1/nothing").status, 404)
        self.assertEqual(node.command("/v1/reload").status, 405)
        self.assertEqual(node.command("/metrics", "DELETE").status, 405)
        self.assertEqual(node.command("/v1/explain").status, 400)


if __name__ == "__main__":
    sg.main()
