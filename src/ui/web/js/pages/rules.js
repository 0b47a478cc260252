// Alert rules: the table with its switches, one rule with why it fires, and the editor.

import { h, icon } from '../core.js';
import '../chart.js';
import { attempt, ask, toast } from '../dialog.js';
import { duration, moment, number, plural, seriesName } from '../format.js';
import { card, empty, instead, originChip, ownedBy, pageHead, segments, severityChip, stale, toggleSwitch } from '../parts.js';
import { go, keepInAddress, to } from '../router.js';
import { objectivesCard } from '../objectives.js';
import { editRule } from '../rule-form.js';
import { api, Resource, rules } from '../store.js';

const RANK = /** @type {Record<string, number>} */ ({ firing: 0, pending: 1, inactive: 2 });

/** All rules that may fire, with where they come from. */
function alerting() {
  /** @type {any[]} */
  const groups = rules.data ?? [];
  return groups.flatMap((group) => group.rules.filter((/** @type {any} */ one) => one.type === 'alerting').map((/** @type {any} */ one) => ({ ...one, group: group.name, file: group.file, origin: group.file === 'objectives' ? 'objective' : group.file ? 'rule file' : one.origin })))
    .toSorted((a, b) => (RANK[a.state] ?? 3) - (RANK[b.state] ?? 3) || a.name.localeCompare(b.name));
}

/** @param {any} one */
function stateChip(one) {
  if (one.mode === 'paused') return h('span.chip', 'paused');
  if (one.health === 'err') return h('span.chip.warn', { title: one.lastError ?? one.last_error }, 'cannot evaluate');
  if (one.state === 'firing') return h('span.chip.crit', `firing${one.alerts?.length > 1 ? ` ${one.alerts.length}` : ''}`);
  if (one.state === 'pending') return h('span.chip.warn', 'pending');
  if (one.waitingFor ?? one.waiting_for) return h('span.chip', { title: `There is no ${one.waitingFor ?? one.waiting_for} yet` }, 'waiting for data');
  return h('span.chip', 'quiet');
}

/** @param {import('../app.js').Page} page */
export default function rulesPage(page) {
  if (page.route.name) {
    detail(page, page.route.name);
    return;
  }
  const filter = { text: page.route.query.get('q') ?? '' };
  const objectives = objectivesCard(page);
  const draw = page.draws(() => {
    const all = alerting();
    const list = all.filter((one) => `${one.name} ${one.query}`.toLowerCase().includes(filter.text.toLowerCase()));
    const firing = all.filter((one) => one.state === 'firing').length;
    return [
      pageHead('Alert rules', {
        sub: rules.data && `${plural(all.length, 'rule')}, ${firing ? `${firing} firing` : 'none firing'}`,
        tools: h('button.button.acts.main', { type: 'button', onclick: () => editRule(null) }, icon('plus'), 'Add rule'),
      }),
      h('div.stack', { key: 'all' },
        stale(rules),
        h('div.filters', { role: 'search', key: 'filters' },
          h('input', { type: 'search', 'aria-label': 'Search rules', placeholder: 'Name or query', value: filter.text, oninput: (/** @type {any} */ event) => {
            filter.text = event.target.value;
            keepInAddress({ q: filter.text });
            draw();
          } })),
        card('All rules', {},
          instead(rules, 'rules') ??
            (list.length ? table(list) : empty('rules', all.length ? 'No rule fits' : 'There are no rules', 'A rule watches metrics and opens an incident when its condition holds.',
              h('button.button.acts', { type: 'button', onclick: () => editRule(null) }, 'Add a rule')))),
        objectives()),
    ];
  });
  page.use(rules);
  page.keys({ n: () => editRule(null) });
  if (page.route.query.has('expr')) {
    const expr = page.route.query.get('expr') ?? '';
    keepInAddress({ expr: null });
    editRule(null, { expr });
  }
}

