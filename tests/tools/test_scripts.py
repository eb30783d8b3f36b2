#!/usr/bin/env python3
"""tools/check-summary, tools/packages/install and the lint, on made-up input."""
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

TOP = pathlib.Path(__file__).resolve().parents[2]


def run(*command, cwd=TOP):
    return subprocess.run([str(word) for word in command], capture_output=True, text=True,
                          check=False, cwd=cwd)


class Summary(unittest.TestCase):
    def summary(self, *tests, broken=0):
        with tempfile.NamedTemporaryFile("w", suffix=".json") as log:
            for result, stdout in tests:
                log.write(json.dumps({"name": "t", "result": result, "stdout": stdout}) + "\n")
            log.flush()
            done = run(TOP / "tools/check-summary", "--broken", broken, log.name)
        return done.stdout.splitlines()[-1], done.returncode

    def test_a_tap_program_counts_by_its_points(self):
        self.assertEqual(self.summary(("OK", "1..3\nok 1 - a\nok 2 - b\nok 3 - c # SKIP no root\n")),
                         ("2 passed, 0 failed, 1 skipped", 0))

    def test_a_plain_program_counts_as_one(self):
        self.assertEqual(self.summary(("OK", "hello"), ("SKIP", "")),
                         ("1 passed, 0 failed, 1 skipped", 0))

    def test_a_crash_after_the_last_good_point_is_a_failure(self):
        self.assertEqual(self.summary(("ERROR", "ok 1 - a\n")),
                         ("1 passed, 1 failed, 0 skipped", 1))

    def test_a_bad_point_is_counted_once(self):
        self.assertEqual(self.summary(("FAIL", "ok 1 - a\nnot ok 2 - b\n")),
                         ("1 passed, 1 failed, 0 skipped", 1))

    def test_a_broken_build_fails_whatever_else_passed(self):
        self.assertEqual(self.summary(("OK", ""), broken=1), ("1 passed, 1 failed, 0 skipped", 1))

    def test_nothing_run_is_no_success(self):
        self.assertEqual(self.summary(), ("0 passed, 0 failed, 0 skipped", 1))

    def test_a_log_that_is_not_there_is_a_failure(self):
        done = run(TOP / "tools/check-summary", "/nonexistent/testlog.json")
        self.assertEqual((done.stdout.splitlines()[-1], done.returncode),
                         ("0 passed, 1 failed, 0 skipped", 1))


class Install(unittest.TestCase):
    def test_an_unknown_list_is_named(self):
        done = run(TOP / "tools/packages/install", "nosuch")
        self.assertEqual(done.returncode, 1)
        self.assertIn("no such list: nosuch", done.stderr)

    def test_without_apt_it_says_what_is_needed(self):
        done = subprocess.run([TOP / "tools/packages/install", "unit"], capture_output=True,
                              text=True, check=False, env={"PATH": self.path_without_apt()})
        self.assertEqual(done.returncode, 1)
        self.assertIn("libcmocka-dev", done.stderr)

    def path_without_apt(self):
        self.bin = tempfile.TemporaryDirectory()
        self.addCleanup(self.bin.cleanup)
        for name in ("sh", "sed", "sort", "dirname", "mktemp", "rm", "tr", "cat"):
            found = next(p for p in ("/bin", "/usr/bin") if os.path.exists(f"{p}/{name}"))
            os.symlink(f"{found}/{name}", f"{self.bin.name}/{name}")
        return self.bin.name


@unittest.skipUnless(shutil.which("git"), "no git on this machine")
class Lint(unittest.TestCase):
    """Each rule, held against a tree with one fault."""

    def complaints(self, rule, **files):
        with tempfile.TemporaryDirectory() as tree:
            for name, body in files.items():
                path = pathlib.Path(tree, name.replace("__", "/").replace("_dot_", "."))
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(body, encoding="utf-8")
            run("git", "init", "-q", cwd=tree)
            done = run("python3", TOP / "tests/lint/lint.py", rule, cwd=tree)
            if done.returncode == 77:
                self.skipTest(done.stdout.strip())
            return done.stdout

    def test_a_room_below_is_not_included(self):
        self.assertIn("base is below dataplane", self.complaints(
            "layering", base__a_dot_c='#include "dataplane/close.h"\n'))

    def test_a_library_has_one_door(self):
        self.assertIn("only dataplane/sys/", self.complaints(
            "layering", dataplane__a_dot_c="#include <openssl/ssl.h>\n"))
        self.assertEqual("", self.complaints(
            "layering", dataplane__sys__a_dot_c="#include <openssl/ssl.h>\n"))

    def test_a_public_name_carries_its_rooms_prefix(self):
        self.assertIn("thing", self.complaints("names", edgecache__a_dot_h="int thing(void);\n"))
        self.assertEqual("", self.complaints("names", edgecache__a_dot_h="int sge_thing(void);\n"))

    def test_a_header_that_needs_another_is_found(self):
        self.assertIn("does not compile alone", self.complaints(
            "headers", base__a_dot_h="uint32_t sg_a(void);\n"))

    def test_an_open_promise_is_found(self):
        self.assertIn("a.c:1", self.complaints("open_ends", a_dot_c="/* TO" "DO: more */\n"))

    def test_a_path_of_one_machine_is_found(self):
        self.assertIn("a path of one machine", self.complaints(
            "places", a_dot_c='const char *a = "/ho" "me/ann/x";\n'.replace('" "', "")))

    def test_an_unsorted_list_is_found(self):
        self.assertIn("'a.c'".strip("'"), self.complaints(
            "sorted", meson_dot_build="files(\n  'b.c',\n  'a.c',\n)\n"))

    def test_a_row_that_its_page_lacks_is_found(self):
        self.assertIn("second is not in page.md", self.complaints(
            "documented", rows_dot_def="ROW(first, 1)\nROW(second, 2)\n",
            page_dot_md="<!-- lists rows.def -->\n`first`\n"))


if __name__ == "__main__":
    unittest.main()
