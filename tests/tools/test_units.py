#!/usr/bin/env python3
"""The systemd units are right and confine what they start, as far as systemd-analyze can tell without
a systemd that runs: usage: test_units.py STREAMGATED SGCTL."""
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

UNITS = pathlib.Path(__file__).resolve().parents[2] / "images/systemd"
EXPOSURE_MAX = "25"  # of 100
SKIPPED = 77


class Units(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="sg-units-"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.units = []
        programs = {"/usr/sbin/streamgated": STREAMGATED, "/usr/bin/sgctl": SGCTL}
        for name, program in programs.items():  # by links: in a unit a path with blanks is two words
            (self.folder / pathlib.Path(name).name).symlink_to(program)
        for unit in sorted([*UNITS.glob("*.service"), *UNITS.glob("*.socket")]):
            text = unit.read_text()
            for name in programs:
                text = text.replace(name, str(self.folder / pathlib.Path(name).name))
            text = "".join(line for line in text.splitlines(True) if "Documentation=" not in line)
            (self.folder / unit.name).write_text(text)
            self.units.append(str(self.folder / unit.name))

    def test_they_say_nothing_wrong(self):
        self.assertGreaterEqual(len(self.units), 3)
        done = subprocess.run(["systemd-analyze", "verify", *self.units], capture_output=True,
                              text=True, check=False)
        told = [line for line in (done.stdout + done.stderr).splitlines() if str(self.folder) in line
                or "streamgate" in line]
        self.assertEqual(told, [])

    def test_they_confine_what_they_start(self):
        for unit in self.units:
            if unit.endswith(".service"):
                done = subprocess.run(["systemd-analyze", "security", "--offline=true",
                                       f"--threshold={EXPOSURE_MAX}", unit],
                                      capture_output=True, text=True, check=False)
                self.assertEqual(done.returncode, 0, done.stdout[-300:] + done.stderr)


if __name__ == "__main__":
    if shutil.which("systemd-analyze") is None:
        print("no systemd-analyze on this machine")
        sys.exit(SKIPPED)
    STREAMGATED, SGCTL = (str(pathlib.Path(program).resolve()) for program in sys.argv[1:3])
    unittest.main(argv=sys.argv[:1])
