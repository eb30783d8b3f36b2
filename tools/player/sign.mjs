// The page of a multisig's member: shows what somebody asks to have signed, has the member's wallet
// sign it, and gives the answer to send back. The request is in the link's fragment, which no server sees.
import { copyOf, el, fault, show } from './dom.mjs';
import { wordsOfError } from './messages.mjs';
import { decodeRequest, encodeAnswer } from './squads.mjs';
import * as wallets from './wallets.mjs';

const CHAIN = 31337; // of the test wallet's other half
let request = null;

async function open(code) {
  fault(null);
  el('answer').hidden = true;
  try {
    request = await decodeRequest(code, location.host);
  } catch (error) {
    request = null;
    fault(error.message);
  }
  el('request').hidden = request === null;
  if (!request) return;
  el('open').hidden = true;
  show('host', location.host);
  show('multisig', request.multisig);
  show('vault', request.vault);
  show('text', request.text);
  show('until', new Date(request.until * 1000).toLocaleTimeString());
}

async function sign(way) {
  fault(null);
  if (request.until * 1000 < Date.now()) {
    fault('The time for this request is over: ask for another.');
    return;
  }
  try {
    const wallet = await way.connect('on-chain');
    const { signature } = await wallet.sign({ text: request.text });
    const member = wallet.account.split(':')[2];
    el('reply').value = encodeAnswer(member, signature);
    show('signed', `Signed by ${member}.`);
    el('answer').hidden = false;
    el('reply').select();
  } catch (error) {
    fault(wordsOfError(error));
  }
}

wallets.watch((way) => {
  if (way.alg !== 'solana-text') return;
  const button = document.createElement('button');
  button.textContent = way.wallet;
  button.onclick = () => sign(way);
  el('wallets').append(button);
});
el('open').onsubmit = (event) => {
  event.preventDefault();
  open(el('code').value.split('#').pop()); // of a code, or of the whole link
};
el('copy').onclick = () => copyOf(el('reply'));
window.addEventListener('hashchange', () => open(location.hash.slice(1)));
(await import('./testwallet.mjs')).install({ chain: CHAIN });
if (location.hash.length > 1) await open(location.hash.slice(1));
