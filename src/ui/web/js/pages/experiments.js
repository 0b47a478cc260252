// Experiments: the list by status, one with its forest plot, and what may be done with it.

import { h, icon } from '../core.js';
import { ask, banner, field, formDialog, toast } from '../dialog.js';
import { editExperiment } from '../experiment-form.js';
import { forest, summary } from '../forest.js';
import { ago, moment, number, plural } from '../format.js';
import { card, empty, instead, originChip, ownedBy, pageHead, segments, stale } from '../parts.js';
import { go, keepInAddress, to } from '../router.js';
import { api, experiments, Resource } from '../store.js';

const STATUSES = ['running', 'draft', 'paused', 'completed', 'cancelled'];
const TONE = /** @type {Record<string, string>} */ ({ running: 'accent', completed: 'ok', paused: 'warn' });
const KINDS = /** @type {Record<string, string>} */ ({ ab_test: 'A/B test', multivariate: 'multivariate', canary: 'canary', blue_green: 'blue/green' });

/** @param {import('../app.js').Page} page */
export default function experimentsPage(page) {
  if (page.route.name) {
    detail(page, page.route.name);
    return;
  }
  let status = page.route.query.get('status') ?? '';
  const draw = page.draws(() => {
    /** @type {any[]} */
    const all = experiments.data ?? [];
    const list = all.filter((one) => !status || one.status === status);
    const of = (/** @type {string} */ wanted) => all.filter((one) => one.status === wanted).length;
    return [
      pageHead('Experiments', {
        sub: experiments.data && `${plural(all.length, 'experiment')}, ${of('running')} running`,
        tools: h('button.button.main', { type: 'button', onclick: () => editExperiment(null), disabled: Boolean(experiments.error?.missing) }, icon('plus'), 'New experiment'),
      }),
      h('div.stack', { key: 'all' },
        stale(experiments),
        segments('Status', [['', 'All'], ...STATUSES.map((one) => /** @type {[string, any]} */ ([one, `${one[0].toUpperCase()}${one.slice(1)}${of(one) ? ` ${of(one)}` : ''}`]))], status, (value) => {
          status = value;
          keepInAddress({ status });
          draw();
        }),
        card('List', {},
          instead(experiments, 'experiments') ??
            (list.length ? table(list) : empty('experiments', all.length ? `None is ${status}` : 'No experiments yet', 'An experiment shows variants to different units and tells, at any time, which does better.',
              h('button.button', { type: 'button', onclick: () => editExperiment(null) }, 'New experiment'))))),
    ];
  });
  page.use(experiments);
  page.keys({ n: () => !experiments.error && editExperiment(null) });
}

/** @param {any[]} list */
function table(list) {
  return h('div.table-wrap', { tabindex: '0', role: 'region', 'aria-label': 'Experiments' }, h('table',
    h('thead', h('tr', h('th', 'Experiment'), h('th', 'Status'), h('th.hide-phone', 'Kind'), h('th.hide-phone', 'Variants'), h('th.right', 'Units'), h('th.right.hide-phone', 'Started'))),
    h('tbody', list.map((one) => h('tr', { key: one.name },
      h('td', h('div.row.tight', h('a.name', { href: to('experiments', one.name) }, one.name), originChip(one.origin)), one.hypothesis && h('div.faint', one.hypothesis)),
      h('td', h('span.chip', { class: TONE[one.status] ?? '' }, one.status)),
      h('td.hide-phone', KINDS[one.kind] ?? one.kind),
      h('td.hide-phone', (one.variants ?? []).map((/** @type {any} */ variant) => variant.name).join(', ')),
      h('td.right', one.units === undefined ? '–' : one.units.toLocaleString('en-US')),
      h('td.right.hide-phone', one.started_at ? moment(one.started_at) : '–'))))));
}

/** @param {import('../app.js').Page} page @param {string} name */
function detail(page, name) {
  const path = `experiments/${encodeURIComponent(name)}`;
  const one = new Resource((signal) => api(path, { signal }), 6000, ['experiments']);
  const analysis = new Resource((signal) => api(`${path}/analysis`, { signal }), 6000, ['experiments']);
  const audit = new Resource((signal) => api(`${path}/audit?limit=50`, { signal }), 20_000, ['experiments']);
  const after = () => {
    one.refresh();
    analysis.refresh();
    audit.refresh();
    experiments.refresh();
  };
  page.draws(() => {
    const data = one.data;
    const back = /** @type {[string, string]} */ ([to('experiments'), 'Experiments']);
    if (!data) return [pageHead(name, { back }), card('Experiment', {}, instead(one, 'experiments'))];
    const owned = ownedBy(data.origin, 'experiment');
    return [
      pageHead(name, {
        back,
        sub: h('span.row.tight', h('span.chip', { class: TONE[data.status] ?? '' }, data.status), KINDS[data.kind], analysis.data && ` · ${summary(analysis.data)}`),
        tools: acts(data, path, after, owned),
      }),
      h('div.stack', { key: 'all' },
        stale(one),
        owned && h('div.banner', { key: 'owned' }, icon('lock'), h('div', owned)),
        data.not_in_force && banner('warn', data.not_in_force),
        data.breaches?.map((/** @type {any} */ breach, /** @type {number} */ i) => h('div.banner.crit', { key: `breach-${i}` }, icon('cross'), h('div', `Guardrail ${breach.guardrail}${breach.variant ? ` of ${breach.variant}` : ''}, ${moment(breach.at)}: ${breach.reason}`))),
        decision(analysis.data),
        card('Changes against the control', { key: 'forest', note: analysis.data && `${analysis.data.method}${analysis.data.correction && analysis.data.correction !== 'none' ? `, ${analysis.data.correction.replaceAll('_', '–')} correction` : ''}` },
          instead(analysis, 'analysis') ?? forest(analysis.data, data)),
        h('div.grid', variantsCard(data, analysis.data), splitCard(data, analysis.data), aboutCard(data), auditCard(audit))),
    ];
  });
  page.use(one);
  page.use(analysis);
  page.use(audit);
}

