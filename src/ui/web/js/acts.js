// What people do with incidents, from the overview and from the page of incidents alike.

import { h } from './core.js';
import { attempt, field, formDialog, toast } from './dialog.js';
import { api, incidents } from './store.js';

/** As it was last read, by whichever part of the page. @param {any} incident */
function newest(incident) {
  const shared = incidents.data?.find((/** @type {any} */ one) => one.number === incident.number);
  return shared && shared.version > incident.version ? shared : incident;
}

/**
 * @param {any} incident
 * @param {string} act
 * @param {any} [body]
 */
async function post(incident, act, body = {}) {
  // Of two people who end or take it at once one hears who was faster; other acts do not collide.
  const seen = /acknowledge|resolve|reopen/.test(act) ? { version: newest(incident).version } : {};
  const changed = await api(`incidents/${incident.number}/${act}`, { method: 'POST', body: { ...body, ...seen } });
  if (incidents.data) {
    incidents.data = incidents.data.map((/** @type {any} */ one) => (one.number === changed.number ? changed : one));
    incidents.changed.value += 1;
  }
  incidents.refresh();
  return changed;
}

/** @param {any} incident */
export const acknowledge = (incident) => attempt(() => post(incident, 'acknowledge'), `Incident ${incident.number} acknowledged`);

/**
 * Ending an incident is told to everybody who heard of it: it asks.
 * @param {any} incident
 */
export function resolve(incident) {
  const state = { note: '' };
  formDialog({
    title: `Resolve incident ${incident.number}?`,
    act: 'Resolve',
    size: 'narrow',
    fields: () => [
      h('p', incident.title),
      h('p.faint', incident.firing
        ? 'Its alert still fires. The incident stays resolved until the alert has ended and fires again. Whoever was told of it hears that it is over.'
        : 'Whoever was told of it hears that it is over.'),
      field(state, 'note', 'Note', { hint: 'Optional; kept in the timeline', autofocus: true }),
    ],
    send: async () => {
      await post(incident, 'resolve', state.note ? { note: state.note } : {});
      toast(`Incident ${incident.number} resolved`);
    },
  });
}

/** @param {any} incident */
export function assign(incident) {
  const state = { assignee: incident.assignee ?? '' };
  formDialog({
    title: `Assign incident ${incident.number}`,
    act: 'Assign',
    size: 'narrow',
    fields: () => field(state, 'assignee', 'To', { hint: 'A name; empty for nobody', autofocus: true }),
    send: () => post(incident, 'assign', state.assignee ? { assignee: state.assignee } : {}),
  });
}

/** @param {any} incident */
export function snooze(incident) {
  const state = { for: '1h' };
  formDialog({
    title: `Snooze incident ${incident.number}`,
    act: 'Snooze',
    size: 'narrow',
    fields: () => [
      h('p.muted', 'Nobody is told until then; those who knew are told again after it.'),
      field(state, 'for', 'For', { options: [['15m', '15 minutes'], ['1h', '1 hour'], ['4h', '4 hours'], ['24h', '1 day']] }),
    ],
    send: () => post(incident, 'snooze', { for: state.for }),
  });
}

/** @param {any} incident */
export const reopen = (incident) => attempt(() => post(incident, 'reopen'), `Incident ${incident.number} is open again`);

/** @param {any} incident */
export const wake = (incident) =>
  attempt(async () => {
    await api(`incidents/${incident.number}/snooze`, { method: 'DELETE' });
    incidents.refresh();
  }, 'Awake again');

/**
 * @param {any} incident
 * @param {string} text
 */
export const note = (incident, text) => api(`incidents/${incident.number}/notes`, { method: 'POST', body: { text } });

/** The buttons that fit the state. @param {any} incident */
export function buttons(incident) {
  if (incident.status === 'resolved') return [];
  return [
    incident.status === 'open' && h('button.button.acts', { type: 'button', key: 'a', onclick: () => acknowledge(incident), 'aria-label': `Acknowledge incident ${incident.number}` }, 'Acknowledge'),
    h('button.button.acts', { type: 'button', key: 'r', onclick: () => resolve(incident), 'aria-label': `Resolve incident ${incident.number}` }, 'Resolve'),
  ];
}
