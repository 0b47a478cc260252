// Settings: storage and retention, who is told, when nobody is told, tokens, theme, keys.

import { h, icon } from '../core.js';
import { ask, attempt, toast } from '../dialog.js';
import { moment, number, percent, plural, short, withUnit } from '../format.js';
import { keysOn, setKeys } from '../keys.js';
import { card, empty, instead, pageHead, segments, toggleSwitch } from '../parts.js';
import { go, to } from '../router.js';
import { channelsSection, deliveriesSection, tokensSection } from '../settings-people.js';
import { maintenanceSection, silencesSection } from '../settings-quiet.js';
import { api, hasToken, keepToken, Resource, signedOut } from '../store.js';
import { setTheme, theme } from '../theme.js';

const SECTIONS = /** @type {[string, string][]} */ ([
  ['storage', 'Storage'], ['channels', 'Channels'], ['silences', 'Silences'], ['maintenance', 'Maintenance'], ['tokens', 'Tokens'], ['theme', 'Theme'], ['shortcuts', 'Shortcuts'],
]);

/** @param {import('../app.js').Page} page */
export default function settings(page) {
  const section = SECTIONS.some(([id]) => id === page.route.name) ? /** @type {string} */ (page.route.name) : 'storage';
  const parts = { storage, channels, silences, maintenance, tokens, theme: themeSection, shortcuts }[section] ?? storage;
  const body = parts(page);
  page.draws(() => [
    pageHead('Settings', { sub: 'What runs, who is told, and when not' }),
    h('div.stack', { key: 'all' },
      h('nav', { 'aria-label': 'Settings' }, segmentsOfLinks(section)),
      body()),
  ]);
}

/** @param {string} section */
function segmentsOfLinks(section) {
  return h('div.seg', SECTIONS.map(([id, text]) => h('a', { href: to('settings', id), key: id, 'aria-current': id === section ? 'page' : null }, text)));
}

/** @param {import('../app.js').Page} page */
function channels(page) {
  const [people, sent] = [channelsSection(page), deliveriesSection(page)];
  return () => h('div.stack', people(), sent());
}

/** @param {import('../app.js').Page} page */
const silences = (page) => silencesSection(page);

/** @param {import('../app.js').Page} page */
const maintenance = (page) => maintenanceSection(page);

/** @param {import('../app.js').Page} page */
function tokens(page) {
  const list = tokensSection(page);
  return () => h('div.stack', list(), card('This page', {},
    h('p', hasToken() ? 'This page uses a token, kept for this tab.' : 'This page uses no token: none was asked for.'),
    hasToken() && h('div.row.top-space', h('button.button', { type: 'button', onclick: () => {
      keepToken('');
      signedOut.value = true;
    } }, 'Sign out'))));
}

