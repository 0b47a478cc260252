// A text field that completes names as they are typed (the combobox of the ARIA practices).

import { h } from './core.js';

const SHOWN = 12;
let open = false;
let active = -1;

/** The word at the end of the text that may be a metric's name. @param {string} text */
const last = (text) => /[a-zA-Z_:][a-zA-Z0-9_:]*$/.exec(text)?.[0] ?? '';

/**
 * @param {object} options
 * @param {string} options.label
 * @param {string} options.value
 * @param {string[]} options.names
 * @param {(name: string) => string} options.about what a name is
 * @param {(value: string) => void} options.change
 * @param {(value: string) => void} options.choose
 * @param {() => void} options.draw
 */
export function picker({ label, value, names, about, change, choose, draw }) {
  const word = last(value).toLowerCase();
  const inside = word !== value.toLowerCase().trim();
  const found = word.length < (inside ? 2 : 0) ? [] : fitting(names, word);
  const shown = open && found.length > 0 && !(found.length === 1 && found[0] === word);
  /** @param {string} name */
  const take = (name) => {
    open = false;
    active = -1;
    if (inside) {
      change(value.slice(0, value.length - word.length) + name);
    } else {
      change('');
      choose(name);
    }
  };
  return h('div.picker',
    h('label.visually-hidden', { for: 'picker' }, label),
    h('input.mono', {
      id: 'picker', type: 'text', autocomplete: 'off', spellcheck: 'false', placeholder: label, value,
      role: 'combobox', 'aria-expanded': String(shown), 'aria-controls': 'picker-list', 'aria-autocomplete': 'list',
      'aria-activedescendant': shown && active >= 0 ? `picker-${active}` : null,
      oninput: (/** @type {any} */ event) => {
        open = true;
        active = -1;
        change(event.target.value);
      },
      onfocus: () => {
        open = true;
        draw();
      },
      onblur: () => {
        open = false;
        active = -1;
        draw();
      },
      onkeydown: (/** @type {KeyboardEvent} */ event) => {
        if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
          if (!found.length) return;
          open = true;
          active = event.key === 'ArrowDown' ? (active + 1) % found.length : (Math.max(active, 0) - 1 + found.length) % found.length;
          event.preventDefault();
          draw();
          requestAnimationFrame(() => document.getElementById(`picker-${active}`)?.scrollIntoView({ block: 'nearest' }));
        } else if (event.key === 'Enter' && shown && active >= 0) {
          event.preventDefault();
          take(found[active]);
        } else if (event.key === 'Enter') {
          // The form takes it; what comes next is typed anew.
          open = false;
        } else if (event.key === 'Escape' && shown) {
          open = false;
          draw();
        }
      },
    }),
    shown && h('ul', { id: 'picker-list', role: 'listbox', 'aria-label': 'Metrics' }, found.map((name, i) => h('li', {
      key: name, id: `picker-${i}`, role: 'option', 'aria-selected': String(i === active),
      // Before the field loses the focus, which would close the list.
      onpointerdown: (/** @type {Event} */ event) => {
        event.preventDefault();
        take(name);
      },
    }, name, about(name) && h('small', about(name))))));
}

/** Names that begin with the word, then those that hold all its parts. @param {string[]} names @param {string} word */
function fitting(names, word) {
  const begin = names.filter((name) => name.toLowerCase().startsWith(word));
  const parts = word.split(/[_\s]+/).filter(Boolean);
  const hold = begin.length >= SHOWN ? [] : names.filter((name) => !begin.includes(name) && parts.every((part) => name.toLowerCase().includes(part)));
  return [...begin, ...hold].slice(0, SHOWN);
}
