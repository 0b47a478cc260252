// The strip of key figures, as `GET /api/v1/overview` gives them.

import { h } from './core.js';
import { number, quantity } from './format.js';
import { spark } from './beats.js';

const SHOWN = 6;
/** Units as the server names them, and as this page writes them. */
const UNITS = /** @type {Record<string, string>} */ ({ seconds: 's', milliseconds: 'ms', percent: '%', '1/s': '/s', 'per second': '/s', '1/min': '/min', 'per minute': '/min', count: '' });
/** A change below this is none; above this one it may be a bad one. */
const STEADY = 0.02;
const NOTABLE = 0.1;

/**
 * @typedef {object} Figure
 * @property {string} name
 * @property {string} title
 * @property {string} unit
 * @property {number | null} value
 * @property {number | null} change as a ratio: 0.1 is 10 % more
 * @property {'up' | 'down' | 'flat'} trend
 * @property {'higher' | 'lower' | null} better
 * @property {[number, number | null][]} points
 */

/** How a figure moved. @param {Figure} figure */
function change({ change: moved, better }) {
  if (moved === null || moved === undefined) return { text: '', tone: '' };
  if (Math.abs(moved) < STEADY) return { text: 'steady', tone: '' };
  const rose = moved > 0;
  const worse = better && rose === (better === 'lower') && Math.abs(moved) >= NOTABLE;
  return { text: `${rose ? '↑' : '↓'} ${moved > 9.99 ? '>999' : number(Math.round(Math.abs(moved) * 100))} %`, tone: worse ? 'crit' : '' };
}

/** @param {Figure[]} figures */
export function strip(figures) {
  return h('section.figures', { 'aria-label': 'Key figures' }, figures.slice(0, SHOWN).map((figure) => {
    const [text, unit] = quantity(figure.value, UNITS[figure.unit] ?? figure.unit);
    const { text: moved, tone } = change(figure);
    return h('div.figure', { key: figure.name },
      h('span.name', figure.title),
      h('span.value', text, h('span.unit', unit)),
      h('span.change', { class: tone }, moved),
      spark((figure.points ?? []).map(([, value]) => value ?? NaN)));
  }));
}
