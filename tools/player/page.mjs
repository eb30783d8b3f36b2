// The demonstration page: plays the stream with the player chosen, holds the token, renews it in
// time, and stops when the node refuses. The token is a wallet's (?wallet, signin.mjs), or, without,
// one that the demonstration's back end mints. Tests read `window.streamgate`.
import { el, fault, show } from './dom.mjs';
import { wordsOf, wordsOfError } from './messages.mjs';
import { Multisig } from './multisig.mjs';
import { players } from './players.mjs';
import { Refused, Viewer } from './signin.mjs';
import * as wallets from './wallets.mjs';

const CHAIN = 31337; // of the test wallet: anvil's
const HELP_AGAIN_MS = 2000;
const WAIT_S = 2; // where the node says no time to wait
const query = new URLSearchParams(location.search);
const base = new URL(query.get('stream') ?? '../show/', location.href).pathname;
const video = el('video');

const state = {
  player: query.get('player') ?? 'hls',
  token: null,
  expires_ms: 0,
  token_state: 'none',
  renewals: -1, // the first token is no renewal
  segments: 0,
  refusal: null,
  reason: null, // the node's word on the last sign-in, renewal or request that it refused
  problem: null, // what the viewer is told of it
  account: null,
  helped_ms: 0, // when a refusal was last answered with a renewal
  rendition: null,
  position_s: 0,
  buffer_s: 0,
};
let player = null;
let opening = null; // the player, once it is made

function say(text) {
  el('log').textContent = `${new Date().toLocaleTimeString()}  ${text}\n${el('log').textContent}`.slice(0, 2000);
}

// What the viewer has to know, or no longer (null).
function problem(words) {
  state.problem = words;
  fault(words);
  if (words) say(words);
}

function took(token, expiresMs) {
  state.token = token;
  state.expires_ms = expiresMs;
  state.token_state = 'valid';
  state.renewals += 1;
  state.reason = null;
  problem(null);
}

// ---- tokens of the back end ----

function backEnd() {
  const viewer = crypto.randomUUID();
  let timer = null;
  // Takes a fresh token, and the next one when two thirds of its life are over.
  async function renew() {
    clearTimeout(timer);
    const answer = await fetch(`token?viewer=${viewer}`, { cache: 'no-store' });
    if (!answer.ok) {
      state.token_state = 'renewal refused';
      problem(`No new token: ${await answer.text()}`);
      return false;
    }
    const { token, lifetime_s: lifetime } = await answer.json();
    took(token, Date.now() + lifetime * 1000);
    timer = setTimeout(renew, lifetime * 1000 * 2 / 3);
    return true;
  }
  return { viewer, renew, stop: () => clearTimeout(timer), begin: renew };
}

// ---- tokens of a wallet ----

// What a wallet, a signature or the node said no to.
function failed(error) {
  state.reason = error?.reason ?? null;
  problem(error && wordsOfError(error));
  el('again').hidden = state.reason !== 'not_held';
}

// Groups the ways to sign in by wallet: the usual one in `id`, the others in `others`.
function addWay(way, chosen) {
  const usual = way.alg === 'siwe' || way.alg === 'solana-text';
  const list = el(usual ? 'wallets' : 'other-ways');
  let group = [...list.children].find((one) => one.dataset.wallet === way.wallet);
  if (!group) {
    group = document.createElement('li');
    group.dataset.wallet = way.wallet;
    group.textContent = `${way.wallet}: `;
    list.append(group);
  }
  const button = document.createElement('button');
  button.textContent = way.name;
  button.setAttribute('aria-label', `${way.name}, by ${way.wallet}`);
  button.onclick = () => chosen(way.id);
  group.append(button, ' ');
}

function byWallet() {
  const viewer = new Viewer({ path: base });
  const ways = new Map();
  let unwatch = () => {};
  viewer.addEventListener('token', () => {
    const stopped = state.token_state === 'refused' || state.token_state === 'signed out';
    const waits = opening === null || stopped;
    state.account = viewer.account;
    took(viewer.token, viewer.expires_ms);
    el('again').hidden = true;
    el('sign-out').hidden = false;
    if (waits) play();
  });
  viewer.addEventListener('gone', ({ detail }) => {
    state.token_state = 'renewal refused';
    failed(detail);
  });
  viewer.addEventListener('late', ({ detail }) => failed(detail));

  // True: in. What went wrong is told otherwise.
  async function tried(act) {
    failed(null);
    show('status', 'Signing in: see your wallet.');
    try {
      await act();
      show('status', `Signed in as ${state.account}.`);
      return true;
    } catch (error) {
      show('status', '');
      failed(error);
      if (!(error instanceof Refused)) console.warn(error);
      return false;
    }
  }

  async function signOut(why) {
    unwatch();
    await viewer.signOut();
    state.token = null;
    state.account = null;
    end('signed out');
    el('sign-out').hidden = true;
    show('status', why);
  }

  // The wallet shows something else than it did: nobody watches on as who has gone.
  function changed(signedIn, account) {
    if (account === null) {
      signOut('Signed out: the wallet was disconnected.');
    } else if (account !== signedIn) {
      show('status', `The wallet shows ${account} now. You watch as ${signedIn} until you sign in again.`);
    } else {
      show('status', `Signed in as ${signedIn}.`);
    }
  }

  const signIn = (id) => tried(async () => {
    const wallet = await ways.get(id).connect();
    state.account = wallet.account;
    await viewer.signIn(wallet);
    unwatch();
    unwatch = wallet.changes((account) => changed(wallet.account, account));
  });
  const multisig = new Multisig({ viewer, fault: failed, finish: (pending, signed) => tried(() => {
    state.account = pending.account;
    return viewer.finish(pending, signed);
  }) });

  const renew = () => viewer.renew().then(() => true, () => false);
  async function begin() {
    el('again').onclick = () => tried(() => viewer.open());
    el('sign-out').onclick = () => signOut('Signed out.');
    wallets.watch((way) => {
      ways.set(way.id, way);
      addWay(way, signIn);
      if (way.alg === 'solana-text') multisig.offer(way);
    });
    (await import('./testwallet.mjs')).install({ chain: CHAIN });
    await multisig.resume();
    return viewer.resume();
  }
  return { renew, signIn, signOut, ways: () => [...ways.keys()], stop: () => viewer.signOut(), begin };
}

