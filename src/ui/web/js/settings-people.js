// Who is told and who may ask: channels with their test, what was sent, tokens.

import { h, icon } from './core.js';
import { ask, attempt, banner, field, formDialog, openDialog, toast } from './dialog.js';
import { moment, plural } from './format.js';
import { card, empty, instead, originChip, ownedBy } from './parts.js';
import { json } from './check-form.js';
import { api, Resource } from './store.js';

/** What each kind needs, as an example to begin with. @type {Record<string, string>} */
const KINDS = {
  webhook: '{"url": "https://example.com/hook"}',
  slack: '{"url": "https://hooks.slack.com/services/…"}',
  discord: '{"url": "https://discord.com/api/webhooks/…"}',
  teams: '{"url": "https://…"}',
  telegram: '{"token": "…", "chat_id": "@channel"}',
  email: '{"host": "smtp.example.com", "from": "vedette@example.com", "to": ["ops@example.com"], "username": "…", "password": "…"}',
  pagerduty: '{"routing_key": "…"}',
  opsgenie: '{"api_key": "…"}',
  ntfy: '{"topic": "ops"}',
  pushover: '{"token": "…", "user_key": "…"}',
  alertmanager: '{"urls": ["http://127.0.0.1:9093"]}',
};

/** @param {import('./app.js').Page} page */
export function channelsSection(page) {
  const list = new Resource((signal) => api('channels?limit=500', { signal }), 15_000, ['channels', 'config']);
  page.use(list);
  return () => card('Channels', { note: h('button.button.acts', { type: 'button', onclick: () => editChannel(null, list) }, icon('plus'), 'Add channel') },
    instead(list, 'channels') ?? (list.data.length
      ? h('ul.rows', list.data.map((/** @type {any} */ one) => channelRow(one, list)))
      : empty('rules', 'Nobody is told yet', 'A channel is a way by which people are told: a webhook, a chat room, a mailbox, a pager.',
        h('button.button.acts', { type: 'button', onclick: () => editChannel(null, list) }, 'Add a channel'))));
}

/** @param {any} one @param {Resource<any>} list */
function channelRow(one, list) {
  const path = `channels/${encodeURIComponent(one.name)}`;
  const owned = ownedBy(one.origin, 'channel');
  const where = one.settings.url ?? one.settings.host ?? one.settings.topic ?? one.settings.chat_id ?? '';
  return h('li', { key: one.name },
    h('div.body',
      h('div.row.tight', h('span.name', one.name), h('span.chip', one.kind), originChip(one.origin)),
      h('p.faint.break', [typeof where === 'string' ? where : '', one.default ? 'told of what no route gives to another' : 'told by routes alone', one.send_resolved ? '' : 'not told of ends', one.fallback && `else ${one.fallback}`].filter(Boolean).join(' · '))),
    h('div.actions.side',
      h('button.button.acts', { type: 'button', 'aria-label': `Test ${one.name}`, onclick: async () => {
        toast(`A test message is on its way to ${one.name}`, '');
        const result = await attempt(() => api(`${path}/test`, { method: 'POST' }));
        if (result) toast(`${one.name}: ${result.outcome}. ${result.said ?? ''}`, result.outcome === 'failed' ? 'crit' : 'ok');
      } }, 'Test'),
      h('button.button.acts', { type: 'button', 'aria-label': `Edit ${one.name}`, disabled: Boolean(owned), title: owned, onclick: () => editChannel(one, list) }, 'Edit'),
      h('button.button.acts', { type: 'button', 'aria-label': `Delete ${one.name}`, disabled: Boolean(owned), title: owned, onclick: () => ask({
        title: `Delete ${one.name}?`,
        text: 'Messages that wait for it are given up, and it does not hear of the end of what it was told.',
        act: 'Delete',
        does: async () => {
          await api(path, { method: 'DELETE' });
          list.refresh();
        },
      }) }, 'Delete')));
}

/** @param {any} one @param {Resource<any>} list */
function editChannel(one, list) {
  const state = {
    name: one?.name ?? '', kind: one?.kind ?? 'webhook', settings: JSON.stringify(one?.settings ?? JSON.parse(KINDS.webhook), null, 2),
    default: one?.default ?? true, send_resolved: one?.send_resolved ?? true, fallback: one?.fallback ?? '', template: one?.template ?? '',
  };
  formDialog({
    title: one ? `Edit ${one.name}` : 'Add a channel',
    act: one ? 'Save' : 'Add',
    fields: (dialog) => [
      h('div.fields',
        field(state, 'name', 'Name', { disabled: Boolean(one), hint: 'a-z, 0-9 and -', autofocus: !one }),
        field(state, 'kind', 'Kind', { options: [...Object.keys(KINDS), ...(one?.kind === 'exec' ? ['exec'] : [])], disabled: Boolean(one), onchange: () => {
          state.settings = JSON.stringify(JSON.parse(KINDS[state.kind]), null, 2);
          dialog.draw();
        } })),
      field(state, 'settings', 'Settings, as JSON', { type: 'area', mono: true, rows: 6, hint: 'Secrets may be {"file": "path"} or {"env": "NAME"}. They are never shown again: <secret> keeps what is there.' }),
      field(state, 'default', 'Told of what no route gives to another', { type: 'checkbox' }),
      field(state, 'send_resolved', 'Told of ends too', { type: 'checkbox' }),
      h('details', { open: Boolean(state.template || state.fallback), key: 'more' }, h('summary', 'More'), h('div.dialog-body.inner',
        field(state, 'fallback', 'Fallback', { hint: 'Another channel, told when this one takes nothing for 5 minutes' }),
        field(state, 'template', 'Template', { type: 'area', mono: true }))),
    ],
    send: async () => {
      const body = { ...(one ? {} : { name: state.name.trim() }), kind: state.kind, settings: json(state.settings), default: state.default, send_resolved: state.send_resolved, fallback: state.fallback || null, template: state.template || null };
      if (one) await api(`channels/${encodeURIComponent(one.name)}`, { method: 'PATCH', body });
      else await api('channels', { method: 'POST', body: Object.fromEntries(Object.entries(body).filter(([, value]) => value !== null)) });
      list.refresh();
    },
  });
}

