// What is checked: the list, and one check in detail.

import { h, icon } from '../core.js';
import '../beats.js';
import { beatsOfResults, withBeat } from '../beats.js';
import { editCheck } from '../check-form.js';
import { ask, attempt, toast } from '../dialog.js';
import { ago, duration, percent, plural, withUnit } from '../format.js';
import { card, empty, instead, originChip, ownedBy, pageHead, stale } from '../parts.js';
import { go, keepInAddress, to } from '../router.js';
import { api, checks, Resource } from '../store.js';
import detail from './check.js';

const RANK = /** @type {Record<string, number>} */ ({ unhealthy: 0, degraded: 1, unknown: 2, healthy: 3, paused: 4 });
const STATES = ['healthy', 'degraded', 'unhealthy', 'unknown', 'paused'];
const BEATS = 60;
const BARS_MAX = 60;
const NO_BEATS = { beats: [], label: 'no results yet' };

/** @param {import('../app.js').Page} page */
export default function checksPage(page) {
  if (page.route.name) {
    detail(page, page.route.name);
    return;
  }
  const { query } = page.route;
  const filter = { text: query.get('q') ?? '', state: query.get('status') ?? '' };
  const beats = new Resource(async (signal) => {
    const list = visible(filter).slice(0, BARS_MAX);
    const all = await Promise.all(list.map(async (/** @type {any} */ one) => [one.name, { beats: beatsOfResults(await api(`checks/${one.name}/results?limit=${BEATS}`, { signal })), label: one.name }]));
    return Object.fromEntries(all);
  }, 10_000, ['checks'], withBeat);
  let busy = false;

  const draw = page.draws(() => {
    /** @type {any[]} */
    const all = checks.data ?? [];
    const list = visible(filter);
    const bad = all.filter((one) => one.status === 'unhealthy').length;
    return [
      pageHead('Checks', {
        sub: checks.data && `${plural(all.length, 'check')}, ${bad ? `${bad} failing` : 'none failing'}`,
        tools: [
          h('button.button.acts', { type: 'button', disabled: busy || !all.length, onclick: runAll }, icon('play'), 'Run all'),
          h('button.button.acts.main', { type: 'button', onclick: () => editCheck(null) }, icon('plus'), 'Add check'),
        ],
      }),
      h('div.stack', { key: 'all' },
        stale(checks),
        h('div.filters', { role: 'search', key: 'filters' },
          h('input', { type: 'search', 'aria-label': 'Search checks', placeholder: 'Name, target, feature', value: filter.text, oninput: (/** @type {any} */ event) => set('text', event.target.value) }),
          h('select', { 'aria-label': 'State', value: filter.state, onchange: (/** @type {any} */ event) => set('state', event.target.value) },
            h('option', { value: '', key: '' }, 'Any state'), STATES.map((one) => h('option', { value: one, key: one }, one)))),
        card('All checks', { note: list.length === all.length ? `last ${BEATS} results` : `${list.length} of ${all.length}` },
          instead(checks, 'checks') ??
            (list.length
              ? h('ul', list.map((one) => row(one, beats.data?.[one.name])))
              : all.length
                ? empty('checks', 'No check fits', 'Another word or state may.')
                : empty('checks', 'Nothing is checked yet', 'A check asks a service again and again and says how it is.',
                  h('button.button.acts', { type: 'button', onclick: () => editCheck(null) }, 'Add a check'))))),
    ];
  });

  /** @param {'text' | 'state'} name @param {string} value */
  function set(name, value) {
    filter[name] = value;
    keepInAddress({ q: filter.text, status: filter.state });
    beats.refresh();
    draw();
  }

  async function runAll() {
    busy = true;
    draw();
    await attempt(() => api('checks/run', { method: 'POST' }), 'All checks were asked');
    busy = false;
    checks.refresh();
    beats.refresh();
    draw();
  }

  page.use(checks);
  page.use(beats);
  let count = -1;
  page.onend(checks.changed.watch(() => {
    if (checks.data && checks.data.length !== count) {
      count = checks.data.length;
      beats.refresh();
    }
  }));
  page.keys({ n: () => editCheck(null) });
  if (query.has('add')) {
    keepInAddress({ add: null });
    editCheck(null);
  }
}

