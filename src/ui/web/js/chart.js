// Lines over time on a canvas. Owns: painting, the cursor and the zoom that charts of a group share,
// the keyboard, the table in its place. Never: asking for data. Start reading at `VChart.paint`.

import { h, icon, render, schedule } from './core.js';
import { colorOf, MARGIN, paintCursor, paintLines } from './chart-paint.js';
import { clock, day, moment, withUnit } from './format.js';
import { nearest, indexAt } from './scale.js';

/** @typedef {{name: string, x: Float64Array, y: Float32Array, color?: number}} Line */
/**
 * @typedef {object} ChartConfig
 * @property {string} label what the chart shows, for those who do not see it
 * @property {Line[]} lines
 * @property {number} from ms
 * @property {number} to ms
 * @property {number} step ms between two samples
 * @property {string} [unit]
 * @property {string} [group] charts of one group share cursor and zoom
 * @property {{value: number, text: string}} [threshold]
 * @property {{from: number, to: number, text?: string}[]} [bands]
 * @property {boolean} [legend]
 * @property {number} [height]
 * @property {(from: number, to: number) => void} [onzoom] asks for finer data; without it the chart zooms what it has
 */

const TABLE_ROWS_MAX = 200;

/** @type {Map<string, {members: Set<VChart>, cursor: number | null, zoom: [number, number] | null}>} */
const groups = new Map();

/** @param {string} name */
function groupOf(name) {
  let group = groups.get(name);
  if (!group) groups.set(name, (group = { members: new Set(), cursor: null, zoom: null }));
  return group;
}

let count = 0;

export class VChart extends HTMLElement {
  constructor() {
    super();
    /** @type {ChartConfig | null} */
    this.now = null;
    /** @type {Set<string>} */
    this.hiddenLines = new Set();
    this.width = 0;
    this.height = 0;
    this.left = 60;
    this.asTable = false;
    /** @type {{low: number, high: number, step: number} | null} */
    this.axis = null;
    this.own = `chart-${(count += 1)}`;
    this.key = this.own;
    this.later = () => this.paint();
    this.observer = new ResizeObserver((entries) => {
      const { width, height } = entries[entries.length - 1].contentRect;
      if (width === this.width && height === this.height) return;
      this.width = width;
      this.height = height;
      schedule(this.later);
    });
  }

  /** @param {ChartConfig} config */
  set config(config) {
    const key = config.group ?? this.own;
    if (key !== this.key) {
      groupOf(this.key).members.delete(this);
      this.key = key;
      if (this.isConnected) groupOf(key).members.add(this);
    }
    this.now = config;
    schedule(this.later);
  }

  connectedCallback() {
    groupOf(this.key).members.add(this);
    schedule(this.later);
  }

  disconnectedCallback() {
    const group = groupOf(this.key);
    group.members.delete(this);
    if (!group.members.size) groups.delete(this.key);
    this.observer.disconnect();
    this.watched = null;
  }

  /** Which moments are shown. @returns {[number, number]} */
  view() {
    const config = /** @type {ChartConfig} */ (this.now);
    return groupOf(this.key).zoom ?? [config.from, config.to];
  }

  paint() {
    const config = this.now;
    if (!config || !this.isConnected) return;
    this.drawFrame(config);
    const plot = /** @type {HTMLElement | null} */ (this.querySelector('.plot'));
    if (!plot) return;
    if (this.watched !== plot) {
      this.observer.disconnect();
      this.observer.observe(plot);
      this.watched = plot;
    }
    if (!this.width) return;
    paintLines(this, config);
    paintCursor(this, config, groupOf(this.key).cursor);
  }

  /** The legend, the plot or the table. @param {ChartConfig} config */
  drawFrame(config) {
    const at = groupOf(this.key).cursor;
    const legend = h('div.legend', { role: 'group', 'aria-label': 'Series' },
      config.legend !== false && config.lines.map((line, place) => h('button', {
        type: 'button',
        key: line.name,
        'aria-pressed': String(!this.hiddenLines.has(line.name)),
        title: 'Hide or show; with Alt held, show it alone',
        onclick: (/** @type {MouseEvent} */ event) => this.toggle(line.name, event.altKey),
      }, h('span.swatch', { class: `c${colorOf(line, place)}` }), h('span.clip', line.name), h('b', this.valueText(line, at)))),
      h('button', {
        type: 'button', key: ':table', 'aria-pressed': String(this.asTable), class: 'as-table', title: 'View as table',
        onclick: () => {
          this.asTable = !this.asTable;
          this.paint();
        },
      }, icon('table', 'View as table')));
    render(this, [legend, this.asTable ? this.table(config) : this.plot(config)]);
  }

