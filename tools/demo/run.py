#!/usr/bin/env python3
"""Starts an origin and a node, mints a token, prints what plays, and stops it all on Ctrl-C.

tools/up calls it when everything is installed, built and made; tests call it with trees of theirs.
"""
import argparse
import fcntl
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import threading

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from market import ByHand, OnChain, OnList  # noqa: E402
from parts import BackEnd, Node, Origin, Place  # noqa: E402
from processes import Failed, ports_from  # noqa: E402

HEADER = "CTA-Common-Access-Token"


def arguments():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binaries", required=True, help="where streamgated and sgctl are")
    parser.add_argument("--media", required=True, help="a stream made by tools/media")
    parser.add_argument("--page", required=True, help="the player page with its lib/")
    parser.add_argument("--run", required=True, help="a directory for keys, state and logs")
    parser.add_argument("--port", type=int, default=8443)
    parser.add_argument("--lifetime", type=int, default=300, help="of a token, seconds")
    parser.add_argument("--once", action="store_true", help="fetch one gated segment and stop")
    parser.add_argument("--json", action="store_true", help="print one JSON line, not a text")
    parser.add_argument("--chain", metavar="PACKAGES",
                        help="a folder made by tests/chain/prepare: the NFT is on a real chain")
    parser.add_argument("--anyone", action="store_true",
                        help="every wallet that signs is let in, whatever it holds")
    parser.add_argument("--list", action="store_true",
                        help="an allow list opens the stream, not an NFT")
    parser.add_argument("--solana", metavar="URL",
                        help="a Solana server, for the vaults of Squads multisigs")
    return parser.parse_args()


def market_of(args):
    if args.list:
        return OnList(args.run, os.path.join(args.run, "proofs"))
    return OnChain(args.chain) if args.chain else ByHand()


def fetch(url, token=None):
    """(status, bytes) by curl, so that what is printed is what was tried."""
    command = ["curl", "-sk", "-o", os.devnull, "-w", "%{http_code} %{size_download}", url]
    if token:
        command[1:1] = ["-H", f"{HEADER}: {token}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    status, size = (done.stdout or "0 0").split()
    return int(status), int(size)


def check(node, token):
    """One gated segment: refused without the token, whole with it, on both listeners."""
    for url in (node.plain_url, node.tls_url):
        segment = f"{url}/show/seg-0-00001.m4s"
        status, _ = fetch(segment)
        if status != 401:
            raise Failed(f"{segment} without a token: {status}, expected 401")
        status, size = fetch(segment, token)
        if status != 200 or size == 0:
            raise Failed(f"{segment} with the token: {status}, {size} bytes")


def tell(args, node, token):
    told = {
        "page": f"{node.plain_url}/player/",
        "page_tls": f"{node.tls_url}/player/",
        "page_wallet": f"{node.plain_url}/player/?wallet",
        "hls": f"{node.plain_url}/show/master.m3u8",
        "dash": f"{node.plain_url}/show/manifest.mpd",
        "hls_with_token": f"{node.plain_url}/cat:{token}/show/master.m3u8",
        "token": token,
        "chain": node.market.chain_url,
        "config": node.conf,
    }
    if args.json:
        print(json.dumps(told), flush=True)
        return
    print(f"""
A person opens    {told["page"]}      (hls.js, dash.js, Shaka)
with a wallet     {told["page_wallet"]}      (an extension's, or one in the page)
over TLS          {told["page_tls"]}      (its certificate was made here: accept it)
an HLS player     {told["hls_with_token"]}

curl, refused     curl -i {told["hls"]}
curl, allowed     curl -i -H '{HEADER}: {token}' {told["hls"]}

The node's file is {told["config"]}; ask it: {shlex.join(node.sgctl_command("status"))}
Ctrl-C stops all of it.""", flush=True)


def hold(run):
    """The lock on `run` as an open file: what another serves from is not removed under it."""
    lock = open(f"{run}.lock", "w", encoding="ascii")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        raise Failed("it runs in this checkout already: end that with Ctrl-C first, or run this in "
                     "a checkout of its own") from None
    return lock


def main():
    args = arguments()
    parts = []
    lock = None
    over = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: over.set())
    try:
        os.makedirs(os.path.dirname(os.path.abspath(args.run)), exist_ok=True)
        lock = hold(args.run)
        shutil.rmtree(args.run, ignore_errors=True)
        os.makedirs(args.run)
        tls, plain, origin, back_end = ports_from(args.port, 4)
        parts.append(Origin(args.run, origin, args.media, args.page, back_end))
        place = Place(args.run)
        parts.append(place)
        market = market_of(args)
        parts.append(market)
        node = Node(args, place, tls, plain, origin, market)
        parts.append(node)
        parts.append(BackEnd(back_end, node))
        token = node.mint()
        if args.once:
            check(node, token)
        tell(args, node, token)
        if args.once and not args.json:
            print("Checked and stopped: a segment is refused without the token, whole with it.")
        while not args.once and not over.wait(0.5):
            if node.child.process.poll() is not None:
                raise Failed(f"streamgated ended; its log is {args.run}/node.log")
    except Failed as why:
        print(f"up: {why}", file=sys.stderr)
        return 1
    finally:
        for part in reversed(parts):
            part.stop()
        if lock:
            lock.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
