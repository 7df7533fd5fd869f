import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { BoundedMap } from './bounded-map.ts';
import { MisuseError } from './misuse.ts';

test('by use: the entry not touched for longest goes, and its owner hears of it', () => {
  const gone: [string, number][] = [];
  const map = new BoundedMap<string, number>({
    capacity: 2,
    onEvict: (key, value) => gone.push([key, value]),
  });
  map.set('a', 1);
  map.set('b', 2);
  assert.equal(map.get('a'), 1);
  map.set('c', 3);
  assert.deepEqual(gone, [['b', 2]]);
  assert.deepEqual([...map.keys()], ['a', 'c']);
  map.peek('a');
  map.set('d', 4);
  assert.deepEqual(
    [...map.entries()],
    [
      ['c', 3],
      ['d', 4],
    ],
  );
});

test('by insertion: reading and writing again do not save an entry', () => {
  const map = new BoundedMap<string, number>({ capacity: 2, order: 'insertion' });
  map.set('a', 1);
  map.set('b', 2);
  map.get('a');
  map.set('a', 9);
  map.set('c', 3);
  assert.deepEqual([...map.keys()], ['b', 'c']);
});

test('delete and clear evict nobody; undefined is a value', () => {
  let evicted = 0;
  const map = new BoundedMap<string, undefined>({ capacity: 1, onEvict: () => (evicted += 1) });
  map.set('a', undefined);
  assert.equal(map.get('a'), undefined);
  assert.ok(map.has('a'));
  assert.ok(map.delete('a'));
  map.set('b', undefined);
  map.clear();
  assert.equal(evicted, 0);
  assert.equal(map.size, 0);
});

test('a capacity that bounds nothing is misuse', () => {
  for (const capacity of [0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY])
    assert.throws(
      () => new BoundedMap({ capacity }),
      (error: unknown) => error instanceof MisuseError && error.code === 'bounded-map-capacity',
    );
});

test('property: never above capacity, and every entry is kept, evicted or deleted once', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 8 }),
      fc.constantFrom('use' as const, 'insertion' as const),
      fc.array(fc.tuple(fc.constantFrom('set', 'get', 'delete'), fc.integer({ min: 0, max: 12 })), {
        maxLength: 100,
      }),
      (capacity, order, operations) => {
        let inserted = 0;
        let removed = 0;
        const map = new BoundedMap<number, number>({ capacity, order, onEvict: () => (removed += 1) });
        for (const [operation, key] of operations) {
          if (operation === 'set') {
            if (!map.has(key)) inserted += 1;
            map.set(key, key);
          } else if (operation === 'get') map.get(key);
          else if (map.delete(key)) removed += 1;
          assert.ok(map.size <= capacity);
        }
        assert.equal(map.size, inserted - removed);
      },
    ),
    { numRuns: 200 },
  );
});
