// The dialog in which a check is made, tried and changed.

import { h } from './core.js';
import { banner, field, formDialog, toast } from './dialog.js';
import { duration, withUnit } from './format.js';
import { api, checks } from './store.js';
import { go, to } from './router.js';

/** Kinds, and what their target looks like. @type {Record<string, string>} */
const KINDS = {
  http: 'https://shop.example/health',
  tcp: 'db.example:5432',
  icmp: 'router.example',
  dns: '9.9.9.9',
  tls: 'shop.example:443',
  grpc: 'grpc://api.example:50051',
  websocket: 'wss://shop.example/live',
  heartbeat: '',
  postgres: 'postgres://watch@db.example:5432/shop',
  mysql: 'mysql://watch@db.example:3306/shop',
  redis: 'redis://cache.example:6379/0',
  ssh: 'bastion.example:22',
  model: 'https://api.example/v1',
  host: 'disk:/var',
  exec: '',
};

/** Settings that most people need, by kind; all others go in as JSON. */
const EXAMPLES = /** @type {Record<string, string>} */ ({
  http: '{"method": "GET", "headers": {"Accept": "application/json"}}',
  dns: '{"name": "shop.example", "record_type": "A"}',
  tls: '{"starttls": "smtp"}',
  postgres: '{"password": {"file": "/run/secrets/db"}, "query": "SELECT 1"}',
  model: '{"api_key": {"env": "OPENAI_API_KEY"}, "model": "…"}',
  exec: '{"command": ["/usr/lib/nagios/plugins/check_load"], "nagios": true}',
});

/** @param {any} one */
function stateOf(one) {
  return {
    name: one?.name ?? '',
    kind: one?.kind ?? 'http',
    target: one?.target ?? '',
    every: one?.cron ? '' : duration(one?.every) || '1m',
    cron: one?.cron ?? '',
    zone: one?.zone ?? '',
    timeout: duration(one?.timeout),
    severity: one?.severity ?? 'critical',
    conditions: (one?.conditions ?? []).map((/** @type {any} */ c) => (c.severity && c.severity !== 'critical' ? `${c.condition} # ${c.severity}` : c.condition ?? c)).join('\n'),
    failure_threshold: one?.failure_threshold ?? '',
    success_threshold: one?.success_threshold ?? '',
    retries: one?.retries || '',
    depends_on: (one?.depends_on ?? []).join(', '),
    feature: one?.feature ?? '',
    provider: one?.provider ?? '',
    channels: (one?.channels ?? []).join(', '),
    labels: Object.entries(one?.labels ?? {}).map(([name, value]) => `${name}=${value}`).join(', '),
    settings: Object.keys(one?.settings ?? {}).length ? JSON.stringify(one.settings, null, 2) : '',
    description: one?.description ?? '',
  };
}

/** @param {string} text */
export const words = (text) => text.split(/[,\s]+/).filter(Boolean);

/** @param {string} text */
export function pairs(text) {
  return Object.fromEntries(text.split(',').map((one) => one.trim()).filter(Boolean).map((one) => {
    const at = one.indexOf('=');
    if (at < 1) throw new Error(`labels: "${one}" is no label; write name=value`);
    return [one.slice(0, at).trim(), one.slice(at + 1).trim()];
  }));
}

/** @param {string} text */
export function json(text, name = 'settings') {
  if (!text.trim()) return {};
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Error(`${name}: not JSON; ${/** @type {Error} */ (error).message}`);
  }
}

/** What is sent. Empty fields are left to their defaults. @param {ReturnType<typeof stateOf>} state */
function definition(state) {
  const count = (/** @type {any} */ value) => (value === '' ? undefined : typeof value === 'object' ? value : Number(value));
  return {
    name: state.name.trim(),
    kind: state.kind,
    target: state.target.trim() || undefined,
    every: state.cron ? undefined : state.every || undefined,
    cron: state.cron || undefined,
    zone: state.cron && state.zone ? state.zone : undefined,
    timeout: state.timeout || undefined,
    severity: state.severity,
    conditions: state.conditions.split('\n').map((/** @type {string} */ line) => line.trim()).filter(Boolean).map((/** @type {string} */ line) => {
      const [, condition, severity] = /^(.*?)\s+#\s*(info|warning|critical)$/.exec(line) ?? [];
      return condition ? { condition, severity } : line;
    }),
    failure_threshold: count(state.failure_threshold),
    success_threshold: count(state.success_threshold),
    retries: count(state.retries),
    depends_on: words(state.depends_on),
    feature: state.feature || undefined,
    provider: state.provider || undefined,
    channels: words(state.channels),
    labels: pairs(state.labels),
    settings: json(state.settings),
    description: state.description || undefined,
  };
}

