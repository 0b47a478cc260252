// What the browser tests share: a vedette of their own, filled with data, the dashboard before it, and
// a browser.

import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { startServer } from './dev-server.mjs';
import { seed } from './seed.mjs';

const BINARY = process.env.VEDETTE_BIN ?? fileURLToPath(new URL('../../target/debug/vedette', import.meta.url));
const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium';
const START_MS = 30_000;

export const WIDTHS = [1440, 900, 390, 320];
export const THEMES = /** @type {const} */ (['light', 'dark']);
export const PAGES = ['', 'metrics?q=node_load1', 'checks', 'checks/mail-relay', 'incidents', 'incidents/1', 'rules', 'rules/checkout-slow', 'experiments', 'features', 'logs', 'settings/storage', 'settings/channels', 'settings/silences', 'settings/maintenance', 'settings/tokens', 'settings/theme', 'settings/shortcuts', 'no-such-page'];

function freePort() {
  return new Promise((resolve) => {
    const server = createServer();
    server.listen(0, '127.0.0.1', () => {
      const { port } = /** @type {any} */ (server.address());
      server.close(() => resolve(port));
    });
  });
}

async function until(what, check, ms = START_MS) {
  const end = Date.now() + ms;
  while (Date.now() < end) {
    if (await check().catch(() => false)) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`waited ${ms} ms for ${what}`);
}

/** A vedette of this test alone. `stop` and `start` are there to be used in the middle of a test. */
export async function startVedette() {
  const directory = await mkdtemp(join(tmpdir(), 'vedette-ui-'));
  const port = await freePort();
  const target = `http://127.0.0.1:${port}`;
  const config = join(directory, 'config.toml');
  await writeFile(config, '[[check]]\nname = "of-the-file"\nkind = "host"\ntarget = "load"\nconditions = ["[LOAD1] >= 0"]\n\n[incidents]\n');
  let child = null;
  const start = async () => {
    child = spawn(BINARY, ['serve', '--config', config, '--listen', `127.0.0.1:${port}`, '--data-dir', join(directory, 'data')], { stdio: 'ignore' });
    const failed = new Promise((_, reject) => child.once('error', (error) => reject(new Error(`${error.message}; build vedette first, or set VEDETTE_BIN`))));
    const ready = until('vedette to be ready', async () => (await fetch(`${target}/-/ready`)).ok);
    await Promise.race([ready, failed]);
  };
  const stop = () => new Promise((resolve) => {
    child.once('exit', resolve);
    child.kill('SIGKILL');
  });
  await start();
  return {
    target,
    start,
    stop,
    async end() {
      if (child.exitCode === null && child.signalCode === null) await stop();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** Everything: vedette, data, the dashboard before it, a browser. */
export async function open({ seeded = true, intercept } = {}) {
  const vedette = await startVedette();
  const endSeed = seeded ? await seed(vedette.target) : () => {};
  const { server, port } = await startServer({ target: vedette.target, intercept });
  const browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox', '--disable-gpu'] });
  const base = `http://127.0.0.1:${port}/ui/`;
  if (seeded) {
    // The failing check opens the first incident as soon as it was asked.
    await until('an incident', async () => (await (await fetch(`${vedette.target}/api/v1/incidents`)).json()).data.length > 1);
  }
  return {
    vedette,
    browser,
    base,
    async end() {
      await browser.close();
      server.close();
      server.closeAllConnections();
      endSeed();
      await vedette.end();
    },
  };
}

/** A page whose errors fail the test: `page.faults` has them. */
export async function newPage(browser, { width = 1440, theme = 'light', ...more } = {}) {
  const context = await browser.newContext({ viewport: { width, height: width < 640 ? 800 : 900 }, colorScheme: theme, ...more });
  const page = await context.newPage();
  page.faults = [];
  page.on('pageerror', (error) => page.faults.push(String(error.stack ?? error)));
  page.on('console', (message) => {
    // Requests that fail are the tests' own doing, or of parts that this version does not have.
    if (message.type() === 'error' && !/Failed to load resource|WebSocket/.test(message.text())) page.faults.push(message.text());
  });
  return page;
}

/** Waits until nothing is loading any more. */
export async function settled(page) {
  await page.waitForSelector('main h1');
  await page.waitForFunction(() => !document.querySelector('main .bones'), null, { timeout: 15_000 });
  await page.waitForTimeout(150);
}

export { until };
