// Tokens between us and the libraries of others: tokens.mjs BINARIES CACHE
// BINARIES holds sgctl; CACHE keeps the npm packages. Speaks TAP; skipped without them.
import { spawnSync } from 'node:child_process';
import { createHmac, hkdfSync, randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { packages } from './packages.mjs';

const [binaries, cache] = process.argv.slice(2, 4).map((name) => path.resolve(name));
const run = mkdtempSync(path.join(tmpdir(), 'sgt.'));
const SECRET = '0123456789abcdef0123456789abcdef';
const CONFIG = `node: {region: eu, state_dir: ${run}/state, run_dir: ${run}/run}
listeners: [{address: "127.0.0.1:21499"}]
tenants: [{name: films, secret_file: ${run}/secret}]
origins: [{name: o, urls: [{url: "http://127.0.0.1:9"}]}]
sites: [{name: s, tenant: films, hosts: ["*"], path: /, origin: o, access: token}]
`;

const require = packages(cache);
const { CAT } = require('@eyevinn/cat');
const { Encoder, Tag } = require('cbor-x');
const cbor = new Encoder({ useRecords: false, mapsAsObjects: false, tagUint8Array: false });
const epoch = Math.floor(Date.now() / 86400000);
const kid = `eu/films/${epoch}`;
const derive = (key, info) => Buffer.from(hkdfSync('sha256', key, '', info, 32));
const key = derive(derive(SECRET, 'streamgate/tenant/films'), `streamgate/epoch/${epoch}`);

// sgctl's exit and output.
function sgctl(...words) {
  const done = spawnSync(path.join(binaries, 'sgctl'), ['--config', `${run}/node.yaml`, ...words],
    { encoding: 'utf8' });
  return { ok: done.status === 0, out: done.stdout.trim(), err: done.stderr.trim() };
}
const inspect = (token) => JSON.parse(sgctl('--json', 'token', 'inspect', token).out);

function equal(got, want, what) {
  if (JSON.stringify(got) !== JSON.stringify(want)) {
    throw new Error(`${what}: ${JSON.stringify(got)}, not ${JSON.stringify(want)}`);
  }
}

// As docs/tokens.md tells back ends.
function minted(claims, protectedHeader = new Map([[1, 5], [4, Buffer.from(kid)]])) {
  const header = cbor.encode(protectedHeader), payload = cbor.encode(claims);
  const tag = createHmac('sha256', key)
    .update(cbor.encode(['MAC0', header, Buffer.alloc(0), payload])).digest();
  return cbor.encode(new Tag(new Tag([header, new Map(), payload, tag], 17), 61))
    .toString('base64url');
}
const now = () => Math.floor(Date.now() / 1000);
const claims = (more = []) => new Map([[1, 'sg:films'], [3, 'films'], [4, now() + 600], [6, now()],
  [7, randomBytes(16)], [312, new Map([[3, new Map([[1, '/asset/']])]])], ...more]);

const tests = {
  async a_back_end_mints_as_the_page_says() {
    equal(inspect(minted(claims())).verdict, 'allowed', 'verdict');
    equal(inspect(minted(claims([[-70004, 7]]))).index, 7, 'index');
    const broken = minted(claims(), new Map([[1, 5], [4, Buffer.from(`eu/films/${epoch - 1}`)]]));
    equal(inspect(broken).verdict, 'token_invalid', 'another epoch\'s key');
    equal(inspect(minted(claims([[8, new Map()]]))).verdict, 'token_claim_unknown', 'cnf');
  },
  async another_library_reads_what_we_mint() {
    const { out } = sgctl('token', 'mint', '--path', '/asset/', '--host', 'video.example',
      '--network', '192.0.2.0/24', '--country', 'DE', '--subject', 'someone');
    const cat = new CAT({ keys: { [kid]: key }, expectCwtTag: true });
    const result = await cat.validate(out, 'mac', { kid, issuer: 'sg:films', audience: ['films'],
      url: new URL('https://video.example/asset/seg1.m4s'), ip: '192.0.2.9' });
    equal(result.error?.message, undefined, 'error');
    equal([result.cat.claims.aud, result.cat.claims.sub, result.cat.claims.catm],
      ['films', 'someone', ['GET', 'HEAD']], 'claims');
    const elsewhere = await cat.validate(out, 'mac', { kid, issuer: 'sg:films',
      audience: ['films'], url: new URL('https://video.example/other/'), ip: '192.0.2.9' });
    if (!elsewhere.error) throw new Error('they took our path for any');
  },
  async we_read_what_another_library_mints() {
    const cat = new CAT({ keys: { [kid]: key }, expectCwtTag: true });
    const token = await cat.generateFromJson({ iss: 'sg:films', aud: 'films', exp: now() + 600,
      cti: randomBytes(16).toString('hex'), catm: ['GET'], catnip: ['192.0.2.0/24'],
      catu: { host: { 'exact-match': 'video.example' }, path: { 'prefix-match': '/asset/' } } },
    { type: 'mac', alg: 'HS256', kid });
    const said = inspect(token.base64encoded ?? token);
    equal(said.verdict, 'allowed', 'verdict');
    equal(said.methods, ['GET'], 'methods');
    equal(said.networks, ['192.0.2.0/24'], 'networks');
    equal(said.opens.map((m) => [m.part, m.kind, m.value]),
      [['host', 'exact', 'video.example'], ['path', 'prefix', '/asset/']], 'opens');
  },
};

writeFileSync(`${run}/secret`, `${SECRET}\n`);
writeFileSync(`${run}/node.yaml`, CONFIG);
mkdirSync(`${run}/run`);
console.log(`1..${Object.keys(tests).length}`);
let count = 0;
for (const [name, test] of Object.entries(tests)) {
  count += 1;
  try {
    await test();
    console.log(`ok ${count} - ${name}`);
  } catch (why) {
    console.log(`not ok ${count} - ${name}\n# ${why.message}`);
    process.exitCode = 1;
  }
}
rmSync(run, { recursive: true });