/** @param {any[]} list */
function table(list) {
  return h('div.table-wrap', { tabindex: '0', role: 'region', 'aria-label': 'Alert rules' }, h('table',
    h('thead', h('tr', h('th', 'On'), h('th', 'Rule'), h('th', 'State'), h('th.hide-phone', 'Severity'), h('th.hide-phone', 'For'), h('th.hide-phone', 'Last evaluated'))),
    h('tbody', list.map((one) => {
      const owned = ownedBy(one.origin, 'rule');
      const on = one.mode !== 'paused';
      return h('tr', { key: `${one.file}/${one.group}/${one.name}/${JSON.stringify(one.labels)}` },
        h('td', toggleSwitch(on, `${one.name} is evaluated`, () => change(one, on ? 'paused' : 'active'), Boolean(owned), owned)),
        h('td.wide', h('div.row', h('a.name', { href: to('rules', one.name) }, one.name), originChip(one.origin), one.mode === 'shadow' && h('span.chip', 'shadow')),
          h('div.faint.mono.query', { title: one.query }, one.query)),
        h('td', stateChip(one)),
        h('td.hide-phone', severityChip(one.severity ?? one.labels?.severity ?? 'warning')),
        h('td.hide-phone', one.duration ? duration(one.duration) : '–'),
        h('td.hide-phone.nowrap', moment(one.lastEvaluation && !one.lastEvaluation.startsWith('0001') ? one.lastEvaluation : null)));
    }))));
}

/** @param {any} one @param {string} mode */
function change(one, mode) {
  const does = async () => {
    await api(`rules/${encodeURIComponent(one.name)}`, { method: 'PATCH', body: { mode } });
    rules.refresh();
    toast(mode === 'paused' ? `${one.name} is paused` : `${one.name} is evaluated`);
  };
  if (mode !== 'paused') {
    attempt(does);
    return;
  }
  ask({ title: `Pause ${one.name}?`, text: 'It is not evaluated any more, and its alerts end.', act: 'Pause', danger: false, does });
}

/** @param {import('../app.js').Page} page @param {string} name */
function detail(page, name) {
  const path = `rules/${encodeURIComponent(name)}`;
  const explained = new Resource((signal) => api(`${path}/explain`, { signal }), 5000, ['rules']);
  let days = '1';
  const past = new Resource((signal) => api(`${path}/backtest`, { method: 'POST', body: { start: Date.now() - Number(days) * 86_400_000, interval: Math.max(15, Number(days) * 60) }, signal }), 120_000);
  const draw = page.draws(() => {
    const one = alerting().find((other) => other.name === name);
    const back = /** @type {[string, string]} */ ([to('rules'), 'Alert rules']);
    if (!one && !explained.data) return [pageHead(name, { back }), card('Rule', {}, instead(explained, 'rule') ?? instead(rules, 'rules'))];
    const owned = ownedBy(one?.origin, 'rule');
    return [
      pageHead(name, {
        back,
        sub: one?.description || one?.annotations?.description || 'Alert rule',
        tools: [
          h('button.button.acts', { type: 'button', disabled: Boolean(owned), title: owned, onclick: async () => {
            const full = await attempt(() => api(path));
            if (full) editRule(full);
          } }, 'Edit'),
          h('button.button.acts', { type: 'button', disabled: Boolean(owned), title: owned, onclick: () => ask({
            title: `Delete ${name}?`,
            text: 'Its alerts end, and whoever was told of them is told so.',
            act: 'Delete',
            does: async () => {
              await api(path, { method: 'DELETE' });
              rules.refresh();
              toast(`${name} was deleted`);
              go(to('rules'));
            },
          }) }, 'Delete'),
        ],
      }),
      h('div.stack', { key: 'all' },
        stale(explained),
        owned && h('div.banner', { key: 'owned' }, icon('lock'), h('div', owned)),
        explained.data?.last_error && h('div.banner.crit', { key: 'error' }, icon('cross'), h('div', explained.data.last_error)),
        h('div.grid',
          card('Condition', { class: 'w8', key: 'condition', note: one && [stateChip(one), severityChip(one.severity ?? one.labels?.severity ?? 'warning'), originChip(one.origin)] },
            h('pre', explained.data?.query ?? one?.query),
            h('p.top-space', h('a', { href: to('metrics', undefined, { q: explained.data?.query ?? one?.query ?? '' }) }, 'Look at it under Metrics'))),
          backtestCard(past, days, (value) => {
            days = value;
            past.data = undefined;
            past.refresh();
            draw();
          }),
          alertsCard(explained),
          evaluationsCard(explained))),
    ];
  });
  page.use(rules);
  page.use(explained);
  page.use(past);
}

