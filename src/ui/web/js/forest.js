// The forest plot: every metric and variant of an experiment on one shared axis, in the shape of
// `GET /api/v1/experiments/{name}/analysis`.

import { h, icon } from './core.js';
import { signed } from './format.js';
import { roundStep } from './scale.js';

/** The normal density, mirrored, from −3 to 3 standard deviations. */
const BELL = (() => {
  const points = Array.from({ length: 25 }, (_, i) => -3 + i / 4).map((z) => [z, Math.exp((-z * z) / 2)]);
  const upper = points.map(([z, height]) => `${z} ${(-height).toFixed(3)}`);
  const lower = points.toReversed().map(([z, height]) => `${z} ${height.toFixed(3)}`);
  return `M${[...upper, ...lower].join('L')}Z`;
})();

/**
 * What is drawn of a comparison: the relative lift in percent where there is one.
 * @param {any} one
 */
function interval(one) {
  const relative = one.relative;
  if (!relative || relative.lift === null || relative.ci_low === null) return null;
  return { at: relative.lift * 100, low: relative.ci_low * 100, high: relative.ci_high * 100 };
}

/**
 * Which way a change is: good, bad, or not yet told from chance.
 * @param {any} metric
 * @param {any} one
 */
function tone(metric, one) {
  const shown = interval(one);
  if (!one.significant || !shown) return '';
  return shown.at > 0 === (metric.better !== 'lower') ? 'good' : 'bad';
}

/** @param {any} analysis */
export function summary(analysis) {
  const parts = [
    analysis.duration_days !== undefined && analysis.duration_days !== null && `day ${Math.max(1, Math.ceil(analysis.duration_days))}`,
    analysis.total_samples !== undefined && `${analysis.total_samples.toLocaleString('en-US')} units`,
    analysis.srm && (analysis.srm.alarm ? 'split wrong' : 'split ok'),
  ];
  return parts.filter(Boolean).join(' · ');
}

/** Words for a comparison that says nothing yet. */
const READINESS = /** @type {Record<string, string>} */ ({
  warming_up: 'warming up',
  too_skewed: 'too skewed',
  no_data: 'no data',
  zero_variance: 'no variation',
  srm: 'split wrong',
});

/**
 * @param {any} analysis
 * @param {any} experiment
 */
export function forest(analysis, experiment) {
  /** @type {any[]} */
  const metrics = analysis.metrics ?? [];
  const all = metrics.flatMap((metric) => metric.comparisons.map(interval)).filter(Boolean);
  const reach = Math.min(200, Math.max(1, ...all.flatMap((/** @type {any} */ one) => [Math.abs(one.at) * 1.2, Math.min(Math.abs(one.low), 60), Math.min(Math.abs(one.high), 60)])));
  const step = roundStep(reach * 2, 4);
  const end = Math.ceil(reach / step) * step;
  const x = (/** @type {number} */ value) => `${50 + (Math.max(-end, Math.min(end, value)) / end) * 50}%`;
  const ticks = [];
  for (let value = -end; value <= end + step / 2; value += step) ticks.push(Math.abs(value) < step / 1e6 ? 0 : value);
  const control = (experiment.variants ?? []).find((/** @type {any} */ one) => one.is_control)?.name ?? 'control';
  const confidence = Math.round((analysis.confidence_level ?? 0.95) * 100);
  if (!metrics.length) return h('p.faint', 'No metric is defined.');
  return h('div.forest', { role: 'group', 'aria-label': `Changes against ${control}` },
    h('div.head.metric', { key: 'h1' }, 'Metric'),
    h('div.head.hide-phone', { key: 'h2' }),
    h('svg.axis.head', { key: 'axis', role: 'img', 'aria-label': `Axis from ${signed(-end, 0)} to ${signed(end, 0)} percent` },
      ticks.map((value) => h('text', { x: x(value), y: 13 }, value === 0 ? '0' : signed(value, step < 1 ? 1 : 0)))),
    h('div.head.right.change-head', { key: 'h4' }, `Change, ${confidence} % CI`),
    h('div.head.right', { key: 'h5' }, 'Beats'),
    h('div.head', { key: 'h6' }),
    metrics.map((metric) => [
      h('div.sep', { key: `${metric.name}-sep` }),
      metric.comparisons.map((/** @type {any} */ one, /** @type {number} */ i) => row(metric, one, i, x, ticks, end)),
    ]));
}

/**
 * @param {any} metric
 * @param {any} one
 * @param {number} place
 * @param {(value: number) => string} x
 * @param {number[]} ticks
 * @param {number} end where the axis ends: an interval that goes on beyond it has no cap there
 */
function row(metric, one, place, x, ticks, end) {
  const shown = interval(one);
  const way = tone(metric, one);
  const key = `${metric.name}/${one.variant}`;
  const chance = one.bayes?.chance_to_win;
  const waits = READINESS[one.readiness];
  const sd = shown ? (shown.high - shown.low) / 2 / 1.96 : 0;
  return [
    place === 0 && h('div.metric', { key: `${key}-m`, class: metric.comparisons.length > 1 ? 'two' : '' }, h('div.name.break', metric.name), h('div.faint', metric.role)),
    place > 1 && h('div.metric.hide-phone', { key: `${key}-m` }),
    h('span.variant', { key: `${key}-v`, title: one.variant }, h('span.clip', one.variant)),
    h('div.plot-row', { key: `${key}-p` }, h('svg', { class: way, role: 'img', 'aria-label': shown ? `${signed(shown.at)} percent, from ${signed(shown.low)} to ${signed(shown.high)}` : `no interval: ${waits ?? 'not enough data'}` },
      ticks.map((value) => h('line', { class: value === 0 ? 'zero' : 'grid-line', x1: x(value), x2: x(value), y1: 0, y2: '100%' })),
      shown && [
        h('svg', { x: x(shown.at - 3 * sd), width: `${Number.parseFloat(x(shown.at + 3 * sd)) - Number.parseFloat(x(shown.at - 3 * sd))}%`, y: '10%', height: '80%', viewBox: '-3 -1 6 2', preserveAspectRatio: 'none' }, h('path.belly', { d: BELL })),
        h('line.ci', { x1: x(shown.low), x2: x(shown.high), y1: '50%', y2: '50%' }),
        [shown.low, shown.high].filter((value) => Math.abs(value) <= end).map((value) => h('line.ci', { x1: x(value), x2: x(value), y1: '36%', y2: '64%' })),
        h('circle.dot', { cx: x(shown.at), cy: '50%', r: 4.5 }),
      ])),
    h('span.change-cell', { key: `${key}-c` },
      h('span.lift', { class: way }, shown ? `${signed(shown.at)} %` : h('span.faint', '–')),
      h('span.interval', { title: one.readiness_reason || null }, waits && one.readiness !== 'ready' ? waits : shown ? `${signed(shown.low)} to ${signed(shown.high)}` : '–')),
    h('span.beats', { key: `${key}-b` }, chance === null || chance === undefined ? '–' : chance > 0.99 ? '>99 %' : chance < 0.01 ? '<1 %' : `${Math.round(chance * 100)} %`),
    h('span', { key: `${key}-s`, class: way === 'good' ? 'ok' : 'crit' }, way && icon(way === 'good' ? 'check' : 'cross', way === 'good' ? 'better' : 'worse')),
  ];
}
