#!/usr/bin/env python3
"""Signing in with a wallet: /.well-known/streamgate, as players, thieves and operators meet it."""
import json

import sg
import wallet

CONFIG = """
node: {name: edge1, region: eu, workers: 2, state_dir: {folder}/state, run_dir: {folder}/run}
listeners: [{address: "127.0.0.1:{port}"}]
admin: {address: "127.0.0.1:{admin_port}"}
cache: {ram_bytes: 64MiB}
tenants: [{name: films, secret_file: "{secret}", token_lifetime_s: 600, clock_skew_s: 5}]
origins: [{name: studio, urls: [{url: "{origin}"}]}]
sites:
  - name: gated
    tenant: films
    hosts: ["*"]
    path: /films/
    origin: studio
    access: token
    sign_in: any
    cors: {origins: ["https://tv.example"], credentials: true}
  - {name: open, tenant: films, hosts: ["*"], path: /, origin: studio, access: public}
"""
SEGMENT = "/films/a/seg1.m4s"
CONTENT = {SEGMENT: "segment", "/open": "hello"}


class SignIn(sg.Scenario):
    def signing(self, config=CONFIG):
        file = self.folder / "secret"
        file.write_text("0123456789abcdef0123456789abcdef\n")
        self.studio = self.origin(CONTENT)
        return self.node(self.studio, config.replace("{secret}", str(file)))

    def assert_refused(self, answer, status, reason):
        self.assertEqual((answer.status, answer.json()["reason"]), (status, reason), answer.text)
        self.assertEqual(answer.fields["content-type"], "application/problem+json")
        self.assertEqual(answer.fields["cache-control"], "no-store")
        self.assertNotIn("token", answer.json())

    def test_a_wallet_of_ethereum_gets_a_token_that_opens_and_renews(self):
        node = self.signing()
        alice = wallet.Viewer(node, wallet.Evm())
        granted = alice.sign_in()
        self.assertEqual(granted["path"], "/films/")
        self.assertEqual(alice.get(SEGMENT).text, "segment")
        self.assertEqual(node.get(granted["prefix"] + SEGMENT, host=alice.host).text, "segment")
        first = alice.token
        answer = alice.renew()
        self.assertEqual(answer.status, 200, answer.text)
        alice.token = answer.json()["token"]
        self.assertEqual(alice.get(SEGMENT).text, "segment")
        said = json.loads(node.sgctl("--json", "token", "inspect", first).stdout)
        self.assertNotIn(alice.wallet.address[2:], json.dumps(said).lower())


if __name__ == "__main__":
    sg.main()
