#!/usr/bin/env python3
"""Allow lists: from a file of accounts to who is let in, on one node and on a region's edges."""
import json

import sg
import sgfeed
import wallet

SITES = """
rules: [{name: vips, tenant: films, require: 'list("vip")'}]
sites:
  - {name: gated, tenant: films, hosts: ["*"], path: /films/, origin: studio, access: token,
     rule: vips, list_proofs_url: "https://lists.example/vip/"}
"""
CONFIG = """
node: {name: {name}, region: eu, workers: 1, pin_workers: false, state_dir: {folder}/state,
       run_dir: {folder}/run}
listeners: [{address: "127.0.0.1:{port}"}]
cache: {ram_bytes: 32MiB}
tenants: [{name: films, secret_file: "{secret}"}]
origins: [{name: studio, urls: [{url: "{origin}"}]}]
""" + SITES
SEGMENT = "/films/a"


class Lists(sg.Scenario):
    def setUp(self):
        super().setUp()
        self.secret, self.list, self.proofs = (
            self.folder / name for name in ("secret", "list", "proofs"))
        self.secret.write_text(sgfeed.SECRET)
        self.studio = self.origin({SEGMENT: "segment"})

    def member(self, name, *options, more=""):
        config = (CONFIG + more).replace("{name}", name).replace("{secret}", str(self.secret))
        return self.node(self.studio, config, start=False, name=name).start(*options)

    def says(self, node, *viewers):
        """The list is these viewers' accounts from now on; what sgctl says of it."""
        self.list.write_text("".join(v.wallet.address + "\n" for v in viewers))
        return json.loads(node.sgctl("--json", "list", "set", "vip", "--file", str(self.list),
                                     "--proofs", str(self.proofs), "--wait", "5").stdout)

    def proof(self, viewer):
        return json.loads((self.proofs / f"{viewer.wallet.address}.json").read_text())

    def grant(self, viewer, proof=None):
        viewer.signed(viewer.challenge().json())
        return self.post(viewer, "grant", proof)

    def post(self, viewer, what, proof=None):
        grant = dict(viewer.grant, list_proofs=[proof]) if proof is not None else viewer.grant
        answer = viewer.post(what, grant, token=viewer.token)
        if answer.status == 200:
            viewer.token = answer.json()["token"]
        return answer.status, answer.json().get("reason")

    def test_who_proves_a_place_watches_until_the_list_is_another(self):
        node = self.member("node", more='bus: {url: "embedded:"}\n')
        alice, bob, carol = (wallet.Viewer(node, wallet.Evm()) for _ in range(3))
        no = (403, "not_held")
        self.assertEqual(self.grant(alice, []), no)  # there is no list yet
        told = self.says(node, alice, bob)
        self.assertEqual(told["accounts"], 2)
        self.assertEqual(alice.challenge().json()["list_proofs"],
                         f"https://lists.example/vip/{alice.wallet.address}.json")
        self.assertEqual(self.grant(alice), no)
        self.assertEqual(self.grant(alice, self.proof(bob)), no)
        self.assertEqual(self.grant(carol, self.proof(alice)), no)
        sg.until(lambda: self.grant(alice, self.proof(alice)) == (200, None), "she is let in")
        self.assertEqual(self.grant(bob, self.proof(bob)), (200, None))
        for viewer in (alice, bob):
            self.assertEqual(viewer.get(SEGMENT).text, "segment")
        shown = json.loads(node.sgctl("--json", "list", "show").stdout)["lists"][0]
        self.assertEqual((shown["list"], shown["rule"], shown["root"]), ("vip", "vips", told["root"]))

        before = self.proof(alice)
        self.says(node, alice, carol)
        for viewer in (alice, bob):
            refused = viewer.get(SEGMENT)
            self.assertEqual((refused.status, b"ownership_changed" in refused.body), (403, True))
        self.assertEqual(self.post(alice, "renew", before), no)
        self.assertEqual(self.post(alice, "renew", self.proof(alice)), (200, None))
        self.assertEqual(alice.get(SEGMENT).text, "segment")
        self.assertEqual(self.grant(carol, self.proof(carol)), (200, None))
        self.assertEqual(self.post(bob, "renew", self.proof(bob)), no)

        self.says(node, carol, alice)  # the same accounts: the same tree, and nobody is sent away
        self.assertEqual(alice.get(SEGMENT).text, "segment")
        node.sgctl("list", "remove", "vip")
        self.assertEqual([v.get(SEGMENT).status for v in (alice, carol)], [403, 403])
        self.assertEqual(self.grant(carol, self.proof(carol)), no)

    def test_what_is_no_proof_is_refused(self):
        node = self.member("node", more='bus: {url: "embedded:"}\n')
        alice = wallet.Viewer(node, wallet.Evm())
        self.says(node, alice)
        for wrong in ("0x12", ["0x12"], [1], {"a": 1}, [["0x" + "0" * 64]], ["0x" + "0" * 64] * 33):
            self.assertEqual(self.grant(alice, wrong), (400, "grant_malformed"))
        self.assertEqual(self.grant(alice, ["0x" + "0" * 64]), (403, "not_held"))
        sg.until(lambda: self.grant(alice, []) == (200, None), "a list of one has no hashes to prove")

    def test_all_edges_of_a_region_have_the_list_and_drop_who_falls_out(self):
        nats = sgfeed.Nats(self.folder).start()
        self.addCleanup(nats.stop)
        bus = f'bus: {{url: "{nats.url}"}}\n'
        control = self.member("control", "--role", "control", more=bus)
        edges = [self.member(f"edge{i}", "--role", "edge", more=bus) for i in range(2)]
        for edge in edges:
            sg.until(lambda e=edge: e.command("/v1/feed").json()["phase"] == "following", "follows")
        alice = wallet.Viewer(edges[0], wallet.Evm())
        bob = wallet.Viewer(edges[0], wallet.Evm())
        told = self.says(control, alice, bob)
        self.assertEqual({e["edge"]: e["confirmed"] for e in told["edges"]},
                         {"control": True, "edge0": True, "edge1": True})
        sg.until(lambda: self.grant(alice, self.proof(alice)) == (200, None), "she is let in")
        token = {"CTA-Common-Access-Token": alice.token}
        for edge in edges:
            sg.until(lambda e=edge: "fed_at" in e.command("/v1/feed").json(), "the edge is young")
        self.assertEqual([e.get(SEGMENT, token, host=alice.host).status for e in edges], [200] * 2)
        digests = {json.loads(n.sgctl("--json", "own", "digest").stdout)["root"]
                   for n in (control, *edges)}
        self.assertEqual(len(digests), 1)

        self.says(edges[1], bob)  # from an edge it goes the same way
        sg.until(lambda: [e.get(SEGMENT, token, host=alice.host).status for e in edges] == [403] * 2,
                 "refused everywhere", 3)
        self.assertEqual(self.grant(bob, self.proof(bob)), (200, None))


if __name__ == "__main__":
    sg.main()
