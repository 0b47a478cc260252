// Elements from descriptions, and signals. Owns: turning a description into the page with as few
// changes as possible, so that focus, selection and scrolling survive every update. Never: data.
// Start reading at `h` and `render`.

/**
 * A description of an element.
 * @typedef {{tag: string, props: Record<string, any>, kids: Node_[], key: any, el?: any}} Described
 */
/** @typedef {Described | string} Node_ */

const SVG = 'http://www.w3.org/2000/svg';
const SVG_TAGS = new Set(['svg', 'path', 'g', 'rect', 'line', 'circle', 'text', 'polyline', 'polygon']);

/**
 * Describes an element: `h('a.name.past', {href}, 'text')`. Properties: `on…` are listeners, `.x` sets
 * the property x, `.top` moves down by so many pixels, `key` tells siblings apart; true and false set and remove an attribute.
 * @param {string} tag
 * @param {any} [props]
 * @param {...any} kids
 * @returns {Described}
 */
export function h(tag, props, ...kids) {
  const [name, ...classes] = tag.split('.');
  const own = isProps(props) ? { ...props } : {};
  if (props !== undefined && !isProps(props)) kids.unshift(props);
  const more = own.class ? [own.class] : [];
  if (classes.length || more.length) own.class = [...classes, ...more].join(' ');
  const key = own.key;
  delete own.key;
  return { tag: name, props: own, kids: flat(kids), key };
}

/** @param {any} value */
function isProps(value) {
  return value !== null && typeof value === 'object' && !Array.isArray(value) && !('tag' in value && 'kids' in value);
}

/**
 * @param {any[]} kids
 * @returns {Node_[]}
 */
function flat(kids) {
  /** @type {Node_[]} */
  const out = [];
  for (const kid of kids.flat(Infinity)) {
    if (kid === null || kid === undefined || kid === false || kid === true || kid === '') continue;
    out.push(typeof kid === 'object' ? kid : String(kid));
  }
  return out;
}

/** One listener for all events of an element, so that an update swaps a function and no listener. */
const dispatch = {
  /** @param {Event} event */
  handleEvent(event) {
    const element = /** @type {any} */ (event.currentTarget);
    element._on?.[event.type]?.(event);
  },
};

/**
 * @param {any} element
 * @param {string} name
 * @param {any} value
 * @param {any} before
 */
function setProp(element, name, value, before) {
  if (name.startsWith('on')) {
    const type = name.slice(2).toLowerCase();
    element._on ??= {};
    if (!(type in element._on)) element.addEventListener(type, dispatch);
    element._on[type] = value;
  } else if (name === '.top') {
    // The policy forbids style attributes; through the object model it is allowed.
    if (value !== before) element.style.transform = `translateY(${value}px)`;
  } else if (name.startsWith('.')) {
    if (value !== before) element[name.slice(1)] = value;
  } else if (name === 'value' || name === 'checked') {
    // What a person typed stays until the page itself wants another value.
    if (value !== before) element[name] = value ?? (name === 'checked' ? false : '');
  } else if (value === before) {
    // Unchanged.
  } else if (value === false || value === null || value === undefined) {
    element.removeAttribute(name);
  } else {
    element.setAttribute(name, value === true ? '' : String(value));
  }
}

/** Elements of our own fill themselves; an update from without must leave that alone. @param {Described} node */
const ownsKids = (node) => node.tag.includes('-');

/** @param {Node_} node */
function create(node) {
  if (typeof node === 'string') return document.createTextNode(node);
  const element = SVG_TAGS.has(node.tag)
    ? document.createElementNS(SVG, node.tag)
    : document.createElement(node.tag);
  for (const [name, value] of Object.entries(node.props)) {
    if (name !== 'value') setProp(element, name, value, undefined);
  }
  if (!ownsKids(node)) render(element, node.kids);
  // A select takes its value only once its options are there.
  if ('value' in node.props) setProp(element, 'value', node.props.value, undefined);
  return element;
}

/**
 * @param {any} element
 * @param {Described} node
 * @param {Described} before
 */
function update(element, node, before) {
  for (const name of Object.keys(before.props)) {
    if (!(name in node.props)) setProp(element, name, undefined, before.props[name]);
  }
  for (const [name, value] of Object.entries(node.props)) {
    if (name !== 'value') setProp(element, name, value, before.props[name]);
  }
  if (!ownsKids(node)) render(element, node.kids);
  if ('value' in node.props) setProp(element, 'value', node.props.value, before.props.value);
}

/**
 * @param {Node_} a
 * @param {Node_} b
 */
function same(a, b) {
  if (typeof a === 'string' || typeof b === 'string') return typeof a === typeof b;
  return a.tag === b.tag && a.key === b.key;
}

/**
 * Makes the children of `host` what `kids` describe.
 * @param {Element} host
 * @param {any} kids
 */
export function render(host, kids) {
  const wanted = flat(Array.isArray(kids) ? kids : [kids]);
  /** @type {{node: Node_, el: any}[]} */
  const had = /** @type {any} */ (host)._kids ?? [];
  if (!had.length && host.firstChild && wanted.length) host.textContent = '';
  const keyed = new Map();
  for (const entry of had) {
    if (typeof entry.node === 'object' && entry.node.key !== undefined) keyed.set(entry.node.key, entry);
  }
  const used = new Set();
  let next = 0;
  const now = wanted.map((node) => {
    let entry;
    if (typeof node === 'object' && node.key !== undefined) {
      entry = keyed.get(node.key);
      if (entry && !same(entry.node, node)) entry = undefined;
    } else {
      while (next < had.length && (used.has(had[next]) || keyOf(had[next].node) !== undefined)) next += 1;
      if (next < had.length && same(had[next].node, node)) entry = had[next++];
    }
    if (!entry || used.has(entry)) return { node, el: create(node) };
    used.add(entry);
    if (node === entry.node) {
      // The very description that is shown already.
    } else if (typeof node === 'string') {
      if (node !== entry.node) entry.el.data = node;
    } else {
      update(entry.el, node, /** @type {Described} */ (entry.node));
    }
    return { node, el: entry.el };
  });
  for (const entry of had) if (!used.has(entry)) entry.el.remove();
  let at = host.firstChild;
  for (const entry of now) {
    if (entry.el === at) at = at?.nextSibling ?? null;
    else host.insertBefore(entry.el, at);
  }
  /** @type {any} */ (host)._kids = now;
}

