import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { SrtpContext } from '@ringfence/srtp/context.ts';
import { type Suite, suites } from '@ringfence/srtp/suite.ts';
import { startRelay } from './client.ts';
import type { EndpointConfig, EndpointOpened, EndpointSpec, RelayEvent } from './contract.ts';
import type { RunningRelay } from './control.ts';
import {
  hex,
  materialOf,
  openAll,
  Phone,
  protect,
  rtcpPacket,
  rtpPacket,
  statsOf,
  unprotect,
  until,
} from './loopback.ts';

let relay: RunningRelay;
const events: RelayEvent[] = [];
before(async () => {
  relay = await startRelay({ threads: 2, pollMs: 20, oneWayAfterMs: 100 });
  relay.onEvent((event) => events.push(event));
});
after(async () => {
  Phone.closeAll();
  await relay.stop();
});

const applied = (): Promise<void> => relay.flush();

/** A phone, its endpoint, and the contexts of its own side where it speaks SRTP. */
interface Leg {
  readonly phone: Phone;
  readonly endpoint: EndpointOpened;
  readonly config: EndpointConfig;
  readonly sends: SrtpContext | undefined;
  readonly receives: SrtpContext | undefined;
}

interface Want {
  readonly suite?: Suite;
  readonly address?: string;
  readonly mux?: boolean;
  readonly media?: 'opaque';
}

async function call(...wants: readonly [Want, Want]): Promise<{ a: Leg; b: Leg; close(): Promise<void> }> {
  const phones = await Promise.all(wants.map(({ address, mux }) => Phone.open(address, mux)));
  const specs: EndpointSpec[] = [];
  const configs: EndpointConfig[] = [];
  for (const [i, { suite, mux, media }] of wants.entries()) {
    const phone = phones[i]!;
    const config: EndpointConfig = {
      remote: phone.remote,
      ...(suite
        ? { media: 'srtp', receive: { suite, material: materialOf(suite, i) }, send: { suite } }
        : { media: media ?? 'rtp' }),
    };
    configs.push(config);
    const ports = media ? 'single' : mux ? 'mux' : 'pair';
    specs.push({ local: phone.address, ports, dscp: 46, suites: suite ? [suite] : [], config });
  }
  const endpoints = await openAll(relay, specs);
  relay.link(endpoints[0]!.id, endpoints[1]!.id);
  await applied();
  const legs = wants.map(({ suite }, i): Leg => {
    const endpoint = endpoints[i]!;
    return {
      phone: phones[i]!,
      endpoint,
      config: configs[i]!,
      sends: suite ? new SrtpContext({ suite, material: materialOf(suite, i) }) : undefined,
      receives: suite ? new SrtpContext({ suite, material: endpoint.keys[0]!.material }) : undefined,
    };
  });
  return {
    a: legs[0]!,
    b: legs[1]!,
    close: async () => {
      for (const { phone } of legs) phone.close();
      await relay.close(endpoints.map(({ id }) => id));
    },
  };
}

const sendRtp = ({ phone, endpoint, sends }: Leg, packet: Uint8Array): void => {
  phone.rtp.send(protect(sends, packet), endpoint.rtpPort, endpoint.address);
};

/** Sends and waits for it at the other phone. */
async function through(from: Leg, to: Leg, packet: Uint8Array): Promise<void> {
  const before = to.phone.rtpReceived.length;
  sendRtp(from, packet);
  await until(() => to.phone.rtpReceived.length > before, 'an RTP packet');
  assert.equal(hex(unprotect(to.receives, to.phone.rtpReceived[before]!)), hex(packet));
}

for (const from of [undefined, ...suites]) {
  for (const to of [undefined, ...suites]) {
    test(`RTP and RTCP both ways, bit-exact: ${from ?? 'RTP'} to ${to ?? 'RTP'}`, async () => {
      const { a, b, close } = await call(from ? { suite: from } : {}, to ? { suite: to } : {});
      // More than it takes for a steady socket.
      for (let i = 0; i < 30; i++) {
        await through(a, b, rtpPacket(i, 1));
        await through(b, a, rtpPacket(i, 2));
      }
      for (const [one, other] of [
        [a, b],
        [b, a],
      ] as const) {
        const report = rtcpPacket(7);
        one.phone.rtcp.send(protect(one.sends, report), one.endpoint.rtcpPort, one.endpoint.address);
        await until(() => other.phone.rtcpReceived.length > 0, 'an RTCP packet');
        assert.equal(hex(unprotect(other.receives, other.phone.rtcpReceived[0]!)), hex(report));
      }
      const stats = await statsOf(relay, a.endpoint.id);
      assert.equal(stats.received.packets, 30);
      assert.equal(stats.received.rtcpPackets, 1);
      assert.equal(stats.received.lost, 0);
      assert.equal(stats.sent.packets, 31);
      assert.deepEqual(stats.dropped, { source: 0, authentication: 0, replay: 0, malformed: 0, unlinked: 0 });
      assert.deepEqual(stats.source, { address: '127.0.0.1', port: a.phone.rtp.address().port });
      await close();
    });
  }
}

