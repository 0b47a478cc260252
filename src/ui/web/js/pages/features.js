// Features: how each does, what it costs, and its configuration with all versions.

import { h, icon } from '../core.js';
import { ask, field, formDialog } from '../dialog.js';
import { moment, number, percent, plural, short, withUnit } from '../format.js';
import { card, empty, instead, originChip, ownedBy, pageHead, segments, severityChip, stale } from '../parts.js';
import { go, keepInAddress, to } from '../router.js';
import { api, only, Resource } from '../store.js';
import { pairs } from '../check-form.js';
import { configCard, evaluateCard } from '../feature-config.js';

const WINDOWS = ['15m', '1h', '24h', '7d'];
const TONE = /** @type {Record<string, string>} */ ({ healthy: 'ok', degraded: 'warn', unhealthy: 'crit', maintenance: 'accent' });
const MARK = /** @type {Record<string, string>} */ ({ inactive: 'paused', maintenance: 'paused' });

/** What may be asked of series instead. */
const QUERIES = /** @type {[string, string, string][]} */ ([
  ['requests', 'Requests', 'sum(increase(http_requests_total{job="shop"}[$window]))'], ['errors', 'Errors', 'sum(increase(http_requests_total{job="shop",code=~"5.."}[$window]))'],
  ['latency_quantile', 'Latency at a quantile, s', 'histogram_quantile($quantile, sum by (le) (rate(http_request_duration_seconds_bucket[$window])))'], ['latency_mean', 'Mean latency, s', ''], ['cost', 'Cost', ''], ['availability', 'Availability, 0 to 1', 'avg_over_time(up{job="shop"}[$window])'],
]);

/** A share from 0 to 1. @param {number | null | undefined} value */
const share = (value) => (value === null || value === undefined ? '–' : percent(value * 100));

/** @param {any} answer */
const listOf = (answer) => (Array.isArray(answer) ? answer : answer?.features ?? answer?.summaries ?? []);

/** The two kinds of things that outcomes tell of. */
const KINDS = /** @type {Record<string, {path: string, noun: string, title: string, about: string}>} */ ({
  features: { path: 'features', noun: 'feature', title: 'Features', about: 'A feature is something that a team runs and watches as a unit. Outcomes that name one make it appear by itself.' },
  providers: { path: 'providers', noun: 'provider', title: 'Providers', about: 'A provider is somebody whose service features use. Outcomes that name one make it appear by itself.' },
});

/** @param {import('../app.js').Page} page */
export default function features(page) {
  const name = page.route.name ?? '';
  if (name.startsWith('~provider/')) {
    detail(page, KINDS.providers, name.slice('~provider/'.length));
    return;
  }
  if (name && name !== '~providers') {
    detail(page, KINDS.features, name);
    return;
  }
  const kind = name === '~providers' ? KINDS.providers : KINDS.features;
  let window_ = page.route.query.get('window') ?? '1h';
  const all = new Resource(async (signal) => listOf(await api(`${kind.path}/summary?window=${window_}`, { signal })), 10_000, ['features', 'providers', 'metrics', 'outcomes']);
  const draw = page.draws(() => {
    const list = all.data ?? [];
    return [
      pageHead(kind.title, {
        sub: all.data && plural(list.length, kind.noun),
        tools: [
          segments('Window', WINDOWS.map((one) => [one, one]), window_, (value) => {
            window_ = value;
            keepInAddress({ window: value === '1h' ? null : value });
            all.refresh();
            draw();
          }),
          h('button.button.main.acts', { type: 'button', onclick: () => edit(kind, null, () => all.refresh()) }, icon('plus'), `Add ${kind.noun}`),
        ],
      }),
      h('div.stack', { key: 'all' },
        stale(all),
        h('nav', { 'aria-label': 'Kinds', key: 'kinds' }, h('div.seg', Object.values(KINDS).map((one) => h('a', { key: one.path, href: to('features', one === KINDS.providers ? '~providers' : undefined), 'aria-current': one === kind ? 'page' : null }, one.title)))),
        card('How they do', { note: `the last ${window_}` },
          instead(all, kind.path) ?? (list.length ? table(list, kind) : empty('features', `No ${kind.path} yet`, kind.about)))),
    ];
  });
  page.use(all);
}

