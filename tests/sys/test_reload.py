#!/usr/bin/env python3
"""A new configuration reaches running requests' successors, and nobody is dropped for it."""
import signal

import sg


class Reload(sg.Scenario):
    def test_a_reload_is_followed_by_the_next_request_on_the_same_connection(self):
        origin = self.origin({"/a": "hello"})
        node = self.node(origin)
        viewer = node.connect()
        viewer.request("GET", "/a")
        self.assertNotIn("x-edge", sg.Answer(viewer.getresponse()).fields)
        config = node.file.read_text()
        node.file.write_text(config.replace(
            "access: public", 'access: public, add_response_headers: ["X-Edge: new"]'))
        self.assertEqual(node.command("/v1/reload", "POST").json()["config_serial"], 2)
        viewer.request("GET", "/a")
        self.assertEqual(sg.Answer(viewer.getresponse()).fields["x-edge"], "new")
        self.assertEqual(node.counter("connections_accepted"), 1)

    def test_a_bad_file_changes_nothing_and_says_why(self):
        node = self.node(self.origin({"/a": "hello"}))
        good = node.file.read_text()
        node.file.write_text(good.replace("origin: studio", "origin: studia"))
        told = node.command("/v1/reload", "POST")
        self.assertEqual(told.status, 409)
        self.assertEqual(told.json()["report"], [
            f'{node.file}:8: sites[0].origin: "studia" is not in origins; known are: studio'])
        self.assertEqual(node.status()["config_serial"], 1)
        self.assertEqual(node.get("/a").status, 200)

    def test_keys_that_wait_for_the_next_start_are_named(self):
        node = self.node(self.origin({}))
        node.file.write_text(node.file.read_text().replace("64MiB", "128MiB"))
        told = node.command("/v1/reload", "POST").json()
        self.assertEqual(told["report"], ["cache.ram_bytes: counts from the next start"])
        self.assertTrue(told["ok"])

    def test_who_the_node_is_stays_until_the_next_start_and_every_reload_says_so(self):
        origin = self.origin({"/a": "hello"})
        node = self.node(origin)
        node.file.write_text(node.file.read_text().replace(
            "node: {name: edge1,", "node: {name: other, region: us,"))
        for _ in range(2):
            self.assertEqual(node.command("/v1/reload", "POST").json()["report"], [
                "node.name: counts from the next start", "node.region: counts from the next start"])
            self.assertEqual((node.status()["node"], node.status()["region"]), ("edge1", "local"))
        self.assertNotIn("other", node.get("/b").fields.get("via", ""))
        node.kill()
        node.start()
        self.assertEqual((node.status()["node"], node.status()["region"]), ("other", "us"))

    def test_sighup_reloads_too(self):
        node = self.node(self.origin({}))
        node.signal(signal.SIGHUP)
        sg.until(lambda: node.status()["config_serial"] == 2, "the second configuration")

    def test_a_download_under_way_survives_reloads(self):
        body = bytes(range(256)) * 4096 * 8
        node = self.node(self.origin({"/big": body}))
        viewer = node.connect()
        viewer.request("GET", "/big")
        answer = viewer.getresponse()
        first = answer.read(100000)
        for _ in range(5):
            self.assertTrue(node.command("/v1/reload", "POST").json()["ok"])
        self.assertEqual(first + answer.read(), body)


if __name__ == "__main__":
    sg.main()
