#!/usr/bin/env python3
"""SIGTERM lets what is under way finish, and takes nothing new."""
import signal
import threading
import time

import sg


def slowly(seconds, pieces=10, piece=b"x" * 1000):
    """Content that takes `seconds` to come from the origin."""
    def answer(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(piece) * pieces))
        handler.send_header("Cache-Control", "max-age=60")
        handler.end_headers()
        for _ in range(pieces):
            handler.wfile.write(piece)
            handler.wfile.flush()
            time.sleep(seconds / pieces)
    return answer


class Drain(sg.Scenario):
    def test_a_download_under_way_is_finished_and_new_connections_are_refused(self):
        node = self.node(self.origin({"/slow": slowly(1.5)}))
        got = []
        viewer = threading.Thread(target=lambda: got.append(node.get("/slow")))
        viewer.start()
        sg.until(lambda: node.counter("origin_fetches") == 1, "the fetch has begun")
        node.signal(signal.SIGTERM)
        sg.until(lambda: "draining" in node.said(), "the drain has begun")
        with self.assertRaises(OSError):
            for _ in range(200):  # the listeners close within a turn of each worker
                node.connect().connect()
                time.sleep(0.01)
        viewer.join()
        self.assertEqual(len(got[0].body), 10000)
        self.assertEqual(node.process.wait(sg.PATIENCE_S), 0)

    def test_readiness_ends_with_the_drain(self):
        node = self.node(self.origin({"/slow": slowly(1.5)}))
        viewer = threading.Thread(target=node.get, args=("/slow",))
        viewer.start()
        sg.until(lambda: node.counter("origin_fetches") == 1, "the fetch has begun")
        self.assertEqual(node.command("/readyz").status, 200)
        self.assertTrue(node.command("/v1/drain", "POST").json()["ok"])
        answer = node.command("/readyz")
        self.assertEqual((answer.status, answer.text), (503, "draining\n"))
        self.assertEqual(node.command("/healthz").status, 200)
        viewer.join()
        self.assertEqual(node.process.wait(sg.PATIENCE_S), 0)

    def test_what_takes_longer_than_drain_s_is_cut(self):
        node = self.node(self.origin({"/slow": slowly(15)}),
                         config=sg.CONFIG.replace("drain_s: 5", "drain_s: 1"))
        viewer = node.connect()
        viewer.request("GET", "/slow")
        viewer.getresponse()
        began = time.monotonic()
        self.assertEqual(node.stop(), 0)
        self.assertLess(time.monotonic() - began, 8)

    def test_an_idle_connection_does_not_hold_the_drain(self):
        node = self.node(self.origin({"/a": "hello"}))
        viewer = node.connect()
        viewer.request("GET", "/a")
        self.assertEqual(viewer.getresponse().read(), b"hello")
        began = time.monotonic()
        self.assertEqual(node.stop(), 0)
        self.assertLess(time.monotonic() - began, 4)


if __name__ == "__main__":
    sg.main()
