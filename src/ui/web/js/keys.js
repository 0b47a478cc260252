// Whether single keys do something. They can be turned off, for people whose voice or switch control
// types letters (WCAG 2.1.4).

import { Signal } from './core.js';

const NAME = 'vedette-keys';

/** @returns {boolean} */
function kept() {
  try {
    return localStorage.getItem(NAME) !== 'off';
  } catch {
    return true;
  }
}

export const keysOn = new Signal(kept());

/** @param {boolean} on */
export function setKeys(on) {
  keysOn.value = on;
  try {
    localStorage.setItem(NAME, on ? 'on' : 'off');
  } catch {
    // Without storage the choice lives as long as the page.
  }
}
