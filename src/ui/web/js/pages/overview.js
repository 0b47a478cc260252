// How things are: a sentence, key figures, the chart that matters now, incidents, checks, and the
// running experiment.

import { h, icon, remember } from '../core.js';
import '../chart.js';
import { linesOf, ofAlert } from '../chart.js';
import '../beats.js';
import { beatsOfResults, withBeat } from '../beats.js';
import { buttons } from '../acts.js';
import { strip } from '../figures.js';
import { ago, duration, number, percent, plural, short, shortNames, span, unitOf, withUnit } from '../format.js';
import { card, empty, incidentLink, incidentTile, instead, pageHead, segments, stale } from '../parts.js';
import { keepInAddress, to } from '../router.js';
import { api, checks, experiments, incidents, overview as snapshot, range, Resource, rules } from '../store.js';
import { forest, summary } from '../forest.js';

const RANGES = /** @type {[string, number][]} */ ([['5m', 300], ['15m', 900], ['30m', 1800]]);
const BEATS = 90;
const CHECKS_SHOWN = 8;
const NO_BEATS = { beats: [], label: 'no results yet' };
const INCIDENTS_SHOWN = 5;
const FEATURES_SHOWN = 6;
const RANK = /** @type {Record<string, number>} */ ({ unhealthy: 0, degraded: 1, unknown: 2, healthy: 3, paused: 4 });

/** @param {import('../app.js').Page} page */
export default function overview(page) {
  let chosen = page.route.query.get('range') ?? '30m';
  const seconds = () => RANGES.find(([name]) => name === chosen)?.[1] ?? 1800;
  const names = new Resource((signal) => api('label/__name__/values', { signal }), 60_000);

  const chart = new Resource(async (signal) => {
    const known = new Set(names.data ?? (await api('label/__name__/values', { signal })));
    const topic = topicNow(known);
    if (!topic) return null;
    const end = Math.floor(Date.now() / 1000);
    const step = Math.max(5, Math.round(seconds() / 240));
    const all = await range(topic.query, end - seconds(), end, step, signal);
    const result = (topic.labels ? ofAlert(all, topic.labels) : all).slice(0, 8);
    const lines = linesOf(result, result.length === 1 && topic.single ? [topic.single] : shortNames(result.map((one) => one.metric)));
    return { ...topic, config: { label: topic.title, lines, from: (end - seconds()) * 1000, to: end * 1000, step: step * 1000, unit: topic.unit, threshold: topic.threshold, bands: topic.bands } };
  }, 10_000, ['metrics', 'incidents']);

  const beats = new Resource(async (signal) => {
    const list = (checks.data ?? (await api('checks?limit=1000', { signal }))).toSorted(byState).slice(0, CHECKS_SHOWN);
    const all = await Promise.all(list.map(async (/** @type {any} */ one) => [one.name, { beats: beatsOfResults(await api(`checks/${one.name}/results?limit=${BEATS}`, { signal })), label: one.name }]));
    return Object.fromEntries(all);
  }, 10_000, ['checks'], withBeat);

  const trial = new Resource(async (signal) => {
    const running = (await api('experiments?limit=200', { signal })).filter((/** @type {any} */ one) => one.status === 'running');
    if (!running.length) return null;
    // The one of which most is known.
    running.sort((/** @type {any} */ a, /** @type {any} */ b) => (b.results ?? 0) - (a.results ?? 0));
    return { experiment: running[0], analysis: await api(`experiments/${running[0].name}/analysis`, { signal }) };
  }, 15_000, ['experiments']);

  const parts = { figures: remember(), chart: remember(), incidents: remember(), trial: remember(), features: remember() };
  const draw = page.draws(() => {
    const running = trial.data;
    return [
      head(chosen, (value) => {
        chosen = value;
        keepInAddress({ range: value === '30m' ? null : value });
        chart.refresh();
        draw();
      }),
      h('div.stack', { key: 'all' },
        stale(checks),
        parts.figures([snapshot.data?.metrics, snapshot.error], figureStrip),
        h('div.grid',
          parts.chart([chart.data, chart.error], () => chartCard(chart)),
          parts.incidents([incidents.data, incidents.error], incidentCard),
          checkCard(beats, !running),
          running && parts.trial([running], () => experimentCard(running)),
          parts.features([snapshot.data?.features], featureCard))),
    ];
  });
  page.use(checks);
  page.use(incidents);
  page.use(rules);
  page.use(names);
  page.use(snapshot);
  page.use(chart);
  page.use(beats);
  page.use(trial);
  // Bars are of checks, of which there may be none when they are first asked for.
  let count = -1;
  page.onend(checks.changed.watch(() => {
    if (checks.data && checks.data.length !== count) {
      count = checks.data.length;
      beats.refresh();
    }
  }));
  page.onend(experiments.changed.watch(draw));
}


