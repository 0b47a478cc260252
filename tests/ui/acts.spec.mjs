// What the page makes, changes and removes is so in vedette afterwards. What belongs to the settings
// file is read-only and says why. What cannot be taken back is asked about.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { at as openAt, dialogButton, INCIDENT, open, until } from './browser.mjs';

let site;

before(async () => {
  site = await open();
}, { timeout: 240_000 });

after(() => site?.end());

const get = (path) => site.get(path);
const at = (path, work) => openAt(site, path, work);

test('a check is tried, added, paused, changed and deleted', { timeout: 180_000 }, () => at('checks', async (page) => {
  await page.getByRole('button', { name: 'Add check' }).click();
  await page.getByLabel('Name', { exact: true }).fill('of-the-page');
  await page.getByLabel('Kind', { exact: true }).selectOption('tcp');
  await page.getByLabel('Target').fill(new URL(site.vedette.target).host);
  await dialogButton(page, 'Try it').click();
  await page.locator('dialog').getByText('healthy after').waitFor();
  await dialogButton(page, 'Add').click();
  await page.getByRole('heading', { level: 1, name: 'of-the-page' }).waitFor();
  assert.equal((await get('checks/of-the-page')).kind, 'tcp');

  await page.getByRole('button', { name: 'Run now' }).click();
  await page.locator('.toast').getByText('of-the-page is healthy').waitFor();
  await page.getByRole('button', { name: 'Pause', exact: true }).click();
  await dialogButton(page, 'Pause').click();
  await until('the pause', async () => (await get('checks/of-the-page')).status === 'paused');
  await page.getByRole('button', { name: 'Resume' }).click();
  await until('the end of the pause', async () => (await get('checks/of-the-page')).status !== 'paused');

  await page.getByRole('button', { name: 'Edit' }).click();
  await page.getByLabel('Every', { exact: true }).fill('2m');
  await dialogButton(page, 'Save').click();
  await until('the change', async () => (await get('checks/of-the-page')).every === 120);

  await page.getByRole('button', { name: 'Delete' }).click();
  await dialogButton(page, 'Cancel').click();
  assert.ok(await get('checks/of-the-page'), 'who cancels keeps it');
  await page.getByRole('button', { name: 'Delete' }).click();
  await dialogButton(page, 'Delete').click();
  await until('the end of the check', async () => (await get('checks/of-the-page')) === null);
  await page.getByRole('heading', { level: 1, name: 'Checks' }).waitFor();
}));

test('a mistake is told in the dialog, which stays', { timeout: 180_000 }, () => at('checks', async (page) => {
  await page.getByRole('button', { name: 'Add check' }).click();
  await page.getByLabel('Name', { exact: true }).fill('Not a name');
  await page.getByLabel('Target').fill('http://127.0.0.1:1');
  await dialogButton(page, 'Add').click();
  await page.locator('dialog [role=alert]').getByText('not a name').waitFor();
  assert.equal(await page.getByLabel('Name', { exact: true }).inputValue(), 'Not a name');
}));

test('what the settings file defines is read-only and says why', { timeout: 180_000 }, () => at('checks/of-the-file', async (page) => {
  await page.getByText('defined in the settings file').first().waitFor();
  for (const name of ['Pause', 'Edit', 'Delete']) assert.ok(await page.getByRole('button', { name, exact: true }).isDisabled(), name);
}));

test('a rule shows what it would have done, is added, paused and deleted', { timeout: 180_000 }, () => at('rules', async (page) => {
  await page.getByRole('button', { name: 'Add rule' }).click();
  await page.getByLabel('Name', { exact: true }).fill('queue-of-the-page');
  await page.getByLabel('of metric').fill('queue_depth');
  await page.getByLabel('Limit').fill('10');
  await page.locator('dialog').getByText(/Would have fired \d+ times? in the last day/).waitFor();
  await page.locator('dialog canvas').first().waitFor();
  await page.getByLabel('Limit').fill('100000');
  await page.locator('dialog').getByText('Would not have fired').waitFor();
  await dialogButton(page, 'Add').click();
  await page.getByRole('heading', { level: 1, name: 'queue-of-the-page' }).waitFor();
  const rule = await get('rules/queue-of-the-page');
  assert.deepEqual([rule.metric, rule.threshold, rule.window], ['queue_depth', 100_000, 300]);

  await page.goto(`${site.base}rules`);
  await page.getByRole('switch', { name: 'queue-of-the-page is evaluated' }).click();
  await dialogButton(page, 'Pause').click();
  await until('the pause', async () => (await get('rules/queue-of-the-page')).mode === 'paused');
  assert.ok(await page.getByRole('switch', { name: 'default-latency is evaluated' }).isDisabled());
  await page.goto(`${site.base}rules/queue-of-the-page`);
  await page.getByRole('button', { name: 'Delete' }).click();
  await dialogButton(page, 'Delete').click();
  await until('the end of the rule', async () => (await get('rules/queue-of-the-page')) === null);
}));

