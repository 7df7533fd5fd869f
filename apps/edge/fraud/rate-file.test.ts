import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createWriteStream, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { type ImportOutcome, importSheet, listSheets, loadSheets, openRates, ratesOf } from './rate-file.ts';

async function inFolder(
  work: (
    folder: string,
    take: (content: string | Uint8Array, encoding?: string) => Promise<ImportOutcome>,
  ) => Promise<void>,
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'rates-'));
  try {
    await work(folder, async (content, encoding = '') => {
      const file = join(folder, 'sheet.csv');
      writeFileSync(file, content);
      const database = openRates(join(folder, 'rates.db'), true)!;
      try {
        return await importSheet(database, file, { sheet: 'default', currency: 'EUR', encoding, now: 1 });
      } finally {
        database.close();
      }
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const good =
  'Prefix;Destination;Rate;Connection fee;Initial;Increment;Currency\n49;"Germany; all";0,015;0;60;1;EUR\n4915;Mobile;0,09;0,01;1;1;EUR\n';

test('a sheet is imported whole, in any of its usual shapes, and found by the longest prefix', async () => {
  await inFolder(async (folder, take) => {
    assert.deepEqual(await take(good), { rows: 2, problems: [], problemCount: 0 });
    const shapes = [
      `\ufeff${good.replaceAll('\n', '\r\n')}`,
      good.replaceAll(',', '.').replaceAll(';', ',').replace('Germany, all', 'Germany'),
      'code\tprice\n+49\t0.015\n004915\t.09\n\n',
    ];
    for (const shape of shapes) assert.equal((await take(shape)).problemCount, 0, shape);
    assert.equal((await take(Buffer.from(`\ufeff${good}`, 'utf16le'))).problemCount, 0);
    assert.equal(
      (await take(Buffer.from(good.replace('Mobile', 'M\u00fcnchen'), 'latin1'), 'windows-1252'))
        .problemCount,
      0,
    );
    const { sheets } = await loadSheets(join(folder, 'rates.db'), 'EUR');
    const rate = sheets.get('default')!.find('+4915112345');
    assert.deepEqual(rate, { prefix: '4915', perMinute: 90_000, connection: 10_000, initial: 1, next: 1 });
    assert.equal(sheets.get('default')!.find('+4989')?.perMinute, 15_000);
    assert.equal(sheets.get('default')!.find('+1212'), undefined);
    const { sheets: none, left } = await loadSheets(join(folder, 'rates.db'), 'USD');
    assert.deepEqual([none.size, left], [0, ['default is in EUR, caps are in USD']]);
  });
});

test('what is wrong is told by row and column, and then nothing is imported', async () => {
  await inFolder(async (folder, take) => {
    await take(good);
    const wrong: readonly (readonly [string, number, string, RegExp])[] = [
      ['prefix,rate\n49,0.1\n49,0.2\n', 3, 'prefix', /twice/],
      ['prefix,rate\n49,-0.1\n', 2, 'rate', /negative/],
      ['prefix,rate\n49,1e3\n', 2, 'rate', /no price/],
      ['prefix,rate\n49,5000\n', 2, 'rate', /absurd/],
      ['prefix,rate,currency\n49,0.1,EUR\n1,0.1,USD\n', 3, 'currency', /is not EUR/],
      ['prefix,rate\nabc,0.1\n', 2, 'prefix', /no prefix/],
      ['prefix,rate\n0,0.1\n', 2, 'prefix', /no prefix/],
      ['prefix,rate\n49\n', 2, '', /has 1 columns/],
      ['prefix,rate,initial\n49,0.1,0\n', 2, 'initial', /seconds/],
      ['destination,rate\nx,0.1\n', 1, '', /headed prefix/],
      ['prefix,rate\n"49,0.1\n', 2, '', /never closed/],
      ['prefix,rate\n', 2, '', /no rate/],
      ['', 1, '', /empty/],
    ];
    for (const [content, row, column, text] of wrong) {
      const { problems, problemCount } = await take(content);
      assert.ok(problemCount > 0, content);
      assert.deepEqual([problems[0]!.row, problems[0]!.column], [row, column], content);
      assert.match(problems[0]!.text, text, content);
    }
    const bad = await take(Buffer.from('prefix,rate,name\n49,0.1,M\u00fcnchen\n', 'latin1'));
    assert.match(bad.problems[0]!.text, /not utf-8/);
    const long = await take(`prefix,rate\n49,"${'9'.repeat(70_000)}"\n`);
    assert.match(long.problems[0]!.text, /more than 65536 characters/);
    const many = await take(`prefix,rate\n${'x,y\n'.repeat(1000)}`);
    assert.deepEqual([many.problems.length, many.problemCount], [20, 2000]);
    const database = openRates(join(folder, 'rates.db'), false)!;
    assert.deepEqual(
      listSheets(database).map(({ name, rows }) => [name, rows]),
      [['default', 2]],
    );
    assert.deepEqual(
      ratesOf(database, 'default', '49', 10).map(({ prefix }) => prefix),
      ['49', '4915'],
    );
    database.close();
  });
});

test('a sheet of a hundred thousand rows is read a piece at a time, and every row is found', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'rates-'));
  try {
    const file = join(folder, 'long.csv');
    const out = createWriteStream(file);
    out.write('prefix,rate\n');
    for (let i = 0; i < 20; i += 1) {
      const rows = Array.from(
        { length: 5_000 },
        (_, j) => `4${String(i * 5_000 + j).padStart(6, '0')},0.0${(j % 9) + 1}`,
      );
      if (!out.write(`${rows.join('\n')}\n`)) await once(out, 'drain');
    }
    out.end();
    await once(out, 'finish');
    const database = openRates(join(folder, 'rates.db'), true)!;
    const { rows } = await importSheet(database, file, {
      sheet: 'default',
      currency: 'EUR',
      encoding: '',
      now: 1,
    });
    assert.equal(rows, 100_000);
    database.close();
    const { sheets } = await loadSheets(join(folder, 'rates.db'), 'EUR');
    assert.equal(sheets.get('default')!.size, 100_000);
    assert.equal(sheets.get('default')!.find('+4099999123')?.perMinute, 50_000);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
