// The cards of one experiment: what is known of its variants, its split, its guardrails, how the
// estimates came to be, what was done with it.

import { h } from './core.js';
import './chart.js';
import { json } from './check-form.js';
import { banner, field } from './dialog.js';
import { ago, moment, number, short, withUnit } from './format.js';
import { card, empty, instead, originChip } from './parts.js';
import { to } from './router.js';
import { api } from './store.js';

/** @param {any} analysis */
export function decision(analysis) {
  if (!analysis?.decision) return null;
  const words = /** @type {Record<string, ['ok' | 'crit' | 'accent' | '', string]>} */ ({
    ship: ['ok', analysis.winner ? `Ship ${analysis.winner}` : 'Ship it'],
    rollback: ['crit', 'Roll back'],
    continue: ['accent', 'Go on: it cannot be told yet'],
    inconclusive: ['', 'Inconclusive'],
  });
  const [tone, text] = words[analysis.decision] ?? ['', analysis.decision];
  return h('div', { key: 'decision' }, banner(tone, h('strong', text), analysis.reasons?.length > 0 && h('ul', analysis.reasons.map((/** @type {string} */ reason) => h('li', reason)))));
}

/** @param {any} data @param {any} analysis */
export function variantsCard(data, analysis) {
  const primary = analysis?.metrics?.find((/** @type {any} */ metric) => metric.role === 'primary');
  return card('Variants', { class: 'w6', key: 'variants', note: primary && `${primary.name}, per variant` },
    h('div.table-wrap', { tabindex: '0', role: 'region', 'aria-label': 'Variants, as a table' }, h('table',
      h('thead', h('tr', h('th', 'Variant'), h('th.right', 'Weight'), h('th.right', 'Units'), h('th.right', 'Estimate'), h('th.right.hide-phone', 'Interval'))),
      h('tbody', data.variants.map((/** @type {any} */ variant) => {
        const found = primary?.variants.find((/** @type {any} */ other) => other.name === variant.name);
        return h('tr', { key: variant.name },
          h('td', h('div.name', variant.name, ' ', variant.is_control && h('span.chip', 'control')), variant.description && h('div.faint', variant.description)),
          h('td.right', number(variant.traffic_weight)),
          h('td.right', found ? found.n.toLocaleString('en-US') : '–'),
          h('td.right', found && found.mean !== null ? number(found.mean) : '–'),
          h('td.right.hide-phone.nowrap', found && found.ci_low !== null ? `${number(found.ci_low)} to ${number(found.ci_high)}` : '–'));
      })))));
}

/** @param {any} data @param {any} analysis */
export function splitCard(data, analysis) {
  const srm = analysis?.srm;
  return card('Traffic split', { class: 'w6', key: 'split', note: srm && h('span.chip', { class: srm.alarm ? 'crit' : 'ok' }, srm.alarm ? 'wrong' : 'ok') },
    srm
      ? [
        h('p', srm.alarm ? 'More or fewer units came to a variant than its weight says. Until the cause is found no winner is named.' : 'Units are split as the weights say.'),
        h('dl.facts.top-space', data.variants.map((/** @type {any} */ variant, /** @type {number} */ i) => [h('dt', { key: `${variant.name}-t` }, variant.name), h('dd', { key: `${variant.name}-d` }, `${(srm.observed[i] ?? 0).toLocaleString('en-US')} units, ${number(srm.expected[i] ?? 0)} expected`)]),
          h('dt', 'Chance of such a split'), h('dd', `${srm.p_value === null ? '–' : number(srm.p_value)} now, ${number(srm.p_sequential)} at any time`)),
      ]
      : empty('experiments', 'No units yet', 'The check begins with the first.'));
}

/** @param {any} data */
export function aboutCard(data) {
  return card('Definition', { class: 'w6', key: 'about', note: originChip(data.origin) }, h('dl.facts',
    data.start_at && data.status === 'draft' && [h('dt', 'Starts by itself'), h('dd', moment(data.start_at))],
    data.end_at && !data.ended_at && [h('dt', 'Ends by itself'), h('dd', moment(data.end_at))],
    data.hypothesis && [h('dt', 'Hypothesis'), h('dd', data.hypothesis)],
    data.description && [h('dt', 'Description'), h('dd', data.description)],
    data.feature && [h('dt', 'Feature'), h('dd', h('a', { href: to('features', data.feature) }, data.feature))],
    h('dt', 'Takes part'), h('dd', `${number(data.traffic_allocation)} % of the traffic`),
    h('dt', 'Metrics'), h('dd', h('ul', data.metrics.map((/** @type {any} */ metric) => h('li', { key: metric.name }, `${metric.name}, ${metric.estimator}, ${metric.better} is better `, h('span.faint', metric.role))))),
    data.factors?.length > 0 && [h('dt', 'Factors'), h('dd', data.factors.map((/** @type {any} */ factor) => `${factor.name}: ${factor.levels.join(', ')}`).join('; '))],
    data.targeting && [h('dt', 'Only where'), h('dd', h('code', JSON.stringify(data.targeting)))],
    data.epochs?.length > 1 && [h('dt', 'Epochs'), h('dd', h('ul', data.epochs.map((/** @type {any} */ epoch) => h('li', { key: epoch.from }, `${moment(epoch.from)}: ${epoch.weights.map((/** @type {number} */ weight) => number(weight)).join(' / ')}, ${number(epoch.traffic_allocation)} % take part`))))],
    data.created_by && [h('dt', 'Made by'), h('dd', data.created_by)],
    data.started_at && [h('dt', 'Started'), h('dd', `${moment(data.started_at)}, ${ago(data.started_at)} ago`)],
    data.ended_at && [h('dt', 'Ended'), h('dd', moment(data.ended_at))]));
}

