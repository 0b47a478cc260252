// What the page knows of the server. Owns: every request, and the data that pages share.
// Never: elements. Start reading at `api` and `Resource`.

import { Signal } from './core.js';

/** An error that the server answered, or that kept it from answering. */
export class ApiError extends Error {
  /**
   * @param {string} message
   * @param {number} status 0 when nobody answered
   */
  constructor(message, status) {
    super(message);
    this.status = status;
  }

  /** Whether this server has no such part at all. */
  get missing() {
    return this.status === 404 && /there is no "\/api|not (yet )?here/.test(this.message);
  }
}

/** Set while the server asks who we are. */
export const signedOut = new Signal(false);

/**
 * Asks the server. Answers the whole envelope.
 * @param {string} path below /api/v1/
 * @param {{method?: string, body?: any, form?: Record<string, any>, signal?: AbortSignal, headers?: Record<string, string>}} [options]
 * @returns {Promise<any>}
 */
export async function call(path, { method = 'GET', body, form, signal, headers = {} } = {}) {
  const init = /** @type {RequestInit} */ ({ method, signal, headers: { ...headers }, credentials: 'same-origin' });
  if (body !== undefined) {
    init.body = JSON.stringify(body);
    /** @type {any} */ (init.headers)['Content-Type'] = 'application/json';
  } else if (form) {
    init.method = 'POST';
    init.body = parameters(form);
  }
  let response;
  try {
    response = await fetch(path.startsWith('/') ? path : `/api/v1/${path}`, init);
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new ApiError('vedette does not answer', 0);
  }
  const text = await response.text();
  let answer;
  try {
    answer = text ? JSON.parse(text) : {};
  } catch {
    answer = { error: text.slice(0, 300) };
  }
  if (response.status === 401) signedOut.value = true;
  if (!response.ok) throw new ApiError(answer.error ?? `${response.status} ${response.statusText}`, response.status);
  return answer;
}

/**
 * Asks the server for data.
 * @param {string} path
 * @param {Parameters<typeof call>[1]} [options]
 * @returns {Promise<any>}
 */
export async function api(path, options) {
  return (await call(path, options)).data;
}

/** @param {Record<string, any>} values */
export function parameters(values) {
  const out = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) {
    if (value === undefined || value === null || value === '') continue;
    for (const one of Array.isArray(value) ? value : [value]) out.append(name, String(one));
  }
  return out;
}

/**
 * Series over time, in seconds. A query goes as a form, so that its length has no bound.
 * @param {string} query
 * @param {number} start
 * @param {number} end
 * @param {number} step
 * @param {AbortSignal} [signal]
 */
export async function range(query, start, end, step, signal) {
  const data = await api('query_range', { form: { query, start, end, step }, signal });
  return /** @type {{metric: Record<string, string>, values: [number, string][]}[]} */ (data.result ?? []);
}

/**
 * @param {string} query
 * @param {AbortSignal} [signal]
 */
export async function instant(query, signal) {
  const data = await api('query', { form: { query }, signal });
  return /** @type {{metric: Record<string, string>, value: [number, string]}[]} */ (data.result ?? []);
}

/**
 * Data that is asked for again and again while somebody looks.
 * @template T
 */
export class Resource {
  /**
   * @param {(signal: AbortSignal) => Promise<T>} ask
   * @param {number} every milliseconds between two times
   * @param {string[]} [topics] of the live feed after which it is asked for anew
   * @param {(data: T, type: string, frame: any) => T | undefined} [patch] what a frame makes of the data; undefined where only asking tells
   */
  constructor(ask, every, topics = [], patch = undefined) {
    this.ask = ask;
    this.every = every;
    this.topics = topics;
    this.patch = patch;
    /** Whether asking again and again can be left out for now. @type {(() => boolean) | null} */
    this.idle = null;
    /** When it was asked for last, and what asks again soon. */
    this.askedAt = 0;
    /** @type {any} */
    this.soon = null;
    /** @type {T | undefined} */
    this.data = undefined;
    /** @type {ApiError | null} */
    this.error = null;
    this.changed = new Signal(0);
    this.users = 0;
    /** @type {any} */
    this.timer = null;
    /** @type {AbortController | null} */
    this.running = null;
    this.again = false;
    /** Frames that came while it was asked: the answer may be older than they are. @type {[string, any][]} */
    this.meanwhile = [];
  }

  /**
   * Asks as long as it is in use.
   * @param {() => void} watcher
   * @returns {() => void} which ends the use
   */
  use(watcher) {
    const stop = this.changed.watch(watcher);
    this.users += 1;
    if (this.users === 1) {
      all.add(this);
      this.refresh();
    }
    return () => {
      stop();
      this.users -= 1;
      if (this.users > 0) return;
      all.delete(this);
      clearTimeout(this.timer);
      clearTimeout(this.soon);
      this.soon = null;
      this.running?.abort();
      this.running = null;
    };
  }

  /**
   * Takes up a frame of the live feed: as it is where it says all, else by asking, which many frames
   * share.
   * @param {string} type
   * @param {any} frame
   */
  hear(type, frame) {
    const before = this.data;
    if (this.take(type, frame)) {
      if (this.data === before) return;
      this.changed.value += 1;
      if (!this.running) return;
      if (this.meanwhile.length < MEANWHILE_MAX) this.meanwhile.push([type, frame]);
      else this.again = true;
      return;
    }
    if (this.soon) return;
    const wait = Math.max(0, this.askedAt + BETWEEN_MS - Date.now());
    if (!wait) {
      this.refresh();
      return;
    }
    this.soon = setTimeout(() => {
      this.soon = null;
      this.refresh();
    }, wait);
  }

