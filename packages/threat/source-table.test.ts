import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SeededRandom } from '@ringfence/testkit/random.ts';
import { keyWords, SourceTable } from './source-table.ts';

const record = keyWords + 2;

test('a table that is not full gives each source its own record, and keeps what stands in it', () => {
  const table = new SourceTable(20_000, record, 7);
  for (let round = 1; round <= 3; round += 1)
    for (let i = 0; i < 4_000; i += 1) {
      const at = table.at(table.claim(i % 3, i, round));
      assert.equal(table.fresh, round === 1);
      assert.equal(table.words[at + keyWords], round === 1 ? 0 : i);
      table.words[at + keyWords] = i;
      assert.equal(table.floats[at + keyWords + 1], round === 1 ? 0 : i / 2);
      table.floats[at + keyWords + 1] = i / 2;
    }
  assert.equal(table.used, 4_000);
  assert.equal(table.evicted, 0);
  for (let i = 0; i < 4_000; i += 1) {
    const slot = table.find(i % 3, i);
    assert.equal(table.words[table.at(slot) + keyWords], i);
  }
  assert.equal(table.find(9, 1), -1);
});

test("in a table that is too small nobody finds what is another one's, and who is kept for longest stays", () => {
  const table = new SourceTable(64, record, 3);
  const random = new SeededRandom(5);
  const important = [-1, -2, -3];
  for (const key of important) {
    const slot = table.claim(key, 0, 1);
    table.words[table.at(slot) + keyWords] = key >>> 0;
    table.keep(slot, 1_000_000);
  }
  for (let i = 0; i < 20_000; i += 1) {
    const key = 1 + Math.floor(random.next() * 500);
    const at = table.at(table.claim(key, 0, i + 1));
    assert.equal(table.words[at + keyWords], table.fresh ? 0 : key);
    table.words[at + keyWords] = key;
  }
  assert.ok(table.evicted > 1_000);
  for (const key of important) assert.equal(table.words[table.at(table.find(key, 0)) + keyWords], key >>> 0);
});

test('records lie in memory that was handed in', () => {
  let asked = 0;
  const table = new SourceTable(100, record, 1, (octets) => {
    asked = octets;
    return new ArrayBuffer(octets);
  });
  assert.equal(table.octets, asked);
  assert.throws(() => new SourceTable(0, record, 1), { code: 'source-table-size' });
  assert.throws(() => new SourceTable(1, 1, 1), { code: 'source-table-record' });
});
