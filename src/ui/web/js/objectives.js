// Objectives: what is promised, how much of the error budget is left, and how fast it burns.

import { h, icon } from './core.js';
import { json } from './check-form.js';
import { ask, field, formDialog, toast } from './dialog.js';
import { duration, number, seriesName } from './format.js';
import { card, empty, instead, originChip, ownedBy } from './parts.js';
import { api, Resource, rules } from './store.js';

/** @param {import('./app.js').Page} page */
export function objectivesCard(page) {
  const list = /** @type {Resource<any[]>} */ (new Resource(async (signal) => {
    /** @type {any[]} */
    const all = await api('objectives?limit=200', { signal });
    const budgets = await Promise.all(all.map((one) => api(`objectives/${encodeURIComponent(one.name)}/budget`, { signal }).catch(() => null)));
    return all.map((one, i) => ({ ...one, series: budgets[i]?.series ?? [] }));
  }, 15_000, ['objectives', 'config']));
  page.use(list);
  return () => card('Objectives', { key: 'objectives', note: h('button.button.acts', { type: 'button', onclick: () => edit(null, list) }, icon('plus'), 'Add objective') },
    instead(list, 'objectives') ?? (list.data?.length
      ? h('ul.rows', list.data.map((one) => row(one, list)))
      : empty('rules', 'Nothing is promised yet', 'An objective says how large a share of events is good within a window, and warns by how fast the rest burns.')));
}

/** @param {any} one @param {Resource<any>} list */
function row(one, list) {
  const owned = ownedBy(one.origin, 'objective');
  const path = `objectives/${encodeURIComponent(one.name)}`;
  return h('li', { key: one.name },
    h('div.body',
      h('div.row.tight', h('span.name', one.name), originChip(one.origin), h('span.faint', `${number(one.objective * 100, 5)} % within ${duration(one.window)}`)),
      one.series.length
        ? one.series.map((/** @type {any} */ series, /** @type {number} */ i) => budget(series, i))
        : h('p.faint', 'No events yet, so nothing can be said.')),
    h('div.actions.side',
      h('button.button.acts', { type: 'button', 'aria-label': `Edit ${one.name}`, disabled: Boolean(owned), title: owned, onclick: () => edit(one, list) }, 'Edit'),
      h('button.button.acts', { type: 'button', 'aria-label': `Delete ${one.name}`, disabled: Boolean(owned), title: owned, onclick: () => ask({
        title: `Delete ${one.name}?`,
        text: 'Its rules and their alerts end.',
        act: 'Delete',
        does: async () => {
          await api(path, { method: 'DELETE' });
          list.refresh();
          rules.refresh();
        },
      }) }, 'Delete')));
}

/** What is left of the budget, in words and as a bar. @param {any} series @param {number} i */
function budget(series, i) {
  const left = series.budget_remaining;
  const { slo: _, ...labels } = series.labels;
  const known = typeof left === 'number' && Number.isFinite(left);
  const burn = Number(series.burn_rate);
  const tone = !known ? '' : left <= 0 ? 'crit' : left < 0.25 ? 'warn' : '';
  return h('div', { key: i },
    h('p.faint', Object.keys(labels).length > 0 && `${seriesName(labels)}: `,
      h('span', { class: tone }, !known ? 'budget unknown' : left < 0 ? `overdrawn by ${number(-left * 100)} % of the budget` : `${number(left * 100)} % of the budget left`),
      Number.isFinite(burn) && ` · burns ${number(burn)} times as fast as it may`),
    known && h('meter', { min: 0, max: 1, low: 0.1, high: 0.25, optimum: 1, value: Math.max(0, left), 'aria-label': 'Budget left' }));
}

/** @param {any} one @param {Resource<any>} list */
function edit(one, list) {
  const state = {
    name: one?.name ?? '', objective: one ? String(Number((one.objective * 100).toPrecision(12))) : '99.9', window: duration(one?.window) || '30d', total: one?.total ?? '', errors: one?.errors ?? '',
    page: one?.page ?? 'critical', ticket: one?.ticket ?? 'warning', labels: JSON.stringify(one?.labels ?? {}),
  };
  formDialog({
    title: one ? `Edit ${one.name}` : 'Add an objective',
    act: one ? 'Save' : 'Add',
    fields: () => [
      h('div.fields', field(state, 'name', 'Name', { disabled: Boolean(one), hint: 'a-z, 0-9 and -', autofocus: !one }), field(state, 'objective', 'Good, %', { type: 'number' }), field(state, 'window', 'Within', { hint: '1d to 400d' })),
      field(state, 'total', 'All events', { type: 'area', mono: true, placeholder: 'sum(rate(http_requests_total{job="shop"}[$window]))', hint: 'PromQL with $window where the range goes' }),
      field(state, 'errors', 'Bad events', { type: 'area', mono: true, placeholder: 'sum(rate(http_requests_total{job="shop",code=~"5.."}[$window]))' }),
      h('div.fields', field(state, 'page', 'Severity when it burns fast', { options: ['critical', 'warning', 'info'] }), field(state, 'ticket', 'When it burns slowly', { options: ['critical', 'warning', 'info'] })),
      field(state, 'labels', 'Labels, as JSON', { mono: true }),
    ],
    send: async () => {
      const body = { ...(one ? {} : { name: state.name.trim() }), objective: Number((Number(state.objective) / 100).toPrecision(12)), window: state.window, total: state.total, errors: state.errors, page: state.page, ticket: state.ticket, labels: json(state.labels, 'labels') };
      if (one) await api(`objectives/${encodeURIComponent(one.name)}`, { method: 'PATCH', body });
      else await api('objectives', { method: 'POST', body });
      list.refresh();
      rules.refresh();
      toast(`The objective was ${one ? 'saved' : 'added'}`);
    },
  });
}