const source = query.has('wallet') ? byWallet() : backEnd();

// Whether a new token may help: for an expired one; and for a wallet's, which may meet the rule by
// something else that it holds. But not twice in a moment.
function worthRenewing(status) {
  const over = status === 401 && Date.now() >= state.expires_ms;
  const may = over || (source.signIn && (status === 401 || status === 403));
  const again = Date.now() - state.helped_ms < HELP_AGAIN_MS;
  if (may && !again) state.helped_ms = Date.now();
  return may && !again;
}

// The node's own words on a request that it refused: players tell its status alone.
async function reasonOf(status) {
  const headers = state.token ? { 'CTA-Common-Access-Token': state.token } : {};
  const answer = await fetch(`${base}master.m3u8`, { headers, cache: 'no-store' }).catch(() => null);
  if (answer?.status !== status) return { status };
  const { reason, detail } = await answer.json().catch(() => ({}));
  return { status, reason, detail, retry_s: Number(answer.headers.get('Retry-After')) || 0 };
}

function end(how) {
  state.token_state = how;
  player?.stop();
  video.pause();
}

// The node has too much to do, or can't know: the player goes on when the node said to.
async function waits(status) {
  const why = await reasonOf(status);
  state.reason = why.reason ?? null;
  problem(wordsOf(why));
  setTimeout(() => {
    if (state.token_state !== 'valid') return;
    problem(null);
    player.start();
  }, (why.retry_s || WAIT_S) * 1000);
}

// The node refused: a new token, or the end of the playback.
async function refused(status) {
  if (state.token_state === 'refused' || state.token_state === 'signed out') return;
  state.refusal = `${status} at ${video.currentTime.toFixed(1)} s`;
  say(`the node answered ${status}`);
  if (worthRenewing(status) && await source.renew()) {
    player.start();
    return;
  }
  if (status === 429 || status === 503) {
    if (!state.problem) await waits(status);
    return;
  }
  if (status !== 401 && status !== 403) return;
  const why = state.reason ? null : await reasonOf(status);
  end('refused');
  source.stop();
  if (why) {
    state.reason = why.reason ?? null;
    problem(wordsOf(why));
  }
}

async function ask(what) {
  const body = JSON.stringify({ viewer: source.viewer ?? state.account, token: state.token,
    account: state.account });
  const answer = await fetch(what, { method: 'POST', body });
  say(`${what}: ${await answer.text()}`);
}

function buffered() {
  for (let i = 0; i < video.buffered.length; i++) {
    if (video.buffered.start(i) <= video.currentTime + 0.1 &&
        video.buffered.end(i) > video.currentTime) {
      return video.buffered.end(i) - video.currentTime;
    }
  }
  return 0;
}

function tick() {
  state.position_s = video.currentTime;
  state.buffer_s = buffered();
  state.rendition = player?.rendition() ?? null;
  const left = Math.max(0, Math.round((state.expires_ms - Date.now()) / 1000));
  show('position', `${state.position_s.toFixed(1)} of ${(video.duration || 0).toFixed(1)} s`);
  show('rendition', state.rendition ? `${state.rendition} lines` : '-');
  show('buffer', `${state.buffer_s.toFixed(1)} s ahead`);
  show('token', state.token_state === 'valid' ? `valid for ${left} s more` : state.token_state);
  show('account', state.account ?? '-');
  show('renewals', Math.max(0, state.renewals));
  show('segments', state.segments);
  show('refusal', state.refusal ?? 'none');
}

// With the first token, and again with one that came after a refusal.
async function play() {
  opening ??= players[state.player]({
    video,
    base,
    token: () => state.token,
    refused,
    loaded: () => { state.segments += 1; },
  });
  if (player) player.start();
  player = await opening;
  video.play().catch(() => say('press play'));
}

async function start() {
  const choice = el('choice');
  choice.value = state.player;
  choice.onchange = () => {
    query.set('player', choice.value);
    location.search = query;
  };
  el('renew').onclick = source.renew;
  for (const what of ['revoke', 'transfer', 'buy']) {
    el(what).onclick = () => ask(what);
  }
  document.body.classList.toggle('by-wallet', query.has('wallet'));
  setInterval(tick, 200);
  if (await source.begin() && !query.has('wallet')) await play();
}

window.streamgate = { state, video, ask, renew: source.renew, signIn: source.signIn,
  signOut: source.signOut, ways: source.ways };
start();