test('RFC 5761: between IPv6 with one port and IPv4 with two', async () => {
  const { a, b, close } = await call({ address: '::1', mux: true, suite: 'AEAD_AES_256_GCM' }, {});
  assert.equal(a.endpoint.rtpPort, a.endpoint.rtcpPort);
  assert.equal(b.endpoint.rtpPort % 2, 0);
  assert.equal(b.endpoint.rtcpPort, b.endpoint.rtpPort + 1);
  await through(a, b, rtpPacket(1));
  await through(b, a, rtpPacket(1, 2));
  const report = rtcpPacket(3);
  sendRtp(a, report);
  await until(() => b.phone.rtcpReceived.length === 1, 'RTCP on its own port');
  assert.equal(hex(b.phone.rtcpReceived[0]), hex(report));
  b.phone.rtcp.send(report, b.endpoint.rtcpPort, b.endpoint.address);
  await until(() => a.phone.rtpReceived.length === 2, 'RTCP on the one port');
  assert.equal(hex(unprotect(a.receives, a.phone.rtpReceived[1]!)), hex(report));
  await close();
});

test('RFC 5761: a pair of ports towards a peer that multiplexes', async () => {
  const { a, b, close } = await call({}, {});
  const port = a.phone.rtp.address().port;
  relay.configure(a.endpoint.id, {
    media: 'rtp',
    remote: { address: '127.0.0.1', rtpPort: port, rtcpPort: port },
  });
  await applied();
  a.phone.rtp.send(rtcpPacket(5), a.endpoint.rtpPort, '127.0.0.1');
  await until(() => b.phone.rtcpReceived.length === 1, 'RTCP');
  b.phone.rtcp.send(rtcpPacket(6), b.endpoint.rtcpPort, '127.0.0.1');
  await until(() => a.phone.rtpReceived.length === 1, 'RTCP on the RTP port');
  assert.equal(hex(a.phone.rtpReceived[0]), hex(rtcpPacket(6)));
  await close();
});

test('RFC 3711 3.3.1: over the rollover of 2^16, reordered and with losses', async () => {
  const { a, b, close } = await call(
    { suite: 'AES_CM_128_HMAC_SHA1_80' },
    { suite: 'AES_256_CM_HMAC_SHA1_32' },
  );
  const numbers = [65_530, 65_533, 65_532, 65_534, 65_536, 65_535, 65_540, 65_538, 131_000 - 40_000];
  for (const number of numbers) await through(a, b, rtpPacket(number & 0xffff, 1));
  const { received } = await statsOf(relay, a.endpoint.id);
  assert.equal(received.packets, numbers.length);
  assert.equal(received.reordered, 3);
  await close();
});

test('RFC 3711 3.3.2: a replayed packet is dropped and counted', async () => {
  const { a, b, close } = await call({ suite: 'AEAD_AES_128_GCM' }, {});
  const packet = protect(a.sends, rtpPacket(1));
  for (let i = 0; i < 4; i++) a.phone.rtp.send(packet, a.endpoint.rtpPort, '127.0.0.1');
  await until(async () => (await statsOf(relay, a.endpoint.id)).dropped.replay === 3, 'three replays');
  await until(() => b.phone.rtpReceived.length > 0, 'the first of them');
  assert.equal(b.phone.rtpReceived.length, 1);
  await until(
    () => events.some((e) => e.kind === 'refused' && e.reason === 'replay' && e.endpoint === a.endpoint.id),
    'event',
  );
  await close();
});

test('RFC 3711 9.1: a sequence number that plain RTP repeats never meets the same keystream twice', async () => {
  const { a, b, close } = await call({}, { suite: 'AES_CM_128_HMAC_SHA1_80' });
  await through(a, b, rtpPacket(5));
  const other = rtpPacket(5);
  other.fill(0xff, 12);
  sendRtp(a, other);
  await through(a, b, rtpPacket(6));
  assert.equal(b.phone.rtpReceived.length, 2);
  const stats = await statsOf(relay, a.endpoint.id);
  assert.equal(stats.dropped.replay, 1);
  assert.equal(stats.received.duplicates, 1);
  await close();
});

for (const suite of ['AES_CM_128_HMAC_SHA1_80', 'AEAD_AES_256_GCM'] as const) {
  test(`rekeying with ${suite}: the old key serves until the new one authenticates, then never again`, async () => {
    const { a, b, close } = await call({ suite }, {});
    await through(a, b, rtpPacket(1));
    const material = materialOf(suite, 99);
    const config: EndpointConfig = { ...a.config, receive: { suite, material } };
    relay.configure(a.endpoint.id, config);
    await applied();
    await through(a, b, rtpPacket(2));
    const renewed: Leg = { ...a, sends: new SrtpContext({ suite, material }) };
    await through(renewed, b, rtpPacket(3));
    sendRtp(a, rtpPacket(4));
    await until(async () => (await statsOf(relay, a.endpoint.id)).dropped.authentication === 1, 'refusal');
    // The same key once more is no rekeying: its index goes on and replays stay refused.
    relay.configure(a.endpoint.id, config);
    await applied();
    await through(renewed, b, rtpPacket(5));
    await close();
  });
}

