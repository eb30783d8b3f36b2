// Grants and proofs made by the libraries of others, judged by the gate: grants.mjs ASK CACHE
// ASK is the program oracle_grants; CACHE keeps the npm packages. Speaks TAP; skipped without them.
// All that is signed is built here a second time, from docs/tokens.md and the standards.
import { createHash, generateKeyPairSync, randomBytes, sign, webcrypto } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { asker, equal, hex, runTests, unhex } from './asking.mjs';
import { packages } from './packages.mjs';

const [program, cache] = process.argv.slice(2, 4).map((name) => path.resolve(name));
const require = packages(cache);
const { Encoder, Tag } = require('cbor-x');
const { Signature, SigningKey, TypedDataEncoder, Wallet, decodeBase58, encodeBase58, getAddress,
  keccak256, hashMessage } = require('ethers');
const { SiweMessage } = require('siwe');
const nacl = require('tweetnacl');
const { hashTypedData } = require('viem');
const { generatePrivateKey, privateKeyToAccount } = require('viem/accounts');
const cbor = new Encoder({ useRecords: false, mapsAsObjects: false, tagUint8Array: false });
const run = mkdtempSync(path.join(tmpdir(), 'sgt.'));
const NOW = 1780000000;
const SOLANA_MAINNET = '5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp';

const { ask, end } = asker(program);
const sha256 = (bytes) => createHash('sha256').update(bytes).digest();
const pick = (...choices) => choices[randomBytes(1)[0] % choices.length];
const time = (s) => new Date(s * 1000).toISOString().replace('.000Z', 'Z');

async function verdict(grant, signature, keys = '-', { authority = 'video.example.org' } = {}) {
  const answer = await ask('verify', hex(grant.wrapped(signature)), NOW, 'films', authority, keys);
  return answer.split(' ')[0];
}

// ---- grants, as a client makes them of the challenge's choices ----
const header = (alg, kid) => cbor.encode(new Map([[1, alg], [2, [-70100]],
  ...(kid ? [[4, kid]] : []), [-70100, 1]]));
const domainOf = (o) => o.domain ?? 'video.example.org';
const content = (o) => `https://${o.suffix ? '*.example.org' : 'video.example.org'}${
  o.exact ? o.exact : o.prefix ? `${o.prefix}*` : '/*'}`;

function claimsOf(o) {
  const paths = o.exact ? [[3, new Map([[0, o.exact]])]]
    : o.prefix ? [[3, new Map([[1, o.prefix]])]] : [];
  const hosts = o.suffix ? new Map([[2, '.example.org']]) : new Map([[0, 'video.example.org']]);
  return new Map([
    ...(o.issued ? [[1, 'sg:films'], [2, o.account]] : [[1, o.account]]),
    [3, 'films'], [4, o.expires], ...(o.begins ? [[5, o.begins]] : []), [6, o.issuedAt],
    [7, o.cti], [8, new Map([[5, o.ckt]])], [310, 1],
    [312, new Map([[1, hosts], ...paths])],
    ...(o.methods ? [[313, o.methods]] : []), ...(o.assets ? [[-70001, o.assets]] : []),
    ...(o.domain ? [[-70007, o.domain]] : [])]);
}

class Grant {
  constructor(alg, account, more = {}) {
    this.o = { account, issuedAt: NOW - 5, expires: NOW + 3600, cti: randomBytes(16),
      ckt: randomBytes(32), prefix: '/films/asset/', ...more };
    this.header = header(alg, more.kid);
    this.payload = cbor.encode(claimsOf(this.o));
    this.open = new Map();
  }

  structure(context = 'Signature1', ...others) {
    return cbor.encode([context, this.header, Buffer.alloc(0), this.payload, ...others]);
  }

  get hash() { return sha256(this.structure()); }

  wrapped(signature) {
    return cbor.encode(new Tag(new Tag([this.header, this.open, this.payload, signature], 18), 61));
  }
}