/** @param {import('../app.js').Page} page */
function storage(page) {
  const figures = new Resource((signal) => api('admin/storage', { signal }), 10_000);
  const flags = new Resource((signal) => api('status/flags', { signal }), 60_000);
  const run = /** @type {Resource<any>} */ (new Resource(async (signal) => {
    const [build, info, tsdb] = await Promise.all([api('status/buildinfo', { signal }), api('status/runtimeinfo', { signal }), api('status/tsdb', { signal })]);
    return { build, info, tsdb };
  }, 20_000));
  const backup = new Resource((signal) => api('admin/backup', { signal }), 5000);
  const targets = new Resource((signal) => api('targets?state=active', { signal }), 15_000);
  for (const one of [figures, flags, run, backup, targets]) page.use(one);
  return () => h('div.grid',
    card('The file', { class: 'w6', note: figures.data && withUnit(figures.data.file_bytes, 'bytes') }, instead(figures, 'storage figures') ?? file(figures.data)),
    card('Retention', { class: 'w6' }, instead(flags, 'settings') ?? h('div',
      h('dl.facts',
        h('dt', 'Raw samples'), h('dd', flags.data['storage.tsdb.retention.time']),
        h('dt', 'At most on disk'), h('dd', /^0/.test(flags.data['storage.tsdb.retention.size'] ?? '0') ? 'no bound' : flags.data['storage.tsdb.retention.size']),
        h('dt', 'Kept in'), h('dd', h('code', flags.data['storage.tsdb.path']))),
      h('p.faint.top-space', 'The settings file says how long: keys ', h('code', 'retention.raw'), ', ', h('code', 'retention.rollup'), ' and ', h('code', 'retention.max_bytes'), '.'))),
    card('The program', { class: 'w6' }, instead(run, 'program') ?? h('dl.facts',
      h('dt', 'Version'), h('dd', `${run.data.build.applicationVersion ?? run.data.build.version}, speaks as Prometheus ${run.data.build.version}`),
      h('dt', 'Started'), h('dd', moment(run.data.info.startTime)),
      h('dt', 'Settings read'), h('dd', `${moment(run.data.info.lastConfigTime)}, ${run.data.info.reloadConfigSuccess ? 'all fine' : 'with a mistake: the ones before hold'}`),
      h('dt', 'Series'), h('dd', short(run.data.tsdb.headStats.numSeries)),
      h('dt', 'Samples in memory'), h('dd', short(run.data.tsdb.headStats.numSamples)))),
    card('Look after it', { class: 'w6' }, h('div.stack',
      backup.data?.running && h('p', 'A backup runs: ', percent(backup.data.progress * 100)),
      backup.error?.status === 403 && h('p.faint', backup.error.message),
      h('div.row',
        h('button.button', { type: 'button', onclick: () => ask({ title: 'Read the settings again?', text: 'A mistake in them changes nothing, and is told.', act: 'Reload', danger: false, does: async () => {
          await api('/-/reload', { method: 'POST' });
          toast('The settings were read again');
        } }) }, 'Reload settings'),
        h('button.button', { type: 'button', onclick: () => ask({ title: 'Compact now?', text: 'Packs memory into blocks and merges blocks. It takes a while, and vedette goes on meanwhile.', act: 'Compact', danger: false, does: async () => {
          await attempt(() => api('admin/compact', { method: 'POST' }), 'Compacted');
          figures.refresh();
        } }) }, 'Compact')),
      h('p.faint', 'Backups are made with ', h('code', 'vedette backup FILE'), ' or POST /api/v1/admin/backup.'))),
    targetCard(targets));
}

/** @param {any} data */
function file(data) {
  const levels = data.levels.filter((/** @type {any} */ one) => one.samples || one.bytes);
  const free = data.disk_free_bytes / data.disk_total_bytes;
  return h('div.stack',
    h('dl.facts',
      h('dt', 'File'), h('dd', withUnit(data.file_bytes, 'bytes')),
      h('dt', 'Of it the journal'), h('dd', withUnit(data.journal_bytes, 'bytes')),
      h('dt', 'Disk'), h('dd', h('span', { class: free < 0.1 ? 'crit' : '' }, `${withUnit(data.disk_free_bytes, 'bytes')} free of ${withUnit(data.disk_total_bytes, 'bytes')}`)),
      h('dt', 'Reaches back to'), h('dd', data.oldest_ms ? moment(data.oldest_ms) : 'memory alone'),
      h('dt', 'Damaged blocks'), h('dd', { class: data.damaged_blocks ? 'crit' : '' }, String(data.damaged_blocks))),
    h('meter', { min: 0, max: 1, low: 0.8, high: 0.9, optimum: 0, value: 1 - free, 'aria-label': 'Disk in use' }),
    levels.length > 0 && h('div.table-wrap', { tabindex: '0', role: 'region', 'aria-label': 'Levels' }, h('table', h('thead', h('tr', h('th', 'Level'), h('th.right', 'Samples'), h('th.right', 'Size'), h('th.right', 'A sample'))),
      h('tbody', levels.map((/** @type {any} */ one) => h('tr', { key: one.level }, h('td', one.level), h('td.right', short(one.samples)), h('td.right', withUnit(one.bytes, 'bytes')), h('td.right', one.samples ? `${number(one.bytes / one.samples, 2)} B` : '–')))))));
}

