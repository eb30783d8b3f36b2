#!/usr/bin/env python3
"""docs/example.yaml is right: streamgated --check agrees, once its files are there.

usage: test_example.py STREAMGATED
"""
import getpass
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

TOP = pathlib.Path(__file__).resolve().parents[2]
STREAMGATED = None
PLACE = "/etc/streamgate/"


class Example(unittest.TestCase):
    def check(self, text):
        with tempfile.TemporaryDirectory() as place:
            for name in set(re.findall(PLACE + r"([\w.-]+)", text)):
                pathlib.Path(place, name).write_text("00" * 32 + "\n", encoding="ascii")
            self.make_certificates(place, text)
            text = text.replace(PLACE, place + "/").replace("user: streamgate",
                                                            f"user: {getpass.getuser()}")
            file = pathlib.Path(place, "example.yaml")
            file.write_text(text, encoding="utf-8")
            return subprocess.run([STREAMGATED, "--check", "--config", file], text=True,
                                  capture_output=True, check=False)

    def make_certificates(self, place, text):
        for cert, key in re.findall(rf"cert_file: {PLACE}(\S+)\s+key_file: {PLACE}(\S+)", text):
            kind = ["rsa:2048"] if "rsa" in key else ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
            subprocess.run(["openssl", "req", "-x509", "-newkey", *kind, "-nodes", "-days", "2",
                            "-subj", "/CN=films.example.org", "-keyout", f"{place}/{key}",
                            "-out", f"{place}/{cert}"], check=True, capture_output=True)

    def test_the_example_has_no_mistake(self):
        done = self.check((TOP / "docs/example.yaml").read_text(encoding="utf-8"))
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_what_the_readme_shows_is_in_the_example(self):
        shown = re.search(r"```yaml\n(.*?)```", (TOP / "README.md").read_text(encoding="utf-8"),
                          re.S)[1]
        example = (TOP / "docs/example.yaml").read_text(encoding="utf-8").splitlines()
        for line in shown.splitlines():
            self.assertIn(line, example)

    def test_a_mistake_is_told_with_its_line_and_what_would_be_right(self):
        text = (TOP / "docs/example.yaml").read_text(encoding="utf-8")
        line = next(n for n, l in enumerate(text.splitlines(), 1) if "access: public" in l)
        done = self.check(text.replace("access: public", "access: everybody"))
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, rf"example.yaml:{line}: .*access.*public")


if __name__ == "__main__":
    STREAMGATED = sys.argv.pop(1)
    if not shutil.which("openssl"):
        print("skipped: no openssl here")
        sys.exit(77)
    unittest.main()
