// One incident: what happened and when, what explains it, who was told, what people wrote.

import { h, icon } from '../core.js';
import '../chart.js';
import { linesOf, ofAlert } from '../chart.js';
import { acknowledge, assign, note, reopen, resolve, snooze, wake } from '../acts.js';
import { attempt, field, formDialog } from '../dialog.js';
import { ago, moment, number, shortNames, span, unitOf, withLocalTimes } from '../format.js';
import { card, empty, instead, pageHead, severityChip, stale } from '../parts.js';
import { to } from '../router.js';
import { api, incidents, only, range, Resource } from '../store.js';

const KINDS = /** @type {Record<string, string>} */ ({
  opened: 'Opened', reopened: 'Opened again', acknowledged: 'Acknowledged', assigned: 'Assigned', snoozed: 'Snoozed', woken: 'Awake again',
  noted: 'Note', severity_changed: 'Severity changed', auto_resolved: 'Ended by itself', resolved: 'Resolved', notified: 'To be told',
  delivered: 'Told', suppressed: 'Not told', escalated: 'Escalated', edited: 'Edited', alert_changed: 'Alert changed',
});
const BAD = new Set(['opened', 'reopened', 'escalated']);
const GOOD = new Set(['resolved', 'auto_resolved']);

/** @param {import('../app.js').Page} page @param {string} number_ */
export default function detail(page, number_) {
  const path = `incidents/${encodeURIComponent(number_)}`;
  const incident = new Resource((signal) => api(path, { signal }), 4000, ['incidents'], only(number_, 'number'));
  const rest = new Resource(async (signal) => {
    const [timeline, notes, evidence, deliveries] = await Promise.all(['timeline', 'notes', 'evidence', 'deliveries'].map((one) => api(`${path}/${one}`, { signal })));
    return { timeline, notes, evidence, deliveries };
  }, 5000, ['incidents', 'deliveries'], only(number_, 'number'));
  const chart = new Resource(async (signal) => {
    const one = incident.data ?? (await api(path, { signal }));
    return one.source.kind === 'rule' ? history(one, signal) : null;
  }, 15_000, ['metrics']);
  const draft = { text: '' };

  const draw = page.draws(() => {
    const one = incident.data;
    const back = /** @type {[string, string]} */ ([to('incidents'), 'Incidents']);
    if (!one) return [pageHead(`Incident ${number_}`, { back }), card('Incident', {}, instead(incident, 'incident'))];
    return [
      pageHead(one.title, { back, tile: sign(one), sub: state(one), tools: tools(one, after) }),
      h('div.stack', { key: 'all' },
        stale(incident),
        one.suppressed && h('div.banner', { key: 'suppressed' }, icon('info'), h('div', `Nobody is told: ${withLocalTimes(one.suppressed)}`)),
        h('div.grid',
          evidenceCard(rest, chart, one),
          timelineCard(rest),
          notesCard(rest, draft, send, draw),
          factsCard(one),
          deliveriesCard(rest))),
    ];
  });

  function after() {
    incident.refresh();
    rest.refresh();
  }

  async function send() {
    const text = draft.text.trim();
    if (!text) return;
    const done = await attempt(() => note(incident.data, text), 'Note added');
    if (done === undefined) return;
    draft.text = '';
    after();
    draw();
  }

  page.use(incident);
  page.use(rest);
  page.use(chart);
  page.onend(incidents.changed.watch(after));
  page.keys({
    a: () => incident.data?.status === 'open' && acknowledge(incident.data).then(after),
    r: (event) => {
      if (!incident.data || incident.data.status === 'resolved') return;
      event.preventDefault();
      resolve(incident.data);
    },
  });
}

/** @param {any} one */
function sign(one) {
  const tone = one.status === 'resolved' ? 'ok' : one.status === 'acknowledged' || one.severity !== 'critical' ? 'warn' : 'crit';
  return h('span.tile.big', { class: tone }, h('span', { class: tone }, icon(one.status === 'resolved' ? 'check' : 'incidents')));
}

/** @param {any} one */
function state(one) {
  const words = [`INC-${one.number}`];
  if (one.status === 'resolved') words.push(`resolved ${ago(one.resolved_at)} ago${one.resolved_by ? ` by ${one.resolved_by}` : ' by itself'}`, `lasted ${span((Date.parse(one.resolved_at) - Date.parse(one.triggered_at)) / 1000)}`);
  else words.push(one.status === 'acknowledged' ? `acknowledged by ${one.acknowledged_by} ${ago(one.acknowledged_at)} ago` : 'open', `since ${moment(one.triggered_at)}`, one.firing ? 'its alert fires' : 'its alert has ended');
  if (one.snoozed_until) words.push(`snoozed until ${moment(one.snoozed_until)}`);
  return words.join(' · ');
}

