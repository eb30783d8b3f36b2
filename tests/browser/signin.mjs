// Signs in with wallets in Chromium, plays, renews, sells the NFT and buys it: signin.mjs BINARIES
// CACHE PORT chain|anyone, as play.mjs. The wallet is the page's own (ethers, tweetnacl), found as real ones are;
// the session key and its proofs are WebCrypto's. Speaks TAP.
import path from 'node:path';
import { endsBy, main, runSteps, until } from './stage.mjs';
import { LIFETIME_S, ask, found, getsIn, refusedToSignIn, signIn, staysIn } from './viewer.mjs';

const [binaries, cache] = process.argv.slice(2, 4).map((name) => path.resolve(name));
const stepsOf = (way) => ({
  'whoever does not hold the NFT is told so': (page) => refusedToSignIn(page, way),
  async 'whoever gets it signs in and plays'(page) {
    await ask(page, 'buy');
    await getsIn(page, way);
  },
  'the token is renewed in mid-play without the wallet': staysIn,
  'a sale of the NFT stops it within a segment': (page) => endsBy(page, 'transfer'),
  async 'whoever sold it is not let in again'(page) {
    await page.reload();
    await refusedToSignIn(page, way);
  },
  async 'whoever buys it back is let in, and opens the page again without the wallet'(page) {
    await ask(page, 'buy');
    await getsIn(page, way);
    await page.reload();
    await until(page, 'no playback', 15, (s) => s.position_s > 1 && s.token_state === 'valid');
  },
});

const onlySignIn = (way) => ({
  async 'whoever signs is let in and plays'(page) {
    await getsIn(page, way);
  },
  'the token is renewed in mid-play without the wallet': staysIn,
});

async function play(browser, url, way, steps, report) {
  const context = await browser.newContext(); // its own keys
  const page = await context.newPage();
  await page.goto(url);
  await runSteps(page, way, steps, report);
  await context.close();
}

// Two viewers at once: the NFT goes from the one who watches to the other.
async function handOver(browser, url, report) {
  const pages = [];
  for (let i = 0; i < 2; i++) {
    const context = await browser.newContext();
    pages.push(await context.newPage());
    await pages[i].goto(url);
    await found(pages[i]);
  }
  const [holder, buyer] = pages;
  await runSteps(holder, 'two viewers', {
    async 'the holder plays, the other is refused'() {
      await signIn(holder, 'siwe'); // tells the page its account, that is to get the NFT
      await ask(holder, 'buy');
      await getsIn(holder, 'siwe');
      await refusedToSignIn(buyer, 'siwe');
    },
    'when the other buys it, the holder\'s player ends within a segment': () =>
      endsBy(holder, 'buy', buyer),
    'the new owner gets in': () => getsIn(buyer, 'siwe'),
  }, report);
  for (const page of pages) await page.context().close();
}

// The EVM's wallets before a real chain and an ERC-721; Solana's where everyone is let in.
const scene = {
  chain: {
    more: ['--chain', process.env.SG_CHAIN_PACKAGES],
    async play(browser, urls, report) {
      for (const way of ['siwe', 'eip712']) {
        await play(browser, urls.page_wallet, way, stepsOf(way), report);
      }
      await handOver(browser, urls.page_wallet, report);
    },
  },
  anyone: {
    more: ['--anyone'],
    async play(browser, urls, report) {
      for (const way of ['solana-text', 'solana-offchain', 'solana-memo']) {
        await play(browser, urls.page_wallet, way, onlySignIn(way), report);
      }
      for (const player of ['dash', 'shaka']) {
        await play(browser, `${urls.page_wallet}&player=${player}`, 'siwe', onlySignIn('siwe'),
          (good, name, error) => report(good, `${player}, ${name}`, error));
      }
    },
  },
}[process.argv[5]];

await main({
  binaries,
  cache,
  port: process.argv[4],
  more: ['--lifetime', String(LIFETIME_S), ...scene.more],
  play: scene.play,
});
