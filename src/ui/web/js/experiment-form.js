// The wizard in which an experiment is made: what and why; metrics; variants and how many units they
// need; all of it once more before it is sent.

import { h, icon } from './core.js';
import { json } from './check-form.js';
import { banner, field, openDialog, toast } from './dialog.js';
import { number } from './format.js';
import { go, to } from './router.js';
import { sampleSize } from './samplesize.js';
import { api, experiments } from './store.js';

const STEPS = ['Basics', 'Metrics', 'Variants', 'Review'];
const NAME = /^[a-z0-9][a-z0-9-]{0,62}$/;
const METRIC = /^[A-Za-z0-9_.-]{1,63}$/;

/** @param {any} one */
function stateOf(one) {
  const metrics = one?.metrics ?? [{ name: '', estimator: 'proportion', better: 'higher', role: 'primary' }];
  const variants = one?.variants ?? [{ name: 'control', traffic_weight: 50, is_control: true }, { name: 'treatment', traffic_weight: 50 }];
  return {
    name: one?.name ?? '', kind: one?.kind ?? 'ab_test', hypothesis: one?.hypothesis ?? '', description: one?.description ?? '', feature: one?.feature ?? '',
    traffic_allocation: one?.traffic_allocation ?? 100,
    steps: (one?.steps ?? [{ traffic: 5, hold: '1h' }, { traffic: 50, hold: '1d' }, { traffic: 100 }]).map((/** @type {any} */ step) => `${step.traffic}${step.hold ? ` ${step.hold}` : ''}`).join(', '),
    metrics: metrics.map((/** @type {any} */ metric) => ({ ...metric, quantile: metric.quantile ?? '', margin: metric.margin ?? '', minimum_detectable_effect: metric.minimum_detectable_effect ?? '', action: one?.guardrails?.find((/** @type {any} */ guard) => guard.metric === metric.name)?.action ?? 'pause' })),
    variants: variants.map((/** @type {any} */ variant) => ({ ...variant, text: variant.configuration ? JSON.stringify(variant.configuration) : '' })),
    method: one?.analysis?.method ?? 'sequential', alpha: one?.analysis?.alpha ?? 0.05, correction: one?.analysis?.correction ?? 'holm',
    baseline: 0.1, deviation: 1, power: 0.8, perDay: '',
  };
}

/** @typedef {ReturnType<typeof stateOf>} State */

/** What is wrong with a step, in words, or ''. @param {State} state @param {number} step */
function wrongWith(state, step) {
  if (step === 0) {
    if (!NAME.test(state.name)) return 'Name: 1 to 63 of a-z, 0-9 and -, beginning with a letter or digit.';
    if (!(Number(state.traffic_allocation) >= 0 && Number(state.traffic_allocation) <= 100)) return 'Traffic: from 0 to 100 percent.';
  }
  if (step === 1) {
    const bad = state.metrics.find((/** @type {any} */ metric) => !METRIC.test(metric.name));
    if (bad) return `Metric “${bad.name}”: 1 to 63 letters, digits, _, - and .`;
    if (!state.metrics.some((/** @type {any} */ metric) => metric.role === 'primary')) return 'One metric must be primary; it decides the experiment.';
    if (state.metrics.some((/** @type {any} */ metric) => metric.role === 'guardrail' && metric.margin === '')) return 'A guardrail says how much worse it may become: its margin.';
    if (state.metrics.some((/** @type {any} */ metric) => metric.estimator === 'quantile' && !(metric.quantile > 0 && metric.quantile < 1))) return 'A quantile is above 0 and below 1, like 0.95.';
  }
  if (step === 2) {
    if (state.variants.length < 2) return 'At least two variants.';
    const bad = state.variants.find((/** @type {any} */ variant) => !NAME.test(variant.name));
    if (bad) return `Variant “${bad.name}”: a-z, 0-9 and -.`;
    if (new Set(state.variants.map((/** @type {any} */ variant) => variant.name)).size !== state.variants.length) return 'Two variants have the same name.';
    for (const variant of state.variants) {
      try {
        json(variant.text, `configuration of ${variant.name}`);
      } catch (error) {
        return /** @type {Error} */ (error).message;
      }
    }
  }
  return '';
}

