// The live feed: WebSocket, else server-sent events, else asking each second. Owns: which of them is
// used, the last id that was seen, and who hears of which topic. Never: elements.
// Start reading at `start`.

import { Signal } from './core.js';
import { api, feedIsLive, refreshAll, reachable, signedOut } from './store.js';

const OPEN_MS = 3000;
const SILENCE_MS = 30_000;
const POLL_MS = 1000;
const RETRY_BEST_MS = 60_000;
const BACK_OFF_MS = 400;
const BACK_OFF_MAX_MS = 15_000;
const AWAY_MS = 60_000;
const FAILURES_PER_TIER = 2;

/** @typedef {'ws' | 'sse' | 'poll' | 'none'} Tier `none`: this server has no feed; pages ask again. */

/** @type {Signal<Tier>} */
export const tier = new Signal(/** @type {Tier} */ ('none'));
/** @type {Signal<'connecting' | 'live' | 'reconnecting'>} */
export const state = new Signal(/** @type {any} */ ('connecting'));

const TIERS = /** @type {Tier[]} */ (['ws', 'sse', 'poll']);
let rank = 0;
let failures = 0;
let tries = 0;
let lastId = '';
let lastHeard = 0;
let generation = 0;
let hiddenAt = 0;
/** @type {(() => void) | null} */
let hangUp = null;
/** @type {any} */
let again = null;

/** @type {Set<(type: string, data: any) => void>} */
const listeners = new Set();

/**
 * Hears every frame.
 * @param {(type: string, data: any) => void} listener
 */
export function listen(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** @param {{id?: string | number, type?: string, data?: any}} frame */
function take(frame) {
  lastHeard = Date.now();
  if (frame.type === 'reset') {
    // Our last id has left the server's memory: only asking for everything closes the gap.
    lastId = String(frame.id ?? '');
    refreshAll();
    return;
  }
  if (frame.id !== undefined) lastId = String(frame.id);
  if (!frame.type || frame.type === 'heartbeat' || frame.type === 'hello') return;
  for (const listener of listeners) listener(frame.type, frame.data);
  refreshAll(topicOf(frame.type));
}

/**
 * Frames are named like `incident.opened`; resources go by the plural.
 * @param {string} type
 */
export function topicOf(type) {
  const first = type.split(/[._:/]/)[0];
  return first.endsWith('s') || first === 'config' ? first : `${first}s`;
}

/** @param {string} text */
function takeText(text) {
  try {
    const frame = JSON.parse(text);
    for (const one of Array.isArray(frame) ? frame : [frame]) take(one);
  } catch {
    // A frame that cannot be read is one that we do not know.
  }
}

/** The address with the id to go on from. @param {string} path */
const since = (path) => `${path}${lastId ? `?since=${encodeURIComponent(lastId)}` : ''}`;

/**
 * @param {() => void} opened
 * @param {() => void} lost
 * @returns {() => void}
 */
function webSocket(opened, lost) {
  const url = new URL(since('/api/v1/live'), location.href);
  url.protocol = url.protocol.replace('http', 'ws');
  const socket = new WebSocket(url);
  const timer = setTimeout(() => socket.close(), OPEN_MS);
  socket.onopen = () => {
    clearTimeout(timer);
    opened();
  };
  socket.onmessage = (event) => takeText(event.data);
  socket.onclose = () => {
    clearTimeout(timer);
    lost();
  };
  return () => {
    clearTimeout(timer);
    socket.onclose = null;
    socket.close();
  };
}

/**
 * @param {() => void} opened
 * @param {() => void} lost
 * @returns {() => void}
 */
function events(opened, lost) {
  const source = new EventSource(since('/api/v1/live/events'));
  source.onopen = opened;
  source.onmessage = (event) => {
    if (event.lastEventId) lastId = event.lastEventId;
    takeText(event.data);
  };
  source.onerror = () => {
    // The browser would try again by itself, at its own pace and never by another way.
    source.close();
    lost();
  };
  return () => source.close();
}

/**
 * @param {() => void} opened
 * @param {() => void} lost
 * @returns {() => void}
 */
function polling(opened, lost) {
  const stop = new AbortController();
  /** @type {any} */
  let timer = null;
  let known = false;
  const ask = async () => {
    try {
      const answer = await api(since('live/poll'), { signal: stop.signal });
      if (!known) opened();
      known = true;
      lastHeard = Date.now();
      for (const frame of answer.events ?? answer.frames ?? answer ?? []) take(frame);
      if (answer.next !== undefined) lastId = String(answer.next);
      timer = setTimeout(ask, POLL_MS);
    } catch {
      if (!stop.signal.aborted) lost();
    }
  };
  ask();
  return () => {
    clearTimeout(timer);
    stop.abort();
  };
}

function connect() {
  hangUp?.();
  clearTimeout(again);
  generation += 1;
  const mine = generation;
  const use = TIERS[rank];
  const way = { ws: webSocket, sse: events, poll: polling, none: polling }[use];
  const opened = () => {
    if (mine !== generation) return;
    failures = 0;
    tries = 0;
    lastHeard = Date.now();
    tier.value = use;
    state.value = 'live';
    feedIsLive.value = true;
  };
  const lost = () => {
    if (mine !== generation) return;
    failures += 1;
    if (failures >= FAILURES_PER_TIER && rank < TIERS.length - 1) {
      rank += 1;
      failures = 0;
    }
    retry();
  };
  try {
    hangUp = way(opened, lost);
  } catch {
    lost();
  }
}

function retry() {
  hangUp?.();
  hangUp = null;
  feedIsLive.value = false;
  // Trying the ways one after another at the start is no loss of anything.
  if (state.value === 'live') state.value = 'reconnecting';
  tries += 1;
  clearTimeout(again);
  again = setTimeout(connect, Math.random() * Math.min(BACK_OFF_MAX_MS, BACK_OFF_MS * 2 ** tries));
}

/** Goes by the best way again, if it is open; until that is known, nothing is hung up. */
function best() {
  if (state.value !== 'live' || tier.value === 'none') {
    if (!hangUp) begin();
    return;
  }
  if (tier.value === 'ws') return;
  const stop = webSocket(() => {
    stop();
    rank = 0;
    failures = 0;
    connect();
  }, () => {});
}

/** The snapshot says whether there is a feed, and from which id it goes on. */
async function begin() {
  if (signedOut.value) return;
  clearTimeout(again);
  try {
    const snapshot = await api('overview');
    lastId = String(snapshot.live_id ?? snapshot.id ?? '');
    connect();
  } catch (error) {
    const missing = /** @type {any} */ (error).missing;
    if (missing) tier.value = 'none';
    state.value = missing ? 'live' : 'reconnecting';
    if (!missing) again = setTimeout(begin, Math.random() * Math.min(BACK_OFF_MAX_MS, BACK_OFF_MS * 2 ** ++tries));
  }
}

/** Connects, and stays so. */
export function start() {
  begin();
  setInterval(best, RETRY_BEST_MS);
  setInterval(() => {
    if (feedIsLive.value && Date.now() - lastHeard > SILENCE_MS) retry();
  }, 5000);
  addEventListener('online', best);
  reachable.watch(() => {
    if (tier.value !== 'none') return;
    state.value = reachable.value ? 'live' : 'reconnecting';
  });
  signedOut.watch(() => {
    if (!signedOut.value) begin();
  });
  document.addEventListener('visibilitychange', () => {
    if (document.hidden) hiddenAt = Date.now();
    else if (Date.now() - hiddenAt > AWAY_MS) refreshAll();
  });
}