/** @param {Node_} node */
function keyOf(node) {
  return typeof node === 'string' ? undefined : node.key;
}

/**
 * Remembers a description as long as what it was made of is the same: an update then passes it by.
 * @returns {(of: any[], make: () => any) => any}
 */
export function remember() {
  /** @type {any[]} */
  let before = [];
  /** @type {any} */
  let made;
  return (of, make) => {
    if (of.length !== before.length || of.some((one, i) => one !== before[i])) {
      before = of;
      made = make();
    }
    return made;
  };
}

/** @type {Set<() => void> | null} */
let waiting = null;

/**
 * Runs `work` once before the next frame, however often it is asked for until then. Hidden pages have
 * no frames, and need none.
 * @param {() => void} work
 */
export function schedule(work) {
  if (!waiting) {
    waiting = new Set();
    requestAnimationFrame(flush);
  }
  waiting.add(work);
}

function flush() {
  const set = waiting;
  waiting = null;
  for (const work of set ?? []) {
    try {
      work();
    } catch (error) {
      // One broken part must not stop the others.
      reportError(error);
    }
  }
}

/**
 * A value that can be watched.
 * @template T
 */
export class Signal {
  /** @param {T} value */
  constructor(value) {
    this.now = value;
    /** @type {Set<() => void>} */
    this.watchers = new Set();
  }

  get value() {
    return this.now;
  }

  set value(value) {
    if (Object.is(value, this.now)) return;
    this.now = value;
    for (const watcher of this.watchers) watcher();
  }

  /**
   * @param {() => void} watcher
   * @returns {() => void} which stops it
   */
  watch(watcher) {
    this.watchers.add(watcher);
    return () => this.watchers.delete(watcher);
  }
}

/**
 * The icons, drawn on 16 × 16.
 * @type {Record<string, string>}
 */
const ICONS = {
  overview: 'M2 2.5h5v4H2zM9 2.5h5v7H9zM2 9h5v4.5H2zM9 12h5v1.5H9z',
  metrics: 'M2 2v12h12M4.5 10.5l3-4 2.5 2 3.5-5',
  checks: 'M1.5 8.5h3l2-5 3 9 2-4h3',
  incidents: 'M8 2.2 14.5 13.5h-13zM8 6.5v3.2M8 11.6v.1',
  rules: 'M4 11.5V7a4 4 0 0 1 8 0v4.5l1 1H3zM6.8 14.3h2.4',
  experiments: 'M6 2h4M6.8 2v4.2L2.8 13a.8.8 0 0 0 .7 1h9a.8.8 0 0 0 .7-1l-4-6.8V2M5 10h6',
  features: 'M8 1.8 14 5v6l-6 3.2L2 11V5zM2 5l6 3.2L14 5M8 8.2v6',
  logs: 'M2 3.5h8M2 6.5h12M2 9.5h7M2 12.5h10',
  settings: 'M2 4.5h6.5M11.5 4.5H14M10 3v3M2 11.5h2.5M7.5 11.5H14M6 10v3',
  more: 'M3 8h.1M8 8h.1M13 8h.1',
  sun: 'M8 5.2a2.8 2.8 0 1 1 0 5.6 2.8 2.8 0 0 1 0-5.6M8 1.5v1.2M8 13.3v1.2M1.5 8h1.2M13.3 8h1.2M3.4 3.4l.9.9M11.7 11.7l.9.9M3.4 12.6l.9-.9M11.7 4.3l.9-.9',
  moon: 'M13.5 9.8A6 6 0 0 1 6.2 2.5a6 6 0 1 0 7.3 7.3z',
  check: 'M3 8.5l3.2 3.2L13 5',
  cross: 'M4 4l8 8M12 4l-8 8',
  plus: 'M8 3v10M3 8h10',
  play: 'M5 3.5v9l7.5-4.5z',
  pause: 'M5.5 3.5v9M10.5 3.5v9',
  up: 'M8 13V3.5M4 7.5l4-4 4 4',
  down: 'M8 3v9.5M4 8.5l4 4 4-4',
  lock: 'M4 7.5h8v6H4zM5.5 7.5V5a2.5 2.5 0 0 1 5 0v2.5',
  download: 'M8 2.5v8M4.8 7.5 8 10.7l3.2-3.2M2.5 13.5h11',
  back: 'M10 3 5 8l5 5',
  table: 'M2 3h12v10H2zM2 6.5h12M2 10h12M6.5 3v10',
  info: 'M8 1.8a6.2 6.2 0 1 1 0 12.4A6.2 6.2 0 0 1 8 1.8M8 7.2v4M8 4.8v.1',
};

/**
 * @param {string} name
 * @param {string} [label] what it says where no text stands beside it
 */
export function icon(name, label) {
  const named = label ? { role: 'img', 'aria-label': label } : { 'aria-hidden': 'true' };
  return h('svg.icon', { viewBox: '0 0 16 16', ...named }, h('path', { d: ICONS[name] ?? '' }));
}
