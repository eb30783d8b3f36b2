// Signing in at a StreamGate node with a wallet, and staying signed in: what a player needs of
// docs/signin.md. The wallet is asked once a day at most; tokens are renewed without it.
//
//   const viewer = new Viewer({ path: '/show/' });
//   await viewer.resume() || await viewer.signIn(wallet);   // wallets.mjs
//   xhr.setRequestHeader('CTA-Common-Access-Token', viewer.token);
import { b64url, forget, load, makeKey, proof, save, thumbprint } from './session.mjs';

const ROOT = '/.well-known/streamgate/';
const SKEW_MS = 2000; // a renewal that would come this close to the end comes earlier
const RETRY_MS = 5000;

export class Refused extends Error {
  constructor(status, problem) {
    super(problem.reason ?? `status ${status}`);
    this.status = status;
    this.reason = problem.reason;
    this.detail = problem.detail;
  }
}

export class Viewer extends EventTarget {
  // `node`: where the content is; `path`: what the token is to open.
  constructor({ node = location.origin, path = '/' } = {}) {
    super();
    this.node = node;
    this.path = path;
    this.token = null;
    this.expires_ms = 0;
    this.account = null;
    this.renewals = 0;
    this.timer = null;
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
    const said = await answer.json().catch(() => ({}));
    if (!answer.ok) throw new Refused(answer.status, said);
    return said;
  }

  async post(what, token) {
    const url = this.url(what);
    const headers = { 'Content-Type': 'application/json',
      DPoP: await proof(this.session.key, 'POST', url, token) };
    if (token) headers['CTA-Common-Access-Token'] = token;
    return this.ask(url, { method: 'POST', headers, body: JSON.stringify(this.session.grant) });
  }

  // A session key is made, the wallet signs what the node wrote for it, and a token is minted.
  async signIn(wallet) {
    const key = await makeKey();
    const challenge = await this.ask(this.url('challenge', { account: wallet.account,
      alg: wallet.alg, ckt: await thumbprint(key), domain: location.host }));
    const { header, claims } = challenge;
    const signed = await wallet.sign(challenge); // {signature[, tx]}, bytes
    const grant = { header, claims };
    for (const [part, bytes] of Object.entries(signed)) grant[part] = b64url(bytes);
    await this.prove(grant, challenge.list_proofs);
    this.session = { key, grant, account: wallet.account, expires: challenge.expires,
      proofs: challenge.list_proofs };
    this.take(await this.post('grant'));
    await save(this.name, { ...this.session, token: this.token });
  }

  // The account's place in the operator's allow list, where there is one: a file by its address. A
  // changed list has other proofs, so it is asked for again with each renewal.
  async prove(grant, url) {
    if (!url) return;
    const answer = await fetch(url, { cache: 'no-cache' }).catch(() => null);
    if (answer?.ok) grant.list_proofs = [await answer.json()];
  }

  // With what an earlier page left behind. False: nothing, or it is over.
  async resume() {
    const session = await load(this.name);
    if (!session || session.expires * 1000 <= Date.now()) return false;
    this.session = session;
    this.token = session.token;
    try {
      await this.renew();
      return true;
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      await this.signOut();
      return false;
    }
  }

  // A new token for the same grant: the node looks again at who holds what.
  async renew() {
    clearTimeout(this.timer);
    await this.prove(this.session.grant, this.session.proofs);
    try {
      this.take(await this.post('renew', this.token));
      this.renewals += 1;
      await save(this.name, { ...this.session, token: this.token });
    } catch (error) {
      const gone = error instanceof Refused && error.status !== 429 && error.status !== 503;
      if (!gone) this.timer = setTimeout(() => this.renew().catch(() => {}), RETRY_MS);
      this.dispatchEvent(new CustomEvent(gone ? 'gone' : 'late', { detail: error }));
      throw error;
    }
  }

  take({ token, expires, renew_after: renewAfter }) {
    this.token = token;
    this.account = this.session.account;
    this.expires_ms = expires * 1000;
    const due = Math.min(renewAfter * 1000, this.expires_ms - SKEW_MS) - Date.now();
    this.timer = setTimeout(() => this.renew().catch(() => {}), Math.max(due, 500));
    this.dispatchEvent(new CustomEvent('token'));
  }

  async signOut() {
    clearTimeout(this.timer);
    this.token = null;
    this.expires_ms = 0;
    await forget(this.name);
  }
}
