// Numbers, times and names as people read them. Pure functions only.

const MINUS = '\u2212';
export const NBSP = '\u00a0';

/**
 * A number with as many digits as say something: 0.22, 4.1, 157, 12,400.
 * @param {number | null | undefined} value
 * @param {number} [digits] significant ones
 */
export function number(value, digits = 3) {
  if (value === null || value === undefined || Number.isNaN(value)) return '–';
  if (!Number.isFinite(value)) return value > 0 ? '∞' : `${MINUS}∞`;
  const size = Math.abs(value);
  let text;
  if (size >= 1e15 || (size > 0 && size < 1e-6)) text = value.toExponential(2);
  else if (size >= 10 ** (digits - 1)) text = Math.round(value).toLocaleString('en-US');
  else text = String(Number(value.toPrecision(digits)));
  return text.replace('-', MINUS);
}

const SI = [[1e12, 'T'], [1e9, 'G'], [1e6, 'M'], [1e3, 'k']];

/** @param {number | null | undefined} value */
export function short(value) {
  if (value === null || value === undefined) return '–';
  const size = Math.abs(value);
  if (size >= 10_000) {
    for (const [step, sign] of SI) {
      if (size >= /** @type {number} */ (step)) return `${number(value / /** @type {number} */ (step))}${NBSP}${sign}`;
    }
  }
  return number(value);
}

/** Percent with the digits that matter: 0.22, 4.1, 61. @param {number} value */
function share(value) {
  const size = Math.abs(value);
  return number(value, size >= 10 ? 2 : size >= 1 ? 2 : size >= 0.1 ? 2 : 1).replace(/^(\u2212?)1e\+2$/, '$1100');
}

/**
 * A value with its unit, as two parts so that the unit can be set smaller.
 * @param {number | null | undefined} value
 * @param {string} unit s, ms, bytes, bytes/s, %, ratio, /s or any other word
 * @returns {[string, string]}
 */