/** @param {import('./app.js').Page} page */
export function deliveriesSection(page) {
  const list = new Resource((signal) => api('deliveries?limit=30', { signal }), 8000, ['deliveries']);
  page.use(list);
  const tone = /** @type {Record<string, string>} */ ({ delivered: 'ok', dead: 'crit', pending: 'warn' });
  return () => card('What was sent', { note: list.data?.length ? `the last ${list.data.length}` : null },
    instead(list, 'deliveries') ?? (list.data.length
      ? h('ul.rows', list.data.map((/** @type {any} */ one) => h('li', { key: one.id },
        h('div.body',
          h('div.top', h('span.name', one.notification?.alerts?.[0]?.title ?? one.notification?.title ?? one.notification?.reason ?? 'notification'), h('span.when', moment(one.created_at))),
          h('p.faint.row', h('span.chip', { class: tone[one.state] ?? '' }, one.state), h('span', one.channel), h('span', one.notification?.reason), one.attempts > 1 && h('span', plural(one.attempts, 'attempt'))),
          one.last_error && one.state !== 'delivered' && h('p.faint.break', one.last_error)),
        one.state === 'dead' && h('div.actions.side', h('button.button.acts', { type: 'button', onclick: async () => {
          await attempt(() => api(`deliveries/${one.id}/resend`, { method: 'POST' }), 'It is sent again');
          list.refresh();
        } }, 'Send again')))))
      : empty('check', 'Nothing was sent yet', null)));
}

const ROLES = /** @type {[string, string][]} */ ([['viewer', 'viewer: reads'], ['writer', 'writer: sends data, reads nothing'], ['operator', 'operator: reads, sends, acts'], ['admin', 'admin: everything']]);

/** @param {import('./app.js').Page} page */
export function tokensSection(page) {
  const list = new Resource((signal) => api('admin/tokens', { signal }), 30_000, ['config']);
  page.use(list);
  const add = () => {
    const state = { name: '', role: 'viewer' };
    formDialog({
      title: 'Make a token',
      act: 'Make',
      size: 'narrow',
      fields: () => [
        list.data?.length === 0 && banner('warn', 'This is the first token. From now on every request needs one, this page too: make an admin first and keep it.'),
        field(state, 'name', 'Name', { hint: 'a-z, 0-9 and -', autofocus: true }),
        field(state, 'role', 'Role', { options: ROLES }),
      ],
      send: async () => {
        const made = await api('admin/tokens', { method: 'POST', body: { name: state.name.trim(), role: state.role } });
        list.refresh();
        // After the dialog that asked has closed, and with it given the focus back.
        setTimeout(() => openDialog({
          title: `The token ${state.name}`,
          body: () => [h('p', 'It is shown this once. Keep it where secrets are kept.'), h('pre', { tabindex: '0' }, made.token ?? made.secret ?? '')],
          foot: (self) => h('button.button.main', { type: 'button', onclick: self.close }, 'I have it'),
        }));
      },
    });
  };
  return () => card('Tokens', { note: h('button.button.governs', { type: 'button', onclick: add }, icon('plus'), 'Make token') },
    instead(list, 'tokens') ?? (list.data.length
      ? h('ul.rows', list.data.map((/** @type {any} */ one) => h('li', { key: one.name },
        h('div.body', h('div.row.tight', h('span.name', one.name), h('span.chip', one.role), originChip(one.origin)), h('p.faint', one.created_at ? `made ${moment(one.created_at)}` : 'from the settings file')),
        h('div.actions.side', h('button.button.governs', { type: 'button', 'aria-label': `Revoke ${one.name}`, disabled: one.origin === 'file', title: ownedBy(one.origin, 'token'), onclick: () => ask({
          title: `Revoke ${one.name}?`,
          text: 'Whoever uses it is refused from now on.',
          act: 'Revoke',
          does: async () => {
            await api(`admin/tokens/${encodeURIComponent(one.name)}`, { method: 'DELETE' });
            list.refresh();
          },
        }) }, 'Revoke')))))
      : empty('lock', 'There are no tokens', 'On loopback none is needed until the first one exists.')));
}
