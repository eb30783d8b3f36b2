// Our ABI reader and writer beside ethers': abi.mjs ABI_PEER. Speaks TAP.
import assert from 'node:assert';
import { spawnSync } from 'node:child_process';
import { chance, ethers, tests } from './chain.mjs';

const peer = process.argv[2];
const coder = ethers.AbiCoder.defaultAbiCoder();
const { below, bytes, of } = chance(1);

// Types as [kind, ...]; text() is what Solidity calls them, value() one of them by chance.
function type(depth) {
  const pick = below(depth > 3 ? 8 : 12);
  if (pick === 0) return { text: `uint${8 * (1 + below(32))}`, leaf: 'uint' };
  if (pick === 1) return { text: `int${8 * (1 + below(32))}`, leaf: 'int' };
  if (pick === 2) return { text: 'address', leaf: 'address' };
  if (pick === 3) return { text: 'bool', leaf: 'bool' };
  if (pick === 4) return { text: `bytes${1 + below(32)}`, leaf: 'fixed' };
  if (pick === 5) return { text: 'bytes', leaf: 'bytes' };
  if (pick === 6) return { text: 'string', leaf: 'string' };
  if (pick === 7) return { text: 'uint256', leaf: 'uint' };
  if (pick < 10) {
    const item = type(depth + 1);
    const count = below(2) ? 1 + below(3) : null;
    return { text: `${item.text}[${count ?? ''}]`, item, count };
  }
  const fields = Array.from({ length: 1 + below(4) }, () => type(depth + 1));
  return { text: `(${fields.map((field) => field.text).join(',')})`, fields };
}

const bits = (t) => Number(t.text.replace(/\D/g, ''));
const number = (buffer) => BigInt(`0x${buffer.toString('hex')}`);

function value(t) {
  if (t.fields) return t.fields.map(value);
  if (t.item) return Array.from({ length: t.count ?? below(4) }, () => value(t.item));
  if (t.leaf === 'uint') return number(bytes(bits(t) / 8));
  if (t.leaf === 'int') return BigInt.asIntN(bits(t), number(bytes(bits(t) / 8)));
  if (t.leaf === 'address') return ethers.getAddress(`0x${bytes(20).toString('hex')}`);
  if (t.leaf === 'bool') return below(2) === 1;
  if (t.leaf === 'fixed') return `0x${bytes(bits(t)).toString('hex')}`;
  if (t.leaf === 'bytes') return `0x${bytes(below(70)).toString('hex')}`;
  return Array.from({ length: below(40) }, () => of([...'aé€😀 z'])).join('');
}

// With bytes for strings: theirs judge UTF-8, ours leaves that to who reads the text.
function withoutText(t) {
  return { ...t, text: t.text.replaceAll('string', 'bytes'), fields: t.fields?.map(withoutText),
    item: t.item && withoutText(t.item), leaf: t.leaf === 'string' ? 'bytes' : t.leaf };
}

// As abi_peer prints them.
function printed(t, v) {
  if (t.fields) return `[${t.fields.map((field, i) => printed(field, v[i])).join(',')}]`;
  if (t.item) return `[${Array.from(v, (one) => printed(t.item, one)).join(',')}]`;
  if (t.leaf === 'bytes') return `"${v.slice(2)}`;
  if (t.leaf === 'string') return `"${Buffer.from(v).toString('hex')}`;
  return coder.encode([t.text], [v]).slice(2);
}

function ask(lines) {
  const done = spawnSync(peer, { input: lines.map((line) => `${line}\n`).join(''),
    encoding: 'utf8', maxBuffer: 1 << 28 });
  assert.strictEqual(done.status, 0, done.stderr);
  return done.stdout.split('\n').slice(0, -1);
}

