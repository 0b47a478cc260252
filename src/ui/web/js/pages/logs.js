// Log lines: filter, follow, look around one, take them along.

import { h, icon } from '../core.js';
import '../vlist.js';
import '../histogram.js';
import { openDialog } from '../dialog.js';
import { clock, moment, plural } from '../format.js';
import { listen, wantLogs } from '../live.js';
import { LEVELS } from '../histogram.js';
import { showLine, TONE } from '../log-line.js';
import { Lines } from '../log-lines.js';
import { card, empty, instead, pageHead, segments, stale } from '../parts.js';
import { keepInAddress } from '../router.js';
import { api, call, feedIsLive, parameters, Resource } from '../store.js';
import { attempt } from '../dialog.js';

const RANGES = /** @type {[string, number][]} */ ([['15m', 900], ['1h', 3600], ['6h', 21_600], ['24h', 86_400], ['7d', 604_800]]);
const USUAL = '1h';
const STEPS_S = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 28_800, 86_400];
const BARS = 96;
const PAGE = 1000;
const POLL_MS = 3000;
const HISTOGRAM_MS = 10_000;
const KEPT = 50_000;
const ROW_PX = 24;
const AROUND_MS = 15 * 60_000;
/** Filters as the address names them, and as the server does. */
const FIELDS = /** @type {[string, string][]} */ ([['level', 'level'], ['source', 'source'], ['feature', 'feature'], ['environment', 'environment'], ['trace', 'trace_id'], ['user', 'user_id']]);