function figureStrip() {
  const { data, error } = snapshot;
  if (!data) return error ? null : h('section.figures', { 'aria-label': 'Key figures', key: 'bones' }, Array.from({ length: 6 }, (_, i) => h('div.figure', { key: i }, h('div.bones', h('span'), h('span'), h('span')))));
  return data.metrics.length ? strip(data.metrics) : null;
}

const HEALTH = /** @type {Record<string, string>} */ ({ inactive: 'paused', maintenance: 'paused' });

/** The features that the server lists, each in a line. */
function featureCard() {
  /** @type {any[]} */
  const list = snapshot.data?.features ?? [];
  if (!list.length) return null;
  const state = (/** @type {any} */ one) => HEALTH[one.status] ?? one.health ?? one.status;
  return card('Features', { key: 'features', note: h('a', { href: to('features') }, 'All features') },
    h('div.table-wrap', { tabindex: '0', role: 'region', 'aria-label': 'Features, as a table' }, h('table',
      h('thead', h('tr', h('th', 'Feature'), h('th.right', 'Available'), h('th.right', 'Errors'), h('th.right.hide-phone', 'Requests a minute'), h('th.right', 'Latency p95'), h('th.right.hide-phone', 'Cost of one'))),
      h('tbody', list.slice(0, FEATURES_SHOWN).map((one) => h('tr', { key: one.name },
        h('td', h('div.row.tight', h('span.mark', { class: state(one), role: 'img', 'aria-label': state(one) }), h('a.name', { href: to('features', one.name) }, one.display_name || one.name))),
        h('td.right', part(one.availability)), h('td.right', part(one.error_rate)), h('td.right.hide-phone', short(one.requests_per_minute)),
        h('td.right', withUnit(one.latency_p95_ms, 'ms')), h('td.right.hide-phone', number(one.cost_per_request))))))));
}

/** A share from 0 to 1. @param {number | null | undefined} value */
const part = (value) => (value === null || value === undefined ? '–' : percent(value * 100));

/** @param {any} a @param {any} b */
function byState(a, b) {
  return (RANK[a.status] ?? 3) - (RANK[b.status] ?? 3) || a.name.localeCompare(b.name);
}

/** The sentence that says how things are, its sign, and the line below it. */
function headline() {
  /** @type {any[]} */
  const list = (checks.data ?? []).filter((/** @type {any} */ one) => one.status !== 'paused');
  const of = (/** @type {string} */ status) => list.filter((one) => one.status === status).length;
  const [bad, poor, unknown] = [of('unhealthy'), of('degraded'), of('unknown')];
  /** @type {any[]} */
  const all = incidents.data ?? [];
  const open = all.filter((one) => one.status === 'open').length;
  const taken = all.filter((one) => one.status === 'acknowledged').length;
  const sub = [open && `${plural(open, 'incident')} firing`, taken && `${taken} acknowledged`].filter(Boolean).join(', ') || 'No open incidents';
  if (!checks.data) return { text: checks.error ? 'vedette does not answer' : 'Looking', sub: checks.error ? 'The page tries again by itself' : 'Asking how things are', tone: '', sign: checks.error ? 'incidents' : 'checks' };
  if (bad) return { text: `${bad} of ${plural(list.length, 'check')} ${bad === 1 ? 'is' : 'are'} failing`, sub, tone: 'crit', sign: 'incidents' };
  if (poor) return { text: `${poor} of ${plural(list.length, 'check')} ${poor === 1 ? 'is' : 'are'} degraded`, sub, tone: 'warn', sign: 'incidents' };
  if (open) return { text: `${plural(open, 'incident')} ${open === 1 ? 'is' : 'are'} open`, sub: `Checks are fine${taken ? `; ${taken} acknowledged` : ''}`, tone: 'warn', sign: 'incidents' };
  if (!list.length) return { text: 'Nothing is checked yet', sub, tone: '', sign: 'checks' };
  if (unknown) return { text: `${list.length - unknown} of ${plural(list.length, 'check')} ${list.length - unknown === 1 ? 'is' : 'are'} fine`, sub: `${unknown} not known. ${sub}`, tone: 'ok', sign: 'check' };
  return { text: list.length === 1 ? 'The only check is fine' : `All ${list.length} checks are fine`, sub, tone: 'ok', sign: 'check' };
}

