// When nobody is told: silences and maintenance windows.

import { h, icon } from './core.js';
import { ask, banner, field, formDialog } from './dialog.js';
import { moment, plural } from './format.js';
import { card, empty, instead, originChip, ownedBy } from './parts.js';
import { api, Resource } from './store.js';

const STATE = /** @type {Record<string, string>} */ ({ active: 'accent', pending: 'warn' });

/** Matchers, one a line or in braces. @param {string} text */
function matchers(text) {
  return text.split('\n').map((line) => line.trim()).filter(Boolean);
}

/** @param {any} recurrence */
const recurs = (recurrence) => recurrence && `${recurrence.cron} for ${recurrence.duration}${typeof recurrence.duration === 'number' ? ' s' : ''}${recurrence.zone ? `, ${recurrence.zone}` : ''}`;

/** Matchers as text. @param {any} one */
function spelled(one) {
  const list = Array.isArray(one.matchers) ? one.matchers : [];
  return list.length ? list.map((/** @type {any} */ matcher) => (typeof matcher === 'string' ? matcher : `${matcher.name}${matcher.isEqual === false ? '!' : ''}${matcher.isRegex ? '=~' : '='}"${matcher.value}"`)) : [];
}

/** @param {import('./app.js').Page} page */
export function silencesSection(page) {
  const list = new Resource((signal) => api('silences', { signal }), 10_000, ['config', 'silences']);
  page.use(list);
  return () => card('Silences', { note: h('button.button.acts', { type: 'button', onclick: () => editSilence(null, list) }, icon('plus'), 'Add silence') },
    instead(list, 'silences') ?? (list.data.length
      ? h('ul.rows', list.data.map((/** @type {any} */ one) => h('li', { key: one.id },
        h('div.body',
          h('div.row', h('span.chip', { class: STATE[one.state] ?? '' }, one.state), spelled(one).map((text) => h('code', { key: text }, text))),
          h('p.muted.break', one.comment),
          h('p.faint', [`${moment(one.starts_at)} to ${moment(one.ends_at)}`, recurs(one.recurrence), one.created_by && `by ${one.created_by}`].filter(Boolean).join(' · '))),
        one.state !== 'expired' && h('div.actions.side',
          h('button.button.acts', { type: 'button', onclick: () => editSilence(one, list) }, 'Edit'),
          h('button.button.acts', { type: 'button', onclick: () => ask({
            title: 'End this silence now?',
            text: 'What fires and was kept back is told from now on.',
            act: 'End it',
            does: async () => {
              await api(`silences/${one.id}`, { method: 'DELETE' });
              list.refresh();
            },
          }) }, 'End')))))
      : empty('rules', 'Nothing is silenced', 'A silence keeps people from being told of alerts that they know of. It always has an end.')));
}

/** @param {any} one @param {Resource<any>} list */
function editSilence(one, list) {
  const state = { matchers: one ? spelled(one).join('\n') : '', duration: one ? '' : '2h', comment: one?.comment ?? '', by: one?.created_by ?? '' };
  /** @type {any} */
  let seen = null;
  const body = () => ({ matchers: matchers(state.matchers), ...(state.duration ? { duration: state.duration } : { ends_at: one?.ends_at }), comment: state.comment, ...(state.by ? { created_by: state.by } : {}), ...(one?.recurrence ? { recurrence: one.recurrence } : {}) });
  formDialog({
    title: one ? 'Edit the silence' : 'Add a silence',
    act: one ? 'Save' : 'Silence',
    fields: () => [
      field(state, 'matchers', 'Alerts with', { type: 'area', mono: true, rows: 3, placeholder: 'job="db"\ninstance=~"db[12]"', hint: 'One matcher a line; all must hold', autofocus: true }),
      h('div.fields', field(state, 'duration', one ? 'From now for' : 'For', { placeholder: one ? 'as it was' : '2h' }), field(state, 'by', 'By', { placeholder: 'the token’s name' })),
      field(state, 'comment', 'Why'),
      seen && (seen.wrong ? banner('crit', seen.wrong) : banner('', seen.total ? `Matches ${plural(seen.total, 'alert')} now: ${seen.alerts.slice(0, 5).map((/** @type {any} */ alert) => alert.labels.alertname + (alert.labels.check ? ` (${alert.labels.check})` : '')).join(', ')}` : 'Matches no alert now.')),
    ],
    more: (dialog) => h('button.button', { type: 'button', onclick: async () => {
      try {
        seen = await api('silences/preview', { method: 'POST', body: body() });
      } catch (error) {
        seen = { wrong: /** @type {Error} */ (error).message };
      }
      dialog.draw();
    } }, 'What does it match?'),
    send: async () => {
      await api(one ? `silences/${one.id}` : 'silences', { method: one ? 'PUT' : 'POST', body: one ? { ...body(), starts_at: one.starts_at } : body() });
      list.refresh();
    },
  });
}

