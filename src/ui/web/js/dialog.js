// Dialogs, questions and short messages. Owns: the one open dialog, focus going back to where it
// was. Start reading at `openDialog`.

import { h, icon, render } from './core.js';

/**
 * Opens a dialog that draws itself again whenever `draw` is called.
 * @param {object} options
 * @param {string} options.title
 * @param {(dialog: {close: () => void, draw: () => void}) => any} options.body
 * @param {(dialog: {close: () => void, draw: () => void}) => any} [options.foot]
 * @param {'narrow' | 'wide' | ''} [options.size]
 * @param {() => void} [options.closed]
 * @param {() => (void | Promise<void>)} [options.submit] Enter in a field, or a button of the type submit
 */
export function openDialog({ title, body, foot, size = '', closed, submit }) {
  const before = /** @type {HTMLElement | null} */ (document.activeElement);
  const element = document.createElement('dialog');
  if (size) element.className = size;
  const name = `dialog-${Math.random().toString(36).slice(2)}`;
  element.setAttribute('aria-labelledby', name);
  const handle = {
    close: () => element.close(),
    draw: () =>
      render(element, [
        h('form', {
          method: 'dialog',
          novalidate: true,
          /** @param {Event} event */
          onsubmit: (event) => {
            event.preventDefault();
            submit?.();
          },
        },
        h('div.dialog-head',
          h('h2', { id: name }, title),
          h('button.icon-button', { type: 'button', 'aria-label': 'Close', onclick: () => element.close() }, icon('cross'))),
        h('div.dialog-body', body(handle)),
        foot && h('div.dialog-foot', foot(handle))),
      ]),
  };
  element.addEventListener('close', () => {
    element.remove();
    closed?.();
    // The row that opened it may be gone.
    if (before?.isConnected) before.focus();
    else document.getElementById('main')?.focus();
  });
  document.body.append(element);
  handle.draw();
  element.showModal();
  /** @type {HTMLElement | null} */ (element.querySelector('[autofocus], .dialog-body input, .dialog-body select, .dialog-body textarea, .dialog-foot button'))?.focus();
  return handle;
}

/**
 * Asks before something that cannot be taken back.
 * @param {object} options
 * @param {string} options.title
 * @param {any} options.text
 * @param {string} options.act what the button says
 * @param {boolean} [options.danger]
 * @param {() => Promise<any>} options.does
 */
export function ask({ title, text, act, danger = true, does }) {
  let busy = false;
  let wrong = '';
  /** @param {{close: () => void, draw: () => void}} dialog */
  const run = async (dialog) => {
    if (busy) return;
    busy = true;
    wrong = '';
    dialog.draw();
    try {
      await does();
      dialog.close();
    } catch (error) {
      busy = false;
      wrong = /** @type {Error} */ (error).message;
      dialog.draw();
    }
  };
  const dialog = openDialog({
    title,
    size: 'narrow',
    body: () => [h('p', text), wrong && banner('crit', wrong)],
    submit: () => run(dialog),
    foot: (self) => [
      h('button.button', { type: 'button', autofocus: danger, onclick: self.close }, 'Cancel'),
      h('button.button', { type: 'submit', class: danger ? 'danger' : 'main', disabled: busy }, act),
    ],
  });
}

/**
 * A dialog with fields that are sent together.
 * @param {object} options
 * @param {string} options.title
 * @param {string} options.act
 * @param {(dialog: {close: () => void, draw: () => void}) => any} options.fields
 * @param {() => Promise<any>} options.send refuses by throwing; the dialog then says why and stays
 * @param {(dialog: {close: () => void, draw: () => void}) => any} [options.more] further buttons
 * @param {'narrow' | 'wide' | ''} [options.size]
 */
export function formDialog({ title, act, fields, send, more, size = '' }) {
  let busy = false;
  let wrong = '';
  const dialog = openDialog({
    title,
    size,
    body: (self) => [
      fields(self),
      wrong && banner('crit', wrong),
    ],
    submit: async () => {
      if (busy) return;
      busy = true;
      wrong = '';
      dialog.draw();
      try {
        await send();
        dialog.close();
      } catch (error) {
        busy = false;
        wrong = /** @type {Error} */ (error).message;
        dialog.draw();
        document.querySelector('dialog [role=alert]')?.scrollIntoView({ block: 'nearest' });
      }
    },
    foot: (self) => [
      more && h('div.row.start', more(self)),
      h('button.button', { type: 'button', onclick: self.close }, 'Cancel'),
      h('button.button.main', { type: 'submit', disabled: busy }, act),
    ],
  });
  return dialog;
}

