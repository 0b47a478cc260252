// Experiments: the list by status, one with its forest plot, and what may be done with it.

import { h, icon } from '../core.js';
import { ask, banner, field, formDialog, toast } from '../dialog.js';
import { aboutCard, auditCard, decision, effectsCard, guardrailsCard, outcomesCard, splitCard, timelineCard, tryCard, variantsCard } from '../experiment-cards.js';
import { editExperiment } from '../experiment-form.js';
import { forest, summary } from '../forest.js';
import { duration, moment, number, plural } from '../format.js';
import { card, empty, instead, originChip, ownedBy, pageHead, segments, stale } from '../parts.js';
import { go, keepInAddress, to } from '../router.js';
import { api, experiments, only, Resource } from '../store.js';

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
        tools: h('button.button.main.acts', { type: 'button', onclick: () => editExperiment(null), disabled: Boolean(experiments.error?.missing) }, icon('plus'), 'New experiment'),
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
              h('button.button.acts', { type: 'button', onclick: () => editExperiment(null) }, 'New experiment'))))),
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
  const one = new Resource((signal) => api(path, { signal }), 6000, ['experiments'], only(name));
  const analysis = new Resource((signal) => api(`${path}/analysis`, { signal }), 6000, ['experiments'], only(name));
  const audit = new Resource((signal) => api(`${path}/audit?limit=100`, { signal }), 20_000, ['experiments'], only(name));
  const timeline = new Resource((signal) => api(`${path}/timeline`, { signal }), 15_000, ['experiments'], only(name));
  const outcomes = new Resource(async (signal) => (await api(`${path}/variants`, { signal })).variants, 10_000, ['experiments', 'outcomes'], only(name));
  const attempt_ = { unit: '', attributes: '', said: /** @type {any} */ (null) };
  let metric = '';
  const after = () => {
    for (const resource of [one, analysis, audit, timeline, outcomes, experiments]) resource.refresh();
  };
  const draw = page.draws(() => {
    const data = one.data;
    const back = /** @type {[string, string]} */ ([to('experiments'), 'Experiments']);
    if (!data) return [pageHead(name, { back }), card('Experiment', {}, instead(one, 'experiment'))];
    const owned = ownedBy(data.origin, 'experiment');
    const draft = data.status === 'draft';
    return [
      pageHead(name, {
        back,
        sub: h('span.row.tight', h('span.chip', { class: TONE[data.status] ?? '' }, data.status), KINDS[data.kind], analysis.data && !draft && ` · ${summary(analysis.data)}`),
        tools: acts(data, path, after, owned),
      }),
      h('div.stack', { key: 'all' },
        stale(one),
        owned && h('div.banner', { key: 'owned' }, icon('lock'), h('div', owned)),
        data.not_in_force && h('div', { key: 'not' }, banner('warn', data.not_in_force)),
        data.breaches?.map((/** @type {any} */ breach, /** @type {number} */ i) => h('div.banner.crit', { key: `breach-${i}` }, icon('cross'), h('div', `Guardrail ${breach.guardrail}${breach.variant ? ` of ${breach.variant}` : ''}, ${moment(breach.at)}: ${breach.reason}${breach.accepted ? ' (accepted)' : ''}`))),
        data.shipped && h('div', { key: 'shipped' }, banner('ok', `Everybody gets ${data.shipped}.`)),
        data.rolled_back && h('div', { key: 'rolled' }, banner('crit', 'It was rolled back: everybody gets the control.')),
        data.steps?.length > 0 && stepsCard(data),
        draft
          ? h('div', { key: 'draft' }, banner('accent', 'This is a draft. Nobody gets a variant until it is started.'))
          : [
            decision(analysis.data),
            card('Changes against the control', { key: 'forest', note: analysis.data && `${analysis.data.method}${analysis.data.correction && analysis.data.correction !== 'none' ? `, ${analysis.data.correction.replaceAll('_', '–')} correction` : ''}` },
              instead(analysis, 'analysis') ?? forest(analysis.data, data)),
          ],
        h('div.grid', { key: 'grid' },
          variantsCard(data, analysis.data),
          !draft && splitCard(data, analysis.data),
          !draft && guardrailsCard(analysis.data),
          !draft && timelineCard(timeline, data, metric, (value) => {
            metric = value;
            draw();
          }),
          effectsCard(analysis.data),
          !draft && outcomesCard(outcomes),
          aboutCard(data),
          !draft && tryCard(path, attempt_, () => draw()),
          auditCard(audit))),
    ];
  });
  for (const resource of [one, analysis, audit, timeline, outcomes]) page.use(resource);
}

/** How far a canary is. @param {any} data */
function stepsCard(data) {
  return card('Steps', { key: 'steps', note: data.held_because ? h('span.warn', `held: ${data.held_because}`) : data.step_at && data.status === 'running' ? `since ${moment(data.step_at)}` : null },
    h('ol.steps', { 'aria-label': 'Steps of the canary' }, data.steps.map((/** @type {any} */ step, /** @type {number} */ i) =>
      h('li', { key: i, 'aria-current': i === data.step && data.status !== 'draft' ? 'step' : null }, `${number(step.traffic)} %${step.hold ? ` for ${duration(step.hold)}` : ''}`))));
}

/** @param {any} data @param {string} path @param {() => void} after @param {string | null} owned */
function acts(data, path, after, owned) {
  const possible = data.possible ?? { draft: ['start', 'cancel'], running: ['pause', 'complete', 'cancel'], paused: ['resume', 'complete', 'cancel'] }[/** @type {string} */ (data.status)] ?? [];
  const words = /** @type {Record<string, [string, string, boolean]>} */ ({
    start: ['Start', 'Units begin to get variants. The definition can then hardly be changed.', false],
    pause: ['Pause', 'Nobody new takes part. Whoever is in it keeps the variant.', false],
    resume: ['Resume', 'It goes on. Breaches until now are accepted, and their incidents end.', false],
    step: ['Next step', 'The other variant gets its next share of the traffic.', false],
    switch: ['Switch', 'All traffic goes to the other variant.', true],
    complete: ['Complete', 'Nobody new takes part, and the result is final.', false],
    rollback: ['Roll back', 'It ends, and everybody gets the control.', true],
    cancel: ['Cancel it', 'It ends, and nothing follows.', true],
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
  // What ends it for good stands last.
  const known = Object.keys(words).filter((act) => possible.includes(act));
  return [
    known.map((/** @type {string} */ act) => h('button.button.acts', { type: 'button', key: act, class: act === 'start' ? 'main' : '', onclick: () => does(act) }, words[act][0])),
    h('button.button.acts', { type: 'button', key: 'edit', disabled: Boolean(owned), title: owned, onclick: () => editExperiment(data, after) }, 'Edit'),
    data.status !== 'running' && data.status !== 'paused' && h('button.button.acts', { type: 'button', key: 'delete', disabled: Boolean(owned), title: owned, onclick: () => ask({
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
