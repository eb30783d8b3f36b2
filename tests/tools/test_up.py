#!/usr/bin/env python3
"""What tools/up starts, with a short stream: test_up.py BINARIES."""
import contextlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest
import urllib.error
import urllib.request

TOP = pathlib.Path(__file__).resolve().parents[2]
BINARIES = None
PORT = "22100"


def missing():
    path = os.environ.get("PATH", "") + ":/usr/sbin"
    return [name for name in ("ffmpeg", "nginx", "openssl", "curl")
            if not shutil.which(name, path=path)]


class Up(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.dir = tempfile.TemporaryDirectory(prefix="a path with blanks, and too long for the name of a socket in it " * 2)
        cls.addClassCleanup(cls.dir.cleanup)
        subprocess.run([TOP / "tools/media", f"{cls.dir.name}/card"], check=True,
                       env={**os.environ, "MEDIA_SECONDS": "4"})
        shutil.copytree(TOP / "tools/player", f"{cls.dir.name}/page")

    def command(self, *more):
        here = self.dir.name
        return [sys.executable, TOP / "tools/demo/run.py", "--binaries", BINARIES,
                "--media", f"{here}/card", "--page", f"{here}/page", "--run", f"{here}/run",
                "--port", PORT, "--json", *more]

    def test_once_fetches_a_gated_segment_and_stops(self):
        done = subprocess.run(self.command("--once"), capture_output=True, text=True, timeout=60,
                              check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("token", json.loads(done.stdout))

    def test_what_it_prints_plays_until_ctrl_c(self):
        with subprocess.Popen(self.command(), stdout=subprocess.PIPE, text=True) as child:
            told = json.loads(child.stdout.readline())
            with self.assertRaises(urllib.error.HTTPError) as refused:
                urllib.request.urlopen(told["hls"])
            self.assertEqual(refused.exception.code, 401)
            refused.exception.close()
            with urllib.request.urlopen(told["hls_with_token"]) as playlist:
                self.assertIn(b"media_0.m3u8", playlist.read())
            again = subprocess.run(self.command("--once"), capture_output=True, text=True, timeout=60,
                                   check=False)
            self.assertEqual(again.returncode, 1)
            self.assertIn("it runs in this checkout already", again.stderr)
            with urllib.request.urlopen(told["page"]) as page:
                self.assertIn(b"page.mjs", page.read())
            with contextlib.ExitStack() as otherwise:
                otherwise.callback(child.terminate)
                self.check_user(told["config"])
                otherwise.pop_all()
            child.send_signal(signal.SIGINT)
            self.assertEqual(child.wait(20), 0)
        with self.assertRaises(urllib.error.URLError):
            urllib.request.urlopen(told["page"])

    def check_user(self, config):
        """The node is nobody special, whoever started it; and can read its file for a reload."""
        sgctl = [f"{BINARIES}/sgctl", "--config", config]
        told = subprocess.run([*sgctl, "--json", "status"], stdout=subprocess.PIPE, check=True)
        uid = os.stat(f"/proc/{json.loads(told.stdout)['pid']}").st_uid
        self.assertNotEqual(uid, 0)
        if os.geteuid() != 0:
            self.assertEqual(uid, os.geteuid())
        subprocess.run([*sgctl, "reload"], check=True, stdout=subprocess.DEVNULL)

    def test_one_set_of_segments_is_under_both_manifests(self):
        card = pathlib.Path(self.dir.name, "card")
        named = (card / "media_0.m3u8").read_text(encoding="utf-8").split()
        segments = {word for word in named if word.endswith(".m4s")}
        self.assertEqual(segments, {path.name for path in card.glob("seg-0-*.m4s")})
        manifest = (card / "manifest.mpd").read_text(encoding="utf-8")
        self.assertIn('media="seg-$RepresentationID$-$Number%05d$.m4s"', manifest)
        self.assertEqual(manifest.count("<Representation "), 4)


if __name__ == "__main__":
    BINARIES = sys.argv.pop(1)
    if missing():
        print(f"skipped: no {', '.join(missing())} here")
        sys.exit(77)
    unittest.main()
