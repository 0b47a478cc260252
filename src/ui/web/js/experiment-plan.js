// What an experiment's form holds, what of it is sent, and how many units it needs by the server's
// calculator. Never: elements.

import { json } from './check-form.js';
import { duration } from './format.js';
import { api, parameters } from './store.js';

export const NAME = /^[a-z0-9][a-z0-9-]{0,62}$/;
const METRIC = /^[A-Za-z0-9_.-]{1,63}$/;
/** Fields that the form does not show and that stay as they were. */
const KEPT = ['namespace', 'hold_out', 'seed', 'labels', 'configuration', 'created_by'];

/** @param {any} value */
const text = (value) => (value === undefined || value === null ? '' : String(value));
/** @param {any} value */
const some = (value) => (value === '' || value === undefined || value === null ? undefined : Number(value));
/** @param {string} list */
const words = (list) => list.split(',').map((word) => word.trim()).filter(Boolean);

/** @param {any} one */
export function stateOf(one) {
  const metrics = one?.metrics ?? [{ name: '', estimator: 'proportion', better: 'higher', role: 'primary' }];
  const variants = one?.variants ?? [{ name: 'control', traffic_weight: 50, is_control: true }, { name: 'treatment', traffic_weight: 50 }];
  const rules = (one?.guardrails ?? []).filter((/** @type {any} */ guard) => guard.rule);
  return {
    name: one?.name ?? '', kind: one?.kind ?? 'ab_test', hypothesis: one?.hypothesis ?? '', description: one?.description ?? '', feature: one?.feature ?? '',
    traffic_allocation: one?.traffic_allocation ?? 100,
    start_at: one?.start_at ?? '', end_at: one?.end_at ?? '',
    steps: (one?.steps ?? [{ traffic: 5, hold: 3600 }, { traffic: 50, hold: 86_400 }, { traffic: 100 }]).map((/** @type {any} */ step) => `${step.traffic}${step.hold ? ` ${duration(step.hold)}` : ''}`).join(', '),
    factors: (one?.factors?.length ? one.factors : [{ name: '', levels: [] }, { name: '', levels: [] }]).map((/** @type {any} */ factor) => ({ name: factor.name, levels: factor.levels.join(', ') })),
    metrics: metrics.map((/** @type {any} */ metric) => metricOf(metric, one)),
    variants: variants.map((/** @type {any} */ variant) => ({ ...variant, text: variant.configuration ? JSON.stringify(variant.configuration) : '' })),
    targeting: one?.targeting ? JSON.stringify(one.targeting) : '', forced: one?.forced && Object.keys(one.forced).length ? JSON.stringify(one.forced) : '', sticky: one?.sticky ?? true,
    rules: rules.map((/** @type {any} */ guard) => guard.rule).join(', '), rules_action: rules[0]?.action ?? 'pause',
    method: one?.analysis?.method ?? 'sequential', alpha: one?.analysis?.alpha ?? 0.05, correction: one?.analysis?.correction ?? 'holm',
    baseline: 0.1, deviation: 1, power: 0.8, perDay: '',
  };
}

/** @typedef {ReturnType<typeof stateOf>} State */

/** @param {any} metric @param {any} one */
export function metricOf(metric, one) {
  const guard = one?.guardrails?.find((/** @type {any} */ other) => other.metric === metric.name);
  return {
    ...metric,
    ...Object.fromEntries(['quantile', 'margin', 'minimum_detectable_effect', 'cap_low', 'cap_high', 'target', 'aggregate'].map((name) => [name, text(metric[name])])),
    estimator: metric.estimator ?? 'mean', role: metric.role ?? 'primary', action: guard?.action ?? 'pause',
  };
}

/** What is wrong with a step, in words, or ''. @param {State} state @param {number} step */
export function wrongWith(state, step) {
  if (step === 0) {
    if (!NAME.test(state.name)) return 'Name: 1 to 63 of a-z, 0-9 and -, beginning with a letter or digit.';
    if (!(Number(state.traffic_allocation) >= 0 && Number(state.traffic_allocation) <= 100)) return 'Traffic: from 0 to 100 percent.';
  }
  if (step === 1) {
    const bad = state.metrics.find((/** @type {any} */ metric) => !METRIC.test(metric.name));
    if (bad) return `Metric “${bad.name}”: 1 to 63 letters, digits, _, - and .`;
    if (!state.metrics.some((/** @type {any} */ metric) => metric.role === 'primary')) return 'One metric must be primary; it decides the experiment.';
    if (state.metrics.some((/** @type {any} */ metric) => metric.role === 'guardrail' && metric.margin === '')) return 'A guardrail says how much worse it may become: its margin.';
    if (state.metrics.some((/** @type {any} */ metric) => metric.estimator === 'quantile' && !(Number(metric.quantile) > 0 && Number(metric.quantile) < 1))) return 'A quantile is above 0 and below 1, like 0.95.';
  }
  if (step === 2) {
    try {
      json(state.targeting, 'condition');
      json(state.forced, 'forced units');
      for (const variant of state.variants) json(variant.text, `configuration of ${variant.name}`);
    } catch (error) {
      return /** @type {Error} */ (error).message;
    }
    if (state.kind === 'multivariate') {
      const bad = factorsOf(state).find((factor) => !NAME.test(factor.name) || factor.levels.length < 2 || factor.levels.some((level) => !NAME.test(level)));
      if (bad || !factorsOf(state).length) return `Factor “${bad?.name ?? ''}”: a name and two or more levels, each of a-z, 0-9 and -.`;
      return '';
    }
    if (state.variants.length < 2) return 'At least two variants.';
    const bad = state.variants.find((/** @type {any} */ variant) => !NAME.test(variant.name));
    if (bad) return `Variant “${bad.name}”: a-z, 0-9 and -.`;
    if (new Set(state.variants.map((/** @type {any} */ variant) => variant.name)).size !== state.variants.length) return 'Two variants have the same name.';
  }
  return '';
}