  /** @param {ChartConfig} config */
  plot(config) {
    const [from, to] = this.view();
    const at = groupOf(this.key).cursor;
    return h('div.plot', {
      key: 'plot',
      tabindex: '0',
      role: 'slider',
      'aria-label': config.label,
      'aria-orientation': 'horizontal',
      'aria-valuemin': Math.round(from / 1000),
      'aria-valuemax': Math.round(to / 1000),
      'aria-valuenow': Math.round((at ?? to) / 1000),
      'aria-valuetext': at === null ? `${moment(from)} to ${moment(to)}` : this.words(config, at),
      class: config.height && config.height < 200 ? 'low' : '',
      onkeydown: (/** @type {KeyboardEvent} */ event) => this.onKey(event),
      onpointerdown: (/** @type {PointerEvent} */ event) => this.onDown(event),
      onpointermove: (/** @type {PointerEvent} */ event) => this.onMove(event),
      onpointerup: (/** @type {PointerEvent} */ event) => this.onUp(event),
      onpointerleave: (/** @type {PointerEvent} */ event) => {
        if (event.pointerType === 'mouse' && this.dragFrom === undefined) this.setCursor(null);
      },
      ondblclick: () => this.setZoom(null),
    }, h('canvas', { 'aria-hidden': 'true' }), h('canvas', { 'aria-hidden': 'true' }), this.tip(config));
  }

  /** @param {ChartConfig} config */
  tip(config) {
    const at = groupOf(this.key).cursor;
    const width = this.width;
    if (at === null || !width) return null;
    const rows = config.lines
      .map((line, place) => ({ line, place, i: nearest(line.x, at, config.step * 1.5) }))
      .filter(({ line, i }) => i >= 0 && !this.hiddenLines.has(line.name) && Number.isFinite(line.y[i]))
      .sort((a, b) => b.line.y[b.i] - a.line.y[a.i])
      .slice(0, 10);
    const px = this.px(at);
    return h('div.tip', { key: 'tip', '.side': px > width / 2 ? 'left' : 'right', '.px': px, 'aria-hidden': 'true' },
      h('time', moment(at)),
      rows.map(({ line, place, i }) =>
        h('div', h('span.swatch', { class: `c${colorOf(line, place)}` }), h('span.clip', line.name), h('b', withUnit(line.y[i], config.unit ?? '')))));
  }

  /** @param {ChartConfig} config */
  table(config) {
    const lines = config.lines.filter((line) => !this.hiddenLines.has(line.name));
    const [from, to] = this.view();
    const moments = [...new Set(lines.flatMap((line) => [...line.x.slice(indexAt(line.x, from), indexAt(line.x, to + 1))]))].sort((a, b) => b - a);
    return h('div.table-wrap', { key: 'table', tabindex: '0', role: 'region', 'aria-label': `${config.label}, as a table` },
      h('table',
        h('thead', h('tr', h('th', 'Time'), lines.map((line) => h('th.right', line.name)))),
        h('tbody', moments.slice(0, TABLE_ROWS_MAX).map((ms) => h('tr', { key: ms }, h('td.nowrap', `${day(ms)} ${clock(ms)}`),
          lines.map((line) => {
            const i = nearest(line.x, ms, 0);
            return h('td.right', i < 0 ? '–' : withUnit(line.y[i], config.unit ?? ''));
          }))))),
      moments.length > TABLE_ROWS_MAX && h('p.faint', `The newest ${TABLE_ROWS_MAX} of ${moments.length} moments.`));
  }

  /** @param {Line} line @param {number | null} at */
  valueText(line, at) {
    const config = /** @type {ChartConfig} */ (this.now);
    let i = at === null ? line.y.length - 1 : nearest(line.x, at, config.step * 1.5);
    while (at === null && i > 0 && !Number.isFinite(line.y[i])) i -= 1;
    return i < 0 ? '–' : withUnit(line.y[i], config.unit ?? '');
  }

  /** @param {ChartConfig} config @param {number} at */
  words(config, at) {
    const values = config.lines.filter((line) => !this.hiddenLines.has(line.name)).slice(0, 6);
    return `${moment(at)}: ${values.map((line) => `${line.name} ${this.valueText(line, at)}`).join(', ')}`;
  }

