// Everything that matters at night works without a mouse.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { newPage, open, settled, until } from './browser.mjs';

let site;

before(async () => {
  site = await open();
}, { timeout: 240_000 });

after(() => site?.end());

const incident = async (number) => (await (await fetch(`${site.vedette.target}/api/v1/incidents/${number}`)).json()).data;
const active = (page) => page.evaluate(() => `${document.activeElement?.tagName} ${document.activeElement?.getAttribute('aria-label') ?? document.activeElement?.textContent?.trim() ?? ''}`);

/** Tabs until what has the focus reads like this. */
async function tabTo(page, pattern, most = 120) {
  for (let i = 0; i < most; i += 1) {
    if (pattern.test(await active(page))) return;
    await page.keyboard.press('Tab');
  }
  assert.fail(`${most} tabs did not reach ${pattern}; now at ${await active(page)}`);
}

test('an incident is acknowledged and resolved by j, a, r', { timeout: 180_000 }, async () => {
  const page = await newPage(site.browser);
  await page.goto(`${site.base}incidents?q=mail-relay`);
  await settled(page);
  await page.evaluate(() => document.activeElement?.blur());
  await page.keyboard.press('j');
  await page.waitForFunction(() => document.activeElement?.closest('#incident-list li'));
  const href = await page.evaluate(() => document.activeElement?.getAttribute('href'));
  const number = href.split('/').pop();
  await page.keyboard.press('a');
  await until('the acknowledgement', async () => (await incident(number)).status === 'acknowledged');
  await page.keyboard.press('r');
  await page.waitForSelector('dialog[open]');
  assert.match(await active(page), /^INPUT/);
  await page.keyboard.type('the relay was down');
  await page.keyboard.press('Enter');
  await until('the resolution', async () => (await incident(number)).status === 'resolved');
  await page.waitForSelector('dialog[open]', { state: 'detached' });
  assert.notEqual(await active(page), 'BODY ', 'the focus is somewhere');
  await until('the announcement', async () => /resolved/.test(await page.textContent('#status')));
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('an incident is acknowledged and resolved by Tab and Enter', { timeout: 180_000 }, async () => {
  const page = await newPage(site.browser);
  await page.goto(`${site.base}incidents?status=open`);
  await settled(page);
  await tabTo(page, /^BUTTON Acknowledge incident (\d+)/);
  const number = /(\d+)$/.exec(await active(page))[1];
  await page.keyboard.press('Enter');
  await until('the acknowledgement', async () => (await incident(number)).status === 'acknowledged');
  assert.match(page.url(), /incidents\?status=open$/, 'a button does what it says and nothing else');
  await page.goto(`${site.base}incidents/${number}`);
  await settled(page);
  await tabTo(page, /^BUTTON Resolve/);
  await page.keyboard.press('Enter');
  await page.waitForSelector('dialog[open]');
  await tabTo(page, /^BUTTON Resolve/, 6);
  await page.keyboard.press('Enter');
  await until('the resolution', async () => (await incident(number)).status === 'resolved');
  await page.context().close();
});

test('Esc closes a dialog and gives the focus back', { timeout: 180_000 }, async () => {
  const page = await newPage(site.browser);
  await page.goto(`${site.base}checks`);
  await settled(page);
  await tabTo(page, /^BUTTON Add check/);
  await page.keyboard.press('Enter');
  await page.waitForSelector('dialog[open]');
  await page.keyboard.press('Escape');
  await page.waitForSelector('dialog[open]', { state: 'detached' });
  assert.match(await active(page), /^BUTTON Add check/);
  await page.context().close();
});

test('a chart is read and zoomed by keys', { timeout: 180_000 }, async () => {
  const page = await newPage(site.browser);
  await page.goto(`${site.base}metrics?q=node_load1`);
  await settled(page);
  const plot = page.getByRole('slider');
  await plot.focus();
  await page.keyboard.press('End');
  await page.keyboard.press('ArrowLeft');
  await page.waitForFunction(() => /node_load1/.test(document.querySelector('[role=slider]')?.getAttribute('aria-valuetext') ?? ''));
  await page.keyboard.press('+');
  await page.waitForFunction(() => /from=\d+/.test(location.search));
  await page.context().close();
});

test('an experiment is made by the keyboard alone', { timeout: 180_000 }, async () => {
  const page = await newPage(site.browser);
  await page.goto(`${site.base}experiments`);
  await settled(page);
  await tabTo(page, /^BUTTON New experiment/);
  await page.keyboard.press('Enter');
  await page.waitForSelector('dialog[open]');
  await page.keyboard.press('Enter');
  await page.waitForSelector('dialog [role=alert]');
  await page.keyboard.type('short-form');
  await page.keyboard.press('Enter');
  await page.waitForFunction(() => document.querySelector('dialog [aria-current=step]')?.textContent === 'Metrics');
  await page.keyboard.type('finished');
  for (let i = 0; i < 4; i += 1) await page.keyboard.press('Tab');
  await page.keyboard.type('0.01');
  await page.keyboard.press('Enter');
  await page.waitForFunction(() => document.querySelector('dialog [aria-current=step]')?.textContent === 'Variants');
  // 31,835 of each arm: of our own calculator, which tests/statistics compares with other programs.
  await page.locator('dialog').getByText('About 63,670 units').waitFor();
  await page.keyboard.press('Enter');
  await page.waitForFunction(() => document.querySelector('dialog [aria-current=step]')?.textContent === 'Review');
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { level: 1, name: 'short-form' }).waitFor();
  const made = await site.get('experiments/short-form');
  assert.equal(made.status, 'draft');
  assert.deepEqual(made.metrics.map((one) => [one.name, one.estimator, one.role, one.minimum_detectable_effect]), [['finished', 'proportion', 'primary', 0.01]]);
  assert.deepEqual(made.variants.map((one) => [one.name, one.traffic_weight, one.is_control ?? false]), [['control', 50, true], ['treatment', 50, false]]);
  await settled(page);
  await tabTo(page, /^BUTTON Start/);
  await page.keyboard.press('Enter');
  await page.waitForSelector('dialog[open]');
  await page.keyboard.press('Enter');
  await until('the start', async () => (await site.get('experiments/short-form')).status === 'running');
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('single keys can be turned off', { timeout: 180_000 }, async () => {
  const page = await newPage(site.browser);
  await page.goto(`${site.base}settings/shortcuts`);
  await settled(page);
  await page.getByRole('switch', { name: 'Single keys do something' }).click();
  await page.keyboard.press('g');
  await page.keyboard.press('c');
  await page.waitForTimeout(300);
  assert.match(page.url(), /settings\/shortcuts$/);
  await page.getByRole('switch', { name: 'Single keys do something' }).click();
  await page.keyboard.press('g');
  await page.keyboard.press('c');
  await page.getByRole('heading', { level: 1, name: 'Checks' }).waitFor();
  assert.deepEqual(page.faults, []);
  await page.context().close();
});
