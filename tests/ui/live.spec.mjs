// The page hears of changes by the best way there is, says when it does not, and misses nothing.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { newPage, open, settled } from './browser.mjs';
import { standIn } from './stand-in.mjs';

test('without a feed the page asks again, and goes on after vedette was killed', { timeout: 120_000 }, async (context) => {
  const site = await open();
  context.after(() => site.end());
  const page = await newPage(site.browser);
  await page.goto(`${site.base}checks`);
  await settled(page);
  await page.waitForFunction(() => document.querySelector('.live')?.textContent === 'Up to date');
  await site.vedette.stop();
  await page.waitForFunction(() => document.querySelector('.live')?.textContent === 'Reconnecting', null, { timeout: 20_000 });
  assert.match(await page.textContent('#status'), /Connection lost/);
  assert.ok(await page.getByText('mail-relay').first().isVisible(), 'what was known stays');
  await site.vedette.start();
  await page.waitForFunction(() => document.querySelector('.live')?.textContent === 'Up to date', null, { timeout: 30_000 });
  assert.match(await page.textContent('#status'), /Connected again/);
  await fetch(`${site.vedette.target}/api/v1/checks`, { method: 'POST', body: JSON.stringify({ name: 'made-after', kind: 'tcp', target: '127.0.0.1:1' }) });
  await page.waitForFunction(() => document.body.textContent?.includes('made-after'), null, { timeout: 15_000 });
});

test('where there is no WebSocket events are used, and where there are none, asking', { timeout: 120_000 }, async (context) => {
  for (const [feed, text] of [['sse', 'By server-sent events'], ['poll', 'By asking each second']]) {
    const stand = standIn({ feed });
    const site = await open({ intercept: stand.intercept });
    context.after(() => site.end());
    const page = await newPage(site.browser);
    await page.goto(`${site.base}checks`);
    await settled(page);
    await page.waitForFunction((wanted) => document.querySelector('.live')?.getAttribute('title') === wanted, text, { timeout: 30_000 });
    if (feed === 'sse') {
      await fetch(`${site.vedette.target}/api/v1/checks`, { method: 'POST', body: JSON.stringify({ name: 'told-of', kind: 'tcp', target: '127.0.0.1:1' }) });
      stand.tell('check.changed', { name: 'told-of' });
      await page.waitForFunction(() => document.body.textContent?.includes('told-of'), null, { timeout: 2000 });
    }
    await page.context().close();
  }
});

test('a token is asked for, kept for the tab, and refused when it is wrong', { timeout: 90_000 }, async (context) => {
  const site = await open({ seeded: false });
  context.after(() => site.end());
  const made = await (await fetch(`${site.vedette.target}/api/v1/admin/tokens`, { method: 'POST', body: JSON.stringify({ name: 'me', role: 'admin' }) })).json();
  const token = made.data.token ?? made.data.secret;
  const page = await newPage(site.browser);
  await page.goto(`${site.base}checks`);
  await page.getByLabel('Token').fill('wrong');
  await page.keyboard.press('Enter');
  await page.getByText('not known').waitFor();
  await page.getByLabel('Token').fill(token);
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'Checks', level: 1 }).waitFor();
  await settled(page);
  await page.reload();
  await settled(page);
  assert.equal(await page.getByRole('heading', { level: 1 }).textContent(), 'Checks');
  await page.goto(`${site.base}settings/tokens`);
  await settled(page);
  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.getByLabel('Token').waitFor();
  assert.deepEqual(page.faults, []);
});
