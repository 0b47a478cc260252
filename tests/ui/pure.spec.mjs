// The arithmetic of the page: numbers, durations, axes, samples. Run in the browser, as it is used there.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startBrowser, startVedette } from './browser.mjs';

let vedette;
let browser;
let page;
let root;

before(async () => {
  vedette = await startVedette();
  browser = await startBrowser();
  page = await browser.newPage();
  // The files have an address of their own with every change of any of them.
  const index = await (await fetch(`${vedette.target}/ui/`)).text();
  root = /(\/ui\/[^/]+)\/js\/app\.js/.exec(index)[1];
  await page.goto(`${vedette.target}${root}/icon.svg`);
}, { timeout: 180_000 });

after(async () => {
  await browser?.close();
  await vedette?.end();
});

/** Calls functions of a module: `[[name, ...arguments], …]`. */
const call = (module, calls) => page.evaluate(async ([path, all]) => {
  const loaded = await import(path);
  return all.map(([name, ...given]) => loaded[name](...given));
}, [`${root}/js/${module}.js`, calls]);

test('numbers have the digits that say something, and a true minus', async () => {
  assert.deepEqual(await call('format', [['number', 0.2234], ['number', 157.4], ['number', 12_400], ['number', -3.456], ['number', 0], ['number', null]]), ['0.223', '157', '12,400', '\u22123.46', '0', '–']);
  assert.deepEqual(await call('format', [['withUnit', 0.157, 's'], ['withUnit', 0.0002, 's'], ['withUnit', 90_000, 's'], ['withUnit', 1536, 'bytes'], ['withUnit', 0.6123, 'ratio'], ['withUnit', 1, 'ratio'], ['withUnit', 0.0022, 'ratio']]),
    ['157\u00a0ms', '200\u00a0µs', '1.04\u00a0d', '1.5\u00a0KiB', '61\u00a0%', '100\u00a0%', '0.22\u00a0%']);
});

test('what is not all of it never reads as 100 %', async () => {
  assert.deepEqual(await call('format', [['percent', 99.9999], ['percent', 100], ['percent', 99.5], ['percent', null]]), ['99.99\u00a0%', '100.00\u00a0%', '99.50\u00a0%', '–']);
});

test('durations are read and written in Prometheus’s form', async () => {
  assert.deepEqual(await call('format', [['duration', 90], ['duration', 0], ['duration', 86_400], ['duration', 0.25], ['parseDuration', '1m30s'], ['parseDuration', '15'], ['parseDuration', 'soon'], ['parseDuration', '1w']]), ['1m30s', '0s', '1d', '250ms', 90, 15, null, 604_800]);
});

test('the unit follows from the name and from what is done with it', async () => {
  assert.deepEqual(await call('format', [['unitOf', 'node_memory_MemFree_bytes'], ['unitOf', 'rate(node_network_receive_bytes_total[1m])'], ['unitOf', 'histogram_quantile(0.95, sum by (le) (rate(http_request_duration_seconds_bucket[1m])))'], ['unitOf', 'sum(rate(http_requests_total[1m]))'], ['unitOf', 'node_load1'], ['unitOf', 'rate(node_cpu_seconds_total{mode="idle"}[1m])'], ['unitOf', 'sum(rate(errors_total{path="/a"}[5m])) / sum(rate(requests_total[5m]))'], ['unitOf', 'rate(requests_total{path="/a"}[5m])']]), ['bytes', 'bytes/s', 's', '/s', '', '', '', '/s']);
});

test('series are named by the fewest labels that tell them apart', async () => {
  const series = [{ __name__: 'up', check: 'a', instance: 'x:1', kind: 'http' }, { __name__: 'up', check: 'b', instance: 'y:1', kind: 'tcp' }];
  const two = [{ device: 'a', mode: 'r' }, { device: 'a', mode: 'w' }, { device: 'b', mode: 'r' }];
  assert.deepEqual(await call('format', [['shortNames', series], ['shortNames', two], ['shortNames', [{ __name__: 'node_load1', job: 'node' }]]]), [['a', 'b'], ['r · a', 'w · a', 'r · b'], ['node_load1']]);
});

test('axes have round steps and hold what they show', async () => {
  const [step, binary, axis, kept] = await call('scale', [['roundStep', 487, 5], ['roundStep', 5 * 1024 * 1024, 5, true], ['valueAxis', 3, 391, null, 5, false], ['valueAxis', 3, 370, { low: 0, high: 400, step: 100 }, 5, false]]);
  assert.equal(step, 100);
  assert.equal(binary % 1024, 0);
  assert.deepEqual([axis.low, axis.high >= 391], [0, true]);
  assert.equal(kept.high, 400, 'an axis that still fits is kept');
});

test('a dense line keeps its lowest and highest, and a gap breaks it', async () => {
  const points = await page.evaluate(async (path) => {
    const { trace } = await import(path);
    const x = Float64Array.from({ length: 10_000 }, (_, i) => i * 1000);
    const y = Float32Array.from(x, (_, i) => (i === 5003 ? 99 : i === 7001 ? -99 : 1));
    const out = [];
    trace({ x, y }, (ms) => ms / 100_000, (value) => value, 0, 9_999_000, 2500, 1.5, (px, py, begins) => out.push([px, py, begins]));
    const broken = [];
    trace({ x: Float64Array.from([0, 1000, 9000, 10_000]), y: Float32Array.from([1, NaN, 1, 2]) }, (ms) => ms, (value) => value, 0, 10_000, 2500, 1.5, (_px, _py, begins) => broken.push(begins));
    return { count: out.length, high: Math.max(...out.map((one) => one[1])), low: Math.min(...out.map((one) => one[1])), begins: out.filter((one) => one[2]).length, ordered: out.every((one, i) => i === 0 || one[0] >= out[i - 1][0]), broken };
  }, `${root}/js/scale.js`);
  assert.ok(points.count < 300, `${points.count} points`);
  assert.deepEqual([points.high, points.low, points.begins, points.ordered], [99, -99, 1, true]);
  assert.deepEqual(points.broken, [true, true, false]);
});


