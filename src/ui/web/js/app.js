// The frame around the pages: navigation, theme, connection, keys, sign-in. Start reading at `show`.

import { h, icon, render, schedule } from './core.js';
import { openDialog } from './dialog.js';
import { learn, may, notice, session, signIn as sendToken, signOut } from './session.js';
import { start as startFeed, state as feedState, tier } from './live.js';
import { go, route, startRouter, to } from './router.js';
import { api, incidents, refreshFailed, signedOut } from './store.js';
import { span } from './format.js';
import { loading } from './parts.js';
import { nextTheme, theme } from './theme.js';
import { keysOn } from './keys.js';

const PAGES = /** @type {[string, string][]} */ ([
  ['overview', 'Overview'],
  ['metrics', 'Metrics'],
  ['checks', 'Checks'],
  ['incidents', 'Incidents'],
  ['rules', 'Alert rules'],
  ['experiments', 'Experiments'],
  ['features', 'Features'],
  ['logs', 'Logs'],
  ['settings', 'Settings'],
]);
const TABS = ['overview', 'checks', 'incidents', 'metrics'];

/**
 * What a page gets and what it may use.
 * @typedef {object} Page
 * @property {HTMLElement} host
 * @property {import('./router.js').Route} route
 * @property {AbortSignal} signal ends with the page
 * @property {(draw: () => any) => () => void} draws registers what draws the page; answers a function that draws it again
 * @property {(resource: import('./store.js').Resource<any>) => void} use keeps data fresh and draws when it came
 * @property {(ms: number, work: () => void) => void} every
 * @property {(keys: Record<string, (event: KeyboardEvent) => void>) => void} keys single keys, while no field has the focus
 * @property {(end: () => void) => void} onend
 */

/** @param {string} id */
const by = (id) => /** @type {HTMLElement} */ (document.getElementById(id));
const main = by('main');

/** @type {AbortController | null} */
let current = null;
let shown = '';
/** @type {Record<string, (event: KeyboardEvent) => void>} */
let pageKeys = {};

const titleNow = () => PAGES.find(([id]) => id === route.value.page)?.[1] ?? 'Not found';

/** Shows the page that the address names. */
async function show() {
  if (signedOut.value) {
    signIn();
    return;
  }
  const { page, name } = route.value;
  const known = PAGES.some(([id]) => id === page);
  drawNavigation();
  current?.abort();
  const here = new AbortController();
  current = here;
  pageKeys = {};
  const title = titleNow();
  document.title = `${name ? `${name} · ` : ''}${title} · vedette`;
  let module;
  try {
    module = await import(`./pages/${known ? page : 'missing'}.js`);
  } catch {
    if (here.signal.aborted) return;
    render(main, [
      h('div.page-head', h('h1', { tabindex: '-1' }, title)),
      h('div.card', h('div.empty', icon('incidents'), h('strong', 'This page could not be loaded'),
        h('p', 'vedette does not answer, or was replaced by another version.'),
        h('button.button', { type: 'button', onclick: () => location.reload() }, 'Load again'))),
    ]);
    return;
  }
  if (here.signal.aborted) return;
  const key = `${page}/${name ?? ''}`;
  const moved = shown !== '' && shown !== key;
  shown = key;
  render(main, []);
  module.default(pageOf(here));
  if (moved) {
    scrollTo(0, 0);
    main.querySelector('h1')?.focus({ preventScroll: true });
  }
}

/**
 * @param {AbortController} here
 * @returns {Page}
 */
function pageOf(here) {
  const { signal } = here;
  /** @type {() => any} */
  let draw = () => [];
  const now = () => {
    if (!signal.aborted) render(main, draw());
  };
  const later = () => schedule(now);
  const onend = (/** @type {() => void} */ end) => signal.addEventListener('abort', end, { once: true });
  onend(feedState.watch(later));
  onend(theme.watch(later));
  onend(keysOn.watch(later));
  onend(session.watch(later));
  onend(notice.watch(later));
  return {
    host: main,
    route: route.value,
    signal,
    draws(work) {
      draw = work;
      now();
      return later;
    },
    use: (resource) => onend(resource.use(later)),
    every(ms, work) {
      const timer = setInterval(() => {
        if (!document.hidden) work();
      }, ms);
      onend(() => clearInterval(timer));
    },
    keys(keys) {
      pageKeys = keys;
    },
    onend,
  };
}

