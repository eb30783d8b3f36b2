#!/usr/bin/env python3
"""A machine that is short of something, or whose disk fails: a clear answer, and the rest goes on."""
import contextlib
import os
import pathlib
import resource
import socket
import subprocess
import unittest

import sg

CONFIG = """
node: {name: edge1, workers: 1, state_dir: {folder}/state, run_dir: {folder}/run, drain_s: 1}
listeners: [{address: "127.0.0.1:{port}"}]
admin: {address: "127.0.0.1:{admin_port}"}
cache: {ram_bytes: 24MiB, disk_path: "{folder}/volume", disk_bytes: 64MiB, slice_bytes: 64KiB}
tenants: [{name: films}]
origins: [{name: studio, urls: [{url: "{origin}"}]}]
sites: [{name: films, tenant: films, hosts: ["*"], origin: studio, access: public}]
"""
BODY = bytes(range(256)) * 4096  # 1 MiB
PATHS = [f"/{i}" for i in range(40)]  # more than fits into memory


class Trouble(sg.Scenario):
    def setUp(self):
        super().setUp()
        self.studio = self.origin({path: self.answer for path in PATHS})

    @staticmethod
    def answer(handler):
        """With a strong validator: what the disk lost of it can be fetched and put in its place."""
        fields = {"Cache-Control": "max-age=3600", "ETag": f'"{handler.path}"'}
        sg.reply(handler, 200, handler.path.encode() + BODY, fields)

    def see(self, node, paths=tuple(PATHS)):
        for path in paths:
            answer = node.get(path)
            self.assertEqual((answer.status, answer.body), (200, path.encode() + BODY))

    @staticmethod
    def path(node, what):
        return next(path for path in node.status()["paths"] if path["what"] == what)

    def test_a_disk_that_can_not_be_read_is_told_and_done_without(self):
        node = self.node(self.studio, CONFIG)
        self.see(node)
        sg.until(lambda: node.counter("disk_kept") >= len(PATHS) - 1, "they are written")
        os.truncate(node.folder / "volume", 1 << 20)  # empty reads, and holes where it grows again
        self.see(node)
        self.see(node)
        sg.until(lambda: node.counter("disk_read_errors") > 0, "the counter says so")
        self.assertEqual(node.counter("disk_write_errors") + node.counter("disk_index_errors"), 0)
        self.assertIn("volume: reading failed at byte ", node.said())

    def test_a_disk_that_can_not_be_written_is_told_and_done_without(self):
        node = self.node(self.studio, CONFIG)
        resource.prlimit(node.process.pid, resource.RLIMIT_FSIZE, (1 << 20, resource.RLIM_INFINITY))
        self.see(node)
        self.see(node)
        sg.until(lambda: self.path(node, "disk")["used"] == "read-only", "status says so")
        self.assertGreater(node.counter("disk_write_errors"), 7)
        self.assertIn("File too large", node.said())

    def test_a_disk_without_room_for_the_volume_is_told_at_start_and_the_node_serves(self):
        with self.small_disk() as folder:
            config = CONFIG.replace("{folder}/volume", f"{folder}/volume")
            node = self.node(self.studio, config)
            self.assertIn("No space left on device", node.said())
            self.assertEqual(self.path(node, "disk")["used"], "none")
            self.see(node, PATHS[:3])
            node.stop()

    def test_a_full_disk_under_the_state_refuses_purges_and_the_node_serves(self):
        with self.small_disk() as folder:
            node = self.node(self.studio, CONFIG.replace("{folder}/state", f"{folder}/state"))
            self.see(node, PATHS[:3])
            balloon = pathlib.Path(folder) / "balloon"
            with contextlib.suppress(OSError), balloon.open("wb") as file:
                while True:
                    os.write(file.fileno(), bytes(4096))
            refused = sg.until(lambda: self.purge_refused(node), "a purge is refused")
            self.assertIn("No space left on device", refused)
            self.see(node)
            sg.until(lambda: self.path(node, "disk")["used"] == "blind", "status says so")
            self.assertGreater(node.counter("disk_index_errors"), 0)
            balloon.unlink()
            node.sgctl("purge", "url", "http://any.example/0")
            before = self.studio.hits["/0"]
            self.see(node, ["/0"])
            self.assertEqual(self.studio.hits["/0"], before + 1)
            sg.until(lambda: self.path(node, "disk")["used"] == "direct" or
                     self.path(node, "disk")["used"] == "page-cache", "the index is back")
            node.stop()

    @staticmethod
    def purge_refused(node):
        done = node.sgctl("purge", "url", "http://any.example/0", check=False)
        return done.stdout + done.stderr if done.returncode != 0 else None

    @contextlib.contextmanager
    def small_disk(self):
        """A file system of 6 MiB."""
        if os.geteuid() != 0:
            raise unittest.SkipTest("needs root, to mount a small file system")
        folder = self.folder / "small"
        folder.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", folder]
        if subprocess.run(mount, capture_output=True).returncode != 0:
            raise unittest.SkipTest("no file system can be mounted here")
        try:
            yield folder
        finally:
            subprocess.run(["umount", "-l", folder], check=True)

    def test_without_descriptors_who_is_there_is_served_and_others_once_there_are_some(self):
        node = self.node(self.studio, CONFIG)
        pid = node.process.pid
        self.see(node, PATHS[:1])
        with socket.create_connection(("127.0.0.1", node.port)) as viewer:
            viewer.sendall(b"GET /0 HTTP/1.1\r\nHost: a\r\n\r\n")
            self.assertTrue(viewer.recv(100).startswith(b"HTTP/1.1 200"))
            before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
            used = max(int(fd) for fd in os.listdir(f"/proc/{pid}/fd")) + 1
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (used, before[1]))
            others = [socket.create_connection(("127.0.0.1", node.port)) for _ in range(8)]
            got = 0
            while got < len(BODY):
                got += len(viewer.recv(1 << 20))
            viewer.sendall(b"GET /0 HTTP/1.1\r\nHost: a\r\n\r\n")
            self.assertTrue(viewer.recv(100).startswith(b"HTTP/1.1 200"))
            resource.prlimit(pid, resource.RLIMIT_NOFILE, before)
            for other in others:
                other.close()
        sg.until(lambda: self.is_served(node), "others are served again")
        self.assertEqual(node.stop(), 0)

    def is_served(self, node):
        try:
            return node.get("/0").status == 200
        except OSError:
            return False


if __name__ == "__main__":
    sg.main()
