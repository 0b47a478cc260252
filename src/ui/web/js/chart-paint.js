// Painting a chart: grid, axes, bands, lines, the limit, the cursor. Never: elements, events, data.

import { clock, day, withUnit } from './format.js';
import { extent, nearest, timeTicks, trace, valueAxis } from './scale.js';

/** @typedef {import('./chart.js').VChart} VChart */
/** @typedef {import('./chart.js').ChartConfig} ChartConfig */
/** @typedef {import('./chart.js').Line} Line */

export const MARGIN = { left: 8, right: 4, top: 8, bottom: 24 };

/** @type {Map<string, string>} */
const colors = new Map();
let colorsFor = '';

/**
 * A token's colour as the theme has it now. A canvas knows nothing of light-dark().
 * @param {string} token
 */
function color(token) {
  const scheme = `${document.documentElement.dataset.theme}${matchMedia('(prefers-color-scheme: dark)').matches}`;
  if (scheme !== colorsFor) {
    colors.clear();
    colorsFor = scheme;
  }
  let value = colors.get(token);
  if (!value) {
    const probe = document.createElement('span');
    probe.style.color = `var(--${token})`;
    // With forced colours the tokens are the system's own; none may become another by itself.
    probe.style.setProperty('forced-color-adjust', 'none');
    document.body.append(probe);
    value = getComputedStyle(probe).color;
    probe.remove();
    colors.set(token, value);
  }
  return value;
}

/** @param {Line} line @param {number} place */
export const colorOf = (line, place) => ((line.color ?? place) % 5) + 1;

/**
 * A cleared canvas of a chart, in device pixels.
 * @param {VChart} chart
 * @param {number} which
 */
function contextOf(chart, which) {
  const canvas = /** @type {HTMLCanvasElement} */ (chart.querySelectorAll('canvas')[which]);
  const ratio = devicePixelRatio || 1;
  const [width, height] = [Math.round(chart.width * ratio), Math.round(chart.height * ratio)];
  if (canvas.width !== width || canvas.height !== height) {
    canvas.width = width;
    canvas.height = height;
  }
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext('2d'));
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, chart.width, chart.height);
  return context;
}

/**
 * @param {VChart} chart
 * @param {ChartConfig} config
 */
