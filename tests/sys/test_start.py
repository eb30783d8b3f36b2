#!/usr/bin/env python3
"""What a node says when it starts, or why it does not."""
import contextlib
import os
import pathlib
import pwd
import random
import re
import socket
import subprocess

import sg

HUGE_PAGES = 40  # of 2 MiB: the RAM tier's, and some


class Start(sg.Scenario):
    def refused(self, node):
        """Starts a node that must not start; returns what it said."""
        node.start(wait=False)
        self.assertEqual(node.process.wait(sg.PATIENCE_S), 1)
        return node.said()

    def test_check_says_file_line_key_and_what_would_be_right(self):
        node = self.node(start=False)
        node.file.write_text(node.file.read_text().replace("64MiB", "64MB"))
        done = subprocess.run([sg.STREAMGATED, "--check", "-c", node.file], capture_output=True,
                              text=True, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertEqual(done.stderr, f'{node.file}:5: cache.ram_bytes: "64MB" is no size; right '
                                      'would be 16MiB to 4TiB, such as "512MiB"\n')

    def test_check_of_a_right_file_changes_nothing(self):
        node = self.node(start=False)
        done = subprocess.run([sg.STREAMGATED, "--check", "-c", node.file], capture_output=True,
                              text=True, check=False)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(os.listdir(node.folder), ["streamgate.yaml"])

    def test_with_huge_pages_all_is_served_from_them(self):
        wanted = pathlib.Path("/proc/sys/vm/nr_hugepages")
        before = wanted.read_text()

        def free():
            return int(re.search(r"HugePages_Free: +(\d+)",
                                 pathlib.Path("/proc/meminfo").read_text())[1])

        def ask(pages):
            with contextlib.suppress(OSError):  # not root, or /proc/sys is read-only here
                wanted.write_text(str(pages))
        self.addCleanup(ask, before)
        if free() < HUGE_PAGES:
            ask(int(before) + HUGE_PAGES)
        if free() < HUGE_PAGES:
            self.skipTest("too few huge pages are free, and none can be had")
        body = random.Random(1).randbytes(3_000_000)
        node = self.node(self.origin({"/a": body}), config=sg.CONFIG.replace(
            "ram_bytes: 64MiB", "ram_bytes: 64MiB, hugepages: true"))
        self.assertIn("arena: hugetlb", node.said())
        for _ in range(3):
            self.assertEqual(node.get("/a").body, body)
        self.assertEqual(node.stop(), 0)

    def test_a_port_in_use_is_told_with_who_has_it(self):
        node = self.node(start=False)
        with socket.socket() as other:
            other.bind(("127.0.0.1", node.port))
            other.listen()
            said = self.refused(node)
        self.assertIn(f"127.0.0.1:{node.port}", said)
        self.assertIn(f"(process {os.getpid()})", said)

    def test_a_second_node_on_the_same_run_dir_is_refused(self):
        first = self.node(self.origin({}))
        second = self.node(config=sg.CONFIG.replace("{folder}/run", str(first.folder / "run")),
                           start=False, name="second")
        self.assertIn("another node runs on", self.refused(second))

    def test_fallbacks_are_told_at_start_in_status_and_in_a_metric(self):
        node = self.node(self.origin({}))
        paths = {path["what"]: path for path in node.status()["paths"]}
        self.assertEqual(set(paths), {"engine", "arena", "disk", "state_memory", "secret_memory",
                                      "config", "ktls", "record_crypto"})
        metrics = node.command("/metrics").text
        for what, path in paths.items():
            self.assertIn(f"{what}: {path['used']}", node.said())
            self.assertIn(f'streamgate_path_info{{what="{what}",used="{path["used"]}",', metrics)
            self.assertEqual(path["fallback"], path["why"] != "")

    def test_a_state_that_could_not_be_locked_is_told(self):
        if os.geteuid() != 0:
            self.skipTest("needs root")
        os.chmod(self.folder, 0o755)
        node = self.node(self.origin({}),
                         config=sg.CONFIG.replace("node: {", "node: {user: nobody, "), start=False)
        # enough for the rings and a few keys, not for the state's map; and the limit stays
        node.start(before=["prlimit", f"--memlock={8 << 20}", "setpriv", "--bounding-set",
                           "-sys_resource,-ipc_lock"])
        used = {path["what"]: path["used"] for path in node.status()["paths"]}
        self.assertEqual((used["state_memory"], used["secret_memory"]), ("pageable", "locked"))
        self.assertIn("state_memory: pageable: the limit on locked memory", node.said())

    def test_more_ram_than_the_memory_cgroup_allows_is_refused_and_not_killed(self):
        with self.memory_cgroup(160 << 20) as join:
            node = self.node(self.origin({"/a": "hello"}), start=False)
            good = node.file.read_text()
            node.file.write_text(good.replace("64MiB", "256MiB"))
            node.start(before=join, wait=False)
            self.assertEqual(node.process.wait(sg.PATIENCE_S), 1, node.said())
            self.assertIn("cache.ram_bytes: 256 MiB, and this process may have 160 MiB in all",
                          node.said())

    def test_a_node_whose_ram_tier_fills_its_memory_cgroup_serves_on(self):
        if b"__asan_init" in pathlib.Path(sg.STREAMGATED).read_bytes():
            self.skipTest("a sanitizer takes memory of its own")
        with self.memory_cgroup(160 << 20) as join:
            content = {f"/{i}": os.urandom(4 << 20) for i in range(12)}
            config = sg.CONFIG.replace("ram_bytes: 64MiB", "ram_bytes: 32MiB")
            node = self.node(self.origin(content), config=config, start=False)
            node.start(before=join)
            for _ in range(2):
                for path, body in content.items():
                    self.assertEqual(node.get(path).body, body)
            self.assertIsNone(node.process.poll())

    @contextlib.contextmanager
    def memory_cgroup(self, limit):
        """Words before a command that put it into a memory cgroup of that limit."""
        folder = pathlib.Path(f"/sys/fs/cgroup/memory/sg-test-{os.getpid()}")  # version 1
        file = "memory.limit_in_bytes"
        if not folder.parent.exists():
            folder, file = pathlib.Path(f"/sys/fs/cgroup/sg-test-{os.getpid()}"), "memory.max"
        try:
            folder.mkdir()
            (folder / file).write_text(str(limit))
        except OSError as error:
            self.skipTest(f"no memory cgroup can be made here: {error}")
        try:
            yield ["sh", "-c", f'echo $$ > {folder}/cgroup.procs; exec "$@"', "join"]
        finally:
            for node in self.nodes:
                if node.process is not None and node.process.poll() is None:
                    node.kill()
            sg.until(lambda: not (folder / "cgroup.procs").read_text(), "the cgroup is empty")
            folder.rmdir()

    def test_root_is_dropped_and_only_low_ports_are_kept(self):
        if os.geteuid() != 0:
            self.skipTest("needs root")
        os.chmod(self.folder, 0o755)
        origin = self.origin({"/a": "hello"})
        node = self.node(origin, config=sg.CONFIG.replace("node: {", "node: {user: nobody, "))
        self.assertEqual(node.get("/a").body, b"hello")
        nobody = pwd.getpwnam("nobody").pw_uid
        for task in os.listdir(f"/proc/{node.process.pid}/task"):
            with open(f"/proc/{node.process.pid}/task/{task}/status", encoding="utf-8") as file:
                fields = dict(line.split(":\t", 1) for line in file if ":\t" in line)
            self.assertEqual(set(fields["Uid"].split()), {str(nobody)})
            for kept in ("CapEff", "CapPrm", "CapInh", "CapAmb", "CapBnd"):
                self.assertEqual(int(fields[kept], 16), 1 << 10)  # CAP_NET_BIND_SERVICE
            self.assertEqual(fields["NoNewPrivs"].strip(), "1")
        self.assertTrue(node.command("/v1/reload", "POST").json()["ok"])


if __name__ == "__main__":
    sg.main()
