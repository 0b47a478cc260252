// How many units an experiment needs. The usual plan for a difference of two means: two-sided at
// alpha, with the power wanted, arms of the ratio given.

/**
 * The quantile of the standard normal distribution, by a rational approximation (Abramowitz and
 * Stegun 26.2.23) and three steps of Newton.
 * @param {number} p
 */
export function normalQuantile(p) {
  if (!(p > 0 && p < 1)) return NaN;
  const q = Math.sqrt(-2 * Math.log(Math.min(p, 1 - p)));
  let z = q - (2.515517 + 0.802853 * q + 0.010328 * q * q) / (1 + 1.432788 * q + 0.189269 * q * q + 0.001308 * q * q * q);
  const tail = Math.min(p, 1 - p);
  for (let i = 0; i < 3; i += 1) z += (upperTail(z) - tail) / (Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI));
  return p < 0.5 ? -z : z;
}

/** The upper tail of the standard normal distribution for z ≥ 0, by its series and continued fraction. @param {number} z */
function upperTail(z) {
  const density = Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI);
  if (z < 3) {
    let term = z;
    let sum = z;
    for (let k = 1; k < 100 && Math.abs(term) > 1e-17; k += 1) {
      term *= (z * z) / (2 * k + 1);
      sum += term;
    }
    return 0.5 - density * sum;
  }
  let fraction = 0;
  for (let k = 60; k > 0; k -= 1) fraction = k / (z + fraction);
  return density / (z + fraction);
}

/**
 * Units in the control arm and in the other.
 * @param {{variance: number, effect: number, alpha: number, power: number, ratio: number}} plan ratio: units of the other arm for one of the control
 */
export function sampleSize({ variance, effect, alpha, power, ratio }) {
  if (!(variance > 0 && effect > 0 && ratio > 0)) return null;
  const z = normalQuantile(1 - alpha / 2) + normalQuantile(power);
  const other = Math.ceil((z * z * variance * (1 + ratio)) / (effect * effect));
  return { control: Math.ceil(other / ratio), other };
}
