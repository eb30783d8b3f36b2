// What the tests of signing in share: what a viewer does in the page, and sees.
import { sleep, until } from './stage.mjs';

export const LIFETIME_S = 6; // of a token

export const found = (page) => page.waitForFunction(
  () => window.streamgate?.ways && window.streamgate.ways().length >= 6);

// By the first wallet that has the way; `wallet`: by that one.
export const signIn = (page, way, wallet = '') => page.evaluate(async ([wanted, by]) => {
  const { ways, signIn: begin } = window.streamgate;
  return begin(ways().find((id) => id.startsWith(by) && id.endsWith(`/${wanted}`)));
}, [way, wallet]);

export async function refusedToSignIn(page, way, wallet, reason = 'not_held') {
  await found(page);
  if (await signIn(page, way, wallet)) throw new Error('it was let in');
  await until(page, 'another reason', 1, (s) => s.reason === reason && s.segments === 0);
}

export async function plays(page) {
  await until(page, 'no playback', 15, (s) => s.position_s > 2 && s.segments > 0);
}

export async function getsIn(page, way, wallet) {
  await found(page);
  for (let tries = 0; tries < 20; tries++) { // what was bought is to be safe first
    if (await signIn(page, way, wallet)) break;
    await sleep(500);
  }
  await plays(page);
}

export async function staysIn(page) {
  const before = await until(page, 'no renewal', LIFETIME_S * 2, (s) => s.renewals >= 2);
  await until(page, 'stopped after the renewal', 10, (s) => s.position_s > before.position_s + 2);
  await until(page, 'refused', 1, (s) => s.refusal === null && s.token_state === 'valid');
}

export async function playsOn(page, seconds = 2) {
  const { position_s: from } = await until(page, 'no state', 1, () => true);
  await until(page, 'it stopped', seconds + 8, (s) => s.position_s > from + seconds && !s.paused);
}

export const ask = (page, what) => page.evaluate((asked) => window.streamgate.ask(asked), what);

export const told = (page, id) => page.textContent(`#${id}`);

// Polls what the page shows.
export async function shows(page, id, wanted, seconds = 5) {
  const deadline = Date.now() + seconds * 1000;
  for (;;) {
    const text = await told(page, id);
    if (wanted.test(text)) return text;
    if (Date.now() > deadline) throw new Error(`#${id} says "${text}", not ${wanted}`);
    await sleep(50);
  }
}
