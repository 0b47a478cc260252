// Stands in for the parts of the API that a vedette may not have: experiments, features, logs, the
// live feed. Answers have the shapes that docs/api.md describes. For tests of the page alone.

const DAY_MS = 86_400_000;

const metric = (name, role, better, comparisons, estimator = 'mean') => ({
  name, role, better, kind: 'custom', estimator,
  variants: [['control', true], ...comparisons.map(([variant]) => [variant, false])].map(([variant, control]) => ({ name: variant, is_control: control, n: 16_070, mean: 0.1, variance: 0.09, ci_low: 0.095, ci_high: 0.105, excluded_units: 0 })),
  comparisons: comparisons.map(([variant, lift, low, high, chance]) => ({
    variant, n: [16_070, 16_070], diff: lift / 1000, se: 0.002, p_value: 0.01, p_adjusted: 0.02, ci_low: low / 1000, ci_high: high / 1000, log_e: 4,
    significant: low > 0 || high < 0, ever_significant_at: null, readiness: 'ready',
    relative: { lift: lift / 100, ci_low: low / 100, ci_high: high / 100 },
    fixed: { t: 2, df: 32_000, p_value: 0.01, ci_low: low / 1000, ci_high: high / 1000 },
    bayes: { chance_to_win: chance, expected_loss: 0.0001 }, power: { mde: 0.01, power_at_mde: 0.8, mde_at_80: 0.01, n_needed: 9000 },
  })),
});

export const analysis = {
  experiment: 'one-page-checkout', kind: 'ab_test', status: 'running', started_at: new Date(Date.now() - 9 * DAY_MS).toISOString(), duration_days: 8.6, total_samples: 48_210, alpha: 0.05, confidence_level: 0.95, method: 'sequential', correction: 'holm',
  srm: { chi2: 1.2, df: 2, p_value: 0.55, p_sequential: 1, alarm: false, observed: [16_070, 16_090, 16_050], expected: [16_070, 16_070, 16_070] },
  epochs: [], effects: [], guardrails: [],
  metrics: [
    metric('conversion', 'primary', 'higher', [['b', 4.2, 1.2, 7.2, 0.997], ['c', 0.9, -2, 3.8, 0.73]], 'proportion'),
    metric('revenue-per-user', 'secondary', 'higher', [['b', 2.9, -1.2, 7, 0.92], ['c', -1.2, -5.1, 2.7, 0.27]]),
    metric('page-load-p75', 'guardrail', 'lower', [['b', -5.1, -7.6, -2.6, 0.999], ['c', -0.4, -2.9, 2.1, 0.63]], 'quantile'),
    metric('error-rate', 'guardrail', 'lower', [['b', 1.1, -3.6, 5.8, 0.32], ['c', 5.6, 1.3, 9.9, 0.005]], 'proportion'),
  ],
  winner: null, decision: 'continue', reasons: ['c is worse on the guardrail error-rate'],
};

export const experiment = {
  name: 'one-page-checkout', kind: 'ab_test', status: 'running', origin: 'api', hypothesis: 'One page makes more people finish', feature: 'checkout', traffic_allocation: 100, units: 48_210, results: 96_000, possible: ['pause', 'complete', 'cancel'],
  started_at: analysis.started_at,
  variants: [{ name: 'control', traffic_weight: 34, is_control: true }, { name: 'b', traffic_weight: 33 }, { name: 'c', traffic_weight: 33 }],
  metrics: analysis.metrics.map(({ name, role, better, estimator }) => ({ name, role, better, estimator })), guardrails: [], analysis: { method: 'sequential', alpha: 0.05, correction: 'holm' },
};