/** @param {import('./app.js').Page} page */
export function maintenanceSection(page) {
  const list = new Resource((signal) => api('maintenance', { signal }), 15_000, ['maintenance', 'config']);
  page.use(list);
  return () => card('Maintenance windows', { note: h('button.button.acts', { type: 'button', onclick: () => editWindow(null, list) }, icon('plus'), 'Add window') },
    instead(list, 'maintenance windows') ?? (list.data.length
      ? h('ul.rows', list.data.map((/** @type {any} */ one) => {
        const owned = ownedBy(one.origin, 'window');
        const path = `maintenance/${encodeURIComponent(one.name)}`;
        return h('li', { key: one.name },
          h('div.body',
            h('div.row', h('span.name', one.name), h('span.chip', { class: STATE[one.state] ?? '' }, one.state), originChip(one.origin), spelled(one).length ? spelled(one).map((text) => h('code', { key: text }, text)) : h('span.faint', 'everything')),
            one.comment && h('p.muted', one.comment),
            h('p.faint', [recurs(one.recurrence) ?? `${moment(one.starts_at)} to ${moment(one.ends_at)}`, one.active_until && `until ${moment(one.active_until)}`, one.next_starts_at && `next ${moment(one.next_starts_at)}`].filter(Boolean).join(' · '))),
          h('div.actions.side',
            h('button.button.acts', { type: 'button', 'aria-label': `Edit ${one.name}`, disabled: Boolean(owned), title: owned, onclick: () => editWindow(one, list) }, 'Edit'),
            h('button.button.acts', { type: 'button', 'aria-label': `Delete ${one.name}`, disabled: Boolean(owned), title: owned, onclick: () => ask({
              title: `Delete ${one.name}?`,
              text: 'What fires is told again. Uptime counts its time again.',
              act: 'Delete',
              does: async () => {
                await api(path, { method: 'DELETE' });
                list.refresh();
              },
            }) }, 'Delete')));
      }))
      : empty('settings', 'No maintenance is planned', 'In a window nobody is told, and uptime leaves its time out and shows it.')));
}

/** @param {any} one @param {Resource<any>} list */
function editWindow(one, list) {
  const hour = 3_600_000;
  const iso = (/** @type {any} */ text) => (text ? new Date(text).toISOString() : undefined);
  const state = {
    name: one?.name ?? '', matchers: one ? spelled(one).join('\n') : '', recurring: Boolean(one?.recurrence),
    cron: one?.recurrence?.cron ?? '30 2 * * *', duration: String(one?.recurrence?.duration ?? '1h'), zone: one?.recurrence?.zone ?? Intl.DateTimeFormat().resolvedOptions().timeZone,
    starts_at: one?.starts_at ?? new Date(Math.ceil(Date.now() / hour) * hour).toISOString(), ends_at: one?.ends_at ?? new Date(Math.ceil(Date.now() / hour) * hour + hour).toISOString(),
  };
  formDialog({
    title: one ? `Edit ${one.name}` : 'Add a maintenance window',
    act: one ? 'Save' : 'Add',
    fields: (dialog) => [
      field(state, 'name', 'Name', { disabled: Boolean(one), hint: 'a-z, 0-9 and -', autofocus: !one }),
      field(state, 'matchers', 'Alerts with', { type: 'area', mono: true, rows: 2, placeholder: 'job="db"', hint: 'One matcher a line; none: everything' }),
      field(state, 'recurring', 'It recurs', { type: 'checkbox', onchange: dialog.draw }),
      state.recurring
        ? h('div.fields', { key: 'recurring' }, field(state, 'cron', 'Begins (cron)', { mono: true }), field(state, 'duration', 'Lasts'), field(state, 'zone', 'Time zone'))
        : h('div.fields', { key: 'once' }, field(state, 'starts_at', 'Begins', { hint: 'RFC 3339' }), field(state, 'ends_at', 'Ends')),
    ],
    send: async () => {
      const body = { ...(one ? {} : { name: state.name.trim() }), matchers: matchers(state.matchers), ...(state.recurring ? { recurrence: { cron: state.cron, duration: state.duration, zone: state.zone }, ...(one ? { starts_at: null, ends_at: null } : {}) } : { starts_at: iso(state.starts_at), ends_at: iso(state.ends_at), ...(one ? { recurrence: null } : {}) }) };
      if (one) await api(`maintenance/${encodeURIComponent(one.name)}`, { method: 'PATCH', body });
      else await api('maintenance', { method: 'POST', body });
      list.refresh();
    },
  });
}
