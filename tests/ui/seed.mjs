// Fills a running vedette with data to look at: samples with a history, checks of servers that this
// process runs, rules, and what follows from them. For development and for the browser tests.
//
//   node seed.mjs [address of vedette]

import { createServer } from 'node:http';
import { createServer as createTcp } from 'node:net';
import { fileURLToPath } from 'node:url';

const ROUTES = [['/api/search', 0.08], ['/api/checkout', 0.15], ['/api/login', 0.04], ['/api/feed', 0.055], ['/webhooks', 0.025]];
const BOUNDS = [0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 1];
const STEP_S = 15;
const HISTORY_S = 3600;

/** The same numbers with every run. */
function random(seed) {
  let state = seed;
  return () => {
    state = (state * 1664525 + 1013904223) % 4294967296;
    return state / 4294967296;
  };
}

async function post(target, path, body, method = 'POST', type = 'application/json') {
  const response = await fetch(`${target}/api/v1/${path}`, { method, headers: { 'Content-Type': type }, body: typeof body === 'string' ? body : JSON.stringify(body) });
  const text = await response.text();
  if (!response.ok && response.status !== 409) throw new Error(`${path}: ${response.status} ${text.slice(0, 300)}`);
  return text ? JSON.parse(text) : null;
}

/** Requests and latencies of a shop: counters and histograms, an hour back. `slow` makes one route slow. */
class Shop {
  constructor() {
    this.random = random(7);
    this.counts = new Map();
  }

  samples(at, slow) {
    const out = [];
    for (const [route, base] of ROUTES) {
      const wave = 1 + 0.2 * Math.sin(at / 240_000 + base * 90) + 0.15 * (this.random() - 0.5);
      const mean = base * wave * (slow && route === '/api/checkout' ? 2.3 : 1);
      const requests = Math.round(STEP_S * (60 + 40 * this.random()) * (base < 0.1 ? 1.2 : 0.6));
      const state = this.counts.get(route) ?? { total: 0, errors: 0, buckets: BOUNDS.map(() => 0), sum: 0 };
      state.total += requests;
      state.errors += Math.round(requests * 0.002 * (1 + this.random()));
      state.sum += requests * mean;
      BOUNDS.forEach((bound, i) => {
        state.buckets[i] += Math.round(requests * (1 / (1 + Math.exp(-(bound - mean * 0.72) / (mean * 0.16)))));
      });
      this.counts.set(route, state);
      const labels = { job: 'shop', route };
      const add = (name, value, more = {}, type = 'counter') => out.push({ name, value, type, labels: { ...labels, ...more }, at });
      add('http_requests_total', state.total - state.errors, { code: '200' });
      add('http_requests_total', state.errors, { code: '500' });
      BOUNDS.forEach((bound, i) => add('http_request_duration_seconds_bucket', Math.min(state.buckets[i], state.total), { le: String(bound) }));
      add('http_request_duration_seconds_bucket', state.total, { le: '+Inf' });
      add('http_request_duration_seconds_sum', state.sum);
      add('http_request_duration_seconds_count', state.total);
    }
    out.push({ name: 'queue_depth', type: 'gauge', labels: { job: 'orders' }, at, value: Math.round(60 + 25 * Math.sin(at / 500_000) + 20 * this.random()) });
    return out;
  }
}

/**
 * @param {string} target
 * @param {{keep?: boolean}} [options] keep: go on sending and answering checks
 */