/** @param {Resource<any>} targets */
function targetCard(targets) {
  /** @type {any[]} */
  const list = targets.data?.activeTargets ?? [];
  return card('Scrape targets', { note: list.length ? plural(list.length, 'target') : null },
    instead(targets, 'targets') ?? (list.length
      ? h('div.table-wrap', { tabindex: '0', role: 'region', 'aria-label': 'Scrape targets, as a table' }, h('table',
        h('thead', h('tr', h('th', 'Target'), h('th', 'Job'), h('th', 'State'), h('th', 'Last scrape'), h('th', 'Error'))),
        h('tbody', list.map((one) => h('tr', { key: one.scrapeUrl },
          h('td.break', one.scrapeUrl), h('td', one.scrapePool), h('td', h('span.chip', { class: one.health === 'up' ? 'ok' : one.health === 'down' ? 'crit' : '' }, one.health)), h('td.nowrap', moment(one.lastScrape)), h('td.break', one.lastError))))))
      : empty('metrics', 'Nothing is scraped', 'Targets are defined in the settings file as [[scrape]].')));
}

function themeSection() {
  return () => card('Theme', {}, h('div.stack',
    h('p.muted', 'The choice is a cookie of this browser, so that pages come in the right colours at once.'),
    segments('Theme', [['', 'As the system'], ['light', 'Light'], ['dark', 'Dark']], theme.value, setTheme)));
}

const KEYS = /** @type {[string[], string][]} */ ([
  [['g', 'o'], 'Overview'], [['g', 'm'], 'Metrics'], [['g', 'c'], 'Checks'], [['g', 'i'], 'Incidents'], [['g', 'r'], 'Alert rules'], [['g', 'e'], 'Experiments'], [['g', 'f'], 'Features'], [['g', 'l'], 'Logs'], [['g', 's'], 'Settings'],
  [['j'], 'Next incident'], [['k'], 'Incident before'], [['a'], 'Acknowledge it'], [['r'], 'Resolve it'], [['n'], 'New check, rule, experiment'], [['t'], 'Other theme'], [['?'], 'This list'],
]);

function shortcuts() {
  return () => h('div.grid',
    card('Keys', { class: 'w6', note: [h('span', keysOn.value ? 'on' : 'off'), toggleSwitch(keysOn.value, 'Single keys do something', () => setKeys(!keysOn.value))] }, h('dl.facts', KEYS.map(([keys, text]) => [h('dt', { key: `${keys}-t` }, h('span.row.tight', keys.map((key) => h('kbd', key)))), h('dd', { key: `${keys}-d` }, text)]))),
    card('In a chart', { class: 'w6' }, h('dl.facts',
      h('dt', h('span.row.tight', h('kbd', '←'), h('kbd', '→'))), h('dd', 'Moves the cursor'),
      h('dt', h('span.row.tight', h('kbd', 'Page'))), h('dd', 'Moves it further'),
      h('dt', h('span.row.tight', h('kbd', 'Home'), h('kbd', 'End'))), h('dd', 'To either end'),
      h('dt', h('span.row.tight', h('kbd', '+'), h('kbd', '−'))), h('dd', 'Zooms'),
      h('dt', h('kbd', 'Esc')), h('dd', 'Shows all again; so does a double click'),
      h('dt', 'Drag'), h('dd', 'Zooms into what was dragged over'),
      h('dt', 'Alt and click'), h('dd', 'On the legend: shows one line alone')),
    h('p.faint.top-space', h('button.button.plain', { type: 'button', onclick: () => go(to('overview')) }, icon('back'), 'To the overview'))));
}
