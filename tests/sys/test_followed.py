#!/usr/bin/env python3
"""An edge whose rules are not those of the region's control node: what that does not follow, or not
any more, opens nothing there, and the answer says why."""
import json
import os
import pathlib
import sys
import unittest

import sg
import sgfeed
import wallet

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "chain"))
import anvil  # noqa: E402

CONFIG = """
node: {name: {name}, region: eu, workers: 1, pin_workers: false, state_dir: {folder}/state,
       run_dir: {folder}/run}
listeners: [{address: "127.0.0.1:{port}"}]
bus: {url: "{nats}"}
cache: {ram_bytes: 32MiB}
tenants: [{name: t, secret_file: "{secret}", token_lifetime_s: 600}]
origins: [{name: studio, urls: [{url: "{origin}"}]}]
"""
CONTROL = 'chains: [{id: "eip155:31337", servers: [{url: "{chain}"}], agree: 1, poll_ms: 100}]\n' \
    'sites: [{name: none, tenant: t, hosts: ["*"], path: /, origin: studio, access: closed}]\n'
EDGE = """sites:
  - {name: films, tenant: t, hosts: ["*"], path: /films/, origin: studio, access: token, rule: films}
  - {name: other, tenant: t, hosts: ["*"], path: /other/, origin: studio, access: token, rule: other}
  - {name: new, tenant: t, hosts: ["*"], path: /new/, origin: studio, access: token, rule: new}
"""
RULE = '  - {name: {name}, tenant: t, require: "{require}"}\n'


