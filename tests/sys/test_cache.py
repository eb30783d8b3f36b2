#!/usr/bin/env python3
"""What is stored, for how long, and for whom, beyond the stories of test_rfc9111: statuses,
guesses, crowds, poisoning, and who is asked when an origin fails."""
import email.utils
import re
import socket
import threading
import time

import sg

SITES = """
node: {name: edge1, workers: 2, state_dir: {folder}/state, run_dir: {folder}/run, drain_s: 5}
listeners: [{address: "127.0.0.1:{port}"}]
admin: {address: "127.0.0.1:{admin_port}"}
cache: {ram_bytes: 64MiB}
tenants: [{name: films}]
origins: [{name: studio, urls: [{url: "{origin}"}]}]
sites:
  - {name: films, tenant: films, hosts: ["*"], origin: studio, access: public,
     methods: ["*"], forward_headers: ["*"]}
"""


def date(offset_s):
    return email.utils.formatdate(time.time() + offset_s, usegmt=True)


class Script:
    """An origin's answers to one path: one after the other, the last for ever."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.count = 0

    def __call__(self, handler):
        length = int(handler.headers.get("Content-Length", 0))
        handler.rfile.read(length)
        status, fields = self.answers[min(self.count, len(self.answers) - 1)]
        self.count += 1
        handler.send_response_only(status)
        for name, value in fields:
            handler.send_header(name, value)
        body = b"" if status in (204, 304) else b"answer %d" % self.count
        if status != 304:
            handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        if handler.command != "HEAD":
            handler.wfile.write(body)


def ok(*fields):
    return 200, (("Date", date(0)), *fields)


class Cache(sg.Scenario):
    paths = 0

    @classmethod
    def setUpClass(cls):
        """One node for all: each test has paths of its own."""
        home = sg.Scenario()
        home.setUp()
        cls.addClassCleanup(home.doCleanups)
        cls.source = home.origin({})
        cls.edge = home.node(cls.source, config=SITES)

    def script(self, *answers):
        Cache.paths += 1
        path = f"/{Cache.paths}"
        self.source.content[path] = Script(*answers)
        return path

    def asked(self):
        """The fields of the last request that the origin got."""
        return {name.lower(): value for name, value in self.source.requests[-1][2].items()}

    def hits(self, path):
        return self.source.hits.get(path, 0)

    def reused(self, *fields, asks=None, status=200, again=None):
        """Is a response with these fields given to a second request?"""
        path = self.script((status, (("Date", date(0)), *fields)))
        self.edge.get(path, asks)
        self.edge.get(path, again if again is not None else asks)
        return self.hits(path) == 1

    def test_old_and_unchanged_is_fresh_by_guess_for_the_right_statuses(self):
        old = (("Last-Modified", date(-100000)),)
        for status in (200, 203, 300, 301, 308, 404, 405, 410, 414, 501):
            self.assertTrue(self.reused(*old, status=status), status)
        for status in (201, 302, 303, 307, 400, 403, 500, 502, 503):
            self.assertFalse(self.reused(*old, status=status), status)

    def test_any_final_status_may_be_stored_when_it_says_so(self):
        for status in (201, 302, 307, 403, 404, 500, 503):
            self.assertTrue(self.reused(("Cache-Control", "max-age=60"), status=status), status)

    def test_an_unknown_status_with_must_understand_is_not(self):
        self.assertFalse(self.reused(("Cache-Control", "max-age=60, must-understand, no-store"),
                                     status=499))
        self.assertTrue(self.reused(("Cache-Control", "max-age=60, must-understand, no-store")))

    def test_age_grows_and_is_sent(self):
        path = self.script(ok(("Cache-Control", "max-age=60"), ("Age", "7")))
        self.edge.get(path)
        time.sleep(1.1)
        self.assertIn(int(self.edge.get(path).fields["age"]), (8, 9))

    def test_stale_is_validated_and_freshened(self):
        path = self.script(ok(("Cache-Control", "max-age=0"), ("ETag", '"a"'), ("X-N", "1")),
                           (304, (("Date", date(0)), ("ETag", '"a"'), ("X-N", "2"),
                                  ("Cache-Control", "max-age=60"))))
        self.edge.get(path)
        second = self.edge.get(path)
        self.assertEqual((second.status, second.body, second.fields["x-n"]),
                         (200, b"answer 1", "2"))
        self.assertEqual(self.asked()["if-none-match"], '"a"')
        self.assertIn("fwd=stale", second.fields["cache-status"])
        self.assertEqual(self.edge.get(path).fields["x-n"], "2")
        self.assertEqual(self.hits(path), 2)

    def test_a_condition_on_a_miss_brings_the_whole_in(self):
        path = self.script(ok(("Cache-Control", "max-age=60"), ("ETag", '"a"')))
        self.assertEqual(self.edge.get(path, {"If-None-Match": '"a"'}).status, 304)
        self.assertNotIn("if-none-match", self.asked())
        self.assertEqual(self.edge.get(path).body, b"answer 1")
        self.assertEqual(self.hits(path), 1)

    def test_an_unsafe_method_that_went_well_invalidates(self):
        for method in ("POST", "PUT", "DELETE"):
            path = self.script(ok(("Cache-Control", "max-age=60")))
            self.edge.get(path)
            self.assertEqual(self.edge.get(path, method=method).status, 200)
            self.edge.get(path)
            self.assertEqual(self.hits(path), 3, method)

    def test_location_and_content_location_are_invalidated_too(self):
        for name in ("Location", "Content-Location"):
            path = self.script(ok(("Cache-Control", "max-age=60")))
            post = self.script((201, ((name, path),)))
            self.edge.get(path)
            self.edge.get(post, method="POST")
            self.edge.get(path)
            self.assertEqual(self.hits(path), 2, name)

    def test_variants_are_invalidated_together(self):
        path = self.script(ok(("Cache-Control", "max-age=60"), ("Vary", "Foo")))
        self.edge.get(path, {"Foo": "1"})
        self.edge.get(path, {"Foo": "2"})
        self.edge.get(path, method="POST")
        self.assertEqual(self.edge.get(path, {"Foo": "1"}).body, b"answer 4")
        self.assertEqual(self.edge.get(path, {"Foo": "2"}).body, b"answer 5")

    def test_stale_while_revalidate_answers_at_once(self):
        path = self.script(ok(("Cache-Control", "max-age=1, stale-while-revalidate=60"),
                              ("ETag", '"a"')))
        self.edge.get(path)
        time.sleep(1.2)
        self.assertEqual(self.edge.get(path).body, b"answer 1")
        sg.until(lambda: self.hits(path) == 2, "the origin was asked behind the viewer's back")
        sg.until(lambda: self.edge.get(path).body != b"answer 1", "the new answer is served")

    def test_an_error_is_stale_only_after_the_other_url_was_tried(self):
        broken = [False, False]

        def answer(which):
            def give(handler):
                if broken[which]:
                    sg.reply(handler, 503, b"no")
                else:
                    sg.reply(handler, 200, b"from %d" % which,
                             {"Cache-Control": "max-age=0, stale-if-error=60"})
            return give
        first, second = self.origin({"/a": answer(0)}), self.origin({"/a": answer(1)})
        node = self.node(first, config=sg.CONFIG.replace(
            '{url: "{origin}"}', '{url: "{origin}"}, {url: "%s"}' % second.url))
        began = int(node.get("/a").text[-1])
        broken[began] = True
        self.assertEqual(node.get("/a").text, f"from {1 - began}")
        broken[1 - began] = True
        last = node.get("/a")
        self.assertEqual((last.status, last.text), (200, f"from {1 - began}"))
        self.assertIn("hit", last.fields["cache-status"])

    def test_hop_by_hop_fields_end_here(self):
        path = self.script(ok(("Cache-Control", "max-age=60"), ("Connection", "X-Hop"),
                              ("X-Hop", "1"), ("Keep-Alive", "timeout=5")))
        for _ in range(2):
            answer = self.edge.get(path)
            self.assertNotIn("x-hop", answer.fields)
            self.assertNotIn("keep-alive", answer.fields)

    def test_a_query_counts_as_it_is_spelt(self):
        path = self.script(ok(("Cache-Control", "max-age=60")))
        for count, query in enumerate(("", "?", "?a=1&b=2", "?b=2&a=1", "?B=2&a=1", "?a=1&b=2&"), 1):
            for _ in range(2):
                self.assertEqual(self.edge.get(path + query).body, b"answer %d" % count, query)
        self.assertEqual(self.edge.get(path + "?%61=1&b=2").body, b"answer 3")  # RFC 3986, 6.2.2.2

    def test_a_condition_for_the_origin_alone_is_passed_on(self):  # RFC 9110, 13.1.1 and 13.1.4
        for name, value in (("If-Match", '"b"'), ("If-Unmodified-Since", date(-100))):
            path = self.script((412, (("Cache-Control", "max-age=60"),)),
                               ok(("Cache-Control", "max-age=60")))
            self.assertEqual(self.edge.get(path, {name: value}).status, 412)
            self.assertEqual(self.asked()[name.lower()], value)
            self.assertEqual(self.edge.get(path).body, b"answer 2")
            self.assertEqual(self.edge.get(path, {name: value}).body, b"answer 2")

    def test_a_method_that_nobody_knows_passes_and_invalidates(self):  # RFC 9111, 4.4
        path = self.script(ok(("Cache-Control", "max-age=60")))
        self.edge.get(path)
        self.assertEqual(self.edge.get(path, method="BREW").body, b"answer 2")
        self.assertEqual(self.edge.get(path).body, b"answer 3")
        for method, status in (("TRACE", 501), ("CONNECT", 501)):
            self.assertEqual(self.edge.get(path, method=method).status, status)

    def test_options_passes_as_far_as_it_is_to_go(self):  # RFC 9110, 7.6.2
        path = self.script(ok(("X-From", "origin")))
        self.assertEqual(self.edge.get(path, method="OPTIONS").fields.get("x-from"), "origin")
        self.assertEqual(self.edge.get(path, {"Max-Forwards": "0"}, "OPTIONS").status, 204)
        self.assertEqual(self.hits(path), 1)
        self.edge.get(path, {"Max-Forwards": "3"}, "OPTIONS")
        self.assertEqual(self.asked()["max-forwards"], "2")

    def test_cache_status_says_why_the_origin_was_asked(self):  # RFC 9211, 2.2
        path = self.script(ok(("Cache-Control", "max-age=0")))
        self.assertIn("fwd=uri-miss", self.edge.get(path).fields["cache-status"])
        self.assertIn("fwd=stale", self.edge.get(path).fields["cache-status"])
        self.assertIn("fwd=method", self.edge.get(path, method="POST").fields["cache-status"])

    def test_via_names_all_on_the_way_and_the_version_each_heard(self):  # RFC 9110, 7.6.3
        asked = []

        def answer(handler):
            asked.append(handler.headers.get_all("via"))
            handler.send_response(200)
            for name, value in (("Via", "1.0 one"), ("Via", "1.1 two"), ("Content-Length", "0")):
                handler.send_header(name, value)
            handler.end_headers()
        path = self.script()
        self.source.content[path] = answer
        with socket.create_connection(("127.0.0.1", self.edge.port), sg.PATIENCE_S) as new:
            new.sendall(f"GET {path} HTTP/1.1\r\nHost: a\r\nVia: 1.1 before\r\n\r\n".encode())
            told = new.recv(65536)
        self.assertEqual(re.findall(rb"\nvia: (.*)\r", told),
                         [b"1.0 one", b"1.1 two", b"1.1 streamgate"])
        with socket.create_connection(("127.0.0.1", self.edge.port), sg.PATIENCE_S) as old:
            old.sendall(f"GET {path} HTTP/1.0\r\n\r\n".encode())
            while old.recv(65536):
                pass
        self.assertEqual(asked, [["1.1 before", "1.1 streamgate-edge1"], ["1.0 streamgate-edge1"]])

    def test_the_body_of_a_get_is_read_past(self):  # RFC 9110, 9.3.1: it means nothing
        fields = {"Content-Length": "5", "Content-Type": "a/b"}
        for answer in (ok(("Cache-Control", "max-age=60")), ok(("Cache-Control", "no-store"))):
            path = self.script(answer)
            for extra in ({}, {"If-Match": "*"}):
                with socket.create_connection(("127.0.0.1", self.edge.port), sg.PATIENCE_S) as fat:
                    lines = "".join(f"{k}: {v}\r\n" for k, v in {**fields, **extra}.items())
                    fat.sendall(f"GET {path} HTTP/1.1\r\nHost: a\r\n{lines}\r\nhello".encode())
                    self.assertIn(b"200 OK", fat.recv(65536))
            self.assertFalse({"content-length", "content-type"} & set(self.asked()))

    def test_a_crowd_is_one_fetch(self):
        gate = threading.Event()

        def slow(handler):
            gate.wait(sg.PATIENCE_S)
            sg.reply(handler, 200, b"x" * 100000)

        self.source.content["/slow"] = slow
        answers = []
        crowd = [threading.Thread(target=lambda: answers.append(self.edge.get("/slow")))
                 for _ in range(24)]
        for one in crowd:
            one.start()
        time.sleep(0.3)
        gate.set()
        for one in crowd:
            one.join()
        self.assertEqual({a.body for a in answers}, {b"x" * 100000})
        self.assertEqual(len(answers), 24)
        self.assertEqual(self.hits("/slow"), 1)

    def test_the_reverse_proxy_of_the_documentation_is_one(self):
        page = (sg.ROOT / "docs/configuration.md").read_text()
        small, proxy = re.findall(r"```yaml\n(.*?)```", page, re.S)[:2]
        config = (sg.CONFIG.split("listeners:")[0] + small.split("sites:")[0] + proxy).replace(
            "0.0.0.0:8080", "127.0.0.1:{port}").replace("https://origin.example.org", "{origin}")
        story = Script(ok(("Cache-Control", "max-age=60, public"), ("Set-Cookie", "c=d")))
        origin = self.origin({"/a": story})
        node = self.node(origin, config)
        told = {"Authorization": "Basic eA==", "Cookie": "a=b", "X-App": "1"}
        for method in ("GET", "POST", "BREW"):
            self.assertEqual(node.get("/a", told, method).fields["set-cookie"], "c=d")
            got = {name.lower(): value for name, value in origin.requests[-1][2].items()}
            self.assertEqual(origin.requests[-1][0], method)
            self.assertEqual({name: got.get(name.lower()) for name in told}, told)
        self.assertEqual([node.get("/a").body for _ in range(2)], [b"answer 4"] * 2)

    def test_unkeyed_fields_poison_nothing(self):
        path = self.script(ok(("Cache-Control", "max-age=60")))
        self.edge.get(path, {"X-Forwarded-Host": "evil.test", "X-Original-URL": "/admin",
                             "Forwarded": "host=evil.test", "Cookie": "a=b",
                             "X-HTTP-Method-Override": "DELETE"})
        self.assertFalse(set(self.asked()) & {"x-forwarded-host", "x-original-url", "forwarded", "cookie",
                                  "x-http-method-override"})


if __name__ == "__main__":
    sg.main()
