#!/usr/bin/env python3
"""The disk tier as a viewer sees it: a restart is warm, and a kill at any moment never brings a wrong
byte or something purged back. SG_KILLS: how often the node is killed under load (3)."""
import os
import random
import threading
import time

import sg

CONFIG = """
node: {name: edge1, workers: 2, state_dir: {folder}/state, run_dir: {folder}/run, drain_s: 5}
listeners: [{address: "127.0.0.1:{port}"}]
admin: {address: "127.0.0.1:{admin_port}"}
cache: {ram_bytes: 64MiB, disk_path: "{folder}/volume", disk_bytes: 200MiB, slice_bytes: 256KiB}
tenants: [{name: films}]
origins: [{name: studio, urls: [{url: "{origin}"}]}]
sites: [{name: films, tenant: films, hosts: ["*"], origin: studio, access: public, methods: [PUT]}]
"""
COMMIT_S = 1.0  # longer than the index waits before it commits
PATHS = [f"/{i}" for i in range(120)]


def body_of(path):
    """Bytes that tell their path, from 1 B to 3 MiB."""
    number = int(path[1:])
    size = (number * 48_271 % 6_007) + 1 if number % 3 else number * 26_214 + 1
    return random.Random(number).randbytes(size)


BODIES = {path: body_of(path) for path in PATHS}


class Mortal(sg.Scenario):
    edge = None

    def lives(self, during, wrong):
        """Kills the node, again and again, while threads of `during` (called with stop and a seed)
        are at it."""
        for life in range(int(os.environ.get("SG_KILLS", "3"))):
            stop = threading.Event()
            threads = [threading.Thread(target=each, args=(stop, wrong, life * 10 + i))
                       for i, each in enumerate(during)]
            for thread in threads:
                thread.start()
            time.sleep(random.Random(life).uniform(0.1, 1.2))
            self.edge.kill()
            stop.set()
            for thread in threads:
                thread.join()
            self.edge.start()


class Disk(Mortal):
    def setUp(self):
        super().setUp()
        self.studio = self.origin({
            path: lambda handler, body=body: sg.reply(
                handler, 200, body, {"Cache-Control": "max-age=3600", "ETag": f'"{len(body)}"'})
            for path, body in BODIES.items()})
        self.edge = self.node(self.studio, CONFIG)

    def hits(self):
        return sum(self.studio.hits.values())

    def test_a_restart_is_warm(self):
        some = PATHS[:40]
        for path in some:
            self.assertEqual(self.edge.get(path).body, BODIES[path])
        time.sleep(COMMIT_S)
        self.assertEqual(self.edge.stop(), 0)
        asked = self.hits()
        self.edge.start()
        for path in some:
            self.assertEqual(self.edge.get(path).body, BODIES[path])
        self.assertEqual(self.hits(), asked)
        sg.until(lambda: self.edge.counter("disk_reads") > 0, "the counters say so")

    def test_a_range_of_what_lies_on_disk_is_read_back(self):
        path = PATHS[39]
        self.edge.get(path)
        time.sleep(COMMIT_S)
        self.edge.kill()
        asked = self.hits()
        self.edge.start()
        answer = self.edge.get(path, {"Range": "bytes=600000-600099"})
        self.assertEqual((answer.status, answer.body), (206, BODIES[path][600000:600100]))
        self.assertEqual(self.hits(), asked)

    def test_what_ranges_brought_is_read_back(self):
        body, asked = BODIES[PATHS[-3]], []

        def part(handler):
            asked.append(handler.headers.get("Range"))
            first, last = (int(n) for n in asked[-1].split("=")[1].split("-"))
            last = min(last, len(body) - 1)
            handler.send_response(206)
            handler.send_header("Cache-Control", "max-age=3600")
            handler.send_header("ETag", '"1"')
            handler.send_header("Content-Length", str(last + 1 - first))
            handler.send_header("Content-Range", f"bytes {first}-{last}/{len(body)}")
            handler.end_headers()
            handler.wfile.write(body[first:last + 1])
        self.studio.content["/film.mp4"] = part
        for at in (600_000, 1_300_000):
            answer = self.edge.get("/film.mp4", {"Range": f"bytes={at}-{at + 99}"})
            self.assertEqual((answer.status, answer.body), (206, body[at:at + 100]))
        time.sleep(COMMIT_S)
        self.edge.kill()
        self.edge.start()
        for at in (600_000, 1_300_000):
            answer = self.edge.get("/film.mp4", {"Range": f"bytes={at}-{at + 99}"})
            self.assertEqual((answer.status, answer.body), (206, body[at:at + 100]))
        self.assertEqual(len(asked), 2)
        self.assertEqual(self.edge.get("/film.mp4").body, body)

    def test_what_was_changed_does_not_come_back_from_disk(self):
        for path in PATHS[:6]:
            self.edge.get(path)
        time.sleep(COMMIT_S)
        self.edge.kill()
        self.edge.start()
        for path in PATHS[:6]:
            self.edge.get(path, method="PUT")
        before = dict(self.studio.hits)
        for path in PATHS[:6]:
            self.assertEqual(self.edge.get(path).body, BODIES[path])
            self.assertEqual(self.studio.hits[path], before[path] + 1)

    def test_what_was_purged_does_not_come_back_from_disk(self):
        for path in PATHS[:6]:
            self.edge.get(path)
        time.sleep(COMMIT_S)
        for path in PATHS[:6]:
            self.edge.sgctl("purge", "url", f"https://any.example{path}")
        self.edge.kill()
        before = dict(self.studio.hits)
        self.edge.start()
        for path in PATHS[:6]:
            self.assertEqual(self.edge.get(path).body, BODIES[path])
            self.assertEqual(self.studio.hits[path], before[path] + 1)

    def load(self, stop, wrong, seed):
        chance = random.Random(seed)
        while not stop.is_set():
            path = chance.choice(PATHS)
            try:
                answer = self.edge.get(path)
            except Exception:  # the node was killed under us
                continue
            if answer.status != 200 or answer.body != BODIES[path]:
                wrong.append(path)

    def test_killed_at_any_moment_it_never_gives_a_wrong_byte(self):
        wrong = []
        self.lives([self.load] * 3, wrong)
        for path in PATHS:
            self.assertEqual(self.edge.get(path).body, BODIES[path])
        self.assertEqual(wrong, [])