/** @param {import('./store.js').Resource<any>} audit */
export function auditCard(audit) {
  return card('History', { class: 'w6', key: 'audit', note: audit.data?.length ? `${audit.data.length} entries` : null },
    instead(audit, 'history') ?? h('ol.timeline', (audit.data ?? []).map((/** @type {any} */ entry, /** @type {number} */ i) => h('li', { key: entry.number ?? i, class: /breached|rolled_back|cancelled/.test(entry.kind) ? 'crit' : /completed|started/.test(entry.kind) ? 'good' : '' },
      h('div', h('span.strong', KINDS[entry.kind] ?? entry.kind.replaceAll('_', ' ')), entry.by && h('span.muted', ` by ${entry.by}`)), entry.note && h('p.muted', entry.note), h('time.faint', { datetime: entry.at }, moment(entry.at))))));
}

/** What guards it, and how that stands. @param {any} analysis */
export function guardrailsCard(analysis) {
  /** @type {any[]} */
  const list = analysis?.guardrails ?? [];
  if (!list.length) return null;
  const tone = /** @type {Record<string, string>} */ ({ ok: 'ok', doubt: 'warn', breached: 'crit' });
  return card('Guardrails', { class: 'w6', key: 'guardrails' }, h('ul.rows', list.map((one, i) => h('li', { key: i },
    h('div.body',
      h('div.row', h('span.name', `${one.metric ?? one.guardrail}`), h('span.faint', one.variant), h('span.chip', { class: tone[one.verdict] ?? '' }, one.verdict === 'doubt' ? 'in doubt' : one.verdict)),
      h('p.faint.break', [one.reason, one.margin !== null && one.margin !== undefined && `margin ${number(one.margin)}`, `then ${one.action === 'rollback' ? 'roll back' : 'pause'}`].filter(Boolean).join(' · ')))))));
}

/**
 * How an estimate came to be: the lift with its interval, for one metric.
 * @param {import('./store.js').Resource<any>} timeline @param {any} data @param {string} chosen @param {(value: string) => void} choose
 */
export function timelineCard(timeline, data, chosen, choose) {
  const names = data.metrics.map((/** @type {any} */ metric) => metric.name);
  const name = names.includes(chosen) ? chosen : names[0];
  const picker = names.length > 1 && h('select.inline', { 'aria-label': 'Metric', value: name, onchange: (/** @type {any} */ event) => choose(event.target.value) }, names.map((/** @type {string} */ one) => h('option', { value: one, key: one }, one)));
  const config = timeline.data && estimates(timeline.data.points, name);
  return card('Estimates over time', { class: 'w6', key: 'timeline', note: picker || name },
    instead(timeline, 'timeline') ?? (config ? h('v-chart', { '.config': config }) : empty('metrics', 'Too early', 'The line begins once there are two estimates, some seconds apart.')));
}

/** @param {any[]} points @param {string} name */
function estimates(points, name) {
  /** @type {Map<string, {at: number, lift: number, low: number, high: number}[]>} */
  const of = new Map();
  for (const point of points) {
    for (const one of point.estimates) {
      if (one.metric !== name) continue;
      const list = of.get(one.variant) ?? [];
      // The interval of the difference, on the scale of the lift.
      const scale = one.lift !== null && one.diff ? one.lift / one.diff : NaN;
      list.push({ at: Date.parse(one.at ?? point.at), lift: (one.lift ?? NaN) * 100, low: (one.ci_low ?? NaN) * scale * 100, high: (one.ci_high ?? NaN) * scale * 100 });
      of.set(one.variant, list);
    }
  }
  const lines = [...of].flatMap(([variant, list], i) => [['', 'lift'], [', low', 'low'], [', high', 'high']].map(([words, key]) => ({
    name: `${variant}${words}`, color: i,
    x: Float64Array.from(list, (one) => one.at), y: Float32Array.from(list, (one) => /** @type {any} */ (one)[key]),
  })));
  const times = points.map((point) => Date.parse(point.at));
  if (times.length < 2 || !lines.length) return null;
  const [from, until] = [times[0], times[times.length - 1]];
  return { label: `Lift of ${name} in percent, with its interval`, lines, from, to: until, step: Math.max(...times.slice(1).map((at, i) => at - times[i])) * 2, unit: '%', height: 200, threshold: { value: 0, text: 'no change' } };
}

