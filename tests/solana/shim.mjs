// A Solana server of our own over LiteSVM: the accounts in its answers were made by the real
// programs (SPL Token, Token-2022) in a real SVM; slots, commitments and JSON-RPC are ours, so no
// test over it proves that a real server answers so. Metaplex metadata are bytes by Metaplex's own
// serializer, put in place without its program.
//   node shim.mjs        prints "PORT"; ends with its standard input
// JSON-RPC: getGenesisHash, getSlot, getMultipleAccounts, getProgramAccounts, and to steer it:
//   test_wallet [] -> address            test_finalize []: what is confirmed is final
//   test_advance [slots]                 test_fork []: back to what is final, later slots
//   test_mint [{owner, amount, decimals, program, extended, hidden}] -> mint
//   test_transfer [{mint, from, to, amount}]   test_burn [{mint, from, amount}]
//   test_move [{mint, owner}]: to another account of the same owner
//   test_metadata [{mint, collection, verified, creators: [{address, verified}], standard}]
//   test_unplug []: its WebSockets end   test_refuse [method]: no such subscriptions from now on
// By WebSocket, by npm's `ws`: programSubscribe with one memcmp filter, accountSubscribe, logsSubscribe with
// one mention, which is told with test_finalize of every metadata that names it, and how each ends. No more
// than 100 subscriptions a connection.
import http from 'node:http';
import { createRequire } from 'node:module';
import path from 'node:path';

const packages = process.env.SG_SOLANA_PACKAGES;
const need = createRequire(path.join(packages, 'package.json'));
const { LiteSVM } = need('litesvm');
const kit = need('@solana/kit');
const token = need('@solana-program/token');
const token2022 = need('@solana-program/token-2022');
const system = need('@solana-program/system');
const metaplex = need('@metaplex-foundation/mpl-token-metadata');
const umi = need('@metaplex-foundation/umi');
const { WebSocketServer } = need('ws');

const GENESIS = '5eykt4UsFv8P8NJdTREpY1vzqKqZKvdpKuc147dw2N9d'; // mainnet's: any will do
const METADATA = kit.address('metaqbxxUerdq28cj1RbAWkYQm3ybzjb6a8bt518x1s');
const PROGRAMS = { token: token.TOKEN_PROGRAM_ADDRESS, 'token-2022': token2022.TOKEN_2022_PROGRAM_ADDRESS };

const svm = new LiteSVM();
let slot = 1000;
let final = { accounts: new Map(), slot };
const payer = await kit.generateKeyPairSigner();
svm.airdrop(payer.address, kit.lamports(1_000_000_000_000n));
// What the followed programs own, as it is now: until something is steered.
let known = null;
function accounts() {
    known ??= new Map([...Object.values(PROGRAMS), METADATA].flatMap(program =>
        svm.getProgramAccounts(program).map(a => [a.address, a])));
    return known;
}
function restore(to) {
    const gone = { executable: false, lamports: kit.lamports(0n), data: new Uint8Array(0), space: 0n,
        programAddress: system.SYSTEM_PROGRAM_ADDRESS };
    for (const address of accounts().keys())
        if (!to.has(address))
            svm.setAccount({ address, ...gone });
    for (const account of to.values())
        svm.setAccount(account);
    for (const { places } of mints.values())
        for (const [owner, place] of places)
            if (!to.has(place))
                places.delete(owner);
}
const wallets = new Map();
const mints = new Map(); // address -> {program, places: owner -> token account}

async function send(signers, instructions) {
    svm.expireBlockhash();
    const message = kit.pipe(
        kit.createTransactionMessage({ version: 0 }),
        m => kit.setTransactionMessageFeePayerSigner(payer, m),
        m => kit.appendTransactionMessageInstructions(instructions, m),
        m => kit.setTransactionMessageLifetimeUsingBlockhash(
            { blockhash: svm.latestBlockhash(), lastValidBlockHeight: 1_000_000n }, m));
    const sealed = await kit.signTransactionMessageWithSigners(
        kit.addSignersToTransactionMessage(signers, message));
    const result = svm.sendTransaction(sealed);
    if (result.constructor.name === 'FailedTransactionMetadata')
        throw new Error(result.toString());
    slot++;
}

async function account(mint, owner, space = 165) {
    const { program } = mints.get(mint);
    const fresh = await kit.generateKeyPairSigner();
    const bytes = BigInt(space);
    await send([fresh], [
        system.getCreateAccountInstruction({ payer, newAccount: fresh, space: bytes, programAddress: program,
            lamports: svm.minimumBalanceForRentExemption(bytes) }),
        token.getInitializeAccount3Instruction({ account: fresh.address, mint, owner }, { programAddress: program }),
    ]);
    mints.get(mint).places.set(owner, fresh.address);
    return fresh.address;
}

