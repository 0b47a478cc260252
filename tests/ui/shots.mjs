// Takes the pictures in docs/screenshots from a demo with the sample data of seed 1:
//
//   node shots.mjs                     all of them
//   node shots.mjs ADDRESS [NAME…]     some, from a vedette that runs, into tests/ui/shots

import { spawn, spawnSync } from 'node:child_process';
import { mkdir, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort, newPage, settled, startBrowser, until } from './browser.mjs';

const BINARY = process.env.VEDETTE_BIN ? resolve(process.env.VEDETTE_BIN) : fileURLToPath(new URL('../../target/debug/vedette', import.meta.url));
const EACH_MAX = 200 * 1024;
const ALL_MAX = 2 * 1024 * 1024;
const SETTLE_MS = 1500;

const get = async (target, path) => (await (await fetch(`${target}/api/v1/${path}`)).json()).data;

/** What is shown: name of the picture, path (of what the instance has), width, theme, and what is done first. */
const SHOTS = [
  { name: 'overview', path: () => '' },
  { name: 'overview-dark', path: () => '', theme: 'dark' },
  { name: 'overview-phone', path: () => '', width: 390 },
  { name: 'overview-tablet-dark', path: () => '', width: 900, theme: 'dark' },
  { name: 'metrics', path: async (target) => {
    const names = await get(target, 'label/__name__/values');
    const query = names.includes('http_request_duration_seconds_bucket') ? 'histogram_quantile(0.95, sum by (le, route) (rate(http_request_duration_seconds_bucket[5m])))' : names.includes('http_requests_total') ? 'sum by (code) (rate(http_requests_total[5m]))' : 'node_load1';
    return `metrics?q=${encodeURIComponent(query)}&range=6h`;
  } },
  { name: 'checks', path: () => 'checks' },
  { name: 'check', path: async (target) => `checks/${worst(await get(target, 'checks?limit=200')).name}` },
  { name: 'incidents', path: () => 'incidents' },
  { name: 'incident', path: async (target) => `incidents/${(await get(target, 'incidents?limit=100')).toSorted((a, b) => weight(b) - weight(a))[0].number}` },
  { name: 'rules', path: () => 'rules' },
  { name: 'rule-form', path: () => 'rules', act: (page) => page.getByRole('button', { name: 'Add rule' }).first().click() },
  { name: 'experiments', path: () => 'experiments' },
  { name: 'experiment', path: async (target) => `experiments/${(await get(target, 'experiments?limit=200')).toSorted((a, b) => Number(b.status === 'running') - Number(a.status === 'running') || b.units - a.units)[0].name}` },
  { name: 'experiment-form', path: () => 'experiments', act: (page) => page.getByRole('button', { name: 'New experiment' }).first().click() },
  { name: 'features', path: () => 'features' },
  { name: 'feature', path: async (target) => `features/${(await get(target, 'features/summary?window=1h')).toSorted((a, b) => b.requests - a.requests)[0].name}` },
  { name: 'logs', path: () => 'logs' },
  { name: 'logs-dark', path: () => 'logs?level=warn', theme: 'dark' },
  { name: 'logs-phone', path: () => 'logs', width: 390 },
  { name: 'incident-phone', path: async (target) => `incidents/${(await get(target, 'incidents?limit=100')).toSorted((a, b) => weight(b) - weight(a))[0].number}`, width: 390, theme: 'dark' },
  { name: 'settings-storage', path: () => 'settings/storage' },
  { name: 'settings-channels', path: () => 'settings/channels' },
];

const RANK = { unhealthy: 0, degraded: 1 };
const worst = (checks) => checks.toSorted((a, b) => (RANK[a.status] ?? 2) - (RANK[b.status] ?? 2))[0];
/** The incident with most to see: of a rule, open, told of. */
const weight = (one) => Number(one.source.kind === 'rule') * 4 + Number(one.status !== 'resolved') * 2 + Math.min(1, one.notes);

async function startDemo() {
  const port = await freePort();
  const target = `http://127.0.0.1:${port}`;
  const child = spawn(BINARY, ['demo', '--seed', '1', '--listen', `127.0.0.1:${port}`], { stdio: 'inherit' });
  await until('the demo to be ready', async () => child.exitCode === null && (await fetch(`${target}/-/ready`)).ok && (await get(target, 'incidents?limit=1')).length > 0, 180_000);
  await new Promise((done) => setTimeout(done, 8_000));
  return { target, end: () => child.kill('SIGTERM') };
}

const [address, ...names] = process.argv.slice(2);
const folder = fileURLToPath(new URL(address ? 'shots/' : '../../docs/screenshots/', import.meta.url));
await mkdir(folder, { recursive: true });
const demo = address ? { target: address, end: () => {} } : await startDemo();
const browser = await startBrowser();
let sum = 0;
try {
  for (const { name, path, width = 1440, theme = 'light', act } of SHOTS) {
    if (names.length && !names.includes(name)) continue;
    const page = await newPage(browser, { width, theme, reducedMotion: 'reduce' });
    await page.goto(`${demo.target}/ui/${await path(demo.target)}`);
    await settled(page);
    await act?.(page);
    await page.waitForTimeout(SETTLE_MS);
    const file = `${folder}${name}.png`;
    // Whole pages on wide screens, as far as that fits a picture; on a phone what a phone shows.
    const height = Math.min(1000, await page.evaluate(() => document.documentElement.scrollHeight));
    if (!act && width > 640) await page.setViewportSize({ width, height: Math.max(900, height) });
    await page.waitForTimeout(400);
    await page.screenshot({ path: file });
    squeeze(file);
    for (const fault of page.faults) console.error(`${name}: ${fault}`);
    const { size } = await stat(file);
    sum += size;
    console.log(`${name}.png ${Math.round(size / 1024)} KiB`);
    if (size > EACH_MAX) console.error(`${name}.png has ${size} bytes, more than ${EACH_MAX}`);
    await page.context().close();
  }
  if (!address && sum > ALL_MAX) throw new Error(`all have ${sum} bytes, more than ${ALL_MAX}`);
} finally {
  await browser.close();
  demo.end();
}

/** Fewer colours where pngquant is there: a page has few. @param {string} file */
function squeeze(file) {
  spawnSync('pngquant', ['--force', '--ext', '.png', '--speed', '1', '128', file]);
}