  /** @param {number} ms */
  px(ms) {
    const [from, to] = this.view();
    return this.left + ((ms - from) / (to - from || 1)) * (this.width - this.left - MARGIN.right);
  }

  /** @param {number} px */
  at(px) {
    const [from, to] = this.view();
    const share = (px - this.left) / (this.width - this.left - MARGIN.right);
    return from + Math.max(0, Math.min(1, share)) * (to - from);
  }

  /** @param {string} name @param {boolean} alone */
  toggle(name, alone) {
    const names = /** @type {ChartConfig} */ (this.now).lines.map((line) => line.name);
    if (alone) {
      const is = names.every((other) => this.hiddenLines.has(other) === (other !== name));
      this.hiddenLines = new Set(is ? [] : names.filter((other) => other !== name));
    } else if (!this.hiddenLines.delete(name)) {
      this.hiddenLines.add(name);
    }
    this.axis = null;
    this.paint();
  }

  /** @param {number | null} at */
  setCursor(at) {
    const group = groupOf(this.key);
    if (group.cursor === at) return;
    group.cursor = at;
    for (const member of group.members) schedule(member.later);
  }

  /** @param {[number, number] | null} zoom */
  setZoom(zoom) {
    const group = groupOf(this.key);
    const ask = this.now?.onzoom;
    if (ask && zoom) {
      group.zoom = null;
      ask(...zoom);
      return;
    }
    group.zoom = zoom;
    for (const member of group.members) {
      member.axis = null;
      schedule(member.later);
    }
  }

  /** @param {PointerEvent} event */
  place(event) {
    return event.clientX - /** @type {HTMLElement} */ (event.currentTarget).getBoundingClientRect().left;
  }

  /** @param {PointerEvent} event */
  onDown(event) {
    if (event.pointerType !== 'mouse' || event.button !== 0) return;
    this.dragFrom = this.place(event);
    /** @type {HTMLElement} */ (event.currentTarget).setPointerCapture(event.pointerId);
  }

  /** @param {PointerEvent} event */
  onMove(event) {
    const px = this.place(event);
    if (this.dragFrom !== undefined) this.dragTo = px;
    this.setCursor(this.at(px));
  }

  /** @param {PointerEvent} event */
  onUp(event) {
    const [from, to] = [this.dragFrom, this.place(event)];
    this.dragFrom = undefined;
    this.dragTo = undefined;
    if (from !== undefined && Math.abs(to - from) > 6) this.setZoom([this.at(Math.min(from, to)), this.at(Math.max(from, to))]);
    else schedule(this.later);
  }

  /** @param {KeyboardEvent} event */
  onKey(event) {
    const [from, to] = this.view();
    const step = Math.max(/** @type {ChartConfig} */ (this.now).step, (to - from) / 200);
    const at = groupOf(this.key).cursor ?? to;
    const moves = /** @type {Record<string, number>} */ ({
      ArrowLeft: at - step, ArrowDown: at - step, ArrowRight: at + step, ArrowUp: at + step,
      PageDown: at - (to - from) / 10, PageUp: at + (to - from) / 10, Home: from, End: to,
    });
    if (event.key in moves) {
      this.setCursor(Math.max(from, Math.min(to, moves[event.key])));
    } else if (event.key === '+' || event.key === '=' || event.key === '-') {
      const half = ((to - from) / 2) * (event.key === '-' ? 2 : 0.5);
      this.setZoom([at - half, Math.min(at + half, Date.now())]);
    } else if (event.key === 'Escape') {
      this.setCursor(null);
      this.setZoom(null);
    } else {
      return;
    }
    event.preventDefault();
  }
}

customElements.define('v-chart', VChart);

/**
 * Lines of the answer to query_range.
 * @param {{metric: Record<string, string>, values: [number, string][]}[]} result
 * @param {string[]} names
 * @returns {Line[]}
 */
export function linesOf(result, names) {
  return result.map((series, place) => ({
    name: names[place],
    x: Float64Array.from(series.values, ([at]) => at * 1000),
    y: Float32Array.from(series.values, ([, value]) => (value === '+Inf' ? Infinity : Number(value))),
  }));
}

/**
 * The series that an alert is about: those whose labels agree with its own.
 * @template {{metric: Record<string, string>}} T
 * @param {T[]} all
 * @param {Record<string, string>} labels
 * @returns {T[]}
 */
export function ofAlert(all, labels) {
  const own = all.filter(({ metric }) => Object.entries(metric).every(([name, value]) => name === '__name__' || labels[name] === undefined || labels[name] === value));
  return own.length ? own : all;
}
