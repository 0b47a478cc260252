// Experiments and features through the page: made, changed, begun, ended, removed; what is shown is so.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { at as openAt, dialogButton, open, settled, until } from './browser.mjs';

let site;

before(async () => {
  site = await open();
}, { timeout: 240_000 });

after(() => site?.end());

const at = (path, work) => openAt(site, path, work);
const next = (page) => dialogButton(page, 'Next').click();

test('a canary is made in four steps, begun, taken further, paused and completed', { timeout: 180_000 }, () => at('experiments', async (page) => {
  await page.getByRole('button', { name: 'New experiment' }).first().click();
  await page.getByLabel('Name', { exact: true }).fill('slow-start');
  await page.getByLabel('Kind', { exact: true }).selectOption('canary');
  await page.getByLabel('Steps: share in %, and how long').fill('10 1h, 100');
  await next(page);
  await page.getByLabel('Name', { exact: true }).fill('ok');
  await dialogButton(page, 'Add a metric').click();
  const guard = page.locator('dialog fieldset').nth(1);
  await guard.getByLabel('Name', { exact: true }).fill('latency_ms');
  await next(page);
  await page.locator('dialog [role=alert]').getByText('its margin').waitFor();
  await guard.getByLabel('May become worse by').fill('20');
  await guard.getByLabel('When it does').selectOption('rollback');
  await next(page);
  await next(page);
  await page.locator('dialog').getByText('10 1h, 100').waitFor();
  await dialogButton(page, 'Make as a draft').click();
  await page.getByRole('heading', { level: 1, name: 'slow-start' }).waitFor();
  const made = await site.get('experiments/slow-start');
  assert.deepEqual(made.steps, [{ traffic: 10, hold: 3600 }, { traffic: 100, hold: 0 }]);
  assert.deepEqual(made.guardrails, [{ metric: 'latency_ms', action: 'rollback' }]);

  const act = async (name, note) => {
    await page.locator('main').getByRole('button', { name, exact: true }).click();
    if (note) await page.locator('dialog').getByLabel('Note').fill(note);
    await dialogButton(page, name).click();
    await page.waitForSelector('dialog', { state: 'detached' });
  };
  await act('Start');
  await act('Next step', 'it looks fine');
  assert.equal((await site.get('experiments/slow-start')).step, 1);
  await act('Pause');
  await act('Resume');
  await page.locator('main').getByRole('button', { name: 'Complete', exact: true }).click();
  await page.locator('dialog').getByLabel('Then ship').selectOption('treatment');
  await dialogButton(page, 'Complete').click();
  await page.getByText('Everybody gets treatment.').waitFor();
  await page.locator('section[aria-label=History]').getByText('it looks fine').waitFor();
  const done = await site.get('experiments/slow-start');
  assert.deepEqual([done.status, done.shipped], ['completed', 'treatment']);
  await page.locator('main').getByRole('button', { name: 'Delete', exact: true }).click();
  await dialogButton(page, 'Delete').click();
  await until('the end of it', async () => (await site.get('experiments/slow-start')) === null);
}));

test('factors make variants of every combination', { timeout: 180_000 }, () => at('experiments', async (page) => {
  await page.getByRole('button', { name: 'New experiment' }).first().click();
  await page.getByLabel('Name', { exact: true }).fill('two-by-three');
  await page.getByLabel('Kind', { exact: true }).selectOption('multivariate');
  await next(page);
  await page.getByLabel('Name', { exact: true }).fill('clicked');
  await next(page);
  for (const [i, [factor, levels]] of [['colour', 'green, red'], ['size', 's, m, l']].entries()) {
    await page.getByLabel('Factor', { exact: true }).nth(i).fill(factor);
    await page.getByLabel('Levels').nth(i).fill(levels);
  }
  await page.locator('dialog').getByText('6 variants, one of every combination').waitFor();
  await next(page);
  await dialogButton(page, 'Make as a draft').click();
  await page.getByRole('heading', { level: 1, name: 'two-by-three' }).waitFor();
  assert.equal((await site.get('experiments/two-by-three')).variants.length, 6);
}));

test('a draft is edited whole, a running one where it may', { timeout: 180_000 }, () => at('experiments/idea', async (page) => {
  await page.getByRole('button', { name: 'Edit' }).click();
  await page.getByLabel('Hypothesis').fill('People like it');
  await next(page);
  await page.getByLabel('Smallest effect worth seeing').fill('0.02');
  await next(page);
  await page.getByLabel('Weight').first().fill('70');
  await next(page);
  await dialogButton(page, 'Save').click();
  await until('the change', async () => (await site.get('experiments/idea')).variants[0].traffic_weight === 70);
  assert.equal((await site.get('experiments/idea')).hypothesis, 'People like it');
  await page.goto(`${site.base}experiments/one-page-checkout`);
  await settled(page);
  await page.getByRole('button', { name: 'Edit' }).click();
  assert.ok(await page.getByLabel('Kind', { exact: true }).isDisabled());
  await page.getByLabel('Hypothesis').fill('Fewer pages');
  await next(page);
  assert.ok(await page.getByLabel('Estimator').first().isDisabled());
  await next(page);
  await page.getByLabel('Weight').nth(1).fill('40');
  await next(page);
  await dialogButton(page, 'Save').click();
  await until('the epoch', async () => (await site.get('experiments/one-page-checkout')).epochs.length === 2);
}));