export async function seed(target, { keep = true } = {}) {
  const http = createServer((incoming, response) => {
    const wait = incoming.url === '/slow' ? 180 : 8 + Math.random() * 30;
    setTimeout(() => response.writeHead(incoming.url === '/broken' ? 503 : 200).end('{"status":"ok"}'), wait);
  });
  const tcp = createTcp((socket) => socket.on('error', () => {}).end('220 relay\r\n'));
  const port = (server) => new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server.address().port)));
  const [web, relay] = await Promise.all([port(http), port(tcp)]);
  const url = `http://127.0.0.1:${web}`;

  const shop = new Shop();
  const now = Date.now();
  for (let at = now - HISTORY_S * 1000; at <= now; at += STEP_S * 8000) {
    const batch = [];
    for (let one = at; one < Math.min(at + STEP_S * 8000, now); one += STEP_S * 1000) {
      const back = (now - one) / 60_000;
      batch.push(...shop.samples(one, back < 11));
    }
    if (batch.length) await post(target, 'samples', { samples: batch });
  }

  await post(target, 'channels', { name: 'ops', kind: 'webhook', settings: { url: `${url}/hook` } });
  const checks = [
    { name: 'public-api', kind: 'http', target: `${url}/`, conditions: ['[STATUS] == 200', '[BODY].status == ok'] },
    { name: 'checkout', kind: 'http', target: `${url}/slow`, conditions: ['[STATUS] == 200', { condition: '[RESPONSE_TIME] < 100', severity: 'warning' }], feature: 'checkout' },
    { name: 'login', kind: 'http', target: `${url}/login` },
    { name: 'object-storage', kind: 'http', target: `${url}/storage` },
    { name: 'redis-cache', kind: 'tcp', target: `127.0.0.1:${relay}` },
    { name: 'mail-relay', kind: 'tcp', target: '127.0.0.1:1' },
    { name: 'nightly-backup', kind: 'heartbeat', every: '1d' },
  ];
  for (const check of checks) await post(target, 'checks', { every: '5s', ...check });
  await post(target, 'rules', { name: 'checkout-slow', expr: 'histogram_quantile(0.95, sum by (le) (rate(http_request_duration_seconds_bucket{route="/api/checkout"}[1m])))', operator: '>', threshold: 0.18, interval: 5, severity: 'warning', annotations: { summary: 'Checkout p95 above 180 ms' } });
  await post(target, 'rules', { name: 'queue-deep', metric: 'queue_depth', operator: '>', threshold: 150, window: 120, for: '1m', severity: 'info' });
  await post(target, 'silences', { matchers: ['job="batch"'], duration: '2h', comment: 'moving the batch machines', created_by: 'mara' });
  await post(target, 'maintenance', { name: 'nightly-window', matchers: ['job="db"'], recurrence: { cron: '30 2 * * *', duration: '1h', zone: 'Europe/Amsterdam' } });

  await trials(target);
  await logs(target, 3000);

  const send = () => post(target, 'samples', { samples: shop.samples(Date.now(), true) }).catch(() => {});
  await send();
  const timer = keep ? setInterval(send, STEP_S * 1000) : null;
  return () => {
    if (timer) clearInterval(timer);
    http.close();
    http.closeAllConnections();
    tcp.close();
  };
}

