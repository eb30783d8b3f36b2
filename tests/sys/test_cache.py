#!/usr/bin/env python3
"""What is stored, for how long, and for whom, beyond the stories of test_rfc9111: statuses,
guesses, crowds, poisoning, and who is asked when an origin fails."""
import email.utils
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
     methods: [POST, PUT, DELETE], forward_headers: ["*"]}
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

    def test_query_order_is_one_resource_and_case_is_two(self):
        path = self.script(ok(("Cache-Control", "max-age=60")))
        self.edge.get(path + "?a=1&b=2")
        self.assertEqual(self.edge.get(path + "?b=2&a=1").body, b"answer 1")
        self.assertEqual(self.edge.get(path + "?B=2&a=1").body, b"answer 2")

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

    def test_unkeyed_fields_poison_nothing(self):
        path = self.script(ok(("Cache-Control", "max-age=60")))
        self.edge.get(path, {"X-Forwarded-Host": "evil.test", "X-Original-URL": "/admin",
                             "Forwarded": "host=evil.test", "Cookie": "a=b",
                             "X-HTTP-Method-Override": "DELETE"})
        self.assertFalse(set(self.asked()) & {"x-forwarded-host", "x-original-url", "forwarded", "cookie",
                                  "x-http-method-override"})


if __name__ == "__main__":
    sg.main()
