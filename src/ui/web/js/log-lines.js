// The log lines that are shown, put together from pages that were asked for and from what the live
// feed tells meanwhile: newest first, each once, none missing in between. Never: elements, requests.

/** So far down are lines looked for that are told once more. */
const TOLD_TWICE_MAX = 2000;

/** @typedef {{id: string}} Line */

/**
 * The server's order: by time, and then as they came.
 * @param {string} a an id
 * @param {string} b
 */
export function newestFirst(a, b) {
  const [cutA, cutB] = [a.lastIndexOf('-'), b.lastIndexOf('-')];
  return Number(b.slice(0, cutB)) - Number(a.slice(0, cutA)) || Number(b.slice(cutB + 1)) - Number(a.slice(cutA + 1));
}

/** @template {Line} L */
export class Lines {
  /** @param {number} most lines that are kept of a feed that goes on and on */
  constructor(most) {
    this.most = most;
    /** @type {L[]} */
    this.all = [];
    /** Where older lines go on, or null at the end. @type {string | null} */
    this.next = null;
    /** Nothing is missing from this one down to the oldest that is shown. @type {string | null} */
    this.whole = null;
    this.gap = true;
  }

  clear() {
    this.all = [];
    this.next = null;
    this.whole = null;
    this.gap = true;
  }

  /** What is told from now on may leave something out, until the next answer. */
  lost() {
    this.gap = true;
  }

  /**
   * Takes what the feed tells, oldest first.
   * @param {L[]} told
   * @returns {number} how many were not known
   */
  tell(told) {
    const known = new Set(this.all.slice(0, TOLD_TWICE_MAX).map((one) => one.id));
    const fresh = told.filter((one) => !known.has(one.id)).reverse();
    if (!fresh.length) return 0;
    this.all = [...fresh, ...this.all].slice(0, this.most);
    if (!this.gap) this.whole = newest([this.whole, ...fresh.map((one) => one.id)]);
    return fresh.length;
  }

  /**
   * Takes the newest lines as the server answered them. They may have been read before the feed told
   * of lines that are here already, and after others of which it never will.
   * @param {L[]} list newest first
   * @param {string | null} next where they go on
   * @param {boolean} again whether what was missed since is still being asked for
   * @returns {number} how many stand above what stood first
   */
  answer(list, next, again) {
    const before = this.all[0]?.id;
    const last = list.at(-1)?.id;
    this.gap = again;
    if (last === undefined) return 0;
    const ids = new Set(list.map((one) => one.id));
    const all = [...list, ...this.all.filter((one) => !ids.has(one.id))].sort((a, b) => newestFirst(a.id, b.id));
    // Where an answer has a next, and does not reach down to what is whole, there are unknown lines
    // in between: they and all that is older are asked for once somebody reads that far.
    const reaches = next === null || (this.whole !== null && newestFirst(this.whole, last) <= 0);
    this.all = reaches ? all : all.filter((one) => newestFirst(one.id, last) <= 0);
    if (this.all.at(-1)?.id === last) this.next = next;
    this.whole = newest([this.whole, list[0].id]);
    return before === undefined ? 0 : Math.max(0, this.all.findIndex((one) => one.id === before));
  }

  /**
   * Takes older lines, which were asked for from `next` on.
   * @param {L[]} list
   * @param {string | null} next
   */
  reach(list, next) {
    // Late ones may have been told already.
    const known = new Set(this.all.map((one) => one.id));
    this.all = [...this.all, ...list.filter((one) => !known.has(one.id))];
    this.next = next;
  }
}

/** @param {(string | null)[]} ids */
function newest(ids) {
  return ids.reduce((a, b) => (a === null || (b !== null && newestFirst(b, a) < 0) ? b : a), null);
}