/** @param {any[]} list @param {typeof KINDS[string]} kind */
function table(list, kind) {
  return h('div.table-wrap', { tabindex: '0', role: 'region', 'aria-label': kind.title }, h('table',
    h('thead', h('tr', h('th', kind.noun[0].toUpperCase() + kind.noun.slice(1)), h('th', 'Health'), h('th.right', 'Available'), h('th.right', 'Errors'), h('th.right', 'Latency p95'), h('th.right', 'Requests'), h('th.right', 'Cost'), h('th.right', 'Per request'))),
    h('tbody', list.map((one) => h('tr', { key: one.name },
      h('td', h('div.row.tight', h('span.mark', { class: MARK[one.status] ?? one.status, role: 'img', 'aria-label': one.status }), h('a.name', { href: addressOf(kind, one.name) }, one.display_name || one.name), originChip(one.origin))),
      h('td', h('span.chip', { class: TONE[one.status] ?? '' }, one.status, one.health_score !== null && one.health_score !== undefined && ` ${number(one.health_score)}`)),
      h('td.right', share(one.availability)),
      h('td.right', share(one.error_rate)),
      h('td.right', one.latency_ms?.p95 === null || one.latency_ms?.p95 === undefined ? '–' : withUnit(one.latency_ms.p95, 'ms')),
      h('td.right', one.requests === null ? '–' : short(one.requests)),
      h('td.right', one.cost === null ? '–' : number(one.cost)),
      h('td.right', one.cost_per_request === null ? '–' : number(one.cost_per_request)))))));
}

/** @param {typeof KINDS[string]} kind @param {string} name */
const addressOf = (kind, name) => (kind === KINDS.providers ? `${to('features')}/~provider/${encodeURIComponent(name)}` : to('features', name));

/** @param {import('../app.js').Page} page @param {typeof KINDS[string]} kind @param {string} name */
function detail(page, kind, name) {
  const path = `${kind.path}/${encodeURIComponent(name)}`;
  const ofFeature = kind === KINDS.features;
  const attempt = { unit: '', attributes: '', said: /** @type {any} */ (null) };
  let window_ = '1h';
  const one = new Resource((signal) => api(`${path}/summary?window=${window_}${ofFeature ? '&by=provider' : '&by=model'}`, { signal }), 10_000, ['features', 'providers', 'metrics', 'outcomes'], only(name));
  // One that is known from outcomes alone has no definition, and that is no fault.
  const definition = new Resource((signal) => api(path, { signal }).catch((error) => (error.status === 404 ? null : Promise.reject(error))), 30_000, ['features', 'providers', 'config']);
  const versions = new Resource(async (signal) => {
    try {
      return await api(`${path}/config/history?limit=50`, { signal });
    } catch (error) {
      // No configuration yet is no fault.
      if (/** @type {any} */ (error).status === 404 && !/** @type {any} */ (error).missing) return [];
      throw error;
    }
  }, 20_000, ['features', 'config']);
  const draw = page.draws(() => {
    const data = one.data;
    const back = /** @type {[string, string]} */ ([to('features', ofFeature ? undefined : '~providers'), kind.title]);
    if (!data) return [pageHead(name, { back }), card(kind.title, {}, instead(one, kind.noun))];
    const defined = definition.data;
    const owned = defined ? ownedBy(defined.origin, kind.noun) : null;
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
          ofFeature && h('a.button', { key: 'logs', href: to('logs', undefined, { feature: name }) }, 'Logs'),
          defined === null && h('button.button.acts', { type: 'button', key: 'define', title: `Outcomes told of this ${kind.noun}; nobody has defined it yet`, onclick: () => edit(kind, { name, fresh: true }, () => definition.refresh()) }, 'Define it'),
          defined && h('button.button.acts', { type: 'button', key: 'edit', disabled: Boolean(owned), title: owned, onclick: () => edit(kind, defined, () => definition.refresh()) }, 'Edit'),
          defined && h('button.button.acts', { type: 'button', key: 'delete', disabled: Boolean(owned), title: owned, onclick: () => ask({
            title: `Delete ${name}?`,
            text: 'Its definition goes. Its metrics stay until their retention.',
            act: 'Delete',
            does: async () => {
              await api(path, { method: 'DELETE' });
              go(back[0]);
            },
          }) }, 'Delete'),
        ],
      }),
      h('div.stack', { key: 'all' },
        stale(one),
        owned && h('div.banner', { key: 'owned' }, icon('lock'), h('div', owned)),
        figures(data),
        h('div.grid', healthCard(data), incidentsCard(data), outcomesCard(data, ofFeature), ofFeature && evaluateCard(path, attempt, () => draw()), ofFeature && defined && configCard(name, path, versions, draw))),
    ];
  });
  page.use(one);
  page.use(definition);
  if (ofFeature) page.use(versions);
}