GATED = """
node: {name: edge1, region: eu, workers: 2, state_dir: {folder}/state, run_dir: {folder}/run}
listeners: [{address: "127.0.0.1:{port}"}]
admin: {address: "127.0.0.1:{admin_port}"}
cache: {ram_bytes: 64MiB, disk_path: "{folder}/volume", disk_bytes: 200MiB, slice_bytes: 256KiB}
tenants: [{name: films, secret_file: "{secret}"}]
origins: [{name: studio, urls: [{url: "{origin}"}]}]
sites:
  - {name: gated, tenant: films, hosts: ["*"], path: /gated/, origin: studio, access: token}
  - {name: open, tenant: films, hosts: ["*"], path: /, origin: studio, access: public}
"""


class Promises(Mortal):
    """What sgctl said is done stays done, whatever kills the node when."""

    def setUp(self):
        super().setUp()
        secret = self.folder / "secret"
        secret.write_text("0123456789abcdef0123456789abcdef\n")
        self.version = {f"/v/{i}": 0 for i in range(40)}  # of what the origin has
        self.promised = dict(self.version)  # nothing older may be served
        content = {path: self.answer for path in self.version}
        self.studio = self.origin({**content, "/gated/a": "hello"})
        self.edge = self.node(self.studio, GATED.replace("{secret}", str(secret)))
        self.revoked = []

    def answer(self, handler):
        body = f"{handler.path} {self.version[handler.path]} ".encode() * 3000
        sg.reply(handler, 200, body, {"Cache-Control": "max-age=3600"})

    def view(self, stop, wrong, seed):
        chance = random.Random(seed)
        while not stop.is_set():
            path = chance.choice(list(self.version))
            least = self.promised[path]
            try:
                answer = self.edge.get(path)
            except Exception:
                continue
            words = set(answer.text.split(" ")) - {"", path}
            if answer.status != 200 or len(words) != 1 or int(min(words)) < least:
                wrong.append((path, least, answer.status, words))

    def purge(self, stop, _, seed):
        chance = random.Random(seed)
        while not stop.is_set():
            path = chance.choice(list(self.version))
            self.version[path] += 1
            now = self.version[path]
            done = self.edge.sgctl("purge", "url", f"https://any.example{path}", check=False)
            if done.returncode == 0:
                self.promised[path] = now

    def revoke(self, stop, *_):
        while not stop.is_set():
            minted = self.edge.sgctl("token", "mint", "--path", "/gated/", check=False)
            token = minted.stdout.strip()
            if minted.returncode == 0 and \
                    self.edge.sgctl("token", "revoke", token, check=False).returncode == 0:
                self.revoked.append(token)
            stop.wait(0.05)

    def test_killed_at_any_moment_it_loses_no_purge_and_no_revocation(self):
        wrong = []
        self.lives([self.view, self.view, self.purge, self.revoke], wrong)
        for path, least in self.promised.items():
            words = self.edge.get(path).text.split(" ")
            self.assertGreaterEqual(int(words[1]), least)
        self.assertEqual(wrong, [])
        self.assertGreater(sum(self.promised.values()), 0)
        self.assertGreater(len(self.revoked), 0)
        for token in self.revoked:
            answer = self.edge.get("/gated/a", {"CTA-Common-Access-Token": token})
            self.assertEqual((answer.status, answer.text.split(":")[0]), (403, "token_revoked"))
        print(f"purges kept: {sum(v > 0 for v in self.promised.values())} paths, up to version "
              f"{max(self.promised.values())}; revocations kept: {len(self.revoked)}")


if __name__ == "__main__":
    sg.main()
