// The player's half of a multisig's sign-in beside the Squads SDK: player.mjs. Speaks TAP; skipped
// without the packages. What the node makes of it, tests/browser and test_signin_shim.py show.
import { spawnSync } from 'node:child_process';
import { webcrypto } from 'node:crypto';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { base58, unbase58 } from '../../tools/player/base58.mjs';
import { decodeAnswers, decodeRequest, encodeAnswer, encodeRequest, isPoint, vaultOf,
  vaultSignature } from '../../tools/player/squads.mjs';

globalThis.crypto ??= webcrypto; // Debian 12's Node.js has it under this name alone
const here = path.dirname(fileURLToPath(import.meta.url));
const packages = path.resolve(process.env.SG_SQUADS_PACKAGES);
if (spawnSync(process.env.SG_SQUADS_PREPARE, [here, packages]).status !== 0) {
  console.log('1..0 # SKIP no npm, or no Squads SDK');
  process.exit(0);
}
const need = createRequire(path.join(packages, 'package.json'));
const squads = need('@sqds/multisig');
const { Keypair, PublicKey } = need('@solana/web3.js');
const nacl = need('tweetnacl');

const HOST = 'video.example';
const address = () => Keypair.generate().publicKey.toBase58();
const textFor = (vault, host = HOST) =>
  `${host} wants you to sign in with your Solana account:\n${vault}\n\nand so on`;
const sign = (key, text) => nacl.sign.detached(Buffer.from(text), key.secretKey);

function equal(got, want, what) {
  if (String(got) !== String(want)) throw new Error(`${what}: ${got}, not ${want}`);
}

async function throws(act, words) {
  const error = await act().then(() => null, (why) => why);
  if (!words.test(error?.message)) throw new Error(`it said ${error?.message}, not ${words}`);
}

const tests = {
  'vaults are where the SDK finds them'() {
    return Promise.all(Array.from({ length: 200 }, async (_, i) => {
      const [multisig, index] = [address(), i % 256];
      const [vault] = squads.getVaultPda({ multisigPda: new PublicKey(multisig), index });
      equal(await vaultOf(multisig, index), vault.toBase58(), `vault ${index} of ${multisig}`);
    }));
  },
  'points of the curve are those that the SDK calls so'() {
    const edges = [0, 1, 2].flatMap((low) => [0, 127, 128, 255].map((high) =>
      Uint8Array.from({ length: 32 }, (_, i) => (i === 0 ? low : i === 31 ? high : 0))));
    edges.splice(edges.findIndex((e) => e[0] === 1 && e[31] === 128), 1); // -0: they say no, we yes
    const chance = Array.from({ length: 300 }, () => nacl.randomBytes(32));
    for (const bytes of [...edges, ...chance]) {
      equal(isPoint(bytes), PublicKey.isOnCurve(bytes), Buffer.from(bytes).toString('hex'));
    }
  },
  'addresses are read as they are written, and nothing else is'() {
    for (let i = 0; i < 100; i++) {
      const bytes = nacl.randomBytes(32).fill(0, 0, i % 4); // zeros in front too
      equal(base58(bytes), new PublicKey(bytes).toBase58(), 'written');
      equal(unbase58(base58(bytes)), bytes, 'read');
    }
    for (const bad of ['', '0', 'lO', '1'.repeat(31), '1'.repeat(33), `${address()}1`, 'z'.repeat(44)]) {
      equal(unbase58(bad), null, bad);
    }
  },
  async 'a request says what it was made of, at its own host and for its own vault alone'() {
    const [multisig, index, until] = [address(), 7, 1764008456];
    const vault = await vaultOf(multisig, index);
    const text = textFor(vault);
    const code = encodeRequest({ multisig, index, text, until });
    equal(JSON.stringify(await decodeRequest(` ${code}\n`, HOST)),
      JSON.stringify({ multisig, index, vault, text, until }), 'request');
    await throws(() => decodeRequest(code, 'other.example'), /do not sign/);
    await throws(() => decodeRequest(encodeRequest({ multisig, index: 8, text, until }), HOST), /do not sign/);
    await throws(() => decodeRequest(encodeRequest({ multisig, index, text: `x${text}`, until }), HOST),
      /do not sign/);
    for (const bad of [code.slice(0, -9), '', '!', encodeRequest({ multisig, index: 256, text, until }),
      encodeRequest({ multisig: 'x', index, text, until }), encodeRequest({})]) {
      await throws(() => decodeRequest(bad, HOST), /no request|no Solana address/);
    }
  },
  async 'answers are found in what was pasted, and those to something else are not taken'() {
    const keys = [Keypair.generate(), Keypair.generate()];
    const text = textFor(address());
    const answers = keys.map((key) => encodeAnswer(key.publicKey.toBase58(), sign(key, text)));
    const found = await decodeAnswers(`Hello,\n${answers.join('\n> ')}\nregards`, text);
    equal(found.map(({ member }) => member), keys.map((key) => key.publicKey.toBase58()), 'members');
    await throws(() => decodeAnswers(answers[0], `${text}.`), /does not sign this request/);
    await throws(() => decodeAnswers(answers[0].slice(1), text), /No answer/);
  },
  'the vault\'s signature is CBOR in one form, the members in the order of their keys'() {
    const multisig = address();
    for (const [index, members, head, list] of [[0, 1, '00', '81'], [23, 23, '17', '97'],
      [24, 24, '1818', '9818'], [255, 32, '18ff', '9820']]) {
      const answers = Array.from({ length: members }, (_, i) =>
        ({ member: address(), signature: Buffer.alloc(64, i) }));
      const sorted = answers.map(({ member, signature }) => [Buffer.from(unbase58(member)), signature])
        .sort(([a], [b]) => Buffer.compare(a, b));
      const want = `835820${Buffer.from(unbase58(multisig)).toString('hex')}${head}${list}${
        sorted.map(([key, signature]) =>
          `825820${key.toString('hex')}5840${signature.toString('hex')}`).join('')}`;
      equal(Buffer.from(vaultSignature(multisig, index, answers)).toString('hex'), want, `${members}`);
    }
  },
};

let failed = 0;
console.log(`1..${Object.keys(tests).length}`);
for (const [i, [name, run]] of Object.entries(tests).entries()) {
  const error = await Promise.resolve().then(run).then(() => null, (why) => why);
  failed += error ? 1 : 0;
  console.log(`${error ? 'not ok' : 'ok'} ${i + 1} - ${name}${error ? `\n# ${error.message}` : ''}`);
}
process.exit(failed ? 1 : 0);
