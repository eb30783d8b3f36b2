// Smart wallets sign in in Chromium: an EIP-1271 wallet, and one whose factory has yet to deploy it
// (ERC-6492), real contracts on a real anvil. Run by ways.mjs.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { endsBy, runSteps } from './stage.mjs';
import { ask, found, getsIn, plays, refusedToSignIn, signIn } from './viewer.mjs';
import { announce } from './evmwallet.mjs';

const MAGIC = `0x${'6492'.repeat(16)}`;

function chainOf(url) {
  const folder = path.resolve(process.env.SG_CHAIN_PACKAGES);
  const ethers = createRequire(path.join(folder, 'package.json'))('ethers');
  const contracts = JSON.parse(readFileSync(path.join(folder, 'contracts.json'), 'utf8'));
  const provider = new ethers.JsonRpcProvider(url, 31337, { staticNetwork: true });
  return {
    ethers,
    provider,
    async deploy(name, ...values) {
      const signer = await provider.getSigner(5); // not the market's
      const factory = new ethers.ContractFactory(contracts[name].abi, contracts[name].code, signer);
      return (await factory.deploy(...values)).waitForDeployment();
    },
  };
}

// What its extension answers: the account is the contract, the owner's key signs.
const ofSmart = ({ ethers, provider }, address, owner, wrap = (signature) => signature) => ({
  eth_requestAccounts: () => [address],
  eth_chainId: () => '0x7a69',
  eth_getCode: (params) => provider.send('eth_getCode', params),
  personal_sign: async ([message]) => wrap(await owner.signMessage(ethers.getBytes(message))),
});

async function undeployed({ ethers, deploy }, owner) {
  const factory = await deploy('WalletFactory');
  const salt = `0x${'07'.repeat(32)}`;
  const create = factory.interface.encodeFunctionData('create', [owner, salt]);
  const wrap = (signature) => ethers.concat([ethers.AbiCoder.defaultAbiCoder().encode(
    ['address', 'bytes', 'bytes'], [factory.target, create, signature]), MAGIC]);
  return { address: await factory.addressOf(owner, salt), wrap };
}

const steps = (name, way) => ({
  async 'who does not hold the NFT is told so'(page) {
    await refusedToSignIn(page, way, name);
  },
  async 'who gets it signs in and plays'(page) {
    await ask(page, 'buy');
    await getsIn(page, way, name);
  },
  'a sale of the NFT stops it within a segment': (page) => endsBy(page, 'transfer'),
});

export async function smart(browser, urls, report) {
  const chain = chainOf(urls.chain);
  const { ethers } = chain;
  const [owner, thief] = [ethers.Wallet.createRandom(), ethers.Wallet.createRandom()];
  const deployed = await (await chain.deploy('Wallet', owner.address)).getAddress();
  const other = await undeployed(chain, owner.address);
  const context = await browser.newContext();
  await announce(context, 'Safe', ofSmart(chain, deployed, owner));
  await announce(context, 'Not owned', ofSmart(chain, deployed, thief));
  await announce(context, 'Not there yet', ofSmart(chain, other.address, owner, other.wrap));
  await announce(context, 'Not there, not owned', ofSmart(chain, other.address, thief, other.wrap));
  const page = await context.newPage();
  await page.goto(urls.page_wallet);
  // The page sees the contract by itself; one that is not deployed yet has to be named.
  await runSteps(page, 'EIP-1271', steps('Safe', 'siwe'), report);
  await page.reload();
  await runSteps(page, 'ERC-6492', {
    ...steps('Not there yet', 'on-chain'),
    async 'it was not deployed by asking'() {
      if (await chain.provider.getCode(other.address) !== '0x') throw new Error('it is there');
    },
    async 'by the way of ordinary wallets it is told to choose the other'() {
      await page.reload();
      await found(page);
      if (await signIn(page, 'siwe', 'Not there yet/')) throw new Error('it was let in');
      const problem = await page.textContent('#problem');
      if (!/smart wallet/.test(problem)) throw new Error(`it says: ${problem}`);
    },
    async 'another key than the owner\'s is refused, of both'() {
      for (const name of ['Not owned', 'Not there, not owned']) {
        await refusedToSignIn(page, 'on-chain', `${name}/`, 'grant_signature');
      }
    },
    async 'the owner gets in after all of that'() {
      await ask(page, 'buy'); // for the account that was last tried: the same wallet's
      await signIn(page, 'on-chain', 'Not there yet/').then(async (good) => {
        if (!good) await getsIn(page, 'on-chain', 'Not there yet/');
      });
      await plays(page);
    },
  }, report);
  await context.close();
}