/** @param {any} analysis */
export function effectsCard(analysis) {
  /** @type {any[]} */
  const list = analysis?.effects ?? [];
  if (!list.length) return null;
  return card('What each factor does', { class: 'w6', key: 'effects', note: 'averaged over all others' }, h('div.table-wrap', { tabindex: '0', role: 'region', 'aria-label': 'Effects of factors' }, h('table',
    h('thead', h('tr', h('th', 'Effect'), h('th', 'Metric'), h('th.right', 'Difference'), h('th.right', 'Interval'))),
    h('tbody', list.map((one, i) => h('tr', { key: i },
      h('td', h('div.name', one.effect), h('div.faint', `${one.levels.join(', ')} against ${one.against.join(', ')}`)),
      h('td', one.metric),
      h('td.right', { class: one.significant ? 'strong' : '' }, one.diff === null || one.diff === undefined ? one.readiness.replaceAll('_', ' ') : signedNumber(one.diff)),
      h('td.right.nowrap', one.ci_low === null || one.ci_low === undefined ? '–' : `${signedNumber(one.ci_low)} to ${signedNumber(one.ci_high)}`)))))));
}

/** @param {number} value */
const signedNumber = (value) => (value < 0 ? number(value) : `+${number(value)}`);

/** Requests, errors, latency and cost of each variant, where outcomes tell of them. @param {import('./store.js').Resource<any>} outcomes */
export function outcomesCard(outcomes) {
  /** @type {any[]} */
  const list = (outcomes.data ?? []);
  if (!list.some((one) => one.requests)) return null;
  const share = (/** @type {number | null} */ value) => (value === null ? '–' : withUnit(value, 'ratio'));
  return card('Outcomes', { class: 'w6', key: 'outcomes', note: 'since it was first used' }, h('div.table-wrap', { tabindex: '0', role: 'region', 'aria-label': 'Outcomes of variants' }, h('table',
    h('thead', h('tr', h('th', 'Variant'), h('th.right', 'Requests'), h('th.right', 'Errors'), h('th.right', 'Latency p95'), h('th.right', 'Cost of one'), h('th.right.hide-phone', 'Tokens out'))),
    h('tbody', list.map((one) => h('tr', { key: one.name }, h('td.name', one.name), h('td.right', short(one.requests)), h('td.right', share(one.error_rate)), h('td.right', withUnit(one.latency_ms.p95, 'ms')), h('td.right', number(one.cost_per_request)), h('td.right.hide-phone', short(one.tokens.output))))))));
}

/** What happened, in words. @type {Record<string, string>} */
const KINDS = {
  created: 'Made', changed: 'Changed', started: 'Started', paused: 'Paused', resumed: 'Resumed', completed: 'Completed', cancelled: 'Cancelled', rolled_back: 'Rolled back',
  stepped: 'Went a step further', held: 'Held', switched: 'Switched', epoch: 'New split of the traffic', breached: 'A guardrail was breached', deleted: 'Deleted',
};

const REASONS = /** @type {Record<string, string>} */ ({ hash: 'by the hash of its id', forced: 'it is forced', sticky: 'it was exposed before', control: 'the control' });

/**
 * Asks what a unit would get, without noting that it was exposed.
 * @param {string} path @param {{unit: string, attributes: string, said: any}} state @param {() => void} draw
 */
export function tryCard(path, state, draw) {
  const ask = async (/** @type {Event} */ event) => {
    event.preventDefault();
    if (!state.unit.trim()) return;
    try {
      state.said = await api(`${path}/assign`, { method: 'POST', body: { unit: state.unit.trim(), attributes: json(state.attributes, 'attributes'), expose: false } });
    } catch (error) {
      state.said = { wrong: /** @type {Error} */ (error).message };
    }
    draw();
  };
  const { said } = state;
  return card('Who gets what', { class: 'w6 sends', key: 'try', note: 'asked without effect' }, h('form.stack', { onsubmit: ask },
    h('div.fields', field(state, 'unit', 'Unit', { placeholder: 'user-17' }), field(state, 'attributes', 'Attributes, as JSON', { mono: true, placeholder: '{"country": "NL"}' })),
    h('div.row', h('button.button', { type: 'submit' }, 'What does it get?'),
      said && !said.wrong && h('span', { role: 'status' }, said.in_experiment ? [h('strong', said.variant), `, ${REASONS[said.reason] ?? said.reason.replaceAll('_', ' ')}`] : ['It takes no part: ', said.reason.replaceAll('_', ' ')])),
    said?.wrong && banner('crit', said.wrong),
    said && !said.wrong && said.configuration !== null && h('pre', JSON.stringify(said.configuration, null, 2))));
}