/** Experiments of each kind, outcomes of two providers, a feature with two versions of its configuration. */
async function trials(target) {
  const draw = random(11);
  const normal = () => Math.sqrt(-2 * Math.log(draw() || 1e-9)) * Math.cos(2 * Math.PI * draw());
  await post(target, 'experiments', {
    name: 'one-page-checkout', feature: 'checkout', hypothesis: 'One page makes more people finish',
    variants: [{ name: 'control', traffic_weight: 34, is_control: true }, { name: 'b', traffic_weight: 33, configuration: { pages: 1 } }, { name: 'c', traffic_weight: 33, configuration: { pages: 2 } }],
    metrics: [
      { name: 'converted', estimator: 'proportion', better: 'higher', minimum_detectable_effect: 0.01 },
      { name: 'revenue', better: 'higher', role: 'secondary', cap_high: 500 },
      { name: 'latency_ms', better: 'lower', role: 'guardrail', margin: 20, cap_high: 10_000 },
    ],
  });
  await post(target, 'experiments', { name: 'new-engine', kind: 'canary', steps: [{ traffic: 5, hold: '1h' }, { traffic: 50, hold: '1d' }, { traffic: 100 }], variants: [{ name: 'old', traffic_weight: 50, is_control: true }, { name: 'new', traffic_weight: 50 }], metrics: [{ name: 'ok', estimator: 'proportion', better: 'higher' }] });
  await post(target, 'experiments', { name: 'button', kind: 'multivariate', factors: [{ name: 'colour', levels: ['green', 'red'] }, { name: 'text', levels: ['buy', 'order'] }], metrics: [{ name: 'clicked', estimator: 'proportion', better: 'higher' }] });
  await post(target, 'experiments', { name: 'idea', variants: [{ name: 'control', traffic_weight: 50, is_control: true }, { name: 'treatment', traffic_weight: 50 }], metrics: [{ name: 'converted', estimator: 'proportion', better: 'higher' }] });
  for (const name of ['one-page-checkout', 'new-engine', 'button']) await post(target, `experiments/${name}/start`, { by: 'mara' });
  const shares = { control: 0.12, b: 0.17, c: 0.125, old: 0.99, new: 0.99 };
  for (const [name, of] of [['one-page-checkout', (unit, variant) => [
    { unit, metric: 'converted', value: Number(draw() < shares[variant]) },
    { unit, metric: 'revenue', value: Math.max(0, 40 + 12 * normal() + (variant === 'b' ? 1.5 : 0)) },
    { unit, metric: 'latency_ms', value: Math.max(1, 160 + 40 * normal() - (variant === 'b' ? 8 : 0)) },
  ]], ['new-engine', (unit, variant) => [{ unit, metric: 'ok', value: Number(draw() < shares[variant]) }]], ['button', (unit, variant) => [{ unit, metric: 'clicked', value: Number(draw() < (variant.includes('red') ? 0.2 : 0.15)) }]]]) {
    const { data } = await post(target, `experiments/${name}/assign`, { units: Array.from({ length: 2400 }, (_, i) => `user-${i}`) });
    await post(target, `experiments/${name}/results`, { results: data.assignments.filter((one) => one.in_experiment).flatMap((one) => of(one.unit, one.variant)) });
  }
  const outcomes = Array.from({ length: 1200 }, (_, i) => ({ feature: ['checkout', 'search'][i % 2], provider: ['acme', 'globex'][i % 3 ? 0 : 1], model: ['small-2', 'large-1'][i % 3 ? 0 : 1], ok: draw() > 0.01, latency_ms: 120 + 60 * draw() * (i % 3 ? 1 : 3), cost: 0.0004, input_tokens: 310, output_tokens: 45 }));
  await post(target, 'outcomes', { outcomes });
  await post(target, 'features', { name: 'checkout', display_name: 'Checkout', latency_target_ms: 300 });
  await post(target, 'features/checkout/config', { value: { model: 'large-1', limit: 20 }, comment: 'to begin with' }, 'PUT');
  await post(target, 'features/checkout/config', { value: { model: 'small-2', limit: 20, cache: true }, comment: 'cheaper' }, 'PUT');
}

const SAYINGS = [['info', 'api', 'request of /api/checkout took %d ms'], ['debug', 'worker', 'job %d was taken from the queue'], ['info', 'api', 'user %d signed in'], ['warn', 'worker', 'queue is %d deep'], ['error', 'api', 'payment %d was refused: connection reset by peer']];

/** Lines of the last 50 minutes, the newest now. @param {string} target @param {number} count */
export async function logs(target, count, more = {}) {
  const now = Date.now();
  const line = (_, i) => {
    const [level, source, text] = SAYINGS[i % SAYINGS.length];
    return JSON.stringify({ time: new Date(now - ((count - 1 - i) * 3_000_000) / count).toISOString(), level, source, message: text.replace('%d', String(i)), feature: i % 2 ? 'checkout' : 'search', environment: 'production', trace_id: `trace-${i % 97}`, metadata: { n: i }, ...more });
  };
  for (let done = 0; done < count; done += 10_000) {
    const lines = Array.from({ length: Math.min(10_000, count - done) }, (_, i) => line(null, done + i));
    await post(target, 'logs', lines.join('\n'), 'POST', 'application/x-ndjson');
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await seed(process.argv[2] ?? 'http://127.0.0.1:9311');
  console.log('seeded; it goes on until it is stopped');
}
