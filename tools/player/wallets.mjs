// The wallets that a page can find, each way of signing in with one behind one shape:
//   {id, name, wallet, alg, connect(alg = its own) -> {account, alg, sign(challenge), changes(told)}}
// EVM wallets announce themselves (EIP-6963) or stand at window.ethereum (EIP-1193); Solana's by the
// Wallet Standard. What was found connects when it is chosen. changes() tells the account that the
// wallet shows from now on, null when it was disconnected, and returns what ends that.
import { unb64url } from './session.mjs';

const SOLANA = 'solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp'; // CAIP-2 of the main network
const SOLANA_NAME = 'solana:mainnet'; // what the Wallet Standard calls it
const utf8 = new TextEncoder();

const hexOf = (bytes) => `0x${Array.from(bytes, (b) => b.toString(16).padStart(2, '0')).join('')}`;
const bytesOf = (hex) => Uint8Array.from(hex.slice(2).match(/../g), (pair) => parseInt(pair, 16));

// What went wrong between the page and a wallet, for whoever holds it.
export class WalletFault extends Error {}

// ---- EVM ----

const accountOf = (chain, address) => `eip155:${Number(chain)}:${address.toLowerCase()}`;

// Of a contract the chain must be asked. EIP-7702's accounts have code, and their key still.
async function isContract(provider, address) {
  const code = await provider.request({ method: 'eth_getCode', params: [address, 'latest'] })
    .catch(() => '0x');
  return code.length > 2 && !code.startsWith('0xef0100');
}

async function signEvm(provider, alg, address, challenge) {
  const signature = bytesOf(await (alg === 'eip712'
    ? provider.request({ method: 'eth_signTypedData_v4',
      params: [address, JSON.stringify(challenge.typed_data)] })
    : provider.request({ method: 'personal_sign',
      params: [hexOf(utf8.encode(challenge.text)), address] })));
  if (alg !== 'on-chain' && signature.length !== 65 && signature.length !== 64) {
    throw new WalletFault('This is a smart wallet: choose "smart wallet" among its other ways.');
  }
  return { signature };
}

// EIP-1193's events. The chain belongs to the account's name.
function evmChanges(provider, [first, firstChain], told) {
  let [address, chain] = [first, firstChain];
  const tell = () => told(address ? accountOf(chain, address) : null);
  const on = {
    accountsChanged: ([now]) => { address = now; tell(); },
    chainChanged: (now) => { chain = now; tell(); },
  };
  for (const [event, heard] of Object.entries(on)) provider.on?.(event, heard);
  return () => Object.entries(on).forEach(([event, heard]) =>
    provider.removeListener?.(event, heard));
}

async function connectEvm(provider, wanted) {
  const [address] = await provider.request({ method: 'eth_requestAccounts' });
  if (!address) throw new WalletFault('The wallet shows no account: unlock it, or make one.');
  const chain = await provider.request({ method: 'eth_chainId' });
  const alg = wanted === 'siwe' && await isContract(provider, address) ? 'on-chain' : wanted;
  return {
    account: accountOf(chain, address),
    alg,
    sign: (challenge) => signEvm(provider, alg, address, challenge),
    changes: (told) => evmChanges(provider, [address, chain], told),
  };
}

const evm = (name, provider) => [
  ['siwe', 'Ethereum'],
  ['eip712', 'Ethereum, typed data'],
  ['on-chain', 'Ethereum, smart wallet'],
].map(([alg, way]) => ({ id: `${name}/${alg}`, name: way, wallet: name, alg,
  connect: (wanted = alg) => connectEvm(provider, wanted) }));

// ---- Solana ----

// The sign-in text as the fields that solana:signIn takes, which writes the same text of them.
function fieldsOf(text) {
  const [head, tail] = text.split('\n\nURI: ');
  const lines = `URI: ${tail}`.split('\n');
  const value = (name) => lines.find((line) => line.startsWith(`${name}: `))
    ?.slice(name.length + 2);
  return {
    domain: head.slice(0, head.indexOf(' wants you to')),
    address: head.split('\n')[1],
    statement: head.split('\n\n')[1],
    uri: value('URI'),
    version: value('Version'),
    chainId: value('Chain ID'),
    nonce: value('Nonce'),
    issuedAt: value('Issued At'),
    expirationTime: value('Expiration Time'),
    notBefore: value('Not Before'),
    resources: lines.filter((line) => line.startsWith('- ')).map((line) => line.slice(2)),
  };
}