function drawNavigation() {
  const here = route.value.page;
  const open = (incidents.data ?? []).filter((/** @type {any} */ one) => one.status === 'open').length;
  const link = (/** @type {string} */ id, /** @type {string} */ label) =>
    h('a.item', { href: to(id), 'aria-current': here === id ? 'page' : null, title: label, key: id },
      icon(id),
      h('span.label', label),
      id === 'incidents' && open > 0 && h('span.count', h('span.visually-hidden', ', '), String(open), h('span.visually-hidden', ' open')));
  render(by('rail'), PAGES.map(([id, label]) => link(id, label)));
  const rest = PAGES.filter(([id]) => !TABS.includes(id));
  const more = rest.find(([id]) => id === here);
  render(by('tabs'), [
    TABS.map((id) => link(id, /** @type {any} */ (PAGES.find(([other]) => other === id))[1])),
    h('button.item', { type: 'button', key: 'more', 'aria-haspopup': 'dialog', 'aria-current': more ? 'page' : null, onclick: openMore },
      icon(more ? more[0] : 'more'), h('span.label', more ? more[1] : 'More')),
  ]);
}

function openMore() {
  const dialog = openDialog({
    title: 'All pages',
    size: 'narrow',
    body: () => h('ul.rows', PAGES.map(([id, label]) =>
      h('li', icon(id), h('a.name.grow', { href: to(id), onclick: () => dialog.close() }, label)))),
    foot: () => session.value?.via === 'cookie' && whoAmI(),
  });
}

/** Who is signed in, and the way out. */
function whoAmI() {
  return [
    h('span.start', h('strong', session.value?.name), ` ${session.value?.role}`),
    h('button.button.plain', { type: 'button', onclick: leave }, 'Sign out'),
  ];
}

async function leave() {
  /** @type {HTMLDialogElement | null} */ (document.querySelector('dialog[open]'))?.close();
  await signOut().catch(() => {});
}

/** @type {any[]} */
let hostLines = [];

/** Who looks at whom, at the foot of the rail. */
function drawSession() {
  render(by('host'), [session.value?.via === 'cookie' && h('span.who', whoAmI()), hostLines]);
}

/** Draws who we look at; the rail says it on wide screens. */
async function drawHost() {
  try {
    const [build, run, name] = await Promise.all([
      api('status/buildinfo'),
      api('status/runtimeinfo'),
      api('query', { form: { query: 'node_uname_info' } }).catch(() => null),
    ]);
    const host = name?.result?.[0]?.metric.nodename ?? location.hostname;
    const up = (Date.parse(run.serverTime ?? new Date().toISOString()) - Date.parse(run.startTime)) / 1000;
    notice.value = run.notice ?? '';
    hostLines = [notice.value && h('span.notice', notice.value), h('strong', host), `v${build.applicationVersion ?? build.version} · up ${span(up)}`];
    drawSession();
  } catch {
    // The connection's own mark says that nobody answers.
  }
}

/** Says aloud when the connection goes or comes, and nothing else. */
function announce() {
  const before = by('status').dataset.state ?? 'live';
  const now = feedState.value;
  by('status').dataset.state = now;
  if (now === 'reconnecting' && before !== now) by('status').textContent = 'Connection lost. Trying again.';
  if (now === 'live' && before === 'reconnecting') {
    by('status').textContent = 'Connected again.';
    // Where the feed goes on from the last id it has told us what we missed.
    refreshFailed();
  }
}

/** @type {Map<number, string> | null} */
let known = null;