test('lines that are asked for and lines that are told make one list without gaps', async () => {
  // In the page, so that the module is the one that is served.
  const wrong = await page.evaluate(async (path) => {
    const { Lines, newestFirst } = await import(path);
    const line = (time, number) => ({ id: `${time}-${number}` });
    const ids = (list) => list.map((one) => one.id).join(' ');
    const found = [];
    const expect = (what, lines, wanted, next) => {
      if (ids(lines.all) !== wanted || lines.next !== next) found.push(`${what}: ${ids(lines.all)} and ${lines.next}, not ${wanted} and ${next}`);
    };
    const [a, b, c, d] = [line(1, 1), line(2, 2), line(3, 3), line(3, 4)];

    let lines = new Lines(100);
    lines.answer([b, a], null, false);
    lines.lost();
    lines.tell([d]);
    expect('told before the answer, which has it', (lines.answer([d, c, b, a], null, false), lines), '3-4 3-3 2-2 1-1', null);
    lines = new Lines(100);
    lines.answer([b, a], null, false);
    lines.lost();
    lines.tell([d]);
    expect('told before the answer, which is older', (lines.answer([c, b, a], null, false), lines), '3-4 3-3 2-2 1-1', null);
    lines = new Lines(100);
    lines.tell([c]);
    expect('told before the first answer', (lines.answer([b], 'older', false), lines), '3-3 2-2', 'older');
    lines = new Lines(100);
    lines.tell([a]);
    expect('a late one, told before the first answer, which is all there was', (lines.answer([b], null, false), lines), '2-2 1-1', null);
    lines = new Lines(100);
    lines.answer([a], 'older', false);
    lines.lost();
    lines.tell([d]);
    expect('more was missed than one answer has', (lines.answer([c], 'from c', false), lines), '3-4 3-3', 'from c');
    lines = new Lines(100);
    lines.answer([a], 'older', false);
    lines.tell([b, c]);
    lines.tell([d]);
    expect('all was told, so that a short answer leaves nothing out', (lines.answer([d], 'from d', false), lines), '3-4 3-3 2-2 1-1', 'older');

    // Against what a server has, in any order: 300 runs.
    let state = 42;
    const below = (n) => (state = (state * 1664525 + 1013904223) % 4294967296) % n;
    for (let run = 0; run < 300; run += 1) {
      const all = [];
      lines = new Lines(1e6);
      let asked = null;
      let telling = true;
      const page = (before, count = 5) => {
        const from = all.toSorted((x, y) => newestFirst(x.id, y.id)).filter((one) => !before || newestFirst(one.id, before) > 0);
        return [from.slice(0, count), from.length > count ? from[count - 1].id : null];
      };
      const say = () => {
        // Now and then one that is late. Who was not told of a late one further down than one answer
        // reaches does not learn of it.
        const one = line(all.length + (telling && !below(5) ? -below(8) : 0), all.length);
        all.push(one);
        if (telling) lines.tell([one]);
      };
      for (let step = 0; step < 60; step += 1) {
        const act = below(10);
        if (act < 6) say();
        else if (act === 6 && telling) {
          telling = false;
          lines.lost();
        } else if (act === 7 && !telling) {
          telling = true;
          lines.lost();
          asked = page(null);
        } else if (act === 8 && !asked) asked = page(null);
        else if (act === 9 && asked) {
          lines.answer(...asked, false);
          asked = null;
        }
      }
      if (!telling) lines.lost();
      telling = true;
      lines.answer(...page(null), false);
      for (let i = 0; i < 3; i += 1) say();
      while (lines.next) lines.reach(...page(lines.next));
      const wanted = all.toSorted((x, y) => newestFirst(x.id, y.id));
      const got = lines.all.toSorted((x, y) => newestFirst(x.id, y.id));
      if (ids(wanted) !== ids(got)) found.push(`run ${run}: ${ids(got)}, not ${ids(wanted)}`);
    }
    return found.slice(0, 5);
  }, `${root}/js/log-lines.js`);
  assert.deepEqual(wrong, []);
});

test('a frame that comes while the list is asked for is not undone by an answer that is older', async () => {
  const seen = await page.evaluate(async (path) => {
    const { Resource } = await import(path);
    const tick = () => new Promise((done) => { setTimeout(done); });
    let answer = (_) => {};
    const list = new Resource(() => new Promise((done) => { answer = done; }), 1e9, ['things'], (data, type, frame) => (data.includes(frame) ? data : [...data, frame]));
    const end = list.use(() => {});
    answer(['first']);
    await tick();
    list.refresh();
    list.hear('thing.made', 'second');
    const before = list.data.join();
    answer(['first']);
    await tick();
    const after = list.data.join();
    list.refresh();
    answer(['first', 'third']);
    await tick();
    end();
    return [before, after, list.data.join()];
  }, `${root}/js/store.js`);
  assert.deepEqual(seen, ['first,second', 'first,second', 'first,third'], 'and the next answer is believed');
});