/** What is sent. @param {State} state @param {any} one */
function definition(state, one) {
  const some = (/** @type {any} */ value) => (value === '' ? undefined : Number(value));
  const canary = state.kind === 'canary';
  return {
    ...(one ? Object.fromEntries(['targeting', 'namespace', 'hold_out', 'sticky', 'seed', 'forced', 'factors', 'start_at', 'end_at', 'labels', 'configuration', 'created_by'].filter((name) => one[name] !== undefined && one[name] !== null).map((name) => [name, one[name]])) : {}),
    name: state.name, kind: state.kind, hypothesis: state.hypothesis, description: state.description, feature: state.feature || undefined,
    traffic_allocation: Number(state.traffic_allocation),
    steps: canary ? state.steps.split(',').map((/** @type {string} */ text) => text.trim().split(/\s+/)).map(([traffic, hold]) => ({ traffic: Number(traffic), ...(hold ? { hold } : {}) })) : undefined,
    variants: state.variants.map((/** @type {any} */ variant) => ({ name: variant.name, description: variant.description || undefined, traffic_weight: Number(variant.traffic_weight), is_control: variant.is_control || undefined, levels: variant.levels, configuration: variant.text.trim() ? json(variant.text) : undefined })),
    metrics: state.metrics.map((/** @type {any} */ { action, ...metric }) => ({ ...metric, quantile: metric.estimator === 'quantile' ? some(metric.quantile) : undefined, margin: metric.role === 'guardrail' ? some(metric.margin) : undefined, minimum_detectable_effect: some(metric.minimum_detectable_effect), __ids: undefined })),
    guardrails: [
      ...state.metrics.filter((/** @type {any} */ metric) => metric.role === 'guardrail').map((/** @type {any} */ metric) => ({ metric: metric.name, action: metric.action })),
      ...(one?.guardrails ?? []).filter((/** @type {any} */ guard) => guard.rule),
    ],
    analysis: { ...(one?.analysis ?? {}), method: state.method, alpha: Number(state.alpha), correction: state.correction },
  };
}

/** The units that the plan needs, or null where the plan says too little. @param {State} state */
function plan(state) {
  const primary = state.metrics.find((/** @type {any} */ metric) => metric.role === 'primary');
  const effect = Number(primary?.minimum_detectable_effect);
  const control = state.variants.find((/** @type {any} */ variant) => variant.is_control);
  const others = state.variants.filter((/** @type {any} */ variant) => !variant.is_control);
  const weight = Math.min(...others.map((/** @type {any} */ variant) => Number(variant.traffic_weight)));
  const base = Number(state.baseline);
  const variance = primary?.estimator === 'proportion' ? base * (1 - base) : Number(state.deviation) ** 2;
  const size = sampleSize({ variance, effect, alpha: Number(state.alpha), power: Number(state.power), ratio: weight / Number(control?.traffic_weight) });
  if (!size) return null;
  const total = state.variants.reduce((/** @type {number} */ sum, /** @type {any} */ variant) => sum + Number(variant.traffic_weight), 0);
  const units = Math.ceil((size.other / weight) * total);
  return { ...size, units, days: Number(state.perDay) > 0 ? (units / Number(state.perDay)) * (100 / Math.max(1, Number(state.traffic_allocation))) : null };
}

/**
 * @param {any} one the experiment to change, or null for a new one
 * @param {() => void} [after]
 */