/**
 * @param {'crit' | 'warn' | 'ok' | 'accent' | ''} tone
 * @param {...any} text
 */
export function banner(tone, ...text) {
  const sign = { crit: 'cross', warn: 'incidents', ok: 'check', accent: 'info', '': 'info' }[tone];
  return h('div.banner', { class: tone, role: tone === 'crit' ? 'alert' : null }, icon(sign), h('div', text));
}

let fields = 0;

/**
 * A labelled control. `state` is any object; the control edits `state[name]`.
 * @param {any} state
 * @param {string} name
 * @param {string} label
 * @param {{type?: string, options?: (string | [string, string])[], hint?: any, rows?: number, mono?: boolean, placeholder?: string, required?: boolean, disabled?: boolean, autofocus?: boolean, list?: string, onchange?: () => void}} [options]
 */
export function field(state, name, label, options = {}) {
  const ids = (state.__ids ??= {});
  const id = (ids[name] ??= `field-${(fields += 1)}`);
  const { type = 'text', hint, onchange } = options;
  const common = {
    id,
    name,
    disabled: options.disabled ?? false,
    autofocus: options.autofocus ?? false,
    'aria-describedby': hint ? `${id}-hint` : null,
    required: options.required ?? false,
    class: options.mono ? 'mono' : '',
  };
  /** @param {Event} event */
  const set = (event) => {
    const control = /** @type {any} */ (event.target);
    state[name] = type === 'checkbox' ? control.checked : control.value;
    onchange?.();
  };
  if (type === 'checkbox') {
    return h('div.field', { key: name },
      h('div.checkline', h('input', { ...common, type, checked: Boolean(state[name]), onchange: set }), h('label', { for: id }, label)),
      hint && h('span.hint', { id: `${id}-hint` }, hint));
  }
  const control = options.options
    ? h('select', { ...common, value: state[name] ?? '', onchange: set },
      options.options.map((option) => {
        const [value, text] = Array.isArray(option) ? option : [option, option];
        return h('option', { value, key: value }, text);
      }))
    : type === 'area'
      ? h('textarea', { ...common, rows: options.rows ?? 3, value: state[name] ?? '', oninput: set, spellcheck: 'false', placeholder: options.placeholder })
      : h('input', { ...common, type, step: type === 'number' ? 'any' : null, value: state[name] ?? '', oninput: set, autocomplete: 'off', placeholder: options.placeholder, list: options.list });
  return h('div.field', { key: name },
    h('label', { for: id }, label),
    control,
    hint && h('span.hint', { id: `${id}-hint` }, hint));
}

/**
 * A message that goes by itself. Not announced beyond the status line: it repeats what the person did.
 * @param {string} text
 * @param {'crit' | 'ok' | ''} [tone]
 */
export function toast(text, tone = 'ok') {
  const host = /** @type {HTMLElement} */ (document.getElementById('toasts'));
  const element = document.createElement('div');
  element.className = 'toast';
  const close = () => element.remove();
  render(element, [
    h('span.tile', { class: tone }, icon(tone === 'crit' ? 'cross' : 'check')),
    h('span.grow', { role: tone === 'crit' ? 'alert' : null }, text),
    h('button.icon-button', { type: 'button', 'aria-label': 'Dismiss', onclick: close }, icon('cross')),
  ]);
  host.append(element);
  while (host.children.length > 3) host.firstElementChild?.remove();
  setTimeout(close, tone === 'crit' ? 12_000 : 4000);
}

/**
 * Does something and says how it went.
 * @param {() => Promise<any>} work
 * @param {string} [done]
 */
export async function attempt(work, done) {
  try {
    const answer = await work();
    if (done) toast(done);
    return answer;
  } catch (error) {
    toast(/** @type {Error} */ (error).message, 'crit');
    return undefined;
  }
}
