#!/usr/bin/env python3
"""Followers start, change and end by a reload of a whole node over a real anvil, and no fact is lost
by it."""
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import followed  # noqa: E402
from followed import DEPTH, SEGMENT, sg, wallet  # noqa: E402

CHAINS = re.compile(r"^chains:\n(?:  .*\n)+", re.MULTILINE)


class Reload(followed.Followed):
    def reload(self, node, config):
        node.configure(config)
        node.sgctl("reload")

    def refused(self, node, who):
        """Once the state has heard what makes it so."""
        def asked():
            try:
                wallet.Viewer(node, who).sign_in({"path": SEGMENT})
            except AssertionError as refusal:
                return "grant: 403" in str(refusal)
            return False
        sg.until(asked, f"{who.account} is refused")

    def test_a_node_without_chains_starts_ends_and_starts_again_to_follow(self):
        self.films.send("mint", self.alice.address, 7)
        self.chain.mine(DEPTH)
        node = self.follower(CHAINS.sub("", followed.CONFIG))
        chains = CHAINS.search(followed.CONFIG)[0].replace("{chain}", self.chain.url)
        whole = node.file.read_text().replace("sites:", chains + "sites:")
        self.assertEqual(self.chains(node), [])
        self.refused(node, self.alice)
        self.reload(node, whole)
        self.followed(node)
        self.assertEqual(self.let_in(node, self.alice).get(SEGMENT).text, "segment")

        self.reload(node, CHAINS.sub("", whole))
        self.assertEqual(self.chains(node), [])
        self.films.send("move", self.bob.address, 7)  # while nobody looks
        self.chain.mine(DEPTH)
        self.reload(node, whole)
        self.followed(node)
        self.assertEqual(self.let_in(node, self.bob).get(SEGMENT).text, "segment")
        self.refused(node, self.alice)

    def test_a_follower_that_a_reload_leaves_as_it_is_goes_on_and_others_change(self):
        node = self.follower()
        self.films.send("mint", self.alice.address, 7)
        self.chain.mine(DEPTH)
        before = self.followed(node)
        whole = node.file.read_text()
        self.reload(node, whole.replace("token_lifetime_s: 600", "token_lifetime_s: 500"))
        after = self.chains(node)[0]
        self.assertGreaterEqual(after["counts"]["turns"], before["counts"]["turns"])
        self.assertEqual(after["state"], "following")

        other = self.chain.deploy("Film721")
        other.send("mint", self.bob.address, 1)
        self.chain.mine(DEPTH)
        rules = (f'erc721(eip155:31337/erc721:{self.films.address}) or '
                 f'erc721(eip155:31337/erc721:{other.address})')
        both = re.sub(r'require: ".*"', f'require: "{rules}"', whole)
        self.reload(node, both)
        self.assertEqual(self.followed(node)["contracts"]["all"], 2)
        self.let_in(node, self.alice)
        self.let_in(node, self.bob)

        elsewhere = self.chain.url.replace("127.0.0.1", "localhost")
        self.reload(node, both.replace(self.chain.url, elsewhere))
        self.films.send("move", self.bob.address, 7)
        self.chain.mine(DEPTH)
        self.assertEqual(self.followed(node)["servers"][0]["name"], elsewhere)
        self.assertNotIn("another process follows it", node.said())
        self.refused(node, self.alice)

    def test_followers_go_on_as_they_were_after_a_reload_that_cannot_be(self):
        node = self.follower()
        self.followed(node)
        whole = node.file.read_text()
        fields = self.folder / "fields"
        fields.write_text("X-Key: 1\n")
        asked = f'"{self.chain.url}"'
        node.configure(whole.replace(asked, f'{asked}, fields_file: "{fields}"'))
        node.sgctl("reload")
        self.followed(node)
        fields.write_text("no field at all\n" * 100000)
        done = node.sgctl("reload", check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("chains and bus go on as they were", done.stdout + done.stderr)
        self.assertIn("reload: in force, but not for chains and bus", node.said())
        self.films.send("mint", self.alice.address, 7)
        self.chain.mine(DEPTH)
        self.followed(node)
        self.let_in(node, self.alice)


if __name__ == "__main__":
    followed.main()
