// The demonstration page: plays the stream with the player chosen, holds the token, renews it in
// time, and stops when the node refuses. Tests read `window.streamgate`.
import { players } from './players.mjs';

const query = new URLSearchParams(location.search);
const base = new URL(query.get('stream') ?? '../show/', location.href).pathname;
const viewer = crypto.randomUUID(); // stands for the wallet's session until there are wallets
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
  rendition: null,
  position_s: 0,
  buffer_s: 0,
};
let player = null;
let renewal = null;

function say(text) {
  const log = document.getElementById('log');
  log.textContent = `${new Date().toLocaleTimeString()}  ${text}\n${log.textContent}`.slice(0, 2000);
}

// Takes a fresh token from the back end, and the next one when two thirds of its life are over.
async function renew() {
  clearTimeout(renewal);
  const answer = await fetch(`token?viewer=${viewer}`, { cache: 'no-store' });
  if (!answer.ok) {
    state.token_state = 'renewal refused';
    say(`no new token: ${await answer.text()}`);
    return false;
  }
  const { token, lifetime_s: lifetime } = await answer.json();
  state.token = token;
  state.expires_ms = Date.now() + lifetime * 1000;
  state.token_state = 'valid';
  state.renewals += 1;
  renewal = setTimeout(renew, lifetime * 1000 * 2 / 3);
  return true;
}

// The node refused. An expired token is worth a new one; anything else ends the playback.
async function refused(status) {
  if (state.token_state === 'refused') return;
  state.refusal = `${status} at ${video.currentTime.toFixed(1)} s`;
  say(`the node answered ${status}`);
  if (status === 401 && Date.now() >= state.expires_ms && await renew()) {
    player.start();
    return;
  }
  if (status !== 401 && status !== 403) return;
  state.token_state = 'refused';
  clearTimeout(renewal);
  player?.stop();
  video.pause();
}

async function ask(what) {
  const body = JSON.stringify({ viewer, token: state.token });
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
  show('renewals', Math.max(0, state.renewals));
  show('segments', state.segments);
  show('refusal', state.refusal ?? 'none');
}

async function start() {
  const choice = document.getElementById('choice');
  choice.value = state.player;
  choice.onchange = () => {
    query.set('player', choice.value);
    location.search = query;
  };
  document.getElementById('renew').onclick = renew;
  document.getElementById('revoke').onclick = () => ask('revoke');
  document.getElementById('transfer').onclick = () => ask('transfer');
  setInterval(tick, 200);
  if (!await renew()) return;
  player = await players[state.player]({
    video,
    base,
    token: () => state.token,
    refused,
    loaded: () => { state.segments += 1; },
  });
  video.play().catch(() => say('press play'));
}

window.streamgate = { state, video, renew, ask };
start();
