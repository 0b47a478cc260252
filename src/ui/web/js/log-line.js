// One log line in full, and the lines around it.

import { h, icon } from './core.js';
import { banner, openDialog } from './dialog.js';
import { clock, moment } from './format.js';
import { loading } from './parts.js';
import { to } from './router.js';
import { api, parameters } from './store.js';

export const TONE = /** @type {Record<string, string>} */ ({ warn: 'warn', error: 'crit', fatal: 'crit' });
const AROUND = 5;
const AROUND_MAX = 320;
/** Fields of a line by which lines can be found. */
const FOUND_BY = /** @type {[string, string][]} */ ([['source', 'source'], ['feature', 'feature'], ['environment', 'environment'], ['trace_id', 'trace'], ['user_id', 'user']]);

/** @param {any} line */
export function showLine(line) {
  let count = AROUND;
  let same = true;
  /** @type {any} */
  let around = null;
  let wrong = '';
  const dialog = openDialog({
    title: `${line.level[0].toUpperCase()}${line.level.slice(1)}${line.source ? ` from ${line.source}` : ''}`,
    size: 'wide',
    body: (self) => [
      h('pre.message', { key: 'message', class: TONE[line.level] ?? '' }, line.message),
      h('dl.facts', { key: 'facts' },
        h('dt', 'Time'), h('dd', `${moment(line.time)} `, h('span.faint', line.time)),
        FOUND_BY.filter(([name]) => line[name]).map(([name, word]) => [
          h('dt', { key: `${name}-t` }, name.replace('_', ' ')),
          h('dd', { key: `${name}-d` }, h('a', { href: to('logs', undefined, { [word]: line[name], around: Date.parse(line.time) }), title: `All lines with this ${name.replace('_', ' ')}`, onclick: self.close }, line[name]))]),
        Object.entries(line.metadata ?? {}).map(([name, value]) => [h('dt', { key: `m-${name}-t` }, h('span.break', name)), h('dd.mono', { key: `m-${name}-d` }, typeof value === 'string' ? value : JSON.stringify(value))])),
      h('div.row.between', { key: 'head' }, h('h3', 'Around it'),
        line.source && h('div.checkline', h('input', { type: 'checkbox', id: 'same-source', checked: same, onchange: (/** @type {any} */ event) => {
          same = event.target.checked;
          load();
        } }), h('label.faint', { for: 'same-source' }, 'of this source alone'))),
      wrong ? banner('crit', wrong) : around
        ? h('ol.around', { key: 'around', 'aria-label': 'Lines around it' }, around.map((/** @type {any} */ one) => h('li', { key: one.id, 'aria-current': one.id === line.id ? 'true' : null },
          h('span.faint', clock(Date.parse(one.time))), h('span', { class: TONE[one.level] ?? 'muted' }, one.level), h('span.break', one.message))))
        : loading(5),
      h('div.row', { key: 'more' }, h('button.button', { type: 'button', disabled: count >= AROUND_MAX || !around || around.length < 2, onclick: () => {
        count = Math.min(AROUND_MAX, count * 4);
        load();
      } }, icon('plus'), 'More around it')),
    ],
  });

  async function load() {
    try {
      const answer = await api(`logs/${encodeURIComponent(line.id)}/context?${parameters({ before: count, after: count, same: same && line.source ? 'source' : '' })}`);
      around = [...answer.before, answer.line ?? line, ...answer.after];
      wrong = '';
    } catch (error) {
      wrong = /** @type {Error} */ (error).message;
    }
    dialog.draw();
  }
  load();
}