/** Says aloud what became of incidents. */
function announceIncidents() {
  drawNavigation();
  /** @type {any[]} */
  const list = incidents.data ?? [];
  if (!incidents.data) return;
  const now = new Map(list.map((one) => [one.number, one.status]));
  const news = known ? list.filter((one) => known?.get(one.number) !== one.status) : [];
  known = now;
  if (news.length === 1) by('status').textContent = `Incident ${news[0].number} ${news[0].status}: ${news[0].title}`;
  else if (news.length > 1) by('status').textContent = `${news.length} incidents changed.`;
}

/** What was wrong with the last token. */
let refused = '';

/** Asks for a token. */
function signIn() {
  current?.abort();
  shown = '';
  document.title = 'Sign in · vedette';
  const wrong = refused;
  refused = '';
  render(main, [
    h('div.signin', h('form.card', {
      onsubmit: async (/** @type {Event} */ event) => {
        event.preventDefault();
        const input = /** @type {HTMLInputElement} */ (by('token'));
        if (!input.value.trim()) {
          input.focus();
          return;
        }
        try {
          await sendToken(input.value.trim(), /** @type {HTMLInputElement} */ (by('remember')).checked);
        } catch (error) {
          refused = /** @type {any} */ (error).status === 401 ? 'This token is not known, or was revoked.' : /** @type {Error} */ (error).message;
          signIn();
        }
      },
    },
    h('h1', { tabindex: '-1' }, 'Sign in'),
    h('p.muted', 'This vedette asks for a token. An administrator makes one with ', h('code', 'vedette token create'), '.'),
    h('div.field', h('label', { for: 'token' }, 'Token'),
      h('input', { id: 'token', type: 'password', autocomplete: 'current-password', 'aria-describedby': wrong ? 'token-bad' : null }),
      wrong && h('span.bad', { id: 'token-bad', role: 'alert' }, wrong)),
    h('div.checkline', h('input', { id: 'remember', type: 'checkbox' }), h('label', { for: 'remember' }, 'Stay signed in on this device for 30 days')),
    h('button.button.main', { type: 'submit' }, 'Sign in'))),
  ]);
  by('token').focus();
}

function startKeys() {
  let prefix = 0;
  addEventListener('keydown', (event) => {
    if (!keysOn.value || event.ctrlKey || event.metaKey || event.altKey || document.querySelector('dialog[open]')) return;
    const target = /** @type {HTMLElement} */ (event.target);
    if (/^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName) || target.isContentEditable) return;
    // "g" and then the first letter of a page, within a second.
    if (prefix && Date.now() - prefix < 1000) {
      prefix = 0;
      const page = { o: 'overview', m: 'metrics', c: 'checks', i: 'incidents', r: 'rules', e: 'experiments', f: 'features', l: 'logs', s: 'settings' }[event.key];
      if (page) {
        event.preventDefault();
        go(to(page));
        return;
      }
    }
    if (event.key === 'g') {
      prefix = Date.now();
    } else if (event.key === 't') {
      nextTheme();
    } else if (event.key === '?') {
      go(to('settings', 'shortcuts'));
    } else if (!/^[anr]$/.test(event.key) || may('operate')) {
      pageKeys[event.key]?.(event);
    }
  });
}

/** @type {(() => void) | null} */
let unfollow = null;

startRouter();
startKeys();
drawNavigation();
render(main, [h('div.page-head', h('h1', { tabindex: '-1' }, titleNow())), loading(4)]);
session.watch(drawSession);
// Both at once: who we are, and from where the feed goes on.
await Promise.all([learn(), startFeed()]);
route.watch(show);
signedOut.watch(show);
feedState.watch(announce);
tier.watch(drawNavigation);
signedOut.watch(follow);
follow();
show();


/** What the frame itself shows is only asked for while somebody is signed in. */
function follow() {
  unfollow?.();
  unfollow = null;
  if (signedOut.value) return;
  const end = incidents.use(announceIncidents);
  const timer = setInterval(drawHost, 60_000);
  drawHost();
  unfollow = () => {
    end();
    clearInterval(timer);
  };
}
