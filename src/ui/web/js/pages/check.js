// One check: how it is, since when, its uptime over a day, a week and 90 days, its latency by phase,
// and what failed.

import { h, icon } from '../core.js';
import '../chart.js';
import { linesOf } from '../chart.js';
import '../beats.js';
import { beatsOfUptime } from '../beats.js';
import { ago, duration, moment, percent, withUnit } from '../format.js';
import { card, empty, instead, originChip, ownedBy, pageHead, segments, severityChip, stale } from '../parts.js';
import { to } from '../router.js';
import { api, incidents, range, Resource, withResult } from '../store.js';
import { checkButtons } from './checks.js';

const WINDOWS = /** @type {[string, string, number][]} */ ([['24h', 'Day', 86_400], ['7d', 'Week', 604_800], ['90d', '90 days', 7_776_000]]);
const LATENCY = /** @type {[string, number][]} */ ([['1h', 3600], ['6h', 21_600], ['24h', 86_400], ['7d', 604_800]]);
const PHASES = ['total', 'first_byte', 'connect', 'tls', 'dns'];
const RESULTS = 100;

/** @param {import('../app.js').Page} page @param {string} name */
export default function detail(page, name) {
  const path = `checks/${encodeURIComponent(name)}`;
  let window_ = '24h';
  let span = '1h';
  const check = new Resource((signal) => api(path, { signal }), 5000, ['checks'], (data, type, frame) => (frame?.name !== name ? data : withResult([data], type, frame)?.[0]));
  const uptime = new Resource(async (signal) => {
    const all = await Promise.all(WINDOWS.map(([one]) => api(`${path}/uptime?window=${one}`, { signal })));
    return Object.fromEntries(WINDOWS.map(([one], i) => [one, { ...all[i], shown: { beats: beatsOfUptime(all[i].bars), wide: true, label: `Uptime by ${one === '24h' ? 'hour' : 'day'}` } }]));
  }, 30_000);
  const results = new Resource((signal) => api(`${path}/results?limit=${RESULTS}`, { signal }), 10_000, ['checks'], (data, type, frame) => (frame?.name !== name ? data : type !== 'check.result' ? undefined : data.some((one) => one.at === frame.at) ? data : [frame, ...data].slice(0, RESULTS)));
  const latency = new Resource(async (signal) => {
    const seconds = LATENCY.find(([one]) => one === span)?.[1] ?? 3600;
    const end = Math.floor(Date.now() / 1000);
    const step = Math.max(10, Math.round(seconds / 240));
    const found = await range(`vedette_check_duration_seconds{check=${JSON.stringify(name)}}`, end - seconds, end, step, signal);
    const sorted = found.toSorted((a, b) => PHASES.indexOf(a.metric.phase) - PHASES.indexOf(b.metric.phase));
    return { label: 'Latency by phase', unit: 's', lines: linesOf(sorted, sorted.map((one) => (one.metric.phase ?? 'total').replace('_', ' '))), from: (end - seconds) * 1000, to: end * 1000, step: step * 1000 };
  }, 15_000, ['checks']);
  const heartbeat = new Resource((signal) => api(`${path}/heartbeat`, { signal }), 600_000);
  const after = () => {
    check.refresh();
    results.refresh();
    uptime.refresh();
  };
  let asked = false;

  const draw = page.draws(() => {
    const one = check.data;
    if (!one) return [pageHead(name, { back: [to('checks'), 'Checks'] }), card('Check', {}, instead(check, 'check'))];
    if (one.kind === 'heartbeat' && !asked) {
      asked = true;
      page.use(heartbeat);
    }
    const owned = ownedBy(one.origin, 'check');
    const tone = { unhealthy: 'crit', degraded: 'warn', healthy: 'ok' }[/** @type {string} */ (one.status)] ?? '';
    return [
      pageHead(name, {
        back: [to('checks'), 'Checks'],
        tile: h('span.tile.big', { class: tone }, h('span', { class: tone }, icon(one.status === 'healthy' ? 'check' : one.status === 'unhealthy' ? 'cross' : one.status === 'paused' ? 'pause' : 'incidents'))),
        sub: `${one.status}${one.since ? ` for ${ago(one.since)}` : ''} · ${one.kind} ${one.target ?? ''}`,
        tools: checkButtons(one, after),
      }),
      h('div.stack', { key: 'all' },
        stale(check),
        owned && h('div.banner', { key: 'owned' }, icon('lock'), h('div', owned)),
        why(one),
        h('div.grid',
          uptimeCard(uptime, window_, (value) => {
            window_ = value;
            draw();
          }),
          latencyCard(latency, span, (value) => {
            span = value;
            latency.refresh();
            draw();
          }),
          resultsCard(results),
          aboutCard(one, heartbeat),
          incidentsCard(name))),
    ];
  });
  for (const one of [check, uptime, results, latency, incidents]) page.use(one);
}

/** What is wrong with it, in words. @param {any} one */
function why(one) {
  const last = one.last_result;
  if (one.held_back_by) return h('div.banner.warn', { key: 'why' }, icon('incidents'), h('div', `Its alert is held back: ${one.held_back_by} is down, and this check depends on it.`));
  if (one.status === 'unknown') return h('div.banner', { key: 'why' }, icon('info'), h('div', one.unknown_because ?? last?.error ?? 'It has not been asked yet.'));
  if (one.status !== 'unhealthy' && one.status !== 'degraded') return null;
  return h('div.banner', { class: one.status === 'unhealthy' ? 'crit' : 'warn', key: 'why' }, icon('incidents'),
    h('div', last?.error ?? 'A condition does not hold.', last?.failed_condition && h('div', h('code', last.failed_condition))));
}