export function editExperiment(one, after) {
  const state = stateOf(one);
  let step = 0;
  let wrong = '';
  let busy = false;
  const dialog = openDialog({
    title: one ? `Edit ${one.name}` : 'New experiment',
    size: 'wide',
    body: (self) => [
      h('ol.steps', { 'aria-label': 'Steps' }, STEPS.map((name, i) => h('li', { key: name, 'aria-current': i === step ? 'step' : null }, name))),
      h('div.dialog-body.inner', { key: `step-${step}` }, [basics, metrics, variants, review][step](state, self.draw, one)),
      wrong && h('div', { key: 'wrong' }, banner('crit', wrong)),
    ],
    submit: next,
    foot: (self) => [
      step > 0 && h('button.button.start', { type: 'button', key: 'back', onclick: () => turn(step - 1) }, icon('back'), 'Back'),
      h('button.button', { type: 'button', key: 'cancel', onclick: self.close }, 'Cancel'),
      h('button.button.main', { type: 'submit', key: 'next', disabled: busy }, step < STEPS.length - 1 ? 'Next' : one ? 'Save' : 'Make as a draft'),
    ],
  });

  /** @param {number} to_ */
  function turn(to_) {
    step = to_;
    wrong = '';
    dialog.draw();
    const first = step === STEPS.length - 1 ? '.dialog-foot [type=submit]' : '.inner input, .inner select';
    /** @type {HTMLElement | null} */ (document.querySelector('dialog[open]')?.querySelector(first))?.focus();
  }

  async function next() {
    wrong = wrongWith(state, step);
    if (wrong) {
      dialog.draw();
      return;
    }
    if (step < STEPS.length - 1) {
      turn(step + 1);
      return;
    }
    busy = true;
    dialog.draw();
    try {
      const body = definition(state, one);
      if (one) await api(`experiments/${encodeURIComponent(one.name)}`, { method: 'PUT', body });
      else await api('experiments', { method: 'POST', body });
      experiments.refresh();
      after?.();
      dialog.close();
      toast(`${body.name} was ${one ? 'saved' : 'made as a draft'}`);
      if (!one) go(to('experiments', body.name));
    } catch (error) {
      busy = false;
      wrong = /** @type {Error} */ (error).message;
      dialog.draw();
    }
  }
}

/** @param {State} state @param {() => void} draw @param {any} one */
function basics(state, draw, one) {
  return [
    h('div.fields',
      field(state, 'name', 'Name', { disabled: Boolean(one), autofocus: !one, hint: 'a-z, 0-9 and -' }),
      field(state, 'kind', 'Kind', { options: [['ab_test', 'A/B test'], ['canary', 'canary: the share grows in steps'], ['blue_green', 'blue/green: all at once'], ...(one?.kind === 'multivariate' ? [/** @type {[string, string]} */ (['multivariate', 'multivariate'])] : [])], onchange: draw }),
      field(state, 'feature', 'Feature')),
    field(state, 'hypothesis', 'Hypothesis', { type: 'area', rows: 2, placeholder: 'One page instead of three makes more people finish the checkout' }),
    field(state, 'description', 'Description', { type: 'area', rows: 2 }),
    h('div.fields',
      field(state, 'traffic_allocation', 'Share of the traffic that takes part, %', { type: 'number' }),
      state.kind === 'canary' && field(state, 'steps', 'Steps: share in %, and how long', { hint: 'like 5 1h, 50 1d, 100' })),
  ];
}

/** @param {State} state @param {() => void} draw */
function metrics(state, draw) {
  return [
    state.metrics.map((/** @type {any} */ metric, /** @type {number} */ i) => h('fieldset', { key: `metric-${i}` },
      h('legend', metric.name || `Metric ${i + 1}`),
      h('div.fields',
        field(metric, 'name', 'Name', { placeholder: 'converted', autofocus: i === 0 }),
        field(metric, 'estimator', 'Estimator', { options: [['proportion', 'share that converts'], ['mean', 'mean'], ['ratio', 'ratio'], ['quantile', 'quantile']], onchange: draw }),
        field(metric, 'better', 'Better is', { options: ['higher', 'lower'] }),
        field(metric, 'role', 'Role', { options: ['primary', 'secondary', 'guardrail'], onchange: draw })),
      h('div.fields.top-space',
        metric.estimator === 'quantile' && field(metric, 'quantile', 'Quantile', { type: 'number', placeholder: '0.95' }),
        metric.role === 'guardrail' && field(metric, 'margin', 'May become worse by', { type: 'number' }),
        metric.role === 'guardrail' && field(metric, 'action', 'When it does', { options: [['pause', 'pause'], ['rollback', 'roll back']] }),
        metric.role !== 'guardrail' && field(metric, 'minimum_detectable_effect', 'Smallest effect worth seeing', { type: 'number', hint: 'absolute, like 0.01' }),
        state.metrics.length > 1 && h('div.field', { key: 'remove' }, h('span.label', '\u00a0'), h('button.button', { type: 'button', 'aria-label': `Remove metric ${metric.name || i + 1}`, onclick: () => {
          state.metrics.splice(i, 1);
          draw();
        } }, 'Remove'))))),
    h('div.row', { key: 'add' }, h('button.button', { type: 'button', onclick: () => {
      state.metrics.push({ name: '', kind: 'custom', estimator: 'mean', better: 'lower', role: 'guardrail', quantile: '', margin: '', minimum_detectable_effect: '', action: 'pause' });
      draw();
    } }, icon('plus'), 'Add a metric')),
  ];
}

