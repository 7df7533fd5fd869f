import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compare, type Packet } from './rtp.ts';

const sent: Packet[] = Array.from({ length: 5 }, (_, index) => ({
  sequence: (65_534 + index) & 0xffff,
  timestamp: (0xffff_ff00 + index * 160) >>> 0,
  payload: Buffer.alloc(160, index),
}));
/** A relay may number anew: only the steps count. */
const relayed = sent.map((packet, index) => ({
  ...packet,
  sequence: 100 + index,
  timestamp: 7 + index * 160,
}));

test('what arrives as it was sent is bit-exact, over the wrap of its numbers too', () => {
  assert.equal(compare(sent, relayed), null);
});

test('a lost, doubled, exchanged, changed or misnumbered packet is not', () => {
  const changed = relayed.map((packet) => ({ ...packet, payload: Buffer.from(packet.payload) }));
  changed[2]!.payload[159]! ^= 1;
  const misnumbered = relayed.map((packet, index) => (index === 3 ? { ...packet, sequence: 104 } : packet));
  const late = relayed.map((packet, index) => (index === 3 ? { ...packet, timestamp: 8 } : packet));
  const [a, b, c, d, e] = relayed as [Packet, Packet, Packet, Packet, Packet];
  for (const received of [
    [a, b, d, e],
    [a, b, b, c, d, e],
    [a, c, b, d, e],
    [],
    changed,
    misnumbered,
    late,
  ]) {
    assert.equal(typeof compare(sent, received), 'string');
  }
});
