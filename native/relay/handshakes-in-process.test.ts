import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, test } from 'node:test';
import { SeededRandom } from '@ringfence/testkit/random.ts';
import type { EndpointConfig, EndpointSpec, RelayEvent } from './contract.ts';
import { iceParticipants } from './ice.ts';
import { IcePeer } from './ice-peer.ts';
import { seen, until } from './loopback.ts';
import { native } from './native.ts';
import { FrameWriter, frameTypes, headerLength } from './protocol/frames.ts';
import { readOpened, readStats } from './protocol/replies.ts';
import { writeConfig, writeSpec } from './protocol/requests.ts';
import { Uplink, type ZrtpParticipant } from './uplink.ts';

/** What is no media, through the threads of this process, so that a sanitizer sees it. */
const relay = native();
const out = new Uint8Array(65_536);
const events: RelayEvent[] = [];
const zrtp = { arrived: 0, passed: 0, closed: 0 };
let uplink: Uplink;

const zrtpParticipant = (): ZrtpParticipant => ({
  hello: { version: '1.10', helloHash: new Uint8Array(32).fill(9) },
  configure() {},
  confirmSas() {},
  relaySas() {},
  receive({ passing }) {
    zrtp[passing ? 'passed' : 'arrived'] += 1;
  },
  close() {
    zrtp.closed += 1;
  },
});

before(() => {
  relay.start(20_000, 39_999, 2, 0, 1e9);
  const ice = iceParticipants({ now: () => performance.now(), random: randomBytes });
  uplink = new Uplink(relay, { ice, zrtp: zrtpParticipant }, (event) => events.push(event));
});
after(() => {
  IcePeer.closeAll();
  relay.stop();
});

function request(type: number, write: (frames: FrameWriter) => void): Uint8Array {
  const frames = new FrameWriter();
  frames.begin(type, 1);
  write(frames);
  frames.end();
  const length = relay.request(type, frames.take().subarray(headerLength), out);
  assert.ok(length >= 0);
  const reply = Uint8Array.from(out.subarray(0, length));
  uplink.drain();
  return reply;
}

function open(specs: readonly EndpointSpec[]) {
  const reply = request(frameTypes.open, (frames) => {
    frames.u8(specs.length);
    for (const spec of specs) assert.equal(writeSpec(frames, spec), undefined);
  });
  const hellos = new FrameWriter();
  uplink.writeHellos(hellos);
  const opened = readOpened(Buffer.concat([reply, hellos.take()]), specs);
  assert.ok(opened.ok);
  return opened.value;
}

const configure = (id: number, config: EndpointConfig) =>
  request(frameTypes.configure, (frames) => {
    frames.u32(id);
    assert.equal(writeConfig(frames, config), undefined);
  });

const link = (a: number, b: number) =>
  request(frameTypes.link, (frames) => {
    frames.u32(a);
    frames.u32(b);
  });

const report = (type: number, ids: readonly number[]) =>
  readStats(
    request(type, (frames) => {
      frames.u16(ids.length);
      for (const id of ids) frames.u32(id);
    }),
  );

const leg: EndpointSpec = { local: '127.0.0.1', ports: 'mux', dscp: 46, suites: [] };
const fingerprints = [{ hash: 'sha-256' as const, value: new Uint8Array(32).fill(1) }];
const dtls = { role: 'server', fingerprints, suites: ['AEAD_AES_256_GCM'] } as const;

/** A Hello as long as it may be; its CRC is the participant's to check. */
function hello(): Uint8Array {
  const bytes = new Uint8Array(12 + 88 + 4).fill(0x20);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, 0x1000_0001);
  view.setUint32(4, 0x5a52_5450);
  view.setUint32(12, 0x505a_0016);
  bytes.set(Buffer.from('Hello   1.10'), 16);
  return bytes;
}

function clientHello(): Uint8Array {
  const body = new Uint8Array(54);
  body.set([1, 0, 0, 42, 0, 0, 0, 0, 0, 0, 0, 42, 254, 253]);
  body.set([0, 0, 0, 2, 0xc0, 0x2b, 1, 0], 12 + 34);
  return Uint8Array.from([22, 254, 253, 0, 0, 0, 0, 0, 0, 0, 1, 0, body.length, ...body]);
}

