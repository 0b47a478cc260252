// A list of any length of which only what is seen is in the page. Rows have one height.

import { render, schedule } from './core.js';

const BEYOND = 6;

export class VList extends HTMLElement {
  constructor() {
    super();
    /** @type {{count: number, height: number, row: (index: number, top: number) => any, label: string, follow?: boolean} | null} */
    this.now = null;
    this.later = () => this.paint();
    this.observer = new ResizeObserver(() => schedule(this.later));
    this.addEventListener('scroll', () => schedule(this.later), { passive: true });
  }

  /** follow: stays at the end as rows come, unless the person scrolled away from it. */
  set data(value) {
    this.wasAtEnd = this.scrollTop + this.clientHeight >= this.scrollHeight - 4;
    this.now = value;
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
    if (now.follow && this.wasAtEnd) {
      this.scrollTop = this.scrollHeight;
      this.wasAtEnd = false;
    }
    const first = Math.max(0, Math.floor(this.scrollTop / now.height) - BEYOND);
    const last = Math.min(now.count, Math.ceil((this.scrollTop + this.clientHeight) / now.height) + BEYOND);
    const rows = [];
    for (let i = first; i < last; i += 1) rows.push(now.row(i, i * now.height));
    render(sizer, rows);
  }
}

customElements.define('v-list', VList);
