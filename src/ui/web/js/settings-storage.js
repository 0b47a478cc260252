// What is kept, how long, and where: the file, retention, the program, backups, scrape targets.

import { h, icon } from './core.js';
import { ask, attempt, field, formDialog, toast } from './dialog.js';
import { moment, number, percent, plural, short, withUnit } from './format.js';
import { card, empty, instead } from './parts.js';
import { api, Resource } from './store.js';

/** @param {import('./app.js').Page} page */
export function storageSection(page) {
  const figures = new Resource((signal) => api('admin/storage', { signal }), 10_000);
  const settings = new Resource(async (signal) => {
    const [flags, config, lines] = await Promise.all([api('status/flags', { signal }), api('status/config', { signal }), api('logs/fields', { signal }).catch(() => null)]);
    return { flags, lines, retention: sectionOf(config.yaml, 'retention'), logs: sectionOf(config.yaml, 'logs'), incidents: sectionOf(config.yaml, 'incidents') };
  }, 30_000, ['config']);
  const run = /** @type {Resource<any>} */ (new Resource(async (signal) => {
    const [build, info, tsdb] = await Promise.all([api('status/buildinfo', { signal }), api('status/runtimeinfo', { signal }), api('status/tsdb', { signal })]);
    return { build, info, tsdb };
  }, 20_000));
  const backup = new Resource((signal) => api('admin/backup', { signal }), 2000);
  const targets = new Resource((signal) => api('targets?state=active', { signal }), 15_000);
  for (const one of [figures, settings, run, backup, targets]) page.use(one);
  return () => h('div.grid',
    card('The file', { class: 'w6', note: figures.data && withUnit(figures.data.file_bytes, 'bytes') }, instead(figures, 'storage figures') ?? file(figures.data)),
    card('Retention', { class: 'w6' }, instead(settings, 'settings') ?? retention(settings.data)),
    card('The program', { class: 'w6' }, instead(run, 'program') ?? h('dl.facts',
      h('dt', 'Version'), h('dd', `${run.data.build.applicationVersion ?? run.data.build.version}, speaks as Prometheus ${run.data.build.version}`),
      h('dt', 'Started'), h('dd', moment(run.data.info.startTime)),
      h('dt', 'Settings read'), h('dd', `${moment(run.data.info.lastConfigTime)}, ${run.data.info.reloadConfigSuccess ? 'all fine' : 'with a mistake: the ones before hold'}`),
      h('dt', 'Series'), h('dd', short(run.data.tsdb.headStats.numSeries)),
      h('dt', 'Samples in memory'), h('dd', short(run.data.tsdb.headStats.numSamples)))),
    card('Look after it', { class: 'w6' }, h('div.stack',
      backup.data?.running && h('div', { key: 'running' }, h('p', { role: 'status' }, 'A backup runs: ', percent(backup.data.progress * 100)), h('progress', { max: 1, value: backup.data.progress, 'aria-label': 'Backup' })),
      h('div.row',
        h('button.button.governs', { type: 'button', disabled: Boolean(backup.data?.running), onclick: () => startBackup(backup) }, icon('download'), 'Back up'),
        h('button.button.acts', { type: 'button', onclick: () => ask({ title: 'Read the settings again?', text: 'A mistake in them changes nothing, and is told.', act: 'Reload', danger: false, does: async () => {
          await api('/-/reload', { method: 'POST' });
          toast('The settings were read again');
          settings.refresh();
        } }) }, 'Reload settings'),
        h('button.button.governs', { type: 'button', onclick: () => ask({ title: 'Compact now?', text: 'Packs memory into blocks and merges blocks. It takes a while, and vedette goes on meanwhile.', act: 'Compact', danger: false, does: async () => {
          await attempt(() => api('admin/compact', { method: 'POST' }), 'Compacted');
          figures.refresh();
        } }) }, 'Compact')),
      h('p.faint', 'A backup is one file, made while everything runs: here, or with ', h('code', 'vedette backup FILE'), '.'))),
    targetCard(targets));
}

/** The keys of a section of the settings. @param {string} text @param {string} name @returns {Record<string, string>} */
function sectionOf(text, name) {
  const found = new RegExp(`^\\[${name}\\]\\n((?:[^\\[\\n].*\\n?|\\n)*)`, 'm').exec(text)?.[1] ?? '';
  return Object.fromEntries([...found.matchAll(/^([a-z_]+) = "?(.*?)"?$/gm)].map(([, key, value]) => [key, value]));
}

/** @param {any} settings */
function retention({ flags, lines, retention: kept, logs, incidents }) {
  const bound = kept.max_bytes ?? flags['storage.tsdb.retention.size'];
  return h('div',
    h('dl.facts',
      h('dt', 'Raw samples'), h('dd', kept.raw ?? flags['storage.tsdb.retention.time']),
      kept.rollup && [h('dt', 'Rollups of an hour'), h('dd', kept.rollup)],
      h('dt', 'Samples take at most'), h('dd', !bound || /^0/.test(bound) ? 'no bound' : bound),
      logs.retention && [h('dt', 'Log lines'), h('dd', `${logs.retention}, at most ${logs.max_bytes}`)],
      lines?.lines !== undefined && [h('dt', 'Of them there are'), h('dd', `${short(lines.lines)} in ${withUnit(lines.bytes, 'bytes')}${lines.oldest ? `, back to ${moment(lines.oldest)}` : ''}`)],
      incidents.retention && [h('dt', 'Incidents'), h('dd', incidents.retention)],
      h('dt', 'Kept in'), h('dd', h('code', flags['storage.tsdb.path']))),
    h('p.faint.top-space', 'The settings file says how long: sections ', h('code', '[retention]'), ', ', h('code', '[logs]'), ' and ', h('code', '[incidents]'), '.'));
}

/** @param {Resource<any>} backup */
function startBackup(backup) {
  const state = { path: `/var/backups/vedette-${new Date().toISOString().slice(0, 10)}.redb` };
  formDialog({
    title: 'Back up',
    act: 'Back up',
    fields: () => [
      field(state, 'path', 'File on the machine where vedette runs', { mono: true, autofocus: true, hint: 'It must not exist yet. vedette needs the right to write there.' }),
      h('p.faint', 'Everything is in it: samples, logs, checks, incidents, experiments, tokens. Start another vedette with it to look inside.'),
    ],
    send: async () => {
      const running = api('admin/backup', { method: 'POST', body: { path: state.path.trim() } });
      // A refusal comes at once and keeps the dialog; a long copy goes on in the background.
      const first = await Promise.race([running, new Promise((resolve) => setTimeout(() => resolve(null), 1500))]);
      backup.refresh();
      const done = (/** @type {any} */ made) => toast(`The backup is in ${made.path}: ${withUnit(made.bytes, 'bytes')}`);
      if (first) done(first);
      else running.then(done, (error) => toast(error.message, 'crit')).finally(() => backup.refresh());
    },
  });
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
      h('dt', 'Damaged blocks'), h('dd', { class: data.damaged_blocks ? 'crit' : '' }, String(data.damaged_blocks)),
      h('dt', 'Looked through'), h('dd', { class: data.scrub?.damaged ? 'crit' : '' }, data.scrub ? `${moment(data.scrub.at)}: ${data.scrub.damaged ? `${data.scrub.damaged} of ${data.scrub.values} values damaged` : 'all intact'}` : 'not yet')),
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