const anything = () => ({
  issuedAt: NOW - randomBytes(1)[0], expires: NOW + 1 + randomBytes(2).readUInt16BE(),
  ...pick({}, { begins: NOW - 1 }),
  ...pick({}, { methods: ['GET'] }, { methods: ['GET', 'HEAD', 'POST'] }),
  ...pick({}, { prefix: undefined }, { prefix: undefined, exact: '/a/b-c_d.~e/!$&()*+,;=:@' }),
  ...pick({}, { domain: 'video.example.org' }, { suffix: true, domain: 'video.example.org' }),
  ...pick({}, { assets: [['eip155:1/erc721:0x06012c8cf97bead5deae237070f9587f8e7a266d/771769', 1],
    [`solana:${SOLANA_MAINNET}/token:EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v`,
      pick(1, 70000, 2n ** 63n, 2n ** 64n + 5n)]] }),
});

// EIP-5573
const statement = (o) => 'I further authorize the stated URI to perform the following actions on my '
  + `behalf: (1) 'streamgate': 'watch' for '${content(o)}'.`;
const recap = (grant) => `urn:recap:${Buffer.from(JSON.stringify({ att: { [content(grant.o)]:
  { 'streamgate/watch': [{ grant: grant.hash.toString('base64url') }] } }, prf: [] }))
  .toString('base64url')}`;
const fields = (grant) => ({
  domain: domainOf(grant.o), statement: statement(grant.o),
  uri: `urn:ietf:params:oauth:ckt:sha-256:${grant.o.ckt.toString('base64url')}`, version: '1',
  nonce: hex(grant.o.cti), issuedAt: time(grant.o.issuedAt),
  expirationTime: time(grant.o.expires),
  ...(grant.o.begins ? { notBefore: time(grant.o.begins) } : {}),
  resources: [recap(grant)] });

// ---- Ethereum ----
const siweGrant = (wallet, chain, more) =>
  new Grant(-70011, `eip155:${chain}:${wallet.address.toLowerCase()}`, more);
const siweText = (grant, wallet, chain) =>
  new SiweMessage({ ...fields(grant), address: wallet.address, chainId: chain }).toMessage();

const TYPES = { StreamGateGrant: [
  { name: 'domain', type: 'string' }, { name: 'content', type: 'string' },
  { name: 'account', type: 'address' }, { name: 'sessionKey', type: 'bytes32' },
  { name: 'issuedAt', type: 'uint64' }, { name: 'notBefore', type: 'uint64' },
  { name: 'expiresAt', type: 'uint64' }, { name: 'nonce', type: 'bytes16' },
  { name: 'grant', type: 'bytes32' }] };
const typedDomain = (chain) => ({ name: 'StreamGate', version: '1', chainId: chain,
  salt: `0x${hex(sha256('films'))}` });
const typedMessage = (grant, wallet) => ({ domain: domainOf(grant.o), content: content(grant.o),
  account: wallet.address, sessionKey: `0x${hex(grant.o.ckt)}`, issuedAt: grant.o.issuedAt,
  notBefore: grant.o.begins ?? 0, expiresAt: grant.o.expires, nonce: `0x${hex(grant.o.cti)}`,
  grant: `0x${hex(grant.hash)}` });

// ---- Solana ----
const bytesOf58 = (text) => {
  const digits = decodeBase58(text).toString(16);
  return unhex(digits.padStart(64, '0'));
};
const MEMO = bytesOf58('MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr');
const BUDGET = bytesOf58('ComputeBudget111111111111111111111111111111');
const compact = (n) => Buffer.from(n < 128 ? [n] : [(n & 127) | 128, n >> 7]);
const solanaGrant = (alg, key, more) =>
  new Grant(alg, `solana:${SOLANA_MAINNET}:${encodeBase58(key)}`, more);

