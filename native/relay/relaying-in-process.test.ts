import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { SrtpContext } from '@ringfence/srtp/context.ts';
import { type Suite, suites } from '@ringfence/srtp/suite.ts';
import { SeededRandom } from '@ringfence/testkit/random.ts';
import type { EndpointConfig, EndpointSpec } from './contract.ts';
import { hex, materialOf, Phone, protect, rtcpPacket, rtpPacket, until } from './loopback.ts';
import { native } from './native.ts';
import { FrameWriter, frameTypes, headerLength } from './protocol/frames.ts';
import { readOpened, readStats } from './protocol/replies.ts';
import { writeConfig, writeSpec } from './protocol/requests.ts';

/** The packet path inside this process, so that a sanitizer sees it and no process start is in the way. */
const relay = native();
const out = new Uint8Array(65_536);

function request(type: number, write: (frames: FrameWriter) => void): Uint8Array {
  const frames = new FrameWriter();
  frames.begin(type, 1);
  write(frames);
  frames.end();
  const length = relay.request(type, frames.take().subarray(headerLength), out);
  assert.ok(length >= 0);
  return out.subarray(0, length);
}

const open = (specs: readonly EndpointSpec[]) => {
  const opened = readOpened(
    request(frameTypes.open, (frames) => {
      frames.u8(specs.length);
      for (const spec of specs) assert.equal(writeSpec(frames, spec), undefined);
    }),
    specs,
  );
  assert.ok(opened.ok);
  return opened.value;
};

const report = (type: number, ids: readonly number[]) =>
  readStats(
    request(type, (frames) => {
      frames.u16(ids.length);
      for (const id of ids) frames.u32(id);
    }),
  );

before(() => relay.start(20_000, 39_999, 2, 0, 1e9));
after(() => {
  Phone.closeAll();
  relay.stop();
});

const link = (a: number, b: number) =>
  request(frameTypes.link, (frames) => {
    frames.u32(a);
    frames.u32(b);
  });

for (const suite of suites) {
  test(`${suite}: a call among 2,000 mutated packets, rekeyed and moved on the way`, async () => {
    const random = new SeededRandom(suites.indexOf(suite) + 1);
    const [phone, far] = [await Phone.open(), await Phone.open('::1', true)];
    const config = (fill: number): EndpointConfig => ({
      media: 'srtp',
      remote: phone.remote,
      receive: { suite, material: materialOf(suite, fill) },
      send: { suite },
      clockRates: { 8: 8000, 96: 48_000 },
    });
    const other: Suite = 'AES_256_CM_HMAC_SHA1_32';
    // Opened apart, so that linking has to move one to the other's thread.
    const [a] = open([{ local: '127.0.0.1', ports: 'pair', dscp: 46, suites: [suite], config: config(0) }]);
    const [b] = open([
      {
        local: '::1',
        ports: 'mux',
        dscp: 0,
        suites: [other],
        config: { media: 'srtp', remote: far.remote, send: { suite: other } },
      },
    ]);
    link(a!.id, b!.id);
    let sends = new SrtpContext({ suite, material: materialOf(suite, 0) });
    const receives = new SrtpContext({ suite: other, material: b!.keys[0]!.material });
    let executed = 0;
    for (let i = 0; i < 200; i++) {
      const good = protect(sends, i % 20 === 19 ? rtcpPacket(1) : rtpPacket(i));
      for (let j = 0; j < 10; j++, executed++) {
        const bad = Uint8Array.from(random.chance(0.5) ? good : rtpPacket(i)).subarray(
          0,
          random.integer(0, good.length),
        );
        if (bad.length > 0) bad[random.integer(0, bad.length - 1)] = random.integer(0, 255);
        const socket = random.chance(0.5) ? phone.rtp : phone.rtcp;
        socket.send(bad, random.chance(0.5) ? a!.rtpPort : a!.rtcpPort, '127.0.0.1');
      }
      const isRtcp = i % 20 === 19;
      const before = far.rtpReceived.length;
      (isRtcp ? phone.rtcp : phone.rtp).send(good, isRtcp ? a!.rtcpPort : a!.rtpPort, '127.0.0.1');
      await until(() => far.rtpReceived.length > before, 'the good packet');
      if (i === 100) {
        request(frameTypes.configure, (frames) => {
          frames.u32(a!.id);
          assert.equal(writeConfig(frames, config(50)), undefined);
        });
        sends = new SrtpContext({ suite, material: materialOf(suite, 50) });
      }
    }
    assert.equal(executed, 2000);
    const opened = receives.unprotectRtp(far.rtpReceived[0]!);
    assert.equal(opened.ok && hex(opened.value), hex(rtpPacket(0)));
    const [stats] = report(frameTypes.close, [a!.id, b!.id]);
    assert.equal(stats?.received.packets, 190);
    assert.equal(stats?.received.rtcpPackets, 10);
    phone.close();
    far.close();
  });
}

test('RTCP that ends here, events, digits of ours and changing partners, among 3,000 mutated packets', async () => {
  const random = new SeededRandom(7);
  const phones = [await Phone.open(), await Phone.open(), await Phone.open()];
  const opened = open(
    phones.map((phone) => ({
      local: '127.0.0.1',
      ports: 'pair',
      dscp: 0,
      suites: [],
      config: { media: 'rtp', remote: phone.remote, rtcp: 'end', telephoneEvent: 101 },
    })),
  );
  const [a, b, c] = opened as [(typeof opened)[0], (typeof opened)[0], (typeof opened)[0]];
  link(a.id, b.id);
  /** Packet types that are looked into, with true lengths and with others. */
  const compound = (): Uint8Array => {
    const parts: number[] = [];
    for (let i = random.integer(1, 4); i > 0; i -= 1) {
      const words = random.integer(1, 12);
      const said = random.chance(0.9) ? words : random.integer(0, 65_535);
      parts.push(0x80 | random.integer(0, 31), 200 + random.integer(0, 7), said >> 8, said & 255);
      for (let j = 0; j < words * 4; j += 1) parts.push(random.chance(0.5) ? 0 : random.integer(0, 255));
    }
    return Uint8Array.from(parts);
  };
  const event = (i: number): Uint8Array => {
    const packet = rtpPacket(i, 1, 101).subarray(0, random.integer(12, 20));
    if (packet.length > 13) packet[13] = random.integer(0, 255);
    return packet;
  };
  for (let i = 0; i < 1000; i += 1) {
    for (const [at, phone] of phones.entries()) {
      const { rtpPort, rtcpPort } = opened[at]!;
      const kind = random.integer(0, 3);
      if (kind === 0) phone.rtcp.send(compound(), rtcpPort, '127.0.0.1');
      else if (kind === 1) phone.rtp.send(event(i), rtpPort, '127.0.0.1');
      else phone.rtp.send(rtpPacket(i * 3, random.integer(1, 3)), rtpPort, '127.0.0.1');
    }
    if (i % 50 === 0)
      request(frameTypes.press, (frames) => {
        frames.u32(a.id);
        frames.u8(random.integer(0, 15));
        frames.u16(random.integer(40, 200));
      });
    if (i % 100 === 99) link(a.id, i % 200 === 99 ? c.id : b.id);
    if (i % 20 === 0) await new Promise((done) => setTimeout(done, 2));
  }
  const ids = opened.map(({ id }) => id);
  await until(() => report(frameTypes.stats, ids).every(({ received }) => received.packets > 300), 'them');
  const rows = report(frameTypes.close, ids);
  assert.ok(rows.every(({ received }) => received.rtcpPackets > 100));
  for (const phone of phones) phone.close();
});
