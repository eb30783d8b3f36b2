#!/usr/bin/env python3
"""A new process takes over from a running one, and no viewer notices."""
import contextlib
import os
import signal
import socket
import threading
import time

import sg
from test_drain import slowly


def free_low_port():
    for port in range(1023, 600, -1):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError("no port below 1024 is free")


class Upgrade(sg.Scenario):
    def upgraded(self, node):
        """Asks for an upgrade; the new process's id once it serves."""
        old = node.process.pid
        node.signal(signal.SIGUSR2)

        def successor():
            try:
                pid = node.status()["pid"]
            except OSError:
                return None
            return pid if pid != old else None
        pid = sg.until(successor, "the new process answers")
        self.addCleanup(self.end, pid)
        return pid

    @staticmethod
    def end(pid):
        try:
            os.kill(pid, signal.SIGTERM)
            sg.until(lambda: not os.path.exists(f"/proc/{pid}/fd/0"), "the new process ends")
        except ProcessLookupError:
            pass

    def test_no_request_fails_while_the_new_process_takes_over(self):
        node = self.node(self.origin({"/a": "hello"}))
        over, failures, answers = threading.Event(), [], []

        def viewer():
            while not over.is_set():
                try:
                    answers.append(node.get("/a").body)
                except OSError as error:
                    failures.append(error)
        viewers = [threading.Thread(target=viewer) for _ in range(3)]
        for thread in viewers:
            thread.start()
        sg.until(lambda: len(answers) > 20, "requests run")
        self.upgraded(node)
        self.assertEqual(node.process.wait(sg.PATIENCE_S), 0)
        so_far = len(answers)
        sg.until(lambda: len(answers) > so_far + 20, "requests run on the new process")
        over.set()
        for thread in viewers:
            thread.join()
        self.assertEqual(failures, [])
        self.assertEqual(set(answers), {b"hello"})

    def test_a_download_of_the_old_process_is_finished(self):
        node = self.node(self.origin({"/slow": slowly(2), "/a": "hello"}))
        got = []
        viewer = threading.Thread(target=lambda: got.append(node.get("/slow")))
        viewer.start()
        sg.until(lambda: node.counter("origin_fetches") == 1, "the fetch has begun")
        self.upgraded(node)
        self.assertEqual(node.get("/a").body, b"hello")
        viewer.join()
        self.assertEqual(len(got[0].body), 10000)
        self.assertEqual(node.process.wait(sg.PATIENCE_S), 0)
        self.assertEqual(node.command("/readyz").status, 200)
        metrics = sg.http.client.HTTPConnection("127.0.0.1", node.admin_port, timeout=5)
        metrics.request("GET", "/readyz")
        self.assertEqual(metrics.getresponse().status, 200)
        metrics.close()

    def test_a_new_process_that_does_not_start_leaves_the_old_one_serving(self):
        node = self.node(self.origin({"/a": "hello"}))
        good = node.file.read_text()
        node.file.write_text("broken: [")
        node.signal(signal.SIGUSR2)
        sg.until(lambda: "ended before it took over" in node.said(), "the old one says so")
        self.assertEqual(node.get("/a").body, b"hello")
        node.file.write_text(good)
        time.sleep(0.1)
        self.upgraded(node)
        self.assertEqual(node.process.wait(sg.PATIENCE_S), 0)

    def test_listeners_that_a_reload_added_or_removed_are_what_goes_along(self):
        node = self.node(self.origin({"/a": "hello"}))
        first, second = node.port, sg.free_port()
        old = node.file.read_text()
        node.file.write_text(old.replace(f":{first}", f":{second}"))
        self.assertTrue(node.command("/v1/reload", "POST").json()["ok"])
        node.file.write_text(old.replace(
            f'{{address: "127.0.0.1:{first}"}}',
            f'{{address: "0.0.0.0:{second}"}}, {{address: "127.0.0.1:{second}"}}'))
        self.upgraded(node)
        self.assertEqual(node.process.wait(sg.PATIENCE_S), 0)
        node.port = second
        for _ in range(8):
            self.assertEqual(node.get("/a").body, b"hello")
        node.port = first
        with self.assertRaises(ConnectionRefusedError):
            node.get("/a")

    @sg.unittest.skipUnless(os.geteuid() == 0, "only root can give root up")
    def test_one_with_more_workers_takes_over_after_root_was_dropped(self):
        """Sockets for workers that the old process never had are opened without root, on a low port
        too."""
        os.chmod(self.folder, 0o755)
        port = free_low_port()
        config = sg.CONFIG.replace("node: {", "node: {user: nobody, ").replace("{port}", str(port))
        node = self.node(self.origin({"/a": "hello"}), config=config, start=False)
        node.port = port
        node.file.write_text(node.file.read_text().replace("workers: 2", "workers: 1"))
        node.start()
        self.assertEqual(node.status()["workers_running"], 1)
        node.file.write_text(node.file.read_text().replace("workers: 1", "workers: 3"))
        pid = self.upgraded(node)
        self.assertEqual(node.process.wait(sg.PATIENCE_S), 0)
        self.assertEqual(node.status()["workers_running"], 3)
        self.assertNotEqual(os.stat(f"/proc/{pid}").st_uid, 0)
        for _ in range(24):  # the kernel spreads them over all three sockets
            self.assertEqual(node.get("/a").body, b"hello")

    def test_the_disk_tier_goes_along(self):
        config = sg.CONFIG.replace("ram_bytes: 64MiB",
                                   "ram_bytes: 64MiB, disk_path: {folder}/disk, disk_bytes: 64MiB")
        source = self.origin({"/a": "hello"})
        node = self.node(source, config=config)
        node.get("/a")
        self.upgraded(node)
        self.assertEqual(node.process.wait(sg.PATIENCE_S), 0)
        self.assertNotIn("RAM only", node.said())
        self.assertEqual(node.get("/a").body, b"hello")
        self.assertEqual(source.hits["/a"], 1)

    def test_what_a_viewer_of_the_old_process_changes_the_new_one_does_not_serve_from_disk(self):
        config = sg.CONFIG.replace("ram_bytes: 64MiB",
                                   "ram_bytes: 64MiB, disk_path: {folder}/disk, disk_bytes: 64MiB")
        config = config.replace("access: public", "access: public, methods: [PUT]")
        reached, go_on = threading.Event(), threading.Event()

        def answer(handler):
            if handler.command == "PUT":
                reached.set()
                go_on.wait(sg.PATIENCE_S)
            sg.reply(handler, 200, "hello")
        source = self.origin({"/a": answer, "/b": "other"})
        node = self.node(source, config=config)
        self.assertEqual(node.get("/a").body, b"hello")
        self.assertEqual(node.get("/b").body, b"other")
        changer = threading.Thread(target=lambda: node.get("/a", method="PUT"))
        changer.start()
        reached.wait(sg.PATIENCE_S)  # the old process has it
        self.upgraded(node)
        self.assertEqual(node.get("/a").body, b"hello")
        self.assertEqual(source.hits["/a"], 2)  # the PUT is the second: this came from the disk
        go_on.set()
        changer.join()
        self.assertEqual(node.get("/a").body, b"hello")
        self.assertEqual(source.hits["/a"], 3)
        self.assertEqual(node.get("/b").body, b"other")
        self.assertEqual(source.hits["/b"], 1)

    def test_what_is_purged_while_the_old_process_drains_neither_serves(self):
        config = sg.CONFIG.replace("ram_bytes: 64MiB",
                                   "ram_bytes: 64MiB, disk_path: {folder}/disk, disk_bytes: 64MiB")
        source = self.origin({"/slow": slowly(2), "/a": "hello"})
        node = self.node(source, config=config)
        node.get("/a")
        viewer = threading.Thread(target=lambda: node.get("/slow"))  # keeps the old one up
        viewer.start()
        sg.until(lambda: node.counter("origin_fetches") == 2, "the fetch has begun")
        self.upgraded(node)
        self.assertIsNone(node.process.poll())
        node.sgctl("purge", "url", "http://any.example/a")
        self.assertEqual(node.get("/a").body, b"hello")
        self.assertEqual(source.hits["/a"], 2)
        viewer.join()


if __name__ == "__main__":
    sg.main()