/** @param {string} chosen @param {(value: string) => void} choose */
function head(chosen, choose) {
  const { text, sub, tone, sign } = headline();
  return pageHead(text, {
    sub,
    tile: h('span.tile.big', { class: tone }, h('span', { class: tone }, icon(sign))),
    tools: segments('Range', RANGES.map(([name]) => [name, name]), chosen, choose),
  });
}

/**
 * The chart that matters now: what the newest open incident of a rule watches, else latency, else the
 * machine.
 * @param {Set<string>} known
 */
function topicNow(known) {
  /** @type {any[]} */
  const list = incidents.data ?? [];
  const groups = /** @type {any[]} */ (rules.data ?? []);
  const newest = list.filter((one) => one.status !== 'resolved' && one.source.kind === 'rule').toSorted((a, b) => b.triggered_at.localeCompare(a.triggered_at));
  for (const incident of newest) {
    const rule = groups.flatMap((group) => group.rules).find((one) => one.name === incident.source.name && one.type === 'alerting');
    // The comparison is left out, so that the line is whole and the limit can be drawn.
    const parts = rule && /^(.+?)\s*(>=|<=|>|<)\s*(-?[0-9.]+(?:e[-+]?\d+)?)\s*$/s.exec(rule.query);
    if (!parts || /\b(and|or|unless)\b/.test(parts[1])) continue;
    const unit = unitOf(parts[1]);
    return {
      title: incident.title,
      note: h('a', { href: to('rules', rule.name) }, rule.name),
      single: rule.name,
      query: parts[1],
      unit,
      threshold: { value: Number(parts[3]), text: `alert ${parts[2].startsWith('>') ? 'above' : 'below'} ${withUnit(Number(parts[3]), unit)}` },
      bands: bandsOf(list, incident),
      labels: incident.labels,
    };
  }
  if (known.has('http_request_duration_seconds_bucket')) {
    return { title: 'Request latency', note: 'p95 by route', unit: 's', bands: [], query: 'histogram_quantile(0.95, sum by (le, route) (rate(http_request_duration_seconds_bucket[1m])))' };
  }
  if (known.has('vedette_outcome_duration_seconds')) {
    return { title: 'Latency', note: 'p95 by feature', unit: 's', bands: [], query: 'histogram_quantile(0.95, sum by (feature) (rate(vedette_outcome_duration_seconds{feature!=""}[2m])))' };
  }
  if (known.has('node_cpu_seconds_total')) {
    return { title: 'Processor', note: 'share of time by mode', unit: 'ratio', bands: [], query: 'avg by (mode) (rate(node_cpu_seconds_total{mode=~"user|system|iowait|softirq|steal"}[1m]))' };
  }
  return null;
}

/** When the same alert fired. @param {any[]} list @param {any} incident */
function bandsOf(list, incident) {
  return list.filter((one) => one.dedupe_key === incident.dedupe_key).map((one) => ({
    from: Date.parse(one.triggered_at),
    to: one.resolved_at ? Date.parse(one.resolved_at) : Date.now(),
  }));
}

