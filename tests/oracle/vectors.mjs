// Published vectors, and what other libraries make, at our doors and readers: vectors.mjs ASK CACHE
// ASK is the program oracle_doors; CACHE keeps the npm packages. Speaks TAP; skipped without them.
import { createHash, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { gunzipSync } from 'node:zlib';

import { asker, equal, hex, runTests, unhex, word } from './asking.mjs';
import { packages } from './packages.mjs';

const [program, cache] = process.argv.slice(2, 4).map((name) => path.resolve(name));
const require = packages(cache);
const { AbiCoder, Wallet, encodeBase58, encodeRlp, hashMessage, keccak256 } = require('ethers');
const { Encoder, Tag } = require('cbor-x');
const nacl = require('tweetnacl');
const { ask, end } = asker(program);
const cases = (name) => JSON.parse(gunzipSync(readFileSync(path.join(cache,
  `node_modules/@ethersproject/testcases/testcases/${name}.json.gz`))));

// ---- RLP ----
const rlpText = (item) => (Array.isArray(item) ? `[${item.map(rlpText).join(',')}]` : word(item));
// One thing in two spellings, or what is no item (the classes of ethereum/tests' invalid cases).
const RLP_WRONG = ['-', '8100', '8101', '817f', 'b800', 'b80100', `b837${'61'.repeat(55)}`, 'b900380000',
  `b90038${'61'.repeat(56)}`, 'bfffffffffffffffff', 'bf0f000000000000021111', 'f800', 'f83601',
  `f837${'61'.repeat(55)}`, `f90038${'61'.repeat(56)}`, 'ffffffffffffffffff', 'ff0f000000000000021111',
  '83646f', '83646f6767', 'c1', 'c3010203ff', 'c481020304', 'c28101', '0000', '8080', 'c0c0', 'c18180',
  'c2c1', 'f8', 'b8', 'b838', 'ba002fff', 'bb00000000'];

// ---- a Merkle Patricia trie by the book (yellow paper, appendix D), its keys hashed ----
const path4 = (nibbles, leaf) => {
  const flag = (leaf ? 2 : 0) + nibbles.length % 2;
  return `0x${flag.toString(16)}${nibbles.length % 2 ? '' : '0'}${nibbles}`;
};
// `pairs`: [nibbles that are left, value]. Nodes are kept by their hash, as a proof names them.
function trieNode(pairs, nodes) {
  if (pairs.length === 0) return '0x';
  const [[first]] = pairs, lengths = pairs.map(([key]) => {
    let i = 0;
    while (i < key.length && key[i] === first[i]) i += 1;
    return i;
  });
  const common = Math.min(...lengths), cut = pairs.map(([key, value]) => [key.slice(common), value]);
  if (pairs.length === 1) return [path4(first, true), pairs[0][1]];
  if (common > 0) return [path4(first.slice(0, common), false), trieLink(cut, nodes)];
  return [...Array.from({ length: 16 }, (_, digit) => trieLink(pairs.filter(([key]) =>
    key[0] === digit.toString(16)).map(([key, value]) => [key.slice(1), value]), nodes)), '0x'];
}
function trieLink(pairs, nodes) {
  const node = trieNode(pairs, nodes), bytes = encodeRlp(node);
  if (bytes.length < 2 + 64) return node;
  nodes.set(keccak256(bytes), [bytes, node]);
  return keccak256(bytes);
}
function trieOf(entries) {
  const nodes = new Map(), hashed = ([key, value]) => [keccak256(key).slice(2), value];
  const node = trieNode(entries.map(hashed), nodes), bytes = encodeRlp(node);
  nodes.set(keccak256(bytes), [bytes, node]);
  return { root: keccak256(bytes), nodes };
}
// What a server would prove of a key: the nodes on its way.
function proofOf({ root, nodes }, key) {
  const out = [];
  let rest = keccak256(key).slice(2), link = root;
  while (nodes.has(link)) {
    const [bytes, node] = nodes.get(link);
    out.push(word(bytes));
    if (node.length === 17) {
      link = node[parseInt(rest[0], 16)];
      rest = rest.slice(1);
    } else {
      const odd = parseInt(node[0][2], 16) % 2, nibbles = node[0].slice(odd ? 3 : 4);
      if (parseInt(node[0][2], 16) >= 2 || !rest.startsWith(nibbles)) break;
      link = node[1];
      rest = rest.slice(nibbles.length);
    }
  }
  return out;
}

// ---- ABI ----
const abiWord = (number) => BigInt.asUintN(256, BigInt(number)).toString(16).padStart(64, '0');
// The first of the types in a list of them, and what is behind it.
function cutType(types) {
  let depth = 0, at = 0;
  for (; at < types.length && (depth > 0 || types[at] !== ','); at += 1)
    depth += (types[at] === '(') - (types[at] === ')');
  return [types.slice(0, at), types.slice(at + 1)];
}
function typeList(types) {
  const out = [];
  for (let rest = types, type; rest; out.push(type)) [type, rest] = cutType(rest);
  return out;
}
// A value as the vectors write it, as our reader says it.
function abiText(type, value) {
  const array = /^(.*)\[\d*\]$/.exec(type);
  if (array) return `[${value.map((one) => abiText(array[1], one)).join(',')}]`;
  if (type.startsWith('(')) {
    const types = typeList(type.slice(1, -1));
    return `[${types.map((one, i) => abiText(one, (value.value ?? value)[i])).join(',')}]`;
  }
  const plain = value.value;
  if (type === 'bool') return abiWord(plain ? 1 : 0);
  if (type === 'address') return word(plain).padStart(64, '0');
  if (type === 'string') return hex(Buffer.from(plain));
  if (type === 'bytes') return word(plain);
  return type.startsWith('bytes') ? word(plain).padEnd(64, '0') : abiWord(plain);
}
async function judgeAbi(name) {
  const all = cases(name);
  let skipped = 0;
  for (const one of all) {
    const types = `(${JSON.parse(one.types).join(',').replaceAll('tuple', '')})`;
    const values = JSON.parse(one.normalizedValues ?? one.values);
    const answer = await ask('abi', types, word(one.result));
    if (answer === 'types') { skipped += 1; continue; } // more types than we take
    equal(answer.split(' ')[0], `[${typeList(types.slice(1, -1)).map((type, i) =>
      abiText(type, values[i])).join(',')}]`, `${one.name}: ${types}`);
  }
  if (skipped > all.length / 50) throw new Error(`${skipped} were too large`);
  return `${all.length - skipped} of ${all.length}`;
}
const bombOf = (words) => words.map(abiWord).join('');

// ---- Ed25519, where libraries differ: points by the book (RFC 8032), to make what nobody signs ----
const P = 2n ** 255n - 19n, L = 2n ** 252n + 27742317777372353535851937790883648493n;
const mod = (v, by = P) => ((v % by) + by) % by;
function power(base, exponent) {
  let out = 1n;
  for (let b = mod(base), e = exponent; e > 0n; e >>= 1n, b = mod(b * b)) if (e & 1n) out = mod(out * b);
  return out;
}
const D = mod(-121665n * power(121666n, P - 2n));
// Points as x, y, z and x y / z (RFC 8032 section 5.1.4).
function add([x1, y1, z1, t1], [x2, y2, z2, t2]) {
  const a = (y1 - x1) * (y2 - x2), b = (y1 + x1) * (y2 + x2);
  const c = mod(2n * D * t1 * t2), d = 2n * z1 * z2;
  const [e, f, g, h] = [b - a, d - c, d + c, b + a].map((v) => mod(v));
  return [mod(e * f), mod(g * h), mod(f * g), mod(e * h)];
}
function times(scalar, point) {
  let out = [0n, 1n, 1n, 0n];
  for (let p = point, s = scalar; s > 0n; s >>= 1n, p = add(p, p)) if (s & 1n) out = add(out, p);
  return out;
}
function little(number) {
  return Buffer.from(number.toString(16).padStart(64, '0'), 'hex').reverse();
}
const number = (bytes) => BigInt(`0x${hex(Buffer.from(bytes).reverse())}`);
function coded([x, y, z]) {
  const over = power(z, P - 2n);
  return little(mod(y * over) | (mod(x * over) & 1n) << 255n);
}
function decoded(bytes) {
  const y = number(bytes) & (2n ** 255n - 1n), sign = BigInt(bytes[31] >> 7);
  const xx = mod((y * y - 1n) * power(D * y * y + 1n, P - 2n));
  let x = power(xx, (P + 3n) / 8n);
  if (mod(x * x) !== xx) x = mod(x * power(2n, (P - 1n) / 4n));
  if ((x & 1n) !== sign) x = P - x;
  return [x, y, 1n, mod(x * y)];
}
const BASE = decoded(unhex(`58${'66'.repeat(31)}`));
// y of a point of order eight, as it is published everywhere.
const EIGHTH = decoded(unhex('26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05'));
const challenge = (r, key, message) => mod(number(createHash('sha512').update(
  Buffer.concat([r, key, message])).digest()), L);
const scalar = () => mod(number(randomBytes(64)), L);
// By `a` times the base point and a piece of small order in the key and in R. What of the equation
// with the cofactor holds always; without it, when the pieces happen to cancel.
function mixed(keyPiece, noncePiece, message) {
  const a = scalar(), r = scalar();
  const key = coded(add(times(a, BASE), times(keyPiece, EIGHTH)));
  const nonce = coded(add(times(r, BASE), times(noncePiece, EIGHTH)));
  const k = challenge(nonce, key, message);
  const cancels = mod(noncePiece + k * keyPiece, 8n) === 0n;
  return { key, nonce, s: mod(r + k * a, L), cancels };
}
const askEd = (key, message, r, s) => ask('ed25519', hex(key), hex(message), hex(r) + hex(little(s)));

// ---- CBOR ----
const cbor = new Encoder({ useRecords: false, mapsAsObjects: false, tagUint8Array: false });
function anything(depth) {
  const pick = randomBytes(1)[0] % (depth > 4 ? 6 : 9);
  const few = Array.from({ length: randomBytes(1)[0] % 4 });
  if (pick === 0) return randomBytes(4).readUIntBE(0, 1 + randomBytes(1)[0] % 4);
  if (pick === 1) return -1 - randomBytes(4).readUInt32BE() % 70000;
  if (pick === 2) return randomBytes(randomBytes(1)[0]);
  if (pick === 3) return ['', 'IETF', '水', '\u{10151}', 'x'.repeat(300)][randomBytes(1)[0] % 5];
  if (pick === 4) return [true, false, null][randomBytes(1)[0] % 3];
  if (pick === 5) return randomBytes(8).readBigUInt64BE() | 2n ** 63n;
  if (pick === 6) return few.map(() => anything(depth + 1));
  if (pick === 7) return new Map(few.map((_, i) => [i * 300, anything(depth + 1)]));
  return new Tag(anything(depth + 1), 100 + randomBytes(1)[0]);
}
// RFC 8949's examples of what we take (appendix A), and the kinds that it calls not well-formed
// (appendix F), or that it allows and we do not, since it could be read in two ways.
const CBOR_GOOD = ['00', '17', '1818', '1903e8', '1a000f4240', '1b000000e8d4a51000', '1bffffffffffffffff',
  'c249010000000000000000', '3bffffffffffffffff', '20', '3863', '3903e7', 'f4', 'f5', 'f6', '40', '4401020304',
  '60', '6449455446', '62225c', '62c3bc', '63e6b0b4', '64f0908591', '80', '83010203', '8301820203820405',
  'a0', 'a201020304', 'a26161016162820203', '826161a161626163', 'c074323031332d30332d32315432303a30343a30305a',
  'c11a514b67b0', 'd74401020304', 'd818456449455446'];
const CBOR_BAD = [...['1', '3', '5', '7', '9', 'b', 'd'].flatMap((major) =>
  ['c', 'd', 'e', 'f'].map((info) => major + info)), // reserved, indefinite
...['18', '19', '1a', '1b', '1901', '1a0102', '1b01020304050607', '38', '58', '78', '98', '9a01ff00', 'b8', 'd8',
  'f8', 'f900', 'fa0000', 'fb000000'], // cut off
...['41', '61', '5affffffff00', '5bffffffffffffffff010203', '7bffffffffffffffff010203'],
...['81', '818181818181818181', '8200', 'a1', 'a20102', 'a100', 'a2000000', 'c0'],
...['5f42010243030405ff', '7f657374726561646d696e67ff', '9fff', 'bfff', '83018202039f0405ff'],
...['f800', 'f818', 'f81f', 'f8ff', 'f0', 'f7', 'fc', 'fd', 'fe', 'ff'], // simple values
...['f90000', 'f97e00', 'fa47c35000', 'fb3ff199999999999a'],
...['1817', '190017', '1a00000017', '1b0000000000000017', '3817', '580100', '7800', '9800', 'b800', 'd80100'],
...['a201000100', 'a2616101616102', 'a2810102810103'], // a key twice
...['61ff', '62c080', '63eda080', '64f4908080', '61c3', '0000', '-', '8001'],
...[`${'81'.repeat(8)}00`, `${'c1'.repeat(8)}00`, `${'a100'.repeat(8)}00`, `${'81'.repeat(3000)}00`]];

// ---- names ----
const MAINNET = '5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp';
// [text, its normal form or "no"]: the CAIPs' own examples first, those of other namespaces refused.
const CHAINS = [['eip155:1'], ['eip155:137'], [`solana:${MAINNET}`], ['eip155:4503599627370476'],
  ...['bip122:000000000019d6689c085ae165831e93', 'cosmos:cosmoshub-3', 'starknet:SN_GOERLI', 'hedera:mainnet',
    'chainstd:8c3444cf8970a9e41a706fab93e7a6c4', 'eip155', 'eip155:', ':1', 'eip155:01', 'eip155:0x1',
    'eip155:-1', 'eip155:1:', 'EIP155:1', 'eip155:18446744073709551616', `eip155:${'1'.repeat(33)}`,
    'solana:mainnet', `solana:${MAINNET}1`, `solana:${MAINNET.replace('5', '0')}`, 'eip155:1/',
    'eip155:１'].map((text) => [text, 'no'])];
const KITTIES = '0x06012c8cf97BEaD5deAe237070F9587f8E7A266d';
const ACCOUNTS = [['eip155:1:0xab16a96D359eC26a11e2C2b3d8f8B8942d5Bfcdb',
  'eip155:1:0xab16a96d359ec26a11e2c2b3d8f8b8942d5bfcdb'],
[`solana:${MAINNET}:7S3P4HxJpyyigGzodYwHtCxZyUQe9JiBMHyRWXArAaKv`],
...['bip122:000000000019d6689c085ae165831e93:128Lkh3S7CkDTBZ8W7BbpsN3YYizJMp8p6',
  'cosmos:cosmoshub-3:cosmos1t2uflqwqe0fsj0shcfkrvpukewcw40yjj6hdc0',
  'eip155:1:0xaB16a96D359eC26a11e2C2b3d8f8B8942d5Bfcdb', // another capital
  'eip155:1:ab16a96d359ec26a11e2c2b3d8f8b8942d5bfcdb', 'eip155:1:0Xab16a96d359ec26a11e2c2b3d8f8b8942d5bfcdb',
  'eip155:1:0xab16a96d359ec26a11e2c2b3d8f8b8942d5bfcd', 'eip155:1:0xab16a96d359ec26a11e2c2b3d8f8b8942d5bfcdb0',
  'eip155:1:0xab16a96d359ec26a11e2c2b3d8f8b8942d5bfcdg', 'eip155:1', 'eip155:1:',
  `solana:${MAINNET}:17S3P4HxJpyyigGzodYwHtCxZyUQe9JiBMHyRWXArAaKv`,
  `solana:${MAINNET}:0S3P4HxJpyyigGzodYwHtCxZyUQe9JiBMHyRWXArAaKv`].map((text) => [text, 'no'])];
const ASSETS = [[`eip155:1/erc721:${KITTIES}`, `eip155:1/erc721:${KITTIES.toLowerCase()}`],
  [`eip155:1/erc721:${KITTIES}/771769`, `eip155:1/erc721:${KITTIES.toLowerCase()}/771769`],
  [`eip155:1/erc1155:${KITTIES.toLowerCase()}/${2n ** 256n - 1n}`],
  [`solana:${MAINNET}/token:EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v`],
  ...['eip155:1/slip44:60', 'bip122:000000000019d6689c085ae165831e93/slip44:0', 'cosmos:cosmoshub-3/slip44:118',
    'eip155:1/erc20:0x6b175474e89094c44da98b954eedeac495271d0f', 'hedera:mainnet/nft:0.0.55492/12',
    `eip155:1/erc721:${KITTIES}/`, `eip155:1/erc721:${KITTIES}/01`, `eip155:1/erc721:${KITTIES}/-1`,
    `eip155:1/erc721:${KITTIES}/${2n ** 256n}`, `eip155:1/erc721:${KITTIES}/1/2`, `eip155:1/nft:${KITTIES}`,
    `solana:${MAINNET}/erc721:${KITTIES}`, `solana:${MAINNET}/nft:EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyT`,
  ].map((text) => [text, 'no'])];
const judgeNames = async (kind, names) => {
  for (const [text, want] of names) equal(await ask(kind, text), want ?? text, text);
};

await runTests({
  async keccak_and_sha256_of_ethers_vectors() {
    for (const one of cases('hashes')) {
      equal(await ask('keccak', word(one.data)), word(one.keccak256), 'keccak');
      equal(await ask('sha256', word(one.data)), word(one.sha256), 'sha256');
    }
    for (let size = 0; size < 300; size++) { // each side of a block's end
      const bytes = randomBytes(size);
      equal(`0x${await ask('keccak', hex(bytes))}`, keccak256(bytes), `${size} bytes`);
    }
  },
  async checksums_of_addresses() {
    for (const { checksumAddress: address } of cases('accounts')) {
      equal(await ask('account', `eip155:1:${address}`), `eip155:1:${address.toLowerCase()}`, address);
      const at = address.search(/[a-fA-F][^x]*$/); // one letter in the other case
      if (at < 2 || !/[A-F]/.test(address.slice(2).replace(address[at], ''))) continue;
      const other = address[at] < 'a' ? address[at].toLowerCase() : address[at].toUpperCase();
      const wrong = address.slice(0, at) + other + address.slice(at + 1);
      equal(await ask('account', `eip155:1:${wrong}`), 'no', wrong);
    }
  },
  async signers_of_transactions() {
    let asked = 0;
    for (const one of cases('transactions').slice(0, 300))
      for (const chain of ['', 'ChainId5']) {
        const unsigned = word(one[`unsignedTransaction${chain}`]);
        const parts = (await ask('rlp', word(one[`signedTransaction${chain}`]))).slice(1, -1).split(',');
        const [v, r, s] = parts.slice(-3);
        const odd = (parseInt(v, 16) - (chain ? 45 : 27)).toString(16).padStart(2, '0');
        const signature = r.padStart(64, '0') + s.padStart(64, '0') + odd;
        const digest = await ask('keccak', unsigned);
        equal(await ask('signer', digest, signature), word(one.accountAddress), one.name);
        asked += 1;
      }
    return `${asked} transactions`;
  },
  async rlp_of_ethers_vectors_and_one_spelling_of_each() {
    for (const one of cases('rlp-coder'))
      equal(await ask('rlp', word(one.encoded)), rlpText(one.decoded), one.name);
    for (const wrong of RLP_WRONG) equal(await ask('rlp', wrong), 'no', wrong);
    for (let i = 0; i < 300; i++) { // what is read is the only way to write it
      const bytes = randomBytes(1 + randomBytes(1)[0] % 6);
      const said = await ask('rlp', hex(bytes));
      if (said === 'no') continue;
      const item = JSON.parse(said.replace(/[0-9a-f]+|-/g, (v) => `"0x${v === '-' ? '' : v}"`));
      equal(encodeRlp(item), `0x${hex(bytes)}`, hex(bytes));
    }
  },
  async a_trie_proves_what_is_in_it_and_what_is_not() {
    const text = (s) => `0x${Buffer.from(s).toString('hex')}`;
    const dogs = [['doe', 'reindeer'], ['dog', 'puppy'], ['dogglesworth', 'cat']]
      .map(([key, value]) => [text(key), text(value)]);
    equal(trieOf(dogs).root, '0xd4cd937e4a4368d7931a9cf51686b7e10abb3dce38a39000fd7902a092b64585',
      'the root in ethereum/tests'); // trieanyorder_secureTrie, "dogs"
    for (const size of [1, 2, 3, 17, 400]) {
      const entries = Array.from({ length: size }, () => [`0x${hex(randomBytes(20))}`,
        `0x${hex(randomBytes(1 + randomBytes(1)[0] % 100))}`]);
      const trie = trieOf(entries), root = word(trie.root);
      for (const [key, value] of entries.slice(0, 40)) {
        const proof = proofOf(trie, key);
        equal(await ask('trie', root, word(key), ...proof), `found ${word(value)}`, 'there');
        const stranger = hex(randomBytes(20));
        equal(await ask('trie', root, stranger, ...proofOf(trie, `0x${stranger}`)), 'absent -', 'not there');
        equal(await ask('trie', root, word(key), ...proof.slice(0, -1)), 'more -', 'the end is missing');
        const at = randomBytes(2).readUInt16BE() % proof.length, bent = unhex(proof[at]);
        bent[randomBytes(2).readUInt16BE() % bent.length] ^= 1 << randomBytes(1)[0] % 8;
        equal(await ask('trie', root, word(key), ...proof.slice(0, at), hex(bent),
          ...proof.slice(at + 1)), 'wrong -', 'a bit of it');
        equal(await ask('trie', hex(randomBytes(32)), word(key), ...proof), 'wrong -', 'another root');
        if (size > 3) { // another's leaf in its place, or on the way of a key that is not there
          const other = proofOf(trie, entries[(entries.findIndex(([k]) => k === key) + 1) % size][0]);
          const said = await ask('trie', root, word(key), ...other);
          if (said.startsWith('found') || said.startsWith('absent')) throw new Error(`by others': ${said}`);
        }
      }
    }
  },
  what_solidity_returned_is_read: () => judgeAbi('contract-interface'),
  what_solidity_returned_of_structs_is_read: () => judgeAbi('contract-interface-abi2'),
  async what_ethers_writes_we_write_and_no_bomb_is_read() {
    const coder = AbiCoder.defaultAbiCoder();
    for (const [types, values] of [['(bytes32,bytes)', [randomBytes(32), randomBytes(65)]],
      ['(address,uint256[],(bytes,bool)[2])', [Wallet.createRandom().address, [1, 2n ** 255n],
        [[randomBytes(40), true], ['0x', false]]]],
      ['(string,int8,bytes4[][2],(string,(uint8,bytes)[])[])', ['水', -1,
        [['0x01020304'], []], [['a', [[1, '0x'], [255, randomBytes(33)]]], ['', []]]]]]) {
      const bytes = coder.encode(typeList(types.slice(1, -1)), values);
      equal((await ask('abi', types, word(bytes))).split(' ')[1], 'same', types);
    }
    for (const [types, words] of [
      ['(uint256[])', [32, 2n ** 255n]], ['(uint256[])', [32, 2n ** 32n - 1n, 1]],
      ['(uint256[][])', [32, 3, 0, 0, 0]], ['(uint256[][])', [32, 4, 128, 128, 128, 128, 1, 7]],
      ['(bytes)', [32, 2n ** 64n]], ['(bytes)', [2n ** 256n - 32n]], ['(bytes)', [0]],
      ['(bytes)', [31, 0, 0]], ['(bool)', [2]], ['(uint8)', [256]], ['(int8)', [128]],
      ['(address)', [2n ** 160n]], ['(bytes4)', [1]], ['(bytes)', [32, 33, 0]],
      ['(uint256)', []], ['(string[])', [32, 1, 32, 2n ** 31n]]]) {
      const answer = await ask('abi', types, bombOf(words) || '-');
      if (!['no', '[[]] another'].includes(answer) && !/another$/.test(answer))
        throw new Error(`${types} ${words}: ${answer}`);
      if (types === '(bool)' || types === '(uint8)' || types === '(address)') equal(answer, 'no', types);
    }
  },
  async ed25519_takes_what_tweetnacl_signs_and_no_other_s() {
    for (let i = 0; i < 30; i++) {
      const pair = nacl.sign.keyPair(), message = randomBytes(i * 7);
      const signature = Buffer.from(nacl.sign.detached(message, pair.secretKey));
      const [r, s] = [signature.subarray(0, 32), number(signature.subarray(32))];
      equal(await askEd(pair.publicKey, message, r, s), 'yes', 'as signed');
      for (const other of [s + L, mod(-s, L), s ^ 1n])
        equal(await askEd(pair.publicKey, message, r, other), 'no', 's');
      for (const bit of [0, 100, 255]) {
        const bent = Buffer.from(r);
        bent[bit >> 3] ^= 1 << (bit & 7);
        equal(await askEd(pair.publicKey, message, bent, s), 'no', `R bit ${bit}`);
      }
    }
  },
  async ed25519_has_no_cofactor_and_no_points_of_small_order() {
    // ed25519-speccheck's classes (Chalkias and others, 2020), made anew: as Solana's
    // verify_strict has it, which takes keys that only have a part of small order.
    const message = randomBytes(32);
    let cancelled = 0, odd = 0;
    for (let i = 0n; i < 24n; i++) {
      const { key, nonce, s, cancels } = mixed(i % 8n, i < 8n ? 0n : i % 5n, message);
      equal(await askEd(key, message, nonce, s), cancels ? 'yes' : 'no', `pieces of small order ${i}`);
      cancelled += cancels;
      odd += !cancels;
    }
    if (cancelled === 0 || odd === 0) throw new Error('one class was never met');
    for (let i = 0n; i < 8n; i++) { // R and key of small order: whoever signs whatever
      const small = coded(times(i, EIGHTH)), a = scalar(), r = scalar();
      equal(await askEd(small, message, small, 0n), 'no', 'both small, s 0');
      const nonce = coded(times(r, BASE));
      for (let tries = 0; tries < 8; tries++) // r alone answers for a key that vanishes
        equal(await askEd(small, randomBytes(8), nonce, r), 'no', 'a small key');
      const key = coded(times(a, BASE));
      equal(await askEd(key, message, small, mod(challenge(small, key, message) * a, L)), 'no',
        'a small R');
    }
    for (const y of [P, P + 1n, P + 3n, P + 18n, 2n ** 255n - 1n]) // spelt another way
      for (const sign of [0n, 1n << 255n]) {
        const bytes = little(y | sign), pair = nacl.sign.keyPair();
        equal(await askEd(bytes, message, coded(BASE), 1n), 'no', 'a key that is not reduced');
        const signature = nacl.sign.detached(message, pair.secretKey);
        equal(await askEd(pair.publicKey, message, bytes, number(signature.slice(32))), 'no',
          'an R that is not reduced');
      }
  },
  async cbor_in_one_form() {
    for (const good of CBOR_GOOD) equal(await ask('cbor', good), 'yes', good);
    for (const bad of CBOR_BAD) equal(await ask('cbor', bad), 'no', bad.slice(0, 40));
    for (let i = 0; i < 300; i++) {
      const bytes = cbor.encode(anything(0));
      if (bytes.length > 4096) continue;
      equal(await ask('cbor', hex(bytes)), 'yes', hex(bytes));
      equal(await ask('cbor', `${hex(bytes)}00`), 'no', 'a byte behind it');
      equal(await ask('cbor', hex(bytes.subarray(0, -1))), 'no', 'a byte less');
    }
  },
  chains: () => judgeNames('chain', CHAINS),
  accounts: () => judgeNames('account', ACCOUNTS),
  assets: () => judgeNames('asset', ASSETS),
  async base58_and_base64url_as_others_write_them() {
    for (let i = 0; i < 200; i++) {
      const bytes = randomBytes(32).fill(0, 0, i % 5);
      const zeros = bytes.findIndex((byte) => byte !== 0);
      const text = '1'.repeat(zeros) + encodeBase58(bytes).replace(/^1*/, '');
      equal(await ask('base58', hex(bytes)), text, 'base58');
      equal(await ask('unbase58', 32, text), hex(bytes), 'undone');
      for (const wrong of [`1${text}`, `${text}1`, text.slice(1), text.replace(/.$/, '0'), `${text}l`])
        equal(await ask('unbase58', 32, wrong) === hex(bytes), false, wrong);
      const some = randomBytes(i);
      if (i > 0) equal(await ask('base64url', hex(some)), some.toString('base64url'), 'base64url');
      equal(await ask('unbase64url', some.toString('base64url')), hex(some), 'undone');
    }
    // RFC 4648: no padding, no other letters, no length of one too many, no bits that belong to none.
    for (const wrong of ['AA==', 'AAA=', 'A', 'AAAAA', 'AB', 'AAB', 'AA+A', 'AA/A', 'AA AA', 'AA\tAA', 'AA.A'])
      equal(wrong.includes(' ') || wrong.includes('\t') ? 'no' : await ask('unbase64url', wrong), 'no', wrong);
  },
  async texts_are_hashed_as_eip191_has_it() {
    for (const text of ['', 'Hello world', '0x47173285a8d7341e5e972fc677286384f802f8ef42a5ec5f03bbfa254cb01fad', '水'.repeat(77)])
      equal(`0x${await ask('personal', hex(Buffer.from(text)))}`, hashMessage(text), text);
  },
  async a_signature_recovers_to_one_address_or_none() {
    const N = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;
    const text = (r, s, v) => r.toString(16).padStart(64, '0') + s.toString(16).padStart(64, '0') + v;
    for (let i = 0; i < 20; i++) {
      const wallet = Wallet.createRandom(), digest = hex(randomBytes(32));
      const { r, s, v, yParityAndS } = wallet.signingKey.sign(`0x${digest}`);
      const [R, S, odd] = [BigInt(r), BigInt(s), v - 27], want = word(wallet.address);
      for (const good of [text(R, S, `0${odd}`), text(R, S, v.toString(16)), word(r) + word(yParityAndS)])
        equal(await ask('signer', digest, good), want, good);
      for (const bad of [text(R, N - S, `0${1 - odd}`), text(R, N - S, `0${odd}`), text(0n, S, '00'),
        text(R, 0n, '00'), text(N, S, '00'), text(R, N, '00'), text(2n ** 256n - 1n, S, '00'),
        text(R, S, '02'), text(R, S, '03'), text(R, S, '1d'), text(R, S, '1e'), text(R, S, '25'),
        text(R, S, 'ff'), text(R, S, ''), text(R, S, `0${odd}00`), text(0n, 0n, '1b'), '-', 'ff',
        word(r) + (BigInt(yParityAndS) ^ 2n ** 255n).toString(16).padStart(64, '0')])
        equal(await ask('signer', digest, bad) === want, bad === text(R, S, '') && odd === 0, bad);
    }
  },
});
end();
