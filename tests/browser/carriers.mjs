// Where players put the token, in Chromium: each player by header, by cookie and by path. Run by ways.mjs.
import { runSteps } from './stage.mjs';

const PLAYERS = ['hls', 'dash', 'shaka', 'shaka-hls'];

// Plays two seconds with what `carrier` is, in a page that has a session; tells what it saw.
async function played([player, carrier]) {
  const [{ Viewer }, { players }, wallets] = await Promise.all(
    ['./signin.mjs', './players.mjs', './wallets.mjs'].map((name) => import(new URL(name, location.href))));
  const viewer = new Viewer({ path: '/show/', cookie: carrier === 'cookie' });
  const way = await new Promise((resolve) => {
    wallets.watch((one) => { if (one.alg === 'siwe') resolve(one); });
  });
  if (carrier !== 'nothing') await viewer.signIn(await way.connect());
  document.querySelector('video')?.remove();
  const video = document.createElement('video');
  video.muted = true;
  document.body.append(video);
  const seen = { segments: 0, statuses: [] };
  await players[player]({
    video,
    base: carrier === 'path' ? `${viewer.prefix}/show/` : '/show/',
    token: () => (carrier === 'header' ? viewer.token : null),
    refused: (status) => seen.statuses.push(status),
    loaded: () => { seen.segments += 1; },
  });
  video.play().catch(() => {});
  const until = Date.now() + 15000;
  while (video.currentTime < 2 && seen.statuses.length === 0 && Date.now() < until) {
    await new Promise((resolve) => { setTimeout(resolve, 100); });
  }
  return { ...seen, position_s: video.currentTime };
}

export async function carriers(browser, urls, report) {
  const steps = {};
  const carried = async (player, carrier) => {
    // The cookie is Secure.
    const context = await browser.newContext({ ignoreHTTPSErrors: true });
    const page = await context.newPage();
    const asked = [];
    page.on('request', (request) => {
      if (request.url().includes('/show/')) asked.push(request);
    });
    await page.goto(new URL('sign.html', urls.page_tls).href);
    await page.waitForSelector('#wallets button', { state: 'attached' });
    const seen = await page.evaluate(played, [player, carrier]);
    const media = asked.filter((request) => /\.(m3u8|mpd|m4s|mp4)$/.test(new URL(request.url()).pathname));
    const by = await Promise.all(media.map(async (request) => {
      const fields = await request.allHeaders();
      return { header: 'cta-common-access-token' in fields,
        cookie: /CTA-Common-Access-Token=/.test(fields.cookie ?? ''),
        path: new URL(request.url()).pathname.startsWith('/cat:') };
    }));
    await context.close();
    return { seen, by };
  };
  for (const player of PLAYERS) {
    steps[`${player}: without a token it is refused`] = async () => {
      const { seen } = await carried(player, 'nothing');
      if (seen.statuses[0] !== 401 || seen.segments > 0) throw new Error(JSON.stringify(seen));
    };
    for (const carrier of ['header', 'cookie', 'path']) {
      steps[`${player}: every request carries the token by ${carrier}, and by nothing else`] = async () => {
        const { seen, by } = await carried(player, carrier);
        if (seen.position_s < 2 || seen.segments < 1) throw new Error(JSON.stringify(seen));
        const wrong = by.filter((one) => Object.entries(one).some(([name, is]) => is !== (name === carrier)));
        if (by.length < 3 || wrong.length > 0) throw new Error(`${by.length}: ${JSON.stringify(wrong)}`);
      };
    }
  }
  await runSteps({ on() {} }, 'carriers', steps, report);
}
