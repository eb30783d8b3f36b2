#!/usr/bin/env python3
"""tools/demo/processes.py: what it starts ends with who started it."""
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
import unittest

DEMO = pathlib.Path(__file__).resolve().parents[2] / "tools/demo"
STARTER = """
import sys, time
sys.path.insert(0, sys.argv[1])
from processes import Child, ports_from
port = ports_from(22120, 1)[0]
child = Child("server", [sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1"],
              sys.argv[2], port)
print(child.process.pid, child.guard.pid, flush=True)
sys.stdin.read()
child.stop()
"""


def gone(pid):
    try:
        state = pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")")[1].split()
        return state[0] == "Z"
    except OSError:
        return True


class Processes(unittest.TestCase):
    def started(self):
        log = tempfile.NamedTemporaryFile()
        self.addCleanup(log.close)
        child = subprocess.Popen([sys.executable, "-c", STARTER, DEMO, log.name], text=True,
                                 stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.addCleanup(child.stdout.close)
        return child, [int(pid) for pid in child.stdout.readline().split()]

    def until_gone(self, pids):
        end = time.monotonic() + 20
        while not all(gone(pid) for pid in pids):
            self.assertLess(time.monotonic(), end, "still there")
            time.sleep(0.02)

    def test_a_server_ends_with_a_starter_that_is_killed(self):
        child, pids = self.started()
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
        child.stdin.close()
        self.until_gone(pids)

    def test_stopped_it_leaves_no_guard(self):
        child, pids = self.started()
        child.communicate("")
        self.assertEqual(child.returncode, 0)
        self.until_gone(pids)


if __name__ == "__main__":
    unittest.main()
