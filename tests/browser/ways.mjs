// The other ways of signing in, in Chromium: ways.mjs BINARIES CACHE PORT SCENE, as play.mjs.
//   smart      contracts' signatures, on a real anvil          (smart.mjs)
//   carriers   where each player puts the token               (carriers.mjs)
//   list       an operator's allow list                        (list.mjs)
//   multisig_shim  a Squads vault; the Solana server is our shim  (multisig.mjs)
//   wallets    several wallets, their events and their noes    (wallets.mjs)
// Speaks TAP.
import path from 'node:path';
import { main } from './stage.mjs';
import { carriers } from './carriers.mjs';
import { list } from './list.mjs';
import { multisig, startShim } from './multisig.mjs';
import { smart } from './smart.mjs';
import { LIFETIME_S } from './viewer.mjs';
import { wallets } from './wallets.mjs';

const [binaries, cache] = process.argv.slice(2, 4).map((name) => path.resolve(name));
const scene = {
  smart: async () => ({ more: ['--chain', process.env.SG_CHAIN_PACKAGES], play: smart }),
  carriers: async () => ({ more: ['--anyone'], play: carriers }),
  list: async () => ({ more: ['--list'], play: list }),
  async multisig_shim() {
    const shim = await startShim();
    return { more: ['--anyone', '--solana', shim.url], stop: shim.stop,
      play: (browser, urls, report) => multisig(browser, urls, report, shim) };
  },
  wallets: async () => ({ more: ['--anyone'],
    play: (browser, urls, report) => wallets(browser, urls, report, cache) }),
}[process.argv[5]];

const { more, play, stop } = await scene();
await main({
  binaries,
  cache,
  port: process.argv[4],
  more: ['--lifetime', String(LIFETIME_S), ...more],
  async play(...all) {
    try {
      await play(...all);
    } finally {
      stop?.();
    }
  },
});
