// The three players behind one shape:
//   open({video, base, token, refused, loaded}) -> {rendition(), stop(), start()}
// token(): the token for the next request, null where it travels in the path or a cookie;
// refused(status): the node said no; loaded(url): a media segment came. Buffers are small, so that a refusal is met soon after it is made.

const HEADER = 'CTA-Common-Access-Token';
const BUFFER_S = 8;

function script(src) {
  return new Promise((resolve, reject) => {
    const element = document.createElement('script');
    element.src = src;
    element.onload = resolve;
    element.onerror = () => reject(new Error(`cannot load ${src}`));
    document.head.append(element);
  });
}

const isSegment = (url) => new URL(url, location.href).pathname.endsWith('.m4s');

async function openHls({ video, base, token, refused, loaded }) {
  await script('lib/hls.min.js');
  const hls = new window.Hls({
    maxBufferLength: BUFFER_S,
    maxMaxBufferLength: BUFFER_S,
    xhrSetup: (xhr) => { if (token()) xhr.setRequestHeader(HEADER, token()); },
  });
  hls.on(window.Hls.Events.ERROR, (_, data) => {
    if (data.response && data.response.code >= 400) refused(data.response.code);
  });
  hls.on(window.Hls.Events.FRAG_LOADED, (_, data) => loaded(data.frag.url));
  hls.loadSource(`${base}master.m3u8`);
  hls.attachMedia(video);
  return {
    rendition: () => hls.levels[hls.currentLevel]?.height,
    stop: () => hls.stopLoad(),
    start: () => hls.startLoad(),
  };
}

async function openDash({ video, base, token, refused, loaded }) {
  await script('lib/dash.all.min.js');
  const player = window.dashjs.MediaPlayer().create();
  player.updateSettings({
    streaming: {
      buffer: { bufferTimeDefault: BUFFER_S, bufferTimeAtTopQuality: BUFFER_S,
        bufferTimeAtTopQualityLongForm: BUFFER_S },
      retryAttempts: { MediaSegment: 0, InitializationSegment: 0, MPD: 0 },
    },
  });
  player.addRequestInterceptor((request) => {
    if (token()) request.headers = { ...request.headers, [HEADER]: token() };
    return Promise.resolve(request);
  });
  player.addResponseInterceptor((response) => {
    if (response.status >= 400) refused(response.status);
    else if (isSegment(response.request.url)) loaded(response.request.url);
    return Promise.resolve(response);
  });
  player.initialize(video, `${base}manifest.mpd`, true);
  return {
    rendition: () => player.getCurrentRepresentationForType('video')?.height,
    stop: () => player.pause(),
    start: () => {
      player.attachSource(`${base}manifest.mpd#t=${video.currentTime}`);
      player.play();
    },
  };
}

async function openShaka({ video, base, token, refused, loaded }, manifest) {
  await script('lib/shaka-player.compiled.js');
  window.shaka.polyfill.installAll();
  const player = new window.shaka.Player();
  await player.attach(video);
  player.configure({ streaming: { bufferingGoal: BUFFER_S, rebufferingGoal: 1,
    retryParameters: { maxAttempts: 1 } }, manifest: { retryParameters: { maxAttempts: 1 } } });
  const engine = player.getNetworkingEngine();
  engine.registerRequestFilter((_, request) => {
    if (token()) request.headers[HEADER] = token();
  });
  engine.registerResponseFilter((_, response) => {
    if (isSegment(response.uri)) loaded(response.uri);
  });
  const failed = (error) => {
    const badStatus = window.shaka.util.Error.Code.BAD_HTTP_STATUS;
    if (error.code === badStatus) refused(error.data[1]);
  };
  player.addEventListener('error', (event) => failed(event.detail));
  // Whole: of a path that begins with "/cat:" Shaka loses the beginning.
  player.load(new URL(`${base}${manifest}`, location.href).href).catch(failed);
  return {
    rendition: () => player.getVariantTracks().find((track) => track.active)?.height,
    stop: () => {},
    start: () => player.retryStreaming(),
  };
}

export const players = {
  hls: openHls,
  dash: openDash,
  shaka: (hooks) => openShaka(hooks, 'manifest.mpd'),
  'shaka-hls': (hooks) => openShaka(hooks, 'master.m3u8'),
};
