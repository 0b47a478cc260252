// The live feed: WebSocket, else server-sent events, else asking each second. Owns: which of them is
// used, the last id that was seen, and who hears of which topic. Never: elements.
// Start reading at `start`.

import { Signal } from './core.js';
import { api, feedIsLive, overview, parameters, refreshAll, signedOut, tellAll } from './store.js';

const OPEN_MS = 3000;
const THERE_MS = 2000;
const SILENCE_MS = 30_000;
/** The server holds each question for a second, or until there is something. */
const POLL_MS = 200;
const RETRY_BEST_MS = 60_000;
const RETRY_SOON_MS = 2000;
const BACK_OFF_MS = 400;
const BACK_OFF_MAX_MS = 15_000;
const AWAY_MS = 60_000;
const FAILURES_PER_TIER = 2;

/** @typedef {'ws' | 'sse' | 'poll'} Tier */

/** @type {Signal<Tier>} */
export const tier = new Signal(/** @type {Tier} */ ('ws'));
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
let hadBest = false;
/** How long until the best way is tried again after another worked. */
let soon = RETRY_SOON_MS;
/** @type {(() => void) | null} */
let hangUp = null;
/** @type {any} */
let again = null;

/** What every page wants to hear of; log lines only come to who asks for them. */
const TOPICS = ['overview', 'metrics', 'checks', 'incidents', 'rules', 'experiments', 'features', 'deliveries', 'config'];

/** @type {Set<(type: string, data: any, skipped: number) => void>} */
const listeners = new Set();

/**
 * Hears every frame; `skipped` log lines were left out of it.
 * @param {(type: string, data: any, skipped: number) => void} listener
 */
