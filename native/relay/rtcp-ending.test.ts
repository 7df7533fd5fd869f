import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { parseRtcp, type ReceiverReport, type RtcpPacket, type SenderReport } from '@ringfence/rtp/rtcp.ts';
import { encodeRtcp } from '@ringfence/rtp/rtcp-encode.ts';
import { SrtpContext } from '@ringfence/srtp/context.ts';
import type { Suite } from '@ringfence/srtp/suite.ts';
import { startRelay } from './client.ts';
import type { RunningRelay } from './control.ts';
import { materialOf, openAll, Phone, protect, rtpPacket, statsOf, unprotect, until } from './loopback.ts';

let relay: RunningRelay;
before(async () => {
  relay = await startRelay({ portRange: { from: 22_000, to: 22_999 }, threads: 1 });
});
after(async () => {
  Phone.closeAll();
  await relay.stop();
});

const suite: Suite = 'AES_CM_128_HMAC_SHA1_80';
const report = (of: Partial<ReceiverReport['reports'][number]>): ReceiverReport['reports'][number] => ({
  ssrc: 0,
  fractionLost: 0,
  cumulativeLost: 0,
  highestSequence: 0,
  jitter: 0,
  lastSenderReport: 0,
  delaySinceLastSenderReport: 0,
  ...of,
});
const text = (value: string): Uint8Array => new TextEncoder().encode(value);

