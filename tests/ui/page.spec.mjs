// What the page weighs, that nothing moves for those who do not want it, that its memory stays flat,
// that long lists stay short in the page.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { newPage, open, PAGES, painted, settled, until } from './browser.mjs';
import { logs } from './seed.mjs';

const FIRST_LOAD_MAX = 60 * 1024;
const UPDATES = 3600;
const LOG_LINES = 50_000;
const CSP = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'";
let site;

before(async () => {
  site = await open();
  await logs(site.vedette.target, LOG_LINES);
}, { timeout: 240_000 });

after(() => site?.end());

test('the first load has at most 60 KB, packed', { timeout: 180_000 }, async (context) => {
  const page = await newPage(site.browser);
  const sizes = new Map();
  page.on('response', async (response) => {
    const path = new URL(response.url()).pathname;
    if (path.startsWith('/ui/')) sizes.set(path, gzipSync(await response.body(), { level: 6 }).length);
  });
  await page.goto(site.base);
  await settled(page);
  const sum = [...sizes.values()].reduce((a, b) => a + b, 0);
  context.diagnostic(`${sum} bytes in ${sizes.size} files`);
  assert.ok(sizes.size > 10, 'the files were seen');
  assert.ok(sum <= FIRST_LOAD_MAX, `${sum} bytes: ${[...sizes].map(([path, size]) => `${path} ${size}`).join(', ')}`);
  await page.context().close();
});

