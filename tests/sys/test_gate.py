#!/usr/bin/env python3
"""Gated content, as viewers, thieves and operators meet it."""
import json
import re
import threading
import time

import sg

CONFIG = """
node: {name: edge1, region: eu, workers: 2, state_dir: {folder}/state, run_dir: {folder}/run}
listeners: [{address: "127.0.0.1:{port}"}]
admin: {address: "127.0.0.1:{admin_port}"}
cache: {ram_bytes: 64MiB}
tenants: [{name: films, secret_file: "{secret}", stale_limit_s: 2}]
origins: [{name: studio, urls: [{url: "{origin}"}]}]
sites:
  - {name: gated, tenant: films, hosts: ["*"], path: /films/, origin: studio, access: token}
  - {name: open, tenant: films, hosts: ["*"], path: /, origin: studio, access: public}
"""
PLAYLIST = "#EXTM3U\n#EXT-X-TARGETDURATION:4\nseg1.m4s\n"
ROOTED = "#EXTM3U\n#EXT-X-TARGETDURATION:4\n/films/a/seg1.m4s\n"
CONTENT = {"/films/a/master.m3u8": PLAYLIST, "/films/a/seg1.m4s": "segment", "/open": "hello",
           "/films/a/rooted.m3u8": ROOTED}
FACT = "eip155:1/erc721:0x0000000000000000000000000000000000000abc/42"
ALICE = "eip155:1:0x00000000000000000000000000000000000a11ce"
BOB = "eip155:1:0x0000000000000000000000000000000000000b0b"


