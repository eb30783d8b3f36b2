// The vault of a Squads multisig signs in in Chromium, each member in a browser of its own. The
// account is the Squads SDK's, the server that hands it out a shim of ours: tests/squads/shim.mjs
// says what that does not prove. Run by ways.mjs.
import { spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { createRequire } from 'node:module';
import path from 'node:path';
import readline from 'node:readline';
import { runSteps, skipAll, top, until } from './stage.mjs';
import { found, plays, shows, staysIn } from './viewer.mjs';

export async function startShim() {
  const prepared = spawnSync(path.join(top, 'tools/packages/npm'),
    [path.join(top, 'tests/squads'), process.env.SG_SQUADS_PACKAGES]);
  if (prepared.status !== 0) skipAll('the Squads SDK is not to be had');
  const child = spawn('node', [path.join(top, 'tests/squads/shim.mjs')],
    { stdio: ['pipe', 'pipe', 'ignore'] });
  for await (const line of readline.createInterface({ input: child.stdout })) {
    const url = `http://127.0.0.1:${line}`;
    const steer = async (method, ...params) => {
      const answer = await fetch(url, { method: 'POST',
        body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }) });
      return (await answer.json()).result;
    };
    return { url, steer, stop: () => child.stdin.end() };
  }
  throw new Error('the shim did not start');
}

// A browser of its own, whose test wallet has a key that we know the address of.
async function browserOf(browser) {
  const { Keypair } = createRequire(path.join(process.env.SG_SQUADS_PACKAGES, 'package.json'))(
    '@solana/web3.js');
  const seed = randomBytes(32);
  const context = await browser.newContext();
  await context.addInitScript((secret) =>
    localStorage.setItem('streamgate-test-wallet-solana', secret), `0x${seed.toString('hex')}`);
  return { context, page: await context.newPage(), key: Keypair.fromSeed(seed).publicKey.toBase58() };
}

// A member opens the link, signs, and copies the answer.
async function answerOf({ page }, link) {
  await page.goto('about:blank'); // or only the fragment changes
  await page.goto(link);
  await page.getByRole('button', { name: 'Test wallet' }).click();
  await page.waitForSelector('#answer:not([hidden])');
  return page.getByLabel('Your answer').inputValue();
}

export async function multisig(browser, urls, report, shim) {
  const [first, second, third, stranger] = await Promise.all([0, 1, 2, 3].map(() => browserOf(browser)));
  const account = await shim.steer('test_multisig',
    { threshold: 2, members: [first, second, third].map(({ key }) => ({ key })) });
  const vault = await shim.steer('test_vault', account, 3);
  const { page } = first; // a member too
  await page.goto(urls.page_wallet);
  await found(page);
  const link = () => page.getByLabel('Link for the members').inputValue();
  const ask = async (needed) => {
    await page.locator('#multisig').evaluate((it) => { it.open = true; });
    await page.getByLabel('The multisig\'s account').fill(account);
    await page.getByLabel('Number of the vault').fill('3');
    await page.getByLabel('Signatures that it needs').fill(String(needed));
    await page.getByLabel('Signatures that it needs').press('Enter');
  };
  const paste = async (text) => {
    await page.getByLabel('Answers of the members').fill(text);
    await page.getByRole('button', { name: 'Add the answers' }).click();
  };
  let old;
  await runSteps(page, 'multisig', {
    async 'what is no address is told'() {
      await page.locator('#multisig').evaluate((it) => { it.open = true; });
      await page.getByLabel('The multisig\'s account').fill('not an address');
      await page.getByRole('button', { name: 'Ask the members' }).click();
      await shows(page, 'problem', /no Solana address/);
    },
    async 'the page finds the vault that the SDK finds'() {
      await ask(2);
      await shows(page, 'multisig-vault', new RegExp(`^${vault}$`));
      await shows(page, 'multisig-count', /^0 of 2 signatures/);
      old = await link();
    },
    async 'a member signs a request of this host alone'() {
      const code = JSON.parse(Buffer.from(old.split('#')[1], 'base64url'));
      const bad = { ...code, text: code.text.replace('127.0.0.1', '127.0.0.2') };
      const forged = Buffer.from(JSON.stringify(bad)).toString('base64url');
      await second.page.goto(old.replace(/#.*/, `#${forged}`));
      await shows(second.page, 'problem', /do not sign it/);
      if (await second.page.isVisible('#request')) throw new Error('it shows the request');
    },
    async 'an answer to another request is told from one to this'() {
      const answer = await answerOf(second, old);
      await page.getByRole('button', { name: 'Start over' }).click();
      await ask(2);
      await shows(page, 'multisig-count', /^0 of 2/);
      await paste(answer);
      await shows(page, 'problem', /does not sign this request/);
    },
    async 'what was gathered is there after a reload'() {
      await paste(`here it is:\n${await answerOf(second, await link())}\nregards`);
      await shows(page, 'multisig-count', /^1 of 2/);
      await shows(page, 'multisig-members', new RegExp(second.key));
      await page.reload();
      await found(page);
      await shows(page, 'multisig-count', /^1 of 2/);
    },
    async 'the same member twice counts once'() {
      await paste(await answerOf(second, await link()));
      await shows(page, 'multisig-count', /^1 of 2/);
    },
    async 'who is no member does not count for the chain'() {
      await paste(await answerOf(stranger, await link()));
      await shows(page, 'multisig-count', /^2 of 2/);
      await shows(page, 'problem', /too few may have signed/, 10);
      await until(page, 'it plays', 1, (s) => s.token_state === 'none' && s.segments === 0);
    },
    async 'the viewer\'s own signature makes it enough: the vault is signed in, and it plays'() {
      await page.getByRole('button', { name: 'Start over' }).click();
      await ask(2);
      await page.locator('#multisig-own button').click();
      await shows(page, 'multisig-count', /^1 of 2/);
      await paste(await answerOf(third, await link()));
      await plays(page);
      await shows(page, 'account', new RegExp(`${vault}$`));
    },
    'the token is renewed in mid-play without the members': staysIn,
  }, report);
  for (const { context } of [first, second, third, stranger]) await context.close();
}
