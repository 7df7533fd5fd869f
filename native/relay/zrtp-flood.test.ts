import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, test } from 'node:test';
import { decodePacket, encodePacket } from '@ringfence/zrtp/packet.ts';
import { ZrtpSession } from '@ringfence/zrtp/session.ts';
import { startRelay } from './client.ts';
import type { RelayEvent } from './contract.ts';
import type { RunningRelay } from './control.ts';
import { openAll, Phone, rtpPacket, statsOf, until } from './loopback.ts';
import { ZrtpPhone } from './zrtp-phone.ts';

let relay: RunningRelay;
const events: RelayEvent[] = [];
before(async () => {
  relay = await startRelay({ threads: 2, pollMs: 20 });
  relay.onEvent((event) => events.push(event));
});
after(async () => {
  Phone.closeAll();
  await relay.stop();
});

const streams = 100;
const rounds = 20;
const hellosPerRound = 1000;
const roundMs = 50;

/** Sound Hellos of as many installations that do not exist. */
function forgedHellos(count: number): Uint8Array[] {
  const session = new ZrtpSession({ zid: randomBytes(12), ssrc: 1, random: randomBytes });
  session.start(0);
  const [output] = [...session.take()].filter(({ kind }) => kind === 'send');
  assert.ok(output?.kind === 'send');
  const packet = decodePacket(output.bytes);
  assert.ok(packet.ok);
  const { message } = packet.value;
  session.close();
  return Array.from({ length: count }, () => {
    const forged = message.slice();
    forged.set(randomBytes(12), 64);
    return encodePacket({ ...packet.value, message: forged });
  });
}

const spec = { local: '127.0.0.1', ports: 'pair', dscp: 0, suites: [] } as const;
const securedOf = (id: number): number =>
  events.filter((event) => event.kind === 'secured' && event.endpoint === id).length;

for (const [who, address] of [
  ['an address that nobody has named', '127.0.0.2'],
  ["the phone's own address, which somebody forges", '127.0.0.1'],
] as const) {
  test(`M9: 20,000 forged Hellos of ${who}: 100 streams lose nothing, and the phone itself gets through`, async () => {
    const phones = [await Phone.open('127.0.0.1', true), await Phone.open('127.0.0.1', true)] as const;
    const opened = [];
    for (let i = 0; i < streams; i += 1) {
      const pair = await openAll(relay, [
        { ...spec, ports: 'mux', config: { media: 'rtp', remote: phones[0].remote } },
        { ...spec, ports: 'mux', config: { media: 'rtp', remote: phones[1].remote } },
      ]);
      relay.link(pair[0]!.id, pair[1]!.id);
      opened.push(...pair);
    }
    const phone = await ZrtpPhone.open();
    const [ending] = await openAll(relay, [{ ...spec, zrtp: true }]);
    assert.ok(ending);
    relay.configure(ending.id, {
      media: 'rtp',
      remote: phone.phone.remote,
      zrtp: { mode: 'end', demanded: true, helloHash: phone.session.helloHash },
    });
    await relay.flush();
    const flooder = address === '127.0.0.1' ? phone.phone : await Phone.open(address, true);
    const hellos = forgedHellos(hellosPerRound);
    for (let round = 1; round <= rounds; round += 1) {
      const next = performance.now() + roundMs;
      for (const [i, hello] of hellos.entries()) {
        flooder.rtp.send(hello, ending.rtpPort, '127.0.0.1');
        const stream = i % (hellosPerRound / streams) === 0 ? i / (hellosPerRound / streams) : -1;
        if (stream >= 0)
          phones[0].rtp.send(rtpPacket(round, stream + 1), opened[2 * stream]!.rtpPort, '127.0.0.1');
      }
      await until(() => phones[1].rtpReceived.length === round * streams, `all streams of round ${round}`);
      const rest = next - performance.now();
      if (rest > 0) await new Promise((resolve) => setTimeout(resolve, rest));
    }
    assert.equal(phones[1].rtpReceived.length, rounds * streams);
    assert.equal(securedOf(ending.id), 0);
    if (flooder !== phone.phone) {
      assert.equal(flooder.rtpReceived.length, 0, 'nobody answers a stranger');
      assert.ok((await statsOf(relay, ending.id)).dropped.source > 0);
    }
    phone.start(ending.rtpPort);
    await until(() => securedOf(ending.id) === 1, 'the phone itself');
    assert.ok(phone.secured !== undefined);
    phone.close();
    if (flooder !== phone.phone) flooder.close();
    await relay.close([ending.id, ...opened.map(({ id }) => id)]);
    for (const one of phones) one.close();
  });
}

test("RFC 6189 §4.3: the edge's own packets, thrown back at it, bring no keys and no storm", async () => {
  const mirror = await Phone.open();
  let sent = 0;
  const [ending] = await openAll(relay, [{ ...spec, zrtp: true }]);
  assert.ok(ending);
  mirror.rtp.on('message', (datagram) => {
    sent += 1;
    mirror.rtp.send(datagram, ending.rtpPort, '127.0.0.1');
  });
  relay.configure(ending.id, { media: 'rtp', remote: mirror.remote, zrtp: { mode: 'end', demanded: true } });
  await relay.flush();
  await until(() => sent >= 3, 'Hellos of the edge');
  await new Promise((resolve) => setTimeout(resolve, 1000));
  assert.equal(securedOf(ending.id), 0);
  // Hellos alone, by their timer T1: 50 ms, doubled up to 200 ms (§6); answered they would come without an end.
  assert.ok(sent <= 30, `${sent} packets in a second`);
  await relay.close([ending.id]);
  mirror.close();
});