/** @param {any} one @param {() => void} after */
function tools(one, after) {
  const button = (/** @type {string} */ text, /** @type {() => any} */ does, main = false) =>
    h('button.button.acts', { type: 'button', key: text, class: main ? 'main' : '', onclick: () => Promise.resolve(does()).then(after) }, text);
  if (one.status === 'resolved') return button('Reopen', () => reopen(one));
  return [
    one.status === 'open' && button('Acknowledge', () => acknowledge(one), true),
    button('Resolve', () => resolve(one)),
    button('Assign', () => assign(one)),
    one.snoozed_until ? button('Wake', () => wake(one)) : button('Snooze', () => snooze(one)),
    h('a.button', { key: 'logs', href: to('logs', undefined, aroundOf(one)) }, 'Logs'),
    button('Edit', () => edit(one)),
  ];
}

/** @param {any} one */
function edit(one) {
  const draft = { title: one.title, severity: one.severity };
  formDialog({
    title: `Edit incident ${one.number}`,
    act: 'Save',
    size: 'narrow',
    fields: () => [field(draft, 'title', 'Title'), field(draft, 'severity', 'Severity', { options: ['info', 'warning', 'critical'] })],
    send: async () => {
      await api(`incidents/${one.number}`, { method: 'PATCH', body: { title: draft.title, severity: draft.severity } });
      incidents.refresh();
    },
  });
}

/**
 * What a rule's query gave around the incident.
 * @param {any} one
 * @param {AbortSignal} signal
 */
async function history(one, signal) {
  const end = one.resolved_at ? Date.parse(one.resolved_at) : Date.now();
  const begin = Date.parse(one.triggered_at);
  const around = Math.max(600_000, (end - begin) * 0.4);
  const [from, to_] = [begin - around, Math.min(Date.now(), end + around)];
  const explained = await api(`rules/${encodeURIComponent(one.source.name)}/explain`, { signal });
  const parts = /^(.+?)\s*(>=|<=|>|<)\s*(-?[0-9.]+(?:e[-+]?\d+)?)\s*$/s.exec(explained.query);
  const query = parts && !/\b(and|or|unless)\b/.test(parts[1]) ? parts[1] : explained.query;
  const step = Math.max(5, Math.round((to_ - from) / 240_000));
  const all = await range(query, from / 1000, to_ / 1000, step, signal);
  const shown = ofAlert(all, one.labels).slice(0, 8);
  const unit = unitOf(query);
  return {
    label: `Value around the incident: ${query}`,
    query,
    lines: linesOf(shown, shown.length === 1 ? [one.source.name] : shortNames(shown.map((series) => series.metric))),
    from, to: to_, step: step * 1000, unit,
    threshold: query !== explained.query && parts ? { value: Number(parts[3]), text: `limit ${parts[2]} ${number(Number(parts[3]))}` } : undefined,
    bands: [{ from: begin, to: one.resolved_at ? Date.parse(one.resolved_at) : Date.now() }],
  };
}

/** Series that were frozen when the alert fired. @param {any} evidence */
function frozen(evidence) {
  const lines = (evidence.samples ?? []).slice(0, 8).map((/** @type {any} */ [name, points]) => ({
    name,
    x: Float64Array.from(points, (/** @type {any} */ [at]) => at),
    y: Float32Array.from(points, (/** @type {any} */ [, value]) => value ?? NaN),
  })).filter((/** @type {any} */ line) => line.x.length > 1);
  if (!lines.length) return null;
  const times = lines.flatMap((/** @type {any} */ line) => [line.x[0], line.x[line.x.length - 1]]);
  const gaps = lines.map((/** @type {any} */ line) => (line.x[line.x.length - 1] - line.x[0]) / (line.x.length - 1));
  return { label: 'Samples when it fired', lines, from: Math.min(...times), to: Math.max(...times), step: Math.max(...gaps), height: 170 };
}

/** @param {Resource<any>} rest @param {Resource<any>} chart @param {any} one */
function evidenceCard(rest, chart, one) {
  const evidence = rest.data?.evidence;
  const samples = evidence && frozen(evidence);
  const result = evidence?.check_result;
  return card('Evidence', { class: 'w8', key: 'evidence', note: one.source.kind === 'rule' ? h('a', { href: to('rules', one.source.name) }, one.source.name) : one.source.kind === 'check' ? h('a', { href: to('checks', one.source.name) }, one.source.name) : one.source.kind },
    instead(rest, 'evidence') ?? h('div.stack',
      chart.data?.lines.length ? h('v-chart', { key: 'chart', '.config': chart.data }) : null,
      !chart.data?.lines.length && samples ? h('v-chart', { key: 'frozen', '.config': samples }) : null,
      evidence.expression && h('div', { key: 'expression' }, h('h3', one.source.kind === 'check' ? 'What did not hold' : 'Rule'), h('pre', evidence.expression)),
      result && h('div', { key: 'result' }, h('h3', 'Result of the check'), h('p', result.error ?? `${result.status} after ${number(result.phases.total_us / 1000)} ms`)),
      evidence.response_excerpt && h('div', { key: 'answer' }, h('h3', 'What was answered'), h('pre', evidence.response_excerpt)),
      evidence.log_lines?.length > 0 && h('div', { key: 'logs' },
        h('div.row.between', h('h3', 'Log lines of the time'), h('a', { href: to('logs', undefined, aroundOf(one)) }, 'All of them')),
        h('ol.around', { 'aria-label': 'Log lines of the time' }, evidence.log_lines.map((/** @type {any} */ line, /** @type {number} */ i) => logLine(line, i)))),
      !evidence.expression && !result && !samples && !chart.data?.lines.length && empty('info', 'No evidence', 'Whoever sent this alert sent none along.')));
}

