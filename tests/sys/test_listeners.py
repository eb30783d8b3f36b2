#!/usr/bin/env python3
"""Listeners come, go and move by a reload, and nobody who is connected notices."""
import contextlib
import http.client
import os
import socket
import threading

import sg
from test_drain import slowly

CONFIG = sg.CONFIG.replace('listeners: [{address: "127.0.0.1:{port}"}]', "listeners: [{listeners}]")


def plain(port, host="127.0.0.1", more=""):
    return f'{{address: "{host}:{port}"{more}}}'


class Listeners(sg.Scenario):
    def listening(self, node, *listeners):
        """The node's file with these listeners, and nothing else changed."""
        node.file.write_text(self.text.replace("{listeners}", ", ".join(listeners)))

    def begin(self, content, more=()):
        origin = self.origin(content)
        node = self.node(origin, config=CONFIG, start=False)
        self.text = node.file.read_text()
        self.listening(node, plain(node.port), *more)
        return node.start()

    def reload(self, node):
        told = node.command("/v1/reload", "POST").json()
        self.assertTrue(told["ok"], told)
        return told["report"]

    @staticmethod
    def addresses(node):
        return [listener["address"] for listener in node.status()["listeners"]]

    def get(self, port, path="/a", host="127.0.0.1"):
        connection = http.client.HTTPConnection(host, port, timeout=sg.PATIENCE_S)
        with contextlib.closing(connection):
            connection.request("GET", path)
            return sg.Answer(connection.getresponse()).body

    def refused(self, port, host="127.0.0.1"):
        with self.assertRaises(ConnectionRefusedError):
            socket.create_connection((host, port), sg.PATIENCE_S)

    def test_one_is_added_and_every_worker_serves_it(self):
        node = self.begin({"/a": "hello"})
        second, v6 = sg.free_port(), sg.free_port()
        self.listening(node, plain(node.port), plain(second), plain(v6, "[::1]"))
        self.assertEqual(self.reload(node), [])
        for _ in range(16):
            self.assertEqual(self.get(second), b"hello")
        self.assertEqual(self.get(v6, host="::1"), b"hello")
        self.assertEqual(self.get(node.port), b"hello")
        self.assertEqual(self.addresses(node), [
            f"127.0.0.1:{node.port}", f"127.0.0.1:{second}", f"[::1]:{v6}"])

    def test_one_is_removed_and_its_download_goes_on_to_the_end(self):
        port = sg.free_port()
        node = self.begin({"/a": "hello", "/slow": slowly(2)}, [plain(port)])
        viewer = http.client.HTTPConnection("127.0.0.1", port, timeout=sg.PATIENCE_S)
        viewer.request("GET", "/slow")
        answer = viewer.getresponse()
        first = answer.read(10)
        self.listening(node, plain(node.port))
        self.reload(node)
        self.refused(port)
        self.assertEqual(self.get(node.port), b"hello")
        self.assertIn(f"127.0.0.1:{port}, plain, 1 connections, removed: served to their end",
                      node.sgctl("status").stdout)
        self.assertEqual(len(first + answer.read()), 10000)
        sg.until(lambda: "removed" not in node.sgctl("status").stdout, "it is gone")

    def test_a_connection_of_a_removed_one_is_told_to_close_with_its_next_answer(self):
        port = sg.free_port()
        node = self.begin({"/a": "hello"}, [plain(port)])
        viewer = http.client.HTTPConnection("127.0.0.1", port, timeout=sg.PATIENCE_S)
        viewer.request("GET", "/a")
        self.assertNotIn("connection", sg.Answer(viewer.getresponse()).fields)
        self.listening(node, plain(node.port))
        self.reload(node)
        self.refused(port)
        viewer.request("GET", "/a")
        answer = sg.Answer(viewer.getresponse())
        self.assertEqual((answer.body, answer.fields["connection"]), (b"hello", "close"))
        sg.until(lambda: node.counter("connections_open") == 0, "its connection is gone")

    def test_order_changes_and_each_keeps_what_it_is(self):
        cert, key = self.certificate()
        node = self.begin({"/a": "hello", "/b": "hello"})
        secure = (f'{{address: "127.0.0.1:{node.tls_port}", '
                  f'tls: {{certificates: [{{cert_file: {cert}, key_file: {key}}}]}}}}')
        self.listening(node, plain(node.port), secure)
        self.reload(node)
        kept, kept_tls = node.connect(), node.connect(tls=True)
        for viewer in (kept, kept_tls):
            viewer.request("GET", "/a")
            self.assertEqual(sg.Answer(viewer.getresponse()).body, b"hello")
        accepted = node.counter("connections_accepted")
        self.listening(node, secure, plain(node.port))
        self.assertEqual(self.reload(node), [])
        for viewer in (kept, kept_tls):
            viewer.request("GET", "/b")
            self.assertEqual(sg.Answer(viewer.getresponse()).body, b"hello")
        self.assertEqual(node.counter("connections_accepted"), accepted)
        self.assertEqual([one["connections"] for one in node.status()["listeners"]], [1, 1])
        self.assertEqual(node.get("/a").body, b"hello")
        self.assertEqual(node.get("/a", tls=True).body, b"hello")
        log = [sg.json.loads(line) for line in
               node.sgctl("--json", "log").stdout.splitlines()]
        for record in log:
            where = node.tls_port if record["tls"] else node.port
            self.assertEqual(record["listener"], f"127.0.0.1:{where}")

    def test_plain_becomes_tls_for_those_who_come_from_then_on(self):
        cert, key = self.certificate()
        node = self.begin({"/a": "hello"})
        kept = node.connect()
        kept.request("GET", "/a")
        sg.Answer(kept.getresponse())
        node.tls_port = node.port
        self.listening(node, plain(
            node.port, more=f", tls: {{certificates: [{{cert_file: {cert}, key_file: {key}}}]}}"))
        self.reload(node)
        self.assertEqual(node.get("/a", tls=True).body, b"hello")
        kept.request("GET", "/a")
        self.assertEqual(sg.Answer(kept.getresponse()).body, b"hello")

    def test_a_port_that_is_taken_leaves_all_as_it_was_and_is_named(self):
        node = self.begin({"/a": "hello"})
        good = sg.free_port()
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            self.listening(node, plain(good), plain(port))
            told = node.command("/v1/reload", "POST")
            self.assertEqual(told.status, 409)
            self.assertEqual(len(told.json()["report"]), 1)
            self.assertIn(f"listeners[1].address: 127.0.0.1:{port}: in use by",
                          told.json()["report"][0])
        self.refused(good)
        self.assertEqual(self.get(node.port), b"hello")
        self.assertEqual(self.addresses(node), [f"127.0.0.1:{node.port}"])
        self.assertEqual(node.status()["config_serial"], 1)
        self.reload(node)
        self.assertEqual(self.get(good), b"hello")
        self.refused(node.port)

    def test_the_same_port_widens_to_every_address_and_back(self):
        node = self.begin({"/a": "hello"})
        for host in ("0.0.0.0", "127.0.0.1"):
            self.listening(node, plain(node.port, host))
            self.reload(node)
            for _ in range(8):
                self.assertEqual(self.get(node.port), b"hello")
        self.refused(node.port, "127.0.0.2")

    @contextlib.contextmanager
    def viewers(self, port):
        """Two of them ask all the while, each time on a new connection, and always get an answer."""
        over, failures, answers = threading.Event(), [], []

        def viewer():
            while not over.is_set():
                try:
                    answers.append(self.get(port))
                except OSError as error:
                    failures.append(error)
        threads = [threading.Thread(target=viewer) for _ in range(2)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            over.set()
            for thread in threads:
                thread.join()
        self.assertEqual(failures, [])
        self.assertEqual(set(answers), {b"hello"})

    def test_no_request_fails_while_others_come_and_go(self):
        node = self.begin({"/a": "hello"})
        with self.viewers(node.port):
            for _ in range(4):
                extra = sg.free_port()
                self.listening(node, plain(extra), plain(node.port))
                self.reload(node)
                self.assertEqual(self.get(extra), b"hello")
                self.listening(node, plain(node.port))
                self.reload(node)
                self.refused(extra)

    def test_no_request_fails_while_the_port_widens_and_narrows(self):
        node = self.begin({"/a": "hello"})
        with self.viewers(node.port):
            for host in ("0.0.0.0", "127.0.0.1") * 4:
                self.listening(node, plain(node.port, host))
                self.reload(node)

    def test_settings_of_one_change_for_connections_old_and_new(self):
        node = self.begin({"/a": "hello"})
        kept = node.connect()
        kept.request("GET", "/a")
        sg.Answer(kept.getresponse())
        self.listening(node, plain(node.port, more=", forwarded: [127.0.0.0/8], backlog: 17"))
        self.assertEqual(self.reload(node), [])
        self.assertEqual(self.backlogs(node.port), {"17"})
        node.get("/a", {"Forwarded": "for=192.0.2.7"})
        log = [sg.json.loads(line) for line in
               node.sgctl("--json", "log").stdout.splitlines()]
        self.assertEqual(log[-1]["client"], "192.0.2.0")
        self.listening(node, plain(node.port, more=", proxy_protocol: [127.0.0.0/8]"))
        self.reload(node)
        with self.assertRaises((OSError, http.client.HTTPException)):
            self.get(node.port)
        kept.request("GET", "/a")
        self.assertEqual(sg.Answer(kept.getresponse()).body, b"hello")

    @staticmethod
    def backlogs(port):
        done = sg.subprocess.run(["ss", "-Hltn", f"sport = :{port}"], capture_output=True,
                                 text=True, check=True)
        return {line.split()[2] for line in done.stdout.splitlines()}

    @sg.unittest.skipUnless(os.geteuid() == 0, "only root can give root up")
    def test_a_low_port_is_added_after_root_was_dropped(self):
        self.folder.chmod(0o755)
        self.text = None
        node = self.node(self.origin({"/a": "hello"}), start=False, config=CONFIG.replace(
            "node: {", "node: {user: nobody, "))
        self.text = node.file.read_text()
        self.listening(node, plain(node.port))
        node.start()
        low = next(port for port in range(1023, 600, -1) if self.is_free(port))
        self.listening(node, plain(node.port, "0.0.0.0"), plain(low))
        self.reload(node)
        self.assertEqual(self.get(low), b"hello")
        self.assertEqual(self.get(node.port), b"hello")

    @staticmethod
    def is_free(port):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return True
        return False


if __name__ == "__main__":
    sg.main()
