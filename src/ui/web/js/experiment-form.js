// The wizard in which an experiment is made: what and why; metrics; variants and how many units they
// need; all of it once more before it is sent.

import { h, icon } from './core.js';
import { banner, field, openDialog, toast } from './dialog.js';
import { definition, factorsOf, metricOf, plan, stateOf, wrongWith } from './experiment-plan.js';
import { number } from './format.js';
import { go, to } from './router.js';
import { api, experiments } from './store.js';

const STEPS = ['Basics', 'Metrics', 'Variants', 'Review'];
const KINDS = /** @type {[string, string][]} */ ([['ab_test', 'A/B test'], ['multivariate', 'multivariate: factors with levels'], ['canary', 'canary: the share grows in steps'], ['blue_green', 'blue/green: all at once']]);
const PLAN_WAIT_MS = 300;

/** @typedef {import('./experiment-plan.js').State} State */
/**
 * What the steps of the wizard share.
 * @typedef {object} Wizard
 * @property {State} state
 * @property {() => void} draw
 * @property {any} one what is changed, or null
 * @property {boolean} begun it has started: little may change
 * @property {Awaited<ReturnType<typeof plan>> | undefined} need undefined while it is not known
 * @property {string} needWrong
 * @property {() => void} replan
 */

/**
 * @param {any} one the experiment to change, or null for a new one
 * @param {() => void} [after]
 */
