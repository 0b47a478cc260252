// The dialog in which a rule is made and changed. It draws the rule's value over real history, with
// the limit, and says how often the rule would have fired.

import { h } from './core.js';
import './chart.js';
import { linesOf } from './chart.js';
import { json, pairs, words } from './check-form.js';
import { banner, field, formDialog, toast } from './dialog.js';
import { duration, number, parseDuration, shortNames, unitOf } from './format.js';
import { segments } from './parts.js';
import { go, to } from './router.js';
import { api, range, rules } from './store.js';
import { verdict } from './pages/rules.js';

const AGGREGATES = ['avg', 'min', 'max', 'sum', 'count', 'last', 'p50', 'p90', 'p95', 'p99'];
const OPERATORS = ['>', '>=', '<', '<=', '=', '!='];
const PREVIEW_MS = 500;

/** @param {any} one */
function stateOf(one) {
  return {
    name: one?.name ?? '',
    simple: one ? Boolean(one.metric) : true,
    metric: one?.metric ?? '',
    match: one?.metric ? Object.entries(one.labels ?? {}).map(([name, value]) => `${name}=${value}`).join(', ') : '',
    aggregate: one?.aggregate ?? 'avg',
    window: duration(one?.window) || '5m',
    expr: one?.expr ?? '',
    operator: one?.operator ?? '>',
    threshold: one?.threshold ?? '',
    exit_threshold: one?.exit_threshold ?? '',
    for: duration(one?.for) || '0s',
    interval: duration(one?.interval) || '15s',
    keep_firing_for: duration(one?.keep_firing_for),
    cooldown: duration(one?.cooldown),
    severity: one?.severity ?? 'warning',
    mode: one?.mode ?? 'active',
    channels: (one?.channels ?? []).join(', '),
    feature: one?.feature ?? '',
    runbook: one?.runbook ?? '',
    description: one?.description ?? '',
    summary: one?.annotations?.summary ?? '',
    annotations: one?.annotations ?? {},
    on_no_data: one?.on_no_data ?? 'hold',
    on_error: one?.on_error ?? 'hold',
    alert_labels: JSON.stringify((one?.metric ? one?.alert_labels : one?.labels) ?? {}),
  };
}

/** @param {ReturnType<typeof stateOf>} state */
function definition(state) {
  const some = (/** @type {any} */ value) => (value === '' || value === undefined ? undefined : value);
  const limit = state.threshold === '' ? undefined : Number(state.threshold);
  const labels = json(state.alert_labels, 'labels of its alerts');
  const { summary, annotations } = state;
  return {
    name: state.name.trim(),
    ...(state.simple
      ? { metric: state.metric.trim(), labels: pairs(state.match), alert_labels: labels, aggregate: state.aggregate, window: state.window, operator: state.operator, threshold: limit }
      : { expr: state.expr.trim(), labels, operator: limit === undefined ? undefined : state.operator, threshold: limit }),
    exit_threshold: state.exit_threshold === '' ? undefined : Number(state.exit_threshold),
    for: some(state.for),
    interval: some(state.interval),
    keep_firing_for: some(state.keep_firing_for),
    cooldown: some(state.cooldown),
    severity: state.severity,
    mode: state.mode,
    channels: words(state.channels),
    feature: some(state.feature),
    runbook: some(state.runbook),
    description: some(state.description),
    annotations: summary ? { ...annotations, summary } : Object.fromEntries(Object.entries(annotations).filter(([name]) => name !== 'summary')),
    on_no_data: state.on_no_data,
    on_error: state.on_error,
  };
}

/** The value that the limit judges, as PromQL. @param {ReturnType<typeof stateOf>} state */
function valueQuery(state) {
  if (!state.simple) return state.expr.trim();
  if (!state.metric.trim()) return '';
  const matchers = Object.entries(pairs(state.match)).map(([name, value]) => `${name}=${JSON.stringify(value)}`);
  const selector = `${state.metric.trim()}${matchers.length ? `{${matchers}}` : ''}[${state.window}]`;
  const quantile = /^p(\d+)$/.exec(state.aggregate);
  return quantile ? `quantile_over_time(0.${quantile[1]}, ${selector})` : `${state.aggregate}_over_time(${selector})`;
}

/**
 * @param {any} one the rule to change, or null for a new one
 * @param {{expr?: string}} [given]
 */
