#!/usr/bin/env python3
"""All at once on a node that is far too small: objects of all sizes, ranges, purges, changed content,
viewers who leave in the middle; every byte that comes is checked. SG_SOAK_S: for how long (4)."""
import hashlib
import os
import random
import socket
import threading
import time

import sg

CONFIG = """
node: {name: edge1, workers: 2, state_dir: {folder}/state, run_dir: {folder}/run, drain_s: 5}
listeners: [{address: "127.0.0.1:{port}"}]
admin: {address: "127.0.0.1:{admin_port}"}
cache: {ram_bytes: 48MiB, disk_path: "{folder}/volume", disk_bytes: 64MiB, slice_bytes: 64KiB}
tenants: [{name: films}]
origins: [{name: studio, urls: [{url: "{origin}"}]}]
sites: [{name: films, tenant: films, hosts: ["*"], origin: studio, access: public}]
"""
SIZES = [1, 700, 5_000, 65_535, 65_536, 65_537, 300_000, 1_500_000, 4_000_001]
PATHS = [f"/{size}/{i}" for size in SIZES for i in range(12)]


def body_of(path, version):
    """Bytes that tell path and version at every offset."""
    size = int(path.split("/")[1])
    seed = hashlib.sha256(f"{path} {version}".encode()).digest() * 128
    return (seed * (size // len(seed) + 1))[:size]


class Soak(sg.Scenario):
    def setUp(self):
        super().setUp()
        self.version = {path: 0 for path in PATHS}
        self.promised = dict(self.version)
        self.studio = self.origin({path: self.answer for path in PATHS})
        self.edge = self.node(self.studio, CONFIG)
        self.wrong, self.stop, self.checked = [], threading.Event(), 0

    def answer(self, handler):
        version = self.version[handler.path]
        body = body_of(handler.path, version)
        fields = {"Cache-Control": "max-age=3600", "ETag": f'"{version}"', "X-Version": str(version)}
        asked = handler.headers.get("Range")
        if asked is None or handler.headers.get("If-Range", f'"{version}"') != f'"{version}"':
            sg.reply(handler, 200, body, fields)
            return
        first, last = (int(n or len(body)) for n in asked.split("=")[1].split("-"))
        last = min(last, len(body) - 1)
        if first > last:
            sg.reply(handler, 416, b"", {**fields, "Content-Range": f"bytes */{len(body)}"})
            return
        fields["Content-Range"] = f"bytes {first}-{last}/{len(body)}"
        sg.reply(handler, 206, body[first:last + 1], fields)

    def check(self, path, least, answer, first=0, last=None):
        version = int(answer.fields.get("x-version", "-1"))
        body = body_of(path, version)
        part = body[first:len(body) if last is None else last + 1]
        if answer.status not in (200, 206) or version < least or answer.body != part:
            self.wrong.append((path, least, version, answer.status, first, last, len(answer.body)))
        self.checked += 1

    def view(self, seed):
        chance = random.Random(seed)
        while not self.stop.is_set():
            path = chance.choice(PATHS)
            least, size, fields, first, last = self.promised[path], int(path.split("/")[1]), {}, 0, None
            if chance.random() < 0.5:
                first = chance.randrange(size)
                last = min(size - 1, first + chance.randrange(200_000))
                fields["Range"] = f"bytes={first}-{last}"
            try:
                self.check(path, least, self.edge.get(path, fields), first, last)
            except (OSError, sg.http.client.HTTPException) as error:
                if not self.changed(path, least):  # else a part of the new could not be had
                    self.wrong.append((path, repr(error)))

    def changed(self, path, since):
        return self.version[path] != since

    def leave(self, seed):
        chance = random.Random(seed)
        while not self.stop.is_set():
            with socket.create_connection(("127.0.0.1", self.edge.port)) as viewer:
                path = chance.choice(PATHS)
                viewer.sendall(f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
                if chance.random() < 0.7:
                    viewer.recv(chance.randrange(1, 100_000))

    def purge(self, seed):
        chance = random.Random(seed)
        while not self.stop.wait(0.1):
            path = chance.choice(PATHS)
            self.version[path] += 1
            now = self.version[path]
            self.edge.sgctl("purge", "url", f"http://any.example{path}")
            self.promised[path] = now

    def test_every_byte_is_right(self):
        threads = [threading.Thread(target=what, args=(i,)) for i, what in
                   enumerate([self.view, self.view, self.view, self.leave, self.purge])]
        for thread in threads:
            thread.start()
        time.sleep(float(os.environ.get("SG_SOAK_S", "4")))
        self.stop.set()
        for thread in threads:
            thread.join()
        self.assertEqual(self.wrong, [])
        self.assertGreater(self.checked, 10)
        counters = self.edge.status()["counters"]
        told = {name: counters[name] for name in ("disk_reads", "disk_errors", "evicted_slices",
                                                  "origin_fetches") if name in counters}
        print(f"{self.checked} answers checked, {sum(self.version.values())} purges; {told}")
        self.assertEqual(counters["disk_errors"], 0)
        self.assertEqual(self.edge.stop(), 0)


if __name__ == "__main__":
    sg.main()
