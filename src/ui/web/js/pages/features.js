// Features: how each does, what it costs, and its configuration with all versions.

import { h, icon } from '../core.js';
import { ask, field, formDialog, toast } from '../dialog.js';
import { moment, number, percent, plural, short, withUnit } from '../format.js';
import { card, empty, instead, originChip, ownedBy, pageHead, segments, severityChip, stale } from '../parts.js';
import { go, keepInAddress, to } from '../router.js';
import { api, Resource } from '../store.js';
import { json, pairs } from '../check-form.js';

const WINDOWS = ['15m', '1h', '24h', '7d'];
const TONE = /** @type {Record<string, string>} */ ({ healthy: 'ok', degraded: 'warn', unhealthy: 'crit', maintenance: 'accent' });
const MARK = /** @type {Record<string, string>} */ ({ inactive: 'paused', maintenance: 'paused' });

/** A share from 0 to 1. @param {number | null | undefined} value */
const share = (value) => (value === null || value === undefined ? '–' : percent(value * 100));

/** @param {any} answer */
const listOf = (answer) => (Array.isArray(answer) ? answer : answer?.features ?? answer?.summaries ?? []);

/** @param {import('../app.js').Page} page */
export default function features(page) {
  if (page.route.name) {
    detail(page, page.route.name);
    return;
  }
  let window_ = page.route.query.get('window') ?? '1h';
  const all = new Resource(async (signal) => listOf(await api(`features/summary?window=${window_}`, { signal })), 10_000, ['features', 'outcomes']);
  const draw = page.draws(() => {
    const list = all.data ?? [];
    return [
      pageHead('Features', {
        sub: all.data && plural(list.length, 'feature'),
        tools: [
          segments('Window', WINDOWS.map((one) => [one, one]), window_, (value) => {
            window_ = value;
            keepInAddress({ window: value === '1h' ? null : value });
            all.refresh();
            draw();
          }),
          h('button.button.main', { type: 'button', disabled: Boolean(all.error?.missing), onclick: () => edit(null, () => all.refresh()) }, icon('plus'), 'Add feature'),
        ],
      }),
      h('div.stack', { key: 'all' }, stale(all), card('How they do', { note: `the last ${window_}` },
        instead(all, 'features') ?? (list.length ? table(list) : empty('features', 'No features yet', 'A feature is something that the team runs and watches as a unit. Outcomes that name one make it appear by itself.')))),
    ];
  });
  page.use(all);
}

/** @param {any[]} list */
function table(list) {
  return h('div.table-wrap', { tabindex: '0', role: 'region', 'aria-label': 'Features' }, h('table',
    h('thead', h('tr', h('th', 'Feature'), h('th', 'Health'), h('th.right', 'Available'), h('th.right', 'Errors'), h('th.right', 'Latency p95'), h('th.right', 'Requests'), h('th.right', 'Cost'), h('th.right', 'Per request'))),
    h('tbody', list.map((one) => h('tr', { key: one.name },
      h('td', h('div.row.tight', h('span.mark', { class: MARK[one.status] ?? one.status, role: 'img', 'aria-label': one.status }), h('a.name', { href: to('features', one.name) }, one.display_name || one.name), originChip(one.origin))),
      h('td', h('span.chip', { class: TONE[one.status] ?? '' }, one.status, one.health_score !== null && one.health_score !== undefined && ` ${number(one.health_score)}`)),
      h('td.right', share(one.availability)),
      h('td.right', share(one.error_rate)),
      h('td.right', one.latency_ms?.p95 === null || one.latency_ms?.p95 === undefined ? '–' : withUnit(one.latency_ms.p95, 'ms')),
      h('td.right', one.requests === null ? '–' : short(one.requests)),
      h('td.right', one.cost === null ? '–' : number(one.cost)),
      h('td.right', one.cost_per_request === null ? '–' : number(one.cost_per_request)))))));
}