/**
 * @param {any} one the check to change, or null for a new one
 * @param {() => void} [after]
 */
export function editCheck(one, after) {
  const state = stateOf(one);
  /** @type {any} */
  let tried = null;
  let trying = false;
  const made = {
    title: one ? `Edit ${one.name}` : 'Add a check',
    act: one ? 'Save' : 'Add',
    /** @param {{draw: () => void}} dialog */
    fields: (dialog) => [
      h('div.fields',
        field(state, 'name', 'Name', { required: true, disabled: Boolean(one), hint: 'a-z, 0-9 and -', autofocus: !one }),
        field(state, 'kind', 'Kind', { options: Object.keys(KINDS), onchange: dialog.draw })),
      KINDS[state.kind] && field(state, 'target', 'Target', { placeholder: KINDS[state.kind], mono: true }),
      h('div.fields',
        field(state, 'every', 'Every', { placeholder: '1m', hint: 'like 30s, 5m' }),
        field(state, 'timeout', 'Timeout', { placeholder: '10s' }),
        field(state, 'severity', 'Severity when down', { options: ['info', 'warning', 'critical'] })),
      field(state, 'conditions', 'Conditions', { type: 'area', mono: true, rows: 3, placeholder: '[STATUS] == 200\n[RESPONSE_TIME] < 300 # warning', hint: 'One a line; none: those of the kind. “# warning” makes a failed one degraded.' }),
      tried && result(tried),
      h('details', { open: Boolean(state.settings || state.depends_on || state.cron), key: 'more' }, h('summary', 'More'),
        h('div.dialog-body.inner',
          h('div.fields', field(state, 'cron', 'Cron in place of “every”', { placeholder: '*/5 8-18 * * mon-fri' }), field(state, 'zone', 'Time zone', { placeholder: 'UTC' })),
          h('div.fields', field(state, 'failure_threshold', 'Failures until down', { placeholder: '1' }), field(state, 'success_threshold', 'Successes until up', { placeholder: '1' }), field(state, 'retries', 'Retries', { placeholder: '0' })),
          h('div.fields', field(state, 'depends_on', 'Depends on', { hint: 'names of checks' }), field(state, 'channels', 'Channels', { hint: 'empty: the routes decide' })),
          h('div.fields', field(state, 'feature', 'Feature'), field(state, 'provider', 'Provider'), field(state, 'labels', 'Labels', { placeholder: 'team=web' })),
          field(state, 'settings', 'Settings of the kind, as JSON', { type: 'area', mono: true, placeholder: EXAMPLES[state.kind] ?? '{}', hint: 'Secrets are shown as <secret>; sent back so, they stay what they are.' }),
          field(state, 'description', 'Description'))),
    ],
    /** @param {{draw: () => void}} dialog */
    more: (dialog) => h('button.button', {
      type: 'button',
      disabled: trying || state.kind === 'heartbeat',
      onclick: async () => {
        trying = true;
        dialog.draw();
        try {
          tried = await api('checks/test', { method: 'POST', body: { ...definition(state), name: state.name.trim() || 'trial' } });
        } catch (error) {
          tried = { wrong: /** @type {Error} */ (error).message };
        }
        trying = false;
        dialog.draw();
      },
    }, trying ? 'Trying…' : 'Try it'),
    send: async () => {
      const body = definition(state);
      if (one) {
        // What is absent keeps its value in a patch; null takes it away.
        const patch = Object.fromEntries(Object.entries(body).map(([name, value]) => [name, value === undefined ? null : value]));
        delete patch.name;
        await api(`checks/${encodeURIComponent(one.name)}`, { method: 'PATCH', body: patch });
      } else {
        await api('checks', { method: 'POST', body });
      }
      checks.refresh();
      after?.();
      toast(`${body.name} was ${one ? 'saved' : 'added'}`);
      if (!one) go(to('checks', body.name));
    },
  };
  formDialog(made);
}

/** @param {any} tried */
function result(tried) {
  if (tried.wrong) return banner('crit', tried.wrong);
  const one = tried.result;
  const tone = one.status === 'healthy' ? 'ok' : one.status === 'degraded' ? 'warn' : 'crit';
  return h('div', { key: 'tried' }, banner(tone, `${one.status} after ${withUnit(one.response_time_ms, 'ms')}`, (one.error || one.failed_condition) && h('div', one.error ?? one.failed_condition)));
}