function cases(count) {
  return Array.from({ length: count }, () => {
    const fields = Array.from({ length: 1 + below(4) }, () => type(0));
    const t = { text: `(${fields.map((field) => field.text).join(',')})`, fields };
    const v = value(t);
    return { t, v, hex: coder.encode(fields.map((field) => field.text), v).slice(2) };
  }).filter(({ t }) => (t.text.match(/\w+|\(|\[/g) ?? []).length < 60);
}

tests({
  'random values of random types read and written are what ethers encodes': () => {
    const made = cases(1500);
    const answers = ask(made.map(({ t, hex }) => `${t.text} ${hex}`));
    made.forEach(({ t, v, hex }, i) =>
      assert.strictEqual(answers[i], `${printed(t, v)} ${hex}`, t.text));
  },

  'what was changed in one byte is refused, or read as ethers reads it': () => {
    const made = cases(1500).map(({ t, hex }) => {
      const broken = Buffer.from(hex, 'hex');
      if (broken.length > 0) broken[below(broken.length)] = of([0, 1, 0x20, 0xff, below(256)]);
      return { t, hex: broken.toString('hex') };
    });
    const answers = ask(made.map(({ t, hex }) => `${t.text} ${hex}`));
    let read = 0;
    made.forEach(({ t, hex }, i) => {
      if (answers[i] === 'no') return;
      const types = withoutText(t).fields.map((field) => field.text);
      const theirs = printed(withoutText(t), coder.decode(types, `0x${hex}`).toArray());
      assert.strictEqual(answers[i].split(' ')[0], theirs, `${t.text} ${hex}`);
      read += 1;
    });
    assert.ok(read > 300, `only ${read}`);
  },

  'what was cut short is refused': () => {
    const made = cases(500).filter(({ hex }) => hex.length > 64);
    const answers = ask(made.map(({ t, hex }) => `${t.text} ${hex.slice(0, -64)}`));
    answers.forEach((answer, i) => assert.strictEqual(answer, 'no', made[i].t.text));
  },

  'types that are none are refused': () => {
    const wrong = ['uint7', 'uint264', 'uint0', 'uint08', 'bytes33', 'bytes0', '(uint256', 'uint256)',
      'uint256[0]', '()[]', '(())', 'address payable', 'tuple(uint256)', '(uint256,)', 'uint256[',
      'uint256[01]', `${'('.repeat(9)}bool${')'.repeat(9)}`, `bool${'[]'.repeat(9)}`,
      'uint256[4294967297]', 'uint256[30000][30000]'];
    assert.deepStrictEqual(ask(wrong.map((text) => `${text.replaceAll(' ', '_')} ${'00'.repeat(640)}`)),
      wrong.map(() => 'no'));
  },

  "the ABI specification's own examples are read": () => {
    // docs.soliditylang.org, Contract ABI Specification, "Examples" and "Use of Dynamic Types".
    const w = (n) => BigInt(n).toString(16).padStart(64, '0');
    const right = (text) => Buffer.from(text).toString('hex').padEnd(64, '0');
    const given = [
      ['(uint32,bool)', w(69) + w(1)],
      ['(bytes3[2])', right('abc') + right('def')],
      ['(bytes,bool,uint256[])',
        w(0x60) + w(1) + w(0xa0) + w(4) + right('dave') + w(3) + w(1) + w(2) + w(3)],
      ['(uint256,uint32[],bytes10,bytes)', w(0x123) + w(0x80) + right('1234567890') + w(0xe0) +
        w(2) + w(0x456) + w(0x789) + w(13) + right('Hello, world!')],
      ['(uint256[][],string[])', w(0x40) + w(0x140) + w(2) + w(0x40) + w(0xa0) + w(2) + w(1) + w(2) +
        w(1) + w(3) + w(3) + w(0x60) + w(0xa0) + w(0xe0) + w(3) + right('one') + w(3) +
        right('two') + w(5) + right('three')],
    ];
    ask(given.map((line) => line.join(' '))).forEach((answer, i) =>
      assert.strictEqual(answer.split(' ')[1], given[i][1], given[i][0]));
  },

  'tails that overlap to make much of little are refused': () => {
    const w = (n) => BigInt(n).toString(16).padStart(64, '0');
    // 64 offsets to one and the same array, four levels deep: 16 million values in 8 KiB
    const level = (rest) => w(64) + w(32 * 64).repeat(64) + rest;
    const bomb = w(32) + level(level(level(w(64) + w(7).repeat(64))));
    assert.deepStrictEqual(ask([`(uint256[][][][]) ${bomb}`]), ['no']);
    // an offset into itself
    assert.deepStrictEqual(ask([`(uint256[][]) ${w(32)}${w(1)}${w(0)}`]), ['no']);
  },
});
