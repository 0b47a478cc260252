// Log lines: found, followed, looked around, taken along.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { at as openAt, newPage, open, painted, settled, until } from './browser.mjs';

let site;

before(async () => {
  site = await open();
}, { timeout: 240_000 });

after(() => site?.end());

const at = (path, work) => openAt(site, path, work);
const rows = (page) => page.$$eval('.log-line', (all) => all.map((one) => one.textContent));
/** Waits until the list has that many lines, and has painted them. */
const listed = async (page, count) => {
  await page.waitForFunction((wanted) => document.querySelector('v-list')?.now.count === wanted, count);
  await painted(page);
};
const counted = (page) => page.$eval('v-list', (list) => list.now.count);
const say = (message, more = {}) => site.post('logs', JSON.stringify({ level: 'info', source: 'test', message, ...more }));

test('filters and the address go together', { timeout: 180_000 }, () => at('logs', async (page) => {
  await page.getByLabel('Search in messages').fill('PAYMENT');
  await page.waitForFunction(() => [...document.querySelectorAll('.log-line')].every((one) => /payment/.test(one.textContent)) && document.querySelector('v-list')?.now.count === 600);
  assert.match(page.url(), /q=PAYMENT/);
  await page.getByLabel('Upper and lower case differ').click();
  await page.getByText('No lines fit').waitFor();
  await page.getByLabel('Search in messages').fill('/job [0-9]*[05]1 /');
  await page.waitForFunction(() => document.querySelector('.log-line'));
  assert.ok((await rows(page)).every((text) => /job \d*[05]1 /.test(text)));
  await page.getByRole('button', { name: 'Clear' }).click();
  await page.getByLabel('Level').selectOption('warn');
  await page.getByLabel('Source').fill('worker');
  await listed(page, 600);
  assert.ok((await rows(page)).every((text) => /warn.*worker/.test(text)));
  await page.reload();
  await settled(page);
  assert.equal(await counted(page), 600);
  assert.equal(await page.getByLabel('Level').inputValue(), 'warn');
}));

test('a mistake in a regular expression is told', { timeout: 180_000 }, () => at(`logs?q=${encodeURIComponent('/(/')}`, async (page) => {
  await page.locator('main [role=alert]').first().waitFor();
  assert.match(await page.textContent('main'), /could not be read/);
}));

test('lines are seen as they come, held on demand, and all are there afterwards', { timeout: 180_000 }, () => at('logs?source=test', async (page) => {
  await page.waitForFunction(() => document.querySelector('.live')?.textContent === 'Live');
  await say('one comes');
  await page.waitForFunction(() => document.querySelector('.log-line')?.textContent.includes('one comes'));
  await site.post('logs', JSON.stringify({ level: 'info', source: 'other', message: 'of somebody else' }));
  await page.getByRole('button', { name: 'Pause' }).click();
  await say('two comes while it is held');
  await page.waitForTimeout(800);
  assert.equal(await counted(page), 1);
  await page.getByRole('button', { name: 'Follow' }).click();
  await listed(page, 2);
  await say('three comes');
  await listed(page, 3);
  assert.deepEqual((await rows(page)).map((text) => /(one|two|three)/.exec(text)[1]), ['three', 'two', 'one'], 'newest first');
}));

test('bars count what the list has, and a range of them is chosen by pointer and keys', { timeout: 180_000 }, () => at('logs?level=error&source=api', async (page) => {
  const all = await page.locator('v-histogram [role=slider]').getAttribute('aria-label');
  assert.match(all, /^600 lines/);
  const box = await page.locator('v-histogram').boundingBox();
  await page.mouse.move(box.x + box.width * 0.4, box.y + 30);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * 0.6, box.y + 30, { steps: 4 });
  await page.mouse.up();
  await page.waitForFunction(() => /from=\d+&until=\d+|until=\d+.*from=\d+/.test(location.search));
  await page.waitForFunction(() => {
    const count = document.querySelector('v-list')?.now.count ?? 0;
    return count > 60 && count < 200;
  });
  await settled(page);
  const label = await page.locator('v-histogram [role=slider]').getAttribute('aria-label');
  assert.match(label, new RegExp(`^${await counted(page)} lines`));
  await page.locator('v-histogram [role=slider]').focus();
  await page.keyboard.press('End');
  await page.keyboard.press('Shift+ArrowLeft');
  await page.keyboard.press('Shift+ArrowLeft');
  const before = page.url();
  await page.keyboard.press('Enter');
  await page.waitForFunction((url) => location.href !== url, before);
}));

test('a line is shown with those around it, and leads to its trace', { timeout: 180_000 }, () => at('logs?level=error&source=api', async (page) => {
  await page.locator('.log-line').nth(3).click();
  const dialog = page.locator('dialog');
  await dialog.locator('.around li[aria-current]').waitFor();
  assert.equal(await dialog.locator('.around li').count(), 11, 'five before, five after');
  await dialog.getByLabel('of this source alone').uncheck();
  await page.waitForFunction(() => /job|queue/.test(document.querySelector('dialog .around')?.textContent ?? ''));
  const times = await dialog.locator('.around li span:first-child').allTextContents();
  assert.deepEqual(times, times.toSorted(), 'in the order of time');
  const trace = (await dialog.locator('a', { hasText: 'trace-' }).textContent()).trim();
  await dialog.locator('a', { hasText: 'trace-' }).click();
  await page.waitForFunction((wanted) => location.search.includes(wanted), `trace=${trace}`);
  await settled(page);
  assert.ok((await counted(page)) > 1);
}));

test('all that fit are saved in each form', { timeout: 180_000 }, () => at('logs?level=error&source=api', async (page) => {
  for (const [form, check] of [
    ['NDJSON', (text) => assert.equal(text.trim().split('\n').map((one) => JSON.parse(one)).filter((one) => one.level === 'error').length, 600)],
    ['JSON', (text) => assert.equal(JSON.parse(text).length, 600)],
    ['CSV', (text) => assert.equal(text.trim().split(/\r?\n/).length, 601)],
  ]) {
    await page.getByRole('button', { name: 'Export' }).click();
    const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('link', { name: `Save as ${form}`, exact: true }).click()]);
    assert.match(download.suggestedFilename(), /^logs\.(ndjson|json|csv)$/);
    check(await (await fetch(download.url())).text());
    await page.waitForSelector('dialog', { state: 'detached' });
  }
}));

test('whoever reads further down keeps the place while lines come', { timeout: 180_000 }, async () => {
  const page = await newPage(site.browser);
  await page.goto(`${site.base}logs`);
  await settled(page);
  await page.waitForFunction(() => document.querySelector('.live')?.textContent === 'Live');
  await page.$eval('v-list', (list) => { list.scrollTop = 2400; });
  const seen = () => page.$eval('v-list', (list) => {
    const top = list.getBoundingClientRect().top;
    const first = [...list.querySelectorAll('.log-line')].find((one) => one.getBoundingClientRect().top >= top);
    // Not one that stands far below, before the list has painted what belongs here.
    return first && first.getBoundingClientRect().top < top + 24 ? first.textContent : '';
  });
  await until('the lines further down', seen);
  const [before_, count] = [await seen(), await counted(page)];
  for (let i = 0; i < 5; i += 1) await say(`above ${i}`);
  await listed(page, count + 5);
  assert.equal(await seen(), before_);
  assert.deepEqual(page.faults, []);
  await page.context().close();
});
