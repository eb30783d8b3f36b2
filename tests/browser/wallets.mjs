// Several wallets in one browser, what they tell of themselves, and what they and the node refuse,
// in Chromium. Run by ways.mjs. The packages that real wallets and applications find each other by are
// bundled into the page (realwallets.mjs); extensions there are none.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { runSteps, top, until } from './stage.mjs';
import { announce, ofKey } from './evmwallet.mjs';
import { found, plays, playsOn, shows, signIn } from './viewer.mjs';

function bundled(cache) {
  const out = path.join(cache, 'realwallets.js');
  const npm = path.join(cache, 'npm-browser/node_modules');
  const done = spawnSync(path.join(npm, '.bin/esbuild'), ['--bundle', '--format=iife',
    '--define:global=globalThis', '--log-level=error', `--outfile=${out}`,
    path.join(top, 'tests/browser/realwallets.mjs')],
  { encoding: 'utf8', env: { ...process.env, NODE_PATH: npm } });
  if (done.status !== 0) throw new Error(`esbuild: ${done.stderr || done.error}`);
  return readFileSync(out, 'utf8');
}

function require(good, what) {
  if (!good) throw new Error(what);
}

const state = (page) => page.evaluate(() => ({ ...window.streamgate.state }));
const no = (code, message) => () => { throw Object.assign(new Error(message), { code }); };

// In a browser of its own, signed out: steps(page, context) after `prepare`.
async function viewer(browser, url, prepare, act) {
  const context = await browser.newContext();
  const prepared = await prepare(context);
  const page = await context.newPage();
  await page.goto(url);
  await found(page);
  try {
    await act(page, prepared, context);
  } finally {
    await context.close();
  }
}

async function severalWallets(browser, urls, report, ethers) {
  const keys = [0, 1, 2].map(() => ethers.Wallet.createRandom());
  const wallets = async (context) => [
    await announce(context, 'Fox', ofKey(ethers, keys[0])),
    await announce(context, 'Fox', ofKey(ethers, keys[1], 1)),
    await announce(context, 'Locked', { ...ofKey(ethers, keys[2]), eth_requestAccounts: () => [] }),
    await announce(context, 'Unwilling', { ...ofKey(ethers, keys[2]),
      personal_sign: no(4001, 'User rejected the request.') }),
    await announce(context, 'Busy', { ...ofKey(ethers, keys[2]),
      eth_requestAccounts: no(-32002, 'Already processing eth_requestAccounts.') }),
  ];
  await viewer(browser, urls.page_wallet, wallets, async (page, [fox]) => {
    await runSteps(page, 'several wallets', {
      async 'each has its own buttons, also one that calls itself as another does'() {
        const names = await page.locator('#wallets li').evaluateAll((all) =>
          all.map((one) => one.dataset.wallet));
        for (const name of ['Fox', 'Fox (2)', 'Locked', 'Unwilling', 'Busy']) {
          require(names.filter((one) => one === name).length === 1, `${name} is not once in ${names}`);
        }
      },
      async 'who declines is told that nothing was signed'() {
        require(!await signIn(page, 'siwe', 'Unwilling/'), 'it was let in');
        await shows(page, 'problem', /You declined in the wallet/);
      },
      async 'a locked and a busy wallet say what to do'() {
        require(!await signIn(page, 'siwe', 'Locked/'), 'it was let in');
        await shows(page, 'problem', /unlock it/);
        require(!await signIn(page, 'siwe', 'Busy/'), 'it was let in');
        await shows(page, 'problem', /open it and answer/);
      },
      async 'the second of the two signs in as itself, on the chain that it is on'() {
        require(await signIn(page, 'siwe', 'Fox (2)/'), 'it was not let in');
        await shows(page, 'account', new RegExp(`^eip155:1:${keys[1].address}$`, 'i'));
        require(await page.isHidden('#problem'), 'the problem is still shown');
        await plays(page);
      },
      async 'the first signs in while the second plays, and takes over'() {
        require(await signIn(page, 'siwe', 'Fox/'), 'it was not let in');
        await shows(page, 'account', new RegExp(`^eip155:31337:${keys[0].address}$`, 'i'));
        await playsOn(page);
      },
      async 'another account or chain in the wallet is told, and it plays on'() {
        await fox(page, 'accountsChanged', [keys[2].address]);
        await shows(page, 'status', /shows eip155:31337:.* now\. You watch as/);
        await fox(page, 'accountsChanged', [keys[0].address]);
        await shows(page, 'status', /^Signed in as/);
        await fox(page, 'chainChanged', '0x89');
        await shows(page, 'status', /shows eip155:137:/);
        await playsOn(page);
      },
      async 'a wallet that is disconnected signs the viewer out at once'() {
        await fox(page, 'accountsChanged', []);
        await until(page, 'it plays', 3, (s) => s.paused && s.token_state === 'signed out');
        await shows(page, 'status', /Signed out/);
        require((await state(page)).token === null, 'the token is still there');
      },
      async 'and for good: a reload does not sign in again'() {
        await page.reload();
        await found(page);
        await new Promise((resolve) => { setTimeout(resolve, 1000); });
        require((await state(page)).token_state === 'none', 'somebody is signed in');
      },
    }, report);
  });
}