export function quantity(value, unit) {
  if (value === null || value === undefined || Number.isNaN(value)) return ['–', ''];
  if (unit === 's' || unit === 'ms') {
    const seconds = unit === 'ms' ? value / 1000 : value;
    const size = Math.abs(seconds);
    if (size >= 86_400) return [number(seconds / 86_400), 'd'];
    if (size >= 3600) return [number(seconds / 3600), 'h'];
    if (size >= 120) return [number(seconds / 60), 'min'];
    if (size >= 1) return [number(seconds), 's'];
    if (size >= 0.001 || size === 0) return [number(seconds * 1000), 'ms'];
    return [number(seconds * 1e6), 'µs'];
  }
  if (unit === 'bytes' || unit === 'bytes/s') {
    const end = unit === 'bytes' ? 'B' : 'B/s';
    const steps = ['', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi'];
    let step = 0;
    let left = value;
    while (Math.abs(left) >= 1024 && step < steps.length - 1) {
      left /= 1024;
      step += 1;
    }
    return [number(left), steps[step] + end];
  }
  if (unit === 'ratio') return [share(value * 100), '%'];
  if (unit === '%') return [share(value), '%'];
  const text = short(value).split(NBSP);
  return [text[0], [text[1], unit].filter(Boolean).join(' ')];
}

/**
 * @param {number | null | undefined} value
 * @param {string} unit
 */
export function withUnit(value, unit) {
  const [figure, sign] = quantity(value, unit);
  return sign ? `${figure}${NBSP}${sign}` : figure;
}

/** @param {number | null | undefined} percent 0–100 */
export function percent(percent) {
  if (percent === null || percent === undefined) return '–';
  // What is not all of it must never read as 100 %.
  const text = percent >= 99.995 && percent < 100 ? '99.99' : percent.toFixed(2);
  return `${text}${NBSP}%`;
}

/**
 * A signed number with a fixed number of decimals: +4.2, −1.0.
 * @param {number} value
 * @param {number} decimals
 */
export function signed(value, decimals = 1) {
  const text = Math.abs(value).toFixed(decimals);
  return `${value < 0 && Number(text) !== 0 ? MINUS : '+'}${text}`;
}

const SPANS = [['d', 86_400], ['h', 3600], ['m', 60], ['s', 1]];

/**
 * A length of time in its largest unit: 4 m, 3 h, 12 d.
 * @param {number} seconds
 */
export function span(seconds) {
  const size = Math.max(0, seconds);
  for (const [unit, length] of SPANS) {
    if (size >= /** @type {number} */ (length)) return `${Math.floor(size / /** @type {number} */ (length))}${NBSP}${unit}`;
  }
  return `0${NBSP}s`;
}

/**
 * A length of time in Prometheus's form, exactly: 90 is 1m30s.
 * @param {number | null | undefined} seconds
 */
export function duration(seconds) {
  if (seconds === null || seconds === undefined) return '';
  if (seconds === 0) return '0s';
  let left = Math.round(seconds * 1000);
  let text = '';
  for (const [unit, ms] of /** @type {[string, number][]} */ ([['d', 86_400_000], ['h', 3_600_000], ['m', 60_000], ['s', 1000], ['ms', 1]])) {
    const count = Math.floor(left / ms);
    if (count) text += `${count}${unit}`;
    left -= count * ms;
  }
  return text;
}

/**
 * Seconds of a duration in Prometheus's form, or null.
 * @param {string} text
 */
export function parseDuration(text) {
  const clean = text.trim();
  if (/^\d+(\.\d+)?$/.test(clean)) return Number(clean);
  if (!/^(\d+(ms|s|m|h|d|w|y))+$/.test(clean)) return null;
  const length = /** @type {Record<string, number>} */ ({ ms: 0.001, s: 1, m: 60, h: 3600, d: 86_400, w: 604_800, y: 31_536_000 });
  let sum = 0;
  for (const [, count, unit] of clean.matchAll(/(\d+)(ms|s|m|h|d|w|y)/g)) sum += Number(count) * length[unit];
  return sum;
}

/** @param {number} value */
const two = (value) => String(value).padStart(2, '0');

/**
 * The time of day in the reader's zone.
 * @param {number} ms
 * @param {boolean} [seconds]
 */
export function clock(ms, seconds = true) {
  const date = new Date(ms);
  return `${two(date.getHours())}:${two(date.getMinutes())}${seconds ? `:${two(date.getSeconds())}` : ''}`;
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** @param {number} ms */
export function day(ms) {
  const date = new Date(ms);
  return `${date.getDate()}${NBSP}${MONTHS[date.getMonth()]}`;
}

/**
 * A moment: the time alone when it is today, else with its day.
 * @param {string | number | null | undefined} at
 */
export function moment(at) {
  if (at === null || at === undefined) return '–';
  const ms = typeof at === 'number' ? at : Date.parse(at);
  if (Number.isNaN(ms)) return '–';
  const today = new Date().toDateString() === new Date(ms).toDateString();
  return today ? clock(ms) : `${day(ms)} ${clock(ms, false)}`;
}

/**
 * How long ago.
 * @param {string | null | undefined} at
 */
export function ago(at) {
  return at ? span((Date.now() - Date.parse(at)) / 1000) : '–';
}

/**
 * The value for an input of the type datetime-local.
 * @param {number} ms
 */
export function localInput(ms) {
  const date = new Date(ms);
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}T${clock(ms, false)}`;
}

/**
 * @param {number} count
 * @param {string} one
 * @param {string} [many]
 */
export function plural(count, one, many = `${one}s`) {
  return `${count.toLocaleString('en-US')} ${count === 1 ? one : many}`;
}

/**
 * The unit that the name of a metric tells, as Prometheus's conventions have it.
 * @param {string} name
 */
export function unitOf(name) {
  // What is divided by something has another unit, or none. Texts and ranges divide nothing.
  if (name.replace(/\{[^}]*\}|\[[^\]]*\]/g, '').includes('/')) return '';
  const base = name.replace(/_(total|sum|bucket|count)$/, '');
  // A quantile of a histogram has the unit of what was measured, not of how often.
  const rate = /\b(rate|irate|increase)\(/.test(name) && !/\bhistogram_(quantile|avg)\(/.test(name);
  const metric = /([a-zA-Z_:][a-zA-Z0-9_:]*)\s*[{[]/.exec(name)?.[1] ?? base;
  if (/_bytes(_total)?$/.test(metric)) return rate ? 'bytes/s' : 'bytes';
  if (/_seconds(_bucket|_sum|_total)?$/.test(metric)) return rate ? '' : 's';
  if (/_ms$|_milliseconds$/.test(metric)) return 'ms';
  if (/_ratio$/.test(metric)) return 'ratio';
  if (/_percent$/.test(metric)) return '%';
  return rate ? '/s' : '';
}

/**
 * A series' labels as PromQL writes them.
 * @param {Record<string, string>} labels
 */
export function seriesName(labels) {
  const { __name__: name = '', ...rest } = labels;
  const inside = Object.entries(rest).map(([label, value]) => `${label}=${JSON.stringify(value)}`);
  return `${name}${inside.length ? `{${inside.join(', ')}}` : ''}` || '{}';
}

/** Labels that say best what a series is, best first. */
const TELLING = ['route', 'check', 'feature', 'variant', 'phase', 'mode', 'device', 'mountpoint', 'model', 'provider', 'code', 'status', 'instance', 'job'];

/**
 * Short names for series drawn together: the fewest labels that tell them apart.
 * @param {Record<string, string>[]} all
 */
export function shortNames(all) {
  if (all.length === 1) return [all[0].__name__ ?? (Object.values(all[0]).join(' · ') || 'value')];
  const rank = (/** @type {string} */ name) => (TELLING.indexOf(name) + 1 || TELLING.length + 1);
  const names = [...new Set(all.flatMap((labels) => Object.keys(labels)))];
  const differ = names.filter((name) => new Set(all.map((labels) => labels[name] ?? '')).size > 1).sort((a, b) => rank(a) - rank(b));
  const used = /** @type {string[]} */ ([]);
  const kinds = () => new Set(all.map((labels) => used.map((name) => labels[name] ?? '').join('\0'))).size;
  for (const name of differ) {
    const before = used.length ? kinds() : 1;
    if (before === all.length) break;
    used.push(name);
    if (kinds() === before) used.pop();
  }
  return all.map((labels) => used.map((name) => labels[name]).filter(Boolean).join(' · ') || seriesName(labels));
}

/**
 * A text of the server with its times as this page writes them.
 * @param {string} text
 */
export function withLocalTimes(text) {
  return text.replace(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z/g, (at) => moment(at));
}
