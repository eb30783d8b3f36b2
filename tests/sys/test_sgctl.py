#!/usr/bin/env python3
"""The operator's tool, by running it."""
import json
import pathlib
import re
import socket
import subprocess

import sg


class Sgctl(sg.Scenario):
    def test_status_tells_paths_listeners_and_counters(self):
        node = self.node(self.origin({"/a": "hello"}))
        node.get("/a")
        said = node.sgctl("status").stdout
        for words in ("edge1, region local", "serving, version", "2 of 2 running",
                      f"127.0.0.1:{node.port}, plain", "record_crypto"):
            self.assertIn(words, said)
        self.assertEqual(json.loads(node.sgctl("--json", "status").stdout)["node"], "edge1")

    def test_stat_reads_the_counters_even_of_a_node_that_is_gone(self):
        node = self.node(self.origin({"/a": "hello"}))
        node.get("/a")
        node.get("/a")
        node.kill()
        stat = json.loads(node.sgctl("--json", "stat").stdout)
        self.assertEqual((stat["requests"], stat["cache_hits"]), (2, 1))
        self.assertIn("Requests whose head was read.", node.sgctl("stat").stdout)

    def test_log_shows_each_request_with_its_decision(self):
        node = self.node(self.origin({"/a": "hello"}))
        request_id = node.get("/a?x=1", {"User-Agent": "sce\"nario"}).fields["x-request-id"]
        node.get("/a?x=1")
        first, second = [json.loads(l) for l in node.sgctl("--json", "log").stdout.splitlines()]
        self.assertEqual(first["id"], request_id)
        self.assertEqual((first["cache"], second["cache"]), ("miss", "hit"))
        self.assertEqual((first["site"], first["tenant"]), ("films", "films"))
        self.assertEqual((first["method"], first["path"], first["status"]), ("GET", "/a", 200))
        self.assertEqual((first["gate"], first["sent_bytes"], first["end"]), ("public", 5, "none"))
        self.assertEqual(first["client"], "127.0.0.0")  # addresses are cut
        self.assertEqual(len(node.sgctl("log").stdout.splitlines()), 2)

    def test_a_log_that_follows_opens_its_file_again_after_a_rotation(self):
        node = self.node(self.origin({"/a": "hello"}))
        log, old = self.folder / "access.log", self.folder / "access.log.1"
        reader = subprocess.Popen([sg.SGCTL, "-c", str(node.file), "--json", "log", "--follow",
                                   "--from-start", "--output", str(log)])
        self.addCleanup(reader.wait)
        self.addCleanup(reader.terminate)
        node.get("/a")
        sg.until(lambda: log.exists() and log.read_text(), "the first line")
        log.rename(old)
        sg.until(log.exists, "the new file")
        node.get("/a")
        sg.until(log.read_text, "a line in the new file")
        self.assertEqual(len(old.read_text().splitlines()), 1)
        node.kill()
        node.start()
        node.get("/b")
        sg.until(lambda: "/b" in log.read_text(), "a request of the restarted node")

    def test_explain_tells_the_whole_decision(self):
        node = self.node(self.origin({"/a": "hello"}))
        node.get("/a")
        request_id = node.get("/a").fields["x-request-id"]
        said = node.sgctl("explain", request_id).stdout
        for words in (request_id, "site     films of tenant films",
                      "rule     access public under /, origin studio", "gate     public",
                      "cache    hit", "answer   200, 5 bytes", "path     uring plain"):
            self.assertIn(words, said)
        done = node.sgctl("explain", "00000000000000ff", check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("not in the ring", done.stderr)
        self.assertIn("16 hexadecimal", node.sgctl("explain", "x", check=False).stderr)

    def test_a_head_that_was_refused_is_explained_and_logged(self):
        node = self.node(self.origin({}))
        with socket.create_connection(("127.0.0.1", node.port)) as viewer:
            viewer.sendall(b"GET /cat:secret/a HTTP/1.1\r\nHost: a\r\nb : c\r\n\r\n")
            told = viewer.recv(10000).decode()
        self.assertIn("HTTP/1.1 400 ", told)
        request_id = re.search("x-request-id: ([0-9a-f]{16})\r\n", told)[1]
        said = node.sgctl("explain", request_id).stdout
        for words in (request_id, "answer   400", "site     none",
                      "a field name is not a token"):
            self.assertIn(words, said)
        logged = json.loads(node.sgctl("--json", "log").stdout.splitlines()[-1])
        self.assertEqual((logged["status"], logged["id"]), (400, request_id))
        self.assertNotIn("secret", json.dumps(logged) + said)

    def test_a_record_tells_tls_and_which_way_the_bytes_took(self):
        cert, key = self.certificate()
        node = self.node(self.origin({"/a": "hello"}), config=sg.CONFIG.replace(
            '"127.0.0.1:{port}"}', '"127.0.0.1:{tls_port}", tls: {certificates: [{cert_file: '
            + str(cert) + ", key_file: " + str(key) + "}]}}"))
        node.get("/a", tls=True)
        record = json.loads(node.sgctl("--json", "log").stdout)
        self.assertEqual(record["tls"], "1.3")
        self.assertIn(record["engine_path"], ("uring own-records", "uring ktls"))

    def test_origins_shows_what_is_up(self):
        node = self.node(self.origin({"/a": "hello"}))
        node.get("/a")
        said = node.sgctl("origins").stdout
        self.assertIn("studio", said)
        self.assertIn(" up ", said)

    def test_reload_says_what_is_wrong_with_the_file_even_so_that_it_does_not_load(self):
        node = self.node(self.origin({}))
        self.assertIn("configuration 2 is in force", node.sgctl("reload").stdout)
        node.file.write_text(node.file.read_text() + "cash: 1\n")
        done = node.sgctl("reload", check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn('cash: there is no such key; did you mean "cache"?', done.stderr)

    def test_top_prints_rates_and_paths_without_colours_into_a_pipe(self):
        node = self.node(self.origin({"/a": "hello"}))
        top = subprocess.Popen([sg.SGCTL, "-c", str(node.file), "top", "--count", "1"],
                               stdout=subprocess.PIPE, text=True)
        sg.until(lambda: node.get("/a") and top.poll() is not None, "one interval")
        said = top.communicate()[0]
        self.assertIn("requests", said)
        self.assertIn("/a", said)
        self.assertNotIn("\033", said)

    def test_top_as_json_is_an_object_a_line(self):
        node = self.node(self.origin({}))
        told = node.sgctl("--json", "top", "--count", "1").stdout
        self.assertEqual(told.count("\n"), 1)
        self.assertEqual(json.loads(told)["workers"], json.loads(
            node.sgctl("--json", "status").stdout)["workers"])

    def test_drain_ends_the_node(self):
        node = self.node(self.origin({}))
        node.sgctl("drain")
        self.assertEqual(node.process.wait(sg.PATIENCE_S), 0)

    def test_exit_statuses_tell_use_refusal_and_absence_apart(self):
        node = self.node(start=False)
        self.assertEqual(node.sgctl("status", check=False).returncode, 3)
        self.assertEqual(node.sgctl("stat", check=False).returncode, 3)
        self.assertEqual(node.sgctl("log", check=False).returncode, 3)
        self.assertEqual(node.sgctl("dance", check=False).returncode, 2)
        self.assertEqual(node.sgctl("purge", "url", check=False).returncode, 2)
        self.assertEqual(node.sgctl("--help").returncode, 0)
        for command in self.commands():
            self.assertIn(command, node.sgctl(command, "--help").stdout)

    @staticmethod
    def commands():
        told = subprocess.run([sg.SGCTL, "--help"], capture_output=True, text=True, check=True)
        return re.findall(r"^  ([a-z]+)  +", told.stdout, re.MULTILINE)

    def test_help_needs_no_configuration_and_stands_after_any_word(self):
        for words in (("token", "mint", "--path", "/a/", "--help"), ("own", "set", "-h"),
                      ("rule", "list", "--help"), ("config", "sign", "--help"),
                      ("purge", "tag", "--help"), ("log", "--follow", "--help")):
            done = subprocess.run([sg.SGCTL, "-c", "/nowhere.yaml", *words], capture_output=True,
                                  text=True, timeout=sg.PATIENCE_S, check=False)
            self.assertEqual((done.returncode, done.stderr), (0, ""), words)
            self.assertIn(f"sgctl {words[0]}", done.stdout)

    def test_a_configuration_that_is_not_there_sends_nobody_to_another_node(self):
        for words in (("status",), ("purge", "tag", "a"), ("stat",)):
            done = subprocess.run([sg.SGCTL, "-c", "/nowhere.yaml", *words], capture_output=True,
                                  text=True, timeout=sg.PATIENCE_S, check=False)
            self.assertEqual(done.returncode, 1, words)
            self.assertIn("/nowhere.yaml: No such file or directory", done.stderr)

    def test_completion_knows_every_command(self):
        file = pathlib.Path(__file__).parents[2] / "tools/completion/sgctl.bash"
        script = f'. "{file}"; COMP_WORDS=(sgctl ""); COMP_CWORD=1; _sgctl; echo "${{COMPREPLY[@]}}"'
        told = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
        self.assertEqual(set(self.commands()) - set(told.stdout.split()), set())


class Purge(sg.Scenario):
    def setUp(self):
        super().setUp()
        tagged = lambda handler: sg.reply(handler, 200, "t", {"Surrogate-Key": "show1 show2"})
        self.source = self.origin({"/a/1": "one", "/a/2": "two", "/ab": "three", "/t": tagged})
        self.edge = self.node(self.source)
        for path in ("/a/1", "/a/2", "/ab", "/t"):
            self.edge.get(path)

    def again(self, path):
        """How the cache answered a second request, in the words of Cache-Status."""
        status = self.edge.get(path).fields["cache-status"]
        return "hit" if "; hit" in status else "miss"

    def purge(self, *words):
        return self.edge.sgctl("purge", *words)

    def test_a_url_is_gone_and_its_neighbours_stay(self):
        self.assertIn("purge 1 is on disk", self.purge("url", "https://any.example/a/1").stdout)
        self.assertEqual([self.again(p) for p in ("/a/1", "/a/2", "/ab")], ["miss", "hit", "hit"])

    def test_a_prefix_ends_on_a_segments_border(self):
        self.purge("prefix", "https://any.example/a/")
        self.assertEqual([self.again(p) for p in ("/a/1", "/a/2", "/ab")], ["miss", "miss", "hit"])

    def test_a_tag_reaches_what_carries_it(self):
        self.purge("tag", "show2")
        self.assertEqual([self.again(p) for p in ("/t", "/ab")], ["miss", "hit"])

    def test_a_tenant_is_emptied(self):
        self.purge("tenant", "films")
        self.assertEqual({self.again(p) for p in ("/a/1", "/a/2", "/ab", "/t")}, {"miss"})

    def test_an_acknowledged_purge_survives_a_kill(self):
        self.purge("url", "https://any.example/ab")
        self.edge.kill()
        self.edge.start()
        self.assertEqual(self.again("/ab"), "miss")
        self.assertIn("purge 2 is", self.purge("url", "https://any.example/ab").stdout)

    def test_what_is_too_long_purges_nothing_rather_than_something_else(self):
        for many in (5000, 9000):
            done = self.edge.sgctl("purge", "prefix", "https://any.example/a/" + "b" * many,
                                   check=False)
            self.assertNotEqual(done.returncode, 0)
        for query in ("scope=prefix&text=https://any.example/%zz",
                      "scope=tag&text=show2&tenant=" + "f" * 100,
                      "scope=url&text=https://any.example/ab&soft=123456789"):
            self.assertEqual(self.edge.command("/v1/purge?" + query, "POST").status, 400)
        self.assertEqual({self.again(p) for p in ("/a/1", "/ab", "/t")}, {"hit"})

    def test_mistakes_are_told(self):
        for words, status, told in (
                (("url", "any.example/a"), 2, "is no URL"),
                (("tag", "x", "--tenant", "nobody"), 1, "is no tenant"),
                (("shelf", "x"), 2, "purge: shelf: expected url, prefix, tag or tenant")):
            done = self.edge.sgctl("purge", *words, check=False)
            self.assertEqual(done.returncode, status)
            self.assertIn(told, done.stderr)
            self.assertNotIn("No such file", done.stderr)


if __name__ == "__main__":
    sg.main()
