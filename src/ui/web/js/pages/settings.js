// Settings: storage and retention, who is told, when nobody is told, tokens, theme, keys.

import { h, icon } from '../core.js';
import { attempt } from '../dialog.js';
import { keysOn, setKeys } from '../keys.js';
import { card, pageHead, segments, toggleSwitch } from '../parts.js';
import { go, to } from '../router.js';
import { channelsSection, deliveriesSection, tokensSection } from '../settings-people.js';
import { maintenanceSection, silencesSection } from '../settings-quiet.js';
import { storageSection } from '../settings-storage.js';
import { may, session, signOut } from '../session.js';
import { setTheme, theme } from '../theme.js';

const SECTIONS = /** @type {[string, string][]} */ ([
  ['storage', 'Storage'], ['channels', 'Channels'], ['silences', 'Silences'], ['maintenance', 'Maintenance'], ['tokens', 'Access'], ['theme', 'Theme'], ['shortcuts', 'Shortcuts'],
]);

/** @param {import('../app.js').Page} page */
export default function settings(page) {
  const section = SECTIONS.some(([id]) => id === page.route.name) ? /** @type {string} */ (page.route.name) : 'storage';
  const parts = { storage: storageSection, channels, silences, maintenance, tokens, theme: themeSection, shortcuts }[section] ?? storageSection;
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
  const list = may('administer') ? tokensSection(page) : () => null;
  return () => {
    const one = session.value;
    return h('div.stack', card('You', {}, one?.via === 'none' || !one
      ? h('p', 'No token is asked for on this machine until the first one exists. Whoever reaches this address may do everything.')
      : h('div.stack',
        h('dl.facts', h('dt', 'Signed in as'), h('dd', one.name), h('dt', 'Role'), h('dd', one.role), h('dt', 'May'), h('dd', one.may.join(', '))),
        one.via === 'cookie' && h('div.row', h('button.button', { type: 'button', onclick: () => attempt(signOut) }, 'Sign out')))), list());
  };
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
