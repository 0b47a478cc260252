// A list of any length of which only what is seen is in the page. Rows have one height.

import { render, schedule } from './core.js';

const BEYOND = 6;
const NEAR_END_ROWS = 60;

/**
 * @typedef {object} Rows
 * @property {number} count
 * @property {number} height of a row, in pixels
 * @property {(index: number, top: number) => any} row
 * @property {string} label
 * @property {number} [added] rows that came before the first one since the last time
 * @property {() => void} [onend] the end is near: more may be fetched
 */

export class VList extends HTMLElement {
  constructor() {
    super();
    /** @type {Rows | null} */
    this.now = null;
    this.added = 0;
    this.later = () => this.paint();
    this.observer = new ResizeObserver(() => schedule(this.later));
    this.addEventListener('scroll', () => schedule(this.later), { passive: true });
  }

  /** @param {Rows} value */
  set data(value) {
    this.now = value;
    this.added += value.added ?? 0;
    schedule(this.later);
  }

  connectedCallback() {
    this.tabIndex = 0;
    this.setAttribute('role', 'region');
    this.observer.observe(this);
  }

  disconnectedCallback() {
    this.observer.disconnect();
  }

  paint() {
    const now = this.now;
    if (!now || !this.isConnected) return;
    this.setAttribute('aria-label', now.label);
    let sizer = /** @type {HTMLElement | null} */ (this.querySelector('.sizer'));
    if (!sizer) {
      sizer = document.createElement('div');
      sizer.className = 'sizer';
      this.append(sizer);
    }
    sizer.style.height = `${now.count * now.height}px`;
    // Whoever reads further down keeps the place; whoever is at the top sees what comes.
    if (this.added && this.scrollTop > now.height / 2) this.scrollTop += this.added * now.height;
    this.added = 0;
    const first = Math.max(0, Math.floor(this.scrollTop / now.height) - BEYOND);
    const last = Math.min(now.count, Math.ceil((this.scrollTop + this.clientHeight) / now.height) + BEYOND);
    const rows = [];
    for (let i = first; i < last; i += 1) rows.push(now.row(i, i * now.height));
    render(sizer, rows);
    if (last > now.count - NEAR_END_ROWS) now.onend?.();
  }
}

customElements.define('v-list', VList);
