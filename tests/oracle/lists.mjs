// Allow lists beside OpenZeppelin's StandardMerkleTree: lists.mjs BINARIES CACHE
// BINARIES holds sgctl; CACHE keeps the npm packages. Speaks TAP; skipped without them.
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { packages } from './packages.mjs';

const [binaries, cache] = process.argv.slice(2, 4).map((name) => path.resolve(name));
const run = mkdtempSync(path.join(tmpdir(), 'sgt.'));
const CONFIG = `node: {region: eu, state_dir: ${run}/state, run_dir: ${run}/run}
listeners: [{address: "127.0.0.1:21098"}]
tenants: [{name: films, secret_file: ${run}/secret}]
origins: [{name: o, urls: [{url: "http://127.0.0.1:9"}]}]
sites: [{name: s, tenant: films, hosts: ["*"], path: /, origin: o, access: public}]
`;

const require = packages(cache);
const { StandardMerkleTree } = require('@openzeppelin/merkle-tree');
const { encodeBase58, getAddress } = require('ethers');

function sgctl(...words) {
  const done = spawnSync(path.join(binaries, 'sgctl'),
    ['--json', '--config', `${run}/node.yaml`, ...words], { encoding: 'utf8' });
  if (done.status !== 0) throw new Error(`${words.join(' ')}: ${done.stderr}`);
  return JSON.parse(done.stdout);
}

function equal(got, want, what) {
  if (JSON.stringify(got) !== JSON.stringify(want)) {
    throw new Error(`${what}: ${JSON.stringify(got)}, not ${JSON.stringify(want)}`);
  }
}

const address = () => `0x${randomBytes(20).toString('hex')}`;

// The root, and the proofs of up to `most` accounts; `written`: as lines of our file have them.
function compare(tree, written, most) {
  writeFileSync(`${run}/list`, `# a list\n${written.join('\n')}\n\n`);
  const told = sgctl('list', 'set', 'vip', '--file', `${run}/list`, '--proofs', `${run}/proofs`);
  equal(told.root, tree.root, 'root');
  equal(told.accounts, tree.length, 'accounts');
  for (let i = 0; i < Math.min(most, written.length); i += 1) {
    const said = sgctl('list', 'proof', `${run}/list`, written[i]);
    equal(said.proof, tree.getProof(i), 'proof');
    const name = written[i].startsWith('0x') ? written[i].toLowerCase() : written[i];
    equal(JSON.parse(readFileSync(`${run}/proofs/${name}.json`)), said.proof, 'file');
  }
}

const tests = {
  trees_of_addresses_are_the_same_whatever_their_size() {
    for (const size of [1, 2, 3, 4, 5, 7, 8, 9, 17]) {
      const list = Array.from({ length: size }, address);
      compare(StandardMerkleTree.of(list.map((a) => [a]), ['address']), list, 2);
    }
    const many = Array.from({ length: 500 }, address);
    compare(StandardMerkleTree.of(many.map((a) => [a]), ['address']), many, 3);
  },
  capitals_and_chains_do_not_count_and_nobody_is_in_it_twice() {
    const list = Array.from({ length: 5 }, address);
    const tree = StandardMerkleTree.of(list.map((a) => [a]), ['address']);
    writeFileSync(`${run}/list`, `${list.map(getAddress).join('\n')}\n${list[2]} # again\n` +
      `eip155:137:${list[3]}\n`);
    const told = sgctl('list', 'set', 'vip', '--file', `${run}/list`);
    equal([told.root, told.accounts], [tree.root, 5], 'root');
  },
  accounts_of_solana_are_bytes32() {
    const keys = Array.from({ length: 6 }, () => randomBytes(32));
    compare(StandardMerkleTree.of(keys.map((k) => [`0x${k.toString('hex')}`]), ['bytes32']),
      keys.map((k) => encodeBase58(k)), 6);
  },
};

writeFileSync(`${run}/secret`, '0123456789abcdef0123456789abcdef\n');
writeFileSync(`${run}/node.yaml`, CONFIG);
mkdirSync(`${run}/run`);
console.log(`1..${Object.keys(tests).length}`);
let count = 0;
for (const [name, test] of Object.entries(tests)) {
  count += 1;
  try {
    test();
    console.log(`ok ${count} - ${name}`);
  } catch (why) {
    console.log(`not ok ${count} - ${name}\n# ${why.message}`);
    process.exitCode = 1;
  }
}
rmSync(run, { recursive: true });