/** @param {any} data @param {string} path @param {() => void} after @param {string | null} owned */
function acts(data, path, after, owned) {
  const possible = data.possible ?? { draft: ['start', 'cancel'], running: ['pause', 'complete', 'cancel'], paused: ['resume', 'complete', 'cancel'] }[/** @type {string} */ (data.status)] ?? [];
  const words = /** @type {Record<string, [string, string, boolean]>} */ ({
    start: ['Start', 'Units begin to get variants. The definition can then hardly be changed.', false],
    pause: ['Pause', 'New units get the control, or nothing. What was assigned stays.', false],
    resume: ['Resume', 'Units get variants again.', false],
    complete: ['Complete', 'Nobody new takes part, and the result is final.', false],
    cancel: ['Cancel it', 'It ends without a result.', true],
    step: ['Next step', 'The other variant gets its next share of the traffic.', false],
    switch: ['Switch', 'All traffic goes to the other variant.', true],
    rollback: ['Roll back', 'All traffic goes to the control.', true],
  });
  const does = (/** @type {string} */ act) => {
    const [title, text, danger] = words[act];
    const state = { note: '', ship: '' };
    formDialog({
      title: `${title}: ${data.name}?`,
      act: title,
      size: 'narrow',
      fields: () => [
        h('p', { class: danger ? 'crit' : '' }, text),
        act === 'complete' && field(state, 'ship', 'Then ship', { options: [['', 'nothing'], ...data.variants.map((/** @type {any} */ variant) => /** @type {[string, string]} */ ([variant.name, variant.name]))] }),
        field(state, 'note', 'Note', { hint: 'Optional; kept in the history' }),
      ],
      send: async () => {
        await api(`${path}/${act}`, { method: 'POST', body: { ...(state.note ? { note: state.note } : {}), ...(state.ship ? { ship: state.ship } : {}) } });
        toast(`${data.name}: ${title.toLowerCase()} done`);
        after();
      },
    });
  };
  const known = possible.filter((/** @type {string} */ act) => act in words);
  return [
    known.map((/** @type {string} */ act) => h('button.button', { type: 'button', key: act, class: act === 'start' ? 'main' : '', onclick: () => does(act) }, words[act][0])),
    h('button.button', { type: 'button', key: 'edit', disabled: Boolean(owned), title: owned, onclick: () => editExperiment(data, after) }, 'Edit'),
    data.status !== 'running' && data.status !== 'paused' && h('button.button', { type: 'button', key: 'delete', disabled: Boolean(owned), title: owned, onclick: () => ask({
      title: `Delete ${data.name}?`,
      text: 'Its definition goes, and with it what was found.',
      act: 'Delete',
      does: async () => {
        await api(path, { method: 'DELETE' });
        experiments.refresh();
        go(to('experiments'));
      },
    }) }, 'Delete'),
  ];
}

/** @param {any} analysis */
function decision(analysis) {
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
function variantsCard(data, analysis) {
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
function splitCard(data, analysis) {
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
function aboutCard(data) {
  return card('Definition', { class: 'w6', key: 'about', note: originChip(data.origin) }, h('dl.facts',
    data.hypothesis && [h('dt', 'Hypothesis'), h('dd', data.hypothesis)],
    data.description && [h('dt', 'Description'), h('dd', data.description)],
    data.feature && [h('dt', 'Feature'), h('dd', h('a', { href: to('features', data.feature) }, data.feature))],
    h('dt', 'Takes part'), h('dd', `${number(data.traffic_allocation)} % of the traffic`),
    h('dt', 'Metrics'), h('dd', h('ul', data.metrics.map((/** @type {any} */ metric) => h('li', { key: metric.name }, `${metric.name}, ${metric.estimator}, ${metric.better} is better `, h('span.faint', metric.role))))),
    data.created_by && [h('dt', 'Made by'), h('dd', data.created_by)],
    data.started_at && [h('dt', 'Started'), h('dd', `${moment(data.started_at)}, ${ago(data.started_at)} ago`)],
    data.ended_at && [h('dt', 'Ended'), h('dd', moment(data.ended_at))]));
}

/** @param {Resource<any>} audit */
function auditCard(audit) {
  return card('History', { class: 'w6', key: 'audit' },
    instead(audit, 'history') ?? h('ol.timeline', (audit.data ?? []).map((/** @type {any} */ entry, /** @type {number} */ i) => h('li', { key: entry.number ?? i, class: /breached|rolled_back|cancelled/.test(entry.kind) ? 'crit' : /completed|started/.test(entry.kind) ? 'good' : '' },
      h('div', h('span.strong', entry.kind.replaceAll('_', ' ')), entry.by && h('span.muted', ` by ${entry.by}`)), entry.note && h('p.muted', entry.note), h('time.faint', { datetime: entry.at }, moment(entry.at))))));
}
