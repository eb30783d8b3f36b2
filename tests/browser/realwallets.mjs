// Bundled into the page by esbuild: what applications and wallets really use to find each other.
//  - mipd and @wallet-standard/app are the finding side: they must see our test wallet;
//  - Solana's wallet adapter (the burner, as a Standard Wallet) is the found side: our page must see it.
import { SolanaSignIn } from '@solana/wallet-standard-features';
import { SolanaWalletAdapterWallet } from '@solana/wallet-standard-wallet-adapter-base';
import { UnsafeBurnerWalletAdapter } from '@solana/wallet-adapter-unsafe-burner';
import { isWalletAdapterCompatibleStandardWallet } from '@solana/wallet-adapter-base';
import { getWallets } from '@wallet-standard/app';
import { registerWallet } from '@wallet-standard/wallet';
import { createStore } from 'mipd';

const CHAIN = 'solana:mainnet';

// A wallet that has solana:signIn too; the library writes the text.
function withSignIn(wallet, adapter, asked) {
  const signIn = (...inputs) => {
    asked.signIn += 1;
    return Promise.all(inputs.map((input) => adapter.signIn(input)));
  };
  const { version, name, icon, chains, features } = wallet;
  return Object.freeze({ version, name, icon, chains, get accounts() { return wallet.accounts; },
    features: { ...features, [SolanaSignIn]: { version: '1.1.0', signIn } } });
}

function burner({ signIn = false } = {}) {
  const adapter = new UnsafeBurnerWalletAdapter();
  const wallet = new SolanaWalletAdapterWallet(adapter, CHAIN, 'http://127.0.0.1:9');
  const asked = { signIn: 0 };
  registerWallet(signIn ? withSignIn(wallet, adapter, asked) : wallet);
  return { disconnect: () => adapter.disconnect(), asked };
}

window.realWallets = {
  burner,
  found: () => ({
    ethereum: createStore().getProviders().map(({ info }) => info.name),
    solana: getWallets().get().map(({ name }) => name),
    compatible: getWallets().get().filter(isWalletAdapterCompatibleStandardWallet)
      .map(({ name }) => name),
  }),
};
