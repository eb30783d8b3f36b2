// Plays the gated stream in Chromium with each player, through a node: play.mjs BINARIES CACHE PORT
// BINARIES holds streamgated and sgctl; CACHE keeps the stream and the npm packages. Speaks TAP.
import { spawn, spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import readline from 'node:readline';
import { fileURLToPath } from 'node:url';

const [binaries, cache] = process.argv.slice(2, 4).map((name) => path.resolve(name));
const port = process.argv[4];
const top = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
const CHROMIUM = '/usr/bin/chromium';
const FLAGS = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync',
  '--autoplay-policy=no-user-gesture-required'];
const LIFETIME_S = 6;
const SEGMENT_S = 2;
const PLAYERS = ['hls', 'dash', 'shaka', 'shaka-hls'];

function skipAll(why) {
  console.log(`1..0 # SKIP ${why}`);
  process.exit(0);
}

function make(what, ...command) {
  const done = spawnSync(path.join(top, command[0]), command.slice(1),
    { encoding: 'utf8', env: { ...process.env, MEDIA_SECONDS: '40' } });
  if (done.status !== 0) throw new Error(`${what}: ${done.stderr || done.stdout || done.error}`);
}

// The origin, the node and the page's back end; resolves with the URLs that run.py tells.
async function startNode(run) {
  const child = spawn('python3', [path.join(top, 'tools/demo/run.py'), '--json',
    '--binaries', binaries, '--media', path.join(cache, 'card'), '--page', path.join(cache, 'page'),
    '--run', run, '--port', port, '--lifetime', String(LIFETIME_S)],
  { stdio: ['ignore', 'pipe', 'inherit'] });
  for await (const line of readline.createInterface({ input: child.stdout })) {
    return { child, urls: JSON.parse(line) };
  }
  throw new Error('the node did not start');
}

const sleep = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

// Polls the page's state until `good` says yes; its last state is in the error otherwise.
async function until(page, what, seconds, good) {
  const deadline = Date.now() + seconds * 1000;
  for (;;) {
    const state = await page.evaluate(() => ({ ...window.streamgate.state,
      token: undefined, position_s: window.streamgate.video.currentTime,
      paused: window.streamgate.video.paused }));
    if (good(state)) return state;
    if (Date.now() > deadline) throw new Error(`${what}: ${JSON.stringify(state)}`);
    await sleep(100);
  }
}

const advancesBy = (start, seconds) => (state) => state.position_s >= start + seconds;

async function endsBy(page, what) {
  const before = await page.evaluate(async (asked) => {
    await window.streamgate.ask(asked);
    return window.streamgate.video.currentTime;
  }, what);
  const after = await until(page, 'still plays', 10,
    (s) => s.token_state === 'refused' && s.paused);
  if (after.position_s - before > SEGMENT_S + 0.5) {
    throw new Error(`it played on for ${(after.position_s - before).toFixed(1)} s`);
  }
  await sleep(1500);
  const later = await until(page, 'it plays again', 1, (s) => s.paused);
  if (later.segments !== after.segments) throw new Error('segments came after the refusal');
}

const steps = {
  async 'the position advances and a rendition is chosen'(page) {
    await until(page, 'no playback', 15, (s) => s.position_s > 2 && s.rendition >= 360);
  },
  async 'the token is renewed in mid-play and playback goes on'(page) {
    const before = await until(page, 'no renewal', LIFETIME_S * 2, (s) => s.renewals >= 1);
    await until(page, 'stopped after the renewal', 10, advancesBy(before.position_s, 2));
    const after = await until(page, 'refused', 1, (s) => s.refusal === null);
    if (after.token_state !== 'valid') throw new Error(`token: ${after.token_state}`);
  },
  async 'a seek lands where it should and plays on'(page) {
    await page.evaluate(() => { window.streamgate.video.currentTime = 24; });
    await until(page, 'no playback after the seek', 15,
      (s) => s.position_s > 25 && s.position_s < 32);
  },
  'a revoked token stops it within a segment': (page) => endsBy(page, 'revoke'),
};

const saleSteps = {
  'the position advances': steps['the position advances and a rendition is chosen'],
  'a sale of the NFT stops it within a segment': (page) => endsBy(page, 'transfer'),
  async 'whoever sold it gets no new token'(page) {
    const renewed = await page.evaluate(() => window.streamgate.renew());
    if (renewed) throw new Error('a token was minted');
  },
};

async function play(browser, url, player, todo, report) {
  const page = await browser.newPage({ ignoreHTTPSErrors: true }); // the certificate is ours
  page.on('pageerror', (error) => console.log(`# ${player}: ${error.message}`));
  await page.goto(`${url}?player=${player}`);
  for (const [name, step] of Object.entries(todo)) {
    try {
      await step(page);
      report(true, `${player}: ${name}`);
    } catch (error) {
      report(false, `${player}: ${name}`, error);
    }
  }
  await page.close();
}

async function main() {
  if (!existsSync(CHROMIUM)) skipAll('no chromium here: tools/packages/install test');
  try {
    make('npm packages', 'tools/packages/npm', path.join(top, 'tests/browser'),
      path.join(cache, 'npm-browser'));
    make('players', 'tools/player/assemble', path.join(cache, 'npm-player'), path.join(cache, 'page'));
  } catch (error) {
    skipAll(`npm packages cannot be had: ${error.message.split('\n')[0]}`);
  }
  make('stream', 'tools/media', path.join(cache, 'card'));
  const { chromium } = createRequire(path.join(cache, 'npm-browser/'))('playwright-core');
  const run = mkdtempSync(path.join(tmpdir(), 'sgt-browser-'));
  const { child, urls } = await startNode(path.join(run, 'run'));
  let count = 0;
  let failed = 0;
  const report = (good, name, error) => {
    count += 1;
    failed += good ? 0 : 1;
    console.log(`${good ? 'ok' : 'not ok'} ${count} - ${name}`);
    if (error) console.log(`# ${error.message}`);
  };
  // A directory of its own each time: playwright makes one, and removes it at the end.
  const browser = await chromium.launch({ executablePath: CHROMIUM, args: FLAGS });
  try {
    for (const player of PLAYERS) await play(browser, urls.page, player, steps, report);
    await play(browser, urls.page_tls, 'hls', steps,
      (good, name, error) => report(good, `over TLS, ${name}`, error));
    await play(browser, urls.page, 'hls', saleSteps, report);
  } finally {
    await browser.close();
    child.kill('SIGTERM');
    await new Promise((resolve) => { child.on('exit', resolve); });
    rmSync(run, { recursive: true, force: true });
  }
  console.log(`1..${count}`);
  process.exit(failed ? 1 : 0);
}

await main();
