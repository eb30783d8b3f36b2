// What a viewer can do about a refusal: the node's reasons (docs/signin.md, docs/tokens.md) and what
// went wrong with a wallet, in words for whoever watches.
import { Refused } from './signin.mjs';
import { WalletFault } from './wallets.mjs';

const NOT_KNOWN = 'The node does not know at the moment who owns what: nothing is wrong with your wallet.';
const WORDS = {
  not_held: 'This account does not hold what opens the stream, or not here and now. Get it, or sign in ' +
    'with the account that has it. What was just bought counts when its chain calls it safe, which ' +
    'can take some minutes: then check again.',
  ownership_changed: 'What opened the stream is no longer in this account.',
  ownership_unknown: 'What opened the stream is no longer known to be in this account.',
  not_followed: 'The node is still reading what this stream asks for from its chain.',
  ownership_stale: NOT_KNOWN,
  ownership_feed_stale: NOT_KNOWN,
  chain_head_stale: NOT_KNOWN,
  grant_on_chain_unavailable: 'The node can not ask this wallet\'s chain at the moment.',
  grant_chain: 'This stream takes no accounts of the network that your wallet is on: choose another ' +
    'network in the wallet, and sign in again.',
  grant_signature: 'This is not the account\'s signature. A smart wallet has a way of its own below; of a ' +
    'multisig too few may have signed, or some who are no members.',
  grant_nonce: 'That took too long: sign in again, and sign within ten minutes.',
  grant_expired: 'Your sign-in is over: sign in again.',
  grant_revoked: 'This sign-in was ended by the operator.',
  token_revoked: 'The access of this viewer was ended by the operator.',
  token_expired: 'The access is over: sign in again.',
  token_concurrency: 'This account watches on too many devices: stop one of them.',
  token_requests: 'Too much is loaded at once with this access.',
  token_network: 'Your network is another than when you signed in: sign in again.',
  country: 'This stream can not be watched from where you are.',
  grant_domain: 'The node takes no sign-ins from this page\'s address.',
  no_sign_in: 'There is nothing here to sign in to.',
  closed: 'The stream is closed: its operator has to look.',
  too_many_grants: 'Too many sign-ins from your network or for this stream.',
  proof_time: 'The clock of this device is wrong: set it right, and sign in again.',
};

// EIP-1193's code; the Wallet Standard has none, only words.
export const isDeclined = (error) => error?.code === 4001 || error?.code === 'ACTION_REJECTED' ||
  /reject|denied|decline|cancel/i.test(error?.message ?? '');

function ofWallet(error) {
  if (error instanceof WalletFault) return error.message;
  if (isDeclined(error)) return 'You declined in the wallet: nothing was signed, and you can try again.';
  if (error?.code === -32002) return 'The wallet is waiting for you: open it and answer there.';
  if (error?.code === 4900 || error?.code === 4901) return 'The wallet has no connection to its network.';
  if (error instanceof TypeError) return 'The node can not be reached: look to your connection.';
  return `The wallet did not sign: ${error?.message ?? error}`;
}

// When to ask again, where the node said so.
const later = (seconds) => (seconds > 0 ? ` Try again in ${seconds} s.` : '');

// `status`, `reason`, `retry_s`: of an answer with an error.
export function wordsOf({ status, reason, detail, retry_s: retryS }) {
  const known = WORDS[reason] ?? (status === 429 ? 'Too much at once.'
    : status === 503 ? 'The node is busy.' : `The node refused: ${reason ?? status}. ${detail ?? ''}`);
  return known + later(retryS);
}

export const wordsOfError = (error) =>
  (error instanceof Refused ? wordsOf(error) : ofWallet(error));