/** The filter of log lines that belong to an incident. @param {any} one @returns {Record<string, string | number>} */
function aroundOf(one) {
  const begin = Date.parse(one.triggered_at);
  return { from: begin - 300_000, until: (one.resolved_at ? Date.parse(one.resolved_at) : Date.now()) + 60_000, ...(one.labels.feature ? { feature: one.labels.feature } : {}) };
}

/** @param {any} line a line, or its text @param {number} i */
function logLine(line, i) {
  if (typeof line === 'string') return h('li.whole', { key: i }, h('span.break', withLocalTimes(line)));
  return h('li', { key: line.id ?? i }, h('span.faint', moment(line.time)), h('span', { class: /error|fatal/.test(line.level) ? 'crit' : line.level === 'warn' ? 'warn' : 'muted' }, line.level), h('span.break', line.source && h('span.faint', `${line.source} `), line.message));
}

/** @param {Resource<any>} rest */
function timelineCard(rest) {
  return card('Timeline', { class: 'w4', key: 'timeline' },
    instead(rest, 'timeline') ?? h('ol.timeline', rest.data.timeline.toReversed().map((/** @type {any} */ entry, /** @type {number} */ i) =>
      h('li', { key: rest.data.timeline.length - i, class: BAD.has(entry.kind) ? 'crit' : GOOD.has(entry.kind) ? 'good' : '' },
        h('div.top-line', h('span.strong', KINDS[entry.kind] ?? entry.kind), entry.by && h('span.muted', ` by ${entry.by}`)),
        entry.text && h('p.muted.break', withLocalTimes(entry.text)),
        h('time.faint', { datetime: entry.at }, moment(entry.at))))));
}

/** @param {Resource<any>} rest @param {{text: string}} draft @param {() => void} send @param {() => void} draw */
function notesCard(rest, draft, send, draw) {
  /** @type {any[]} */
  const notes = rest.data?.notes ?? [];
  return card('Notes', { class: 'w4', key: 'notes', note: notes.length ? String(notes.length) : null },
    h('div.stack',
      notes.length > 0 && h('ul.rows', { key: 'list' }, notes.map((one, i) => h('li', { key: i }, h('div.body', h('div.top', h('span.strong', one.by || 'somebody'), h('span.when', moment(one.at))), h('p.break', one.text))))),
      h('form', { key: 'form', onsubmit: (/** @type {Event} */ event) => {
        event.preventDefault();
        send();
      } },
      field(draft, 'text', 'Add a note', { type: 'area', rows: 2, onchange: draw }),
      h('div.row.top-space', h('button.button.acts', { type: 'submit', disabled: !draft.text.trim() }, 'Add note')))));
}

/** @param {any} one */
function factsCard(one) {
  return card('Alert', { class: 'w4', key: 'facts', note: severityChip(one.severity) }, h('dl.facts',
    one.description && [h('dt', 'Description'), h('dd', one.description)],
    one.value !== null && [h('dt', 'Value'), h('dd', number(one.value))],
    h('dt', 'Began'), h('dd', moment(one.started_at)),
    one.assignee && [h('dt', 'Assigned to'), h('dd', one.assignee)],
    h('dt', 'Told'), h('dd', one.told.length ? one.told.join(', ') : 'nobody'),
    h('dt', 'Labels'), h('dd', h('div.row', Object.entries(one.labels).map(([name, value]) => h('span.chip', { title: `${name}=${value}` }, h('span.clip', `${name}=${value}`))))),
    one.annotations.runbook_url && [h('dt', 'Runbook'), h('dd', h('a', { href: /^https?:/.test(one.annotations.runbook_url) ? one.annotations.runbook_url : null, rel: 'noreferrer', target: '_blank' }, one.annotations.runbook_url))]));
}

/** @param {Resource<any>} rest */
function deliveriesCard(rest) {
  /** @type {any[]} */
  const list = rest.data?.deliveries ?? [];
  const tone = /** @type {Record<string, string>} */ ({ delivered: 'ok', dead: 'crit', pending: 'warn' });
  return card('Notifications', { class: 'w4', key: 'deliveries' },
    list.length
      ? h('ul.rows', list.slice(0, 12).map((one) => h('li', { key: one.id }, h('div.body',
        h('div.top', h('span.strong', one.channel), h('span.when', moment(one.finished_at ?? one.created_at))),
        h('p.faint.row', h('span.chip', { class: tone[one.state] ?? '' }, one.state), h('span', one.notification?.reason), one.attempts > 1 && h('span', `${one.attempts} attempts`)),
        one.last_error && one.state !== 'delivered' && h('p.faint.break', one.last_error)))))
      : empty('rules', 'Nobody was told', 'Where channels and routes say so, they are told within seconds.'));
}
