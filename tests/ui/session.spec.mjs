// Who signs in gets what the role allows, and no script ever sees the token.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { INCIDENT, newPage, open, settled } from './browser.mjs';

let site;
const tokens = {};

before(async () => {
  site = await open();
  // The first token closes the door: from then on each needs one.
  tokens.admin = (await site.post('admin/tokens', { name: 'root', role: 'admin' })).token;
  for (const role of ['operator', 'viewer']) {
    const response = await fetch(`${site.vedette.target}/api/v1/admin/tokens`, { method: 'POST', headers: { Authorization: `Bearer ${tokens.admin}` }, body: JSON.stringify({ name: `a-${role}`, role }) });
    tokens[role] = (await response.json()).data.token;
  }
}, { timeout: 240_000 });

after(() => site?.end());

async function signIn(role, path = 'checks', options = {}) {
  const page = await newPage(site.browser, options);
  await page.goto(site.base + path);
  await page.getByLabel('Token').fill(tokens[role]);
  await page.keyboard.press('Enter');
  await page.waitForFunction(() => !document.querySelector('#token'));
  await settled(page);
  return page;
}

test('a wrong token is refused, a right one is kept in a cookie that no script can read', { timeout: 180_000 }, async () => {
  const page = await newPage(site.browser);
  await page.goto(`${site.base}checks`);
  await page.getByLabel('Token').fill('wrong');
  await page.keyboard.press('Enter');
  await page.getByText('not known').waitFor();
  await page.getByLabel('Token').fill(tokens.admin);
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'Checks', level: 1 }).waitFor();
  await settled(page);
  await page.reload();
  await settled(page);
  assert.equal(await page.getByRole('heading', { level: 1 }).textContent(), 'Checks');
  const cookies = (await page.context().cookies()).filter((one) => one.name !== 'vedette-theme');
  assert.equal(cookies.length, 1);
  assert.deepEqual([cookies[0].httpOnly, cookies[0].sameSite], [true, 'Strict']);
  const seen = await page.evaluate(() => document.cookie + JSON.stringify({ ...localStorage }) + JSON.stringify({ ...sessionStorage }) + document.documentElement.outerHTML);
  assert.ok(!seen.includes(tokens.admin));
  await page.waitForFunction(() => document.querySelector('.live')?.textContent === 'Live');
  await page.goto(`${site.base}settings/tokens`);
  await settled(page);
  await page.locator('main').getByRole('button', { name: 'Sign out' }).click();
  await page.getByLabel('Token').waitFor();
  await page.goto(site.base);
  await page.getByLabel('Token').waitFor();
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('a viewer sees all and is offered nothing that the role does not allow', { timeout: 180_000 }, async () => {
  const page = await signIn('viewer');
  await page.getByText('read-only').first().waitFor();
  for (const [path, names] of [
    ['checks', ['Add check', 'Run all']], ['checks/mail-relay', ['Run now', 'Pause', 'Edit', 'Delete']], ['rules', ['Add rule', 'Add objective']], ['rules/checkout-slow', ['Edit', 'Delete']],
    ['incidents', ['Acknowledge', 'Resolve']], [INCIDENT, ['Acknowledge', 'Resolve', 'Assign', 'Snooze', 'Edit', 'Add note']],
    ['experiments', ['New experiment']], ['experiments/one-page-checkout', ['Pause', 'Complete', 'Edit', 'What does it get?']], ['features', ['Add feature']], ['features/checkout', ['Edit', 'Delete', 'Change', 'Evaluate']],
    ['settings/channels', ['Add channel', 'Test ops']], ['settings/silences', ['Add silence']], ['settings/maintenance', ['Add window']], ['settings/tokens', ['Make token']], ['settings/storage', ['Back up', 'Compact', 'Reload settings']],
  ]) {
    await page.goto(site.at(path));
    await settled(page);
    for (const name of names) assert.equal(await page.locator('main').getByRole('button', { name, exact: true }).count(), 0, `${name} on ${path}`);
  }
  await page.goto(`${site.base}checks`);
  await settled(page);
  await page.keyboard.press('n');
  await page.waitForTimeout(200);
  assert.equal(await page.locator('dialog[open]').count(), 0, 'nor by its key');
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('an operator acts, and leaves tokens to the administrator', { timeout: 180_000 }, async () => {
  const page = await signIn('operator');
  await page.getByRole('button', { name: 'Add check' }).waitFor();
  await page.goto(`${site.base}settings/tokens`);
  await settled(page);
  await page.getByText('a-operator').first().waitFor();
  assert.equal(await page.getByRole('button', { name: 'Make token' }).count(), 0);
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('on a phone the way out is behind “More”', { timeout: 180_000 }, async () => {
  const page = await signIn('viewer', 'checks', { width: 390 });
  await page.getByRole('button', { name: 'More' }).click();
  await page.locator('dialog').getByRole('button', { name: 'Sign out' }).click();
  await page.getByLabel('Token').waitFor();
  await page.context().close();
});

test('a token is shown once, and who lost theirs is asked to sign in', { timeout: 180_000 }, async () => {
  const page = await signIn('admin', 'settings/tokens');
  await page.getByRole('button', { name: 'Make token' }).click();
  await page.getByLabel('Name', { exact: true }).fill('for-a-while');
  await page.locator('dialog').getByRole('button', { name: 'Make', exact: true }).click();
  await page.getByText('It is shown this once').waitFor();
  const shown = (await page.locator('dialog pre').textContent()).trim();
  await page.getByRole('button', { name: 'I have it' }).click();
  await page.waitForSelector('dialog', { state: 'detached' });
  assert.ok(!(await page.content()).includes(shown));
  tokens.gone = shown;
  const other = await signIn('gone');
  await page.getByRole('button', { name: 'Revoke for-a-while' }).click();
  await page.locator('dialog').getByRole('button', { name: 'Revoke', exact: true }).click();
  await page.waitForSelector('dialog', { state: 'detached' });
  await other.getByLabel('Token').waitFor({ timeout: 40_000 });
  await page.context().close();
  await other.context().close();
});
