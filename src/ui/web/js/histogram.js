// Log lines per level over time, as bars. Owns: drawing them, and choosing a range with the pointer or
// the keyboard. Never: asking for data.

import { h, render, schedule } from './core.js';
import { clock, day, plural } from './format.js';

export const LEVELS = ['debug', 'info', 'warn', 'error', 'fatal'];
const HEIGHT_PX = 64;

/**
 * @typedef {object} Buckets
 * @property {{from: number, counts: number[]}[]} bars counts in the order of LEVELS
 * @property {number} step ms
 * @property {(from: number, until: number) => void} choose a range, in ms
 */

export class VHistogram extends HTMLElement {
  constructor() {
    super();
    /** @type {Buckets | null} */
    this.now = null;
    this.width = 0;
    /** Places of the first and the last bar that are chosen. @type {[number, number] | null} */
    this.brush = null;
    /** @type {number | null} */
    this.anchor = null;
    this.cursor = -1;
    this.later = () => this.paint();
    this.observer = new ResizeObserver((entries) => {
      const { width } = entries[entries.length - 1].contentRect;
      if (width === this.width) return;
      this.width = width;
      schedule(this.later);
    });
  }

  /** @param {Buckets} value */
  set data(value) {
    this.now = value;
    schedule(this.later);
  }

  connectedCallback() {
    this.observer.observe(this);
  }

  disconnectedCallback() {
    this.observer.disconnect();
  }

  /** Which bar is at a place. @param {PointerEvent} event */
  at(event) {
    const count = this.now?.bars.length ?? 0;
    const x = event.clientX - this.getBoundingClientRect().left;
    return Math.max(0, Math.min(count - 1, Math.floor((x / this.width) * count)));
  }

  /** What a bar says, in words. @param {number} place */
  words(place) {
    const bar = this.now?.bars[place];
    if (!bar || !this.now) return 'no bar chosen';
    const long = this.now.step >= 3_600_000;
    const parts = bar.counts.map((count, i) => count && `${count.toLocaleString('en-US')} ${LEVELS[i]}`).filter(Boolean).reverse();
    return `${long ? `${day(bar.from)} ` : ''}${clock(bar.from, this.now.step < 60_000)}: ${parts.join(', ') || 'nothing'}`;
  }

  /** Tells of the bars that are chosen. */
  tell() {
    const { now, brush } = this;
    this.brush = null;
    this.anchor = null;
    if (now && brush) {
      const [a, b] = [Math.min(...brush), Math.max(...brush)];
      now.choose(now.bars[a].from, now.bars[b].from + now.step);
    }
    this.paint();
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    const count = this.now?.bars.length ?? 0;
    const steps = /** @type {Record<string, number>} */ ({ ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10, Home: -count, End: count });
    if (event.key in steps) {
      const before = this.cursor < 0 ? count - 1 : this.cursor;
      this.cursor = Math.max(0, Math.min(count - 1, before + steps[event.key]));
      if (event.shiftKey) this.brush = [this.brush?.[0] ?? before, this.cursor];
      else this.brush = null;
    } else if (event.key === 'Enter' && this.cursor >= 0) {
      this.brush ??= [this.cursor, this.cursor];
      this.tell();
    } else if (event.key === 'Escape' && this.brush) {
      this.brush = null;
    } else {
      return;
    }
    event.preventDefault();
    this.paint();
  }

  paint() {
    const now = this.now;
    if (!now || !this.isConnected || !this.width) return;
    const count = Math.max(1, now.bars.length);
    const pitch = this.width / count;
    const gap = pitch > 4 ? 1 : 0;
    const most = Math.max(1, ...now.bars.map((bar) => bar.counts.reduce((a, b) => a + b, 0)));
    const paths = LEVELS.map(() => '');
    now.bars.forEach((bar, i) => {
      let bottom = HEIGHT_PX;
      bar.counts.forEach((lines, level) => {
        if (!lines) return;
        // One line among a million is still seen.
        const size = Math.max(1, (lines / most) * (HEIGHT_PX - 4));
        bottom -= size;
        paths[level] += `M${(i * pitch).toFixed(1)} ${bottom.toFixed(1)}h${Math.max(0.6, pitch - gap).toFixed(1)}v${size.toFixed(1)}h-${Math.max(0.6, pitch - gap).toFixed(1)}z`;
      });
    });
    const all = now.bars.reduce((sum, bar) => sum + bar.counts.reduce((a, b) => a + b, 0), 0);
    const [a, b] = this.brush ? [Math.min(...this.brush), Math.max(...this.brush)] : [0, -1];
    render(this, h('div.histogram', {
      role: 'slider', tabindex: '0', 'aria-label': `${plural(all, 'line')} over time. Arrows move, with Shift they choose a range, Enter shows it`,
      'aria-valuemin': 0, 'aria-valuemax': count - 1, 'aria-valuenow': Math.max(0, this.cursor), 'aria-valuetext': this.words(this.cursor),
      onkeydown: (/** @type {KeyboardEvent} */ event) => this.key(event),
      onpointerdown: (/** @type {PointerEvent} */ event) => {
        if (event.button !== 0) return;
        /** @type {Element} */ (event.currentTarget).setPointerCapture(event.pointerId);
        this.anchor = this.at(event);
        this.brush = [this.anchor, this.anchor];
        this.paint();
      },
      onpointermove: (/** @type {PointerEvent} */ event) => {
        const place = this.at(event);
        this.title = this.words(place);
        if (this.anchor === null) return;
        this.brush = [this.anchor, place];
        schedule(this.later);
      },
      onpointerup: () => this.anchor !== null && this.tell(),
      onpointercancel: () => {
        this.anchor = null;
        this.brush = null;
        this.paint();
      },
    }, h('svg', { viewBox: `0 0 ${this.width} ${HEIGHT_PX}`, preserveAspectRatio: 'none', 'aria-hidden': 'true' },
      b >= a && h('rect.brush', { key: 'brush', x: a * pitch, y: 0, width: (b - a + 1) * pitch, height: HEIGHT_PX }),
      this.cursor >= 0 && h('rect.cursor', { key: 'cursor', x: this.cursor * pitch, y: 0, width: pitch, height: HEIGHT_PX }),
      paths.map((d, level) => d && h('path', { key: LEVELS[level], class: `level-${LEVELS[level]}`, d })))));
  }
}

customElements.define('v-histogram', VHistogram);
