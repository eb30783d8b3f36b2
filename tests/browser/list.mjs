// An allow list in Chromium: the page fetches the proof of its place and sends it along. Run by ways.mjs.
import { endsBy, runSteps, until } from './stage.mjs';
import { LIFETIME_S, ask, found, playsOn, plays, refusedToSignIn, signIn, staysIn } from './viewer.mjs';

// The answers of the origin to the page's questions for proofs, as they come.
function proofsOf(page) {
  const statuses = [];
  page.on('response', (answer) => {
    if (answer.url().includes('/player/proofs/')) statuses.push(answer.status());
  });
  return statuses;
}

export async function list(browser, urls, report) {
  const contexts = [await browser.newContext(), await browser.newContext()];
  const [page, other] = await Promise.all(contexts.map((context) => context.newPage()));
  const asked = proofsOf(page);
  for (const one of [page, other]) await one.goto(urls.page_wallet);
  const countAs = (status, least) => {
    const count = asked.filter((one) => one === status).length;
    if (count < least) throw new Error(`answers for proofs: ${asked}`);
    return count;
  };
  await runSteps(page, 'list', {
    async 'who is on no list has no proof, and is refused'() {
      await refusedToSignIn(page, 'siwe');
      countAs(404, 1);
    },
    async 'who was put on it signs in with the proof'() {
      await refusedToSignIn(other, 'siwe'); // that the page knows its account
      await ask(other, 'buy');
      await ask(page, 'buy');
      if (!await signIn(page, 'siwe')) throw new Error('it was not let in');
      countAs(200, 1);
      await plays(page);
    },
    async 'renewals send it again'() {
      const before = countAs(200, 1);
      await staysIn(page);
      countAs(200, before + 1);
    },
    async 'a list with one more has another root: the page takes the new proof and plays on'() {
      const third = await browser.newContext();
      const late = await third.newPage();
      await late.goto(urls.page_wallet);
      await refusedToSignIn(late, 'siwe');
      await ask(late, 'buy');
      const { renewals } = await until(page, 'no state', 1, () => true);
      await until(page, 'no renewal', LIFETIME_S * 2, (s) => s.renewals > renewals);
      await playsOn(page, 3);
      await third.close();
    },
    'who is struck off is stopped within a segment': () => endsBy(page, 'transfer'),
    async 'the other one, who is on it still, gets in'() {
      await found(other);
      if (!await signIn(other, 'siwe')) throw new Error('it was not let in');
      await plays(other);
    },
  }, report);
  for (const context of contexts) await context.close();
}