/** @param {{text: string, state: string}} filter */
function visible({ text, state }) {
  const word = text.toLowerCase();
  /** @type {any[]} */
  const all = checks.data ?? [];
  return all
    .filter((one) => (!state || one.status === state) && (!word || `${one.name} ${one.target} ${one.kind} ${one.feature ?? ''}`.toLowerCase().includes(word)))
    .toSorted((a, b) => RANK[a.status] - RANK[b.status] || a.name.localeCompare(b.name));
}

/** @param {any} one @param {any} beats */
function row(one, beats) {
  const words = /** @type {Record<string, any>} */ ({
    unhealthy: h('span.crit.strong', 'down'),
    degraded: h('span.warn.strong', 'degraded'),
    unknown: 'unknown',
    paused: 'paused',
  });
  const every = one.every ? `every ${duration(one.every)}` : one.cron ?? '';
  return h('li.beat-row.spacious', { key: one.name },
    h('span.mark', { class: one.status, role: 'img', 'aria-label': one.status }),
    h('div.clip',
      h('div.clip', h('a.name.strong', { href: to('checks', one.name) }, one.name), h('span.kind', one.kind.toUpperCase()), ' ', originChip(one.origin)),
      h('div.faint.clip', { title: one.target }, [one.status === 'healthy' ? one.target : one.last_result?.error ?? one.last_result?.failed_condition ?? one.unknown_because ?? one.target, every].filter(Boolean).join(' · '))),
    h('v-beats', { '.data': beats ?? NO_BEATS }),
    h('span.ms', words[one.status] ?? withUnit(one.response_time_ms, 'ms')),
    h('span.up', { title: 'Up within the last day' }, percent(one.uptime_24h)));
}

/**
 * The buttons of one check.
 * @param {any} one
 * @param {() => void} after
 */
export function checkButtons(one, after) {
  const path = `checks/${encodeURIComponent(one.name)}`;
  const owned = ownedBy(one.origin, 'check');
  // By its definition, or by somebody's act.
  const paused = one.paused || one.status === 'paused';
  return [
    h('button.button.acts', {
      type: 'button', key: 'run', disabled: paused || one.kind === 'heartbeat',
      onclick: async () => {
        const result = await attempt(() => api(`${path}/run`, { method: 'POST' }));
        if (result) toast(`${one.name} is ${result.status}${result.error ? `: ${result.error}` : ''}`, result.status === 'unhealthy' ? 'crit' : 'ok');
        after();
      },
    }, icon('play'), 'Run now'),
    h('button.button.acts', {
      type: 'button', key: 'pause', disabled: Boolean(owned), title: owned,
      onclick: () => (paused ? attempt(() => api(`${path}/resume`, { method: 'POST' }), `${one.name} goes on`).then(after) : ask({
        title: `Pause ${one.name}?`,
        text: 'It is not asked any more, and its alert ends. The time counts neither as up nor as down.',
        act: 'Pause',
        danger: false,
        does: () => api(`${path}/pause`, { method: 'POST' }).then(after),
      })),
    }, icon(paused ? 'play' : 'pause'), paused ? 'Resume' : 'Pause'),
    h('button.button.acts', { type: 'button', key: 'edit', disabled: Boolean(owned), title: owned, onclick: () => editCheck(one, after) }, 'Edit'),
    h('button.button.acts', {
      type: 'button', key: 'delete', disabled: Boolean(owned), title: owned,
      onclick: () => ask({
        title: `Delete ${one.name}?`,
        text: 'Its alert and its series end. What it found so far goes with it.',
        act: 'Delete',
        does: async () => {
          await api(path, { method: 'DELETE' });
          checks.refresh();
          toast(`${one.name} was deleted${one.last_result ? `, ${ago(one.last_result.at)} after its last result` : ''}`);
          go(to('checks'));
        },
      }),
    }, 'Delete'),
  ];
}