/** @param {Resource<any>} past @param {string} days @param {(value: string) => void} choose */
function backtestCard(past, days, choose) {
  const data = past.data;
  return card('Played over the past', { class: 'w4', key: 'past', note: segments('How far back', [['1', '1 d'], ['7', '7 d'], ['15', '15 d']], days, choose) },
    instead(past, 'backtest') ?? verdict(data, Number(days)));
}

/** What a backtest found, in words. @param {any} data @param {number} days */
export function verdict(data, days) {
  const times = data.alerts.length + (data.left_out ?? 0);
  const when = days === 1 ? 'the last day' : `the last ${days} days`;
  return h('div.stack',
    h('p', times ? h('span.strong', `Would have fired ${plural(times, 'time')} in ${when}.`) : `Would not have fired in ${when}.`, ' ',
      h('span.muted', `${plural(data.notifications.length, 'message')} would have been sent.`)),
    data.failed_evaluations > 0 && h('p.crit', `${data.failed_evaluations} of ${data.evaluations} evaluations failed: ${data.first_error}`),
    times > 0 && h('ul.rows', data.alerts.slice(-5).toReversed().map((/** @type {any} */ one, /** @type {number} */ i) => h('li', { key: i },
      h('div.body', h('div.top', h('span', moment(one.fired_at)), h('span.when', one.ended_at ? `for ${duration(Math.round(one.fired_for ?? 0))}` : 'still')),
        h('p.faint.break', seriesName(Object.fromEntries(Object.entries(one.labels).filter(([name]) => name !== 'alertname' && name !== 'severity'))), one.value !== null && ` · ${number(one.value)}`))))));
}

/** @param {Resource<any>} explained */
function alertsCard(explained) {
  /** @type {any[]} */
  const list = explained.data?.alerts ?? [];
  return card('Alerts now', { class: 'w6', key: 'alerts', note: list.length ? String(list.length) : null },
    instead(explained, 'alerts') ?? (list.length
      ? h('ul.rows', list.slice(0, 20).map((one) => h('li', { key: one.key }, h('div.body',
        h('div.top', h('span.break', seriesName(one.labels)), h('span.chip', { class: one.state === 'firing' ? 'crit' : 'warn' }, one.state)),
        h('p.faint', `value ${number(Number(one.value))} · since ${moment(one.active_at)}`, one.pending_until && ` · fires at ${moment(one.pending_until)}`, one.cooldown_until && ` · cooldown until ${moment(one.cooldown_until)}`),
        one.telling?.suppression && h('p.faint', `nobody is told: ${one.telling.suppression.reason ?? one.telling.suppression}`),
        one.telling?.incident && h('p', h('a', { href: to('incidents', one.telling.incident.number) }, `INC-${one.telling.incident.number}`))))))
      : empty('check', 'Nothing holds', 'The condition holds for no series at present.')));
}

/** @param {Resource<any>} explained */
function evaluationsCard(explained) {
  /** @type {any[]} */
  const list = explained.data?.evaluations ?? [];
  return card('Last evaluations', { class: 'w6', key: 'evaluations' },
    list.length
      ? h('ul.rows', list.slice(0, 8).map((one) => h('li', { key: one.at }, h('div.body',
        h('div.top', h('span', one.error ?? { result: one.size ? `${plural(one.size, 'series', 'series')}: ${one.values.slice(0, 3).map((/** @type {any} */ value) => number(Number(value.value))).join(', ')}` : 'nothing holds', no_data: 'no data', waiting: 'waiting', error: 'failed' }[/** @type {string} */ (one.found)] ?? one.found), h('span.when', moment(one.at))),
        h('p.faint', `firing ${one.counts.firing} · pending ${one.counts.pending}`)))))
      : empty('rules', 'Not evaluated yet', 'The first evaluation comes within its interval.'));
}