/** @param {State} state @param {() => void} draw */
function variants(state, draw) {
  const primary = state.metrics.find((/** @type {any} */ metric) => metric.role === 'primary');
  const need = plan(state);
  return [
    state.variants.map((/** @type {any} */ variant, /** @type {number} */ i) => h('fieldset', { key: `variant-${i}` },
      h('legend', variant.is_control ? 'Control' : variant.name || `Variant ${i + 1}`),
      h('div.fields',
        field(variant, 'name', 'Name', { autofocus: i === 0 }),
        field(variant, 'traffic_weight', 'Weight', { type: 'number', onchange: draw }),
        field(variant, 'text', 'Configuration, as JSON', { mono: true, placeholder: '{}' }),
        !variant.is_control && state.variants.length > 2 && h('div.field', { key: 'remove' }, h('span.label', '\u00a0'), h('button.button', { type: 'button', 'aria-label': `Remove variant ${variant.name || i + 1}`, onclick: () => {
          state.variants.splice(i, 1);
          draw();
        } }, 'Remove'))))),
    state.kind === 'ab_test' && h('div.row', { key: 'add' }, h('button.button', { type: 'button', onclick: () => {
      state.variants.push({ name: '', traffic_weight: 50, text: '' });
      draw();
    } }, icon('plus'), 'Add a variant')),
    h('fieldset', { key: 'plan' },
      h('legend', 'How many units it needs'),
      h('div.fields',
        primary?.estimator === 'proportion' ? field(state, 'baseline', 'Share that converts today', { type: 'number', onchange: draw }) : field(state, 'deviation', 'Standard deviation of a unit', { type: 'number', onchange: draw }),
        field(state, 'power', 'Power', { type: 'number', onchange: draw }),
        field(state, 'perDay', 'Units a day', { type: 'number', onchange: draw })),
      h('p.top-space', need ? [h('strong', `About ${need.units.toLocaleString('en-US')} units`), ` at a fixed horizon: ${need.control.toLocaleString('en-US')} in the control, ${need.other.toLocaleString('en-US')} in each other`, need.days !== null && `, ${number(need.days)} days`, '. Watching all the time costs some more.'] : h('span.faint', 'Give the primary metric the smallest effect that is worth seeing, and it shows here.'))),
  ];
}

/** @param {State} state @param {() => void} draw */
function review(state, draw) {
  const need = plan(state);
  return [
    h('dl.facts', { key: 'facts' },
      h('dt', 'Name'), h('dd', state.name),
      h('dt', 'Hypothesis'), h('dd', state.hypothesis || h('span.faint', 'none is written down')),
      h('dt', 'Takes part'), h('dd', `${state.traffic_allocation} %${state.feature ? ` of ${state.feature}` : ''}`),
      h('dt', 'Variants'), h('dd', state.variants.map((/** @type {any} */ variant) => `${variant.name} ${variant.traffic_weight}`).join(', ')),
      h('dt', 'Metrics'), h('dd', h('ul', state.metrics.map((/** @type {any} */ metric) => h('li', `${metric.name}: ${metric.estimator}, ${metric.better} is better, ${metric.role}`)))),
      h('dt', 'Units'), h('dd', need ? `about ${need.units.toLocaleString('en-US')}` : 'not planned')),
    h('div.fields', { key: 'analysis' },
      field(state, 'method', 'Analysis', { options: [['sequential', 'sequential: may be watched'], ['fixed', 'fixed: look once, at the end']], onchange: draw }),
      field(state, 'alpha', 'Alpha', { type: 'number', onchange: draw }),
      field(state, 'correction', 'Correction for many comparisons', { options: [['holm', 'Holm'], ['benjamini_hochberg', 'Benjamini–Hochberg'], ['none', 'none']] })),
    h('p.faint', { key: 'note' }, 'It begins as a draft. Nobody gets a variant until it is started.'),
  ];
}