/** @param {import('../app.js').Page} page */
export default function logs(page) {
  const { query: address } = page.route;
  const filter = /** @type {Record<string, string>} */ (Object.fromEntries(['q', 'range', 'from', 'until', 'case', ...FIELDS.map(([name]) => name)].map((name) => [name, address.get(name) ?? ''])));
  const around = Number(address.get('around'));
  if (around && !filter.from) [filter.from, filter.until] = [String(around - AROUND_MS), String(around + AROUND_MS)];
  filter.range ||= USUAL;
  let tail = !filter.from;
  /** @type {Lines<any>} */
  const lines = new Lines(KEPT);
  let added = 0;
  let reaching = false;
  let typing = /** @type {any} */ (null);

  const seconds = () => RANGES.find(([one]) => one === filter.range)?.[1] ?? 3600;
  const span = () => (filter.from ? [Number(filter.from), Number(filter.until) || Date.now()] : [Date.now() - seconds() * 1000, Date.now()]);
  const regex = () => /^\/(.+)\/$/s.exec(filter.q)?.[1] ?? '';
  /** The filters as the server takes them, without the time. */
  const words = () => ({
    ...Object.fromEntries(FIELDS.map(([name, wire]) => [wire, filter[name]])),
    ...(regex() ? { regex: regex() } : { q: filter.q, case: filter.case }),
  });
  const filtered = () => Boolean(filter.q || FIELDS.some(([name]) => filter[name]));
  const times = () => ({ from: span()[0], until: filter.from ? span()[1] : '' });

  /** @type {Resource<boolean>} */
  const feed = new Resource(async (signal) => {
    // Who holds the list, or looks at the past, wants it to stay.
    if (!tail && feed.data) return true;
    const answer = await call(`logs?${parameters({ ...words(), ...times(), order: 'newest', limit: PAGE })}`, { signal });
    added += lines.answer(answer.data, answer.next ?? null, feed.again);
    return true;
  }, POLL_MS);
  const ask = () => feed.refresh();
  // The live feed brings lines by itself.
  feed.idle = () => feed.data !== undefined && !feed.error && (feedIsLive.value || !tail);
  const histogram = new Resource(async (signal) => {
    const [from, until] = span();
    const step = STEPS_S.find((one) => (until - from) / 1000 / one <= BARS) ?? 86_400;
    const bars = await api(`logs/histogram?${parameters({ ...words(), from, until, step })}`, { signal });
    return { step: step * 1000, bars: filled(bars, from, until, step * 1000), choose };
  }, HISTOGRAM_MS);
  const fields = new Resource((signal) => api('logs/fields', { signal }), 60_000);

  /** Asks anew from the start: a filter changed. */
  function again() {
    lines.clear();
    feed.data = undefined;
    feed.running?.abort();
    feed.running = null;
    wantLogs(tail ? ofFeed() : null);
    ask();
    histogram.refresh();
  }

  /** The filter as the feed takes it. @returns {import('../live.js').LogFilter} */
  const ofFeed = () => Object.fromEntries(Object.entries({ ...words(), case: filter.case === '1' && !regex() }).filter(([, value]) => value));

  /** Older lines, as the end of the list comes near. */
  async function reachBack() {
    if (reaching || !lines.next || lines.all.length >= KEPT) return;
    reaching = true;
    const cursor = lines.next;
    const answer = await attempt(() => call(`logs?${parameters({ ...words(), ...times(), order: 'newest', limit: PAGE, after: cursor })}`, { signal: page.signal }));
    reaching = false;
    if (!answer || cursor !== lines.next) return;
    lines.reach(answer.data, answer.next ?? null);
    draw();
  }

  const draw = page.draws(() => {
    const tell = /** @type {string} */ (feed.data === undefined ? '' : `${plural(lines.all.length, 'line')}${lines.next ? ' so far' : ''}${tail ? ', following' : ', held'}`);
    // These lines, also when the list paints after there are others.
    const shown = /** @type {any[]} */ (lines.all);
    const rows = { count: shown.length, height: ROW_PX, label: 'Log lines', row: (/** @type {number} */ i, /** @type {number} */ top) => row(shown[i], top), added, onend: reachBack };
    added = 0;
    return [
      pageHead('Logs', {
        sub: tell,
        tools: [
          segments('Range', RANGES.map(([one]) => [one, one]), filter.from ? '' : filter.range, (value) => set({ range: value, from: '', until: '' }, true)),
          h('button.button', { type: 'button', 'aria-pressed': String(!tail), onclick: follow }, icon(tail ? 'pause' : 'play'), tail ? 'Pause' : 'Follow'),
          h('button.button', { type: 'button', onclick: () => take_({ ...words(), ...times() }) }, icon('download'), 'Export'),
        ],
      }),
      h('div.stack', { key: 'all' },
        stale(feed),
        filters(),
        card('Over time', { key: 'over-time', note: legend(histogram.data) }, instead(histogram, 'counts') ?? h('v-histogram', { '.data': histogram.data })),
        card('Lines', { key: 'lines', note: shown.length ? `${moment(shown[shown.length - 1].time)} to ${moment(shown[0].time)}` : null },
          instead(feed, 'logs') ?? (shown.length
            ? h('v-list', { '.data': rows })
            : empty('logs', 'No lines fit', filtered() ? 'A longer range or fewer filters may show some.' : ['Lines come by POST ', h('code', '/api/v1/logs'), ', OTLP, Loki’s push, syslog, journald and files.'])))),
    ];
  });

  function filters() {
    const known = fields.data ?? {};
    const input = (/** @type {string} */ name, /** @type {string} */ label, /** @type {string[]} */ values = []) => [
      h('input.auto', { type: 'text', key: name, 'aria-label': label, placeholder: label, value: filter[name], list: `known-${name}`, autocomplete: 'off', spellcheck: 'false', oninput: (/** @type {any} */ event) => set({ [name]: event.target.value }) }),
      h('datalist', { key: `known-${name}`, id: `known-${name}` }, values.map((value) => h('option', { value, key: value }))),
    ];
    return h('div.filters', { role: 'search', key: 'filters' },
      h('input.grow', { type: 'search', key: 'q', 'aria-label': 'Search in messages', placeholder: 'Words, or /regular expression/', value: filter.q, oninput: (/** @type {any} */ event) => set({ q: event.target.value }) }),
      h('button.button.case', { type: 'button', key: 'case', 'aria-pressed': String(filter.case === '1'), 'aria-label': 'Upper and lower case differ', title: 'Upper and lower case differ', onclick: () => set({ case: filter.case === '1' ? '' : '1' }, true) }, 'Aa'),
      h('select', { 'aria-label': 'Level', key: 'level', value: filter.level, onchange: (/** @type {any} */ event) => set({ level: event.target.value }, true) },
        h('option', { value: '', key: '' }, 'Any level'), LEVELS.slice(1).map((one) => h('option', { value: one, key: one }, one === 'fatal' ? 'fatal' : `${one} and worse`))),
      input('source', 'Source', known.sources),
      input('feature', 'Feature', known.features),
      input('environment', 'Environment', known.environments),
      input('trace', 'Trace id'),
      (filtered() || filter.from) && h('button.button.plain', { type: 'button', key: 'clear', onclick: () => set(Object.fromEntries(['q', 'case', 'from', 'until', ...FIELDS.map(([name]) => name)].map((name) => [name, ''])), true) }, 'Clear'));
  }

  /** @param {any} line @param {number} top */
  function row(line, top) {
    return h('button.log-line', { type: 'button', key: line.id, '.top': top, onclick: () => showLine(line) },
      h('span.faint', clock(Date.parse(line.time))), h('span', { class: TONE[line.level] ?? 'muted' }, line.level), h('span.source.clip.muted', line.source ?? ''), h('span.clip', line.message));
  }

  /** @param {Record<string, string>} values @param {boolean} [now] not typed: nothing more is to come */
  function set(values, now = false) {
    Object.assign(filter, values);
    if (filter.from) tail = false;
    keepInAddress({ ...filter, range: filter.from || filter.range === USUAL ? null : filter.range, around: null });
    clearTimeout(typing);
    typing = setTimeout(again, now ? 0 : 250);
    draw();
  }

  /** @param {number} from @param {number} until */
  function choose(from, until) {
    set({ from: String(Math.round(from)), until: String(Math.round(until)) }, true);
  }

  function follow() {
    tail = !tail;
    if (tail && filter.from) {
      set({ from: '', until: '' }, true);
      return;
    }
    wantLogs(tail ? ofFeed() : null);
    // What came while it was held is asked for.
    if (tail) {
      lines.lost();
      ask();
    }
    draw();
  }

  /** Whether a line of the feed is one of those that are shown: frames under way may still be of the filter before. @param {any} line */
  function fits(line) {
    if (filter.level && LEVELS.indexOf(line.level) < LEVELS.indexOf(filter.level)) return false;
    if (FIELDS.some(([name, wire]) => name !== 'level' && filter[name] && (line[wire] ?? '') !== filter[name])) return false;
    if (!filter.q) return true;
    // An expression is the server's to judge: its language is not quite ours.
    if (regex()) return true;
    const text = `${line.message} ${line.metadata ? JSON.stringify(line.metadata) : ''}`;
    return filter.case === '1' ? text.includes(filter.q) : text.toLowerCase().includes(filter.q.toLowerCase());
  }

  page.use(feed);
  page.use(histogram);
  page.use(fields);
  wantLogs(tail ? ofFeed() : null);
  page.onend(() => wantLogs(null));
  page.onend(listen((type, data, skipped) => {
    if (!tail || type !== 'log.lines') return;
    // Of a flood the feed has the newest alone; the rest is asked for.
    if (skipped) {
      lines.lost();
      ask();
    }
    const fresh = lines.tell(/** @type {any[]} */ (data).filter(fits));
    // Before the first answer they are kept for it: it may have been read before they were there.
    if (!fresh || feed.data === undefined) return;
    added += fresh;
    draw();
  }));
  // Whoever is back after a while may be told to ask instead of what was said meanwhile.
  page.onend(feedIsLive.watch(() => lines.lost()));
  page.onend(() => clearTimeout(typing));
}