/** @param {Resource<any>} uptime @param {string} chosen @param {(value: string) => void} choose */
function uptimeCard(uptime, chosen, choose) {
  const all = uptime.data;
  const one = all?.[chosen];
  return card('Uptime', { key: 'uptime', note: segments('Window', WINDOWS.map(([id, text]) => [id, text]), chosen, choose) },
    instead(uptime, 'uptime') ?? [
      h('div.row.between', h('p', h('span.figure-big', percent(one.uptime_percent)), ' ', h('span.muted', one.uptime_percent === null ? 'nothing is known of this time' : 'up')),
        h('p.faint', parts(one.seconds))),
      h('v-beats.tall.top-space', { key: chosen, '.data': one.shown }),
      h('div.row.between.top-space.faint', h('span', moment(one.from)), h('span', 'now')),
    ]);
}

/** @param {Record<string, number>} seconds */
function parts(seconds) {
  const shown = ['unhealthy', 'degraded', 'maintenance', 'unknown', 'paused'].filter((name) => seconds[name] >= 1);
  return shown.map((name) => `${name} ${withUnit(seconds[name], 's')}`).join(' · ');
}

/** @param {Resource<any>} latency @param {string} chosen @param {(value: string) => void} choose */
function latencyCard(latency, chosen, choose) {
  const data = latency.data;
  return card('Latency by phase', { class: 'w8', key: 'latency', note: segments('Range', LATENCY.map(([one]) => [one, one]), chosen, choose) },
    instead(latency, 'latency') ??
      (data.lines.length
        ? h('v-chart', { '.config': data })
        : empty('metrics', 'No latency in this range', 'It is there once the check was asked.')));
}

/** @param {Resource<any>} results */
function resultsCard(results) {
  /** @type {any[]} */
  const list = results.data ?? [];
  const failures = list.filter((one) => one.status !== 'healthy');
  const shown = (failures.length ? failures : list).slice(0, 8);
  return card(failures.length || !list.length ? 'Failures' : 'Last results', { class: 'w4', key: 'results', note: list.length ? `of the last ${list.length} results` : null },
    instead(results, 'results') ??
      (shown.length
        ? h('ul.rows', shown.map((one) => h('li', { key: one.at },
          h('span.mark.drop', { class: one.status, role: 'img', 'aria-label': one.status }),
          h('div.body', h('div.top', h('span', withUnit(one.response_time_ms, 'ms')), h('span.when', moment(one.at))),
            (one.error || one.failed_condition) && h('p.faint.break', one.error ?? one.failed_condition)))))
        : empty('check', 'No results yet', 'The first is there within a second.')));
}

/** @param {any} one @param {Resource<any>} heartbeat */
function aboutCard(one, heartbeat) {
  /** @param {string} name @param {any} value */
  const fact = (name, value) => (value === undefined || value === null || value === '' ? null : [h('dt', { key: `${name}-t` }, name), h('dd', { key: `${name}-d` }, value)]);
  const meta = Object.entries(one.last_result?.metadata ?? {});
  return card('Definition', { class: 'w8', key: 'about', note: originChip(one.origin) }, h('dl.facts',
    fact('Description', one.description),
    fact('Asked', one.cron ? `${one.cron}${one.zone ? ` (${one.zone})` : ''}` : `every ${duration(one.every)}`),
    fact('Next', one.next_check_at && moment(one.next_check_at)),
    fact('Severity', severityChip(one.severity)),
    fact('Conditions', one.conditions.length ? h('ul', one.conditions.map((/** @type {any} */ condition) => h('li', h('code', condition.condition ?? condition), condition.severity && h('span.faint', ` ${condition.severity}`)))) : 'those of the kind'),
    fact('Timeout', one.timeout && duration(one.timeout)),
    fact('Depends on', one.depends_on?.join(', ')),
    fact('Feature', one.feature && h('a', { href: to('features', one.feature) }, one.feature)),
    fact('Provider', one.provider),
    Object.keys(one.labels ?? {}).length > 0 && fact('Labels', Object.entries(one.labels).map(([name, value]) => h('span.chip', `${name}=${value}`))),
    one.kind === 'heartbeat' && fact('Pings go to', heartbeat.data ? h('code', heartbeat.data.url ?? heartbeat.data.path ?? JSON.stringify(heartbeat.data)) : 'shown to operators'),
    meta.map(([name, value]) => fact(name.replaceAll('_', ' '), String(value)))));
}

/** @param {string} name */
function incidentsCard(name) {
  /** @type {any[]} */
  const list = (incidents.data ?? []).filter((/** @type {any} */ one) => one.labels?.check === name).slice(0, 6);
  return card('Incidents', { class: 'w4', key: 'incidents' },
    list.length
      ? h('ul.rows', list.map((one) => h('li', { key: one.id },
        h('div.body', h('div.top', h('a.name', { href: to('incidents', one.number) }, one.title), h('span.when', ago(one.triggered_at))), h('p.faint', `INC-${one.number} ${one.status}`)))))
      : empty('check', 'No incidents', null));
}