// Of Token-2022 with extensions, so that accounts are longer than the base; the second one lets
// holders hide what they have.
function extensions(extended, hidden) {
    const auditor = { authority: payer.address, autoApproveNewAccounts: true, auditorElgamalPubkey: null };
    return [
        ...(extended ? [{ data: token2022.extension('MintCloseAuthority', { closeAuthority: payer.address }),
            make: mint => token2022.getInitializeMintCloseAuthorityInstruction(
                { mint, closeAuthority: payer.address }) }] : []),
        ...(hidden ? [{ data: token2022.extension('ConfidentialTransferMint', {
            ...auditor, authority: kit.some(payer.address), auditorElgamalPubkey: kit.none() }),
            make: mint => token2022.getInitializeConfidentialTransferMintInstruction({ mint, ...auditor }) }] : []),
    ];
}

const steer = {
    async test_wallet() {
        const signer = await kit.generateKeyPairSigner();
        wallets.set(signer.address, signer);
        return signer.address;
    },
    async test_mint([{ owner, amount = 1, decimals = 0, program = 'token', extended = false, hidden = false }]) {
        const mint = await kit.generateKeyPairSigner();
        const programAddress = PROGRAMS[program];
        const more = extensions(extended, hidden);
        const space = BigInt(more.length > 0 ? token2022.getMintSize(more.map(e => e.data)) : 82);
        await send([mint], [
            system.getCreateAccountInstruction({ payer, newAccount: mint, space, programAddress,
                lamports: svm.minimumBalanceForRentExemption(space) }),
            ...more.map(e => e.make(mint.address)),
            token.getInitializeMint2Instruction(
                { mint: mint.address, decimals, mintAuthority: payer.address }, { programAddress }),
        ]);
        mints.set(mint.address, { program: programAddress, places: new Map() });
        const to = await account(mint.address, owner, extended ? 170 : 165);
        await send([payer], [token.getMintToInstruction(
            { mint: mint.address, token: to, mintAuthority: payer, amount: BigInt(amount) }, { programAddress })]);
        return mint.address;
    },
    async test_transfer([{ mint, from, to, amount = 1 }]) {
        const { program, places } = mints.get(mint);
        const source = places.get(from);
        const destination = places.get(to) ?? await account(mint, to);
        const { decimals } = token.getMintDecoder().decode(svm.getAccount(mint).data);
        await send([wallets.get(from)], [token.getTransferCheckedInstruction(
            { source, destination, mint, decimals, authority: wallets.get(from), amount: BigInt(amount) },
            { programAddress: program })]);
    },
    async test_move([{ mint, owner }]) {
        const { program, places } = mints.get(mint);
        const source = places.get(owner);
        const destination = await account(mint, owner);
        await send([wallets.get(owner)], [token.getTransferCheckedInstruction(
            { source, destination, mint, decimals: 0, authority: wallets.get(owner), amount: 1n },
            { programAddress: program })]);
    },
    async test_burn([{ mint, from, amount = 1 }]) {
        const { program, places } = mints.get(mint);
        await send([wallets.get(from)], [token.getBurnInstruction(
            { account: places.get(from), mint, authority: wallets.get(from), amount: BigInt(amount) },
            { programAddress: program })]);
    },
    async test_metadata([{ mint, collection, verified = true, creators = [], standard = true }]) {
        const { some, none } = umi;
        const at = await kit.getProgramDerivedAddress({ programAddress: METADATA,
            seeds: ['metadata', kit.getAddressEncoder().encode(METADATA), kit.getAddressEncoder().encode(mint)] });
        const pad = (text, length) => text.padEnd(length, '\0');
        const data = metaplex.getMetadataAccountDataSerializer().serialize({
            updateAuthority: payer.address, mint, name: pad('A film', 32), symbol: pad('FILM', 10),
            uri: pad('https://example.org/1.json', 200), sellerFeeBasisPoints: 500,
            creators: creators.length === 0 ? none() : some(creators.map(c => ({ ...c, share: 0 }))),
            primarySaleHappened: true, isMutable: true, editionNonce: some(255),
            tokenStandard: standard ? some(0) : none(),
            collection: collection ? some({ verified, key: collection }) : none(),
            uses: none(), collectionDetails: none(), programmableConfig: none() });
        const bytes = new Uint8Array(679);
        bytes.set(data);
        svm.setAccount({ address: at[0], data: bytes, executable: false, lamports: kit.lamports(10_000_000n),
            programAddress: METADATA, space: 679n });
        slot++;
    },
    test_advance([slots]) { slot += slots; },
    test_finalize() {
        final = { accounts: accounts(), slot };
        tell_mentions();
    },
    test_refuse([method]) { refused = method; },
    test_unplug() { for (const socket of sockets.clients) socket.terminate(); },
    test_fork() { restore(final.accounts); slot++; },
};

// ---- what a server answers ----

function seen(options) {
    const view = options?.commitment === 'finalized'
        ? final : { accounts: accounts(), slot };
    if (options?.minContextSlot > view.slot)
        throw Object.assign(new Error('Minimum context slot has not been reached'), { code: -32016 });
    return view;
}

function told(account) {
    return account === undefined ? null : {
        data: [Buffer.from(account.data).toString('base64'), 'base64'], executable: account.executable,
        lamports: Number(account.lamports), owner: account.programAddress, rentEpoch: 0,
        space: account.data.length };
}