  /** Whether the frame says all that there is to know. @param {string} type @param {any} frame */
  take(type, frame) {
    const now = this.data === undefined ? undefined : this.patch?.(this.data, type, frame);
    if (now !== undefined) this.data = now;
    return now !== undefined;
  }

  /** Asks now. Requests never overlap: one that is wanted meanwhile follows. */
  async refresh() {
    if (this.running) {
      this.again = true;
      return;
    }
    clearTimeout(this.timer);
    const running = new AbortController();
    this.running = running;
    this.again = false;
    this.meanwhile = [];
    this.askedAt = Date.now();
    try {
      this.data = await this.ask(running.signal);
      this.error = null;
      for (const [type, frame] of this.meanwhile) if (!this.take(type, frame)) this.again = true;
      this.meanwhile = [];
    } catch (error) {
      if (running.signal.aborted) return;
      this.error = /** @type {ApiError} */ (error);
      if (!(error instanceof ApiError)) reportError(error);
    }
    this.running = null;
    this.changed.value += 1;
    if (this.users === 0) return;
    if (this.again) {
      this.refresh();
      return;
    }
    const slower = this.error?.missing ? 12 : 1;
    this.timer = setTimeout(() => this.poll(), this.every * slower * pace());
  }

  /** Asks again because time has passed, unless that is of no use now. */
  poll() {
    if (this.idle?.()) this.timer = setTimeout(() => this.poll(), this.every);
    else this.refresh();
  }
}

/** @type {Set<Resource<any>>} */
const all = new Set();

/** Frames make a resource be asked for at most this often. */
const BETWEEN_MS = 1000;
/** Frames that are kept until an answer is there; where there are more it is asked for again. */
const MEANWHILE_MAX = 1000;

/** Polling slows down while the feed tells of changes, and stops being worth much while nobody looks. */
function pace() {
  if (document.hidden) return 6;
  return feedIsLive.value ? 4 : 1;
}

/** Whether the live feed tells of changes as they happen. */
export const feedIsLive = new Signal(false);

/** Asks again for everything that somebody looks at. */
export function refreshAll() {
  for (const resource of all) resource.refresh();
}

/**
 * Hands a frame of the live feed to what belongs to its topic.
 * @param {string} topic
 * @param {string} type
 * @param {any} data
 */
export function tellAll(topic, type, data) {
  for (const resource of all) {
    if (resource.topics.includes(topic)) resource.hear(type, data);
  }
}

/** Asks again for what could not be read. */
export function refreshFailed() {
  for (const resource of all) if (resource.error) resource.refresh();
}

/** Key figures, counts and the id from which the live feed goes on. */
export const overview = new Resource((signal) => api('overview', { signal }), 10_000, ['overview'], (data, type, frame) => (type.startsWith('overview') && frame?.metrics ? { ...data, ...frame } : undefined));

/**
 * For data of one object: leaves frames of others alone.
 * @param {string} name
 * @param {string} [key] the field of frames that names it
 * @returns {(data: any, type: string, frame: any) => any}
 */
export const only = (name, key = 'name') => (data, type, frame) => (frame?.[key] !== undefined && String(frame[key]) !== name ? data : undefined);

/** A result says how its check is now. @param {any[]} list @param {string} type @param {any} frame */
export function withResult(list, type, frame) {
  if (type !== 'check.result' || !frame?.check_status || !list.some((one) => one.name === frame.name)) return undefined;
  return list.map((one) => (one.name !== frame.name ? one : { ...one, status: one.status === 'paused' ? 'paused' : frame.check_status, response_time_ms: frame.response_time_ms, last_result: { ...one.last_result, at: frame.at, status: frame.status, error: frame.error } }));
}

/** A frame of an incident has all of it. @param {any[]} list @param {string} type @param {any} frame */
function withIncident(list, type, frame) {
  if (!type.startsWith('incident.') || !frame?.status) return undefined;
  const { entry: _, ...now } = frame;
  const before = list.find((one) => one.id === now.id);
  if (before && before.version > now.version) return list;
  const past = (/** @type {any} */ one) => Number(one.status === 'resolved');
  return [{ ...before, ...now }, ...list.filter((one) => one !== before)].toSorted((a, b) => past(a) - past(b) || b.number - a.number);
}

/** Shared by the rail, the overview and the lists. */
export const checks = new Resource((signal) => api('checks?limit=1000', { signal }), 5000, ['checks', 'config'], withResult);
export const incidents = new Resource(
  async (signal) => {
    const [open, past] = await Promise.all([
      api('incidents?status=open,acknowledged&limit=200', { signal }),
      api('incidents?status=resolved&limit=100', { signal }),
    ]);
    return [...open, ...past];
  },
  5000,
  ['incidents'],
  withIncident,
);
export const rules = new Resource(async (signal) => (await api('rules', { signal })).groups, 10_000, ['rules', 'config']);
export const experiments = new Resource((signal) => api('experiments?limit=200', { signal }), 10_000, ['experiments']);
