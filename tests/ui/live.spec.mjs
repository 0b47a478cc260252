// The page hears of changes by the best way there is, says when it does not, and misses nothing.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { newPage, open, settled } from './browser.mjs';
import { startProxy } from './proxy.mjs';

let site;

before(async () => {
  site = await open();
}, { timeout: 240_000 });

after(() => site?.end());

const way = (page, text) => page.waitForFunction((wanted) => document.querySelector('.live')?.getAttribute('title') === wanted, text);
const shows = (page, text, timeout = TOLD_MS) => page.waitForFunction((wanted) => document.querySelector('main')?.textContent?.includes(wanted), text, { timeout });
/** Less than it takes until the page asks by itself, as it does now and then also while it is told. */
const TOLD_MS = 15_000;
const WAYS = { ws: 'By WebSocket', sse: 'By server-sent events', poll: 'By asking each second' };
const check = (name) => site.post('checks', { name, kind: 'tcp', target: '127.0.0.1:1', every: '1h' });
const line = (message) => site.post('logs', JSON.stringify({ level: 'info', source: 'test', message }));

test('where WebSockets are kept back events are used, and where those are, asking', { timeout: 240_000 }, async (context) => {
  const proxy = await startProxy(site.vedette.target);
  context.after(proxy.end);
  for (const [deny, by] of [[[], 'ws'], [['ws'], 'sse'], [['ws', 'sse'], 'poll']]) {
    proxy.deny.clear();
    for (const one of deny) proxy.deny.add(one);
    const page = await newPage(site.browser);
    await page.goto(`${proxy.base}checks`);
    await settled(page);
    await way(page, WAYS[by]);
    const begun = Date.now();
    await check(`told-by-${by}`);
    await shows(page, `told-by-${by}`);
    context.diagnostic(`${by}: seen after ${Date.now() - begun} ms`);
    assert.deepEqual(page.faults, []);
    await page.context().close();
  }
});

test('a connection that is lost is told, and what happened meanwhile is seen', { timeout: 240_000 }, async (context) => {
  const proxy = await startProxy(site.vedette.target);
  context.after(proxy.end);
  const page = await newPage(site.browser);
  await page.goto(`${proxy.base}logs`);
  await settled(page);
  await way(page, WAYS.ws);
  await line('said before');
  await shows(page, 'said before');
  for (let i = 0; i < 5; i += 1) {
    proxy.hangUp();
    await line(`said while it was lost ${i}`);
  }
  await way(page, WAYS.ws);
  await line('said after');
  await shows(page, 'said after');
  const text = await page.textContent('main');
  for (let i = 0; i < 5; i += 1) assert.equal(text.split(`said while it was lost ${i}`).length - 1, 1, `line ${i}, once`);
  await page.context().close();
});

test('killed and started again, nothing is missing', { timeout: 240_000 }, async () => {
  const [page, lines] = [await newPage(site.browser), await newPage(site.browser)];
  await page.goto(`${site.base}checks`);
  await lines.goto(`${site.base}logs`);
  for (const one of [page, lines]) {
    await settled(one);
    await way(one, WAYS.ws);
  }
  await page.evaluate(() => {
    globalThis.said = [];
    new MutationObserver(() => globalThis.said.push(document.querySelector('#status').textContent)).observe(document.querySelector('#status'), { childList: true, characterData: true, subtree: true });
  });
  await check('made-before');
  await line('said before the end');
  await shows(page, 'made-before');
  await shows(lines, 'said before the end');
  // Acknowledged, and perhaps not yet told.
  await Promise.all([check('made-at-the-end'), line('said at the end')]);
  await site.vedette.stop();
  await page.waitForFunction(() => document.querySelector('.live')?.textContent === 'Reconnecting');
  assert.ok(await page.getByText('made-before').first().isVisible(), 'what was known stays');
  await site.vedette.start();
  // Before the page may have found the way back.
  await check('made-while-away');
  await line('said while away');
  await way(page, WAYS.ws);
  await way(lines, WAYS.ws);
  const said = await page.evaluate(() => globalThis.said.filter((one) => /^Connect/.test(one)));
  assert.deepEqual(said, ['Connection lost. Trying again.', 'Connected again.']);
  await check('made-after');
  await line('said after the start');
  for (const name of ['made-at-the-end', 'made-while-away', 'made-after', 'made-before']) await shows(page, name);
  for (const text of ['said before the end', 'said at the end', 'said while away', 'said after the start']) {
    await shows(lines, text);
    assert.equal((await lines.textContent('main')).split(text).length - 1, 1, `“${text}” once`);
  }
  assert.deepEqual([...page.faults, ...lines.faults], []);
  await page.context().close();
  await lines.context().close();
});

test('incidents are told aloud, results are not', { timeout: 180_000 }, async () => {
  const page = await newPage(site.browser);
  await page.goto(site.base);
  await settled(page);
  await way(page, WAYS.ws);
  await site.post(`incidents/${site.incident}/acknowledge`, {});
  await page.waitForFunction((wanted) => document.querySelector('#status')?.textContent?.startsWith(wanted), `Incident ${site.incident} acknowledged`);
  await page.evaluate(() => {
    globalThis.said = [];
    new MutationObserver(() => globalThis.said.push(document.querySelector('#status').textContent)).observe(document.querySelector('#status'), { childList: true, characterData: true, subtree: true });
  });
  await site.post('checks/public-api/run', '');
  await page.waitForTimeout(1500);
  // An incident of the machine under the test may come at any time.
  assert.deepEqual(await page.evaluate(() => globalThis.said.filter((one) => !/^Incident/.test(one))), []);
  await page.context().close();
});
