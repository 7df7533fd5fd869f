import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decodeBencode, encodeBencode, type Writable } from './bencode.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

test('BEP 3: the examples of the specification, both ways', () => {
  for (const [value, text] of [
    ['spam', '4:spam'],
    ['', '0:'],
    [3, 'i3e'],
    [-3, 'i-3e'],
    [0, 'i0e'],
    [['spam', 'eggs'], 'l4:spam4:eggse'],
    [{ cow: 'moo', spam: 'eggs' }, 'd3:cow3:moo4:spam4:eggse'],
    [{ spam: ['a', 'b'] }, 'd4:spaml1:a1:bee'],
  ] as const) {
    assert.equal(new TextDecoder().decode(encodeBencode(value)), text);
    const read = decodeBencode(bytes(text));
    assert.ok(read.ok);
    assert.deepEqual(plain(read.value), value);
  }
});

test('BEP 3: what breaks the grammar is refused by its code', () => {
  for (const [text, problem] of [
    ['', 'short'],
    ['i3', 'short'],
    ['4:spa', 'short'],
    ['l4:spam', 'short'],
    ['d3:cow', 'short'],
    ['i-0e', 'syntax'],
    ['i03e', 'syntax'],
    ['ie', 'syntax'],
    ['i9007199254740993e', 'syntax'],
    ['i11111111111111111e', 'syntax'],
    ['03:abc', 'syntax'],
    ['-1:a', 'syntax'],
    ['di3e3:mooe', 'syntax'],
    ['x', 'syntax'],
    ['i3ei4e', 'trailing'],
  ] as const) {
    const read = decodeBencode(bytes(text));
    assert.deepEqual(read, { ok: false, error: problem }, text);
  }
});

test('depth and number of values are bounded', () => {
  assert.deepEqual(decodeBencode(bytes('l'.repeat(100_000))), { ok: false, error: 'limit' });
  assert.deepEqual(decodeBencode(bytes(`l${'i1e'.repeat(30)}e`), 0, { values: 20 }), {
    ok: false,
    error: 'limit',
  });
});

test('a key named like a method of objects is a key like any other', () => {
  const read = decodeBencode(bytes('d9:__proto__d1:ai1eee'));
  assert.ok(read.ok && read.value instanceof Map);
  assert.equal(({} as Record<string, unknown>).a, undefined);
});

test('property: what was written reads back, and random octets never throw', () => {
  const { value } = fc.letrec((tie) => ({
    value: fc.oneof(
      { maxDepth: 4 },
      fc.maxSafeInteger().map((n) => (n === 0 ? 0 : n)),
      fc.string(),
      fc.array(tie('value'), { maxLength: 5 }),
      fc.array(fc.tuple(fc.string({ minLength: 1 }), tie('value')), { maxLength: 5 }).map(Object.fromEntries),
    ),
  }));
  fc.assert(
    fc.property(value, (made) => {
      const read = decodeBencode(encodeBencode(made as Writable));
      assert.ok(read.ok);
      assert.deepEqual(plain(read.value), made);
    }),
    { numRuns: 200 },
  );
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (octets) => {
      decodeBencode(octets);
    }),
    { numRuns: 500 },
  );
});

function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain);
  if (value instanceof Map) return Object.fromEntries([...value].map(([key, item]) => [key, plain(item)]));
  return value;
}