/** @param {import('../app.js').Page} page @param {string} name */
function detail(page, name) {
  const path = `features/${encodeURIComponent(name)}`;
  let window_ = '1h';
  const one = new Resource((signal) => api(`${path}/summary?window=${window_}`, { signal }), 10_000, ['features', 'outcomes']);
  const definition = new Resource((signal) => api(path, { signal }), 30_000, ['config']);
  const versions = new Resource(async (signal) => {
    try {
      return await api(`${path}/config/history?limit=50`, { signal });
    } catch (error) {
      // No configuration yet is no fault.
      if (/** @type {any} */ (error).status === 404 && !/** @type {any} */ (error).missing) return [];
      throw error;
    }
  }, 20_000, ['config']);
  const draw = page.draws(() => {
    const data = one.data;
    const back = /** @type {[string, string]} */ ([to('features'), 'Features']);
    if (!data) return [pageHead(name, { back }), card('Feature', {}, instead(one, 'features'))];
    const defined = definition.data;
    const owned = defined ? ownedBy(defined.origin, 'feature') : 'This feature is known from outcomes alone. Add it to give it a definition.';
    return [
      pageHead(data.display_name || name, {
        back,
        sub: h('span', h('span', { class: TONE[data.status] ?? '' }, data.status), data.health_score !== null && ` · health ${number(data.health_score)} of 100`),
        tools: [
          segments('Window', WINDOWS.map((value) => [value, value]), window_, (value) => {
            window_ = value;
            one.refresh();
            draw();
          }),
          h('button.button', { type: 'button', disabled: Boolean(owned), title: owned, onclick: () => edit(defined, () => definition.refresh()) }, 'Edit'),
          h('button.button', { type: 'button', disabled: Boolean(owned), title: owned, onclick: () => ask({
            title: `Delete ${name}?`,
            text: 'Its definition goes. Its metrics stay until their retention.',
            act: 'Delete',
            does: async () => {
              await api(path, { method: 'DELETE' });
              go(to('features'));
            },
          }) }, 'Delete'),
        ],
      }),
      h('div.stack', { key: 'all' },
        stale(one),
        figures(data),
        h('div.grid', healthCard(data), incidentsCard(data), configCard(name, path, versions, draw))),
    ];
  });
  page.use(one);
  page.use(definition);
  page.use(versions);
}

/** @param {any} data */
function figures(data) {
  const latency = data.latency_ms ?? {};
  const all = /** @type {[string, any, string][]} */ ([
    ['Available', share(data.availability), data.availability_from ? `from ${data.availability_from}` : ''],
    ['Errors', share(data.error_rate), `${short(data.errors ?? 0)} of ${short(data.requests ?? 0)}`],
    ['Latency p95', latency.p95 === null || latency.p95 === undefined ? '–' : withUnit(latency.p95, 'ms'), latency.p50 ? `p50 ${withUnit(latency.p50, 'ms')}` : ''],
    ['Requests', data.requests_per_minute === null ? '–' : short(data.requests_per_minute), 'a minute'],
    ['Cost', data.cost === null ? '–' : number(data.cost), data.cost_per_request ? `${number(data.cost_per_request)} each` : ''],
    ['Tokens', data.tokens?.output === null || data.tokens?.output === undefined ? '–' : short(data.tokens.output), data.tokens?.input ? `${short(data.tokens.input)} in` : ''],
  ]);
  return h('section.figures', { 'aria-label': 'Key figures' }, all.map(([label, value, note]) =>
    h('div.figure', { key: label }, h('span.name', label), h('span.value', value), h('span.change', note))));
}

/** @param {any} data */
function healthCard(data) {
  return card('What its health is made of', { class: 'w6', key: 'health' },
    data.health?.length
      ? h('dl.facts', data.health.map((/** @type {any} */ part) => [h('dt', { key: `${part.part}-t` }, part.part.replaceAll('_', ' ')), h('dd', { key: `${part.part}-d` }, `${number(part.score * 100)} of 100, weight ${number(part.weight)}`)]))
      : empty('features', 'Nothing is known', 'Checks, incidents and outcomes that name this feature tell how it does.'),
    data.problems?.map((/** @type {string} */ text) => h('p.crit.top-space', text)),
    data.checks?.length > 0 && h('p.top-space', 'Checks: ', data.checks.map((/** @type {string} */ check, /** @type {number} */ i) => [i > 0 && ', ', h('a', { href: to('checks', check), key: check }, check)])));
}

