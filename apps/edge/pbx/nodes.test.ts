import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SeededRandom } from '@ringfence/testkit/random.ts';
import { pbxObject } from '../testing/pbx.ts';
import type { TargetReport } from '../trunks/health/monitor.ts';
import { nodeOwner, PbxNodes } from './nodes.ts';

const pbx = (nodes: readonly (readonly [string, number, number])[]) => {
  const object = pbxObject(['10.0.0.1']);
  return {
    ...object,
    nodes: nodes.map(([name, priority, weight]) => ({ ...object.nodes[0]!, name, priority, weight })),
  };
};
/** What the health monitor says. */
class Told {
  rows: TargetReport[] = [];
  reports = () => this.rows;
  report = () => undefined;
  quarantined = () => false;
}

const random = new SeededRandom(7);
const chance = () => random.bytes(4).reduce((sum, octet) => sum * 256 + octet, 0) / 2 ** 32;

test('nodes are drawn by priority, and by weight within one (RFC 2782)', () => {
  const nodes = new PbxNodes(chance, new Told());
  const three = pbx([
    ['spare', 20, 100],
    ['big', 10, 30],
    ['small', 10, 10],
  ]);
  const first = new Map<string, number>();
  for (let i = 0; i < 2000; i += 1) {
    const order = nodes.order(three).map(({ name }) => name);
    assert.equal(order[2], 'spare');
    first.set(order[0]!, (first.get(order[0]!) ?? 0) + 1);
  }
  const share = first.get('big')! / 2000;
  assert.ok(share > 0.71 && share < 0.79, `${share}`);
});

test('a phone stays at its node while that lives; dead nodes come last, and all are tried while all are dead', () => {
  const monitor = new Told();
  const nodes = new PbxNodes(chance, monitor);
  const two = pbx([
    ['one', 10, 10],
    ['two', 20, 10],
  ]);
  const names = (sticky?: string) => nodes.order(two, sticky).map(({ name }) => name);
  assert.deepEqual(names(), ['one', 'two']);
  assert.deepEqual(names('two'), ['two', 'one']);
  const owner = nodeOwner(two.domain, 'two');
  monitor.rows = [
    { owner, target: 'a', state: 'quarantined', since: 0, lastFailure: '' },
    { owner, target: 'b', state: 'up', since: 0, lastFailure: '' },
  ];
  nodes.changed(owner);
  assert.deepEqual(names('two'), ['two', 'one'], 'one of its addresses lives');
  monitor.rows = monitor.rows.map((row) => ({ ...row, state: 'quarantined' }));
  nodes.changed(owner);
  assert.deepEqual(names('two'), ['one', 'two']);
  monitor.rows = [...monitor.rows, { ...monitor.rows[0]!, owner: nodeOwner(two.domain, 'one') }];
  nodes.changed(nodeOwner(two.domain, 'one'));
  assert.equal(names().length, 2);
  nodes.retain([]);
  assert.deepEqual(names(), ['one', 'two']);
});
