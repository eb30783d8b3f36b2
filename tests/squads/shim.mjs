// A Solana server of our own with Squads multisigs on it: the accounts' bytes and the addresses are
// by the Squads SDK (@sqds/multisig), signatures by tweetnacl; no program ran, and slots and JSON-RPC
// are ours, so no test over it proves what the real program or a real server does.
//   node shim.mjs        prints "PORT"; ends with its standard input
// JSON-RPC: getGenesisHash, getSlot, getMultipleAccounts (finalized alone), and to steer it:
//   test_member [] -> address, whose key the shim keeps
//   test_multisig [{members: [{key, mask}], threshold, timeLock, collector, more, owner, bytes}]
//     -> address; `more`: bytes behind it, in hex; `owner`: another program; `bytes`: instead of it
//   test_change [address, the same]: what it is from now on; {gone: true}: it was closed
//   test_vault [address, index] -> address
//   test_sign [member, text in hex] -> signature in hex
//   test_bytes [address] -> the account's bytes in hex
//   test_points [[address, ...]] -> which are points of the curve, as "1011..."
//   test_slot [slot]: from now on
import http from 'node:http';
import { createRequire } from 'node:module';
import path from 'node:path';

const need = createRequire(path.join(process.env.SG_SQUADS_PACKAGES, 'package.json'));
const squads = need('@sqds/multisig');
const { Keypair, PublicKey } = need('@solana/web3.js');
const nacl = need('tweetnacl');

const GENESIS = '5eykt4UsFv8P8NJdTREpY1vzqKqZKvdpKuc147dw2N9d'; // mainnet's: any will do
const keys = new Map();
const accounts = new Map(); // address -> {data, owner, createKey}
let slot = 1000;

function account(createKey, { members = [], threshold = 1, timeLock = 0, collector = false, more = '',
    owner = squads.PROGRAM_ID.toBase58(), bytes, transactions = 3, stale = 1 }) {
    const [, bump] = squads.getMultisigPda({ createKey });
    const [data] = squads.accounts.Multisig.fromArgs({
        createKey, configAuthority: PublicKey.default, threshold, timeLock,
        transactionIndex: transactions, staleTransactionIndex: stale,
        rentCollector: collector ? Keypair.generate().publicKey : null, bump,
        members: members
            .map(({ key, mask = 7 }) => ({ key: new PublicKey(key), permissions: { mask } }))
            .sort((a, b) => Buffer.compare(a.key.toBuffer(), b.key.toBuffer())), // as the program does
    }).serialize();
    return { createKey, owner,
        data: bytes !== undefined ? Buffer.from(bytes, 'hex') : Buffer.concat([data, Buffer.from(more, 'hex')]) };
}

const steer = {
    test_member() {
        const member = Keypair.generate();
        keys.set(member.publicKey.toBase58(), member);
        return member.publicKey.toBase58();
    },
    test_multisig([what]) {
        const createKey = Keypair.generate().publicKey;
        const address = squads.getMultisigPda({ createKey })[0].toBase58();
        accounts.set(address, account(createKey, what));
        return address;
    },
    test_change([address, what]) {
        const { createKey } = accounts.get(address);
        accounts.set(address, what.gone ? { createKey } : account(createKey, what));
    },
    test_vault: ([address, index]) =>
        squads.getVaultPda({ multisigPda: new PublicKey(address), index })[0].toBase58(),
    test_sign: ([member, text]) =>
        Buffer.from(nacl.sign.detached(Buffer.from(text, 'hex'), keys.get(member).secretKey)).toString('hex'),
    test_bytes: ([address]) => accounts.get(address).data.toString('hex'),
    test_points: ([addresses]) => addresses.map(a => PublicKey.isOnCurve(new PublicKey(a)) ? 1 : 0).join(''),
    test_slot([to]) { slot = to; },
};

function told(address) {
    const it = accounts.get(address);
    return it?.data === undefined ? null : {
        data: [it.data.toString('base64'), 'base64'], executable: false, lamports: 2_000_000,
        owner: it.owner, rentEpoch: 0, space: it.data.length };
}

const answers = {
    getGenesisHash: () => GENESIS,
    getSlot: () => slot,
    getMultipleAccounts([addresses, options]) {
        if (options.commitment !== 'finalized')
            throw new Error('nothing is asked of what is not final');
        if (options.minContextSlot > slot)
            throw Object.assign(new Error('Minimum context slot has not been reached'), { code: -32016 });
        return { context: { slot }, value: addresses.map(told) };
    },
};

function answer({ id, method, params }) {
    try {
        const by = answers[method] ?? steer[method];
        if (!by)
            return { jsonrpc: '2.0', id, error: { code: -32601, message: 'Method not found' } };
        return { jsonrpc: '2.0', id, result: by(params ?? []) ?? null };
    } catch (error) {
        return { jsonrpc: '2.0', id, error: { code: error.code ?? -32000, message: String(error.message) } };
    }
}

const server = http.createServer(async (request, response) => {
    let body = '';
    for await (const part of request)
        body += part;
    const asked = JSON.parse(body);
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify(Array.isArray(asked) ? asked.map(answer) : answer(asked)));
});
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
process.stdin.resume().on('end', () => process.exit(0));
