// Dark, light, or as the system has it. The choice is a cookie, so that the server renders it and
// nothing flashes.

import { Signal } from './core.js';

const YEAR_S = 31_536_000;
const root = document.documentElement;

/** @type {Signal<string>} '' follows the system */
export const theme = new Signal(root.dataset.theme ?? '');

/** @param {string} value */
export function setTheme(value) {
  root.dataset.theme = value;
  document.cookie = `vedette-theme=${value}; path=/ui/; max-age=${value ? YEAR_S : 0}; samesite=strict`;
  theme.value = value;
}

const system = matchMedia('(prefers-color-scheme: dark)');
system.addEventListener('change', () => {
  // Charts draw with colours that they have read; they must read them again.
  const now = theme.now;
  theme.now = '\u0000';
  theme.value = now;
});

export function isDark() {
  return theme.value ? theme.value === 'dark' : system.matches;
}

/** Turns to the other one. */
export function nextTheme() {
  setTheme(isDark() ? 'light' : 'dark');
}
