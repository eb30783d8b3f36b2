// The viewer's side of a multisig's sign-in: asks the node what is to be signed, has the members
// sign it (sign.html), counts their answers, and hands the whole to the node. What is gathered is
// kept over a reload.
import { copyOf, el, show } from './dom.mjs';
import { forget, load, save } from './session.mjs';
import { decodeAnswers, encodeRequest, vaultOf, vaultSignature } from './squads.mjs';

const SOLANA = 'solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp';

// `finish(pending, signed)` signs in, false: refused; `fault(error)` tells what went wrong, null: nothing.
export class Multisig {
  constructor({ viewer, finish, fault }) {
    Object.assign(this, { viewer, finish, fault });
    this.name = `${viewer.name} multisig`;
    this.gathered = null; // {multisig, index, needed, vault, pending, answers}
    const on = (id, event, act) => el(id).addEventListener(event, (what) => {
      what.preventDefault();
      this.fault(null);
      act().catch(this.fault);
    });
    on('multisig-ask', 'submit', () => this.ask());
    on('multisig-paste', 'submit', () => this.paste());
    on('multisig-copy', 'click', () => copyOf(el('multisig-link')));
    on('multisig-stop', 'click', () => this.stop());
  }

  // With what an earlier page gathered, if there is still time.
  async resume() {
    this.gathered = await load(this.name) ?? null;
    if (this.gathered && this.left() < 0) await this.stop();
    this.show();
  }

  left() {
    return this.gathered.pending.challenge.sign_before - Date.now() / 1000;
  }

  async ask() {
    const multisig = el('multisig-address').value.trim();
    const index = Number(el('multisig-index').value);
    const needed = Number(el('multisig-needed').value);
    const vault = await vaultOf(multisig, index);
    const pending = await this.viewer.begin({ account: `${SOLANA}:${vault}`, alg: 'on-chain' });
    this.gathered = { multisig, index, needed, vault, pending, answers: [] };
    await this.kept();
  }

  async paste() {
    const { text } = this.gathered.pending.challenge;
    const answers = await decodeAnswers(el('multisig-answers').value, text);
    await this.add(answers);
    el('multisig-answers').value = '';
  }

  // A member's wallet that is in this very browser.
  async signHere(way) {
    const wallet = await way.connect('on-chain');
    const { signature } = await wallet.sign(this.gathered.pending.challenge);
    await this.add([{ member: wallet.account.split(':')[2], signature }]);
  }

  async add(answers) {
    const { gathered } = this;
    const others = gathered.answers.filter(({ member }) => answers.every((one) => one.member !== member));
    const last = new Map(answers.map((one) => [one.member, one])); // who answers twice counts once
    gathered.answers = [...others, ...last.values()];
    await this.kept();
    if (gathered.answers.length < gathered.needed) return;
    const signature = vaultSignature(gathered.multisig, gathered.index, gathered.answers);
    if (await this.finish(gathered.pending, { signature })) await this.stop();
  }

  async kept() {
    await save(this.name, this.gathered);
    this.show();
  }

  async stop() {
    this.gathered = null;
    await forget(this.name);
    this.show();
  }

  offer(way) {
    const button = document.createElement('button');
    button.type = 'button';
    button.textContent = way.wallet;
    button.onclick = () => this.signHere(way).catch(this.fault);
    el('multisig-own').append(button);
  }

  show() {
    const { gathered } = this;
    el('multisig-ask').hidden = gathered !== null;
    el('multisig-gather').hidden = gathered === null;
    if (!gathered) return;
    const { multisig, index, needed, vault, answers, pending: { challenge } } = gathered;
    const code = encodeRequest({ multisig, index, text: challenge.text, until: challenge.sign_before });
    el('multisig').open = true;
    el('multisig-link').value = new URL(`sign.html#${code}`, location.href);
    show('multisig-vault', vault);
    el('multisig-members').replaceChildren(...answers.map(({ member }) => {
      const line = document.createElement('li');
      line.textContent = `signed by ${member}`;
      return line;
    }));
    const until = new Date(challenge.sign_before * 1000).toLocaleTimeString();
    show('multisig-count', `${answers.length} of ${needed} signatures; to be complete before ${until}`);
  }
}
