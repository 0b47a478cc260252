// Takes pictures of pages: node shots.mjs [address] [pages] [widths] [themes]

import { mkdir } from 'node:fs/promises';
import { chromium } from 'playwright-core';

const base = process.argv[2] ?? 'http://127.0.0.1:9312';
const list = (value, otherwise) => (value ? value.split(',') : otherwise);
const pages = list(process.argv[3], ['']);
const widths = list(process.argv[4], ['1440']).map(Number);
const themes = list(process.argv[5], ['light']);

await mkdir(new URL('shots/', import.meta.url), { recursive: true });
const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox'] });
for (const theme of themes) {
  for (const width of widths) {
    const context = await browser.newContext({ viewport: { width, height: width < 640 ? 844 : 900 }, colorScheme: theme, reducedMotion: 'reduce' });
    const page = await context.newPage();
    page.on('console', (message) => {
      if (message.type() === 'error' && !/404/.test(message.text())) console.log(`${message.type()}: ${message.text()}`);
    });
    page.on('pageerror', (error) => console.log(`error: ${error.stack}`));
    for (const path of pages) {
      await page.goto(`${base}/ui/${path}`);
      await page.waitForTimeout(2500);
      const name = `${path.replace(/\W+/g, '-') || 'overview'}-${width}-${theme}.png`;
      await page.screenshot({ path: new URL(`shots/${name}`, import.meta.url).pathname, fullPage: true });
      console.log(name);
    }
    await context.close();
  }
}
await browser.close();
