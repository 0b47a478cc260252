// Every page in both themes at all widths has no accessibility violation that axe can find, no fault,
// and nothing wider than the screen.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { INCIDENT, newPage, open, PAGES, settled, THEMES, WIDTHS } from './browser.mjs';

const AXE = await readFile(new URL('node_modules/axe-core/axe.min.js', import.meta.url), 'utf8');
const RULES = { runOnly: { type: 'tag', values: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] } };
const DIALOGS = [
  ['checks', 'Add check'], ['rules', 'Add rule'], ['rules', 'Add objective'], [INCIDENT, 'Resolve'], ['experiments', 'New experiment'], ['experiments/one-page-checkout', 'Complete'],
  ['experiments/button', 'Edit'], ['features', 'Add feature'], ['features/checkout', 'Change'], ['features/checkout', 'Changes of version 2'], ['logs', 'Export'],
  ['settings/channels', 'Add channel'], ['settings/silences', 'Add silence'], ['settings/maintenance', 'Add window'], ['settings/tokens', 'Make token'], ['settings/storage', 'Back up'],
];
let site;

before(async () => {
  site = await open();
}, { timeout: 240_000 });

after(() => site?.end());

/** What axe finds, in words. */
async function violations(page) {
  // The policy forbids scripts of others; evaluating goes beside it.
  await page.evaluate(AXE);
  const found = await page.evaluate((rules) => globalThis.axe.run(document, rules), RULES);
  return found.violations.map((one) => `${one.id}: ${one.nodes.slice(0, 3).map((node) => `${node.target} ${node.failureSummary?.split('\n')[1]?.trim() ?? ''}`).join(' | ')}`);
}

for (const theme of THEMES) {
  for (const width of WIDTHS) {
    test(`no violation and no overflow: ${theme}, ${width} px`, { timeout: 240_000 }, async () => {
      const page = await newPage(site.browser, { width, theme, reducedMotion: 'reduce' });
      const wrong = [];
      for (const path of PAGES) {
        await page.goto(site.at(path));
        await settled(page);
        for (const one of await violations(page)) wrong.push(`/${path} ${one}`);
        const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
        if (wide > 0) wrong.push(`/${path} is ${wide} px wider than the screen`);
      }
      for (const fault of page.faults) wrong.push(`fault: ${fault}`);
      await page.context().close();
      assert.deepEqual(wrong, []);
    });
  }
}

test('dialogs have no violation either', { timeout: 240_000 }, async () => {
  const wrong = [];
  for (const width of [1440, 320]) {
    const page = await newPage(site.browser, { width, theme: 'dark', reducedMotion: 'reduce' });
    for (const [path, button] of DIALOGS) {
      await page.goto(site.at(path));
      await settled(page);
      await page.getByRole('button', { name: button, exact: true }).first().click();
      await page.waitForSelector('dialog[open]');
      for (const details of await page.$$('dialog details')) await details.evaluate((element) => { element.open = true; });
      for (const one of await violations(page)) wrong.push(`${button} at ${width}: ${one}`);
      const wide = await page.$eval('dialog', (dialog) => dialog.scrollWidth - dialog.clientWidth);
      if (wide > 0) wrong.push(`${button} at ${width}: ${wide} px too wide`);
    }
    await page.context().close();
  }
  assert.deepEqual(wrong, []);
});

test('axe finds a planted fault', { timeout: 180_000 }, async () => {
  const page = await newPage(site.browser);
  await page.goto(`${site.base}checks`);
  await settled(page);
  await page.evaluate(() => {
    const button = document.createElement('button');
    document.querySelector('main').append(button);
  });
  const found = await violations(page);
  await page.context().close();
  assert.ok(found.some((one) => one.startsWith('button-name')), found.join('\n'));
});