/** A phone on SRTP and one on plain RTP, with RTCP ended between them. */
async function call() {
  const [a, b] = [await Phone.open(), await Phone.open()];
  const receive = { suite, material: materialOf(suite, 1) };
  const [left, right] = await openAll(relay, [
    {
      local: '127.0.0.1',
      ports: 'pair',
      dscp: 0,
      suites: [suite],
      config: { media: 'srtp', remote: a.remote, receive, send: { suite }, rtcp: 'end' },
    },
    {
      local: '127.0.0.1',
      ports: 'pair',
      dscp: 0,
      suites: [],
      config: { media: 'rtp', remote: b.remote, rtcp: 'end' },
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
    reportA: (...packets: RtcpPacket[]) =>
      a.rtcp.send(protect(sending, encodeRtcp(packets)), left.rtcpPort, '127.0.0.1'),
    reportB: (...packets: RtcpPacket[]) => b.rtcp.send(encodeRtcp(packets), right.rtcpPort, '127.0.0.1'),
    toldA: (): RtcpPacket[][] => a.rtcpReceived.map((packet) => read(unprotect(receiving, packet))),
    toldB: (): RtcpPacket[][] => b.rtcpReceived.map((packet) => read(packet)),
  };
}

function read(packet: Uint8Array): RtcpPacket[] {
  const parsed = parseRtcp(Uint8Array.from(packet));
  assert.ok(parsed.ok, parsed.ok ? '' : parsed.error);
  return parsed.value;
}

const senderReports = (compounds: readonly RtcpPacket[][]): SenderReport[] =>
  compounds.flat().filter((packet): packet is SenderReport => packet.type === 'sender-report');

test('RFC 3550 §6.4: each side is told what its own leg saw, of the stream as it got it', async () => {
  const { a, b, left, right, sayA, sayB, reportA, reportB, toldA, toldB } = await call();
  // One of ten of A is lost on its way to us; nothing of B.
  let sequence = 0;
  const talk = (): void => {
    sequence += 1;
    if (sequence % 10 !== 5) sayA(rtpPacket(sequence, 0xa));
    sayB(rtpPacket(sequence + 1000, 0xb));
  };
  await until(() => {
    talk();
    return a.rtcpReceived.length > 0 && b.rtcpReceived.length > 0;
  }, 'a report on each side');
  const [toA] = senderReports(toldA());
  const [toB] = senderReports(toldB());
  assert.ok(toA && toB);
  assert.deepEqual([toA.ssrc, toB.ssrc], [0xb, 0xa], 'each stream keeps its source');
  assert.equal(toA.octets, toA.packets * 160);
  assert.equal(toA.reports[0]?.ssrc, 0xa);
  const lost = toA.reports[0]?.cumulativeLost ?? 0;
  assert.ok(lost > 0, 'A lost packets on its way to us');
  assert.ok(Math.abs((toA.reports[0]?.fractionLost ?? 0) - 25.6) < 8);
  assert.equal(toB.reports[0]?.ssrc, 0xb);
  assert.equal(toB.reports[0]?.cumulativeLost, 0, 'B lost none, whatever A did');

  // What A says of us is kept, with the time that its answer took; it does not reach B.
  const middle = Number((toA.ntpTimestamp >> 16n) & 0xffff_ffffn);
  const before = b.rtcpReceived.length;
  reportA({
    type: 'receiver-report',
    ssrc: 0xa,
    reports: [
      report({ ssrc: 0xb, fractionLost: 64, cumulativeLost: 7, jitter: 80, lastSenderReport: middle }),
    ],
    extension: new Uint8Array(),
  });
  reportB({ type: 'receiver-report', ssrc: 0xb, reports: [], extension: new Uint8Array() });
  await until(async () => (await statsOf(relay, left.id)).reported !== undefined, 'the report to be kept');
  const { reported } = await statsOf(relay, left.id);
  assert.deepEqual([reported?.lossPercent, reported?.lost, reported?.jitterMs], [25, 7, 10]);
  assert.ok((reported?.roundTripMs ?? -1) >= 0 && (reported?.roundTripMs ?? 1e9) < 5000);
  assert.equal((await statsOf(relay, right.id)).reported, undefined);
  assert.equal(b.rtcpReceived.length, before);
});

test('RFC 3550 §6.5: names, notes and APP packets of one side never reach the other; feedback and BYE do', async () => {
  const { b, sayA, sayB, reportA, toldB } = await call();
  sayA(rtpPacket(1, 0xa));
  sayB(rtpPacket(1, 0xb));
  await until(() => b.rtpReceived.length > 0, 'media');
  reportA(
    { type: 'receiver-report', ssrc: 0xa, reports: [], extension: text('10.1') },
    {
      type: 'source-description',
      chunks: [{ ssrc: 0xa, items: [{ type: 1, text: text('anna@10.1.2.3') }] }],
    },
    { type: 'application', subtype: 1, ssrc: 0xa, name: text('pbx1'), data: text('10.1.2.3') },
    // A picture loss indication, RFC 4585 §6.3.1.
    { type: 'other', packetType: 206, count: 1, body: Uint8Array.of(0, 0, 0, 0xa, 0, 0, 0, 0xb) },
    { type: 'bye', ssrcs: [0xa], reason: text('10.1.2.3 is gone') },
  );
  const whole = (): RtcpPacket[] | undefined => toldB().find((packets) => packets.length === 3);
  await until(() => whole() !== undefined, 'what goes on');
  assert.deepEqual(whole(), [
    { type: 'receiver-report', ssrc: 0xa, reports: [], extension: new Uint8Array() },
    { type: 'other', packetType: 206, count: 1, body: Uint8Array.of(0, 0, 0, 0xa, 0, 0, 0, 0xb) },
    { type: 'bye', ssrcs: [0xa] },
  ]);
  for (const packet of b.rtcpReceived) assert.ok(!packet.includes('10.1'));
});

test('RFC 3611 §4.7: VoIP metrics of what we send are kept; of another source, or cut short, they are not', async () => {
  const { a, left, sayB, reportA } = await call();
  sayB(rtpPacket(1, 0xb));
  await until(() => a.rtpReceived.length > 0, 'media');
  const block = (ssrc: number, first: number): Uint8Array => {
    const body = new Uint8Array(4 + 36);
    const view = new DataView(body.buffer);
    view.setUint32(0, 0xa);
    body.set([7, 0, 0, 8], 4);
    view.setUint32(8, ssrc);
    body[12] = first;
    return body;
  };
  const rr: RtcpPacket = { type: 'receiver-report', ssrc: 0xa, reports: [], extension: new Uint8Array() };
  const xr = (body: Uint8Array): RtcpPacket => ({ type: 'other', packetType: 207, count: 0, body });
  const cut = block(0xb, 9);
  cut[7] = 200;
  reportA(rr, xr(cut));
  reportA(rr, xr(block(0xc, 8)));
  reportA(rr, xr(block(0xb, 7)));
  await until(async () => (await statsOf(relay, left.id)).voipMetrics !== undefined, 'the metrics');
  const { voipMetrics } = await statsOf(relay, left.id);
  assert.deepEqual([voipMetrics?.length, voipMetrics?.[0]], [28, 7]);
});

test('random octets behind a report move nothing and break nothing', async () => {
  const { b, left, right, sayB } = await call();
  sayB(rtpPacket(1, 0xb));
  let seed = 12345;
  const random = (): number => {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0;
    return seed >>> 16;
  };
  for (let i = 0; i < 500; i += 1) {
    const packet = Uint8Array.from({ length: 8 + (random() % 120) }, () => random() & 0xff);
    packet.set([0x80 | (packet[0]! & 0x1f), 200 + (random() % 8)]);
    b.rtcp.send(packet, right.rtcpPort, '127.0.0.1');
  }
  await until(async () => (await statsOf(relay, right.id)).received.rtcpPackets > 50, 'them to be taken');
  assert.equal((await statsOf(relay, left.id)).reported, undefined);
});
