// Who uses this page and what the server lets them do. Owns: signing in and out, and what the page
// offers to whom. Never: the token, which the browser keeps in a cookie that no script can read.
// Start reading at `learn`.

import { Signal } from './core.js';
import { api, signedOut } from './store.js';

/** @typedef {'read' | 'send' | 'operate' | 'administer'} Permission */
/** @typedef {{mode: 'open' | 'token', name: string, role: string, may: Permission[], via: 'cookie' | 'header' | 'none'}} Session */

/** Nobody is known until the server was asked. @type {Signal<Session | null>} */
export const session = new Signal(/** @type {any} */ (null));

/** What whoever runs this instance says to all who look at it, like that it is a demo. */
export const notice = new Signal('');

/** What a server without sessions lets everybody do who reaches it. @type {Session} */
const EVERYBODY = { mode: 'open', name: '', role: '', may: ['read', 'send', 'operate', 'administer'], via: 'none' };

/** @param {Session | null} value */
function take(value) {
  session.value = value;
  // Styles leave out what the role may not use; see the end of base.css.
  if (value) document.documentElement.dataset.may = value.may.join(' ');
  else delete document.documentElement.dataset.may;
}

/** Asks who we are. Where nobody answers, the page goes on and says so by itself. */
export async function learn() {
  try {
    const one = /** @type {Session} */ (await api('session'));
    take(one);
    signedOut.value = one.mode === 'token' && one.via === 'none';
  } catch (error) {
    if (/** @type {any} */ (error).missing) take(EVERYBODY);
  }
}

/**
 * Shows a token to the server, which answers with a cookie.
 * @param {string} token
 * @param {boolean} remember whether the session outlives the browser's
 */
export async function signIn(token, remember) {
  await api('session', { method: 'POST', body: { token, remember } });
  await learn();
}

export async function signOut() {
  await api('session', { method: 'DELETE' });
  take(null);
  signedOut.value = true;
}

/** @param {Permission} what */
export const may = (what) => session.value?.may.includes(what) ?? true;

/** Why something cannot be used, or null. @param {Permission} what */
export function denied(what) {
  if (may(what)) return null;
  const who = { read: 'a viewer', send: 'a writer', operate: 'an operator', administer: 'an admin' }[what];
  return `Your token ${session.value?.name ?? ''} has the role ${session.value?.role}; this takes ${who}.`;
}
