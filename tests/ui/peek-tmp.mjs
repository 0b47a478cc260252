import { newPage, settled, startBrowser } from './browser.mjs';
const [base, width, theme, ...paths] = process.argv.slice(2);
const browser = await startBrowser();
const page = await newPage(browser, { width: Number(width), theme, reducedMotion: 'reduce' });
for (const one of paths) {
  const [path, button] = one.split('@');
  await page.goto(`${base}/ui/${path === '.' ? '' : path}`);
  await settled(page).catch((e) => console.log(String(e).slice(0, 200)));
  if (button) { await page.getByRole('button', { name: button }).first().click(); }
  await page.waitForTimeout(1800);
  await page.screenshot({ path: `/tmp/pg/shots-${(one).replace(/\W+/g, '-')}-${width}-${theme}.png`, fullPage: !button });
}
console.log(page.faults);
await browser.close();
