// An address that leads nowhere.

import { h } from '../core.js';
import { card, empty, pageHead } from '../parts.js';
import { to } from '../router.js';

/** @param {import('../app.js').Page} page */
export default function missing(page) {
  page.draws(() => [
    pageHead('There is no such page'),
    card('Not found', {}, empty('info', 'Nothing is here', 'The address may be of another version, or mistyped.', h('a.button', { href: to('overview') }, 'To the overview'))),
  ]);
}