/** @param {State} state */
export const factorsOf = (state) => state.factors.map((/** @type {any} */ factor) => ({ name: factor.name.trim(), levels: words(factor.levels) })).filter((/** @type {any} */ factor) => factor.name || factor.levels.length);

/** What is sent. @param {State} state @param {any} one */
export function definition(state, one) {
  const kept = one ? Object.fromEntries(KEPT.filter((name) => one[name] !== undefined && one[name] !== null).map((name) => [name, one[name]])) : {};
  const factors = state.kind === 'multivariate' ? factorsOf(state) : [];
  // Variants of a draft are made from its factors by the server.
  const made = factors.length > 0 && (!one || one.status === 'draft');
  const at = (/** @type {string} */ value) => (value ? new Date(value).toISOString() : undefined);
  return {
    ...kept,
    name: state.name, kind: state.kind, hypothesis: state.hypothesis || undefined, description: state.description || undefined, feature: state.feature || undefined,
    traffic_allocation: Number(state.traffic_allocation), start_at: at(state.start_at), end_at: at(state.end_at),
    steps: state.kind === 'canary' ? words(state.steps).map((step) => step.split(/\s+/)).map(([traffic, hold]) => ({ traffic: Number(traffic), ...(hold ? { hold } : {}) })) : undefined,
    factors: factors.length ? factors : undefined,
    variants: made ? undefined : state.variants.map((/** @type {any} */ variant) => ({ name: variant.name, description: variant.description || undefined, traffic_weight: Number(variant.traffic_weight), is_control: variant.is_control || undefined, levels: variant.levels, configuration: variant.text.trim() ? json(variant.text) : undefined })),
    metrics: state.metrics.map((/** @type {any} */ metric) => ({
      name: metric.name, description: metric.description || undefined, kind: metric.kind, estimator: metric.estimator, better: metric.better, role: metric.role,
      quantile: metric.estimator === 'quantile' ? some(metric.quantile) : undefined, aggregate: metric.aggregate || undefined,
      target: some(metric.target), minimum_detectable_effect: some(metric.minimum_detectable_effect),
      margin: metric.role === 'guardrail' ? some(metric.margin) : undefined, cap_low: some(metric.cap_low), cap_high: some(metric.cap_high),
    })),
    guardrails: [
      ...state.metrics.filter((/** @type {any} */ metric) => metric.role === 'guardrail' && (metric.action !== 'pause' || one?.guardrails?.some((/** @type {any} */ guard) => guard.metric === metric.name))).map((/** @type {any} */ metric) => ({ metric: metric.name, action: metric.action })),
      ...words(state.rules).map((rule) => ({ rule, action: state.rules_action })),
    ],
    targeting: state.targeting.trim() ? json(state.targeting) : undefined,
    forced: state.forced.trim() ? json(state.forced) : undefined,
    sticky: state.sticky,
    analysis: { ...(one?.analysis ?? {}), method: state.method, alpha: Number(state.alpha), correction: state.correction },
  };
}

/**
 * The units that the plan needs by the server's calculator, or null where the plan says too little.
 * @param {State} state
 * @returns {Promise<{control: number, variant: number, units: number, days: number | null} | null>}
 */
export async function plan(state) {
  const primary = state.metrics.find((/** @type {any} */ metric) => metric.role === 'primary');
  const effect = some(primary?.minimum_detectable_effect);
  if (!primary || !effect) return null;
  const cells = factorsOf(state).reduce((/** @type {number} */ product, factor) => product * Math.max(1, factor.levels.length), 1);
  const weights = state.kind === 'multivariate'
    ? Array.from({ length: Math.max(2, cells) }, () => 1)
    : state.variants.toSorted((/** @type {any} */ a, /** @type {any} */ b) => Number(b.is_control ?? false) - Number(a.is_control ?? false)).map((/** @type {any} */ variant) => Number(variant.traffic_weight));
  const [control, ...others] = weights;
  const least = Math.min(...others);
  if (!(control > 0 && least > 0)) return null;
  const primaries = state.metrics.filter((/** @type {any} */ metric) => metric.role === 'primary').length;
  const worse = primary.better === 'lower' ? -1 : 1;
  const share = primary.estimator === 'proportion';
  const need = await api(`stats/sample-size?${parameters({
    effect: share ? worse * Math.abs(effect) : Math.abs(effect), ...(share ? { baseline: state.baseline } : { std_dev: state.deviation }),
    power: state.power, alpha: state.alpha, ratio: control / least, method: state.method, comparisons: state.correction === 'none' ? 1 : primaries * others.length,
  })}`);
  const whole = weights.reduce((/** @type {number} */ sum, /** @type {number} */ weight) => sum + weight, 0);
  // What rounding of fractions leaves over is not another unit.
  const units = Math.ceil(Number((need.variant * (whole / least)).toPrecision(12)));
  const perDay = Number(state.perDay);
  return { control: need.control, variant: need.variant, units, days: perDay > 0 ? (units / perDay) * (100 / Math.max(1, Number(state.traffic_allocation))) : null };
}
