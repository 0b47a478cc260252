// Bars of what happened: one per result or per span of time, low for fine, high for bad, so that
// state is told by height as well as colour. Also the small trend of a key figure.

import { h, render, schedule } from './core.js';
import { clock, percent, day, plural } from './format.js';

/** @typedef {'healthy' | 'degraded' | 'unhealthy' | 'unknown' | 'paused'} State */
/** @typedef {{state: State, text: string, at?: string}} Beat `at` where it is one result */

const PITCH = 5;
const PLACES_MAX = 90;
const CLASS = /** @type {Record<string, string>} */ ({ healthy: 'beat-h', degraded: 'beat-d', unhealthy: 'beat-u' });
const SHARE = /** @type {Record<string, number>} */ ({ healthy: 0.66, degraded: 0.84, unhealthy: 1 });

export class VBeats extends HTMLElement {
  constructor() {
    super();
    /** @type {Beat[]} */
    this.list = [];
    this.places = 0;
    this.width = 0;
    this.later = () => this.paint();
    this.observer = new ResizeObserver((entries) => {
      const { width } = entries[entries.length - 1].contentRect;
      if (width === this.width) return;
      this.width = width;
      schedule(this.later);
    });
  }

  /** Oldest first; `wide` bars fill the width however few there are. @param {{beats: Beat[], wide?: boolean, label: string}} value */
  set data(value) {
    this.list = value.beats;
    this.wide = value.wide ?? false;
    this.label = value.label;
    schedule(this.later);
  }

  connectedCallback() {
    this.observer.observe(this);
  }

  disconnectedCallback() {
    this.observer.disconnect();
  }

  paint() {
    if (!this.isConnected || !this.width) return;
    const height = this.classList.contains('tall') ? 40 : 22;
    const places = this.wide ? Math.max(1, this.list.length) : Math.max(1, Math.min(PLACES_MAX, Math.floor(this.width / PITCH)));
    const pitch = this.width / places;
    const bar = this.wide ? Math.max(1, Math.min(pitch - 2, pitch * 0.8, 16)) : Math.min(6, pitch * 0.6);
    const shown = this.list.slice(-places);
    const offset = (places - shown.length) * pitch;
    /** @type {Record<string, string>} */
    const paths = {};
    // Places without a result yet, so that bars of all checks begin at the same place.
    for (let i = 0; i < places - shown.length; i += 1) paths['beat-0'] = `${paths['beat-0'] ?? ''}${roundBar(i * pitch, height / 2 - 1.5, bar, 3)}`;
    shown.forEach((beat, i) => {
      const name = CLASS[beat.state] ?? 'beat-n';
      const size = height * (SHARE[beat.state] ?? 0.3);
      const x = offset + i * pitch;
      paths[name] = `${paths[name] ?? ''}${roundBar(x, (height - size) / 2, bar, size)}`;
    });
    const bad = shown.filter((beat) => beat.state === 'unhealthy').length;
    const poor = shown.filter((beat) => beat.state === 'degraded').length;
    render(this, h('svg', { role: 'img', 'aria-label': `${this.label}: ${plural(shown.length, 'bar')}, ${bad} unhealthy, ${poor} degraded`, viewBox: `0 0 ${this.width} ${height}`,
      onpointermove: (/** @type {PointerEvent} */ event) => {
        const x = event.clientX - this.getBoundingClientRect().left;
        const beat = shown[Math.floor((x - offset) / pitch)];
        this.title = beat?.text ?? '';
      } },
    Object.entries(paths).map(([name, d]) => h('path', { class: name, d, key: name }))));
  }
}

/**
 * @param {number} x
 * @param {number} y
 * @param {number} width
 * @param {number} height
 */
function roundBar(x, y, width, height) {
  const r = Math.min(1.5, width / 2);
  const f = (/** @type {number} */ value) => Number(value.toFixed(2));
  return `M${f(x)} ${f(y + r)}a${r} ${r} 0 0 1 ${r}-${r}h${f(width - 2 * r)}a${r} ${r} 0 0 1 ${r} ${r}v${f(height - 2 * r)}a${r} ${r} 0 0 1-${r} ${r}h-${f(width - 2 * r)}a${r} ${r} 0 0 1-${r}-${r}z`;
}

customElements.define('v-beats', VBeats);

/** The bar of one result. @param {any} one @returns {Beat} */
export const beatOf = (one) => ({ state: one.status, at: one.at, text: `${clock(Date.parse(one.at))} ${one.status}${one.error ? `: ${one.error}` : ''}` });

/**
 * Beats by check, with what a frame of the feed adds: nothing but results adds any.
 * @param {Record<string, {beats: Beat[], label: string}>} data
 * @param {string} type
 * @param {any} frame
 */
export function withBeat(data, type, frame) {
  const known = data[frame?.name];
  if (type !== 'check.result' || !known) return type === 'check.created' ? undefined : data;
  // One that an answer had already.
  if (known.beats.some((one) => one.at === frame.at)) return data;
  return { ...data, [frame.name]: { ...known, beats: [...known.beats, beatOf(frame)].slice(-PLACES_MAX) } };
}

/**
 * Beats of a check's results, which come newest first.
 * @param {any[]} results
 * @returns {Beat[]}
 */
export function beatsOfResults(results) {
  return results.map(beatOf).reverse();
}

/**
 * Beats of spans of time, as the uptime of a check has them.
 * @param {any[]} bars
 * @returns {Beat[]}
 */
export function beatsOfUptime(bars) {
  return bars.map((bar) => {
    const up = bar.uptime_percent;
    const { degraded, healthy } = bar.seconds;
    // A bar is poor from a minute's worth of an hour on: shorter is a blip that the list shows.
    const state = up === null ? 'unknown' : up < 99 ? 'unhealthy' : up < 100 || degraded > healthy * 0.02 ? 'degraded' : 'healthy';
    const from = Date.parse(bar.from);
    const when = Date.parse(bar.to) - from > 7_200_000 ? day(from) : `${day(from)} ${clock(from, false)}`;
    return { state, text: `${when}: ${up === null ? 'nothing known' : `${percent(up)} up`}` };
  });
}

/**
 * The trend of a figure, drawn on 100 × 30 and stretched.
 * @param {number[]} values
 */
export function spark(values) {
  const known = values.filter(Number.isFinite);
  if (known.length < 2) return h('svg', { viewBox: '0 0 100 30', 'aria-hidden': 'true' });
  let [low, high] = [Math.min(...known), Math.max(...known)];
  // A figure that hardly moves is a flat line, not a mountain range.
  const least = Math.max(Math.abs(high) * 0.08, 1e-9);
  if (high - low < least) {
    const middle = (high + low) / 2;
    [low, high] = [middle - least / 2, middle + least / 2];
  }
  const points = values
    .map((value, i) => [(i / (values.length - 1)) * 100, 26 - ((value - low) / (high - low)) * 22])
    .filter(([, y]) => Number.isFinite(y))
    .map(([x, y]) => `${x.toFixed(1)} ${y.toFixed(1)}`);
  const line = `M${points.join('L')}`;
  return h('svg', { viewBox: '0 0 100 30', preserveAspectRatio: 'none', 'aria-hidden': 'true' },
    h('path.spark-fill', { d: `${line}V30H0Z` }),
    h('path.spark-line', { d: line }));
}
