import assert from 'node:assert/strict';
import { test } from 'node:test';
import { attackClassesPage, testsOfClasses } from './attack-classes.ts';

test('every class of attacks has a test that names it', () => {
  const found = testsOfClasses();
  assert.equal(found.size, 27);
  const without = [...found].filter(([, tests]) => tests.length === 0).map(([id]) => id);
  assert.deepEqual(without, []);
  assert.match(attackClassesPage(), /\| S6 \| Digest leak/);
});
