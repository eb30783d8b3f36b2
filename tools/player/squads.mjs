// Signing in as the vault of a Squads (v4) multisig: what its members sign, how a request and their
// answers travel between browsers, and the signature that is put together of them (docs/tokens.md).
// Nothing here trusts a request or an answer: both come from whoever sent them.
import { base58, unbase58 } from './base58.mjs';
import { b64url, unb64url } from './session.mjs';

const PROGRAM = unbase58('SQDS4ep65T869zMMBKyuUq6aD6EgTu8psMjkvj52pCf');
const MEMBERS_MAX = 32;
const utf8 = new TextEncoder();

// ---- the vault's address ----

const P = 2n ** 255n - 19n;
const D = 0x52036cee2b6ffe738cc740797779e89800700a4d4141d8ab75eb4dca135978a3n;

function power(base, exponent) {
  let result = 1n;
  for (let b = base % P, e = exponent; e > 0n; e >>= 1n, b = b * b % P) {
    if (e & 1n) result = result * b % P;
  }
  return result;
}

// Whether 32 bytes are a point of Ed25519's curve: then somebody could have a key for them.
export function isPoint(bytes) {
  let y = 0n;
  for (let i = 31; i >= 0; i--) y = y * 256n + BigInt(i === 31 ? bytes[i] & 127 : bytes[i]);
  const yy = y * y % P;
  const xx = (yy - 1n + P) * power(D * yy + 1n, P - 2n) % P;
  return xx === 0n || power(xx, (P - 1n) / 2n) === 1n;
}

// find_program_address: the first bump, from 255 down, that gives an address without a key.
async function programAddress(seeds) {
  const parts = [...seeds.flatMap((seed) => [...seed]), 0, ...PROGRAM,
    ...utf8.encode('ProgramDerivedAddress')];
  const at = parts.length - PROGRAM.length - 22;
  for (let bump = 255; bump >= 0; bump--) {
    parts[at] = bump;
    const address = new Uint8Array(await crypto.subtle.digest('SHA-256', Uint8Array.from(parts)));
    if (!isPoint(address)) return address;
  }
  throw new Error('no such address');
}

// The address of a multisig's vault number `index`.
export async function vaultOf(multisig, index) {
  const key = unbase58(multisig);
  if (!key) throw new Error('That is no Solana address.');
  return base58(await programAddress([utf8.encode('multisig'), key, utf8.encode('vault'), [index]]));
}

// ---- from the viewer to the members, and back ----

// {multisig, index, text, until}: `until` in Unix seconds. As a code for a link or a message.
export function encodeRequest({ multisig, index, text, until }) {
  return b64url(utf8.encode(JSON.stringify({ multisig, index, text, until })));
}

// What a member is asked to sign, if it is a sign-in at this page's own host and for the vault that
// it names; throws otherwise, so that nobody signs something else by mistake.
export async function decodeRequest(code, host) {
  let request;
  try {
    request = JSON.parse(new TextDecoder().decode(unb64url(code.trim())));
  } catch {
    throw new Error('This is no request: parts of it may be missing.');
  }
  const { multisig, index, text, until } = request;
  if (typeof multisig !== 'string' || !Number.isInteger(index) || index < 0 || index > 255 ||
      typeof text !== 'string' || !Number.isInteger(until)) throw new Error('This is no request.');
  const vault = await vaultOf(multisig, index);
  if (!text.startsWith(`${host} wants you to sign in with your Solana account:\n${vault}\n`)) {
    throw new Error(`This is no sign-in at ${host} for that multisig: do not sign it.`);
  }
  return { multisig, index, vault, text, until };
}

export const encodeAnswer = (member, signature) =>
  b64url(Uint8Array.from([...unbase58(member), ...signature]));

// {member, signature} of every answer in `pasted`, which may hold more text. Throws where one does
// not sign `text`.
export async function decodeAnswers(pasted, text) {
  const answers = [];
  for (const code of pasted.match(/[A-Za-z0-9_-]{128}/g) ?? []) {
    const bytes = unb64url(code);
    const [key, signature] = [bytes.slice(0, 32), bytes.slice(32)];
    const member = base58(key);
    if (!await isSigned(key, signature, utf8.encode(text))) {
      throw new Error(`The answer of ${member} does not sign this request: was it for an earlier one?`);
    }
    answers.push({ member, signature });
  }
  if (answers.length === 0) throw new Error('No answer is in it: an answer has 128 characters.');
  return answers;
}

async function isSigned(key, signature, message) {
  try {
    const imported = await crypto.subtle.importKey('raw', key, 'Ed25519', false, ['verify']);
    return await crypto.subtle.verify('Ed25519', imported, signature, message);
  } catch (error) {
    return error.name === 'NotSupportedError'; // an older browser: the node will look
  }
}

// ---- the vault's signature ----

const byteString = (bytes) => [0x58, bytes.length, ...bytes];

// `answers`: of different members; in any order.
export function vaultSignature(multisig, index, answers) {
  if (answers.length > MEMBERS_MAX) throw new Error(`More than ${MEMBERS_MAX} members signed.`);
  const pairs = answers.map(({ member, signature }) => [unbase58(member), signature])
    .sort(([a], [b]) => { // in the order of their keys
      const at = a.findIndex((byte, i) => byte !== b[i]);
      return a[at] - b[at];
    });
  return Uint8Array.from([0x83, ...byteString(unbase58(multisig)),
    ...(index < 24 ? [index] : [0x18, index]),
    ...(pairs.length < 24 ? [0x80 + pairs.length] : [0x98, pairs.length]),
    ...pairs.flatMap(([key, signature]) =>
      [0x82, ...byteString(key), ...byteString(signature)])]);
}
