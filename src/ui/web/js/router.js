// Addresses. Owns: which page belongs to a path, and moving between them without loading anew.
// Never: what a page shows.

import { Signal } from './core.js';

/**
 * @typedef {object} Route
 * @property {string} page the module's name
 * @property {string} [name] the object that the path names
 * @property {URLSearchParams} query
 */

export const ROOT = '/ui/';

/** @returns {Route} */
function read() {
  const [page = '', ...rest] = location.pathname.slice(ROOT.length).split('/').filter(Boolean);
  return {
    page: page || 'overview',
    name: rest.length ? decodeURIComponent(rest.join('/')) : undefined,
    query: new URLSearchParams(location.search),
  };
}

export const route = new Signal(read());

/**
 * The address of a page.
 * @param {string} page
 * @param {string | number} [name]
 * @param {Record<string, string | number>} [query]
 */
export function to(page, name, query) {
  const path = page === 'overview' ? ROOT : `${ROOT}${page}${name === undefined ? '' : `/${encodeURIComponent(String(name))}`}`;
  const words = new URLSearchParams(/** @type {any} */ (query ?? {})).toString();
  return words ? `${path}?${words}` : path;
}

/**
 * @param {string} address
 * @param {{replace?: boolean}} [options] replace: no step of its own in the history
 */
export function go(address, { replace = false } = {}) {
  history[replace ? 'replaceState' : 'pushState'](null, '', address);
  route.value = read();
}

/**
 * Writes the page's settings into the address without turning to another page.
 * @param {Record<string, string | string[] | null>} values
 */
export function keepInAddress(values) {
  const query = new URLSearchParams(location.search);
  for (const [name, value] of Object.entries(values)) {
    query.delete(name);
    for (const one of Array.isArray(value) ? value : [value]) if (one) query.append(name, one);
  }
  const words = query.toString();
  history.replaceState(null, '', location.pathname + (words ? `?${words}` : ''));
  route.now.query = query;
}

/** Follows links of ours, and the browser's buttons. */
export function startRouter() {
  addEventListener('popstate', () => {
    route.value = read();
  });
  document.addEventListener('click', (event) => {
    const link = /** @type {Element} */ (event.target).closest?.('a[href]');
    if (!(link instanceof HTMLAnchorElement) || event.defaultPrevented) return;
    if (event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    const url = new URL(link.href);
    if (url.origin !== location.origin || !url.pathname.startsWith(ROOT) || link.target || link.download) return;
    if (url.hash && url.pathname === location.pathname) return;
    event.preventDefault();
    go(url.pathname + url.search);
  });
}
