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
NEVER = 'between("2000-01-01T00:00Z", "2000-01-02T00:00Z")'
SEGMENT = "/films/a/seg1.m4s"
CONTENT = {SEGMENT: "segment", "/open": "hello"}


def cbor_bytes(data):
    size = len(data)
    head = (bytes([0x40 + size]) if size < 24 else bytes([0x58, size]) if size < 256
            else b"\x59" + size.to_bytes(2, "big"))
    return head + data


class Issuer:
    """A tenant's back end: signs the grant itself (COSE's Sig_structure), with openssl."""
    KINDS = {"eddsa": (("-algorithm", "ed25519"), None),
             "es256": (("-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"), wallet.P256),
             "es256k": (("-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:secp256k1"),
                        wallet.SECP256K1)}

    def __init__(self, alg, folder):
        self.alg, self.account = alg, "eip155:1:0x" + "5e" * 20
        self.pem, self.message = folder / f"{alg}.pem", folder / f"{alg}.message"
        options, self.curve = self.KINDS[alg]
        wallet.openssl("genpkey", *options, "-out", self.pem)
        self.public = folder / f"{alg}.pub"
        wallet.openssl("pkey", "-in", self.pem, "-pubout", "-out", self.public)

    def sign(self, challenge):
        header, claims = (wallet.unb64(challenge[part]) for part in ("header", "claims"))
        self.message.write_bytes(b"\x84" + b"\x6aSignature1" + cbor_bytes(header) + b"\x40" +
                                 cbor_bytes(claims))
        if self.curve is None:
            return wallet.openssl("pkeyutl", "-sign", "-inkey", self.pem, "-rawin", "-in",
                                  self.message)
        der = wallet.openssl("dgst", "-sha256", "-sign", self.pem, self.message)
        r_end = 4 + der[3]
        r, s = (int.from_bytes(part, "big") for part in (der[4:r_end], der[r_end + 2:]))
        s = min(s, self.curve.n - s)
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")


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

    def test_the_log_and_explain_say_what_became_of_a_sign_in(self):
        rule = f'rules: [{{name: never, tenant: films, require: \'{NEVER}\'}}]'
        node = self.signing(CONFIG.replace("sign_in: any", "rule: never") + rule)
        alice = wallet.Viewer(node, wallet.Evm())
        alice.signed(alice.challenge().json())
        answer = alice.post("grant")
        self.assert_refused(answer, 403, "not_held")
        told = json.loads(node.sgctl("--json", "explain", answer.fields["x-request-id"]).stdout)
        self.assertEqual((told["request"]["gate"], told["request"]["grant"]), (None, "not_held"))
        self.assertEqual(told["request"]["why"], NEVER + ": it is over")
        said = node.sgctl("explain", answer.fields["x-request-id"]).stdout
        self.assertIn("sign-in  not_held", said)
        self.assertIn(f"by {NEVER}: it is over", said)
        self.assertIn(" sign-in:not_held ", node.sgctl("log", "--from-start").stdout)

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


    def test_a_renewal_goes_on_while_the_regions_secret_changes(self):
        node = self.signing()
        alice = wallet.Viewer(node, wallet.Evm())
        alice.sign_in()
        old, new = self.folder / "secret", self.folder / "new"
        new.write_text("fedcba9876543210fedcba9876543210\n")
        both = node.file.read_text().replace(
            f'secret_file: "{old}"',
            f'secret_file: "{new}", regions: [{{name: eu, secret_file: "{old}"}}]')
        node.file.write_text(both)
        self.assertTrue(node.command("/v1/reload", "POST").json()["ok"])
        self.assertEqual(alice.get(SEGMENT).status, 200)
        answer = alice.renew()
        self.assertEqual(answer.status, 200, answer.text)
        alice.token = answer.json()["token"]
        self.assertEqual(alice.renew().status, 200)  # a new token, of a grant with an old nonce
        node.file.write_text(both.replace(f', regions: [{{name: eu, secret_file: "{old}"}}]', ""))
        self.assertTrue(node.command("/v1/reload", "POST").json()["ok"])
        self.assertEqual(alice.get(SEGMENT).status, 200)
        self.assert_refused(alice.renew(), 401, "grant_nonce")

    def test_solanas_wallets_get_tokens_too(self):
        node = self.signing()
        for alg in ("solana-text", "solana-offchain", "solana-memo"):
            bob = wallet.Viewer(node, wallet.Solana(alg))
            bob.sign_in()
            self.assertEqual(bob.get(SEGMENT).text, "segment", alg)
            self.assertEqual(bob.renew().status, 200, alg)

    def test_a_tenants_back_end_lets_its_own_viewers_in_and_no_other_back_end_does(self):
        issuers = [Issuer(alg, self.folder) for alg in Issuer.KINDS]
        listed = ", ".join(f'{{key_file: "{one.public}"}}' for one in issuers)
        node = self.signing(CONFIG.replace("clock_skew_s: 5", f"clock_skew_s: 5, issuers: [{listed}]"))
        for issuer in issuers:
            viewer = wallet.Viewer(node, issuer)
            viewer.sign_in()
            self.assertEqual(viewer.get(SEGMENT).text, "segment", issuer.alg)
            self.assertEqual(viewer.renew().status, 200, issuer.alg)
            (self.folder / "other").mkdir(exist_ok=True)
            stranger = wallet.Viewer(node, Issuer(issuer.alg, self.folder / "other"))
            stranger.signed(stranger.challenge().json())
            self.assertEqual(stranger.post("grant").status, 401, issuer.alg)

    def test_a_grant_may_come_as_cose_and_the_session_key_by_its_proof(self):
        node = self.signing()
        alice = wallet.Viewer(node, wallet.Evm())
        proof = alice.session.proof(alice.uri("challenge"), method="GET")
        answer = alice.ask("GET", "challenge", {"account": alice.wallet.account},
                           fields={"DPoP": proof})
        self.assertEqual(answer.status, 200, answer.text)
        alice.signed(answer.json())
        header, claims, signature = (wallet.unb64(alice.grant[part])
                                     for part in ("header", "claims", "signature"))
        cose = (b"\xd8\x3d\xd2\x84" + cbor_bytes(header) + b"\xa0" + cbor_bytes(claims) +
                cbor_bytes(signature))
        answer = alice.ask("POST", "grant", body=cose, fields={
            "Content-Type": "application/cose", "DPoP": alice.session.proof(alice.uri("grant"))})
        self.assertEqual(answer.status, 200, answer.text)

    def test_the_cookie_opens_only_what_was_asked_for(self):
        node = self.signing()
        alice = wallet.Viewer(node, wallet.Evm())
        alice.signed(alice.challenge(path="/films/a/").json())
        answer = alice.post("grant", query={"cookie": 1})
        cookie, *attributes = answer.fields["set-cookie"].split("; ")
        self.assertEqual(set(attributes), {"Path=/films/a/", "Max-Age=600", "Secure", "HttpOnly",
                                           "SameSite=None", "Partitioned"})
        self.assertEqual(node.get(SEGMENT, {"Cookie": cookie}, host=alice.host).text, "segment")
        self.assertEqual(node.get("/films/b/x", {"Cookie": cookie}, host=alice.host).status, 403)

    def test_a_page_elsewhere_signs_in_when_it_is_listed(self):
        config = CONFIG.replace("clock_skew_s: 5",
                                "clock_skew_s: 5, sign_in_domains: [tv.example]")
        node = self.signing(config)
        alice = wallet.Viewer(node, wallet.Evm())
        page = {"Origin": "https://tv.example"}
        query = {"account": alice.wallet.account, "ckt": alice.session.ckt}
        answer = alice.ask("GET", "challenge", query, fields=page)
        self.assertIn("tv.example wants you to sign in", answer.json()["text"])
        self.assertEqual(answer.fields["access-control-allow-origin"], "https://tv.example")
        alice.signed(answer.json())
        answer = alice.post("grant", fields=page)
        self.assertEqual(answer.status, 200)
        self.assertEqual(answer.fields["access-control-allow-credentials"], "true")
        answer = alice.ask("GET", "challenge", query, fields={"Origin": "https://evil.example"})
        self.assert_refused(answer, 403, "grant_domain")
        self.assertNotIn("access-control-allow-origin", answer.fields)

    # ---- what went wrong elsewhere ----

    def test_the_caller_does_not_choose_the_gate(self):
        config = CONFIG.replace("sign_in: any", "rule: never").replace(
            "\norigins:", f"\nrules: [{{name: never, tenant: films, require: '{NEVER}'}}]\norigins:")
        node = self.signing(config)
        alice = wallet.Viewer(node, wallet.Evm())
        tricks = {"contract": "0xmine", "rule": "any", "sign_in": "any", "tenant": "films",
                  "asset": "eip155:1/erc721:0xmine/1"}
        for name, value in tricks.items():
            alice.signed(alice.challenge(**{name: value}).json())
            self.assert_refused(alice.post("grant", query={name: value}), 403, "not_held")
        body = {**alice.grant, "contract": "0xmine"}
        self.assert_refused(alice.post("grant", grant=body), 400, "grant_malformed")

    def test_a_rule_that_cannot_be_read_opens_nothing(self):
        config = CONFIG.replace("sign_in: any", "rule: broken").replace(
            "\norigins:", "\nrules: [{name: broken, tenant: films, require: 'erc721('}]\norigins:")
        node = self.signing(config)
        alice = wallet.Viewer(node, wallet.Evm())
        self.assert_refused(alice.challenge(), 403, "closed")
        self.assertEqual(node.get(SEGMENT).status, 403)
        self.assertIn("closed", node.said())

    def test_without_a_rule_nobody_signs_in_and_off_is_not_there(self):
        node = self.signing(CONFIG.replace("    sign_in: any\n", ""))
        alice = wallet.Viewer(node, wallet.Evm())
        alice.signed(alice.challenge().json())
        self.assert_refused(alice.post("grant"), 403, "closed")
        node.configure(node.file.read_text().replace("access: token", "access: token\n    sign_in: off"))
        node.command("/v1/reload", "POST")
        self.assert_refused(alice.challenge(), 404, "no_sign_in")
        self.assert_refused(alice.challenge(path="/"), 404, "no_sign_in")

    def test_replays_open_nothing(self):
        node = self.signing()
        alice = wallet.Viewer(node, wallet.Evm())
        alice.signed(alice.challenge().json())
        proof = alice.session.proof(alice.uri("grant"))
        answer = alice.post("grant", proof=proof)
        self.assertEqual(answer.status, 200, answer.text)
        alice.token = answer.json()["token"]
        self.assert_refused(alice.post("grant", proof=proof), 401, "proof_replayed")
        self.assert_refused(alice.post("grant"), 401, "grant_nonce")
        proof = alice.session.proof(alice.uri("renew"), token=alice.token)
        self.assertEqual(alice.renew(proof=proof).status, 200)
        self.assert_refused(alice.renew(proof=proof), 401, "proof_replayed")

    def test_a_stolen_grant_is_of_no_use_without_the_session_key(self):
        node = self.signing()
        alice, thief = wallet.Viewer(node, wallet.Evm()), wallet.Viewer(node, wallet.Evm())
        alice.sign_in()
        self.assert_refused(thief.post("grant", grant=alice.grant), 401, "proof_key")
        self.assert_refused(thief.post("renew", grant=alice.grant, token=alice.token), 401,
                            "proof_key")
        answer = alice.ask("POST", "renew", body=json.dumps(alice.grant), fields={
            "Content-Type": "application/json", "CTA-Common-Access-Token": alice.token})
        self.assert_refused(answer, 401, "proof_missing")
        elsewhere = alice.session.proof("http://evil.example" + wallet.ROOT + "renew",
                                        token=alice.token)
        self.assert_refused(alice.renew(proof=elsewhere), 401, "proof_target")
        without_ath = alice.session.proof(alice.uri("renew"))
        self.assertEqual(alice.renew(proof=without_ath).status, 401)

    def test_a_grant_for_another_host_or_tenant_is_refused(self):
        other = """
  - {name: rival, tenant: rivals, hosts: ["rival.example"], path: /films/, origin: studio, access: token, sign_in: any}
"""
        config = CONFIG.replace("tenants: [", 'tenants: [{name: rivals, secret_file: "{secret}"}, ')
        node = self.signing(config.rstrip() + other)
        alice = wallet.Viewer(node, wallet.Evm())
        granted = alice.challenge().json()
        alice.signed(granted)
        there = wallet.Viewer(node, alice.wallet, host="rival.example")
        there.session, there.grant = alice.session, alice.grant
        self.assert_refused(there.post("grant"), 403, "grant_tenant")
        there.host = "other.example"
        self.assert_refused(there.post("grant"), 403, "grant_host")

    def test_a_revocation_ends_renewals_through_a_kill(self):
        node = self.signing()
        alice = wallet.Viewer(node, wallet.Evm())
        alice.sign_in()
        node.sgctl("token", "revoke", alice.token)
        self.assert_refused(alice.renew(), 403, "grant_revoked")
        node.kill()
        node.start()
        self.assert_refused(alice.renew(), 403, "grant_revoked")
        self.assertEqual(alice.get(SEGMENT).status, 403)

    def test_an_edge_that_never_saw_the_grant_renews_it(self):
        node = self.signing()
        alice = wallet.Viewer(node, wallet.Evm())
        alice.sign_in()
        node.kill()  # what it remembered of signatures is gone
        node.start()
        self.assertEqual(alice.renew().status, 200)

    # ---- floods ----

    def test_an_address_that_asks_too_often_waits_and_viewers_do_not(self):
        config = CONFIG.replace("cache:", "limits: {grants_per_address_per_minute: 20}\ncache:")
        node = self.signing(config)
        alice = wallet.Viewer(node, wallet.Evm())
        alice.sign_in()
        answers = [alice.post("grant") for _ in range(40)]
        refused = [answer for answer in answers if answer.status == 429]
        self.assertGreaterEqual(len(refused), 1)
        self.assert_refused(refused[0], 429, "too_many_grants")
        self.assertTrue(0 < int(refused[0].fields["retry-after"]) <= 60)
        self.assertEqual(alice.get(SEGMENT).text, "segment")

    def test_what_became_of_grants_is_counted(self):
        node = self.signing()
        alice = wallet.Viewer(node, wallet.Evm())
        alice.sign_in()
        alice.post("grant")
        told = node.command("/metrics").text
        self.assertIn('streamgate_grants_total{verdict="allowed"} 2', told)
        self.assertIn('streamgate_grants_total{verdict="nonce"} 1', told)
        self.assertIn("streamgate_grant_check_seconds_count 3", told)


if __name__ == "__main__":
    sg.main()