class Gate(sg.Scenario):
    def gated(self, secret="0123456789abcdef0123456789abcdef\n"):
        file = self.folder / "secret"
        if secret is not None:
            file.write_text(secret)
        self.studio = self.origin(CONTENT)
        return self.node(self.studio, CONFIG.replace("{secret}", str(file)))

    def mint(self, node, *words):
        return node.sgctl("token", "mint", "--path", "/films/a/", *words).stdout.strip()

    def get(self, node, token, path="/films/a/seg1.m4s", **more):
        return node.get(path, {"CTA-Common-Access-Token": token}, **more)

    def assert_refused(self, answer, status, reason):
        self.assertEqual((answer.status, answer.text.split(":")[0]), (status, reason))
        self.assertEqual(answer.fields["cache-control"], "no-store")
        self.assertEqual("www-authenticate" in answer.fields, status == 401)
        if status == 401:
            self.assertEqual(answer.fields["www-authenticate"],
                             f'StreamGate realm="token", error="{reason}"')
        self.assertNotIn("segment", answer.text)

    def test_all_four_carriers_open_and_nothing_of_a_token_reaches_the_origin_or_the_log(self):
        node = self.gated()
        token = self.mint(node)
        seg = "/films/a/seg1.m4s"
        asked = [node.get(seg, {"CTA-Common-Access-Token": token}),
                 node.get(seg, {"Cookie": f"a=b; CTA-Common-Access-Token={token}"}),
                 node.get(f"/cat:{token}{seg}"), node.get(f"/{token}{seg}"),
                 node.get(f"/%63at%3A{token}{seg}")]
        self.assertEqual([(a.status, a.text) for a in asked], [(200, "segment")] * 5)
        self.assertEqual(self.studio.hits, {seg: 1})  # one object, whoever asks
        moved = node.get(f"{seg}?CAT={token}&x=1")
        self.assertEqual((moved.status, moved.fields["location"]),
                         (307, f"/cat:{token}{seg}?x=1"))
        node.get(f"/open?CAT={token}", {"Cookie": f"CTA-Common-Access-Token={token}"})
        node.get(f"/films/x/../cat:{token}/y")
        told = json.dumps(self.studio.requests) + node.sgctl("--json", "log").stdout + node.said()
        self.assertNotIn(token, told)
        self.assertNotIn(token[20:120], told)

    def test_a_playlist_is_the_same_bytes_for_everyone_and_private(self):
        node = self.gated()
        answers = [node.get(f"/cat:{self.mint(node)}/films/a/master.m3u8") for _ in range(3)]
        self.assertEqual({a.text for a in answers}, {PLAYLIST})
        for answer in answers:
            self.assertIn("private", answer.fields["cache-control"])
            self.assertEqual(answer.fields["referrer-policy"], "no-referrer")
            self.assertNotIn("authorization", answer.fields.get("vary", "").lower())
        self.assertEqual(self.studio.hits["/films/a/master.m3u8"], 1)

    def test_a_playlist_that_a_path_token_cannot_follow_is_told(self):
        node = self.gated()
        token = self.mint(node)
        self.assertEqual(self.get(node, token, "/films/a/master.m3u8").text, PLAYLIST)
        self.assertNotIn("does not reach", node.said())
        self.assertEqual(self.get(node, token, "/films/a/rooted.m3u8").text, ROOTED)
        sg.until(lambda: "/films/a/rooted.m3u8 has root-relative URIs" in node.said(),
                 "the log names the playlist")
        self.assertEqual(node.counter("playlists_rooted"), 1)

    def test_what_a_token_does_not_name_it_does_not_open(self):
        node = self.gated()
        token = self.mint(node, "--host", "tv.example")
        self.assert_refused(self.get(node, token), 403, "token_host")
        self.assertEqual(self.get(node, token, host="tv.example").status, 200)
        self.assert_refused(self.get(node, token, "/films/b/seg1.m4s", host="tv.example"), 403,
                            "token_path")
        self.assert_refused(self.get(node, token, "/films/a/../b/seg1.m4s", host="tv.example"),
                            403, "token_path")
        self.assert_refused(self.get(node, self.mint(node, "--network", "10.0.0.0/8")), 403,
                            "token_network")
        self.assertEqual(self.get(node, self.mint(node, "--network", "127.0.0.0/8")).status, 200)
        self.assert_refused(self.get(node, self.mint(node, "--country", "DE")), 403, "country")

    def test_the_caller_does_not_choose_the_gate(self):
        node = self.gated()
        seg = "/films/a/seg1.m4s"
        for path in (seg, f"{seg}?contract=0xmine", f"/open/..{seg}", f"/{seg}", f"/x/../{seg}", f"/.{seg}",
                     "/films%2Fa/seg1.m4s", "/%66ilms/a/seg1.m4s"):
            answer = node.get(path, {"X-Device-Fingerprint": "any", "X-Forwarded-Host": "other"})
            self.assertNotIn("segment", answer.text, path)
            self.assertIn(answer.status, (400, 401, 404), path)
        self.assertEqual(self.studio.hits.get(seg, 0), 0)

    def test_a_token_has_no_more_viewers_and_requests_than_allowed_on_all_workers_together(self):
        node = self.gated()
        token = self.mint(node, "--viewers", "1")
        seen = [node.get("/films/a/seg1.m4s", {"CTA-Common-Access-Token": token,
                                               "Forwarded": f"for=192.0.2.{i}"}) for i in range(8)]
        self.assertEqual([a.status for a in seen], [200] * 8)  # no proxy of ours says so
        config = node.file.read_text().replace("workers: 2", "workers: 4")
        listener = 'listeners: [{address: "127.0.0.1:%d"' % node.port
        node.configure(config.replace(listener, listener + ', forwarded: ["127.0.0.0/8"]') +
                       "limits: {requests_per_token: 2}\n")
        node.stop()
        node.start()
        token = self.mint(node, "--viewers", "2")
        seen = [node.get("/films/a/seg1.m4s", {"CTA-Common-Access-Token": token,
                                               "Forwarded": f"for=192.0.2.{i % 4}"})
                for i in range(40)]
        self.assertEqual([a.status for a in seen], [200, 200, 429, 429] * 10)
        self.assert_refused(seen[2], 429, "token_concurrency")

        gate = threading.Event()
        self.studio.content["/films/a/slow"] = lambda handler: (gate.wait(10),
                                                                sg.reply(handler, 200, b"slow"))
        token, got = self.mint(node), []
        threads = [threading.Thread(target=lambda: got.append(
            self.get(node, token, "/films/a/slow").status)) for _ in range(2)]
        for thread in threads:
            thread.start()
        sg.until(lambda: node.counter("requests") >= 42, "two requests wait")
        self.assert_refused(self.get(node, token), 429, "token_requests")
        self.assertEqual(self.get(node, self.mint(node)).status, 200)
        gate.set()
        for thread in threads:
            thread.join()
        self.assertEqual(got, [200, 200])
        self.assertEqual(self.get(node, token).status, 200)

    def test_time_ends_a_token_in_mid_play(self):
        node = self.gated()
        token = self.mint(node, "--lifetime", "2")
        self.assertEqual(self.get(node, token).status, 200)
        sg.until(lambda: self.get(node, token).status != 200, "the token expires")
        self.assert_refused(self.get(node, token), 401, "token_expired")
        renewing = self.mint(node, "--lifetime", "1", "--renewal", "https://tv.example/renew")
        moved = sg.until(lambda: next((a for a in [self.get(node, renewing)] if a.status != 200),
                                      None), "the token expires")
        self.assertEqual((moved.status, moved.fields["location"]),
                         (307, "https://tv.example/renew"))

    def test_a_revocation_holds_from_its_acknowledgement_through_a_kill(self):
        node = self.gated()
        tokens = [self.mint(node) for _ in range(3)]
        for token in tokens:
            self.assertEqual(self.get(node, token).status, 200)
        node.sgctl("token", "revoke", tokens[0])
        self.assert_refused(self.get(node, tokens[0]), 403, "token_revoked")
        self.assertEqual(self.get(node, tokens[1]).status, 200)
        node.sgctl("token", "revoke", tokens[1])
        node.kill()
        node.start()
        for token in tokens[:2]:
            self.assert_refused(self.get(node, token), 403, "token_revoked")
        self.assertEqual(self.get(node, tokens[2]).status, 200)
        node.sgctl("token", "revoke", "--all")
        self.assert_refused(self.get(node, tokens[2]), 401, "token_epoch_closed")
        self.assertEqual(self.get(node, self.mint(node)).status, 200)

    def test_a_sale_stops_the_seller_within_a_segment(self):
        node = self.gated()
        node.sgctl("own", "set", FACT, ALICE)
        token = self.mint(node, "--fact", FACT, "--owner", ALICE)
        self.assertEqual(self.get(node, token).status, 200)
        node.sgctl("own", "transfer", FACT, ALICE, BOB)
        refused = self.get(node, token)
        self.assert_refused(refused, 403, "ownership_changed")
        # From the viewer's request to the fact: explain's key is one that own show takes.
        told = node.sgctl("explain", refused.fields["x-request-id"]).stdout
        key = re.search("by fact (0x[0-9a-f]{16}) at generation 1", told)[1]
        self.assertEqual(json.loads(node.sgctl("--json", "own", "show", key).stdout)["key"],
                         json.loads(node.sgctl("--json", "own", "show", FACT).stdout)["key"])
        self.assertNotEqual(
            node.sgctl("token", "mint", "--path", "/films/", "--fact", FACT, "--owner", ALICE,
                       check=False).returncode, 0)
        self.assertEqual(
            self.get(node, self.mint(node, "--fact", FACT, "--owner", BOB)).status, 200)

    def test_when_the_feed_goes_quiet_tokens_with_facts_stop_and_others_play_on(self):
        node = self.gated()
        node.sgctl("own", "set", FACT, ALICE)
        by_fact, plain = self.mint(node, "--fact", FACT), self.mint(node)
        self.assertEqual(self.get(node, by_fact).status, 200)
        sg.until(lambda: self.get(node, by_fact).status != 200, "the feed is too old")
        self.assert_refused(self.get(node, by_fact), 503, "ownership_feed_stale")
        self.assertEqual(self.get(node, plain).status, 200)
        node.sgctl("own", "feed")
        self.assertEqual(self.get(node, by_fact).status, 200)

    def test_without_its_secret_a_site_is_closed_and_the_rest_is_served(self):
        node = self.gated(secret="too short\n")
        self.assert_refused(node.get("/films/a/seg1.m4s"), 403, "closed")
        self.assertEqual(node.get("/open").text, "hello")
        self.assertIn("must hold 32 to 1024 bytes", node.said())

    def test_explain_tells_the_token_by_its_name(self):
        node = self.gated()
        token = self.mint(node)
        cti = json.loads(node.sgctl("--json", "token", "inspect", token).stdout)["cti"]
        node.sgctl("token", "revoke", token)
        answer = self.get(node, token)
        said = node.sgctl("explain", answer.fields["x-request-id"]).stdout
        self.assertIn(cti, said)
        self.assertIn("revoked", said)
        self.assertNotIn(token, said)

    def test_thieves_guesses_are_all_told_apart_from_tokens(self):
        node = self.gated()
        token = self.mint(node)
        started = time.monotonic()
        for at in range(0, len(token), 7):
            forged = token[:at] + ("A" if token[at] != "A" else "B") + token[at + 1:]
            self.assertIn(self.get(node, forged).status, (401, 403), at)
        for junk in ("", "x", "A" * 5000, token + "A", token[:-1], token + "=", '"' + token + '"'):
            self.assertEqual(self.get(node, junk).status, 401, junk[:40])
        self.assertEqual(self.get(node, "A" * 6000).status, 431)
        self.assertLess(time.monotonic() - started, 15)


if __name__ == "__main__":
    sg.main()
