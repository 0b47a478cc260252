// A feature's configuration: its versions, what each changed, going back, and what a unit gets.

import { h } from './core.js';
import { json } from './check-form.js';
import { ask, attempt, banner, field, formDialog, openDialog, toast } from './dialog.js';
import { moment } from './format.js';
import { card, empty, instead } from './parts.js';
import { to } from './router.js';
import { api } from './store.js';

/** @param {string} name @param {string} path @param {import('./store.js').Resource<any>} versions @param {() => void} draw */
export function configCard(name, path, versions, draw) {
  /** @type {any[]} */
  const list = versions.data ?? [];
  const newest = list[0];
  const write = () => {
    const state = { value: JSON.stringify(newest?.value ?? {}, null, 2), comment: '' };
    formDialog({
      title: newest ? `Change the configuration of ${name}` : `Configure ${name}`,
      act: 'Save as a new version',
      size: 'wide',
      fields: () => [
        field(state, 'value', 'Configuration, as JSON', { type: 'area', rows: 14, mono: true, autofocus: true }),
        field(state, 'comment', 'Why', { hint: 'Kept with the version' }),
      ],
      send: async () => {
        await api(`${path}/config`, { method: 'PUT', body: { value: json(state.value, 'configuration'), comment: state.comment, follows: newest?.version ?? 0 } });
        toast('The new version is in force');
        versions.refresh();
      },
    });
  };
  const back = (/** @type {any} */ one) => ask({
    title: `Go back to version ${one.version}?`,
    text: 'Its value becomes a new version. Applications get it with their next call.',
    act: 'Go back',
    danger: false,
    does: async () => {
      await api(`${path}/config`, { method: 'PUT', body: { version: one.version, follows: newest.version, comment: `back to version ${one.version}` } });
      versions.refresh();
      draw();
    },
  });
  return card('Configuration', { key: 'config', note: h('button.button.acts', { type: 'button', onclick: write, disabled: Boolean(versions.error) }, newest ? 'Change' : 'Configure') },
    instead(versions, 'configuration') ?? (newest
      ? h('div.stack',
        h('pre', JSON.stringify(newest.value, null, 2)),
        h('ul.rows', list.map((one, i) => h('li', { key: one.version }, h('div.body',
          h('div.top', h('span.strong', `Version ${one.version}`), h('span.when', moment(one.at))),
          h('p.faint', [one.author, one.comment, one.restored && `version ${one.restored} again`].filter(Boolean).join(' · '))),
        h('div.actions.side',
          list[i + 1] && h('button.button', { type: 'button', 'aria-label': `Changes of version ${one.version}`, onclick: () => showDiff(path, list[i + 1].version, one.version) }, 'Changes'),
          one !== newest && h('button.button', { type: 'button', 'aria-label': `Against newest: version ${one.version}`, onclick: () => showDiff(path, one.version, newest.version) }, 'Against newest'),
          one !== newest && h('button.button.acts', { type: 'button', 'aria-label': `Go back to version ${one.version}`, onclick: () => back(one) }, 'Go back'))))))
      : empty('settings', 'No configuration yet', 'Prompts, models, limits: any JSON, with all its versions, handed to applications by one call.')));
}

/** @param {any} value */
const shown = (value) => (value === undefined ? '' : JSON.stringify(value));

/** What changed from one version to another, by place. @param {string} path @param {number} from @param {number} until */
async function showDiff(path, from, until) {
  const diff = await attempt(() => api(`${path}/config/diff?from=${from}&to=${until}`));
  if (!diff) return;
  openDialog({
    title: `From version ${from} to ${until}`,
    size: 'wide',
    body: () => diff.changes.length
      ? h('ul.diff', diff.changes.map((/** @type {any} */ change) => h('li', { key: change.path },
        h('code.strong', change.path || '(all of it)'),
        'before' in change && h('div.before', h('span', { 'aria-label': 'before' }, '−'), h('code.break', shown(change.before))),
        'after' in change && h('div.after', h('span', { 'aria-label': 'after' }, '+'), h('code.break', shown(change.after))))), diff.truncated && h('li.faint', 'There are more.'))
      : empty('check', 'They are the same', null),
  });
}

/**
 * Asks what a unit would get, without noting that it was exposed.
 * @param {string} path @param {{unit: string, attributes: string, said: any}} state @param {() => void} draw
 */
export function evaluateCard(path, state, draw) {
  const send = async (/** @type {Event} */ event) => {
    event.preventDefault();
    if (!state.unit.trim()) return;
    try {
      state.said = await api(`${path}/evaluate`, { method: 'POST', body: { unit: state.unit.trim(), attributes: json(state.attributes, 'attributes'), expose: false } });
    } catch (error) {
      state.said = { wrong: /** @type {Error} */ (error).message };
    }
    draw();
  };
  const { said } = state;
  return card('What somebody gets', { class: 'w6 sends', key: 'evaluate', note: 'asked without effect' }, h('form.stack', { onsubmit: send },
    h('div.fields', field(state, 'unit', 'Unit', { placeholder: 'user-17' }), field(state, 'attributes', 'Attributes, as JSON', { mono: true, placeholder: '{"country": "NL"}' })),
    h('div.row', h('button.button', { type: 'submit' }, 'Evaluate')),
    said?.wrong && banner('crit', said.wrong),
    said && !said.wrong && h('div.stack', { role: 'status' },
      h('p', said.version ? `Version ${said.version}` : 'No version yet', said.assignments.length ? ', with ' : ', in no experiment', said.assignments.map((/** @type {any} */ one, /** @type {number} */ i) => [i > 0 && ', ', h('a', { key: one.experiment, href: to('experiments', one.experiment) }, one.experiment), one.in_experiment ? `: ${one.variant}` : ' (takes no part)'])),
      h('pre', JSON.stringify(said.configuration, null, 2)))));
}
