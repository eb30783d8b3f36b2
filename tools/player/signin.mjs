// Signing in at a StreamGate node with a wallet, and staying signed in: what a player needs of
// docs/signin.md. The wallet is asked once a day at most; tokens are renewed without it.
//
//   const viewer = new Viewer({ path: '/show/' });
//   await viewer.resume() || await viewer.signIn(wallet);   // wallets.mjs
//   xhr.setRequestHeader('CTA-Common-Access-Token', viewer.token);
import { b64url, forget, load, makeKey, proof, save, thumbprint } from './session.mjs';

const ROOT = '/.well-known/streamgate/';
const SKEW_MS = 2000; // a renewal that would come this close to the end comes earlier
const RETRY_S = 5;
const CLOCK_MS = 5000; // a clock that differs by less is as right as a Date field can tell

export class Refused extends Error {
  constructor(status, problem, retryS) {
    super(problem.reason ?? `status ${status}`);
    this.status = status;
    this.retry_s = retryS; // what the node asked to wait; 0: nothing
    this.reason = problem.reason;
    this.detail = problem.detail;
  }
}

// Whether asking again is of no use: not so when the node can't say, or can't be reached.
const isFinal = (error) =>
  error instanceof Refused && error.status !== 429 && error.status !== 503;

export class Viewer extends EventTarget {
  // `node`: where the content is; `path`: what the token is to open; `cookie`: it is to be set as a
  // cookie too, for players that can add no header.
  constructor({ node = location.origin, path = '/', cookie = false } = {}) {
    super();
    this.node = node;
    this.path = path;
    this.cookie = cookie;
    this.token = null;
    this.prefix = null; // before a path it is the token: for players that send no cookie either
    this.expires_ms = 0;
    this.account = null;
    this.renewals = 0;
    this.timer = null;
    this.ahead_ms = 0; // this device's clock before the node's
    this.session = null; // {key, grant, account, proofs}
    this.asked = null; // the last session that was asked for
  }

  get name() { return `${this.node} ${this.path}`; }

  url(what, parameters = {}) {
    const url = new URL(ROOT + what, this.node);
    for (const [name, value] of Object.entries({ path: this.path, ...parameters })) {
      url.searchParams.set(name, value);
    }
    return url;
  }

  async ask(url, options) {
    const answer = await fetch(url, { cache: 'no-store', ...options });
    const ahead = Date.now() - Date.parse(answer.headers.get('Date'));
    this.ahead_ms = Math.abs(ahead) > CLOCK_MS ? ahead : 0; // NaN too is none
    const said = await answer.json().catch(() => ({}));
    if (answer.ok) return said;
    throw new Refused(answer.status, said, Number(answer.headers.get('Retry-After')) || 0);
  }

  async post(what, session, token) {
    const url = this.url(what, this.cookie ? { cookie: '1' } : {});
    const send = async () => {
      const headers = { 'Content-Type': 'application/json',
        DPoP: await proof(session.key, 'POST', url, { token, now_ms: Date.now() - this.ahead_ms }) };
      if (token) headers['CTA-Common-Access-Token'] = token;
      return this.ask(url, { method: 'POST', headers, body: JSON.stringify(session.grant) });
    };
    return send().catch((error) => {
      if (error.reason !== 'proof_time') throw error;
      return send(); // with the time that the refusal told
    });
  }

  // A session key is made, the wallet signs what the node wrote for it, and a token is minted.
  async signIn(wallet) {
    const pending = await this.begin(wallet);
    await this.finish(pending, await wallet.sign(pending.challenge));
  }

  // The first half: what there is to sign, and the key that it is for. Can be stored.
  async begin({ account, alg }) {
    const key = await makeKey();
    const challenge = await this.ask(this.url('challenge', { account, alg,
      ckt: await thumbprint(key), domain: location.host }));
    return { account, key, challenge };
  }

  // The second half: `signed` is {signature[, tx]}, bytes.
  async finish({ account, key, challenge }, signed) {
    const grant = { header: challenge.header, claims: challenge.claims };
    for (const [part, bytes] of Object.entries(signed)) grant[part] = b64url(bytes);
    this.asked = { key, grant, account, proofs: challenge.list_proofs };
    await this.open();
  }

  // Also once more, without the wallet: a grant that was refused because the account did not hold
  // what it needs is good for as long as its challenge.
  async open() {
    const session = this.asked;
    await this.prove(session.grant, session.proofs);
    const minted = await this.post('grant', session);
    this.session = session;
    this.take(minted);
    await save(this.name, { ...session, token: this.token });
  }

  // The account's place in the operator's allow list, where there is one: a file by its address. A
  // changed list has other proofs, so it is asked for again with each renewal.
  async prove(grant, url) {
    if (!url) return;
    const answer = await fetch(url, { cache: 'no-cache' }).catch(() => null);
    if (answer?.ok) grant.list_proofs = [await answer.json()];
  }

  // With what an earlier page left behind. False: nothing, or it is over, or the node can't say yet:
  // then it is asked again by itself.
  async resume() {
    const session = await load(this.name);
    if (!session) return false;
    this.session = session;
    this.token = session.token;
    try {
      await this.renew();
      return true;
    } catch (error) {
      if (isFinal(error)) await this.signOut();
      return false;
    }
  }

  // A new token for the same grant: the node looks again at who holds what.
  async renew() {
    clearTimeout(this.timer);
    const { session } = this;
    if (!session) throw new Error('nobody is signed in');
    await this.prove(session.grant, session.proofs);
    try {
      const minted = await this.post('renew', session, this.token);
      if (this.session !== session) return; // signed out meanwhile, or in as another
      this.take(minted);
      this.renewals += 1;
      await save(this.name, { ...session, token: this.token });
    } catch (error) {
      if (!isFinal(error)) this.renewIn((error.retry_s || RETRY_S) * 1000);
      this.dispatchEvent(new CustomEvent(isFinal(error) ? 'gone' : 'late', { detail: error }));
      throw error;
    }
  }

  take({ token, prefix, expires, renew_after: renewAfter }) {
    this.token = token;
    this.prefix = prefix;
    this.account = this.session.account;
    this.expires_ms = expires * 1000 + this.ahead_ms; // by this device's clock
    const renewMs = renewAfter * 1000 + this.ahead_ms;
    this.renewIn(Math.max(Math.min(renewMs, this.expires_ms - SKEW_MS) - Date.now(), 500));
    this.dispatchEvent(new CustomEvent('token'));
  }

  renewIn(ms) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.renew().catch(() => {}), ms);
  }

  async signOut() {
    clearTimeout(this.timer);
    this.session = null;
    this.token = null;
    this.prefix = null;
    this.expires_ms = 0;
    await forget(this.name);
  }
}