/**
 * A bar for every step, those without lines too.
 * @param {any[]} bars @param {number} from @param {number} until @param {number} step ms
 */
function filled(bars, from, until, step) {
  const found = new Map(bars.map((bar) => [Math.floor(Date.parse(bar.from) / step), LEVELS.map((level) => bar[level] ?? 0)]));
  const none = LEVELS.map(() => 0);
  const out = [];
  for (let at = Math.floor(from / step); at * step < until; at += 1) out.push({ from: at * step, counts: found.get(at) ?? none });
  return out;
}

/** @param {any} histogram */
function legend(histogram) {
  if (!histogram) return null;
  const sums = LEVELS.map((_, i) => histogram.bars.reduce((/** @type {number} */ sum, /** @type {any} */ bar) => sum + bar.counts[i], 0));
  return LEVELS.map((level, i) => sums[i] > 0 && h('span.row.tight', { key: level }, h('span.swatch', { class: `level-${level}` }), `${sums[i].toLocaleString('en-US')} ${level}`)).reverse();
}

/** Lines as a file, of any number: the browser saves what the server streams. @param {Record<string, any>} wanted */
function take_(wanted) {
  const forms = /** @type {[string, string, string][]} */ ([['ndjson', 'NDJSON', 'one JSON object a line'], ['json', 'JSON', 'one array'], ['csv', 'CSV', 'for spreadsheets']]);
  openDialog({
    title: 'Export lines',
    size: 'narrow',
    body: (self) => [
      h('p', 'All lines of the range that fit the filters, however many, oldest first.'),
      h('ul.rows', forms.map(([format, name, about]) => h('li', { key: format }, h('div.body', h('span.name', name), h('p.faint', about)),
        h('a.button', { href: `/api/v1/logs/export?${parameters({ ...wanted, order: 'oldest', format })}`, download: `logs.${format}`, 'aria-label': `Save as ${name}`, onclick: () => setTimeout(self.close) }, icon('download'), 'Save')))),
    ],
  });
}
