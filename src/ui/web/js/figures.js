// Which key figures there are, and the queries behind them. A figure is shown where its metrics
// exist; the first six make the strip.

import { h } from './core.js';
import { number, quantity } from './format.js';
import { spark } from './beats.js';

/**
 * @typedef {object} Figure
 * @property {string} name
 * @property {string} unit
 * @property {string} query
 * @property {string} needs the metric without which it says nothing
 * @property {'higher' | 'lower' | ''} better
 */

/** @type {Figure[]} */
export const FIGURES = [
  { name: 'Requests', unit: '/s', needs: 'vedette_outcomes_total', better: '', query: 'sum(rate(vedette_outcomes_total[1m]))' },
  { name: 'Requests', unit: '/s', needs: 'http_requests_total', better: '', query: 'sum(rate(http_requests_total[1m]))' },
  { name: 'Latency p95', unit: 's', needs: 'vedette_outcome_latency_seconds_bucket', better: 'lower', query: 'histogram_quantile(0.95, sum by (le) (rate(vedette_outcome_latency_seconds_bucket[5m])))' },
  { name: 'Latency p95', unit: 's', needs: 'http_request_duration_seconds_bucket', better: 'lower', query: 'histogram_quantile(0.95, sum by (le) (rate(http_request_duration_seconds_bucket[5m])))' },
  { name: 'Error rate', unit: 'ratio', needs: 'vedette_outcomes_total', better: 'lower', query: '(sum(rate(vedette_outcomes_total{ok="false"}[5m])) or vector(0)) / sum(rate(vedette_outcomes_total[5m]))' },
  { name: 'Error rate', unit: 'ratio', needs: 'http_requests_total', better: 'lower', query: '(sum(rate(http_requests_total{code=~"5.."}[5m])) or vector(0)) / sum(rate(http_requests_total[5m]))' },
  { name: 'CPU', unit: 'ratio', needs: 'node_cpu_seconds_total', better: 'lower', query: '1 - avg(rate(node_cpu_seconds_total{mode="idle"}[1m]))' },
  { name: 'Memory', unit: 'ratio', needs: 'node_memory_MemAvailable_bytes', better: 'lower', query: '1 - sum(node_memory_MemAvailable_bytes) / sum(node_memory_MemTotal_bytes)' },
  { name: 'Disk', unit: 'ratio', needs: 'node_filesystem_avail_bytes', better: 'lower', query: 'max(1 - node_filesystem_avail_bytes{fstype!~"tmpfs|overlay|squashfs"} / node_filesystem_size_bytes) or max(1 - node_filesystem_avail_bytes / node_filesystem_size_bytes)' },
  { name: 'Load', unit: '', needs: 'node_load1', better: 'lower', query: 'avg(node_load1)' },
  { name: 'Network in', unit: 'bytes/s', needs: 'node_network_receive_bytes_total', better: '', query: 'sum(rate(node_network_receive_bytes_total{device!="lo"}[1m]))' },
  { name: 'Samples taken in', unit: '/s', needs: 'vedette_samples_ingested_total', better: '', query: 'sum(rate(vedette_samples_ingested_total[1m]))' },
];

/**
 * @param {Set<string>} metrics those that exist
 * @param {number} count
 */
export function choose(metrics, count = 6) {
  const chosen = /** @type {Figure[]} */ ([]);
  for (const figure of FIGURES) {
    if (chosen.length < count && metrics.has(figure.needs) && !chosen.some((one) => one.name === figure.name)) chosen.push(figure);
  }
  return chosen;
}

/**
 * How a figure moved: the mean of the last quarter against that of the first half.
 * @param {number[]} values
 * @param {'higher' | 'lower' | ''} better
 */
function change(values, better) {
  const known = values.filter(Number.isFinite);
  if (known.length < 8) return { text: '', tone: '' };
  const mean = (/** @type {number[]} */ list) => list.reduce((a, b) => a + b, 0) / list.length;
  const before = mean(known.slice(0, Math.floor(known.length / 2)));
  const now = mean(known.slice(-Math.ceil(known.length / 4)));
  if (before === 0) return { text: now === 0 ? 'steady' : '', tone: '' };
  const percent = Math.round((now / before - 1) * 100);
  if (Math.abs(percent) < 2) return { text: 'steady', tone: '' };
  const rose = percent > 0;
  const worse = better && rose === (better === 'lower') && Math.abs(percent) >= 10;
  return { text: `${rose ? '↑' : '↓'} ${number(Math.abs(percent))} %`, tone: worse ? 'crit' : '' };
}

/**
 * @param {{figure: Figure, values: number[]}[]} all
 */
export function strip(all) {
  return h('section.figures', { 'aria-label': 'Key figures' }, all.map(({ figure, values }) => {
    const last = values.findLast((value) => Number.isFinite(value));
    const [text, unit] = quantity(last, figure.unit);
    const { text: moved, tone } = change(values, figure.better);
    return h('div.figure', { key: figure.name },
      h('span.name', figure.name),
      h('span.value', text, h('span.unit', unit)),
      h('span.change', { class: tone }, moved),
      spark(values));
  }));
}