async function realPackages(browser, urls, report, bundle) {
  const load = (context) => context.addInitScript(bundle);
  await viewer(browser, urls.page_wallet, load, async (page) => {
    const burn = (how) => page.evaluate((options) => {
      window.burner = window.realWallets.burner(options);
    }, how);
    await runSteps(page, 'real packages', {
      async 'mipd and @wallet-standard/app find the test wallet'() {
        const seen = await page.evaluate(() => window.realWallets.found());
        require(seen.ethereum.some((name) => /Test wallet/.test(name)), JSON.stringify(seen));
        require(seen.solana.some((name) => /Test wallet/.test(name)), JSON.stringify(seen));
      },
      async 'a wallet adapter registered as a Standard Wallet late is found, signs in and plays'() {
        await burn();
        await page.getByRole('button', { name: 'Solana, by Burner Wallet' }).first().click();
        await plays(page);
      },
      async 'its off-chain message and its transaction are taken too'() {
        for (const way of ['solana-offchain', 'solana-memo']) {
          require(await signIn(page, way, 'Burner Wallet/'), `${way}: ${(await state(page)).problem}`);
        }
      },
      async 'when it is disconnected the viewer is signed out'() {
        await page.evaluate(() => window.burner.disconnect());
        await until(page, 'it plays', 3, (s) => s.paused && s.token_state === 'signed out');
      },
      async 'solana:signIn of the library writes the very text that the node wrote'() {
        await burn({ signIn: true });
        require(await signIn(page, 'solana-text', 'Burner Wallet (2)/'), (await state(page)).problem);
        require(await page.evaluate(() => window.burner.asked.signIn) === 1, 'it was not asked');
      },
    }, report);
  });
}

// The clock of the viewer's device, so much before the node's.
const clock = (hours) => (context) => context.addInitScript((ms) => {
  const now = Date.now.bind(Date);
  Date.now = () => now() + ms;
}, hours * 3600_000);

async function wrongClocks(browser, urls, report, ethers) {
  for (const hours of [5, -5]) {
    const prepare = async (context) => {
      await clock(hours)(context);
      return announce(context, 'Fox', ofKey(ethers, ethers.Wallet.createRandom()));
    };
    await viewer(browser, urls.page_wallet, prepare, async (page) => {
      await runSteps(page, `a clock that is ${hours} h off`, {
        async 'the viewer signs in, plays, and renews'() {
          require(await signIn(page, 'siwe', 'Fox/'), (await state(page)).problem);
          await plays(page);
          await until(page, 'no renewal', 15, (s) => s.renewals >= 1 && s.token_state === 'valid');
        },
        async 'a reload plays on without the wallet'() {
          await page.reload();
          await plays(page);
        },
      }, report);
    });
  }
}

// Answers that the node gives only under load or after a day come from a stand-in of ours.
async function noes(browser, urls, report, ethers) {
  const wallet = (context) =>
    announce(context, 'Fox', ofKey(ethers, ethers.Wallet.createRandom()));
  const refuse = (status, reason, headers = {}) => (route) => route.fulfill({ status,
    headers: { 'Content-Type': 'application/problem+json', ...headers },
    body: JSON.stringify({ title: 'no', status, reason }) });
  await viewer(browser, urls.page_wallet, wallet, async (page) => {
    await runSteps(page, 'noes (of a stand-in)', {
      async 'too many sign-ins: when to try again'() {
        await page.route('**/streamgate/grant*', refuse(429, 'too_many_grants', { 'Retry-After': '7' }));
        require(!await signIn(page, 'siwe', 'Fox/'), 'it was let in');
        await shows(page, 'problem', /Too many sign-ins.*Try again in 7 s/);
        await page.unroute('**/streamgate/grant*');
      },
      async 'what is not safe yet can be checked again without the wallet'() {
        await page.route('**/streamgate/grant*', refuse(403, 'not_held'));
        require(!await signIn(page, 'siwe', 'Fox/'), 'it was let in');
        await shows(page, 'problem', /does not hold what opens the stream.*safe/);
        await page.unroute('**/streamgate/grant*');
        await page.getByRole('button', { name: 'Check again' }).click();
        await plays(page);
        require(await page.isHidden('#again'), 'the button is still there');
      },
      async 'too much at once in mid-play: told, and it goes on by itself'() {
        await page.route('**/show/**', refuse(429, 'token_requests', { 'Retry-After': '2' }));
        await shows(page, 'problem', /Too much is loaded.*in 2 s/, 15);
        await page.unroute('**/show/**');
        await until(page, 'the problem stays', 10, (s) => s.problem === null);
        await playsOn(page, 10); // more than was in the buffer
      },
      async 'a node that knows nothing at renewal: told, and asked again'() {
        const { renewals } = await state(page);
        await page.route('**/streamgate/renew*', refuse(503, 'ownership_stale', { 'Retry-After': '1' }));
        await shows(page, 'problem', /does not know at the moment/, 10);
        await page.unroute('**/streamgate/renew*');
        await until(page, 'no renewal', 10, (s) => s.renewals > renewals && s.problem === null);
      },
      async 'a sign-in that is over in mid-play: told, and signing in again plays on'() {
        await page.route('**/streamgate/renew*', refuse(401, 'grant_expired'));
        await until(page, 'it plays', 30, (s) => s.token_state === 'refused' && s.paused);
        await shows(page, 'problem', /sign-in is over/);
        await page.unroute('**/streamgate/renew*');
        require(await signIn(page, 'siwe', 'Fox/'), 'it was not let in');
        await playsOn(page);
      },
      async 'a country that is not served is told in mid-play'() {
        await page.route('**/show/**', refuse(403, 'country'));
        await until(page, 'it plays', 30, (s) => s.token_state === 'refused' && s.paused);
        await shows(page, 'problem', /can not be watched from where you are/);
      },
    }, report);
  });
}

export async function wallets(browser, urls, report, cache) {
  const ethers = createRequire(path.join(cache, 'npm-player/package.json'))('ethers');
  await severalWallets(browser, urls, report, ethers);
  await realPackages(browser, urls, report, bundled(cache));
  await wrongClocks(browser, urls, report, ethers);
  await noes(browser, urls, report, ethers);
}