/** @param {Resource<any>} chart */
function chartCard(chart) {
  const data = chart.data;
  if (!data) {
    return card('Chart', { class: 'w8', key: 'chart' },
      instead(chart, 'metrics') ?? empty('metrics', 'No metrics yet', 'The machine’s own appear within seconds of the start.'));
  }
  return card(data.title, { class: 'w8', note: data.note, key: 'chart' },
    data.config.lines.length
      ? h('v-chart', { '.config': data.config })
      : empty('metrics', 'No samples in this range', 'A longer range may have some.'));
}

function incidentCard() {
  /** @type {any[]} */
  const list = incidents.data ?? [];
  const open = list.filter((one) => one.status !== 'resolved').length;
  return card('Incidents', { class: 'w4', key: 'incidents', note: open ? `${open} open` : null },
    instead(incidents, 'incidents') ??
      (list.length
        ? h('ul.rows', list.slice(0, INCIDENTS_SHOWN).map(incidentRow))
        : empty('check', 'No incidents', 'When a rule fires or a check fails, it shows here.')));
}

/** @param {any} one */
function incidentRow(one) {
  const past = one.status === 'resolved';
  const since = (Date.parse(one.resolved_at) - Date.parse(one.triggered_at)) / 1000;
  const more = past ? `lasted ${span(since)}` : one.status === 'acknowledged' ? `acknowledged by ${one.acknowledged_by}` : one.source.name ?? one.source.kind;
  return h('li', { key: one.id },
    incidentTile(one),
    h('div.body',
      h('div.top',
        h('a.name.grow', { class: past ? 'past' : '', href: incidentLink(one.number) }, one.title),
        h('span.when', ago(past ? one.resolved_at : one.triggered_at))),
      h('p.faint', `INC-${one.number}`, h('span', { 'aria-hidden': 'true' }, '\u2002'), more),
      !past && h('div.actions', buttons(one))));
}

/** @param {Resource<any>} beats @param {boolean} whole */
function checkCard(beats, whole) {
  /** @type {any[]} */
  const list = (checks.data ?? []).toSorted(byState);
  const shown = list.slice(0, CHECKS_SHOWN);
  const every = new Set(shown.map((one) => one.every));
  const note = shown.length ? `last ${BEATS} results${every.size === 1 && shown[0].every ? `, every ${duration(shown[0].every)}` : ''}` : null;
  return card('Health checks', { class: whole ? '' : 'w6', key: 'checks', note },
    instead(checks, 'checks') ??
      (shown.length
        ? [
          h('ul', shown.map((one) => beatRow(one, beats.data?.[one.name]))),
          list.length > shown.length && h('p.top-space', h('a', { href: to('checks') }, `All ${list.length} checks`)),
        ]
        : empty('checks', 'Nothing is checked yet', 'A check asks a service again and again and says how it is.', h('a.button', { href: to('checks', undefined, { add: '1' }) }, 'Add a check'))));
}

/**
 * A check in one line: its state, name, bars, latency and uptime.
 * @param {any} one
 * @param {any} beats
 */
function beatRow(one, beats) {
  const words = /** @type {Record<string, any>} */ ({
    unhealthy: h('span.crit.strong', 'down'),
    degraded: h('span.warn.strong', 'degraded'),
    unknown: 'unknown',
    paused: 'paused',
  });
  return h('li.beat-row', { key: one.name },
    h('span.mark', { class: one.status, role: 'img', 'aria-label': one.status }),
    h('span.clip', h('a.name', { href: to('checks', one.name) }, one.name), h('span.kind', one.kind.toUpperCase())),
    h('v-beats', { '.data': beats ?? NO_BEATS }),
    h('span.ms', words[one.status] ?? withUnit(one.response_time_ms, 'ms')),
    h('span.up', percent(one.uptime_24h)));
}

/** @param {any} running */
function experimentCard({ experiment, analysis }) {
  return card(experiment.name, { class: 'w6', key: 'experiment', note: [h('span.chip.accent', 'running'), h('a', { href: to('experiments', experiment.name) }, summary(analysis))] }, forest(analysis, experiment));
}