export function listen(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** What the server's filter of lines knows: level, source, feature, environment, trace_id, user_id, q, regex, case. @typedef {Record<string, string | boolean>} LogFilter */
/** The log lines that are wanted, or null. @type {LogFilter | null} */
let logFilter = null;
/** Says it to the server without connecting anew, where the way allows it. @type {((filter: LogFilter | null) => void) | null} */
let say = null;

/** Wants log lines, other ones, or none any more. @param {LogFilter | null} filter */
export function wantLogs(filter) {
  logFilter = filter;
  if (say) say(filter);
  else if (hangUp) connect();
}

/** What a subscriber says on a WebSocket. @param {LogFilter | null} filter */
function words(filter) {
  return JSON.stringify(filter ? { subscribe: [...TOPICS, 'logs'], filter: { logs: filter } } : { subscribe: TOPICS });
}

/** @param {{id?: string | number, type?: string, data?: any, skipped?: number}} frame */
function take(frame) {
  lastHeard = Date.now();
  if (frame.type === 'reset') {
    // Our last id has left the server's memory: only asking for everything closes the gap.
    lastId = String(frame.id ?? '');
    refreshAll();
    return;
  }
  // A greeting says how far the server is. What we missed comes after it, so that we are not there yet.
  if (frame.type === 'hello') {
    lastId ||= String(frame.id ?? '');
    return;
  }
  if (frame.id !== undefined) lastId = String(frame.id);
  if (!frame.type || frame.type === 'heartbeat') return;
  for (const listener of listeners) listener(frame.type, frame.data, frame.skipped ?? 0);
  tellAll(topicOf(frame.type), frame.type, frame.data);
}

const PLURALS = /** @type {Record<string, string>} */ ({ delivery: 'deliveries', config: 'config', overview: 'overview', metrics: 'metrics', maintenance: 'maintenance' });

/**
 * Frames are named like `incident.opened`; resources go by the plural.
 * @param {string} type
 */
export function topicOf(type) {
  const first = type.split(/[._:/]/)[0];
  return PLURALS[first] ?? (first.endsWith('s') ? first : `${first}s`);
}

/** @param {string} text */
function takeText(text) {
  let frame;
  try {
    frame = JSON.parse(text);
  } catch {
    // A frame that cannot be read is one that we do not know.
    return;
  }
  take(frame);
}

/** The address with the id to go on from. @param {string} path @param {boolean} [all] with what is wanted, where it cannot be said later */
function since(path, all = true) {
  const wanted = all ? { topics: [...TOPICS, ...(logFilter ? ['logs'] : [])].join(','), ...(logFilter ?? {}) } : {};
  const query = parameters({ since: lastId, ...wanted }).toString();
  return query ? `${path}?${query}` : path;
}

/**
 * @param {() => void} opened
 * @param {() => void} lost
 * @param {boolean} [probing] only to see whether it opens
 * @returns {() => void}
 */
function webSocket(opened, lost, probing = false) {
  const url = new URL(since('/api/v1/live', !probing), location.href);
  url.protocol = url.protocol.replace('http', 'ws');
  const socket = new WebSocket(url);
  const timer = setTimeout(() => socket.close(), OPEN_MS);
  let heard = false;
  if (!probing) {
    say = (filter) => {
      // What is wanted before it is open stands in the address.
      if (socket.readyState === WebSocket.OPEN) socket.send(filter ? words(filter) : JSON.stringify({ unsubscribe: ['logs'] }));
      else connect();
    };
  }
  // Only the greeting shows that the way is open: some proxies accept what they then drop or hold back.
  socket.onmessage = (event) => {
    if (!heard) {
      heard = true;
      clearTimeout(timer);
      opened();
    }
    if (!probing) takeText(event.data);
  };
  socket.onclose = () => {
    clearTimeout(timer);
    lost();
  };
  return () => {
    clearTimeout(timer);
    if (!probing) say = null;
    socket.onclose = null;
    socket.onmessage = null;
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
  let heard = false;
  const fail = () => {
    // The browser would try again by itself, at its own pace and never by another way.
    clearTimeout(timer);
    source.close();
    lost();
  };
  const timer = setTimeout(fail, OPEN_MS);
  source.onmessage = (event) => {
    if (!heard) {
      heard = true;
      clearTimeout(timer);
      opened();
    }
    takeText(event.data);
  };
  source.onerror = fail;
  return () => {
    clearTimeout(timer);
    source.close();
  };
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

/** Whether vedette answers at all. */
async function isThere() {
  try {
    return (await fetch('/-/healthy', { cache: 'no-store', signal: AbortSignal.timeout(THERE_MS) })).ok;
  } catch {
    return false;
  }
}

function connect() {
  hangUp?.();
  clearTimeout(again);
  generation += 1;
  const mine = generation;
  const use = TIERS[rank];
  const way = { ws: webSocket, sse: events, poll: polling }[use];
  const opened = () => {
    if (mine !== generation) return;
    failures = 0;
    tries = 0;
    lastHeard = Date.now();
    tier.value = use;
    // What worked before does so again, most likely: vedette itself was away, and not the way to it.
    if (use === 'ws') {
      hadBest = true;
      soon = RETRY_SOON_MS;
    } else if (hadBest) setTimeout(best, soon);
    state.value = 'live';
    feedIsLive.value = true;
  };
  const lost = async () => {
    if (mine !== generation) return;
    // While vedette is away, that a way fails says nothing of the way.
    const there = await isThere();
    if (mine !== generation) return;
    if (there) failures += 1;
    if (failures >= FAILURES_PER_TIER) {
      rank = (rank + 1) % TIERS.length;
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
  if (signedOut.value) return;
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
  if (state.value !== 'live') {
    if (!hangUp) begin();
    return;
  }
  if (tier.value === 'ws') return;
  const stop = webSocket(() => {
    stop();
    rank = 0;
    failures = 0;
    connect();
  }, () => {
    if (!hadBest) return;
    soon = Math.min(2 * soon, RETRY_BEST_MS);
    setTimeout(best, soon);
  }, true);
}

/** The snapshot says from which id the feed goes on. */
async function begin() {
  if (signedOut.value) return;
  clearTimeout(again);
  try {
    const snapshot = await api('overview');
    overview.data = snapshot;
    overview.changed.value += 1;
    lastId = String(snapshot.live_id ?? '');
    connect();
  } catch (error) {
    // Who is not let in is asked to sign in; that is no lost connection.
    const { status } = /** @type {any} */ (error);
    if (status === 401 || status === 403) return;
    if (status !== 0) {
      // Without a snapshot the feed goes on from where it is.
      connect();
      return;
    }
    state.value = 'reconnecting';
    again = setTimeout(begin, Math.random() * Math.min(BACK_OFF_MAX_MS, BACK_OFF_MS * 2 ** ++tries));
  }
}

/** Connects, and stays so. What is asked for after this has answered misses nothing: the feed goes on from before it. */
export async function start() {
  const first = begin();
  setInterval(best, RETRY_BEST_MS);
  setInterval(() => {
    if (feedIsLive.value && Date.now() - lastHeard > SILENCE_MS) retry();
  }, 5000);
  addEventListener('online', best);
  signedOut.watch(() => {
    if (!signedOut.value) {
      begin();
      return;
    }
    hangUp?.();
    hangUp = null;
    feedIsLive.value = false;
    clearTimeout(again);
  });
  document.addEventListener('visibilitychange', () => {
    if (document.hidden) hiddenAt = Date.now();
    else if (Date.now() - hiddenAt > AWAY_MS) refreshAll();
  });
  await first;
}
