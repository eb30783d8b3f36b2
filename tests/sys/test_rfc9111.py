#!/usr/bin/env python3
"""What a shared cache may store and reuse, from outside: RFC 9111, 9110, 9213, 5861.

A row is a story of one URL: what the origin says each time it is asked, and what a viewer asks and
must see: "hit" (the origin is not asked), "miss" (it is), "valid" (it is asked with a condition,
and what it had said before is served)."""
import email.utils
import threading
import time
import unittest

import sg


def date(offset_s):
    return email.utils.formatdate(time.time() + offset_s, usegmt=True)


class Story:
    """One URL's answers. A field value may be a function of the time offset: ("Expires", 60)."""

    def __init__(self, *answers):
        self.answers = answers
        self.asked = []
        self.lock = threading.Lock()

    def __call__(self, handler):
        with self.lock:
            answer = self.answers[min(len(self.asked), len(self.answers) - 1)]
            self.asked.append({k.lower(): v for k, v in handler.headers.items()})
            serial = len(self.asked)
        status, fields = answer[0], answer[1]
        length = int(handler.headers.get("Content-Length") or 0)
        handler.rfile.read(length)
        body = b"" if status in (204, 304) else (
            answer[2] if len(answer) > 2 else f"body {serial}".encode())
        handler.send_response_only(status)
        for name, value in fields:
            if isinstance(value, (int, float)):
                value = date(value)
            handler.send_header(name, value)
        if status not in (204, 304):
            handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        if handler.command != "HEAD":
            handler.wfile.write(body)


CC = "Cache-Control"
OK = 200


def fresh(*more, cc="max-age=60"):
    return (OK, [(CC, cc), *more])


# name: (origin's answers, [(method, request fields, what it must be)])
GET_MISS = ("GET", {}, "miss")
GET_HIT = ("GET", {}, "hit")
TWICE_HIT = [GET_MISS, GET_HIT]
TWICE_MISS = [GET_MISS, GET_MISS]

FRESHNESS = {
    "max-age": ([fresh()], TWICE_HIT),
    "max-age in any case": ([fresh(cc="MaX-aGe=60")], TWICE_HIT),
    "max-age quoted": ([fresh(cc='max-age="60"')], TWICE_HIT),
    "max-age 0": ([fresh(cc="max-age=0")], TWICE_MISS),
    "max-age negative": ([fresh(cc="max-age=-60")], TWICE_MISS),
    "max-age decimal": ([fresh(cc="max-age=60.5")], TWICE_MISS),
    "max-age with letters": ([fresh(cc="max-age=60a")], TWICE_MISS),
    "max-age overflowing": ([fresh(cc="max-age=99999999999999999999")], TWICE_HIT),
    "max-age beats Expires": ([fresh(("Expires", -60))], TWICE_HIT),
    "max-age 0 beats Expires": ([fresh(("Expires", 60), cc="max-age=0")], TWICE_MISS),
    "s-maxage beats max-age": ([fresh(cc="max-age=0, s-maxage=60")], TWICE_HIT),
    "s-maxage 0 beats max-age": ([fresh(cc="max-age=60, s-maxage=0")], TWICE_MISS),
    "a longer Age": ([fresh(("Age", "61"))], TWICE_MISS),
    "Age, first of two": ([fresh(("Age", "61, 0"))], TWICE_MISS),
    "Age that is none": ([fresh(("Age", "abc"))], TWICE_HIT),
    "Expires": ([(OK, [("Expires", 60)])], TWICE_HIT),
    "Expires with Date": ([(OK, [("Date", 0), ("Expires", 60)])], TWICE_HIT),
    "Expires past": ([(OK, [("Date", 0), ("Expires", -60)])], TWICE_MISS),
    "Expires 0": ([(OK, [("Expires", "0")])], TWICE_MISS),
    "Expires in another zone": ([(OK, [("Expires", "Fri, 01 Jan 2100 00:00:00 UTC")])], TWICE_MISS),
    "Expires in RFC 850 form": ([(OK, [("Expires", "Friday, 01-Jan-60 00:00:00 GMT")])], TWICE_HIT),
    "Last-Modified long ago": ([(OK, [("Last-Modified", -86400)])], TWICE_HIT),
    "Last-Modified and a strange status": ([(299, [("Last-Modified", -86400)])], TWICE_MISS),
    "nothing said": ([(OK, [])], TWICE_MISS),
    "two max-ages, one stale": ([(OK, [(CC, "max-age=60"), (CC, "max-age=0")])], TWICE_MISS),
}