export function editExperiment(one, after) {
  const state = stateOf(one);
  let step = 0;
  let wrong = '';
  let busy = false;
  let timer = /** @type {any} */ (null);
  /** @type {Wizard} */
  const wizard = { state, draw: () => dialog.draw(), one, begun: Boolean(one) && one.status !== 'draft', need: undefined, needWrong: '', replan };
  const dialog = openDialog({
    title: one ? `Edit ${one.name}` : 'New experiment',
    size: 'wide',
    closed: () => clearTimeout(timer),
    body: () => [
      h('ol.steps', { 'aria-label': 'Steps' }, STEPS.map((name, i) => h('li', { key: name, 'aria-current': i === step ? 'step' : null }, name))),
      wizard.begun && h('p.faint', { key: 'begun' }, one.status === 'running' || one.status === 'paused'
        ? 'It has begun: texts, weights, the share of the traffic, the end, forced units and what guardrails do may change. Anything else is another experiment.'
        : 'It is over: its texts may change.'),
      h('div.dialog-body.inner', { key: `step-${step}` }, [basics, metrics, variants, review][step](wizard)),
      wrong && h('div', { key: 'wrong' }, banner('crit', wrong)),
    ],
    submit: next,
    foot: (self) => [
      step > 0 && h('button.button.start', { type: 'button', key: 'back', onclick: () => turn(step - 1) }, icon('back'), 'Back'),
      h('button.button', { type: 'button', key: 'cancel', onclick: self.close }, 'Cancel'),
      h('button.button.main', { type: 'submit', key: 'next', disabled: busy }, step < STEPS.length - 1 ? 'Next' : one ? 'Save' : 'Make as a draft'),
    ],
  });

  /** Asks how many units it takes, once nothing was typed for a while. */
  function replan() {
    clearTimeout(timer);
    timer = setTimeout(async () => {
      try {
        wizard.need = await plan(state);
        wizard.needWrong = '';
      } catch (error) {
        wizard.need = null;
        wizard.needWrong = /** @type {Error} */ (error).message;
      }
      dialog.draw();
    }, PLAN_WAIT_MS);
  }

  /** @param {number} to_ */
  function turn(to_) {
    step = to_;
    wrong = '';
    if (step >= 2) replan();
    dialog.draw();
    const first = step === STEPS.length - 1 ? '.dialog-foot [type=submit]' : '.inner input:not(:disabled), .inner select:not(:disabled)';
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

/** @param {Wizard} wizard */
function basics({ state, draw, one, begun }) {
  const over = begun && one.status !== 'running' && one.status !== 'paused';
  return [
    h('div.fields',
      field(state, 'name', 'Name', { disabled: Boolean(one), autofocus: !one, hint: 'a-z, 0-9 and -' }),
      field(state, 'kind', 'Kind', { options: KINDS, onchange: draw, disabled: begun }),
      field(state, 'feature', 'Feature', { disabled: begun })),
    field(state, 'hypothesis', 'Hypothesis', { type: 'area', rows: 2, placeholder: 'One page instead of three makes more people finish the checkout' }),
    field(state, 'description', 'Description', { type: 'area', rows: 2 }),
    h('div.fields',
      field(state, 'traffic_allocation', 'Share of the traffic that takes part, %', { type: 'number', disabled: over }),
      state.kind === 'canary' && field(state, 'steps', 'Steps: share in %, and how long', { hint: 'like 5 1h, 50 1d, 100', disabled: begun })),
    h('div.fields',
      field(state, 'start_at', 'Starts by itself at', { hint: 'RFC 3339; empty: by hand', placeholder: new Date(Date.now() + 86_400_000).toISOString().slice(0, 13) + ':00:00Z', disabled: begun }),
      field(state, 'end_at', 'Ends by itself at', { hint: 'RFC 3339; empty: by hand', disabled: over })),
  ];
}

/** @param {Wizard} wizard */
function metrics({ state, draw, begun }) {
  return [
    state.metrics.map((/** @type {any} */ metric, /** @type {number} */ i) => h('fieldset', { key: `metric-${i}` },
      h('legend', metric.name || `Metric ${i + 1}`),
      h('div.fields',
        field(metric, 'name', 'Name', { placeholder: 'converted', autofocus: i === 0, disabled: begun }),
        field(metric, 'estimator', 'Estimator', { options: [['proportion', 'share that converts'], ['mean', 'mean'], ['ratio', 'ratio'], ['quantile', 'quantile']], onchange: draw, disabled: begun }),
        field(metric, 'better', 'Better is', { options: ['higher', 'lower'], disabled: begun }),
        field(metric, 'role', 'Role', { options: ['primary', 'secondary', 'guardrail'], onchange: draw, disabled: begun })),
      h('div.fields.top-space',
        metric.estimator === 'quantile' && field(metric, 'quantile', 'Quantile', { type: 'number', placeholder: '0.95', disabled: begun }),
        metric.role === 'guardrail' && field(metric, 'margin', 'May become worse by', { type: 'number', disabled: begun }),
        metric.role === 'guardrail' && field(metric, 'action', 'When it does', { options: [['pause', 'pause'], ['rollback', 'roll back']] }),
        metric.role !== 'guardrail' && field(metric, 'minimum_detectable_effect', 'Smallest effect worth seeing', { type: 'number', hint: 'absolute, like 0.01', disabled: begun }),
        state.metrics.length > 1 && !begun && h('div.field', { key: 'remove' }, h('span.label', '\u00a0'), h('button.button', { type: 'button', 'aria-label': `Remove metric ${metric.name || i + 1}`, onclick: () => {
          state.metrics.splice(i, 1);
          draw();
        } }, 'Remove'))),
      metric.estimator !== 'proportion' && h('details', { key: 'more', open: Boolean(metric.cap_low || metric.cap_high || metric.aggregate) }, h('summary', 'Values of a unit'), h('div.fields',
        field(metric, 'aggregate', 'Several of one unit', { options: [['', 'as the estimator has it'], ['sum', 'their sum'], ['last', 'the last'], ['first', 'the first'], ['max', 'the largest']], disabled: begun }),
        field(metric, 'cap_low', 'Never below', { type: 'number', disabled: begun }),
        field(metric, 'cap_high', 'Never above', { type: 'number', hint: 'a cap makes skewed values judgeable', disabled: begun }))))),
    !begun && h('div.row', { key: 'add' }, h('button.button', { type: 'button', onclick: () => {
      state.metrics.push(metricOf({ name: '', kind: 'custom', estimator: 'mean', better: 'lower', role: 'guardrail' }, null));
      draw();
    } }, icon('plus'), 'Add a metric')),
    h('div.fields', { key: 'rules' },
      field(state, 'rules', 'Alert rules that guard it', { hint: 'Names, with commas; a firing alert of its variants stops it' }),
      state.rules && field(state, 'rules_action', 'When one fires', { options: [['pause', 'pause'], ['rollback', 'roll back']] })),
  ];
}

/** @param {Wizard} wizard */
function variants({ state, draw, begun, need, needWrong, replan, one }) {
  const primary = state.metrics.find((/** @type {any} */ metric) => metric.role === 'primary');
  const over = begun && one.status !== 'running' && one.status !== 'paused';
  const byFactors = state.kind === 'multivariate' && !begun;
  const cells = factorsOf(state).reduce((/** @type {number} */ product, factor) => product * Math.max(1, factor.levels.length), 1);
  return [
    byFactors
      ? [
        state.factors.map((/** @type {any} */ factor, /** @type {number} */ i) => h('fieldset', { key: `factor-${i}` },
          h('legend', factor.name || `Factor ${i + 1}`),
          h('div.fields',
            field(factor, 'name', 'Factor', { placeholder: ['colour', 'text'][i] ?? '', autofocus: i === 0, onchange: replan }),
            field(factor, 'levels', 'Levels', { placeholder: ['green, red', 'buy, order'][i] ?? '', hint: 'with commas; the first is the control', onchange: replan })))),
        h('div.row', { key: 'add-factor' }, h('button.button', { type: 'button', onclick: () => {
          state.factors.push({ name: '', levels: '' });
          draw();
        } }, icon('plus'), 'Add a factor'), h('span.faint', cells > 1 ? `${cells} variants, one of every combination` : 'A variant is made of every combination')),
      ]
      : state.variants.map((/** @type {any} */ variant, /** @type {number} */ i) => h('fieldset', { key: `variant-${i}` },
        h('legend', variant.is_control ? `${variant.name}, the control` : variant.name || `Variant ${i + 1}`),
        h('div.fields',
          field(variant, 'name', 'Name', { autofocus: i === 0, disabled: begun }),
          field(variant, 'traffic_weight', 'Weight', { type: 'number', onchange: replan, disabled: over }),
          field(variant, 'text', 'Configuration, as JSON', { mono: true, placeholder: '{}', disabled: begun }),
          !begun && !variant.is_control && state.variants.length > 2 && h('div.field', { key: 'remove' }, h('span.label', '\u00a0'), h('button.button', { type: 'button', 'aria-label': `Remove variant ${variant.name || i + 1}`, onclick: () => {
            state.variants.splice(i, 1);
            replan();
            draw();
          } }, 'Remove'))))),
    !begun && state.kind === 'ab_test' && h('div.row', { key: 'add' }, h('button.button', { type: 'button', onclick: () => {
      state.variants.push({ name: '', traffic_weight: 50, text: '' });
      replan();
      draw();
    } }, icon('plus'), 'Add a variant')),
    h('fieldset', { key: 'plan' },
      h('legend', 'How many units it needs'),
      h('div.fields',
        primary?.estimator === 'proportion' ? field(state, 'baseline', 'Share that converts today', { type: 'number', onchange: replan }) : field(state, 'deviation', 'Standard deviation of a unit', { type: 'number', onchange: replan }),
        field(state, 'power', 'Power', { type: 'number', onchange: replan }),
        field(state, 'perDay', 'Units a day', { type: 'number', onchange: replan })),
      h('p.top-space', { role: 'status' }, needText({ state, need, needWrong }))),
    h('details', { key: 'who', open: Boolean(state.targeting || state.forced || !state.sticky) }, h('summary', 'Who takes part'), h('div.dialog-body.inner',
      field(state, 'targeting', 'Only units whose attributes fit', { mono: true, placeholder: '{"country": {"$in": ["NL", "BE"]}}', hint: 'A condition in GrowthBook’s language, as JSON', disabled: begun }),
      field(state, 'forced', 'Units with a variant of their own', { mono: true, placeholder: '{"user-17": "treatment"}', hint: 'They are in no analysis', disabled: over }),
      field(state, 'sticky', 'Who was in a variant stays in it', { type: 'checkbox', disabled: begun }))),
  ];
}

/** @param {{state: State, need: any, needWrong: string}} wizard */
function needText({ state, need, needWrong }) {
  if (needWrong) return h('span.crit', needWrong);
  if (need === undefined) return h('span.faint', 'Computing');
  if (!need) return h('span.faint', 'Give the primary metric the smallest effect that is worth seeing, and it shows here.');
  return [h('strong', `About ${need.units.toLocaleString('en-US')} units`), `: ${need.control.toLocaleString('en-US')} in the control, ${need.variant.toLocaleString('en-US')} in each other`, need.days !== null && `, ${number(need.days)} days`,
    state.method === 'sequential' ? '. It may be watched all the time.' : '. It is looked at once, at the end.'];
}

/** @param {Wizard} wizard */
function review({ state, need, replan, begun }) {
  const factors = state.kind === 'multivariate' && !begun;
  return [
    h('dl.facts', { key: 'facts' },
      h('dt', 'Name'), h('dd', state.name),
      h('dt', 'Kind'), h('dd', KINDS.find(([kind]) => kind === state.kind)?.[1]),
      h('dt', 'Hypothesis'), h('dd', state.hypothesis || h('span.faint', 'none is written down')),
      h('dt', 'Takes part'), h('dd', `${state.traffic_allocation} %${state.feature ? ` of ${state.feature}` : ''}${state.targeting ? ', where the attributes fit' : ''}`),
      state.kind === 'canary' && [h('dt', { key: 's-t' }, 'Steps'), h('dd', { key: 's-d' }, state.steps)],
      h('dt', factors ? 'Factors' : 'Variants'), h('dd', factors ? factorsOf(state).map((factor) => `${factor.name}: ${factor.levels.join(', ')}`).join('; ') : state.variants.map((/** @type {any} */ variant) => `${variant.name} ${variant.traffic_weight}`).join(', ')),
      h('dt', 'Metrics'), h('dd', h('ul', state.metrics.map((/** @type {any} */ metric) => h('li', `${metric.name}: ${metric.estimator}, ${metric.better} is better, ${metric.role}${metric.role === 'guardrail' ? `, by at most ${metric.margin}` : ''}`)))),
      state.rules && [h('dt', { key: 'r-t' }, 'Guarded by'), h('dd', { key: 'r-d' }, state.rules)],
      h('dt', 'Units'), h('dd', need ? `about ${need.units.toLocaleString('en-US')}` : 'not planned')),
    h('div.fields', { key: 'analysis' },
      field(state, 'method', 'Analysis', { options: [['sequential', 'sequential: may be watched'], ['fixed', 'fixed: look once, at the end']], onchange: replan, disabled: begun }),
      field(state, 'alpha', 'Alpha', { type: 'number', onchange: replan, disabled: begun }),
      field(state, 'correction', 'Correction for many comparisons', { options: [['holm', 'Holm'], ['benjamini_hochberg', 'Benjamini–Hochberg'], ['none', 'none']], onchange: replan, disabled: begun })),
    !begun && h('p.faint', { key: 'note' }, 'It begins as a draft. Nobody gets a variant until it is started.'),
  ];
}