function signInText(grant, key) {
  const f = fields(grant);
  return `${f.domain} wants you to sign in with your Solana account:\n${encodeBase58(key)}\n\n`
    + `${f.statement}\n\nURI: ${f.uri}\nVersion: 1\nChain ID: mainnet\nNonce: ${f.nonce}\n`
    + `Issued At: ${f.issuedAt}\nExpiration Time: ${f.expirationTime}`
    + `${f.notBefore ? `\nNot Before: ${f.notBefore}` : ''}\nResources:\n- ${f.resources[0]}`;
}
function offchain(grant, key) {
  const text = Buffer.from(signInText(grant, key)), length = Buffer.alloc(2);
  length.writeUInt16LE(text.length);
  const short = 85 + text.length <= 1232;
  return Buffer.concat([Buffer.from('\xffsolana offchain', 'latin1'), Buffer.from([0]),
    sha256('films'), Buffer.from([short ? 1 : 2, 1]), key, length, text]);
}
const memoText = (grant) => Buffer.from(`${domainOf(grant.o)} wants you to sign in with your Solana `
  + `account, to watch ${content(grant.o)} until ${time(grant.o.expires)}. This transaction pays `
  + `nothing and can never land. Grant: ${grant.hash.toString('base64url')}`);

const instruction = (program, accounts, data) => Buffer.concat([Buffer.from([program]),
  compact(accounts.length), Buffer.from(accounts), compact(data.length), data]);
const PRICE = Buffer.from([3, 16, 39, 0, 0, 0, 0, 0, 0]), LIMIT = Buffer.from([2, 64, 13, 3, 0]);

// Options: version 0, ComputeBudget's instructions, and what would be wrong.
function transaction(grant, key, { version, budget, signers = 1, blockhash, programs, instructions,
  memoAccounts = [0], memo = memoText(grant), tail = [] } = {}) {
  const others = programs ?? (budget ? [MEMO, BUDGET] : [MEMO]);
  const all = instructions ?? [...(budget ? [instruction(2, [], LIMIT), instruction(2, [], PRICE)]
    : []), instruction(1, memoAccounts, memo)];
  return Buffer.concat([Buffer.from(version === undefined ? [] : [0x80 | version]),
    Buffer.from([signers, 0, others.length]), compact(1 + others.length), key, ...others,
    blockhash ?? sha256(Buffer.concat([Buffer.from('streamgate/memo'), memoText(grant)])),
    compact(all.length), ...all, Buffer.from(version === undefined ? [] : [0]),
    Buffer.from(tail)]);
}
const signedMemo = (message, pair) =>
  Buffer.concat([nacl.sign.detached(message, pair.secretKey), message]);

// ---- back ends ----
const pem = (key, name) => {
  const file = path.join(run, name);
  writeFileSync(file, key.export({ type: 'spki', format: 'pem' }));
  return file;
};
const thumbprint = (jwk) => sha256(cbor.encode(new Map(jwk.kty === 'OKP'
  ? [[1, 1], [-1, 6], [-2, Buffer.from(jwk.x, 'base64url')]]
  : [[1, 2], [-1, jwk.crv === 'P-256' ? 1 : 8], [-2, Buffer.from(jwk.x, 'base64url')],
    [-3, Buffer.from(jwk.y, 'base64url')]])));

// ---- DPoP ----
async function dpop(kind, claims) {
  const algorithm = kind === 'ES256' ? { name: 'ECDSA', namedCurve: 'P-256' } : { name: 'Ed25519' };
  const pair = await webcrypto.subtle.generateKey(algorithm, false, ['sign', 'verify']);
  const { kty, crv, x, y } = await webcrypto.subtle.exportKey('jwk', pair.publicKey);
  const jwk = kty === 'EC' ? { kty, crv, x, y } : { kty, crv, x };
  const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const text = `${part({ typ: 'dpop+jwt', alg: kind, jwk })}.${part(claims)}`;
  const signature = await webcrypto.subtle.sign(
    kind === 'ES256' ? { name: 'ECDSA', hash: 'SHA-256' } : { name: 'Ed25519' }, pair.privateKey,
    Buffer.from(text));
  return { jwt: `${text}.${Buffer.from(signature).toString('base64url')}`, ckt: thumbprint(jwk) };
}

