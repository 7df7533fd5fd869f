import assert from 'node:assert/strict';
import type { ZrtpPair } from './pair.ts';

/** Both ends have the same SAS, and each sends with what the other receives with. */
export function assertMirrored(pair: ZrtpPair, name = ''): void {
  const [a, b] = [pair.a.secured, pair.b.secured];
  assert.ok(a && b, `${name} ${pair.a.outcome} / ${pair.b.outcome}`);
  assert.deepEqual(a.keys.send, b.keys.receive, name);
  assert.deepEqual(a.keys.receive, b.keys.send, name);
  assert.notDeepEqual(a.keys.send, a.keys.receive, name);
  assert.equal(a.keys.suite, b.keys.suite, name);
  assert.deepEqual(a.choice, b.choice, name);
  assert.notEqual(a.role, b.role, name);
  assert.equal(a.sas, b.sas, name);
  assert.deepEqual(a.sasHash, b.sasHash, name);
}
