// The demonstration page: plays the stream with the player chosen, holds the token, renews it in
// time, and stops when the node refuses. The token is a wallet's (?wallet, signin.mjs), or, without,
// one that the demonstration's back end mints. Tests read `window.streamgate`.
import { players } from './players.mjs';
import { Refused, Viewer } from './signin.mjs';
import * as wallets from './wallets.mjs';

const CHAIN = 31337; // of the test wallet: anvil's
const HELP_AGAIN_MS = 2000;
const query = new URLSearchParams(location.search);
const base = new URL(query.get('stream') ?? '../show/', location.href).pathname;
const video = document.getElementById('video');
const show = (id, text) => { document.getElementById(id).textContent = text; };

const state = {
  player: query.get('player') ?? 'hls',
  token: null,
  expires_ms: 0,
  token_state: 'none',
  renewals: -1, // the first token is no renewal
  segments: 0,
  refusal: null,
  reason: null, // the node's word on the last sign-in or renewal that it refused
  account: null,
  helped_ms: 0, // when a refusal was last answered with a renewal
  rendition: null,
  position_s: 0,
  buffer_s: 0,
};
let player = null;
let opening = null; // the player, once it is made

function say(text) {
  const log = document.getElementById('log');
  log.textContent = `${new Date().toLocaleTimeString()}  ${text}\n${log.textContent}`.slice(0, 2000);
}

function took(token, expiresMs) {
  state.token = token;
  state.expires_ms = expiresMs;
  state.token_state = 'valid';
  state.renewals += 1;
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
      say(`no new token: ${await answer.text()}`);
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

function byWallet() {
  const viewer = new Viewer({ path: base });
  const ways = new Map();
  viewer.addEventListener('token', () => {
    const waits = opening === null || state.token_state === 'refused';
    state.account = viewer.account;
    state.reason = null;
    took(viewer.token, viewer.expires_ms);
    if (waits) play();
  });
  viewer.addEventListener('gone', ({ detail }) => {
    state.token_state = 'renewal refused';
    state.reason = detail.reason;
    say(`no new token: ${detail.message} ${detail.detail ?? ''}`);
  });
  async function signIn(id) {
    const wallet = await ways.get(id).connect();
    state.account = wallet.account;
    try {
      await viewer.signIn(wallet);
      say(`signed in as ${wallet.account}`);
      return true;
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      state.reason = error.reason;
      say(error.reason === 'not_held' ? `${wallet.account} does not hold the NFT: get it first`
        : `the node refused: ${error.message} ${error.detail ?? ''}`);
      return false;
    }
  }
  const renew = () => viewer.renew().then(() => true, () => false);
  async function begin() {
    const list = document.getElementById('wallets');
    wallets.watch((way) => {
      ways.set(way.id, way);
      const button = document.createElement('button');
      button.textContent = way.name;
      button.onclick = () => signIn(way.id);
      list.append(button);
    });
    (await import('./testwallet.mjs')).install({ chain: CHAIN });
    return viewer.resume();
  }
  return { renew, signIn, ways: () => [...ways.keys()], stop: () => viewer.signOut(), begin };
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

// The node refused: a new token, or the end of the playback.
async function refused(status) {
  if (state.token_state === 'refused') return;
  state.refusal = `${status} at ${video.currentTime.toFixed(1)} s`;
  say(`the node answered ${status}`);
  if (worthRenewing(status) && await source.renew()) {
    player.start();
    return;
  }
  if (status !== 401 && status !== 403) return;
  state.token_state = 'refused';
  source.stop();
  player?.stop();
  video.pause();
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
  const choice = document.getElementById('choice');
  choice.value = state.player;
  choice.onchange = () => {
    query.set('player', choice.value);
    location.search = query;
  };
  document.getElementById('renew').onclick = source.renew;
  for (const what of ['revoke', 'transfer', 'buy']) {
    document.getElementById(what).onclick = () => ask(what);
  }
  document.body.classList.toggle('by-wallet', query.has('wallet'));
  setInterval(tick, 200);
  if (await source.begin() && !query.has('wallet')) await play();
}

window.streamgate = { state, video, ask, renew: source.renew, signIn: source.signIn,
  ways: source.ways };
start();
