#!/usr/bin/env python3
"""The ownership feed, between processes: a control node, edges, and a real nats-server."""
import json
import signal
import subprocess
import time

import sg
import sgfeed

FACT = "0x0123456789abcdef"
ALICE = "eip155:1:0x00000000000000000000000000000000000a11ce"
BOB = "eip155:1:0x0000000000000000000000000000000000000b0b"


class Feed(sgfeed.Scenario):
    def test_a_token_revoked_on_one_node_is_refused_on_all_and_sgctl_says_which(self):
        self.world(3, {"/seg": "segment"})
        token = self.mint(self.edges[0])
        self.assertEqual([self.status(e, token) for e in self.edges], [200] * 3)
        told = json.loads(self.control.sgctl("--json", "token", "revoke", token).stdout)
        self.assertEqual([self.status(e, token) for e in self.edges], [403] * 3)
        self.assertEqual({e["edge"]: e["confirmed"] for e in told["edges"]},
                         {"control": True, "edge0": True, "edge1": True, "edge2": True})
        other = self.mint(self.edges[0])
        told = json.loads(self.edges[1].sgctl("--json", "token", "revoke", other).stdout)
        self.assertGreater(told["seq"], 0)  # from an edge it goes the same way
        sg.until(lambda: [self.status(e, other) for e in self.edges] == [403] * 3, "refused")
        shown = self.control.sgctl("feed", "status").stdout
        for name in ("edge0", "edge1", "edge2", "own-eu", "ready"):
            self.assertIn(name, shown)

    def test_in_an_emergency_all_tokens_of_a_tenant_end_everywhere_within_five_seconds(self):
        self.world(3, {"/seg": "segment"})
        tokens = [self.mint(e) for e in self.edges]
        began = time.monotonic()
        self.control.sgctl("token", "revoke", "--tenant", "films", "--all")
        for edge in self.edges:
            self.assertEqual([self.status(edge, t) for t in tokens], [401] * 3)
        self.assertLess(time.monotonic() - began, 5)
        fresh = self.mint(self.edges[0])  # who may have one gets another
        self.assertEqual([self.status(e, fresh) for e in self.edges], [200] * 3)

    def test_a_transfer_ends_the_tokens_that_rest_on_it_on_every_edge(self):
        self.world(2, {"/seg": "segment"})
        self.owned(FACT, ALICE, self.edges)
        token = self.mint(self.edges[0], "--fact", FACT, "--owner", ALICE)
        self.assertEqual([self.status(e, token) for e in self.edges], [200] * 2)
        self.transfer(FACT, BOB)
        sg.until(lambda: [self.status(e, token) for e in self.edges] == [403] * 2, "refused", 2)
        text = self.edges[0].command("/metrics").text
        self.assertIn("streamgate_feed_apply_seconds_count 2", text)
        self.assertIn("streamgate_feed_following 1", text)

    def test_an_edge_that_was_killed_or_stopped_knows_before_it_serves(self):
        self.world(2, {"/seg": "segment"})
        first, second = self.edges
        self.owned(FACT, ALICE, self.edges)
        token = self.mint(first, "--fact", FACT, "--owner", ALICE)
        self.assertEqual([self.status(e, token) for e in self.edges], [200] * 2)
        first.kill()
        second.signal(signal.SIGSTOP)
        self.transfer(FACT, BOB)
        sg.until(lambda: self.feed(self.control)["seq"] == 2, "the control node has it")
        time.sleep(8.5)  # past the tenant's limit
        second.signal(signal.SIGCONT)
        first.start("--role", "edge")
        for edge in self.edges:
            answers = set()
            for _ in range(50):
                answers.add(self.status(edge, token))
                time.sleep(0.02)
            self.assertEqual(answers - {403, 503}, set())  # never 200: refused, or too old to say
        sg.until(lambda: [self.status(e, token) for e in self.edges] == [403] * 2, "refused")

    def test_while_the_bus_is_away_an_edge_serves_until_the_limit_and_comes_back(self):
        self.world(1, {"/seg": "segment"})
        edge = self.edges[0]
        self.owned(FACT, ALICE, [edge])
        token = self.mint(edge, "--fact", FACT, "--owner", ALICE)
        self.nats.stop()
        self.assertEqual(self.status(edge, token), 200)
        sg.until(lambda: self.status(edge, token) == 503, "too old to say", 12)
        self.nats.start()
        sg.until(lambda: self.status(edge, token) == 200, "young again", 15)

    def test_a_role_that_needs_others_wants_a_bus_that_reaches_them(self):
        self.nats = type("Nobody", (), {"url": "embedded:"})()
        (self.folder / "secret").write_text(sgfeed.SECRET)
        self.studio = self.origin({})
        node = self.member("alone", start=False)
        node.start("--role", "edge", wait=False)
        self.assertEqual(node.process.wait(sg.PATIENCE_S), 1)
        self.assertIn("bus.url: --role edge", node.said())
        for role, status in (("edge", 1), ("control", 1), ("all", 0)):
            done = subprocess.run([sg.STREAMGATED, "--check", "-c", str(node.file), "--role", role],
                                  capture_output=True, text=True, check=False)
            self.assertEqual(done.returncode, status, role)
            self.assertEqual(f"bus.url: --role {role}" in done.stderr, status == 1)

    def test_a_single_node_is_fed_by_its_own_bus(self):
        self.nats = type("Nobody", (), {"url": "embedded:"})()
        (self.folder / "secret").write_text(sgfeed.SECRET)
        self.studio = self.origin({"/seg": "segment"})
        node = self.member("alone")
        token = self.mint(node)
        self.assertEqual(self.status(node, token), 200)
        told = json.loads(node.sgctl("--json", "token", "revoke", token).stdout)
        self.assertEqual((told["seq"], told["edges"][0]["edge"]), (1, "alone"))
        self.assertEqual(self.status(node, token), 403)
        self.assertEqual(self.feed(node)["bus"], "embedded")

    def test_a_control_node_listens_to_no_viewer(self):
        self.world(0, {})
        with self.assertRaises(OSError):
            self.control.get("/seg")
        self.assertEqual(json.loads(self.control.sgctl("--json", "status").stdout)["listeners"], [])
        self.assertEqual(self.control.stop(), 0)


if __name__ == "__main__":
    sg.main()
