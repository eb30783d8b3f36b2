#!/usr/bin/env python3
"""What the node tells systemd, heard on a real notify socket; and the units, by systemd-analyze."""
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import time

import sg

UNITS = pathlib.Path(__file__).resolve().parents[2] / "images/systemd"


class Notify(sg.Scenario):
    def listening(self):
        path = str(self.folder / "notify")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(self.socket.close)
        self.socket.bind(path)
        self.socket.settimeout(sg.PATIENCE_S)
        return ["env", f"NOTIFY_SOCKET={path}"]

    def heard(self, word):
        """The fields of the next message that has `word`, whatever came before it."""
        end = time.monotonic() + sg.PATIENCE_S
        while time.monotonic() < end:
            fields = dict(line.split("=", 1) for line in self.socket.recv(4096).decode().split("\n"))
            if word in fields:
                return fields
        raise AssertionError(f"{word} was not told")

    def node_heard(self):
        node = self.node(self.origin({"/a": "hello"}), start=False)
        node.start(before=self.listening())
        self.assertEqual(self.heard("READY"), {"READY": "1", "STATUS": "serving",
                                               "MAINPID": str(node.process.pid)})
        return node

    def test_it_says_that_it_is_ready_alive_and_stopping(self):
        node = self.node_heard()
        for _ in range(2):  # WatchdogSec is 30
            before = time.monotonic()
            self.assertEqual(self.heard("WATCHDOG"), {"WATCHDOG": "1"})
            self.assertLess(time.monotonic() - before, 15)
        node.signal(signal.SIGTERM)
        self.assertEqual(self.heard("STOPPING"), {"STOPPING": "1", "STATUS": "draining"})
        self.assertEqual(node.process.wait(sg.PATIENCE_S), 0)

    def test_a_reload_is_told_from_its_begin_to_its_end_as_type_notify_reload_asks(self):
        node = self.node_heard()
        before_us = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        node.signal(signal.SIGHUP)
        told = self.heard("RELOADING")
        now_us = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        self.assertLessEqual(before_us, int(told["MONOTONIC_USEC"]))
        self.assertLessEqual(int(told["MONOTONIC_USEC"]), now_us)
        self.assertEqual(self.heard("READY"), {"READY": "1", "STATUS": "serving"})

    def test_a_refused_reload_is_in_the_status_whoever_asked_for_it(self):
        node = self.node_heard()
        good = node.file.read_text()
        refused = "serving; the last reload was refused"
        node.file.write_text("broken: [")
        node.signal(signal.SIGHUP)
        self.assertEqual(self.heard("READY")["STATUS"], refused)
        node.file.write_text(good)
        node.sgctl("reload")
        self.assertEqual(self.heard("STATUS")["STATUS"], "serving")
        node.file.write_text(good + "cash: 1\n")
        self.assertEqual(node.sgctl("reload", check=False).returncode, 1)
        self.assertEqual(self.heard("STATUS")["STATUS"], refused)

    def test_a_successor_becomes_the_main_process(self):
        node = self.node_heard()
        node.signal(signal.SIGUSR2)
        told = self.heard("MAINPID")
        successor = int(told["MAINPID"])
        self.addCleanup(os.kill, successor, signal.SIGKILL)
        self.assertNotEqual(successor, node.process.pid)
        self.assertEqual(told["READY"], "1")
        self.assertEqual(node.process.wait(sg.PATIENCE_S), 0)
        self.assertEqual(self.heard("WATCHDOG"), {"WATCHDOG": "1"})  # and no STOPPING of the old one


@sg.unittest.skipUnless(shutil.which("systemd-analyze"), "no systemd-analyze on this machine")
class Units(sg.Scenario):
    def analyze(self, *words):
        done = subprocess.run(["systemd-analyze", *words], capture_output=True, text=True,
                              check=False)
        return done.returncode, done.stdout + done.stderr

    def test_the_units_are_right_where_the_programs_are(self):
        for file in UNITS.iterdir():
            if file.suffix in (".service", ".socket"):
                text = file.read_text().replace("/usr/sbin/streamgated", sg.STREAMGATED)
                text = re.sub("Documentation=.*\n", "", text.replace("/usr/bin/sgctl", sg.SGCTL))
                (self.folder / file.name).write_text(text)
        for file in self.folder.glob("streamgated*"):
            status, said = self.analyze("verify", "--man=no", str(file))
            self.assertEqual((status, said), (0, ""), file.name)

    def test_the_units_expose_little(self):
        for file in UNITS.glob("*.service"):
            status, said = self.analyze("security", "--offline=true", "--threshold=25", str(file))
            self.assertEqual(status, 0, said)


if __name__ == "__main__":
    sg.main()