/** @param {any} data */
function figures(data) {
  const latency = data.latency_ms ?? {};
  const all = /** @type {[string, any, string][]} */ ([
    ['Available', share(data.availability), data.availability_from ?? ''],
    ['Errors', share(data.error_rate), `${short(data.errors ?? 0)} of ${short(data.requests ?? 0)}`],
    ['Latency p95', latency.p95 === null || latency.p95 === undefined ? '–' : withUnit(latency.p95, 'ms'), latency.p50 ? `p50 ${withUnit(latency.p50, 'ms')}` : ''],
    ['Requests', data.requests_per_minute === null ? '–' : short(data.requests_per_minute), 'a minute'],
    ['Cost', data.cost === null ? '–' : number(data.cost), data.cost_per_request ? `${number(data.cost_per_request)} each` : ''],
    ['Tokens', data.tokens?.output === null || data.tokens?.output === undefined ? '–' : short(data.tokens.output), data.tokens?.input ? `${short(data.tokens.input)} in` : ''],
  ]);
  return h('section.figures', { 'aria-label': 'Key figures' }, all.map(([label, value, note]) =>
    h('div.figure', { key: label }, h('span.name', label), h('span.value', value.split('\u00a0')[0], value.includes('\u00a0') && h('span.unit', value.split('\u00a0')[1])), h('span.change.clip', { title: note }, note))));
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

/** The figures by provider or model, and how to send more. @param {any} data @param {boolean} ofFeature */
function outcomesCard(data, ofFeature) {
  /** @type {any[]} */
  const parts = data.parts ?? [];
  const word = ofFeature ? 'Provider' : 'Model';
  return card('Outcomes', { class: ofFeature ? 'w6' : '', key: 'outcomes', note: data.requests === null ? null : plural(data.requests, 'outcome') },
    parts.some((one) => one.requests)
      ? h('div.table-wrap', { tabindex: '0', role: 'region', 'aria-label': `Outcomes by ${word.toLowerCase()}` }, h('table',
        h('thead', h('tr', h('th', word), h('th.right', 'Requests'), h('th.right', 'Errors'), h('th.right', 'p95'), h('th.right', 'Cost'))),
        h('tbody', parts.map((one, i) => h('tr', { key: i }, h('td.name', one[word.toLowerCase()] || h('span.faint', 'none given')), h('td.right', short(one.requests)), h('td.right', share(one.error_rate)), h('td.right', withUnit(one.latency_ms?.p95, 'ms')), h('td.right', number(one.cost)))))))
      : empty('metrics', 'No outcomes in this time', ['Applications send them to ', h('code', 'POST /api/v1/outcomes'), ', one for each call.']));
}

/** @param {typeof KINDS[string]} kind @param {any} one a definition, a name to define, or null @param {() => void} after */
function edit(kind, one, after) {
  const fresh = !one || one.fresh;
  const ofFeature = kind === KINDS.features;
  const state = {
    name: one?.name ?? '', display_name: one?.display_name ?? '', description: one?.description ?? '', status: one?.status ?? 'active',
    labels: Object.entries(one?.labels ?? {}).map(([name, value]) => `${name}=${value}`).join(', '), latency_target_ms: one?.latency_target_ms ?? '',
    ...Object.fromEntries(QUERIES.map(([name]) => [name, one?.queries?.[name] ?? ''])),
  };
  const any = QUERIES.some(([name]) => one?.queries?.[name]);
  formDialog({
    title: fresh ? `Add a ${kind.noun}` : `Edit ${one.name}`,
    act: fresh ? 'Add' : 'Save',
    fields: () => [
      h('div.fields', field(state, 'name', 'Name', { disabled: Boolean(one), hint: 'a-z, 0-9 and -', autofocus: !one }), field(state, 'display_name', 'Name for people')),
      field(state, 'description', 'Description'),
      ofFeature && h('div.fields', field(state, 'status', 'Status', { options: ['active', 'inactive', 'maintenance'] }), field(state, 'latency_target_ms', 'Latency p95 that is good enough, ms', { type: 'number', placeholder: '1000' })),
      field(state, 'labels', 'Labels', { placeholder: 'team=web' }),
      ofFeature && h('details', { key: 'queries', open: any }, h('summary', 'Figures from PromQL, where no outcomes are sent'), h('div.dialog-body.inner',
        QUERIES.map(([name, label, example]) => field(/** @type {any} */ (state), name, label, { mono: true, placeholder: example })))),
    ],
    send: async () => {
      const queries = Object.fromEntries(QUERIES.map(([name]) => [name, /** @type {any} */ (state)[name].trim()]).filter(([, query]) => query));
      const body = {
        ...(fresh ? { name: state.name.trim() } : {}), display_name: state.display_name, description: state.description, labels: pairs(state.labels),
        ...(ofFeature ? { status: state.status, latency_target_ms: state.latency_target_ms === '' ? null : Number(state.latency_target_ms), queries: fresh ? queries : { ...Object.fromEntries(QUERIES.map(([name]) => [name, null])), ...queries } } : {}),
      };
      if (fresh) await api(kind.path, { method: 'POST', body: Object.fromEntries(Object.entries(body).filter(([, value]) => value !== null)) });
      else await api(`${kind.path}/${encodeURIComponent(one.name)}`, { method: 'PATCH', body });
      after();
    },
  });
}
