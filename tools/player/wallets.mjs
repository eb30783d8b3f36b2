// The wallets that a page can find, behind one shape: {name, account, alg, sign(challenge)}.
// EVM wallets announce themselves (EIP-6963) or stand at window.ethereum (EIP-1193); Solana's by the
// Wallet Standard. What was found connects when it is chosen.
import { unb64url } from './session.mjs';

const SOLANA = 'solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp'; // CAIP-2 of the main network
const utf8 = new TextEncoder();

const hexOf = (bytes) => `0x${Array.from(bytes, (b) => b.toString(16).padStart(2, '0')).join('')}`;
const bytesOf = (hex) => Uint8Array.from(hex.slice(2).match(/../g), (pair) => parseInt(pair, 16));

// ---- EVM ----

async function connectEvm(provider, alg) {
  const [address] = await provider.request({ method: 'eth_requestAccounts' });
  const chain = Number(await provider.request({ method: 'eth_chainId' }));
  return {
    account: `eip155:${chain}:${address.toLowerCase()}`,
    alg,
    async sign(challenge) {
      const signature = alg === 'eip712'
        ? await provider.request({ method: 'eth_signTypedData_v4',
          params: [address, JSON.stringify(challenge.typed_data)] })
        : await provider.request({ method: 'personal_sign',
          params: [hexOf(utf8.encode(challenge.text)), address] });
      return { signature: bytesOf(signature) };
    },
  };
}

const evm = (name, provider) => [
  { name: `${name}: Ethereum`, id: `${name}/siwe`, connect: () => connectEvm(provider, 'siwe') },
  { name: `${name}: Ethereum, typed data`, id: `${name}/eip712`,
    connect: () => connectEvm(provider, 'eip712') },
];

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

async function connectSolana(wallet, alg) {
  const { accounts } = await wallet.features['standard:connect'].connect();
  const account = accounts[0] ?? wallet.accounts[0];
  return {
    account: `${SOLANA}:${account.address}`,
    alg,
    async sign(challenge) {
      return { signature: alg === 'solana-text'
        ? await signText(wallet, account, challenge.text)
        : await signBytes(wallet, account, unb64url(challenge.message)) };
    },
  };
}

function solana(wallet) {
  if (!wallet.features['solana:signMessage']) return [];
  return [
    { name: `${wallet.name}: Solana`, id: `${wallet.name}/solana-text`,
      connect: () => connectSolana(wallet, 'solana-text') },
    { name: `${wallet.name}: Solana, off-chain message`, id: `${wallet.name}/solana-offchain`,
      connect: () => connectSolana(wallet, 'solana-offchain') },
  ];
}

// ---- finding ----

// Calls `found` with each way to sign in, also those that announce themselves later.
export function watch(found) {
  const seen = new Set();
  const offer = (ways) => ways.forEach((way) => {
    if (!seen.has(way.id)) found(way);
    seen.add(way.id);
  });
  window.addEventListener('eip6963:announceProvider', ({ detail }) =>
    offer(evm(detail.info.name, detail.provider)));
  window.dispatchEvent(new Event('eip6963:requestProvider'));
  const api = Object.freeze({ register: (...wallets) => {
    wallets.forEach((wallet) => offer(solana(wallet)));
    return () => {};
  } });
  window.addEventListener('wallet-standard:register-wallet', ({ detail }) => detail(api));
  window.dispatchEvent(new CustomEvent('wallet-standard:app-ready', { detail: api }));
  if (window.ethereum && seen.size === 0) offer(evm('This browser', window.ethereum));
}
