// What all pages show alike: the head, the connection, and how it looks when there is nothing,
// nothing yet, or an error.

import { h, icon } from './core.js';
import { state, tier } from './live.js';
import { to } from './router.js';
import { denied, notice, session } from './session.js';
import { isDark, nextTheme } from './theme.js';

/** How the page hears of changes, in a word. */
function connection() {
  if (state.value === 'reconnecting') return { mark: 'unhealthy', text: 'Reconnecting', more: 'vedette does not answer; the page tries again by itself' };
  if (state.value === 'connecting') return { mark: 'unknown', text: 'Connecting', more: 'The page is asking vedette' };
  if (tier.value === 'poll') return { mark: 'healthy', text: 'Live', more: 'By asking each second' };
  return { mark: 'healthy', text: 'Live', more: tier.value === 'ws' ? 'By WebSocket' : 'By server-sent events' };
}

/**
 * The head of a page.
 * @param {string} title
 * @param {{sub?: any, tile?: any, tools?: any, back?: [string, string]}} [options] back: address and words of the page above
 */
export function pageHead(title, { sub, tile, tools, back } = {}) {
  const { mark, text, more } = connection();
  const other = isDark() ? 'light' : 'dark';
  return h('div.page-head',
    h('div.title',
      tile,
      h('div',
        back && h('a.faint', { href: back[0] }, `‹ ${back[1]}`),
        h('h1', { tabindex: '-1' }, title),
        sub && h('p.sub', sub))),
    h('div.tools',
      notice.value && h('span.chip.warn', { title: notice.value }, notice.value.split(/[:.,;]/)[0].slice(0, 24)),
      session.value && denied('operate') && h('span.chip', { title: /** @type {string} */ (denied('operate')) }, icon('lock'), 'read-only'),
      h('span.live', { title: more }, h('span.mark', { class: mark }), text),
      tools,
      h('button.icon-button', { type: 'button', 'aria-label': `Use the ${other} theme`, title: `Use the ${other} theme`, onclick: nextTheme }, icon(isDark() ? 'sun' : 'moon'))));
}

/**
 * @param {string} title
 * @param {{note?: any, class?: string, key?: any}} options
 * @param {...any} kids
 */
export function card(title, options, ...kids) {
  return h('section.card', { class: options.class ?? '', key: options.key, 'aria-label': title },
    h('div.card-head', h('h2', title), options.note && h('div.note.row', options.note)),
    kids);
}

/** @param {number} [rows] */
export function loading(rows = 3) {
  return h('div.bones', { role: 'img', 'aria-label': 'Loading' }, Array.from({ length: rows }, () => h('span')));
}

/**
 * @param {string} sign
 * @param {string} title
 * @param {any} text
 * @param {any} [action]
 */
export function empty(sign, title, text, action) {
  return h('div.empty', icon(sign), h('strong', title), text && h('p', text), action);
}

/**
 * What stands in place of data that is not there, or null when it is.
 * @param {{data: any, error: any, refresh: () => void}} resource
 * @param {string} what in the plural
 */
export function instead(resource, what) {
  const { data, error } = resource;
  if (data !== undefined && !error) return null;
  if (error?.missing) return unavailable(what);
  if (error?.status === 403) return empty('lock', `You may not see ${what}`, error.message);
  if (error && data === undefined) {
    return h('div.empty', { role: 'alert' }, icon('incidents'), h('strong', `The ${what} could not be read`), h('p', error.message),
      h('button.button', { type: 'button', onclick: () => resource.refresh() }, 'Try again'));
  }
  return data === undefined ? loading(4) : null;
}

/** @param {string} what */
export function unavailable(what) {
  return empty('info', `This vedette has no ${what}`, `The program that runs here is of a version without ${what}. After an update this page works by itself.`);
}

/** Says that what is shown is old. @param {{error: any, data: any}} resource */
export function stale(resource) {
  if (!resource.error || resource.data === undefined || resource.error.status !== 0) return null;
  return h('div.banner.warn', { key: 'stale' }, icon('incidents'), h('div', 'vedette does not answer. What is shown is from before; it refreshes by itself.'));
}

const SEVERITY = /** @type {Record<string, string>} */ ({ critical: 'crit', warning: 'warn', info: 'accent' });

/** @param {string} severity */
export const severityChip = (severity) => h('span.chip', { class: SEVERITY[severity] ?? '' }, severity);

/** The small sign of an incident. @param {any} incident */
export function incidentTile(incident) {
  if (incident.status === 'resolved') return h('span.tile.clear', icon('check', 'Resolved'));
  const taken = incident.status === 'acknowledged';
  return h('span.tile', { class: taken ? 'warn' : SEVERITY[incident.severity] ?? 'crit' },
    icon(taken ? 'incidents' : 'cross', taken ? 'Acknowledged' : 'Open'));
}

/** Why an object cannot be changed here, or null. @param {string | undefined} origin @param {string} noun */
export function ownedBy(origin, noun) {
  if (origin === 'file') return `This ${noun} is defined in the settings file. Change it there and reload.`;
  if (origin === 'rule file') return `This ${noun} is defined in a Prometheus rule file. Change it there and reload.`;
  if (origin === 'objective') return `This ${noun} follows from an objective. Change that one.`;
  if (origin === 'default') return `This ${noun} is built in. One of the same name in the settings file or over the API replaces it.`;
  return null;
}

/** @param {string | undefined} origin */
export function originChip(origin) {
  if (origin === 'file' || origin === 'rule file') return h('span.chip', { title: 'Defined in a file; read-only here' }, icon('lock'), 'file');
  if (origin === 'objective') return h('span.chip', { title: 'Follows from an objective' }, 'objective');
  if (origin === 'default') return h('span.chip', { title: 'Built in' }, 'built in');
  return null;
}

/**
 * A choice of few, side by side.
 * @param {string} label
 * @param {[string, any][]} options value and text
 * @param {string} value
 * @param {(value: string) => void} choose
 */
export function segments(label, options, value, choose) {
  return h('div.seg', { role: 'group', 'aria-label': label }, options.map(([one, text]) =>
    h('button', { type: 'button', key: one, 'aria-pressed': String(one === value), onclick: () => choose(one) }, text)));
}

/**
 * @param {boolean} on
 * @param {string} label
 * @param {() => void} toggle
 * @param {boolean} [disabled]
 * @param {string | null} [title]
 */
export function toggleSwitch(on, label, toggle, disabled = false, title = null) {
  return h('button.switch', { type: 'button', role: 'switch', 'aria-checked': String(on), 'aria-label': label, disabled, title, onclick: toggle });
}

/** @param {number} number */
export const incidentLink = (number) => to('incidents', number);