async function signText(wallet, account, text) {
  const signIn = wallet.features['solana:signIn'];
  if (signIn) {
    const [output] = await signIn.signIn(fieldsOf(text));
    // A wallet may word it otherwise: the node believes only what it wrote itself.
    if (new TextDecoder().decode(output.signedMessage) === text) return output.signature;
  }
  return signBytes(wallet, account, utf8.encode(text));
}

async function signBytes(wallet, account, message) {
  const [output] = await wallet.features['solana:signMessage'].signMessage({ account, message });
  return output.signature;
}

// A transaction of one signature, which the wallet signs and nobody sends. What it put into it of its
// own (a price for computing) is part of what it signed.
async function signMemo(wallet, account, message) {
  const transaction = Uint8Array.from([1, ...new Uint8Array(64), ...message]);
  const [{ signedTransaction: signed }] = await wallet.features['solana:signTransaction']
    .signTransaction({ account, transaction, chain: SOLANA_NAME });
  if (signed[0] !== 1) throw new WalletFault('The wallet made another transaction of it.');
  return { signature: signed.slice(1, 65), tx: signed.slice(65) };
}

async function signSolana(wallet, alg, account, challenge) {
  switch (alg) {
    case 'solana-text':
      return { signature: await signText(wallet, account, challenge.text) };
    case 'solana-offchain':
      return { signature: await signBytes(wallet, account, unb64url(challenge.message)) };
    case 'solana-memo':
      return signMemo(wallet, account, unb64url(challenge.message));
    default: // a member of a multisig: the text names the vault
      return { signature: await signBytes(wallet, account, utf8.encode(challenge.text)) };
  }
}

async function connectSolana(wallet, alg) {
  const { accounts } = await wallet.features['standard:connect'].connect();
  const account = accounts[0] ?? wallet.accounts[0];
  if (!account) throw new WalletFault('The wallet shows no account: unlock it, or make one.');
  return {
    account: `${SOLANA}:${account.address}`,
    alg,
    sign: (challenge) => signSolana(wallet, alg, account, challenge),
    changes: (told) => wallet.features['standard:events']?.on('change', ({ accounts: now }) => {
      if (now) told(now[0] ? `${SOLANA}:${now[0].address}` : null);
    }) ?? (() => {}),
  };
}

const solana = (name, wallet) => [
  ['solana-text', 'Solana', 'solana:signMessage'],
  ['solana-offchain', 'Solana, off-chain message', 'solana:signMessage'],
  ['solana-memo', 'Solana, transaction (hardware wallets)', 'solana:signTransaction'],
].filter(([, , feature]) => wallet.features[feature])
  .map(([alg, way]) => ({ id: `${name}/${alg}`, name: way, wallet: name, alg,
    connect: (wanted = alg) => connectSolana(wallet, wanted) }));

// ---- finding ----

// Calls `found` with each way to sign in, also those that announce themselves later. A wallet that
// calls itself as another does is told apart by a number.
export function watch(found) {
  const seen = new Set();
  const taken = new Set(); // names
  const offer = (wallet, name, waysOf) => {
    if (seen.has(wallet)) return;
    seen.add(wallet);
    let own = name;
    for (let i = 2; taken.has(`${waysOf.name} ${own}`); i++) own = `${name} (${i})`;
    taken.add(`${waysOf.name} ${own}`);
    waysOf(own, wallet).forEach(found);
  };
  window.addEventListener('eip6963:announceProvider', ({ detail }) =>
    offer(detail.provider, detail.info.name, evm));
  window.dispatchEvent(new Event('eip6963:requestProvider'));
  if (window.ethereum && seen.size === 0) offer(window.ethereum, 'This browser', evm);
  const api = Object.freeze({ register: (...wallets) => {
    wallets.forEach((wallet) => offer(wallet, wallet.name, solana));
    return () => {};
  } });
  window.addEventListener('wallet-standard:register-wallet', ({ detail }) => detail(api));
  window.dispatchEvent(new CustomEvent('wallet-standard:app-ready', { detail: api }));
}