test('RFC 7983 7: 16,000 broken datagrams of first octets 0 to 63 at every kind of endpoint, and a good one after them', async () => {
  const peer = await IcePeer.open();
  const remote = { address: '127.0.0.1', rtpPort: peer.port, rtcpPort: peer.port };
  const opened = open([
    { ...leg, ice: 'full', dtls: true, zrtp: true },
    { ...leg, ports: 'pair', dtls: true },
    { ...leg, zrtp: true },
    leg,
    leg,
    leg,
  ]);
  const [all, secure, ending, left, right, bare] = opened;
  assert.ok(all && secure && ending && left && right && bare);
  assert.equal(all.zrtp?.helloHash.length, 32);
  assert.deepEqual([bare.ice, bare.dtls, bare.zrtp], [undefined, undefined, undefined]);
  configure(all.id, {
    media: 'srtp',
    ice: peer.config(),
    dtls,
    zrtp: { mode: 'end', demanded: false },
  });
  configure(secure.id, { media: 'srtp', remote, dtls });
  configure(ending.id, { media: 'rtp', remote, zrtp: { mode: 'end', demanded: true } });
  for (const { id } of [left, right])
    configure(id, { media: 'rtp', remote, zrtp: { mode: 'pass', demanded: false } });
  configure(bare.id, { media: 'rtp', remote });
  link(left.id, right.id);

  const seeds = [peer.check(all), peer.check(all, { useCandidate: true }), hello(), clientHello()];
  const response = peer.check(all);
  response.set([1, 1]);
  seeds.push(response);
  const random = new SeededRandom(11);
  const broken = (): Uint8Array => {
    if (random.integer(0, 3) === 0) {
      const bytes = Uint8Array.from(random.bytes(random.integer(1, 1600)));
      bytes[0]! &= 63;
      return bytes;
    }
    const seed = seeds[random.integer(0, seeds.length - 1)]!;
    const bytes = Uint8Array.from(seed.subarray(0, random.integer(1, seed.length)));
    for (let left = random.integer(0, 3); left > 0; left -= 1)
      bytes[random.integer(1, bytes.length) - 1] = random.integer(0, 255);
    return bytes;
  };
  const counted = () =>
    report(
      frameTypes.stats,
      opened.map(({ id }) => id),
    ).reduce((sum, stats) => sum + seen(stats), 0);
  let executed = 0;
  for (let round = 0; round < 160; round += 1) {
    for (let i = 0; i < 100; i += 1, executed += 1) {
      const target = opened[random.integer(0, opened.length - 1)]!;
      peer.send(broken(), target, random.integer(0, 9) === 0 ? target.rtcpPort : target.rtpPort);
    }
    // Requests in between, as calls bring them.
    if (round % 16 === 0) configure(all.id, { media: 'srtp', ice: peer.config(), dtls });
    if (round % 24 === 0) {
      const [short] = open([
        { ...leg, ice: 'lite', zrtp: true, config: { media: 'rtp', ice: peer.config() } },
      ]);
      peer.send(hello(), short!);
      report(frameTypes.close, [short!.id]);
    }
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  assert.equal(executed, 16_000);
  await until(() => counted() > 1600, 'them to be counted');
  assert.ok(zrtp.arrived > 20 && zrtp.passed > 5 && zrtp.closed > 5, JSON.stringify(zrtp));
  assert.ok(peer.others.length > 5, 'ZRTP that has passed');

  const answers = peer.stun.length;
  peer.send(peer.check(all, { useCandidate: true }), all);
  await until(() => peer.stun.length > answers, 'an answer');
  report(
    frameTypes.close,
    opened.map(({ id }) => id),
  );
  uplink.drain();
  assert.equal(uplink.dropped.full, 0);
});

test('what waits for JavaScript is bounded for each endpoint: 16, the rest is dropped and counted', async () => {
  const peer = await IcePeer.open();
  const [one, other] = open([
    { ...leg, zrtp: true },
    { ...leg, zrtp: true },
  ]);
  assert.ok(one && other);
  const remote = { address: '127.0.0.1', rtpPort: peer.port, rtcpPort: peer.port };
  for (const { id } of [one, other])
    configure(id, { media: 'rtp', remote, zrtp: { mode: 'end', demanded: false } });
  const before = { ...zrtp };
  const { share } = uplink.dropped;
  for (let i = 0; i < 100; i += 1) peer.send(hello(), one);
  peer.send(hello(), other);
  // This thread sleeps: nothing is taken meanwhile.
  await new Promise((resolve) => setImmediate(resolve));
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 100);
  await until(() => zrtp.arrived - before.arrived + uplink.dropped.share - share === 101, 'all of them');
  assert.ok(uplink.dropped.share > share, 'some were dropped');
  report(frameTypes.close, [one.id, other.id]);
});

test('linked over two threads an endpoint keeps its ICE, its chosen pair and its credentials', async () => {
  const peer = await IcePeer.open();
  const far = await IcePeer.open();
  const [iced] = open([{ ...leg, ice: 'lite', config: peer.describe() }]);
  assert.ok(iced);
  peer.send(peer.check(iced, { useCandidate: true }), iced);
  await until(() => peer.stun.length === 1, 'a pair');
  // A thread gets 1,024 endpoints before the next one does.
  const crowd = Array.from({ length: 16 }, () => open(Array.from({ length: 64 }, () => leg))).flat();
  const [late] = open([leg]);
  assert.ok(late);
  const remote = { address: '127.0.0.1', rtpPort: far.port, rtcpPort: far.port };
  configure(late.id, { media: 'rtp', remote });
  link(late.id, iced.id);
  const packet = Uint8Array.from({ length: 20 }, (_, i) => (i === 0 ? 0x80 : i));
  peer.send(packet, iced);
  await until(() => far.others.length === 1, 'media after the move');
  peer.send(peer.check(iced), iced);
  await until(() => peer.stun.length === 2, 'an answer after the move');
  const ids = [iced, late, ...crowd].map(({ id }) => id);
  for (let i = 0; i < ids.length; i += 128) report(frameTypes.close, ids.slice(i, i + 128));
});