test('the policy holds on every page', { timeout: 240_000 }, async () => {
  const page = await newPage(site.browser);
  const response = await page.goto(site.base);
  assert.equal(response.headers()['content-security-policy'], CSP);
  for (const path of PAGES) {
    await page.goto(site.at(path));
    await settled(page);
  }
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('nothing moves where less motion is wanted, and nothing moves for ever', { timeout: 180_000 }, async () => {
  for (const reducedMotion of ['reduce', 'no-preference']) {
    const page = await newPage(site.browser, { reducedMotion });
    for (const path of ['', 'checks', 'settings/theme', 'rules']) {
      await page.goto(site.base + path);
      await settled(page);
      const running = await page.evaluate(() => document.getAnimations().map((one) => one.effect?.getComputedTiming().iterations));
      if (reducedMotion === 'reduce') assert.deepEqual(running, []);
      assert.ok(!running.includes(Infinity));
      const moves = await page.evaluate(() => [...document.querySelectorAll('*')].filter((element) => getComputedStyle(element).transitionDuration.split(',').some((time) => Number.parseFloat(time) > 0)).length);
      if (reducedMotion === 'reduce') assert.equal(moves, 0, 'no transitions');
    }
    await page.context().close();
  }
});

test('results of a check a second ago are shown, without asking for the list again', { timeout: 180_000 }, async () => {
  const page = await newPage(site.browser);
  await page.goto(site.base);
  await settled(page);
  await page.waitForFunction(() => document.querySelector('.live')?.textContent === 'Live');
  const empty = () => page.$$eval('v-beats', (all) => all.filter((one) => !one.querySelector('path')).length);
  await until('a result of each', async () => (await empty()) === 0);
  // Now and then the page asks by itself; it gets no answer, so that only the frame can say it.
  await page.route('**/api/v1/checks?*', (route) => route.abort());
  const results = () => page.$$eval('v-beats svg', (all) => all.map((one) => one.getAttribute('aria-label')).join());
  const first = await results();
  await site.post('checks/public-api/run', '');
  await page.waitForFunction((before) => [...document.querySelectorAll('v-beats svg')].map((one) => one.getAttribute('aria-label')).join() !== before, first);
  await page.waitForTimeout(1500);
  assert.equal(await empty(), 0, 'an update of one leaves the bars of the others alone');
  await page.context().close();
});

test('3,600 updates of the overview leave the memory flat and touch what changed', { timeout: 600_000 }, async (context) => {
  const page = await newPage(site.browser);
  await page.goto(site.base);
  await settled(page);
  const session = await page.context().newCDPSession(page);
  await session.send('HeapProfiler.enable');
  await session.send('Performance.enable');
  const used = async () => {
    // The lowest of three: what happens to be under way is no drift.
    const sizes = [];
    for (let i = 0; i < 3; i += 1) {
      await session.send('HeapProfiler.collectGarbage');
      sizes.push((await session.send('Runtime.getHeapUsage')).usedSize);
      await page.waitForTimeout(200);
    }
    return Math.min(...sizes);
  };
  const scripting = async () => (await session.send('Performance.getMetrics')).metrics.find((one) => one.name === 'ScriptDuration').value;
  const update = (count) => page.evaluate(async (times) => {
    const store = await import(new URL('store.js', document.querySelector('script[type=module]').src).href);
    for (let i = 0; i < times; i += 1) {
      // New objects each time, as they come from the server.
      store.checks.data = structuredClone(store.checks.data);
      store.incidents.data = structuredClone(store.incidents.data);
      store.overview.data = structuredClone(store.overview.data);
      for (const one of store.checks.data) one.response_time_ms = Math.random() * 100;
      for (const one of store.overview.data.metrics) one.points = [...one.points.slice(1), [Date.now(), Math.random()]];
      store.overview.changed.value += 1;
      store.checks.changed.value += 1;
      store.incidents.changed.value += 1;
      await new Promise((resolve) => requestAnimationFrame(resolve));
    }
  }, count);
  await update(600);
  // What it costs is printed, as that is the machine's too; what it touches is the page's alone.
  await page.evaluate(() => {
    globalThis.touched = { made: 0, changed: 0 };
    globalThis.watching = new MutationObserver((all) => all.forEach((one) => {
      globalThis.touched.made += one.addedNodes.length;
      globalThis.touched.changed += 1;
    }));
    globalThis.watching.observe(document.querySelector('main'), { childList: true, characterData: true, attributes: true, subtree: true });
  });
  await update(100);
  const [touched, elements] = await page.evaluate(() => {
    globalThis.watching.disconnect();
    return [globalThis.touched, document.querySelectorAll('main *').length];
  });
  context.diagnostic(`${touched.made / 100} nodes made and ${touched.changed / 100} changes an update, of ${elements} elements`);
  assert.ok(touched.changed > 0, 'the updates are seen');
  // A page that were built anew would make each element a hundred times; what the feed tells meanwhile makes some.
  assert.ok(touched.made < 10 * elements && touched.changed < 100 * elements, 'an update changes what is new, and builds nothing anew');
  const [before_, script] = [await used(), await scripting()];
  await update(UPDATES);
  const [after_, spent] = [await used(), ((await scripting()) - script) / UPDATES];
  context.diagnostic(`${(before_ / 1e6).toFixed(2)} MB before, ${(after_ / 1e6).toFixed(2)} MB after, ${(spent * 1000).toFixed(2)} ms an update`);
  assert.ok(after_ < before_ * 1.1, `${before_} bytes became ${after_}`);
  await page.context().close();
});

test('50,000 log lines scroll with fewer than 60 rows', { timeout: 180_000 }, async () => {
  const page = await newPage(site.browser);
  await page.goto(`${site.base}logs?range=6h`);
  await page.waitForSelector('.log-line');
  // The list fetches more as its end comes near.
  await until('all lines', () => page.$eval('v-list', (list, all) => {
    list.scrollTop = list.scrollHeight;
    return list.now.count >= all;
  }, LOG_LINES), 120_000);
  for (const share of [0, 0.3, 0.9, 1]) {
    await page.$eval('v-list', (list, to) => { list.scrollTop = list.scrollHeight * to; }, share);
    await painted(page);
    const rows = await page.$$eval('.log-line', (all) => all.length);
    assert.ok(rows > 10 && rows < 60, `${rows} rows`);
  }
  assert.deepEqual(page.faults, []);
  await page.context().close();
});