test('what the analysis says is what is drawn', { timeout: 180_000 }, () => at('experiments/one-page-checkout', async (page) => {
  const analysis = await site.get('experiments/one-page-checkout/analysis');
  const lift = analysis.metrics[0].comparisons[0].relative.lift * 100;
  const shown = `${lift < 0 ? '\u2212' : '+'}${Math.abs(lift).toFixed(1)} %`;
  await page.locator('.forest').getByText(shown, { exact: true }).waitFor();
  assert.equal(await page.locator('.forest .plot-row').count(), 6, 'three metrics, two variants');
  const axes = await page.$$eval('.forest .plot-row .zero', (all) => new Set(all.map((one) => one.getAttribute('x1'))).size);
  assert.equal(axes, 1, 'all on one axis');
  await page.getByText('Units are split as the weights say.').waitFor();
  for (const name of ['Guardrails', 'Variants', 'Definition']) await page.locator(`section[aria-label="${name}"]`).waitFor();
  await page.getByLabel('Unit').fill('user-1');
  await page.getByRole('button', { name: 'What does it get?' }).click();
  const got = await site.post('experiments/one-page-checkout/assign', { unit: 'user-1', expose: false });
  await page.locator('section[aria-label="Who gets what"] [role=status]').getByText(got.variant, { exact: false }).first().waitFor();
}));

test('a feature is defined, configured, compared, taken back and evaluated', { timeout: 180_000 }, () => at('features', async (page) => {
  await page.getByRole('link', { name: 'search', exact: true }).click();
  await page.getByRole('heading', { level: 1, name: 'search' }).waitFor();
  await page.getByRole('button', { name: 'Define it' }).click();
  await page.getByLabel('Name for people').fill('Search');
  await dialogButton(page, 'Add').click();
  await page.getByRole('button', { name: 'Configure' }).click();
  for (const [value, why] of [['{"limit": 5}', 'first'], ['{"limit": 9, "fast": true}', 'second']]) {
    await page.getByLabel('Configuration, as JSON').fill(value);
    await page.getByLabel('Why').fill(why);
    await dialogButton(page, 'Save as a new version').click();
    await page.waitForSelector('dialog', { state: 'detached' });
    await page.locator('section[aria-label=Configuration]').getByText(why).waitFor();
    if (why === 'first') await page.getByRole('button', { name: 'Change', exact: true }).click();
  }
  await page.getByRole('button', { name: 'Changes of version 2' }).click();
  const diff = page.locator('dialog .diff');
  await diff.waitFor();
  assert.deepEqual(await diff.locator('code.strong').allTextContents(), ['/fast', '/limit']);
  await page.keyboard.press('Escape');
  await page.getByRole('button', { name: 'Go back to version 1' }).click();
  await dialogButton(page, 'Go back').click();
  await until('the third version', async () => (await site.get('features/search/config')).version === 3);
  assert.deepEqual((await site.get('features/search/config')).value, { limit: 5 });
  await page.getByLabel('Unit').fill('user-17');
  await page.getByRole('button', { name: 'Evaluate' }).click();
  await page.getByText('Version 3').first().waitFor();
  await page.getByRole('button', { name: 'Delete', exact: true }).click();
  await dialogButton(page, 'Delete').click();
  await until('the end of the definition', async () => (await site.get('features/search')) === null);
}));

test('figures of features and providers are those of the outcomes that were sent', { timeout: 180_000 }, () => at('features/checkout', async (page) => {
  const summary = await site.get('features/checkout/summary?window=1h');
  const outcomes = page.locator('section[aria-label=Outcomes]');
  await outcomes.getByText(`${summary.requests.toLocaleString('en-US')} outcomes`).waitFor();
  for (const name of ['acme', 'globex']) await outcomes.getByText(name).waitFor();
  await page.goto(`${site.base}features/~providers`);
  await settled(page);
  await page.getByRole('link', { name: 'acme' }).click();
  await page.getByRole('heading', { level: 1, name: 'acme' }).waitFor();
  await page.locator('section[aria-label=Outcomes]').getByText('small-2').waitFor();
  await page.goto(`${site.base}features/of-the-file`);
  await settled(page);
  await page.getByText('defined in the settings file').waitFor();
  assert.ok(await page.getByRole('button', { name: 'Edit', exact: true }).isDisabled());
}));
