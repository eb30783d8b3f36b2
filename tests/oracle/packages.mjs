// The npm packages of the tests here: kept in a folder, installed where they are not there yet.
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const here = path.dirname(fileURLToPath(import.meta.url));

// What loads one of them. Ends the test, skipped, where they are not to be had.
export function packages(cache) {
  const installed = spawnSync(path.join(here, '../../tools/packages/npm'), [here, cache]);
  if (installed.status !== 0) {
    console.log('1..0 # SKIP the npm packages are not to be had');
    process.exit(0);
  }
  return createRequire(path.join(cache, 'package.json'));
}
