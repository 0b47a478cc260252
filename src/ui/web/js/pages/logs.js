// Log lines: filter, follow, look around one, take them along.

import { h, icon } from '../core.js';
import '../vlist.js';
import { openDialog, toast } from '../dialog.js';
import { clock, moment, plural } from '../format.js';
import { listen } from '../live.js';
import { card, empty, instead, pageHead, segments } from '../parts.js';
import { keepInAddress } from '../router.js';
import { api, call, feedIsLive, parameters, Resource } from '../store.js';

const LEVELS = ['debug', 'info', 'warn', 'error', 'fatal'];
const TONE = /** @type {Record<string, string>} */ ({ warn: 'warn', error: 'crit', fatal: 'crit' });
const RANGES = /** @type {[string, number][]} */ ([['15m', 900], ['1h', 3600], ['6h', 21_600], ['24h', 86_400]]);
const PAGE = 1000;
const POLL_MS = 3000;
const KEPT = 50_000;
const ROW_PX = 24;
const CONTEXT = 8;

/** @param {import('../app.js').Page} page */
export default function logs(page) {
  const { query: address } = page.route;
  const filter = { q: address.get('q') ?? '', level: address.get('level') ?? '', source: address.get('source') ?? '', feature: address.get('feature') ?? '', range: address.get('range') ?? '1h' };
  let tail = true;
  /** Oldest first. @type {any[]} */
  let lines = [];
  let typing = /** @type {any} */ (null);

  const wanted = () => ({
    q: filter.q, level: filter.level, source: filter.source, feature: filter.feature,
    from: Date.now() - (RANGES.find(([one]) => one === filter.range)?.[1] ?? 3600) * 1000,
  });
  const feed = new Resource(async (signal) => {
    const answer = await api(`logs?${parameters({ ...wanted(), limit: PAGE })}`, { signal });
    const list = Array.isArray(answer) ? answer : answer.lines ?? answer.logs ?? [];
    lines = list.toReversed();
    return true;
  }, POLL_MS);
  const refresh = feed.refresh.bind(feed);
  // While reading back, nothing may move under the eyes; and the live feed brings lines by itself.
  feed.refresh = async () => {
    if (feed.data !== undefined && (feedIsLive.value || !tail)) feed.timer = setTimeout(() => feed.refresh(), POLL_MS);
    else await refresh();
  };

  const draw = page.draws(() => [
    pageHead('Logs', {
      sub: feed.data && `${plural(lines.length, 'line')}${tail ? ', following' : ', held'}`,
      tools: [
        segments('Range', RANGES.map(([one]) => [one, one]), filter.range, (value) => set('range', value)),
        h('button.button', { type: 'button', 'aria-pressed': String(!tail), disabled: !feed.data, onclick: () => {
          tail = !tail;
          if (tail) {
            clearTimeout(feed.timer);
            refresh();
          }
          draw();
        } }, icon(tail ? 'pause' : 'play'), tail ? 'Pause' : 'Follow'),
        h('button.button', { type: 'button', disabled: !lines.length, onclick: () => take(wanted()) }, icon('download'), 'Export'),
      ],
    }),
    h('div.stack', { key: 'all' },
      h('div.filters', { role: 'search', key: 'filters' },
        h('input.grow', { type: 'search', 'aria-label': 'Search in messages', placeholder: 'Words, or /regular expression/', value: filter.q, oninput: (/** @type {any} */ event) => set('q', event.target.value) }),
        h('select', { 'aria-label': 'Level', value: filter.level, onchange: (/** @type {any} */ event) => set('level', event.target.value) },
          h('option', { value: '', key: '' }, 'Any level'), LEVELS.map((one) => h('option', { value: one, key: one }, `${one} and above`))),
        h('input.auto', { type: 'text', 'aria-label': 'Source', placeholder: 'Source', value: filter.source, oninput: (/** @type {any} */ event) => set('source', event.target.value) })),
      card('Lines', { note: lines.length ? `${moment(lines[0].time)} to ${moment(lines[lines.length - 1].time)}` : null },
        instead(feed, 'logs') ?? (lines.length
          ? h('v-list', { '.data': { count: lines.length, height: ROW_PX, label: 'Log lines', follow: tail, row } })
          : empty('logs', 'No lines fit', 'Lines come by POST /api/v1/logs. A longer range or fewer filters may show some.')))),
  ]);

  /** @param {number} i @param {number} top */
  function row(i, top) {
    const line = lines[i];
    return h('button.log-line', { type: 'button', key: line.id ?? `${line.time}/${i}`, '.top': top, onclick: () => show(i) },
      h('span.faint', clock(Date.parse(line.time))), h('span', { class: TONE[line.level] ?? 'muted' }, line.level), h('span.source.clip.muted', line.source ?? ''), h('span.clip', line.message));
  }

  /** @param {'q' | 'level' | 'source' | 'range'} name @param {string} value */
  function set(name, value) {
    filter[name] = value;
    keepInAddress({ q: filter.q, level: filter.level, source: filter.source, range: filter.range === '1h' ? null : filter.range });
    clearTimeout(typing);
    typing = setTimeout(() => {
      clearTimeout(feed.timer);
      refresh();
    }, 250);
    draw();
  }

  /** @param {number} i */
  function show(i) {
    const line = lines[i];
    const around = lines.slice(Math.max(0, i - CONTEXT), i + CONTEXT + 1);
    openDialog({
      title: `${line.level} from ${line.source || 'an unnamed source'}`,
      size: 'wide',
      body: () => [
        h('pre', line.message),
        h('dl.facts', ['time', 'feature', 'environment', 'trace_id', 'user_id'].filter((name) => line[name]).flatMap((name) => [h('dt', name.replace('_', ' ')), h('dd', String(line[name]))]),
          Object.entries(line.metadata ?? {}).flatMap(([name, value]) => [h('dt', name), h('dd', typeof value === 'string' ? value : JSON.stringify(value))])),
        h('h3', 'Lines around it'),
        h('pre', around.map((one) => `${clock(Date.parse(one.time))} ${one === line ? '▸' : ' '} ${one.level.padEnd(5)} ${one.message}`).join('\n')),
      ],
    });
  }

  page.use(feed);
  page.onend(listen((type, data) => {
    if (!tail || !/^logs?([._]|$)/.test(type) || !feed.data) return;
    const fits = [data].flat().filter((one) => one?.message && (!filter.level || LEVELS.indexOf(one.level) >= LEVELS.indexOf(filter.level)) && (!filter.source || one.source === filter.source) && (!filter.q || one.message.includes(filter.q)));
    if (!fits.length) return;
    lines = [...lines, ...fits].slice(-KEPT);
    draw();
  }));
  page.onend(() => clearTimeout(typing));
}

/** @param {Record<string, any>} wanted */
async function take(wanted) {
  try {
    // Asked for with our token, and only then handed to the browser.
    const answer = await call(`logs?${parameters({ ...wanted, limit: 10_000 })}`);
    const link = document.createElement('a');
    link.href = URL.createObjectURL(new Blob([JSON.stringify(answer.data, null, 1)], { type: 'application/json' }));
    link.download = 'logs.json';
    link.click();
    URL.revokeObjectURL(link.href);
  } catch (error) {
    toast(/** @type {Error} */ (error).message, 'crit');
  }
}
