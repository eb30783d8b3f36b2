// A program that answers line by line, and tests that ask it: spoken as TAP.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

export function asker(program) {
  const child = spawn(program, { stdio: ['pipe', 'pipe', 'inherit'] });
  const waiting = [];
  createInterface({ input: child.stdout }).on('line', (line) => waiting.shift()(line));
  child.on('exit', (code, signal) => (code || signal) && process.exit(1));
  return {
    ask(...words) {
      child.stdin.write(`${words.join(' ')}\n`);
      return new Promise((done) => waiting.push(done));
    },
    end() { child.stdin.end(); },
  };
}

export const hex = (bytes) => Buffer.from(bytes).toString('hex') || '-';
export const unhex = (text) => Buffer.from(text.replace(/^0x/, ''), 'hex');
// Hex of others, as the program reads it.
export const word = (text) => text.replace(/^0x/, '').toLowerCase() || '-';

export function equal(got, want, what) {
  if (JSON.stringify(got) !== JSON.stringify(want)) {
    throw new Error(`${what}: ${JSON.stringify(got)}, not ${JSON.stringify(want)}`);
  }
}

export async function runTests(tests) {
  console.log(`1..${Object.keys(tests).length}`);
  let count = 0;
  for (const [name, test] of Object.entries(tests)) {
    count += 1;
    try {
      const told = await test();
      console.log(`ok ${count} - ${name}${told ? ` (${told})` : ''}`);
    } catch (why) {
      console.log(`not ok ${count} - ${name}\n# ${why.stack.split('\n').slice(0, 3).join('\n# ')}`);
      process.exitCode = 1;
    }
  }
}
