// Any metric over any time: a picker with completion, up to six queries on charts that share cursor
// and zoom, labels to narrow down by, tables, and CSV.

import { h, icon } from '../core.js';
import '../chart.js';
import { linesOf } from '../chart.js';
import { duration, localInput, parseDuration, plural, seriesName, shortNames, unitOf } from '../format.js';
import { card, empty, instead, pageHead, segments } from '../parts.js';
import { picker } from '../picker.js';
import { keepInAddress, to } from '../router.js';
import { api, range, Resource } from '../store.js';

const RANGES = ['5m', '15m', '1h', '6h', '24h', '7d', '30d'];
const QUERIES_MAX = 6;
const SERIES_MAX = 20;
const POINTS = 300;
const START = [
  ['Processor', '1 - avg by (instance) (rate(node_cpu_seconds_total{mode="idle"}[1m]))'],
  ['Memory free', 'node_memory_MemAvailable_bytes'],
  ['Load', 'node_load1'],
  ['Network in', 'sum by (device) (rate(node_network_receive_bytes_total[1m]))'],
  ['Checks up', 'vedette_check_up'],
];

/** @param {import('../app.js').Page} page */
export default function metrics(page) {
  const { query: address } = page.route;
  let queries = address.getAll('q');
  let chosen = address.get('range') ?? '1h';
  /** @type {[number, number] | null} a fixed time, in ms */
  let fixed = address.get('from') ? [Number(address.get('from')), Number(address.get('to'))] : null;
  let draft = '';
  const custom = { from: '', to: '' };
  let asking = false;

  const names = new Resource((signal) => api('label/__name__/values', { signal }), 60_000);
  const metadata = new Resource((signal) => api('metadata?limit=2000', { signal }), 300_000);
  /** @type {Map<string, Resource<any>>} */
  const panels = new Map();

  /** @returns {[number, number]} seconds */
  const bounds = () => {
    if (fixed) return [fixed[0] / 1000, fixed[1] / 1000];
    const end = Math.floor(Date.now() / 1000);
    return [end - (parseDuration(chosen) ?? 3600), end];
  };

  /** @param {string} query */
  function panelOf(query) {
    let panel = panels.get(query);
    if (!panel) {
      panel = new Resource(async (signal) => {
        const [from, end] = bounds();
        const step = Math.max(1, Math.ceil((end - from) / POINTS));
        const all = await range(query, from, end, Math.max(step, end - from > 900 ? 5 : 1), signal);
        const shown = all.slice(0, SERIES_MAX);
        return { all, config: { label: query, lines: linesOf(shown, shortNames(shown.map((one) => one.metric))), from: from * 1000, to: end * 1000, step: Math.max(step, 15) * 1000, unit: unitOf(query), group: 'metrics', onzoom: zoom } };
      }, 15_000, ['metrics']);
      panels.set(query, panel);
      page.use(panel);
    }
    return panel;
  }

  function keep() {
    keepInAddress({ q: queries, range: fixed || chosen === '1h' ? null : chosen, from: fixed && String(Math.round(fixed[0])), to: fixed && String(Math.round(fixed[1])) });
  }

  function again() {
    keep();
    for (const query of queries) panelOf(query).refresh();
    draw();
  }

  /** @param {string} query */
  function add(query) {
    const clean = query.trim();
    if (!clean || queries.includes(clean) || queries.length >= QUERIES_MAX) return;
    queries = [...queries, clean];
    draft = '';
    keep();
    panelOf(clean);
    draw();
  }

  /** @param {string} query @param {string} [other] */
  function replace(query, other) {
    queries = queries.flatMap((one) => (one === query ? (other ? [other] : []) : [one]));
    keep();
    if (other) panelOf(other);
    draw();
  }

  /** @param {number} from @param {number} to_ */
  function zoom(from, to_) {
    fixed = [from, to_];
    again();
  }

  const draw = page.draws(() => [
    pageHead('Metrics', {
      sub: names.data && plural(names.data.length, 'metric'),
      tools: [
        segments('Range', [...RANGES.map((one) => /** @type {[string, any]} */ ([one, one])), ['custom', 'Custom']], fixed || asking ? 'custom' : chosen, (value) => {
          if (value === 'custom') {
            const [from, end] = bounds();
            custom.from = localInput(from * 1000);
            custom.to = localInput(end * 1000);
            asking = true;
            draw();
            return;
          }
          asking = false;
          fixed = null;
          chosen = value;
          again();
        }),
      ],
    }),
    h('div.stack', { key: 'all' },
      asking && h('form.filters', { key: 'custom', onsubmit: (/** @type {Event} */ event) => {
        event.preventDefault();
        const [from, end] = [new Date(custom.from).getTime(), new Date(custom.to).getTime()];
        if (end > from) {
          fixed = [from, end];
          asking = false;
          again();
        }
      } },
      h('label', { for: 'from' }, 'From'), h('input.auto', { id: 'from', type: 'datetime-local', value: custom.from, onchange: (/** @type {any} */ event) => { custom.from = event.target.value; } }),
      h('label', { for: 'to' }, 'to'), h('input.auto', { id: 'to', type: 'datetime-local', value: custom.to, onchange: (/** @type {any} */ event) => { custom.to = event.target.value; } }),
      h('button.button.main', { type: 'submit' }, 'Show')),
      fixed && !asking && h('div.banner', { key: 'fixed' }, icon('info'), h('div.grow', `A fixed time of ${duration(Math.round((fixed[1] - fixed[0]) / 1000))}; it does not move on.`),
        h('button.button', { type: 'button', onclick: () => {
          fixed = null;
          again();
        } }, 'Back to now')),
      h('form.row.asks', { key: 'ask', role: 'search', onsubmit: (/** @type {Event} */ event) => {
        event.preventDefault();
        add(draft);
      } },
      h('div.grow', picker({
        label: 'PromQL, or the name of a metric',
        value: draft,
        names: names.data ?? [],
        about: (name) => metadata.data?.[name]?.[0]?.help ?? '',
        change: (value) => {
          draft = value;
          draw();
        },
        choose: add,
        draw: () => draw(),
      })),
      h('button.button.main', { type: 'submit', disabled: queries.length >= QUERIES_MAX }, icon('plus'), 'Show')),
      queries.map((query) => panelCard(query, panelOf(query), { replace, names: names.data ?? [] })),
      !queries.length && card('Where to begin', { key: 'begin' },
        instead(names, 'metrics') ?? (names.data?.length
          ? h('ul.rows', START.filter(([, query]) => names.data.some((/** @type {string} */ name) => query.includes(name))).map(([title, query]) => h('li', { key: query }, h('div.body',
            h('button.button.plain', { type: 'button', onclick: () => add(query) }, title), h('div.faint.mono.break', query)))))
          : empty('metrics', 'No metrics yet', 'The machine’s own appear within seconds of the start.')))),
  ]);
  for (const query of queries) panelOf(query);
  page.use(names);
  page.use(metadata);
}

