// Every page in both themes at all widths has no accessibility violation that axe can find, no fault,
// and nothing wider than the screen.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { newPage, open, PAGES, settled, THEMES, WIDTHS } from './browser.mjs';
import { startServer } from './dev-server.mjs';
import { standIn } from './stand-in.mjs';

const AXE = await readFile(new URL('node_modules/axe-core/axe.min.js', import.meta.url), 'utf8');
const RULES = { runOnly: { type: 'tag', values: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] } };
/** Pages of parts that the binary may not have yet, with answers of a stand-in. */
const STOOD_IN = ['', 'experiments', 'experiments/one-page-checkout', 'features', 'features/checkout', 'logs'];
let site;
let stoodIn;
let stoodInServer;

before(async () => {
  site = await open();
  const { server, port } = await startServer({ target: site.vedette.target, intercept: standIn({ logs: 2000 }).intercept });
  stoodInServer = server;
  stoodIn = `http://127.0.0.1:${port}/ui/`;
}, { timeout: 120_000 });

after(async () => {
  stoodInServer?.close();
  stoodInServer?.closeAllConnections();
  await site?.end();
});

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
      for (const [base, path] of [...PAGES.map((one) => [site.base, one]), ...STOOD_IN.map((one) => [stoodIn, one])]) {
        await page.goto(base + path);
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

test('dialogs have no violation either', { timeout: 120_000 }, async () => {
  const wrong = [];
  for (const width of [1440, 320]) {
    const page = await newPage(site.browser, { width, theme: 'dark', reducedMotion: 'reduce' });
    for (const [path, button, base] of [['experiments', 'New experiment', stoodIn], ['features', 'Add feature', stoodIn], ['experiments/one-page-checkout', 'Complete', stoodIn], ['features/checkout', 'Change', stoodIn], ['checks', 'Add check'], ['rules', 'Add rule'], ['incidents/1', 'Resolve'], ['settings/channels', 'Add channel'], ['settings/silences', 'Add silence'], ['settings/maintenance', 'Add window'], ['settings/tokens', 'Make token']]) {
      await page.goto((base ?? site.base) + path);
      await settled(page);
      await page.getByRole('button', { name: button }).first().click();
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

test('axe finds a planted fault', { timeout: 60_000 }, async () => {
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
