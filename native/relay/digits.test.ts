import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { SrtpContext } from '@ringfence/srtp/context.ts';
import type { Suite } from '@ringfence/srtp/suite.ts';
import { startRelay } from './client.ts';
import type { RelayEvent } from './contract.ts';
import type { RunningRelay } from './control.ts';
import { materialOf, openAll, Phone, protect, rtpPacket, unprotect, until } from './loopback.ts';

let relay: RunningRelay;
const told: RelayEvent[] = [];
before(async () => {
  relay = await startRelay({ portRange: { from: 23_000, to: 23_999 }, threads: 1, pollMs: 50 });
  relay.onEvent((event) => told.push(event));
});
after(async () => {
  Phone.closeAll();
  await relay.stop();
});

const suite: Suite = 'AEAD_AES_128_GCM';

/** A phone on SRTP and one on plain RTP; both speak RFC 4733 as payload type 101. */
async function call() {
  const [a, b] = [await Phone.open(), await Phone.open()];
  const receive = { suite, material: materialOf(suite, 1) };
  const common = { telephoneEvent: 101, rtcp: 'end' } as const;
  const [left, right] = await openAll(relay, [
    {
      local: '127.0.0.1',
      ports: 'pair',
      dscp: 0,
      suites: [suite],
      config: { media: 'srtp', remote: a.remote, receive, send: { suite }, ...common },
    },
    {
      local: '127.0.0.1',
      ports: 'pair',
      dscp: 0,
      suites: [],
      config: { media: 'rtp', remote: b.remote, ...common },
    },
  ]);
  assert.ok(left && right);
  relay.link(left.id, right.id);
  await relay.flush();
  const sending = new SrtpContext({ suite, material: materialOf(suite, 1) });
  const receiving = new SrtpContext({ suite, material: left.keys[0]?.material ?? new Uint8Array() });
  return {
    a,
    b,
    left,
    right,
    sayA: (packet: Uint8Array) => a.rtp.send(protect(sending, packet), left.rtpPort, '127.0.0.1'),
    sayB: (packet: Uint8Array) => b.rtp.send(packet, right.rtpPort, '127.0.0.1'),
    heardByA: (packet: Uint8Array) => unprotect(receiving, packet),
  };
}

/** One packet of an event, RFC 4733 §2.3. */
function eventPacket(
  sequence: number,
  timestamp: number,
  event: number,
  duration: number,
  end = false,
): Uint8Array {
  const packet = new Uint8Array(16);
  const view = new DataView(packet.buffer);
  packet.set([0x80, 101]);
  view.setUint16(2, sequence);
  view.setUint32(4, timestamp);
  view.setUint32(8, 0xa);
  packet.set([event, end ? 0x8a : 0x0a], 12);
  view.setUint16(14, duration);
  return packet;
}

test('RFC 4733 §2.5: a digit is told once, with its length, though its end is lost or comes three times', async () => {
  const { left, sayA, b } = await call();
  let sequence = 0;
  const next = (): number => {
    sequence += 1;
    return sequence;
  };
  const press = (timestamp: number, event: number, ends: number): void => {
    for (const duration of [160, 320, 640, 800]) sayA(eventPacket(next(), timestamp, event, duration));
    for (let i = 0; i < ends; i += 1) sayA(eventPacket(next(), timestamp, event, 960, true));
  };
  press(1000, 5, 3);
  press(4000, 11, 0);
  press(8000, 0, 1);
  sayA(eventPacket(next(), 8000, 0, 960, true));
  // Flash, and an event that came late, are no digits of now.
  sayA(eventPacket(next(), 12_000, 16, 800, true));
  sayA(eventPacket(next(), 4000, 11, 960, true));
  const digits = (): RelayEvent[] => told.filter((event) => event.kind === 'digit');
  await until(() => digits().length >= 3, 'three digits');
  await until(() => b.rtpReceived.length === sequence, 'the packets themselves to pass');
  assert.deepEqual(digits(), [
    { kind: 'digit', endpoint: left.id, digit: '5', durationMs: 120 },
    { kind: 'digit', endpoint: left.id, digit: '#', durationMs: 100 },
    { kind: 'digit', endpoint: left.id, digit: '0', durationMs: 120 },
  ]);
});

test('a flood of digits is told of by its last eight at each look', async () => {
  const { right, sayB } = await call();
  told.length = 0;
  for (let i = 0; i < 200; i += 1) sayB(eventPacket(i, i * 1000, i % 10, 400, true));
  await new Promise((done) => setTimeout(done, 300));
  const count = told.filter((event) => event.kind === 'digit' && event.endpoint === right.id).length;
  assert.ok(count >= 8 && count <= 8 * 7, `${count} digits`);
});