test('an objective is added and its budget shown', { timeout: 180_000 }, () => at('rules', async (page) => {
  await page.getByRole('button', { name: 'Add objective' }).click();
  await page.getByLabel('Name', { exact: true }).fill('shop');
  await page.getByLabel('All events').fill('sum(rate(http_requests_total{job="shop"}[$window]))');
  await page.getByLabel('Bad events').fill('sum(rate(http_requests_total{job="shop",code=~"5.."}[$window]))');
  await dialogButton(page, 'Add').click();
  await until('the objective', async () => (await get('objectives/shop'))?.objective === 0.999);
  await page.getByText('99.9 % within 30d').waitFor();
}));

test('a channel is added, tested and deleted', { timeout: 180_000 }, () => at('settings/channels', async (page) => {
  await page.getByRole('button', { name: 'Test ops' }).click();
  await page.locator('.toast').getByText('ops: delivered').waitFor();
  await page.getByRole('button', { name: 'Add channel' }).click();
  await page.getByLabel('Name', { exact: true }).fill('room');
  await page.getByLabel('Settings, as JSON').fill('{"url": "http://127.0.0.1:1/hook"}');
  await dialogButton(page, 'Add').click();
  await until('the channel', async () => (await get('channels/room'))?.kind === 'webhook');
  await page.getByRole('button', { name: 'Delete room' }).click();
  await dialogButton(page, 'Delete').click();
  await until('the end of the channel', async () => (await get('channels/room')) === null);
}));

test('a silence says what it matches, and is ended', { timeout: 180_000 }, () => at('settings/silences', async (page) => {
  await page.getByRole('button', { name: 'Add silence' }).click();
  await page.getByLabel('Alerts with').fill('check="mail-relay"');
  await page.getByLabel('Why').fill('it is being moved');
  await dialogButton(page, 'What does it match?').click();
  await page.locator('dialog').getByText(/Matches \d+ alert/).waitFor();
  await dialogButton(page, 'Silence').click();
  await until('the silence', async () => (await get('silences?state=active')).some((one) => one.comment === 'it is being moved'));
  await page.locator('li', { hasText: 'it is being moved' }).getByRole('button', { name: 'End' }).click();
  await dialogButton(page, 'End it').click();
  await until('the end of the silence', async () => !(await get('silences?state=active')).some((one) => one.comment === 'it is being moved'));
}));

test('a maintenance window is added, changed to once, and deleted', { timeout: 180_000 }, () => at('settings/maintenance', async (page) => {
  await page.getByRole('button', { name: 'Add window' }).click();
  await page.getByLabel('Name', { exact: true }).fill('moving');
  await page.getByLabel('It recurs').check();
  await page.getByLabel('Begins (cron)').fill('0 3 * * 6');
  await dialogButton(page, 'Add').click();
  await until('the window', async () => (await get('maintenance/moving'))?.recurrence?.cron === '0 3 * * 6');
  await page.getByRole('button', { name: 'Edit moving' }).click();
  await page.getByLabel('It recurs').uncheck();
  await dialogButton(page, 'Save').click();
  await until('the change', async () => !(await get('maintenance/moving'))?.recurrence);
  await page.getByRole('button', { name: 'Delete moving' }).click();
  await dialogButton(page, 'Delete').click();
  await until('the end of the window', async () => (await get('maintenance/moving')) === null);
}));

test('notes, assignment and snoozing reach the incident', { timeout: 180_000 }, () => at(INCIDENT, async (page) => {
  await page.getByLabel('Add a note').fill('the disk was full');
  await page.getByRole('button', { name: 'Add note' }).click();
  await until('the note', async () => (await get(`incidents/${site.incident}/notes`)).some((one) => one.text === 'the disk was full'));
  await page.getByRole('button', { name: 'Assign', exact: true }).click();
  await page.locator('dialog').getByLabel('To').fill('mara');
  await dialogButton(page, 'Assign').click();
  await until('the assignment', async () => (await get(`incidents/${site.incident}`)).assignee === 'mara');
  await page.waitForSelector('dialog', { state: 'detached' });
  await page.getByRole('button', { name: 'Snooze', exact: true }).click();
  await dialogButton(page, 'Snooze').click();
  await until('the snooze', async () => (await get(`incidents/${site.incident}`)).snoozed_until !== null);
}));

test('a query is typed, completed, narrowed down by a label, and taken along as CSV', { timeout: 180_000 }, () => at('metrics', async (page) => {
  await page.locator('#picker').fill('node_network_receive_by');
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'node_network_receive_bytes_total' }).waitFor();
  await page.getByLabel('device', { exact: true }).selectOption('lo');
  await page.getByRole('heading', { name: /device="lo"/ }).waitFor();
  const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'CSV' }).click()]);
  assert.match(download.suggestedFilename(), /^node_network_receive_bytes_total.*\.csv$/);
  await page.locator('#picker').fill('rate(nothing');
  await page.keyboard.press('Enter');
  await page.locator('main [role=alert]').getByText(/parse error|unclosed/).waitFor();
}));
