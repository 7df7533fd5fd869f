import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { after, before, test } from 'node:test';
import { SrtpContext } from '@ringfence/srtp/context.ts';
import { startRelay } from './client.ts';
import type { EndpointConfig, EndpointOpened, RelayEvent } from './contract.ts';
import type { RunningRelay } from './control.ts';
import {
  hex,
  materialOf,
  openAll,
  Phone,
  protect,
  rtcpPacket,
  rtpPacket,
  seen,
  statsOf,
  unprotect,
  until,
} from './loopback.ts';

const suite = 'AES_CM_128_HMAC_SHA1_80';
const material = materialOf(suite, 1);
const events: RelayEvent[] = [];
let relay: RunningRelay;
let range: { from: number; to: number };

before(async () => {
  // A range narrow enough to spray the whole of it: 40 ports above a free one.
  const probe = createSocket('udp4');
  probe.bind(0, '127.0.0.1');
  await once(probe, 'listening');
  const from = Math.min(probe.address().port, 65_000) + 1;
  probe.close();
  range = { from, to: from + 40 };
  relay = await startRelay({ threads: 2, portRange: range, pollMs: 20 });
  relay.onEvent((event) => events.push(event));
});
after(async () => {
  Phone.closeAll();
  await relay.stop();
});

interface Call {
  readonly phone: Phone;
  readonly far: Phone;
  readonly near: EndpointOpened;
  readonly out: EndpointOpened;
  readonly sends: SrtpContext | undefined;
  close(): Promise<void>;
}

/** The far leg is plain; the near one is what is attacked. */
async function call(kind: 'srtp' | 'rtp' | 'opaque', remote?: EndpointConfig['remote']): Promise<Call> {
  const [phone, far] = [await Phone.open(), await Phone.open()];
  const media = kind === 'opaque' ? 'opaque' : 'rtp';
  const near: EndpointConfig = {
    remote: remote ?? phone.remote,
    ...(kind === 'srtp' ? { media: 'srtp', receive: { suite, material }, send: { suite } } : { media }),
  };
  const [a, b] = await openAll(relay, [
    { local: '127.0.0.1', ports: 'pair', dscp: 46, suites: kind === 'srtp' ? [suite] : [], config: near },
    { local: '127.0.0.1', ports: 'pair', dscp: 46, suites: [], config: { media, remote: far.remote } },
  ]);
  relay.link(a!.id, b!.id);
  await relay.stats([1]);
  return {
    phone,
    far,
    near: a!,
    out: b!,
    sends: kind === 'srtp' ? new SrtpContext({ suite, material }) : undefined,
    close: async () => {
      phone.close();
      far.close();
      await relay.close([a!.id, b!.id]);
    },
  };
}

/** Sprays RTP, RTCP and garbage over the whole range, and waits until the relay has seen what hit the near leg. */
async function spray(attacker: Phone, { near }: Call, packets: readonly Uint8Array[]): Promise<void> {
  const before = seen(await statsOf(relay, near.id));
  for (let port = range.from; port <= range.to; port++) {
    for (const packet of packets) attacker.rtp.send(packet, port, '127.0.0.1');
  }
  const expected = before + 2 * packets.length;
  await until(async () => seen(await statsOf(relay, near.id)) >= expected, 'the spray to arrive');
}

const garbage = [
  rtpPacket(1, 99),
  rtpPacket(40_000, 1),
  rtcpPacket(1),
  Uint8Array.of(0x80),
  new Uint8Array(0),
  new Uint8Array(60).fill(0x16),
];

for (const kind of ['srtp', 'rtp', 'opaque'] as const) {
  test(`ATTACKS M1, M2: spraying ${kind} before, while and after the source is learned gets nothing`, async () => {
    const it = await call(kind);
    const attacker = await Phone.open();
    const packets = kind === 'opaque' ? [rtpPacket(1, 99), Uint8Array.of(1, 2, 3)] : garbage;
    const relayed: string[] = [];
    const talk = async (number: number) => {
      const before = it.far.rtpReceived.length;
      const packet = rtpPacket(number);
      relayed.push(hex(packet));
      it.phone.rtp.send(protect(it.sends, packet), it.near.rtpPort, '127.0.0.1');
      await until(() => it.far.rtpReceived.length > before, 'the real phone to be heard');
      it.far.rtp.send(rtpPacket(number, 2), it.out.rtpPort, '127.0.0.1');
      await until(() => it.phone.rtpReceived.length === number, 'the real phone to hear');
    };
    // What is on the RTCP port of an opaque leg is not even counted, so it sprays and waits for the RTP port alone.
    const attack = () => (kind === 'opaque' ? sprayOpaque() : spray(attacker, it, packets));
    const sprayOpaque = async () => {
      const before = seen(await statsOf(relay, it.near.id));
      for (const packet of packets) attacker.rtp.send(packet, it.near.rtpPort, '127.0.0.1');
      await until(
        async () => seen(await statsOf(relay, it.near.id)) === before + packets.length,
        'the spray to arrive',
      );
    };

    await attack();
    for (let number = 1; number <= 30; number++) {
      await talk(number);
      if (number % 10 === 1) await attack();
    }
    await attack();
    await talk(31);

    assert.equal(attacker.rtpReceived.length, 0);
    assert.equal(attacker.rtcpReceived.length, 0);
    assert.equal(it.far.rtcpReceived.length, 0);
    assert.deepEqual(it.far.rtpReceived.map(hex), relayed);
    assert.deepEqual((await statsOf(relay, it.near.id)).source, {
      address: '127.0.0.1',
      port: it.phone.rtp.address().port,
    });
    const mine = events.filter((e) => 'endpoint' in e && e.endpoint === it.near.id);
    assert.equal(mine.filter((e) => e.kind === 'learned').length, 1);
    assert.ok(mine.some((e) => e.kind === 'refused'));
    attacker.close();
    await it.close();
  });
}