export function paintLines(chart, config) {
  const context = contextOf(chart, 0);
  const { width, height } = chart;
  const [from, to] = chart.view();
  const unit = config.unit ?? '';
  const lines = config.lines.filter((line) => !chart.hiddenLines.has(line.name));
  const { low, high } = extent(lines, from, to);
  const limit = config.threshold?.value;
  const rows = Math.max(2, Math.round((height - 40) / 48));
  chart.axis = valueAxis(Math.min(low, limit ?? low), Math.max(high, limit ?? high), chart.axis, rows, /bytes/.test(unit));
  const axis = chart.axis;
  const bottom = height - MARGIN.bottom;
  const py = (/** @type {number} */ value) => bottom - ((value - axis.low) / (axis.high - axis.low)) * (bottom - MARGIN.top);
  context.font = `12px ${getComputedStyle(chart).fontFamily}`;
  context.textBaseline = 'middle';
  const marks = [];
  for (let value = axis.low; value <= axis.high + axis.step / 2; value += axis.step) marks.push(Math.abs(value) < axis.step / 1e6 ? 0 : value);
  const texts = marks.map((value) => axisText(value, axis.high, unit));
  chart.left = MARGIN.left + Math.ceil(Math.max(...texts.map((text) => context.measureText(text).width)));
  const px = (/** @type {number} */ ms) => chart.px(ms);

  context.lineWidth = 1;
  marks.forEach((value, i) => {
    const y = Math.round(py(value)) + 0.5;
    context.strokeStyle = color('grid');
    context.beginPath();
    context.moveTo(chart.left, y);
    context.lineTo(width - MARGIN.right, y);
    context.stroke();
    context.fillStyle = color('text3');
    context.textAlign = 'right';
    context.fillText(texts[i], chart.left - 6, y);
  });
  const ticks = timeTicks(from, to, Math.max(2, Math.floor((width - chart.left) / 110)));
  context.textAlign = 'center';
  for (const ms of ticks.at) {
    const text = ticks.step >= 86_400_000 ? day(ms) : clock(ms, ticks.step < 60_000);
    const half = context.measureText(text).width / 2;
    if (px(ms) - half < chart.left - 4 || px(ms) + half > width) continue;
    context.fillText(text, px(ms), height - 10);
  }
  context.save();
  context.beginPath();
  context.rect(chart.left - 1, 0, width - chart.left + 1, bottom + 2);
  context.clip();
  for (const band of config.bands ?? []) {
    const [x0, x1] = [px(band.from), Math.max(px(band.to), px(band.from) + 2)];
    context.fillStyle = color('band');
    context.fillRect(x0, MARGIN.top, x1 - x0, bottom - MARGIN.top);
    context.fillStyle = color('warn-bar');
    context.fillRect(x0, bottom - 1, x1 - x0, 2);
  }
  lines.forEach((line) => {
    const shade = color(`series-${colorOf(line, config.lines.indexOf(line))}`);
    const dense = line.x.length > (width - chart.left) / 1.5;
    context.strokeStyle = shade;
    context.lineWidth = dense ? 1 : 1.5;
    context.lineJoin = 'round';
    context.setLineDash(config.lines.indexOf(line) >= 5 ? [5, 3] : []);
    context.beginPath();
    let last = /** @type {[number, number] | null} */ (null);
    trace(line, px, py, from, to, config.step * 2.5, 1.5, (x, y, begins) => {
      if (begins) context.moveTo(x, y);
      else context.lineTo(x, y);
      last = [x, y];
    });
    context.stroke();
    context.setLineDash([]);
    if (last) {
      context.fillStyle = shade;
      context.beginPath();
      context.arc(Math.min(last[0], width - MARGIN.right), last[1], 2.2, 0, 7);
      context.fill();
    }
  });
  context.restore();
  if (limit !== undefined && config.threshold) {
    const y = Math.round(py(limit)) + 0.5;
    context.strokeStyle = color('warn');
    context.fillStyle = color('warn');
    context.lineWidth = 1;
    context.setLineDash([5, 4]);
    context.beginPath();
    context.moveTo(chart.left, y);
    context.lineTo(width - MARGIN.right, y);
    context.stroke();
    context.setLineDash([]);
    context.textAlign = 'left';
    context.fillText(config.threshold.text, chart.left + 6, y < 24 ? y + 10 : y - 9);
  }
}

/**
 * @param {VChart} chart
 * @param {ChartConfig} config
 * @param {number | null} at
 */
export function paintCursor(chart, config, at) {
  const context = contextOf(chart, 1);
  const tip = /** @type {any} */ (chart.querySelector('.tip'));
  if (tip) {
    tip.style.left = tip.side === 'right' ? `${tip.px + 12}px` : 'auto';
    tip.style.right = tip.side === 'left' ? `${chart.width - tip.px + 12}px` : 'auto';
  }
  if (chart.dragFrom !== undefined && chart.dragTo !== undefined) {
    context.fillStyle = color('band');
    context.fillRect(Math.min(chart.dragFrom, chart.dragTo), MARGIN.top, Math.abs(chart.dragTo - chart.dragFrom), chart.height - MARGIN.top - MARGIN.bottom);
  }
  const [from, to] = chart.view();
  if (at === null || at < from || at > to || !chart.axis) return;
  const { low, high } = chart.axis;
  const x = Math.round(chart.px(at)) + 0.5;
  const bottom = chart.height - MARGIN.bottom;
  context.strokeStyle = color('text3');
  context.setLineDash([3, 3]);
  context.beginPath();
  context.moveTo(x, MARGIN.top);
  context.lineTo(x, bottom);
  context.stroke();
  config.lines.forEach((line, place) => {
    const i = nearest(line.x, at, config.step * 1.5);
    if (i < 0 || chart.hiddenLines.has(line.name) || !Number.isFinite(line.y[i])) return;
    context.fillStyle = color(`series-${colorOf(line, place)}`);
    context.beginPath();
    context.arc(x, bottom - ((line.y[i] - low) / (high - low)) * (bottom - MARGIN.top), 3.2, 0, 7);
    context.fill();
  });
}

/**
 * All marks of an axis in the unit of its highest.
 * @param {number} value
 * @param {number} high
 * @param {string} unit
 */
function axisText(value, high, unit) {
  if (value === 0) return withUnit(0, unit === 's' && high >= 1 ? '' : unit).replace(/^0\u00a0ms$/, '0');
  return withUnit(Number(value.toPrecision(6)), unit);
}
