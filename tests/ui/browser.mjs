// What the browser tests share: a vedette of their own that serves the page itself, filled with data,
// and a browser.

import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { seed } from './seed.mjs';

const BINARY = process.env.VEDETTE_BIN ? resolve(process.env.VEDETTE_BIN) : fileURLToPath(new URL('../../target/debug/vedette', import.meta.url));
const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium';
/** Serves the page from disk instead of from within the binary: for work on it. */
const UI_DIR = process.env.VEDETTE_UI_DIR ? ['--ui-dir', resolve(process.env.VEDETTE_UI_DIR)] : [];
const START_MS = 60_000;

export const WIDTHS = [1440, 900, 390, 320];
export const THEMES = /** @type {const} */ (['light', 'dark']);
/** Where an incident stands for the one of the check that fails for ever: which number it has depends on what else went wrong first. */
export const INCIDENT = 'incidents/mail-relay';
export const PAGES = [
  '', 'metrics?q=node_load1', 'checks', 'checks/mail-relay', 'incidents', INCIDENT, 'rules', 'rules/checkout-slow',
  'experiments', 'experiments/one-page-checkout', 'experiments/new-engine', 'experiments/button', 'experiments/idea',
  'features', 'features/checkout', 'features/~providers', 'features/~provider/acme', 'logs', 'logs?level=error&source=api',
  'settings/storage', 'settings/channels', 'settings/silences', 'settings/maintenance', 'settings/tokens', 'settings/theme', 'settings/shortcuts', 'no-such-page',
];

const CONFIG = `
[[check]]
name = "of-the-file"
kind = "host"
target = "load"
conditions = ["[LOAD1] >= 0"]

[[feature]]
name = "of-the-file"

[incidents]
`;

export function freePort() {
  return new Promise((done) => {
    const server = createServer();
    server.listen(0, '127.0.0.1', () => {
      const { port } = /** @type {any} */ (server.address());
      server.close(() => done(port));
    });
  });
}

export async function until(what, check, ms = START_MS) {
  const end = Date.now() + ms;
  let last;
  while (Date.now() < end) {
    try {
      if (await check()) return;
    } catch (error) {
      last = error;
    }
    await new Promise((done) => setTimeout(done, 100));
  }
  throw new Error(`waited ${ms} ms for ${what}${last ? `: ${last.message}` : ''}`);
}

/** A vedette of this test alone. `stop` (kill -9) and `start` are there to be used in the middle of a test. */
export async function startVedette({ config: text = CONFIG } = {}) {
  const directory = await mkdtemp(join(tmpdir(), 'vedette-ui-'));
  const port = await freePort();
  const target = `http://127.0.0.1:${port}`;
  const config = join(directory, 'config.toml');
  await writeFile(config, text);
  let child = null;
  const start = async () => {
    child = spawn(BINARY, ['serve', '--config', config, '--listen', `127.0.0.1:${port}`, '--data-dir', join(directory, 'data'), ...UI_DIR], { stdio: 'ignore' });
    const failed = new Promise((_, reject) => {
      child.once('error', (error) => reject(new Error(`${error.message}; build vedette first, or set VEDETTE_BIN`)));
      child.once('exit', (code) => reject(new Error(`vedette ended with ${code}`)));
    });
    await Promise.race([until('vedette to be ready', async () => (await fetch(`${target}/-/ready`)).ok), failed]);
  };
  const stop = () => new Promise((done) => {
    child.removeAllListeners('exit');
    child.once('exit', done);
    child.kill('SIGKILL');
  });
  await start();
  return {
    target,
    directory,
    start,
    stop,
    async end() {
      if (child.exitCode === null && child.signalCode === null) await stop();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

export async function startBrowser() {
  if (!existsSync(CHROMIUM)) throw new Error(`${CHROMIUM} is missing; install Debian's chromium, or set CHROMIUM`);
  return chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox', '--disable-gpu'] });
}

/** Everything: vedette, data, a browser. */
export async function open({ seeded = true, config = undefined } = {}) {
  const vedette = await startVedette({ config });
  const endSeed = seeded ? await seed(vedette.target) : () => {};
  const browser = await startBrowser();
  const get = async (path) => {
    const response = await fetch(`${vedette.target}/api/v1/${path}`);
    return response.ok ? (await response.json()).data : null;
  };
  const post = async (path, body, method = 'POST') => {
    const response = await fetch(`${vedette.target}/api/v1/${path}`, { method, body: typeof body === 'string' ? body : JSON.stringify(body) });
    if (!response.ok) throw new Error(`${path}: ${response.status} ${(await response.text()).slice(0, 300)}`);
    return (await response.json().catch(() => ({}))).data;
  };
  let incident = 0;
  if (seeded) {
    // What fails for ever opens incidents as soon as it was asked. Others may come and go by themselves.
    const source = async (name) => (await get('incidents?status=open&limit=200')).find((one) => one.source.name === name)?.number;
    await until('the incidents', async () => {
      incident = await source('mail-relay');
      return incident && await source('checkout-slow');
    });
  }
  return {
    vedette,
    browser,
    base: `${vedette.target}/ui/`,
    incident,
    /** The address of one of `PAGES`. */
    at: (path) => `${vedette.target}/ui/${path === INCIDENT ? `incidents/${incident}` : path}`,
    get,
    post,
    async end() {
      await browser.close();
      endSeed();
      await vedette.end();
    },
  };
}

/** A page whose errors fail the test: `page.faults` has them. */
export async function newPage(browser, { width = 1440, theme = 'light', ...more } = {}) {
  const context = await browser.newContext({ viewport: { width, height: width < 640 ? 800 : 900 }, colorScheme: theme, ...more });
  const page = await context.newPage();
  page.setDefaultTimeout(START_MS);
  page.faults = [];
  page.on('pageerror', (error) => page.faults.push(String(error.stack ?? error)));
  page.on('console', (message) => {
    // Requests that fail are the tests' own doing.
    if (message.type() === 'error' && !/Failed to load resource|WebSocket connection/.test(message.text())) page.faults.push(message.text());
  });
  return page;
}

/** Waits until nothing is loading any more. */
export async function settled(page) {
  await page.waitForSelector('main h1');
  await page.waitForFunction(() => !document.querySelector('main .bones'));
  await page.waitForTimeout(150);
}

/** Waits until what was scheduled for the next frame is in the page. */
export const painted = (page) => page.evaluate(() => new Promise((done) => { requestAnimationFrame(() => requestAnimationFrame(done)); }));

export const dialogButton = (page, name) => page.locator('dialog').getByRole('button', { name, exact: true });

/** Runs with a page at a path, and fails on its faults. */
export async function at(site, path, work, options = {}) {
  const page = await newPage(site.browser, options);
  await page.goto(site.at(path));
  await settled(page);
  await work(page);
  if (page.faults.length) throw new Error(`the page has faults:\n${page.faults.join('\n')}`);
  await page.context().close();
}