STORING = {
    "no-store": ([fresh(cc="no-store, max-age=60")], TWICE_MISS),
    "private": ([fresh(cc="private, max-age=60")], TWICE_MISS),
    "no-cache": ([fresh(cc="no-cache, max-age=60")], TWICE_MISS),
    "Pragma in a response means nothing": ([fresh(("Pragma", "no-cache"))], TWICE_HIT),
    "must-understand, understood": ([fresh(cc="max-age=60, no-store, must-understand")], TWICE_HIT),
    "must-understand, not understood": (
        [(299, [(CC, "max-age=60, no-store, must-understand")])], TWICE_MISS),
    "Authorization": ([fresh()], [("GET", {"Authorization": "x"}, "miss"),
                                  ("GET", {"Authorization": "x"}, "miss")]),
    "Authorization and public": ([fresh(cc="max-age=60, public")], [
        ("GET", {"Authorization": "x"}, "miss"), ("GET", {}, "hit")]),
    "Set-Cookie with freshness": ([fresh(("Set-Cookie", "a=b"))], TWICE_HIT),
    "Set-Cookie without": ([(OK, [("Last-Modified", -86400), ("Set-Cookie", "a=b")])], TWICE_MISS),
    "Vary: *": ([fresh(("Vary", "*"))], TWICE_MISS),
    **{f"status {status}": ([(status, [(CC, "max-age=60")])], TWICE_HIT)
       for status in (203, 204, 300, 301, 302, 307, 308, 400, 404, 410, 500, 502, 503, 504, 599)},
    **{f"status {status}, nothing said": ([(status, [])], TWICE_MISS)
       for status in (200, 302, 307, 400, 403, 500, 503)},
    "POST is not stored": ([fresh()], [("POST", {}, "miss"), ("GET", {}, "miss"), GET_HIT]),
    "HEAD is answered by a stored GET": ([fresh()], [GET_MISS, ("HEAD", {}, "hit")]),
    "HEAD brings what a GET is answered by": ([fresh()], [("HEAD", {}, "miss"), GET_HIT]),
}

REQUESTS = {
    "no-cache": ([fresh()], [GET_MISS, ("GET", {CC: "no-cache"}, "miss")]),
    "Pragma: no-cache": ([fresh()], [GET_MISS, ("GET", {"Pragma": "no-cache"}, "miss")]),
    "no-store": ([fresh()], [("GET", {CC: "no-store"}, "miss"), GET_MISS]),
    "max-age smaller than the age": (
        [fresh(("Age", "30"))], [GET_MISS, ("GET", {CC: "max-age=10"}, "miss")]),
    "max-age larger than the age": (
        [fresh(("Age", "30"))], [GET_MISS, ("GET", {CC: "max-age=50"}, "hit")]),
    "min-fresh": ([fresh()], [GET_MISS, ("GET", {CC: "min-fresh=90"}, "miss")]),
    "min-fresh that holds": ([fresh()], [GET_MISS, ("GET", {CC: "min-fresh=10"}, "hit")]),
    "max-stale": ([fresh(("Age", "70"))], [GET_MISS, ("GET", {CC: "max-stale=100"}, "hit")]),
    "max-stale too small": ([fresh(("Age", "90"))], [GET_MISS, ("GET", {CC: "max-stale=5"}, "miss")]),
    "max-stale and must-revalidate": (
        [fresh(("Age", "70"), cc="max-age=60, must-revalidate")],
        [GET_MISS, ("GET", {CC: "max-stale=100"}, "miss")]),
}