const tests = {
  async keccak_is_that_of_ethers_at_every_length_up_to_three_blocks() {
    for (let len = 0; len <= 3 * 136 + 1; len++) {
      const bytes = randomBytes(len);
      equal(await ask('keccak', hex(bytes)), keccak256(bytes).slice(2), `${len} bytes`);
    }
  },
  async siwe_writes_the_text_that_we_rebuild_and_ethers_and_viem_sign_it() {
    for (let i = 0; i < 20; i++) {
      const chain = pick(1, 137, 56, 8453, 4503599627370476);
      const ethers = Wallet.createRandom(), viem = privateKeyToAccount(generatePrivateKey());
      for (const wallet of [ethers, viem]) {
        const grant = siweGrant(wallet, chain, anything());
        const text = siweText(grant, wallet, chain);
        equal(unhex(await ask('signed', hex(grant.wrapped(Buffer.alloc(65))))).toString(), text,
          'text');
        new SiweMessage(text); // its own grammar
        equal(`0x${await ask('digest', hex(grant.wrapped(Buffer.alloc(65))))}`, hashMessage(text),
          'hash');
        const signature = wallet === ethers ? await ethers.signMessage(text)
          : await viem.signMessage({ message: text });
        equal(await verdict(grant, unhex(signature)), 'allowed', 'verdict');
        const compactForm = Signature.from(signature).compactSerialized;
        equal(await verdict(grant, unhex(compactForm)), 'allowed', 'EIP-2098');
      }
    }
  },
  async every_page_that_may_be_named_is_one_in_siwes_grammar() {
    const wallet = Wallet.createRandom();
    for (const domain of ['localhost', 'localhost:8080', '127.0.0.1:65535', '[::1]', '[2001:db8::1]:8443',
      'a.b-c.example', 'xn--bcher-kva.example:1', 'A.EXAMPLE']) {
      const grant = siweGrant(wallet, 1, { domain, prefix: '/a/b-c_d.~e/!$&()*+,;=:@/' });
      const text = unhex(await ask('signed', hex(grant.wrapped(Buffer.alloc(65))))).toString();
      equal(text, siweText(grant, wallet, 1), 'text');
      equal(new SiweMessage(text).domain, domain, 'as it is read back');
    }
    for (const domain of ['a b', 'a\nb', 'a.example\u0000', 'user@a.example', 'a.example/x', 'ü.example', "a'b",
      'a?b', 'a#b', '%61.example']) {
      const grant = siweGrant(wallet, 1, { domain });
      equal(await ask('signed', hex(grant.wrapped(Buffer.alloc(65)))), 'error', domain);
    }
  },
  async ethers_and_viem_hash_and_sign_the_typed_data_that_we_do() {
    for (let i = 0; i < 20; i++) {
      const chain = pick(1, 137, 4503599627370476);
      const ethers = Wallet.createRandom(), viem = privateKeyToAccount(generatePrivateKey());
      const wallet = pick(ethers, viem);
      const grant = new Grant(-70012, `eip155:${chain}:${wallet.address.toLowerCase()}`,
        anything());
      const bytes = hex(grant.wrapped(Buffer.alloc(65)));
      const message = typedMessage(grant, wallet), domain = typedDomain(chain);
      const typed = { domain, types: TYPES, primaryType: 'StreamGateGrant', message };
      const digest = TypedDataEncoder.hash(domain, TYPES, message);
      equal(hashTypedData(typed), digest, 'viem and ethers');
      equal(`0x${await ask('digest', bytes)}`, digest, 'digest');
      equal(`0x${await ask('signed', bytes)}`, digest, 'what is signed');
      const ours = JSON.parse(await ask('typed', bytes)); // what a page hands to its wallet
      equal(hashTypedData(ours), digest, 'the JSON');
      equal(TypedDataEncoder.getPayload(domain, TYPES, message).types.EIP712Domain,
        ours.types.EIP712Domain, 'the domain\'s type');
      const signature = wallet === ethers ? await ethers.signTypedData(domain, TYPES, message)
        : await viem.signTypedData(ours);
      equal(await verdict(grant, unhex(signature)), 'allowed', 'verdict');
    }
  },
  async tweetnacl_signs_what_solanas_wallets_would() {
    for (let i = 0; i < 12; i++) {
      let pair = nacl.sign.keyPair();
      while (i === 0 && pair.publicKey[0] !== 0) pair = nacl.sign.keyPair(); // 1... in base58
      const key = Buffer.from(pair.publicKey);
      for (const [alg, build] of [[-70013, offchain], [-70014,
        (grant) => Buffer.from(signInText(grant, key))]]) {
        const grant = solanaGrant(alg, key, anything());
        const message = build(grant, key);
        equal(await ask('signed', hex(grant.wrapped(Buffer.alloc(64)))), hex(message), 'message');
        const signature = nacl.sign.detached(message, pair.secretKey);
        equal(await verdict(grant, Buffer.from(signature)), 'allowed', 'verdict');
      }
    }
  },
  async a_memo_transaction_may_say_what_it_costs_and_nothing_else() {
    const pair = nacl.sign.keyPair(), key = Buffer.from(pair.publicKey);
    const grant = solanaGrant(-70015, key);
    const memo = memoText(grant), transfer = Buffer.from([2, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]);
    equal(await ask('signed', hex(grant.wrapped(Buffer.alloc(65)))), hex(transaction(grant, key)),
      'message');
    const good = [{}, { version: 0 }, { budget: true }, { budget: true, version: 0 },
      { memoAccounts: [] }];
    const bad = { 'another blockhash': { blockhash: randomBytes(32) },
      'no blockhash': { blockhash: Buffer.alloc(32) },
      'two signers': { signers: 2 }, 'no signer': { signers: 0 }, 'version 1': { version: 1 },
      'another memo': { memo: Buffer.concat([memo, Buffer.from('!')]) },
      'an empty memo': { memo: Buffer.alloc(0) },
      'another program': { programs: [MEMO, Buffer.alloc(32)] },
      'a transfer': { programs: [MEMO, Buffer.alloc(32)],
        instructions: [instruction(1, [0], memo), instruction(2, [0, 0], transfer)] },
      'the memo twice': { instructions: [instruction(1, [0], memo), instruction(1, [0], memo)] },
      'no memo': { budget: true, instructions: [instruction(2, [], PRICE)] },
      'nothing': { instructions: [] },
      'a program twice': { programs: [MEMO, MEMO] },
      'the signer as program': { instructions: [instruction(0, [0], memo)] },
      'no such program': { instructions: [instruction(9, [0], memo)] },
      'other accounts of the memo': { memoAccounts: [1] },
      'more accounts of the memo': { memoAccounts: [0, 0] },
      'a cost that is none': { budget: true,
        instructions: [instruction(1, [0], memo), instruction(2, [], Buffer.from([9, 0, 0, 0, 0]))] },
      'a cost of another length': { budget: true,
        instructions: [instruction(1, [0], memo), instruction(2, [], PRICE.subarray(1))] },
      'accounts of the cost': { budget: true,
        instructions: [instruction(1, [0], memo), instruction(2, [0], PRICE)] },
      'too many instructions': { budget: true, instructions: [instruction(1, [0], memo),
        ...Array(5).fill(instruction(2, [], PRICE))] },
      'bytes at the end': { tail: [0] } };
    for (const options of good) {
      const message = transaction(grant, key, options);
      equal(await verdict(grant, signedMemo(message, pair)), 'allowed', JSON.stringify(options));
    }
    for (const [what, options] of Object.entries(bad)) {
      const message = transaction(grant, key, options);
      equal(await verdict(grant, signedMemo(message, pair)), 'signature', what);
    }
    const other = Buffer.from(nacl.sign.keyPair().publicKey);
    equal(await verdict(grant, signedMemo(transaction(grant, other), pair)), 'signature', 'payer');
    const tables = Buffer.concat([transaction(grant, key, { version: 0 }).subarray(0, -1),
      Buffer.from([1]), Buffer.alloc(32), Buffer.from([0, 0])]);
    equal(await verdict(grant, signedMemo(tables, pair)), 'signature', 'a table of addresses');
  },
  async back_ends_issue_with_three_kinds_of_keys() {
    const account = `eip155:1:${Wallet.createRandom().address.toLowerCase()}`;
    const p256 = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const ed = generateKeyPairSync('ed25519'), k1 = generateKeyPairSync('ec',
      { namedCurve: 'secp256k1' });
    const k1Key = new SigningKey(Buffer.from(k1.privateKey.export({ format: 'jwk' }).d,
      'base64url'));
    const sign64 = {
      '-7': (bytes) => sign('sha256', bytes, { key: p256.privateKey, dsaEncoding: 'ieee-p1363' }),
      '-8': (bytes) => sign(null, bytes, ed.privateKey),
      '-47': (bytes) => unhex(k1Key.sign(sha256(bytes)).serialized).subarray(0, 64) };
    const pairs = { '-7': p256, '-8': ed, '-47': k1 };
    for (const [alg, pair] of Object.entries(pairs)) {
      const file = pem(pair.publicKey, `key${alg}`);
      const kid = thumbprint(pair.publicKey.export({ format: 'jwk' }));
      for (const more of [{}, { kid }]) {
        const grant = new Grant(Number(alg), account, { ...anything(), issued: true, ...more });
        equal(await verdict(grant, sign64[alg](grant.structure()), file), 'allowed', alg);
        equal(await verdict(grant, sign64[alg](grant.structure())), 'issuer', 'no key is listed');
        equal(await verdict(grant, sign64[alg](grant.hash), file), 'signature', 'other bytes');
      }
      const stranger = new Grant(Number(alg), account, { issued: true, kid: randomBytes(32) });
      equal(await verdict(stranger, sign64[alg](stranger.structure()), file), 'issuer', 'its kid');
    }
  },
  async the_control_plane_countersigns_for_contracts() {
    const wallet = Wallet.createRandom(), ed = generateKeyPairSync('ed25519');
    const keys = pem(ed.publicKey, 'countersigner');
    const grant = new Grant(-70016, `eip155:1:${wallet.address.toLowerCase()}`, anything());
    const signature = randomBytes(195);
    equal(await verdict(grant, signature, keys), 'on_chain', 'none yet');
    equal(`0x${await ask('digest', hex(grant.wrapped(signature)))}`,
      hashMessage(siweText(grant, wallet, 1)), 'what the contract is asked about');
    const bytes = grant.structure('CounterSignature0V2', [signature]);
    equal(await ask('countersigned', hex(grant.wrapped(signature))), hex(bytes), 'its bytes');
    grant.open = new Map([[12, sign(null, bytes, ed.privateKey)]]);
    equal(await verdict(grant, signature, keys), 'allowed', 'with it');
    equal(await verdict(grant, signature), 'signature', 'by a key that is not listed');
    equal(await verdict(grant, randomBytes(195), keys), 'signature', 'of another signature');
  },
  async no_field_can_be_another_than_what_was_signed() {
    const wallet = Wallet.createRandom(), pair = nacl.sign.keyPair();
    const key = Buffer.from(pair.publicKey);
    const makers = {
      siwe: async (more) => {
        const grant = siweGrant(wallet, 1, more);
        return [grant, unhex(await wallet.signMessage(siweText(grant, wallet, 1)))];
      },
      typed: async (more) => {
        const grant = new Grant(-70012, `eip155:1:${wallet.address.toLowerCase()}`, more);
        return [grant, unhex(await wallet.signTypedData(typedDomain(1), TYPES,
          typedMessage(grant, wallet)))];
      },
      offchain: async (more) => {
        const grant = solanaGrant(-70013, key, more);
        return [grant, Buffer.from(nacl.sign.detached(offchain(grant, key), pair.secretKey))];
      } };
    const changes = [{ expires: NOW + 3599 }, { issuedAt: NOW - 4 }, { begins: NOW },
      { cti: randomBytes(16) }, { ckt: randomBytes(32) }, { prefix: '/films/' },
      { exact: '/films/asset/' }, { prefix: undefined }, { methods: ['GET'] },
      { domain: 'video.example.org' }, { suffix: true, domain: 'video.example.org' },
      { assets: [['eip155:1/erc721:0x06012c8cf97bead5deae237070f9587f8e7a266d', 1]] }];
    for (const [name, make] of Object.entries(makers)) {
      const [grant, signature] = await make({});
      equal(await verdict(grant, signature), 'allowed', name);
      for (const change of changes) {
        const other = Object.create(grant);
        other.payload = cbor.encode(claimsOf({ ...grant.o, ...change }));
        equal(await verdict(other, signature), 'signature', `${name} ${JSON.stringify(change)}`);
      }
      for (const alg of [-70011, -70012, -70013, -70014, -70015, -70016]) {
        const other = Object.create(grant);
        other.header = header(alg);
        const answer = await verdict(other, signature);
        equal(answer === 'allowed', hex(other.header) === hex(grant.header), `${name} as ${alg}`);
      }
    }
    const [grant, signature] = await makers.siwe({});
    for (const account of [`eip155:2:${wallet.address.toLowerCase()}`,
      `eip155:1:${Wallet.createRandom().address.toLowerCase()}`]) {
      const other = Object.create(grant);
      other.payload = cbor.encode(claimsOf({ ...grant.o, account }));
      equal(await verdict(other, signature), 'signature', account);
    }
    const capitals = siweGrant({ address: wallet.address }, 1);
    capitals.payload = cbor.encode(claimsOf({ ...capitals.o,
      account: `eip155:1:${getAddress(wallet.address)}` }));
    equal(await verdict(capitals, signature), 'malformed', 'an account in capitals');
  },
  async browsers_keys_prove_themselves() {
    const claims = { jti: 'a1', htm: 'POST', htu: 'https://video.example.org/renew', iat: NOW };
    for (const kind of ['ES256', 'EdDSA'])
      for (let i = 0; i < 8; i++) {
        const token = randomBytes(20).toString('base64url');
        const { jwt, ckt } = await dpop(kind, { ...claims,
          ath: sha256(token).toString('base64url') });
        equal(await ask('ckt', jwt), hex(ckt), 'thumbprint');
        const words = ['https://video.example.org/renew', token, hex(ckt), NOW + 3];
        equal(await ask('proof', jwt, 'POST', ...words), 'allowed', kind);
        equal(await ask('proof', jwt, 'GET', ...words), 'proof_target', 'method');
        words[1] = 'another';
        equal(await ask('proof', jwt, 'POST', ...words), 'proof_target', 'token');
        const [head, body, signature] = jwt.split('.');
        const later = Buffer.from(JSON.stringify({ ...claims, jti: 'a2' })).toString('base64url');
        words[1] = '-';
        equal(await ask('proof', `${head}.${later}.${signature}`, 'POST', ...words),
          'proof_signature', 'another jti');
        equal(await ask('proof', `${head}.${body}.${signature}`, 'POST', ...words), 'allowed', '-');
      }
  },
};

await runTests(tests);
end();
rmSync(run, { recursive: true, force: true });
