"""Who holds the NFT that opens the stream: what the page's buttons buy and sell.

OnChain is a real chain (anvil) with a real contract, which the node follows; ByHand writes the same
facts into the node's state where npm's packages are not to be had; OnList lets in who is on a list.
"""
import os
import pathlib
import sys

from processes import Failed

BUYER = "0x3333333333333333333333333333333333333333"


class ByHand:
    """`sgctl own` says who holds what."""
    asset = "eip155:31337/erc721:0x1111111111111111111111111111111111111111/1"
    holder = "eip155:31337:0x2222222222222222222222222222222222222222"
    require = f"erc721({asset})"
    chain_url = None

    def open(self, node):
        self.node = node
        node.sgctl("own", "set", self.asset, self.holder)
        node.sgctl("token", "revoke", "--tenant", "demo", "--rule", "1")  # what mint() then names

    def mint_options(self):
        return ["--fact", self.asset, "--owner", self.holder]

    def give(self, account):
        self.node.sgctl("own", "set", self.asset, account)

    def sell(self, account):
        self.node.sgctl("own", "transfer", self.asset, account or self.holder,
                        f"eip155:31337:{BUYER}")

    def stop(self):
        pass


class OnChain:
    """An ERC-721 of OpenZeppelin's on anvil; whoever asks moves it. `packages` is a folder made by
    tests/chain/prepare."""
    holder = None

    def __init__(self, packages):
        os.environ["SG_CHAIN_PACKAGES"] = packages
        sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tests/chain"))
        import anvil
        try:
            self.chain = anvil.Anvil("--block-time", "1", "--mixed-mining")
        except anvil.Missing as missing:
            raise Failed(f"no chain can be had: {missing}") from None
        self.film = self.chain.deploy("Film721")
        self.asset = f"eip155:31337/erc721:{self.film.address}/1"
        self.require = f"erc721({self.asset})"
        self.chain_url = self.chain.url
        self.minted = False

    def open(self, _):
        pass

    def mint_options(self):
        return []

    def give(self, account):
        self.film.send("move" if self.minted else "mint", account.split(":")[-1], 1)
        self.minted = True

    def sell(self, _):
        self.film.send("move", BUYER, 1)

    def stop(self):
        self.chain.close()


class OnList(ByHand):
    """An operator's allow list instead of an NFT; the proofs of who is on it are files below the
    folder `proofs`, which the origin serves."""
    require = 'list("viewers")'

    def __init__(self, run, proofs):
        self.file, self.proofs, self.accounts = pathlib.Path(run, "viewers"), proofs, []

    def open(self, node):
        self.node = node

    def mint_options(self):
        return []

    def become(self, accounts):
        self.accounts = accounts
        self.file.write_text("".join(f"{one.split(':')[-1]}\n" for one in accounts))
        self.node.sgctl("list", "set", "viewers", "--file", str(self.file), "--proofs", self.proofs)

    def give(self, account):
        self.become([*self.accounts, account])

    def sell(self, account):
        self.become([one for one in self.accounts if one != account])