TARGETED = {
    "beats no-store": ([fresh(("CDN-Cache-Control", "max-age=60"), cc="no-store")], TWICE_HIT),
    "beats max-age": ([fresh(("CDN-Cache-Control", "no-store"))], TWICE_MISS),
    "beats Expires": (
        [(OK, [("CDN-Cache-Control", "max-age=60"), ("Expires", -60)])], TWICE_HIT),
    "malformed": ([fresh(("CDN-Cache-Control", "max-age=0,"))], TWICE_HIT),
    "a blank before =": ([fresh(("CDN-Cache-Control", "max-age =60"), cc="no-store")], TWICE_MISS),
    "of another type": ([fresh(("CDN-Cache-Control", 'max-age="60"'), cc="no-store")], TWICE_MISS),
    "of no type": ([fresh(("CDN-Cache-Control", "max-age=60, &&"), cc="no-store")], TWICE_MISS),
    "over 2^31": ([fresh(("CDN-Cache-Control", "max-age=99999999999"), cc="no-store")], TWICE_HIT),
    "with parameters": (
        [fresh(("CDN-Cache-Control", "max-age=60;a=b, c=(d e)"), cc="no-store")], TWICE_HIT),
}

VARY = {
    "same": ([fresh(("Vary", "Foo"))],
             [("GET", {"Foo": "1"}, "miss"), ("GET", {"Foo": "1"}, "hit")]),
    "other": ([fresh(("Vary", "Foo"))],
              [("GET", {"Foo": "1"}, "miss"), ("GET", {"Foo": "2"}, "miss"),
               ("GET", {"Foo": "1"}, "hit"), ("GET", {"Foo": "2"}, "hit")]),
    "absent": ([fresh(("Vary", "Foo"))],
               [("GET", {"Foo": "1"}, "miss"), ("GET", {}, "miss"), ("GET", {}, "hit")]),
    "blanks": ([fresh(("Vary", "Foo"))],
               [("GET", {"Foo": "1, 2"}, "miss"), ("GET", {"Foo": "1,2"}, "hit")]),
    "not listed": ([fresh(("Vary", "Foo"))],
                   [("GET", {"Foo": "1", "Bar": "1"}, "miss"),
                    ("GET", {"Foo": "1", "Bar": "2"}, "hit")]),
    "Accept-Encoding in another order": (
        [fresh(("Vary", "Accept-Encoding"))],
        [("GET", {"Accept-Encoding": "gzip, br"}, "miss"),
         ("GET", {"Accept-Encoding": "br,gzip;q=0.5"}, "hit")]),
}

VALIDATION = {
    "by etag": ([fresh(("ETag", '"a"'), cc="max-age=0"), (304, [("ETag", '"a"')])],
                [GET_MISS, ("GET", {}, "valid")]),
    "by date": ([fresh(("Last-Modified", -86400), cc="max-age=0"), (304, [])],
                [GET_MISS, ("GET", {}, "valid")]),
    "no-cache with a validator": (
        [fresh(("ETag", '"a"'), cc="no-cache"), (304, [("ETag", '"a"'), (CC, "no-cache")])],
        [GET_MISS, ("GET", {}, "valid"), ("GET", {}, "valid")]),
    "a 304 makes it fresh": (
        [fresh(("ETag", '"a"'), cc="max-age=0"), (304, [("ETag", '"a"'), (CC, "max-age=60")])],
        [GET_MISS, ("GET", {}, "valid"), GET_HIT]),
    "a 304 that is older than fresh": (  # section 4.2.3: its Age counts
        [fresh(("ETag", '"a"'), cc="max-age=0"),
         (304, [("ETag", '"a"'), ("Age", "61"), (CC, "max-age=60")])],
        [GET_MISS, ("GET", {}, "valid"), ("GET", {}, "valid")]),
    "a 304 that is private": (
        [fresh(("ETag", '"a"'), cc="max-age=0"), (304, [("ETag", '"a"'), (CC, "private")]), fresh()],
        [GET_MISS, ("GET", {}, "valid"), GET_MISS]),
    "a 304 that varies where nothing did": (  # section 4.1: nobody else may have it
        [fresh(("ETag", '"a"'), cc="max-age=0"),
         (304, [("ETag", '"a"'), ("Vary", "Foo"), (CC, "max-age=60")]), fresh(("Vary", "Foo"))],
        [("GET", {"Foo": "1"}, "miss"), ("GET", {"Foo": "1"}, "valid"),
         ("GET", {"Foo": "2"}, "miss"), ("GET", {"Foo": "2"}, "hit")]),
    "a 304 with what is said to this node": (
        [fresh(("ETag", '"a"'), ("StreamGate-Cache-Control", "max-age=0")),
         (304, [("ETag", '"a"'), ("StreamGate-Cache-Control", "max-age=60"), (CC, "max-age=0")])],
        [GET_MISS, ("GET", {}, "valid"), GET_HIT]),
    "a 304 without what was said to this node": (
        [fresh(("ETag", '"a"'), ("StreamGate-Cache-Control", "max-age=0")), (304, [])],
        [GET_MISS, ("GET", {}, "valid"), ("GET", {}, "valid")]),
    "a new answer takes its place": (
        [fresh(("ETag", '"a"'), cc="max-age=0"), fresh(("ETag", '"b"'))],
        [GET_MISS, GET_MISS, GET_HIT]),
}