const feature = { name: 'checkout', display_name: 'Checkout', origin: 'api', status: 'degraded', health_score: 71.5, health: [{ part: 'availability', score: 0.99, weight: 0.4 }, { part: 'latency', score: 0.5, weight: 0.3 }], availability: 0.9986, availability_from: 'checks', requests: 48_210, requests_per_minute: 803, errors: 104, error_rate: 0.00216, success_rate: 0.99784, latency_ms: { mean: 120, p50: 98, p95: 412, p99: 800 }, cost: 12.4, cost_per_request: 0.000257, tokens: { input: 120_000, output: 48_000 }, checks: ['checkout'], open_incidents_count: 0, open_incidents: [] };
const versions = [{ feature: 'checkout', version: 2, value: { model: 'small', limit: 4 }, author: 'mara', comment: 'cheaper', at: new Date().toISOString() }, { feature: 'checkout', version: 1, value: { model: 'large' }, author: 'mara', comment: '', at: new Date(Date.now() - DAY_MS).toISOString() }];

const LEVELS = ['info', 'info', 'debug', 'warn', 'error'];
export const lines = (count, at = Date.now()) => Array.from({ length: count }, (_, i) => ({ id: String(count - i), time: new Date(at - i * 20).toISOString(), level: LEVELS[i % 5], source: ['api', 'worker'][i % 2], message: `request ${count - i} of /api/checkout took ${i % 400} ms`, metadata: { n: i } }));

/**
 * @param {{logs?: number, feed?: 'sse' | 'poll' | '', drop?: () => boolean}} [options]
 */
export function standIn({ logs = 0, feed = '' } = {}) {
  const made = [];
  /** @type {Set<any>} */
  const streams = new Set();
  let nextId = 100;
  const json = (response, data, status = 200) => {
    response.writeHead(status, { 'Content-Type': 'application/json' });
    response.end(JSON.stringify({ status: 'success', data }));
  };
  const intercept = (incoming, response) => {
    const url = new URL(incoming.url, 'http://x');
    const path = url.pathname.replace('/api/v1/', '');
    if (path === 'experiments' && incoming.method === 'POST') {
      let text = '';
      incoming.on('data', (chunk) => { text += chunk; });
      incoming.on('end', () => {
        made.push(JSON.parse(text));
        json(response, { ...made.at(-1), origin: 'api', status: 'draft' }, 201);
      });
      return true;
    }
    if (path === 'experiments') return json(response, [experiment, ...made.map((one) => ({ ...one, origin: 'api', status: 'draft' }))]), true;
    if (/^experiments\/[^/]+\/analysis$/.test(path)) return json(response, analysis), true;
    if (/^experiments\/[^/]+\/audit$/.test(path)) return json(response, [{ number: 2, at: analysis.started_at, kind: 'started', by: 'mara' }, { number: 1, at: analysis.started_at, kind: 'created', by: 'mara' }]), true;
    if (/^experiments\/[^/]+$/.test(path)) return json(response, made.find((one) => path.endsWith(one.name)) ? { ...made.find((one) => path.endsWith(one.name)), origin: 'api', status: 'draft' } : experiment), true;
    if (path === 'features/summary') return json(response, [feature]), true;
    if (path === 'features/checkout/summary' || path === 'features/checkout') return json(response, feature), true;
    if (path === 'features/checkout/config/history') return json(response, versions), true;
    if (path === 'logs' && logs) return json(response, lines(Math.min(logs, 50_000))), true;
    if (path === 'overview' && feed) return json(response, { live_id: nextId }), true;
    if (path === 'live/events' && feed === 'sse') {
      response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-cache' });
      response.write(': hello\n\n');
      streams.add(response);
      response.on('close', () => streams.delete(response));
      return true;
    }
    if (path === 'live/poll' && feed) return json(response, { events: [], next: nextId }), true;
    return false;
  };
  return {
    intercept,
    made,
    streams,
    /** Tells all streams a frame. */
    tell(type, data) {
      nextId += 1;
      for (const stream of streams) stream.write(`id: ${nextId}\ndata: ${JSON.stringify({ id: nextId, type, data })}\n\n`);
    },
  };
}
