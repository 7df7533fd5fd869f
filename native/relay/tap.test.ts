import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { SrtpContext } from '@ringfence/srtp/context.ts';
import type { Suite } from '@ringfence/srtp/suite.ts';
import { startRelay } from './client.ts';
import type { EndpointSpec } from './contract.ts';
import type { RunningRelay } from './control.ts';
import { materialOf, openAll, Phone, protect, rtpPacket, statsOf, unprotect, until } from './loopback.ts';

let relay: RunningRelay;
before(async () => {
  relay = await startRelay({ portRange: { from: 25_000, to: 25_999 }, threads: 2, pollMs: 50 });
});
after(async () => {
  Phone.closeAll();
  await relay.stop();
});

const suite: Suite = 'AEAD_AES_256_GCM';
const common = { local: '127.0.0.1', ports: 'pair', dscp: 0 } as const;

/** A side with keys of its own; `speak` sends what that phone says, `heard` opens what it got. */
async function side(fill: number) {
  const phone = await Phone.open();
  const material = materialOf(suite, fill);
  const spec: EndpointSpec = {
    ...common,
    suites: [suite],
    config: { media: 'srtp', remote: phone.remote, receive: { suite, material }, send: { suite } },
  };
  const sending = new SrtpContext({ suite, material });
  const [endpoint] = await openAll(relay, [spec]);
  assert.ok(endpoint);
  const receiving = new SrtpContext({ suite, material: endpoint.keys[0]?.material ?? new Uint8Array() });
  return {
    id: endpoint.id,
    phone,
    speak: (packet: Uint8Array) => phone.rtp.send(protect(sending, packet), endpoint.rtpPort, '127.0.0.1'),
    heard: () => phone.rtpReceived.splice(0).map((packet) => Buffer.from(unprotect(receiving, packet))),
    got: () => phone.rtpReceived.length,
  };
}

const audio = (packets: readonly Uint8Array[]): string[] =>
  packets.map((packet) => Buffer.from(packet.subarray(12)).toString('hex'));

test('a recorder gets what each side says, bit by bit, under keys of its own, and the call does not notice (RFC 7866 §7.1)', async () => {
  const [a, b, one, two] = [await side(1), await side(2), await side(3), await side(4)];
  relay.link(a.id, b.id);
  relay.tap?.(a.id, one.id);
  relay.tap?.(b.id, two.id);
  await relay.flush();
  const said = Array.from({ length: 30 }, (_, i) => rtpPacket(100 + i, 7, 0));
  const answered = Array.from({ length: 30 }, (_, i) => rtpPacket(900 + i, 8, 0));
  for (const [i, packet] of said.entries()) {
    a.speak(packet);
    b.speak(answered[i]!);
    await until(() => one.got() > i && two.got() > i && a.got() > i && b.got() > i, `packet ${i}`);
  }
  assert.deepEqual(audio(b.heard()), audio(said));
  assert.deepEqual(audio(one.heard()), audio(said));
  assert.deepEqual(audio(a.heard()), audio(answered));
  assert.deepEqual(audio(two.heard()), audio(answered));
  // A stop costs the call nothing either.
  relay.untap?.(one.id);
  await relay.flush();
  a.speak(rtpPacket(200, 7, 0));
  await until(() => b.got() === 1, 'the next packet');
  assert.equal(one.got(), 0);
  // And a second time: one stream for the recorder, so that its keys never see an index twice.
  relay.tap?.(a.id, one.id);
  await relay.flush();
  a.speak(rtpPacket(201, 7, 0));
  await until(() => one.got() === 1, 'the recorder again');
  assert.deepEqual(audio(one.heard()), audio([rtpPacket(201, 7, 0)]));
  await relay.close([a.id, b.id, one.id, two.id]);
});

test('on hold nothing is copied; what the other side says still is; a closed call or recorder leaves nothing behind', async () => {
  const [a, b, one, two] = [await side(1), await side(2), await side(3), await side(4)];
  relay.link(a.id, b.id);
  relay.tap?.(a.id, one.id);
  relay.tap?.(b.id, two.id);
  relay.configure(a.id, {
    media: 'srtp',
    remote: a.phone.remote,
    receive: { suite, material: materialOf(suite, 1) },
    send: { suite },
    accept: false,
  });
  await relay.flush();
  a.speak(rtpPacket(1, 7, 0));
  b.speak(rtpPacket(1, 8, 0));
  await until(() => two.got() === 1 && a.got() === 1, 'the side that may be heard');
  assert.equal(one.got(), 0);
  await relay.close([two.id]);
  b.speak(rtpPacket(2, 8, 0));
  await until(() => a.got() === 2, 'the call without its recorder');
  await relay.close([a.id, b.id]);
  // Its source is gone; the recorder's endpoint is there, and silent.
  assert.equal((await statsOf(relay, one.id)).sent.packets, 0);
  relay.tap?.(a.id, one.id);
  await relay.flush();
  await relay.close([one.id]);
});

test('of more than two recorders the third gets nothing, and whoever records is linked with nobody', async () => {
  const [a, b] = [await side(1), await side(2)];
  const three = [await side(3), await side(4), await side(5)];
  relay.link(a.id, b.id);
  for (const { id } of three) relay.tap?.(a.id, id);
  relay.link(three[0]!.id, b.id);
  relay.tap?.(three[0]!.id, three[2]!.id);
  await relay.flush();
  a.speak(rtpPacket(1, 7, 0));
  await until(() => b.got() === 1 && three[0]!.got() === 1 && three[1]!.got() === 1, 'the two');
  // A new partner, which may be on another thread: the taps go along.
  const c = await side(6);
  relay.link(c.id, a.id);
  await relay.flush();
  for (let i = 2; i < 40; i++) a.speak(rtpPacket(i, 7, 0));
  await until(() => c.got() === 38 && three[1]!.got() === 39, 'both after the transfer');
  assert.equal(three[2]!.got(), 0);
  await relay.close([a.id, b.id, c.id, ...three.map(({ id }) => id)]);
});
