// What the chain tests in JavaScript share: the npm packages, a source of chance with a seed, TAP.
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const here = path.dirname(fileURLToPath(import.meta.url));
const packages = path.resolve(process.env.SG_CHAIN_PACKAGES ?? 'build/tests/chain/packages');

if (spawnSync(path.join(here, 'prepare'), [packages]).status !== 0) {
  console.log('1..0 # SKIP the npm packages are not to be had');
  process.exit(0);
}
export const require = createRequire(path.join(packages, 'package.json'));
export const ethers = require('ethers');

// Numbers that look like chance, the same each time: below(n) is 0 .. n - 1.
export function chance(seed) {
  let state = BigInt(seed) * 2654435761n + 1n;
  const next = () => {
    state = (state * 6364136223846793005n + 1442695040888963407n) & (2n ** 64n - 1n);
    return Number(state >> 33n);
  };
  const below = (n) => next() % n;
  const bytes = (n) => Buffer.from(Array.from({ length: n }, () => below(256)));
  return { below, bytes, of: (list) => list[below(list.length)] };
}

export function tests(cases) {
  let failed = 0;
  console.log(`1..${Object.keys(cases).length}`);
  Object.entries(cases).forEach(([name, run], i) => {
    try {
      run();
      console.log(`ok ${i + 1} - ${name}`);
    } catch (error) {
      failed += 1;
      console.log(`not ok ${i + 1} - ${name}\n# ${String(error.stack).replaceAll('\n', '\n# ')}`);
    }
  });
  process.exit(failed === 0 ? 0 : 1);
}
