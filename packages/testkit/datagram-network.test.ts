import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type DatagramAddress, DatagramNetwork, Nat, type NatKind } from './datagram-network.ts';
import { SeededRandom } from './random.ts';
import { VirtualTime } from './virtual-time.ts';

const inner: DatagramAddress = { address: '10.0.0.2', port: 5000 };
const one: DatagramAddress = { address: '192.0.2.1', port: 1 };
const samePlace: DatagramAddress = { address: '192.0.2.1', port: 2 };
const other: DatagramAddress = { address: '192.0.2.9', port: 1 };

test('NATs: who may answer, and under which address one is seen', () => {
  const expected: Record<NatKind, [boolean, boolean, boolean, boolean]> = {
    'full-cone': [true, true, true, true],
    'address-restricted': [true, true, false, true],
    'port-restricted': [true, false, false, true],
    symmetric: [true, false, false, false],
  };
  for (const [kind, allowed] of Object.entries(expected)) {
    const nat = new Nat('203.0.113.1', kind as NatKind);
    const seen = nat.outbound(inner, one);
    const back = [one, samePlace, other].map((from) => nat.inbound(seen.port, from) === inner);
    const steady = nat.outbound(inner, other).port === seen.port;
    assert.deepEqual([...back, steady], allowed, kind);
    assert.equal(nat.inbound(1, one), undefined);
    nat.reboot();
    assert.equal(nat.inbound(seen.port, one), undefined);
    assert.notEqual(nat.outbound(inner, one).port, seen.port);
  }
});

test('a network takes datagrams through a NAT and back, and inner addresses lead nowhere', () => {
  const time = new VirtualTime();
  const network = new DatagramNetwork(time, new SeededRandom(1), { duplication: 0.5, delay: [1, 30] });
  const nat = new Nat('203.0.113.1', 'port-restricted');
  const inside: string[] = [];
  const outside: string[] = [];
  network.open(inner, (_, from) => inside.push(from.address), nat);
  network.open(one, (bytes, from) => {
    outside.push(from.address);
    network.send(one, from, bytes);
  });
  network.send(one, inner, Uint8Array.of(1));
  time.runUntil(100);
  assert.deepEqual(inside, []);
  for (let i = 0; i < 20; i += 1) network.send(inner, one, Uint8Array.of(1));
  time.runUntil(1000);
  assert.ok(outside.length > 20 && outside.every((address) => address === '203.0.113.1'));
  assert.ok(inside.length >= outside.length && inside.every((address) => address === '192.0.2.1'));
  network.conditions = { loss: 1 };
  const { delivered } = network;
  network.send(inner, one, Uint8Array.of(1));
  time.runUntil(2000);
  assert.equal(network.delivered, delivered);
});
