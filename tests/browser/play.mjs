// Plays the gated stream in Chromium with each player, through a node: play.mjs BINARIES CACHE PORT
// BINARIES holds streamgated and sgctl; CACHE keeps the stream and the npm packages. Speaks TAP.
import path from 'node:path';
import { endsBy, main, runSteps, until } from './stage.mjs';

const [binaries, cache] = process.argv.slice(2, 4).map((name) => path.resolve(name));
const LIFETIME_S = 6;
const PLAYERS = ['hls', 'dash', 'shaka', 'shaka-hls'];

const advancesBy = (start, seconds) => (state) => state.position_s >= start + seconds;

const steps = {
  async 'the position advances and a rendition is chosen'(page) {
    await until(page, 'no playback', 15, (s) => s.position_s > 2 && s.rendition >= 360);
  },
  async 'the token is renewed in mid-play and playback goes on'(page) {
    const before = await until(page, 'no renewal', LIFETIME_S * 2, (s) => s.renewals >= 1);
    await until(page, 'stopped after the renewal', 10, advancesBy(before.position_s, 2));
    const after = await until(page, 'refused', 1, (s) => s.refusal === null);
    if (after.token_state !== 'valid') throw new Error(`token: ${after.token_state}`);
  },
  async 'a seek lands where it should and plays on'(page) {
    await page.evaluate(() => { window.streamgate.video.currentTime = 24; });
    await until(page, 'no playback after the seek', 15,
      (s) => s.position_s > 25 && s.position_s < 32);
  },
  'a revoked token stops it within a segment': (page) => endsBy(page, 'revoke'),
};

const saleSteps = {
  'the position advances': steps['the position advances and a rendition is chosen'],
  'a sale of the NFT stops it within a segment': (page) => endsBy(page, 'transfer'),
  async 'whoever sold it gets no new token'(page) {
    const renewed = await page.evaluate(() => window.streamgate.renew());
    if (renewed) throw new Error('a token was minted');
  },
};

async function play(browser, url, player, todo, report, over = '') {
  const page = await browser.newPage({ ignoreHTTPSErrors: true }); // the certificate is ours
  await page.goto(`${url}?player=${player}`);
  await runSteps(page, `${over}${player}`, todo, report);
  await page.close();
}

await main({
  binaries,
  cache,
  port: process.argv[4],
  more: ['--lifetime', String(LIFETIME_S)],
  async play(browser, urls, report) {
    for (const player of PLAYERS) await play(browser, urls.page, player, steps, report);
    await play(browser, urls.page_tls, 'hls', steps, report, 'over TLS, ');
    await play(browser, urls.page, 'hls', saleSteps, report);
  },
});