/**
 * @param {string} query
 * @param {Resource<any>} panel
 * @param {{replace: (query: string, other?: string) => void, names: string[]}} acts
 */
function panelCard(query, panel, { replace, names }) {
  const data = panel.data;
  const selector = /^[a-zA-Z_:][a-zA-Z0-9_:]*(\{.*\})?$/.test(query) && names.includes(query.replace(/\{.*$/, ''));
  return h('section.card', { key: query, 'aria-label': query },
    h('div.card-head', h('h2.mono.break', query), h('div.row',
      h('a.button', { href: to('rules', undefined, { expr: query }) }, icon('rules'), 'Alert'),
      h('button.button', { type: 'button', disabled: !data?.all.length, onclick: () => download(query, data.all) }, icon('download'), 'CSV'),
      h('button.icon-button', { type: 'button', 'aria-label': `Remove ${query}`, onclick: () => replace(query) }, icon('cross')))),
    panel.error && panel.error.status !== 0 && !panel.error.missing
      ? h('div.banner.crit', { role: 'alert' }, icon('cross'), h('div.mono', panel.error.message))
      : instead(panel, 'samples') ?? (data.config.lines.length
        ? [
          selector && labelFilters(query, data.all, replace),
          h('v-chart', { '.config': data.config }),
          data.all.length > SERIES_MAX && h('p.faint', `The first ${SERIES_MAX} of ${data.all.length} series; a label narrows them down.`),
        ]
        : empty('metrics', 'No samples in this time', 'A longer range may have some.')));
}

/**
 * A choice for each label in which the series differ.
 * @param {string} query
 * @param {{metric: Record<string, string>}[]} all
 * @param {(query: string, other?: string) => void} replace
 */
function labelFilters(query, all, replace) {
  const name = query.replace(/\{.*$/, '');
  const set = Object.fromEntries([...query.matchAll(/([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"/g)].map(([, label, value]) => [label, JSON.parse(`"${value}"`)]));
  const labels = [...new Set(all.flatMap((one) => Object.keys(one.metric)))].filter((label) => label !== '__name__');
  const differ = labels.filter((label) => label in set || new Set(all.map((one) => one.metric[label])).size > 1).slice(0, 6);
  if (!differ.length) return null;
  /** @param {string} label @param {string} value */
  const choose = (label, value) => {
    const next = { ...set, [label]: value };
    const matchers = Object.entries(next).filter(([, one]) => one).map(([one, text]) => `${one}=${JSON.stringify(text)}`);
    replace(query, matchers.length ? `${name}{${matchers.join(',')}}` : name);
  };
  return h('div.filters.tags', { key: 'tags' }, differ.map((label) => h('select', { key: label, 'aria-label': label, value: set[label] ?? '', onchange: (/** @type {any} */ event) => choose(label, event.target.value) },
    h('option', { value: '', key: '' }, `${label}: all`),
    [...new Set(all.map((one) => one.metric[label]).filter(Boolean))].sort().map((value) => h('option', { value, key: value }, value)))));
}

/**
 * Hands out the samples as CSV: a row for each moment, a column for each series.
 * @param {string} query
 * @param {{metric: Record<string, string>, values: [number, string][]}[]} all
 */
function download(query, all) {
  // A text that a spreadsheet would take for a formula is made a text.
  const cell = (/** @type {string} */ text) => `"${text.replace(/^[=+@-]/, "'$&").replaceAll('"', '""')}"`;
  const moments = [...new Set(all.flatMap((one) => one.values.map(([at]) => at)))].sort((a, b) => a - b);
  const columns = all.map((one) => new Map(one.values));
  const lines = [['time', ...all.map((one) => cell(seriesName(one.metric)))].join(',')];
  for (const at of moments) lines.push([new Date(at * 1000).toISOString(), ...columns.map((column) => column.get(at) ?? '')].join(','));
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob([`${lines.join('\n')}\n`], { type: 'text/csv' }));
  link.download = `${query.replace(/\W+/g, '-').slice(0, 60) || 'metric'}.csv`;
  link.click();
  URL.revokeObjectURL(link.href);
}

