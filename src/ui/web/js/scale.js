// Axes and columns: the arithmetic of charts, without a canvas. Pure functions only.

/**
 * A round step that gives about `count` of them.
 * @param {number} length
 * @param {number} count
 * @param {boolean} [binary] for bytes
 */
export function roundStep(length, count, binary = false) {
  const raw = length / Math.max(1, count);
  if (!(raw > 0)) return 1;
  const base = binary && raw >= 1024 ? 1024 ** Math.floor(Math.log(raw) / Math.log(1024)) : 1;
  const power = 10 ** Math.floor(Math.log10(raw / base));
  const factor = raw / base / power;
  return base * power * (factor <= 1 ? 1 : factor <= 2 ? 2 : factor <= 2.5 ? 2.5 : factor <= 5 ? 5 : 10);
}

const TIME_STEPS_S = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400, 172_800, 604_800, 1_209_600];

/**
 * Moments for the time axis, on round local times.
 * @param {number} from ms
 * @param {number} to ms
 * @param {number} count
 * @returns {{at: number[], step: number}}
 */
export function timeTicks(from, to, count) {
  const wanted = (to - from) / 1000 / Math.max(1, count);
  const step = (TIME_STEPS_S.find((one) => one >= wanted) ?? 2_592_000) * 1000;
  const shift = new Date(from).getTimezoneOffset() * 60_000;
  const at = [];
  for (let ms = Math.ceil((from - shift) / step) * step + shift; ms <= to; ms += step) at.push(ms);
  return { at, step };
}

/**
 * The lowest and highest value between two moments.
 * @param {{x: Float64Array, y: Float32Array}[]} series
 * @param {number} from
 * @param {number} to
 */
export function extent(series, from, to) {
  let low = Infinity;
  let high = -Infinity;
  for (const { x, y } of series) {
    for (let i = indexAt(x, from); i < x.length && x[i] <= to; i += 1) {
      const value = y[i];
      if (!Number.isFinite(value)) continue;
      if (value < low) low = value;
      if (value > high) high = value;
    }
  }
  return { low, high };
}

/**
 * The place of the first moment that is not before `at`.
 * @param {Float64Array} x
 * @param {number} at
 */
export function indexAt(x, at) {
  let low = 0;
  let high = x.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (x[middle] < at) low = middle + 1;
    else high = middle;
  }
  return low;
}

/**
 * The place of the moment nearest to `at`, or -1 if none is within `reach`.
 * @param {Float64Array} x
 * @param {number} at
 * @param {number} reach
 */
export function nearest(x, at, reach) {
  const after = indexAt(x, at);
  const best = after > 0 && (after === x.length || at - x[after - 1] < x[after] - at) ? after - 1 : after;
  return best < x.length && Math.abs(x[best] - at) <= reach ? best : -1;
}

/**
 * The axis of values: from zero where nothing is below it. A high end that still fits is kept, so that
 * the axis does not jump with every sample.
 * @param {number} low
 * @param {number} high
 * @param {{low: number, high: number} | null} before
 * @param {number} count
 * @param {boolean} binary
 */
export function valueAxis(low, high, before, count, binary) {
  let bottom = Math.min(0, low);
  let top = Math.max(high, bottom === 0 ? 0 : -Infinity);
  if (!Number.isFinite(bottom) || !Number.isFinite(top)) [bottom, top] = [0, 1];
  if (top === bottom) top = bottom + (Math.abs(bottom) || 1);
  const step = roundStep((top - bottom) * 1.05, count, binary);
  const ends = { low: Math.floor(bottom / step) * step, high: Math.ceil((top * (top > 0 ? 1.02 : 1)) / step) * step };
  if (before && before.low <= bottom && before.high >= top && before.high - before.low <= (ends.high - ends.low) * 1.6) {
    return { ...before, step: roundStep(before.high - before.low, count, binary) };
  }
  return { ...ends, step };
}

/**
 * Traces a line, at most four points per column: first, lowest, highest and last, in the order of time.
 * What is not a number, and what is further apart than `gap`, breaks it.
 * @param {{x: Float64Array, y: Float32Array}} series
 * @param {(ms: number) => number} px
 * @param {(value: number) => number} py
 * @param {number} from
 * @param {number} to
 * @param {number} gap ms
 * @param {number} column px
 * @param {(x: number, y: number, begins: boolean) => void} point
 */
export function trace({ x, y }, px, py, from, to, gap, column, point) {
  const first = Math.max(0, indexAt(x, from) - 1);
  const dense = (indexAt(x, to) - first) * column > px(to) - px(from);
  let begins = true;
  let at = NaN;
  let held = /** @type {number[]} */ ([]);
  const flush = () => {
    for (const i of held) {
      point(px(x[i]), py(y[i]), begins);
      begins = false;
    }
    held = [];
  };
  for (let i = first; i < x.length; i += 1) {
    const broken = !Number.isFinite(y[i]) || (i > first && x[i] - x[i - 1] > gap);
    if (broken) {
      flush();
      begins = true;
      at = NaN;
      if (!Number.isFinite(y[i])) continue;
    }
    if (!dense) {
      point(px(x[i]), py(y[i]), begins);
      begins = false;
    } else {
      const bucket = Math.floor(px(x[i]) / column);
      if (bucket !== at) {
        flush();
        at = bucket;
        held = [i];
      } else {
        held = reduce(y, held, i);
      }
    }
    if (x[i] > to) break;
  }
  flush();
}

/**
 * Keeps the first, the lowest, the highest and the last.
 * @param {Float32Array} y
 * @param {number[]} held
 * @param {number} next
 */
function reduce(y, held, next) {
  const all = [...held, next];
  let low = all[0];
  let high = all[0];
  for (const i of all) {
    if (y[i] < y[low]) low = i;
    if (y[i] > y[high]) high = i;
  }
  return [...new Set([all[0], low, high, next])].sort((a, b) => a - b);
}