test('RFC 4733 §2.5.1: a digit of ours takes the place of voice: one event, its end three times, no sequence number twice', async () => {
  const { a, left, sayB, heardByA } = await call();
  assert.equal(relay.press(left.id, '7', 100), true);
  relay.press(left.id, '*', 100);
  await relay.flush();
  const count = 40;
  // One by one: a kernel under load changes the order of a burst, and what comes late in an event is not sent on.
  for (let i = 0; i < count; i += 1) {
    sayB(rtpPacket(i + 1, 0xb));
    await until(() => a.rtpReceived.length === i + 1, 'the packet');
  }
  const packets = a.rtpReceived.map((packet) => Buffer.from(heardByA(packet)));
  assert.deepEqual(
    packets.map((packet) => packet.readUInt16BE(2)),
    Array.from({ length: count }, (_, i) => i + 1),
  );
  const events = packets.filter((packet) => ((packet[1] ?? 0) & 0x7f) === 101);
  const parts = events.map((packet) => ({
    timestamp: packet.readUInt32BE(4),
    marker: (packet[1] ?? 0) >> 7,
    event: packet[12],
    end: (packet[13] ?? 0) >> 7,
    duration: packet.readUInt16BE(14),
  }));
  const seven = parts.filter(({ event }) => event === 7);
  assert.deepEqual(
    seven.map(({ duration, end, marker }) => [duration, end, marker]),
    [
      [160, 0, 1],
      [320, 0, 0],
      [480, 0, 0],
      [640, 0, 0],
      [800, 1, 0],
      [800, 1, 0],
      [800, 1, 0],
    ],
  );
  assert.equal(new Set(seven.map(({ timestamp }) => timestamp)).size, 1);
  const star = parts.filter(({ event }) => event === 10);
  assert.equal(star.length, 7);
  const pause = packets.length - parts.length;
  assert.ok(pause >= 3, 'voice before, between and behind');
  assert.throws(() => relay.press(left.id, 'x', 100), { code: 'bad-digit' });
});

test('RFC 3550 §5.1, RFC 3711 §3.3.1: a new partner goes on with the stream of the last one, over SRTP, past the rollover', async () => {
  const { a, left, right, sayB, heardByA } = await call();
  const c = await Phone.open();
  const [third] = await openAll(relay, [
    {
      local: '127.0.0.1',
      ports: 'pair',
      dscp: 0,
      suites: [],
      config: { media: 'rtp', remote: c.remote, rtcp: 'end' },
    },
  ]);
  assert.ok(third);
  for (let i = 0; i < 10; i += 1) sayB(rtpPacket(65_520 + i, 0xb));
  await until(() => a.rtpReceived.length === 10, 'the first partner');
  relay.link(left.id, third.id);
  await relay.flush();
  for (let i = 0; i < 20; i += 1) c.rtp.send(rtpPacket(300 + i, 0xc), third.rtpPort, '127.0.0.1');
  await until(() => a.rtpReceived.length === 30, 'the second partner');
  // And back: the source that was there first, though it has gone on elsewhere.
  relay.link(left.id, right.id);
  await relay.flush();
  for (let i = 0; i < 5; i += 1) sayB(rtpPacket(40_000 + i, 0xb));
  await until(() => a.rtpReceived.length === 35, 'the first one again');
  const packets = a.rtpReceived.map((packet) => Buffer.from(heardByA(packet)));
  assert.deepEqual(new Set(packets.map((packet) => packet.readUInt32BE(8))), new Set([0xb]));
  assert.deepEqual(
    packets.map((packet) => packet.readUInt16BE(2)),
    Array.from({ length: 35 }, (_, i) => (65_520 + i) & 0xffff),
  );
  const timestamps = packets.map((packet) => packet.readUInt32BE(4));
  for (const [i, timestamp] of timestamps.entries())
    if (i > 0) assert.ok(((timestamp - (timestamps[i - 1] ?? 0)) | 0) > 0, `timestamp ${i} goes on`);
  assert.deepEqual(
    packets.flatMap((packet, i) => ((packet[1] ?? 0) & 0x80 ? [i] : [])),
    [10, 30],
    'a marker where somebody else begins',
  );
  assert.deepEqual(packets[12]?.subarray(12), Buffer.from(rtpPacket(302, 0xc).subarray(12)));
});

test('RFC 3550 §8: after a re-INVITE another source of the same side goes on too; without one it is a stream of its own', async () => {
  const { b, left, right, sayA } = await call();
  const config = {
    media: 'srtp',
    receive: { suite, material: materialOf(suite, 1) },
    send: { suite },
  } as const;
  sayA(rtpPacket(100, 0xa));
  await until(() => b.rtpReceived.length === 1, 'the first source');
  sayA(rtpPacket(7000, 0xd));
  await until(() => b.rtpReceived.length === 2, 'a second one beside it');
  relay.configure(left.id, { ...config, telephoneEvent: 101, rtcp: 'end' });
  await relay.flush();
  sayA(rtpPacket(9000, 0xe));
  sayA(rtpPacket(9001, 0xe));
  await until(() => b.rtpReceived.length === 4, 'the new source');
  assert.deepEqual(
    b.rtpReceived.map((packet) => [packet.readUInt32BE(8), packet.readUInt16BE(2)]),
    [
      [0xa, 100],
      [0xd, 7000],
      [0xa, 101],
      [0xa, 102],
    ],
  );
  assert.ok(right.id > 0);
});
