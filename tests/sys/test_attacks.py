#!/usr/bin/env python3
"""Sign-in as somebody attacks it who may not watch: docs/security.md has the list."""
import concurrent.futures
import hashlib
import hmac
import json
import time

import sg
import wallet

CONFIG = """
node: {name: edge1, region: eu, workers: 2, state_dir: {folder}/state, run_dir: {folder}/run}
listeners: [{address: "127.0.0.1:{port}", forwarded: ["127.0.0.0/8"]}]
admin: {address: "127.0.0.1:{admin_port}"}
cache: {ram_bytes: 64MiB}
limits: {grants_per_address_per_minute: {per_address}, grants_per_tenant_per_minute: 400}
tenants: [{name: films, secret_file: "{secret}", sign_in_domains: [tv.example]}]
origins: [{name: studio, urls: [{url: "{origin}"}]}]
sites:
  - {name: any, tenant: films, hosts: ["*"], path: /films/, origin: studio, access: token, sign_in: any}
  - {name: named, tenant: films, hosts: [films.example], path: /films/, origin: studio, access: token, sign_in: any}
"""
SEGMENT = "/films/a/seg1.m4s"


def compact(header, claims, sign):
    said = ".".join(wallet.b64(json.dumps(part).encode()) for part in (header, claims))
    return said + "." + wallet.b64(sign(said.encode()))


