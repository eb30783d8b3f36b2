// A wallet in the page, where no extension is installed: its keys are made here and lie in this
// browser's storage for everyone to read. It speaks what real ones speak (EIP-6963, EIP-1193, the
// Wallet Standard), so the page knows no difference. ethers and tweetnacl do the signing.
import { base58 } from './base58.mjs';
import { Wallet, getBytes, hexlify, randomBytes, toUtf8String } from './lib/ethers.min.js';

const NAME = 'Test wallet (keys in this page)';

function keptSecret(name) {
  const key = `streamgate-test-wallet-${name}`;
  let secret = localStorage.getItem(key);
  if (!secret) {
    secret = hexlify(randomBytes(32));
    localStorage.setItem(key, secret);
  }
  return secret;
}

// ---- EVM ----

function evmProvider(chain) {
  const wallet = new Wallet(keptSecret('evm'));
  const methods = {
    eth_requestAccounts: () => [wallet.address],
    eth_accounts: () => [wallet.address],
    eth_chainId: () => `0x${chain.toString(16)}`,
    personal_sign: ([message]) => wallet.signMessage(toUtf8String(message)),
    eth_signTypedData_v4([, json]) {
      const { types: { EIP712Domain: _, ...types }, domain, message } = JSON.parse(json);
      return wallet.signTypedData(domain, types, message);
    },
  };
  return {
    async request({ method, params }) {
      if (!methods[method]) throw Object.assign(new Error(method), { code: 4200 });
      return methods[method](params);
    },
  };
}

function announceEvm(chain) {
  const detail = Object.freeze({ info: { uuid: crypto.randomUUID(), name: NAME, icon: 'data:,',
    rdns: 'example.streamgate.test' }, provider: evmProvider(chain) });
  const announce = () => window.dispatchEvent(
    new CustomEvent('eip6963:announceProvider', { detail }));
  window.addEventListener('eip6963:requestProvider', announce);
  announce();
}

// ---- Solana ----

function solanaWallet() {
  const keys = window.nacl.sign.keyPair.fromSeed(getBytes(keptSecret('solana')));
  const account = { address: base58(keys.publicKey), publicKey: keys.publicKey,
    chains: ['solana:mainnet'], features: ['solana:signMessage', 'solana:signTransaction'] };
  const sign = (message) => window.nacl.sign.detached(message, keys.secretKey);
  return {
    version: '1.0.0',
    name: NAME,
    icon: 'data:,',
    chains: ['solana:mainnet'],
    accounts: [account],
    features: {
      'standard:connect': { version: '1.0.0', connect: async () => ({ accounts: [account] }) },
      'solana:signMessage': { version: '1.0.0', signMessage: async (...inputs) => inputs.map(
        ({ message }) => ({ signedMessage: message, signature: sign(message) })) },
      'solana:signTransaction': { version: '1.0.0', supportedTransactionVersions: ['legacy'],
        signTransaction: async (...inputs) => inputs.map(({ transaction }) => ({
          signedTransaction: Uint8Array.from([1, ...sign(transaction.slice(65)),
            ...transaction.slice(65)]) })) },
    },
  };
}

function announceSolana() {
  const wallet = solanaWallet();
  const register = (api) => api.register(wallet);
  window.dispatchEvent(new CustomEvent('wallet-standard:register-wallet', { detail: register }));
  window.addEventListener('wallet-standard:app-ready', ({ detail }) => register(detail));
}

export function install({ chain }) {
  announceEvm(chain);
  announceSolana();
}
