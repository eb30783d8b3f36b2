// The contracts of contracts/, by solc, into PACKAGES/contracts.json: {name: {abi, code, selectors}}.
//   node compile.mjs PACKAGES
import { readFileSync, readdirSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const packages = path.resolve(process.argv[2]);
const folder = path.join(path.dirname(fileURLToPath(import.meta.url)), 'contracts');
const out = path.join(packages, 'contracts.json');
const files = readdirSync(folder).filter((name) => name.endsWith('.sol'));
const changed = (file) => statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0;

if (changed(out) > Math.max(changed(path.join(packages, 'installed.json')),
  ...files.map((name) => changed(path.join(folder, name))), changed(folder))) process.exit(0);

const solc = createRequire(path.join(packages, 'package.json'))('solc');
const input = {
  language: 'Solidity',
  sources: Object.fromEntries(files.map((name) =>
    [name, { content: readFileSync(path.join(folder, name), 'utf8') }])),
  settings: {
    evmVersion: 'cancun',
    optimizer: { enabled: true, runs: 200 },
    outputSelection: { '*': { '*': ['abi', 'evm.bytecode.object', 'evm.methodIdentifiers'] } },
  },
};
const read = (name) => ({ contents: readFileSync(path.join(packages, 'node_modules', name), 'utf8') });
const done = JSON.parse(solc.compile(JSON.stringify(input), { import: read }));
const wrong = (done.errors ?? []).filter((error) => error.severity === 'error');
if (wrong.length > 0) {
  console.error(wrong.map((error) => error.formattedMessage).join('\n'));
  process.exit(1);
}
const contracts = {};
for (const name of files) {
  for (const [contract, made] of Object.entries(done.contracts[name])) {
    contracts[contract] = {
      abi: made.abi,
      code: `0x${made.evm.bytecode.object}`,
      selectors: made.evm.methodIdentifiers,
    };
  }
}
writeFileSync(`${out}.new`, JSON.stringify(contracts));
renameSync(`${out}.new`, out);