const answers = {
    getGenesisHash: () => GENESIS,
    getSlot: ([options]) => seen(options).slot,
    getMultipleAccounts([keys, options]) {
        const view = seen(options);
        return { context: { slot: view.slot }, value: keys.map(key => told(view.accounts.get(key))) };
    },
    getProgramAccounts([program, options]) {
        const view = seen(options);
        const { offset, bytes } = options.filters[0].memcmp;
        const want = Buffer.from(kit.getAddressEncoder().encode(bytes));
        return { context: { slot: view.slot }, value: [...view.accounts.values()]
            .filter(a => a.programAddress === program && want.equals(Buffer.from(a.data).subarray(offset, offset + 32)))
            .map(a => ({ pubkey: a.address, account: told(a) })) };
    },
};

async function answer({ id, method, params }) {
    try {
        const by = answers[method] ?? steer[method];
        if (!by)
            return { jsonrpc: '2.0', id, error: { code: -32601, message: 'Method not found' } };
        const result = await by(params ?? []) ?? null;
        if (steer[method]) {
            known = null;
            tell_holders();
        }
        return { jsonrpc: '2.0', id, result };
    } catch (error) {
        return { jsonrpc: '2.0', id, error: { code: error.code ?? -32000, message: String(error.message) } };
    }
}

// ---- subscriptions ----

const subs = new Map(); // number -> {socket, method, about, seen}
let next_sub = 1;
let refused = null;

function notify(number, sub, value, at) {
    const method = sub.method.replace('Subscribe', 'Notification');
    sub.socket.send(JSON.stringify({ jsonrpc: '2.0', method,
        params: { subscription: number, result: { context: { slot: at }, value } } }));
}

function holders(program, { offset, bytes }) {
    const want = Buffer.from(kit.getAddressEncoder().encode(bytes));
    return new Map([...accounts().values()]
        .filter(a => a.programAddress === program && want.equals(Buffer.from(a.data).subarray(offset, offset + 32)))
        .map(a => [a.address, Buffer.from(a.data).toString('base64')]));
}

// After whatever changed accounts: those that are other than they were.
function tell_holders() {
    if (subs.size === 0)
        return;
    const there = accounts();
    for (const [number, sub] of subs) {
        if (sub.method === 'accountSubscribe') {
            const data = Buffer.from(there.get(sub.about)?.data ?? []).toString('base64');
            if (data !== sub.seen)
                notify(number, sub, { data: [data, 'base64'] }, slot);
            sub.seen = data;
        }
        if (sub.method !== 'programSubscribe')
            continue;
        const now = holders(...sub.about);
        for (const [pubkey, data] of now)
            if (sub.seen.get(pubkey) !== data)
                notify(number, sub, { pubkey, account: { data: [data, 'base64'] } }, slot);
        sub.seen = now;
    }
}

function tell_mentions() {
    for (const [number, sub] of subs) {
        if (sub.method !== 'logsSubscribe')
            continue;
        const want = Buffer.from(kit.getAddressEncoder().encode(sub.about));
        const now = [...final.accounts.values()].filter(a => a.programAddress === METADATA &&
            Buffer.from(a.data).includes(want)).map(a => a.address);
        if (now.some(address => !sub.seen.has(address)))
            notify(number, sub, { signature: 'shim', err: null, logs: [] }, final.slot);
        sub.seen = new Set(now);
    }
}

function subscribe(socket, { id, method, params }) {
    const number = next_sub++;
    const said = value => socket.send(JSON.stringify({ jsonrpc: '2.0', id, ...value }));
    if (method.endsWith('Unsubscribe'))
        return said(subs.get(params[0])?.socket === socket && subs.delete(params[0]) ? { result: true }
            : { error: { code: -32602, message: 'Invalid subscription id.' } });
    if (method === refused)
        return said({ error: { code: -32601, message: 'Method not found' } });
    if ([...subs.values()].filter(sub => sub.socket === socket).length === 100)
        return said({ error: { code: -32005, message: 'Too many subscriptions' } });
    if (method === 'accountSubscribe') {
        subs.set(number, { socket, method, about: params[0],
            seen: Buffer.from(accounts().get(params[0])?.data ?? []).toString('base64') });
    } else if (method === 'programSubscribe') {
        const about = [params[0], params[1].filters[0].memcmp];
        subs.set(number, { socket, method, about, seen: holders(...about) });
    } else if (method === 'logsSubscribe') {
        subs.set(number, { socket, method, about: params[0].mentions[0], seen: new Set() });
    } else {
        return said({ error: { code: -32601, message: 'Method not found' } });
    }
    return said({ result: number });
}

const server = http.createServer(async (request, response) => {
    let body = '';
    for await (const part of request)
        body += part;
    const asked = JSON.parse(body);
    const said = Array.isArray(asked) ? await Promise.all(asked.map(answer)) : await answer(asked);
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify(said));
});
const sockets = new WebSocketServer({ server });
sockets.on('connection', socket => {
    socket.on('message', text => subscribe(socket, JSON.parse(text)));
    socket.on('close', () => {
        for (const [number, sub] of subs)
            if (sub.socket === socket)
                subs.delete(number);
    });
});
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
process.stdin.resume().on('end', () => process.exit(0));