INVALIDATION = {
    **{f"{method} ends it": ([fresh()], [GET_MISS, GET_HIT, (method, {}, "miss"), GET_MISS])
       for method in ("POST", "PUT", "DELETE")},
    "a failed POST does not": ([fresh(), (500, [(CC, "no-store")]), fresh()],
                               [GET_MISS, ("POST", {}, "miss"), GET_HIT]),
}

CONFIG = sg.CONFIG.replace(
    "access: public", "access: public, methods: [POST, PUT, DELETE], "
    "forward_headers: [foo, bar, authorization]")


class Rfc9111(sg.Scenario):
    def play(self, rows):
        stories = {f"/{i}": Story(*row[0]) for i, row in enumerate(rows.values())}
        node = self.node(self.origin(stories), CONFIG)
        for i, (name, (_, asks)) in enumerate(rows.items()):
            with self.subTest(name):
                self.ask(node, f"/{i}", stories[f"/{i}"], asks)

    def ask(self, node, path, story, asks):
        served = None
        for method, fields, want in asks:
            before = len(story.asked)
            answer = node.get(path, fields, method)
            asked = story.asked[before:]
            told = answer.fields.get("cache-status")
            if want == "hit":
                self.assertEqual(len(asked), 0, f"the origin was asked; {told}")
            else:
                self.assertEqual(len(asked), 1, f"the origin was not asked once; {told}")
            conditional = any("if-none-match" in a or "if-modified-since" in a for a in asked)
            if want == "valid":
                self.assertTrue(conditional, "the origin was asked without a condition")
                self.assertEqual(answer.body, served)
            if want == "hit" and method == "GET":
                self.assertIn("age", answer.fields)
            if method == "GET":
                served = answer.body

    def test_freshness(self):
        self.play(FRESHNESS)

    def test_what_is_stored(self):
        self.play(STORING)

    def test_what_a_request_asks_of_the_cache(self):
        self.play(REQUESTS)

    def test_targeted_directives_speak_alone(self):
        self.play(TARGETED)

    def test_vary_selects(self):
        self.play(VARY)

    def test_validation(self):
        self.play(VALIDATION)

    def test_unsafe_methods_invalidate(self):
        self.play(INVALIDATION)

    def test_only_if_cached_never_asks_the_origin(self):
        story = Story(fresh())
        node = self.node(self.origin({"/a": story}), CONFIG)
        self.assertEqual(node.get("/a", {CC: "only-if-cached"}).status, 504)
        self.assertEqual(len(story.asked), 0)
        node.get("/a")
        self.assertEqual(node.get("/a", {CC: "only-if-cached"}).status, 200)

    def test_fields_named_private_or_no_cache_are_the_first_viewers_alone(self):
        named = 'private="A", no-cache="b"'
        fields = (("A", "1"), ("B", "2"), ("C", "3"))
        node = self.node(self.origin({
            "/kept": (kept := Story(fresh(*fields, cc=f"max-age=60, {named}"))),
            "/not": Story(fresh(*fields, cc=f"no-store, {named}")),
            "/valid": Story(fresh(*fields, ("ETag", '"a"'), cc=f"max-age=0, {named}"),
                            (304, [("A", "4"), ("ETag", '"a"')]))}), CONFIG)

        def told(path):
            answer = node.get(path)
            return [answer.fields.get(name) for name in "abc"]
        self.assertEqual([told("/kept"), told("/kept")], [["1", "2", "3"], [None, None, "3"]])
        self.assertEqual(len(kept.asked), 1)
        self.assertEqual([told("/not"), told("/not")], [["1", "2", "3"]] * 2)
        self.assertEqual([told("/valid"), told("/valid")], [["1", "2", "3"], ["4", None, "3"]])

    def test_what_is_said_to_this_node_goes_no_further(self):
        story = Story(fresh(("StreamGate-Cache-Control", "max-age=60"), cc="max-age=0"))
        node = self.node(self.origin({"/a": story}), CONFIG)
        for _ in range(2):
            self.assertNotIn("streamgate-cache-control", node.get("/a").fields)
        self.assertEqual(len(story.asked), 1)

    def test_a_304_updates_the_stored_fields(self):
        story = Story(fresh(("ETag", '"a"'), ("A", "1"), ("B", "1"), ("Content-Type", "text/plain"),
                            ("Content-Encoding", "x"), cc="max-age=0"),
                      (304, [("ETag", '"a"'), ("A", "2"), ("Content-Type", "text/html"),
                             ("Content-Encoding", "y"), (CC, "max-age=60")]))
        node = self.node(self.origin({"/a": story}), CONFIG)
        first = node.get("/a")
        second, third = node.get("/a"), node.get("/a")
        self.assertEqual(len(story.asked), 2)
        for answer in (second, third):
            self.assertEqual((answer.status, answer.body), (200, first.body))
            self.assertEqual((answer.fields["a"], answer.fields["b"]), ("2", "1"))
            self.assertEqual(answer.fields["content-type"], "text/html")
            self.assertEqual(answer.fields["content-encoding"], "x")  # the stored bytes have it
            self.assertEqual(answer.fields["cache-control"], "max-age=60")

    def test_a_304_about_another_representation_updates_nothing(self):
        rows = ((("ETag", '"a"'), ("ETag", '"b"')), (("ETag", '"a"'), ("ETag", 'W/"b"')),
                (("ETag", 'W/"a"'), ("ETag", '"a"')),  # section 4.3.4: strong names that very one
                (("Last-Modified", -9000), ("Last-Modified", -100)))
        stories = {f"/{i}": Story(fresh(had, cc="max-age=0"), (304, [other, (CC, "max-age=60")]),
                                  fresh(other)) for i, (had, other) in enumerate(rows)}
        node = self.node(self.origin(stories), CONFIG)
        for path, story in stories.items():
            node.get(path)
            self.assertEqual(node.get(path).body, b"body 3")
            self.assertFalse({"if-none-match", "if-modified-since"} & set(story.asked[2]))

    def test_age_tells_that_the_origin_was_not_asked(self):
        node = self.node(self.origin({
            "/a": Story(fresh()), "/old": Story(fresh(("Age", "30"))), "/no": Story(fresh(cc="no-store")),
            "/v": Story(fresh(("ETag", '"a"'), cc="no-cache"), (304, [("ETag", '"a"')]))}), CONFIG)
        ages = [node.get(path).fields.get("age") for path in
                ("/a", "/a", "/old", "/old", "/no", "/v", "/v")]
        self.assertEqual(ages, [None, "0", "30", "30", None, None, None])

    def test_a_viewers_condition_is_judged_by_the_cache(self):
        stamp = date(-86400)
        story = Story(fresh(("ETag", '"a"'), ("Last-Modified", stamp)))
        node = self.node(self.origin({"/a": story}), CONFIG)
        node.get("/a")
        for fields, status in (({"If-None-Match": '"a"'}, 304), ({"If-None-Match": 'W/"a"'}, 304),
                               ({"If-None-Match": '"b"'}, 200), ({"If-None-Match": '"b", "a"'}, 304),
                               ({"If-None-Match": "*"}, 304), ({"If-Modified-Since": stamp}, 304),
                               ({"If-Modified-Since": date(-90000)}, 200),
                               ({"If-Match": '"b"'}, 200),  # the origin's alone to judge
                               ({"If-Unmodified-Since": date(-90000)}, 200),
                               ({"If-None-Match": '"b"', "If-Modified-Since": stamp}, 200)):
            answer = node.get("/a", fields)
            self.assertEqual(answer.status, status, fields)
            self.assertEqual(answer.fields["etag"], '"a"')
            self.assertEqual(answer.fields.get("content-length"), "6" if status == 200 else None)
            self.assertEqual(answer.body, b"" if status == 304 else b"body 1")
        self.assertEqual(len(story.asked), 1)

    def test_a_viewers_condition_does_not_become_the_origins_answer(self):
        story = Story(fresh(("ETag", '"a"')))
        node = self.node(self.origin({"/a": story}), CONFIG)
        self.assertEqual(node.get("/a", {"If-None-Match": '"a"'}).status, 304)
        self.assertEqual(node.get("/a").body, b"body 1")
        self.assertEqual(len(story.asked), 1)

    def test_ranges_are_cut_from_what_is_stored(self):
        story = Story((OK, [(CC, "max-age=60"), ("ETag", '"a"')], b"0123456789"))
        node = self.node(self.origin({"/a": story}), CONFIG)
        node.get("/a")
        for asked, status, body, told in (
                ("bytes=2-4", 206, b"234", "bytes 2-4/10"), ("bytes=-3", 206, b"789", "bytes 7-9/10"),
                ("bytes=8-", 206, b"89", "bytes 8-9/10"), ("bytes=8-99", 206, b"89", "bytes 8-9/10"),
                ("bytes=10-", 416, None, "bytes */10"), ("bytes=4-2", 200, b"0123456789", None),
                ("lines=1-2", 200, b"0123456789", None)):
            answer = node.get("/a", {"Range": asked})
            self.assertEqual((answer.status, answer.fields.get("content-range")), (status, told), asked)
            if body is not None:
                self.assertEqual(answer.body, body)
        parts = node.get("/a", {"Range": "bytes=0-1,8-9"})
        self.assertEqual(parts.status, 206)
        self.assertIn("multipart/byteranges", parts.fields["content-type"])
        self.assertIn(b"01\r\n", parts.body)
        self.assertIn(b"Content-Range: bytes 8-9/10\r\n\r\n89", parts.body)
        self.assertEqual(node.get("/a", {"Range": "bytes=0-1", "If-Range": '"a"'}).status, 206)
        self.assertEqual(node.get("/a", {"Range": "bytes=0-1", "If-Range": '"b"'}).status, 200)
        self.assertEqual(len(story.asked), 1)

    def test_what_came_without_a_length_has_one_once_it_is_whole(self):
        def unsized(handler):
            handler.send_response(200)
            for name, value in ((CC, "max-age=60"), ("Transfer-Encoding", "chunked")):
                handler.send_header(name, value)
            handler.end_headers()
            handler.wfile.write(b"5\r\n01234\r\n5\r\n56789\r\n0\r\n\r\n")

        origin = self.origin({"/a": unsized})
        node = self.node(origin, CONFIG)
        self.assertEqual(node.get("/a").body, b"0123456789")
        again = node.get("/a")
        self.assertEqual((again.body, again.fields.get("content-length")), (b"0123456789", "10"))
        part = node.get("/a", {"Range": "bytes=2-4"})
        self.assertEqual((part.status, part.body), (206, b"234"))
        self.assertEqual(origin.hits["/a"], 1)

    def test_stale_is_served_where_the_response_allows(self):
        stale = ("Age", "61")
        rows = {
            "while it is validated": (Story(fresh(stale, cc="max-age=60, stale-while-revalidate=60")),
                                      b"body 1"),
            "on an error": (Story(fresh(stale, cc="max-age=60, stale-if-error=60"),
                                  (503, [(CC, "no-store")])), b"body 1"),
            "on no other status": (Story(fresh(stale, cc="max-age=60, stale-if-error=60"),
                                         (501, [(CC, "no-store")])), None),
            "never with must-revalidate": (
                Story(fresh(stale, cc="max-age=60, must-revalidate, stale-if-error=60"),
                      (503, [(CC, "no-store")])), None),
        }
        stories = {f"/{i}": story for i, (story, _) in enumerate(rows.values())}
        node = self.node(self.origin(stories), CONFIG)
        for i, (name, (_, body)) in enumerate(rows.items()):
            with self.subTest(name):
                node.get(f"/{i}")
                answer = node.get(f"/{i}")
                if body is None:
                    self.assertGreaterEqual(answer.status, 500)
                else:
                    self.assertEqual((answer.status, answer.body), (200, body))


if __name__ == "__main__":
    sg.main()