test('SRTP: the source is learned once, from the first packet that authenticates, wherever it comes from', async () => {
  const unused = { address: '127.0.0.1', rtpPort: 9, rtcpPort: 9 };
  const it = await call('srtp', { ...unused, rtcpPort: 10 });
  const receives = new SrtpContext({ suite, material: it.near.keys[0]!.material });
  const before = it.far.rtpReceived.length;
  it.phone.rtp.send(protect(it.sends, rtpPacket(1)), it.near.rtpPort, '127.0.0.1');
  await until(() => it.far.rtpReceived.length > before, 'the first packet');
  it.far.rtp.send(rtpPacket(1, 2), it.out.rtpPort, '127.0.0.1');
  await until(() => it.phone.rtpReceived.length === 1, 'media to where it was learned');
  assert.equal(hex(unprotect(receives, it.phone.rtpReceived[0]!)), hex(rtpPacket(1, 2)));

  // The right key from another port: too late.
  const moved = await Phone.open();
  moved.rtp.send(protect(it.sends, rtpPacket(2)), it.near.rtpPort, '127.0.0.1');
  await until(async () => (await statsOf(relay, it.near.id)).dropped.source === 1, 'refusal');
  // After a new offer it may.
  relay.configure(it.near.id, {
    media: 'srtp',
    remote: { ...unused, rtcpPort: 10 },
    receive: { suite, material },
    send: { suite },
  });
  await relay.stats([1]);
  moved.rtp.send(protect(it.sends, rtpPacket(3)), it.near.rtpPort, '127.0.0.1');
  await until(() => it.far.rtpReceived.length === 2, 'the packet after the offer');
  it.far.rtp.send(rtpPacket(2, 2), it.out.rtpPort, '127.0.0.1');
  await until(() => moved.rtpReceived.length === 1, 'media at the new place');
  moved.close();
  await it.close();
});

test('M1, M8: plain RTP: the first port of the signalling address, never another until the next offer', async () => {
  const phone = await Phone.open();
  const it = await call('rtp', {
    address: '127.0.0.9',
    rtpPort: 4000,
    rtcpPort: 4001,
    signalling: '127.0.0.1',
  });
  const stranger = await Phone.open('127.0.0.2');
  stranger.rtp.send(rtpPacket(1, 5), it.near.rtpPort, '127.0.0.1');
  await until(async () => (await statsOf(relay, it.near.id)).dropped.source === 1, 'the stranger refused');
  phone.rtp.send(rtpPacket(1), it.near.rtpPort, '127.0.0.1');
  await until(() => it.far.rtpReceived.length === 1, 'the phone behind its NAT');
  const second = await Phone.open();
  second.rtp.send(rtpPacket(2), it.near.rtpPort, '127.0.0.1');
  await until(async () => (await statsOf(relay, it.near.id)).dropped.source === 2, 'another port refused');
  it.far.rtp.send(rtpPacket(1, 2), it.out.rtpPort, '127.0.0.1');
  await until(() => phone.rtpReceived.length === 1, 'media at the phone');
  assert.equal(second.rtpReceived.length + stranger.rtpReceived.length, 0);
  await it.close();
});

test('ATTACKS M3: a flood of packets that do not authenticate changes counters only', async () => {
  const it = await call('srtp');
  const good = protect(it.sends, rtpPacket(1));
  const bad = Uint8Array.from(good);
  bad[20] = (bad[20] ?? 0) ^ 1;
  for (let i = 1; i <= 500; i++) {
    it.phone.rtp.send(bad, it.near.rtpPort, '127.0.0.1');
    if (i % 50 === 0) {
      await until(async () => (await statsOf(relay, it.near.id)).dropped.authentication >= i, 'the flood');
    }
  }
  it.phone.rtp.send(good, it.near.rtpPort, '127.0.0.1');
  await until(() => it.far.rtpReceived.length === 1, 'the good packet');
  assert.equal(hex(it.far.rtpReceived[0]), hex(rtpPacket(1)));
  await it.close();
});

test('M8: an endpoint without remote, or with one that no peer can have, neither sends nor takes plain RTP', async () => {
  for (const address of [undefined, '0.0.0.0', '224.0.0.1', '255.255.255.255', '::1', 'not an address']) {
    const it = await call('rtp');
    const config: EndpointConfig = {
      media: 'rtp',
      ...(address === undefined ? {} : { remote: { address, rtpPort: 4000, rtcpPort: 4001 } }),
    };
    relay.configure(it.near.id, config);
    await relay.stats([1]);
    it.far.rtp.send(rtpPacket(1), it.out.rtpPort, '127.0.0.1');
    await until(
      async () => (await statsOf(relay, it.out.id)).dropped.unlinked === 1,
      `nothing sent to ${address}`,
    );
    await it.close();
  }
});