test('hold: what may not come in or go out is not relayed, and the call goes on afterwards', async () => {
  const { a, b, close } = await call({ suite: 'AEAD_AES_128_GCM' }, { suite: 'AEAD_AES_128_GCM' });
  await through(a, b, rtpPacket(1));
  relay.configure(a.endpoint.id, { ...a.config, accept: false });
  await applied();
  sendRtp(a, rtpPacket(2));
  await until(async () => (await statsOf(relay, a.endpoint.id)).dropped.unlinked === 1, 'a packet on hold');
  relay.configure(a.endpoint.id, { ...a.config, emit: false });
  await applied();
  sendRtp(b, rtpPacket(1, 2));
  await until(async () => (await statsOf(relay, b.endpoint.id)).dropped.unlinked === 1, 'a packet on hold');
  await through(a, b, rtpPacket(3));
  relay.configure(a.endpoint.id, a.config);
  await applied();
  await through(b, a, rtpPacket(2, 2));
  assert.equal(b.phone.rtpReceived.length, 2);
  assert.equal(a.phone.rtpReceived.length, 1);
  await close();
});

test('UDPTL and other unknown datagrams pass untouched', async () => {
  const { a, b, close } = await call({ media: 'opaque' }, { media: 'opaque' });
  assert.equal(a.endpoint.rtcpPort, 0);
  for (const packet of [
    Uint8Array.of(0),
    new Uint8Array(1400).fill(0xab),
    Uint8Array.of(0x80, 200, 0, 1, 2),
  ]) {
    await through(a, b, packet);
    await through(b, a, packet);
  }
  await close();
});

test('RFC 3550 A.3, A.8: losses, duplicates and jitter are counted', async () => {
  const { a, b, close } = await call({}, {});
  for (const number of [10, 11, 14, 13, 16]) await through(a, b, rtpPacket(number));
  await through(a, b, rtpPacket(16));
  const { received } = await statsOf(relay, a.endpoint.id);
  assert.equal(received.packets, 6);
  assert.equal(received.lost, 2);
  assert.equal(received.reordered, 1);
  assert.equal(received.duplicates, 1);
  assert.ok(received.jitterMs > 0 && received.jitterMs < 1000);
  assert.ok(received.idleMs >= 0 && received.idleMs < 5000);
  await close();
});

test('linking moves an endpoint to its peer, wherever each was opened; unlinking ends it', async () => {
  const phones = await Promise.all([Phone.open(), Phone.open(), Phone.open()]);
  const opened = [];
  for (const phone of phones) {
    const spec: EndpointSpec = {
      local: '127.0.0.1',
      ports: 'pair',
      dscp: 0,
      suites: [],
      config: { media: 'rtp', remote: phone.remote },
    };
    opened.push(...(await openAll(relay, [spec])));
  }
  const [a, b, c] = opened as [EndpointOpened, EndpointOpened, EndpointOpened];
  const arrives = async (from: number, at: EndpointOpened, to: number) => {
    const before = phones[to]!.rtpReceived.length;
    phones[from]!.rtp.send(rtpPacket(before, from), at.rtpPort, '127.0.0.1');
    await until(() => phones[to]!.rtpReceived.length > before, `a packet of phone ${from} at ${to}`);
  };
  relay.link(a.id, b.id);
  await applied();
  await arrives(0, a, 1);
  relay.link(c.id, a.id);
  await applied();
  await arrives(0, a, 2);
  await arrives(2, c, 0);
  relay.unlink(a.id);
  await applied();
  phones[2]!.rtp.send(rtpPacket(9), c.rtpPort, '127.0.0.1');
  await until(async () => (await statsOf(relay, c.id)).dropped.unlinked === 1, 'an unlinked packet');
  await relay.close([a.id, b.id, c.id]);
  for (const phone of phones) phone.close();
});

test('one-way audio is noticed once', async () => {
  const { a, b, close } = await call({}, {});
  const told = () => events.filter((e) => e.kind === 'one-way' && e.endpoint === b.endpoint.id).length;
  let number = 0;
  await until(() => {
    sendRtp(a, rtpPacket(number++));
    return told() > 0;
  }, 'one-way');
  assert.equal(told(), 1);
  assert.equal(events.filter((e) => e.kind === 'one-way' && e.endpoint === a.endpoint.id).length, 0);
  await through(b, a, rtpPacket(1, 2));
  await close();
});