class Attacks(sg.Scenario):
    def signing(self, per_address=1000):
        file = self.folder / "secret"
        file.write_text("0123456789abcdef0123456789abcdef\n")
        return self.node(self.origin({SEGMENT: "segment"}), CONFIG.replace("{secret}", str(file)).replace(
            "{per_address}", str(per_address)))

    def viewer(self, node, address="192.0.2.1", host="films.example"):
        """Somebody at that address, as a proxy of ours tells it."""
        viewer = wallet.Viewer(node, wallet.Evm(), host=host)
        ask = viewer.ask
        viewer.ask = lambda method, what, query=None, body=None, fields=None: ask(
            method, what, query, body, {"Forwarded": f'for="{address}"', **(fields or {})})
        return viewer

    def assert_reason(self, answer, reason):
        self.assertEqual(answer.json().get("reason"), reason, answer.text)
        self.assertNotIn("token", answer.json())

    def test_a_page_in_between_cannot_ask_for_a_challenge_under_its_own_name(self):
        """evil.example shows a wallet its own name, which the wallet finds right, and asks us for it as if
        it were ours."""
        node = self.signing()
        evil = self.viewer(node, host="evil.example")
        self.assert_reason(evil.challenge(), "grant_domain")
        self.assert_reason(evil.challenge(domain="evil.example"), "grant_domain")
        self.assert_reason(evil.challenge(domain="films.example"), "grant_domain")
        told = evil.challenge(domain="tv.example").json()
        self.assertTrue(told["text"].startswith("tv.example wants you"))  # and no wallet signs that there
        self.assertEqual(self.viewer(node).challenge().status, 200)
        self.assert_reason(self.viewer(node).challenge(domain="evil.example"), "grant_domain")

    def test_who_has_a_network_of_addresses_keeps_nobody_else_out(self):
        """2,000 requests with nothing in them, each from another /64 of one /32."""
        node = self.signing(per_address=10)
        alice = self.viewer(node)
        alice.sign_in()
        connection = node.connect()
        seen = {}
        for i in range(2000):
            what = ("grant", "renew", "challenge?account=eip155:1:" + alice.wallet.address)[i % 3]
            connection.request("GET" if i % 3 == 2 else "POST", wallet.ROOT + what, "{}" if i % 3 < 2 else None, {
                "Host": "films.example", "Forwarded": f'for="[2001:db8:{i // 40:x}:{i % 40:x}::1]"'})
            status = sg.Answer(connection.getresponse()).status
            seen[status] = seen.get(status, 0) + 1
        connection.close()
        self.assertGreater(seen[429], 1000, seen)
        self.assertEqual(alice.renew().status, 200)
        bob = self.viewer(node, "198.51.100.7")
        bob.sign_in()
        self.assertEqual(bob.get(SEGMENT).text, "segment")

    def test_a_grant_that_is_sent_often_at_once_opens_once(self):
        node = self.signing()
        alice = self.viewer(node)
        alice.signed(alice.challenge().json())
        mallory = [self.viewer(node, f"203.0.{i}.1") for i in range(24)]
        for other in mallory:
            other.session, other.grant = alice.session, alice.grant
        proof = alice.session.proof(alice.uri("grant"))
        with concurrent.futures.ThreadPoolExecutor(24) as pool:
            same = list(pool.map(lambda other: other.post("grant", proof=proof), mallory[:12]))
            fresh = list(pool.map(lambda other: other.post("grant"), mallory[12:]))
        self.assertEqual([answer.status for answer in same + fresh].count(200), 1)
        self.assertEqual({answer.json()["reason"] for answer in same if answer.status != 200},
                         {"proof_replayed"})
        self.assertEqual({answer.json()["reason"] for answer in fresh}, {"grant_nonce"})

    def test_no_way_to_choose_how_a_proof_is_checked(self):
        node = self.signing()
        alice = self.viewer(node)
        alice.signed(alice.challenge().json())
        uri, jwk = alice.uri("grant"), alice.session.jwk
        good = {"typ": "dpop+jwt", "alg": "ES256", "jwk": jwk}
        secret = wallet.b64(b"k" * 32)
        by_key = lambda said: b"".join(
            n.to_bytes(32, "big") for n in wallet.P256.sign(
                alice.session.key, hashlib.sha256(said).digest())[:2])
        by_secret = lambda said: hmac.new(b"k" * 32, said, "sha256").digest() * 2
        zeros = lambda _: bytes(64)

        def claims(**more):
            return {"jti": wallet.b64(hashlib.sha256(str(time.time_ns()).encode()).digest()), "htm": "POST",
                    "htu": uri, "iat": int(time.time()), **more}
        headers = [({**good, "alg": "none"}, lambda _: b""), ({**good, "alg": "none"}, by_key),
                   ({**good, "alg": "HS256"}, by_secret), ({**good, "alg": "ES256K"}, by_key),
                   ({**good, "alg": "HS256", "jwk": {"kty": "oct", "k": secret}}, by_secret),
                   ({**good, "jwk": {"kty": "oct", "k": secret}}, by_secret),
                   ({**good, "alg": "EdDSA"}, by_key), ({**good, "crit": ["exp"]}, by_key),
                   ({**good, "typ": "JWT"}, by_key), ({**good, "jwk": {**jwk, "d": secret}}, by_key),
                   ({**good, "jwk": {**jwk, "x": jwk["x"] + "="}}, by_key),
                   ({**good, "jwk": {**jwk, "crv": "P-384"}}, by_key),
                   ({**good, "jwk": {"kid": "1"}, "jku": "https://evil.example/keys"}, by_key),
                   ({**good, "jwk": [jwk]}, by_key), ({"typ": "dpop+jwt", "alg": "ES256"}, by_key)]
        for header, sign in headers:
            answer = alice.post("grant", proof=compact(header, claims(), sign))
            self.assert_reason(answer, "proof_malformed")
        for header, sign, more, reason in [
                (good, zeros, {}, "proof_signature"), (good, by_secret, {}, "proof_signature"),
                ({**good, "jwk": {**jwk, "x": jwk["y"]}}, by_key, {}, "proof_key"),
                (good, by_key, {"htu": uri.replace("films.example", "evil.example")}, "proof_target"),
                (good, by_key, {"htu": uri.replace("grant", "renew")}, "proof_target"),
                (good, by_key, {"htm": "GET"}, "proof_target"),
                (good, by_key, {"iat": int(time.time()) - 200}, "proof_time"),
                (good, by_key, {"iat": int(time.time()) + 200}, "proof_time"),
                (good, by_key, {"iat": time.time()}, "proof_malformed"),
                (good, by_key, {"jti": ""}, "proof_malformed"), (good, by_key, {"jti": 7}, "proof_malformed")]:
            answer = alice.post("grant", proof=compact(header, claims(**more), sign))
            self.assert_reason(answer, reason)
        twice = compact(good, claims(), by_key)
        self.assert_reason(alice.post("grant", proof=f"{twice}, {compact(good, claims(), by_key)}"),
                           "proof_malformed")
        self.assertEqual(alice.post("grant", proof=twice).status, 200)

    def test_the_first_token_found_is_judged_whatever_else_there_is(self):
        node = self.signing()
        alice = self.viewer(node)
        token = alice.sign_in()["token"]
        bent = token[:-6] + "AAAAAA"
        cookie = "CTA-Common-Access-Token="
        for fields, path, status in [
                ({"CTA-Common-Access-Token": bent, "Cookie": cookie + token}, SEGMENT, 401),
                ({"Cookie": f"{cookie}{bent}; {cookie}{token}"}, SEGMENT, 401),
                ({"Cookie": cookie + bent}, f"/cat:{token}{SEGMENT}", 401),
                ({}, f"/cat:{bent}/cat:{token}{SEGMENT}", 401),
                ({}, f"/cat:{bent}{SEGMENT}?CAT={token}", 401),
                ({"CTA-Common-Access-Token": ""}, f"/cat:{token}{SEGMENT}", 401),
                ({"CTA-Common-Access-Token": token, "Cookie": cookie + bent}, f"/cat:{bent}{SEGMENT}?CAT={bent}", 200)]:
            answer = node.get(path, fields, host="films.example")
            self.assertEqual(answer.status, status, (fields, path))
        self.assertEqual(node.get(SEGMENT, {"CTA-Common-Access-Token": token}, host="other.example").status, 403)


if __name__ == "__main__":
    sg.main()