class Followed(sg.Scenario):
    def setUp(self):
        super().setUp()
        self.chain = anvil.Anvil("--block-time", "1", "--mixed-mining")
        self.addCleanup(self.chain.close)
        self.films, self.other = self.chain.deploy("Film721"), self.chain.deploy("Film721")
        (self.folder / "secret").write_text(sgfeed.SECRET)
        self.nats = sgfeed.Nats(self.folder).start()
        self.addCleanup(self.nats.stop)

    def holds(self, contract):
        return f"erc721(eip155:31337/erc721:{contract.address})"

    def config(self, name, more, **rules):
        text = CONFIG + more + "rules:\n" + "".join(
            RULE.replace("{name}", rule).replace("{require}", require)
            for rule, require in rules.items())
        for word, value in {"name": name, "nats": self.nats.url, "chain": self.chain.url,
                            "secret": str(self.folder / "secret")}.items():
            text = text.replace("{" + word + "}", value)
        return text

    def member(self, role, config):
        return self.node(self.origin({"/films/a": "films", "/other/a": "other", "/new/a": "new"}),
                         config, start=False, name=role).start("--role", role)

    def verdict(self, path, wallet_):
        """What becomes of a sign-in there: a status, and a reason."""
        viewer = wallet.Viewer(self.edge, wallet_)
        viewer.signed(viewer.challenge(path=path).json())
        answer = viewer.post("grant", query={"path": path})
        return answer.status, answer.json().get("reason")

    def signed_in(self, path, wallet_):
        viewer = wallet.Viewer(self.edge, wallet_)
        viewer.sign_in(path=path)
        return viewer

    def becomes(self, path, wallet_, verdict):
        sg.until(lambda: self.verdict(path, wallet_) == verdict, f"{path} answers {verdict}")

    def follow(self, **rules):
        self.control.configure(self.config("control", CONTROL, **rules)
                               .replace("{origin}", "http://127.0.0.1:9"))
        told = self.control.command("/v1/reload", "POST")
        self.assertEqual(told.status, 200, told.text)

    def test_what_is_not_followed_opens_nothing_until_it_is(self):
        films, other = self.holds(self.films), self.holds(self.other)
        alice, bob = wallet.Evm(31337), wallet.Evm(31337)
        for contract in (self.films, self.other):
            contract.send("mint", alice.address, 1)
        self.control = self.member("control", self.config("control", CONTROL, films=films))
        self.edge = self.member("edge", self.config(
            "edge", EDGE, films=films, other=other, new=f"not {other}"))
        self.becomes("/films/", alice, (200, None))
        self.becomes("/films/", bob, (403, "not_held"))
        unknown = (503, "not_followed")
        for viewer in (alice, bob):
            for path in ("/other/", "/new/"):
                self.assertEqual(self.verdict(path, viewer), unknown)

        listed = json.loads(self.edge.sgctl("--json", "rule", "list").stdout)["rules"]
        self.assertEqual([rule["followed"][0] for rule in listed],
                         [{"condition": films, "followed": "whole"},
                          {"condition": other, "followed": "not"},
                          {"condition": other, "followed": "not"}])

        self.follow(films=films, other=other)
        self.becomes("/other/", alice, (200, None))
        self.becomes("/other/", bob, (403, "not_held"))
        self.becomes("/new/", bob, (200, None))
        self.becomes("/new/", alice, (403, "not_held"))

        self.follow(films=films)  # from now on nobody hears of a sale
        for viewer in (alice, bob):
            for path in ("/other/", "/new/"):
                self.becomes(path, viewer, unknown)
        self.assertEqual(self.verdict("/films/", alice), (200, None))

    def test_a_token_rests_on_what_is_followed_and_no_longer(self):
        films, other = self.holds(self.films), self.holds(self.other)
        alice, bob = wallet.Evm(31337), wallet.Evm(31337)
        for contract in (self.films, self.other):
            contract.send("mint", self.chain.accounts[0], 1)
            contract.send("mint", alice.address, 2)
            contract.send("mint", bob.address, 3)
        self.control = self.member("control",
                                   self.config("control", CONTROL, films=films, other=other))
        self.edge = self.member("edge", self.config("edge", EDGE, films=films, other=other,
                                                    new=f"not {other}"))
        for path, who in (("/other/", alice), ("/other/", bob), ("/films/", alice)):
            self.becomes(path, who, (200, None))
        stays = self.signed_in("/films/", alice)
        viewers = [self.signed_in("/other/", who) for who in (alice, bob)]
        for viewer in viewers:
            self.assertEqual(viewer.get("/other/a").body, b"other")

        self.follow(films=films)
        for viewer in viewers:
            sg.until(lambda v=viewer: v.get("/other/a").status == 503, "the token is refused")
            refused = viewer.get("/other/a")
            self.assertIn("ownership_not_followed", refused.text)
            self.assertEqual(refused.fields["cache-control"], "no-store")
        told = self.edge.sgctl("explain", refused.fields["x-request-id"]).stdout
        self.assertIn("gate     unfollowed", told)
        self.assertIn("nobody follows what it belongs to any more", told)
        self.assertRegex(self.edge.command("/metrics").text,
                         r'streamgate_gate_total\{verdict="unfollowed"\} [1-9]')
        self.assertEqual(stays.get("/films/a").body, b"films")

        # Bob sells while nobody looks.
        self.chain.rpc("anvil_impersonateAccount", bob.address)
        self.chain.rpc("anvil_setBalance", bob.address, hex(10**18))
        self.other.send("transferFrom", bob.address, alice.address, 3, sender=bob.address)
        self.follow(films=films, other=other)
        sg.until(lambda: viewers[0].get("/other/a").status == 200, "Alice's token is good again")
        self.assertIn("ownership_changed", viewers[1].get("/other/a").text)

    @unittest.skipUnless("SG_TEST_ALL" in os.environ, "the bus is given its time")
    def test_a_stream_that_is_deleted_closes_until_the_chain_is_rebuilt(self):
        films = self.holds(self.films)
        alice, bob = wallet.Evm(31337), wallet.Evm(31337)
        self.films.send("mint", alice.address, 1)
        self.control = self.member("control", self.config("control", CONTROL, films=films))
        self.edge = self.member("edge", self.config("edge", EDGE, films=films, other=films,
                                                    new=films))
        self.becomes("/films/", alice, (200, None))
        viewer = self.signed_in("/films/", alice)
        self.assertEqual(viewer.get("/films/a").body, b"films")
        self.nats.publish("$JS.API.STREAM.DELETE.own-eu", b"")  # `nats stream rm`
        sg.until(lambda: viewer.get("/films/a").status != 200, "the token has ended")
        self.films.send("mint", bob.address, 2)  # so there is something to write
        sg.until(lambda: "sgctl chain rebuild" in self.control.said(), "the log says what to do")
        self.control.sgctl("chain", "rebuild", "eip155:31337")
        self.becomes("/films/", alice, (200, None))
        self.becomes("/films/", wallet.Evm(31337), (403, "not_held"))
        self.assertNotEqual(viewer.get("/films/a").status, 200)


if __name__ == "__main__":
    if not os.access(sg.STREAMGATED, os.X_OK):
        sys.exit(sg.SKIPPED)
    sg.main()