export function editRule(one, given) {
  const state = stateOf(one);
  if (given?.expr) Object.assign(state, { simple: false, expr: given.expr });
  /** @type {any} */
  let preview = null;
  let days = '1';
  /** @type {any} */
  let timer = null;
  let wanted = 0;
  /** @type {() => void} */
  let draw = () => {};

  /** Asks for the preview once typing pauses. */
  const later = () => {
    clearTimeout(timer);
    timer = setTimeout(look, PREVIEW_MS);
  };

  async function look() {
    const mine = (wanted += 1);
    try {
      const query = valueQuery(state);
      if (!query || (state.simple && state.threshold === '')) {
        preview = null;
        return;
      }
      const end = Math.floor(Date.now() / 1000);
      const start = end - Number(days) * 86_400;
      const step = Math.round((end - start) / 300);
      const found = (await range(query, start, end, step)).slice(0, 8);
      // A young database fills little of a day: the chart begins where the samples do.
      const first = Math.min(...found.map((series) => series.values[0]?.[0] ?? end), end - 600);
      const finer = first > start + 3 * step ? (await range(query, first, end, Math.max(5, Math.round((end - first) / 300)))).slice(0, 8) : found;
      const shownFrom = finer === found ? start : first;
      const rule = { ...definition(state), name: state.name.trim() || 'preview', mode: 'active' };
      const interval = Math.max(parseDuration(state.interval) ?? 15, Number(days) * 15);
      const played = await api('rules/backtest', { method: 'POST', body: { rule, start: start * 1000, end: end * 1000, interval } });
      if (mine !== wanted) return;
      preview = {
        played,
        chart: {
          label: 'What the rule would have seen',
          lines: linesOf(finer, finer.length === 1 ? [state.name || 'value'] : shortNames(finer.map((series) => series.metric))),
          from: shownFrom * 1000, to: end * 1000, step: Math.max(5, Math.round((end - shownFrom) / 300)) * 1000, unit: unitOf(query), height: 170,
          threshold: state.threshold === '' ? undefined : { value: Number(state.threshold), text: `fires ${state.operator} ${number(Number(state.threshold))}` },
          bands: played.alerts.map((/** @type {any} */ alert) => ({ from: Date.parse(alert.fired_at), to: alert.ended_at ? Date.parse(alert.ended_at) : end * 1000 })),
        },
      };
    } catch (error) {
      if (mine === wanted) preview = { wrong: /** @type {Error} */ (error).message };
    } finally {
      if (mine === wanted) draw();
    }
  }

  const dialog = formDialog({
    title: one ? `Edit ${one.name}` : 'Add an alert rule',
    act: one ? 'Save' : 'Add',
    size: 'wide',
    fields: (self) => [
      h('div.fields',
        field(state, 'name', 'Name', { required: true, disabled: Boolean(one), hint: 'a-z, 0-9 and -', autofocus: !one }),
        field(state, 'severity', 'Severity', { options: ['info', 'warning', 'critical'] }),
        field(state, 'mode', 'Mode', { options: [['active', 'active'], ['shadow', 'shadow: nobody is told'], ['paused', 'paused']] })),
      segments('Form of the condition', [['simple', 'A metric and a limit'], ['expr', 'PromQL']], state.simple ? 'simple' : 'expr', (value) => {
        state.simple = value === 'simple';
        self.draw();
        later();
      }),
      state.simple
        ? h('div.fields', { key: 'simple' },
          field(state, 'aggregate', 'Take the', { options: AGGREGATES, onchange: later }),
          field(state, 'metric', 'of metric', { mono: true, placeholder: 'queue_depth', list: 'metric-names', onchange: later }),
          field(state, 'match', 'with labels', { mono: true, placeholder: 'job=orders', onchange: later }),
          field(state, 'window', 'over', { placeholder: '5m', onchange: later }))
        : field(state, 'expr', 'Query', { type: 'area', mono: true, rows: 3, placeholder: 'sum(rate(errors_total[5m])) / sum(rate(requests_total[5m]))', onchange: later, hint: 'With its own comparison, or without one and a limit below.' }),
      h('div.fields', { key: 'limit' },
        field(state, 'operator', 'is', { options: OPERATORS, onchange: later }),
        field(state, 'threshold', 'Limit', { type: 'number', onchange: later }),
        field(state, 'exit_threshold', 'Ends beyond', { type: 'number', placeholder: 'the limit', onchange: later }),
        field(state, 'for', 'for', { placeholder: '0s', onchange: later })),
      h('section', { key: 'preview', 'aria-label': 'Preview', 'aria-busy': 'false' },
        h('div.row.between', h('h3', 'On real history'), segments('How far back', [['1', '1 d'], ['7', '7 d'], ['15', '15 d']], days, (value) => {
          days = value;
          self.draw();
          look();
        })),
        preview?.wrong ? banner('warn', preview.wrong)
          : preview ? [preview.chart.lines.length ? h('v-chart', { '.config': preview.chart }) : h('p.muted', 'No samples in this time.'), verdict(preview.played, Number(days))]
            : h('p.faint', 'Give a metric and a limit, and it shows what the rule would have done.')),
      h('details', { key: 'more', open: Boolean(one) }, h('summary', 'More'),
        h('div.dialog-body.inner',
          h('div.fields', field(state, 'interval', 'Evaluated every', { placeholder: '15s' }), field(state, 'keep_firing_for', 'Keeps firing for', { placeholder: '0s' }), field(state, 'cooldown', 'Cooldown', { placeholder: '15m' })),
          h('div.fields', field(state, 'on_no_data', 'Without data', { options: ['hold', 'alert', 'ok'] }), field(state, 'on_error', 'On errors', { options: ['hold', 'alert', 'ok'] })),
          h('div.fields', field(state, 'channels', 'Channels', { hint: 'empty: the routes decide' }), field(state, 'feature', 'Feature'), field(state, 'runbook', 'Runbook', { placeholder: 'https://…' })),
          field(state, 'summary', 'Summary', { hint: 'What people read; {{ $labels.job }} and {{ $value }} may be in it' }),
          field(state, 'description', 'Description'),
          field(state, 'alert_labels', 'Labels of its alerts, as JSON', { mono: true }))),
      names.length > 0 && h('datalist', { id: 'metric-names', key: 'names' }, names.map((name) => h('option', { value: name, key: name }))),
    ],
    send: async () => {
      const body = definition(state);
      if (one) await api(`rules/${encodeURIComponent(one.name)}`, { method: 'PUT', body });
      else await api('rules', { method: 'POST', body });
      rules.refresh();
      toast(`${body.name} was ${one ? 'saved' : 'added'}`);
      if (!one) go(to('rules', body.name));
    },
  });
  draw = dialog.draw;
  if (one || given) look();
  if (!names.length) {
    api('label/__name__/values').then((/** @type {string[]} */ found) => {
      names = found;
      if (document.querySelector('dialog[open]')) draw();
    }, () => {});
  }
}

/** Names of metrics, for completion. @type {string[]} */
let names = [];
