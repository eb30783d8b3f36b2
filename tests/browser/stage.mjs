// What the browser tests share: packages, a node with its origin and back end, Chromium, and TAP.
import { spawn, spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import readline from 'node:readline';
import { fileURLToPath } from 'node:url';

export const top = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
export const SEGMENT_S = 2;
const CHROMIUM = '/usr/bin/chromium';
const FLAGS = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync',
  '--autoplay-policy=no-user-gesture-required'];

export function skipAll(why) {
  console.log(`1..0 # SKIP ${why}`);
  process.exit(0);
}

function make(what, ...command) {
  const done = spawnSync(path.join(top, command[0]), command.slice(1),
    { encoding: 'utf8', env: { ...process.env, MEDIA_SECONDS: '40' } });
  if (done.status !== 0) throw new Error(`${what}: ${done.stderr || done.stdout || done.error}`);
}

// The origin, the node and the page's back end; resolves with the URLs that run.py tells.
async function startNode(binaries, cache, run, port, more) {
  const child = spawn('python3', [path.join(top, 'tools/demo/run.py'), '--json',
    '--binaries', binaries, '--media', path.join(cache, 'card'), '--page', path.join(cache, 'page'),
    '--run', run, '--port', port, ...more],
  { stdio: ['ignore', 'pipe', 'inherit'] });
  for await (const line of readline.createInterface({ input: child.stdout })) {
    return { child, urls: JSON.parse(line) };
  }
  throw new Error('the node did not start');
}

export const sleep = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

// Polls the page's state until `good` says yes; its last state is in the error otherwise.
export async function until(page, what, seconds, good) {
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

// Does `what` at the back end, in the page of whoever asks for it, and sees the playback of `page`
// end within a segment, for good.
export async function endsBy(page, what, asker = page) {
  await asker.evaluate((asked) => window.streamgate.ask(asked), what);
  const before = await page.evaluate(() => window.streamgate.video.currentTime);
  const after = await until(page, 'still plays', 10,
    (s) => s.token_state === 'refused' && s.paused);
  if (after.position_s - before > SEGMENT_S + 0.5) {
    throw new Error(`it played on for ${(after.position_s - before).toFixed(1)} s`);
  }
  await sleep(1500);
  const later = await until(page, 'it plays again', 1, (s) => s.paused);
  if (later.segments !== after.segments) throw new Error('segments came after the refusal');
}

// Runs each step on `page`, and reports it.
export async function runSteps(page, who, steps, report) {
  page.on('pageerror', (error) => console.log(`# ${who}: ${error.message}`));
  for (const [name, step] of Object.entries(steps)) {
    try {
      await step(page);
      report(true, `${who}: ${name}`);
    } catch (error) {
      report(false, `${who}: ${name}`, error);
    }
  }
}

// Starts all, calls play(browser, urls, report), and stops all. `more`: options of run.py.
export async function main({ binaries, cache, port, more, play }) {
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
  const { child, urls } = await startNode(binaries, cache, path.join(run, 'run'), port, more);
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
    await play(browser, urls, report);
  } finally {
    await browser.close();
    child.kill('SIGTERM');
    await new Promise((resolve) => { child.on('exit', resolve); });
    rmSync(run, { recursive: true, force: true });
  }
  console.log(`1..${count}`);
  process.exit(failed ? 1 : 0);
}
