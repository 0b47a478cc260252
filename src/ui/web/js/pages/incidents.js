// What went wrong: the list with its keys, and one incident in full.

import { h } from '../core.js';
import { acknowledge, buttons, resolve } from '../acts.js';
import { ago, plural, span, withLocalTimes } from '../format.js';
import { card, empty, incidentLink, incidentTile, instead, pageHead, segments, severityChip, stale } from '../parts.js';
import { keepInAddress } from '../router.js';
import { attempt } from '../dialog.js';
import { call, incidents } from '../store.js';
import detail from './incident.js';

const PAGE = 100;

/** @param {import('../app.js').Page} page */
export default function incidentsPage(page) {
  if (page.route.name) {
    detail(page, page.route.name);
    return;
  }
  const { query } = page.route;
  const filter = { status: query.get('status') ?? '', text: query.get('q') ?? '', severity: query.get('severity') ?? '' };
  let chosen = -1;
  /** Resolved ones beyond those that are kept fresh. @type {any[]} */
  let older = [];
  let more = true;

  const draw = page.draws(() => {
    /** @type {any[]} */
    const all = incidents.data ?? [];
    const list = visible(filter, older);
    if (chosen >= list.length) chosen = list.length - 1;
    const of = (/** @type {string} */ status) => all.filter((one) => one.status === status).length;
    const [open, taken] = [of('open'), of('acknowledged')];
    return [
      pageHead('Incidents', { sub: incidents.data && (open || taken ? [open && `${open} open`, taken && `${taken} acknowledged`].filter(Boolean).join(', ') : 'Nothing is open') }),
      h('div.stack', { key: 'all' },
        stale(incidents),
        h('div.filters', { role: 'search', key: 'filters' },
          segments('Status', [['', 'All'], ['open', 'Firing'], ['acknowledged', 'Acknowledged'], ['resolved', 'Resolved']], filter.status, (value) => set('status', value)),
          h('input', { type: 'search', 'aria-label': 'Search incidents', placeholder: 'Title, label, number', value: filter.text, oninput: (/** @type {any} */ event) => set('text', event.target.value) }),
          h('select', { 'aria-label': 'Severity', value: filter.severity, onchange: (/** @type {any} */ event) => set('severity', event.target.value) },
            h('option', { value: '', key: '' }, 'Any severity'), ['critical', 'warning', 'info'].map((one) => h('option', { value: one, key: one }, one)))),
        card('List', { note: h('span.hide-phone', h('kbd', 'j'), ' ', h('kbd', 'k'), ' choose · ', h('kbd', 'a'), ' acknowledge · ', h('kbd', 'r'), ' resolve · ', h('kbd', 'Enter'), ' open') },
          instead(incidents, 'incidents') ??
            (list.length
              ? h('ul.rows', { id: 'incident-list' }, list.map((one, i) => row(one, i === chosen, () => {
                chosen = i;
                draw();
              })))
              : all.length
                ? empty('check', 'No incident fits', 'Another word or status may.')
                : empty('check', 'No incidents', 'When a rule fires or a check fails, it shows here.')),
          more && resolved(older).length >= PAGE && h('div.row.top-space', h('button.button', { type: 'button', onclick: reachBack }, 'Older incidents')))),
    ];
  });

  /** @param {'status' | 'text' | 'severity'} name @param {string} value */
  function set(name, value) {
    filter[name] = value;
    chosen = -1;
    keepInAddress({ status: filter.status, q: filter.text, severity: filter.severity });
    draw();
  }

  async function reachBack() {
    const last = resolved(older).at(-1);
    const page_ = await attempt(() => call(`incidents?status=resolved&limit=${PAGE}&after=${last.id}`));
    if (!page_) return;
    older = [...older, ...page_.data];
    more = page_.next !== undefined && page_.data.length === PAGE;
    draw();
  }

  /** @param {number} step */
  function move(step) {
    const list = visible(filter, older);
    if (!list.length) return;
    chosen = chosen < 0 ? 0 : Math.max(0, Math.min(list.length - 1, chosen + step));
    draw();
    requestAnimationFrame(() => {
      const link = /** @type {HTMLElement | null} */ (document.querySelector('#incident-list li.chosen a'));
      link?.focus();
    });
  }
  const now = () => visible(filter, older)[chosen];
  page.use(incidents);
  page.keys({
    j: () => move(1),
    k: () => move(-1),
    a: () => now()?.status === 'open' && acknowledge(now()),
    r: (event) => {
      if (!now() || now().status === 'resolved') return;
      event.preventDefault();
      resolve(now());
    },
  });
}

/** All that are resolved, newest first. @param {any[]} older */
const resolved = (older) => [...(incidents.data ?? []).filter((/** @type {any} */ one) => one.status === 'resolved'), ...older];

/** @param {{status: string, text: string, severity: string}} filter @param {any[]} older */
function visible({ status, text, severity }, older) {
  const word = text.toLowerCase();
  /** @type {any[]} */
  const fresh = incidents.data ?? [];
  // One that was reopened or resolved meanwhile is among the fresh ones.
  const all = [...fresh, ...older.filter((one) => !fresh.some((other) => other.id === one.id))];
  return all.filter((one) => (!status || one.status === status) && (!severity || one.severity === severity) &&
    (!word || `inc-${one.number} ${one.title} ${Object.values(one.labels).join(' ')}`.toLowerCase().includes(word)));
}

/** @param {any} one @param {boolean} chosen @param {() => void} choose */
function row(one, chosen, choose) {
  const past = one.status === 'resolved';
  const since = (Date.parse(one.resolved_at) - Date.parse(one.triggered_at)) / 1000;
  const state = past
    ? `lasted ${span(since)}${one.resolved_by ? `, resolved by ${one.resolved_by}` : ''}`
    : one.status === 'acknowledged' ? `acknowledged by ${one.acknowledged_by}` : one.firing ? 'firing' : 'open';
  return h('li', { key: one.id, class: chosen ? 'chosen' : '', onfocusin: () => !chosen && choose() },
    incidentTile(one),
    h('div.body',
      h('div.top',
        h('a.name.grow', { class: past ? 'past' : '', href: incidentLink(one.number) }, one.title),
        h('span.when', { title: one.triggered_at }, `${ago(one.triggered_at)} ago`)),
      h('p.faint.row', h('span', `INC-${one.number}`), severityChip(one.severity), h('span', state),
        one.assignee && h('span', `for ${one.assignee}`), one.snoozed_until && h('span', 'snoozed'), one.suppressed && h('span', `nobody is told: ${withLocalTimes(one.suppressed)}`), one.notes > 0 && h('span', plural(one.notes, 'note')))),
    !past && h('div.actions.side', buttons(one)));
}