/** @param {any} data */
function incidentsCard(data) {
  /** @type {any[]} */
  const list = data.open_incidents ?? [];
  return card('Open incidents', { class: 'w6', key: 'incidents' }, list.length
    ? h('ul.rows', list.map((one) => h('li', { key: one.id }, h('div.body', h('div.top', h('a.name', { href: to('incidents', one.number) }, one.title), h('span.when', moment(one.triggered_at))), h('p.faint.row', h('span', `INC-${one.number}`), severityChip(one.severity), h('span', one.status))))))
    : empty('check', 'No open incidents', null));
}

/** @param {string} name @param {string} path @param {Resource<any>} versions @param {() => void} draw */
function configCard(name, path, versions, draw) {
  /** @type {any[]} */
  const list = versions.data ?? [];
  const newest = list[0];
  const write = () => {
    const state = { value: JSON.stringify(newest?.value ?? {}, null, 2), comment: '' };
    formDialog({
      title: newest ? `Change the configuration of ${name}` : `Configure ${name}`,
      act: 'Save as a new version',
      size: 'wide',
      fields: () => [
        field(state, 'value', 'Configuration, as JSON', { type: 'area', rows: 14, mono: true, autofocus: true }),
        field(state, 'comment', 'Why', { hint: 'Kept with the version' }),
      ],
      send: async () => {
        await api(`${path}/config`, { method: 'PUT', body: { value: json(state.value, 'configuration'), comment: state.comment, follows: newest?.version } });
        toast('The new version is in force');
        versions.refresh();
      },
    });
  };
  const back = (/** @type {any} */ one) => ask({
    title: `Go back to version ${one.version}?`,
    text: 'Its value becomes a new version. Applications get it with their next call.',
    act: 'Go back',
    danger: false,
    does: async () => {
      await api(`${path}/config`, { method: 'PUT', body: { version: one.version, follows: newest.version, comment: `back to version ${one.version}` } });
      versions.refresh();
      draw();
    },
  });
  return card('Configuration', { key: 'config', note: h('button.button', { type: 'button', onclick: write, disabled: Boolean(versions.error) }, newest ? 'Change' : 'Configure') },
    instead(versions, 'configuration') ?? (newest
      ? h('div.stack',
        h('pre', JSON.stringify(newest.value, null, 2)),
        h('ul.rows', list.map((one) => h('li', { key: one.version }, h('div.body',
          h('div.top', h('span.strong', `Version ${one.version}`), h('span.when', moment(one.at))),
          h('p.faint', [one.author, one.comment, one.restored && `version ${one.restored} again`].filter(Boolean).join(' · '))),
        one !== newest && h('button.button', { type: 'button', 'aria-label': `Go back to version ${one.version}`, onclick: () => back(one) }, 'Go back')))))
      : empty('settings', 'No configuration yet', 'Prompts, models, limits: any JSON, with all its versions, handed to applications by one call.')));
}

/** @param {any} one @param {() => void} after */
function edit(one, after) {
  const state = {
    name: one?.name ?? '', display_name: one?.display_name ?? '', description: one?.description ?? '', status: one?.status ?? 'active',
    labels: Object.entries(one?.labels ?? {}).map(([name, value]) => `${name}=${value}`).join(', '), latency_target_ms: one?.latency_target_ms ?? '',
  };
  formDialog({
    title: one ? `Edit ${one.name}` : 'Add a feature',
    act: one ? 'Save' : 'Add',
    fields: () => [
      h('div.fields', field(state, 'name', 'Name', { disabled: Boolean(one), hint: 'a-z, 0-9 and -', autofocus: !one }), field(state, 'display_name', 'Name for people')),
      field(state, 'description', 'Description'),
      h('div.fields', field(state, 'status', 'Status', { options: ['active', 'inactive', 'maintenance'] }), field(state, 'latency_target_ms', 'Latency p95 that is good enough, ms', { type: 'number', placeholder: '1000' })),
      field(state, 'labels', 'Labels', { placeholder: 'team=web' }),
    ],
    send: async () => {
      const body = { ...(one ? {} : { name: state.name.trim() }), display_name: state.display_name, description: state.description, status: state.status, labels: pairs(state.labels), latency_target_ms: state.latency_target_ms === '' ? null : Number(state.latency_target_ms) };
      if (one) await api(`features/${encodeURIComponent(one.name)}`, { method: 'PATCH', body });
      else await api('features', { method: 'POST', body });
      after();
    },
  });
}
