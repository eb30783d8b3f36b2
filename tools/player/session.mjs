// The session key of a browser: P-256, made by WebCrypto, not extractable, kept in IndexedDB, so that
// a page that is opened again renews without asking the wallet. A page that is copied has no key.

const DATABASE = 'streamgate';
const STORE = 'sessions';

function opened() {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(DATABASE, 1);
    request.onupgradeneeded = () => request.result.createObjectStore(STORE);
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

async function stored(mode, act) {
  const database = await opened();
  try {
    return await new Promise((resolve, reject) => {
      const request = act(database.transaction(STORE, mode).objectStore(STORE));
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error);
    });
  } finally {
    database.close();
  }
}

export const load = (name) => stored('readonly', (store) => store.get(name));
export const save = (name, value) => stored('readwrite', (store) => store.put(value, name));
export const forget = (name) => stored('readwrite', (store) => store.delete(name));

const utf8 = new TextEncoder();

export function b64url(bytes) {
  let text = '';
  for (const byte of new Uint8Array(bytes)) text += String.fromCharCode(byte);
  return btoa(text).replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '');
}

export function unb64url(text) {
  const plain = atob(text.replace(/-/g, '+').replace(/_/g, '/'));
  return Uint8Array.from(plain, (character) => character.charCodeAt(0));
}

async function sha256(bytes) {
  return new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
}

export async function makeKey() {
  const pair = await crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, false,
    ['sign', 'verify']);
  const { kty, crv, x, y } = await crypto.subtle.exportKey('jwk', pair.publicKey);
  return { privateKey: pair.privateKey, jwk: { kty, crv, x, y } };
}

// RFC 9679: SHA-256 of the key as a COSE_Key {1: 2, -1: 1, -2: x, -3: y}.
export async function thumbprint({ jwk }) {
  const bytes = [0xa4, 0x01, 0x02, 0x20, 0x01, 0x21, 0x58, 0x20, ...unb64url(jwk.x),
    0x22, 0x58, 0x20, ...unb64url(jwk.y)];
  return b64url(await sha256(Uint8Array.from(bytes)));
}

// RFC 9449: that whoever sends this request has the key, and, with `token`, means that token.
export async function proof(key, method, url, { token, now_ms: nowMs = Date.now() } = {}) {
  const { origin, pathname } = new URL(url);
  const header = { typ: 'dpop+jwt', alg: 'ES256', jwk: key.jwk };
  const claims = { jti: crypto.randomUUID(), htm: method, htu: origin + pathname,
    iat: Math.floor(nowMs / 1000) };
  if (token) claims.ath = b64url(await sha256(utf8.encode(token)));
  const said = [header, claims].map((part) => b64url(utf8.encode(JSON.stringify(part)))).join('.');
  const signature = await crypto.subtle.sign({ name: 'ECDSA', hash: 'SHA-256' }, key.privateKey,
    utf8.encode(said));
  return `${said}.${b64url(signature)}`;
}
