import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';
import { encodeStun } from '@ringfence/ice/stun/encode.ts';
import { verifyIntegrity } from '@ringfence/ice/stun/integrity.ts';
import type { ReadStun, StunAttributes } from '@ringfence/ice/stun/message.ts';
import { startRelay } from './client.ts';
import type { EndpointOpened, EndpointSpec, RelayEvent } from './contract.ts';
import type { RunningRelay } from './control.ts';
import type { IceCandidate, IceConfig, IceEvent } from './handshake.ts';
import { IcePeer } from './ice-peer.ts';
import { hex, openAll, Phone, rtpPacket, seen, statsOf, until } from './loopback.ts';

let relay: RunningRelay;
const events: IceEvent[] = [];

before(async () => {
  relay = await startRelay({ threads: 2 });
  relay.onEvent((event: RelayEvent) => {
    if (event.kind === 'ice') events.push(event);
  });
});
afterEach(() => {
  events.length = 0;
  IcePeer.closeAll();
  Phone.closeAll();
});
after(() => relay.stop());

const plain: EndpointSpec = { local: '127.0.0.1', ports: 'mux', dscp: 46, suites: [] };
const host = (port: number, component: 1 | 2 = 1): IceCandidate => ({
  foundation: '1',
  component,
  priority: 2_130_706_432 - component,
  address: '127.0.0.1',
  port,
  kind: 'host',
});

/** What a peer answers to a check, with its own password. */
function answer(peer: IcePeer, request: ReadStun, attributes: StunAttributes, password?: string): Uint8Array {
  const { transactionId } = request;
  return encodeStun(
    { class: attributes.error ? 'error' : 'success', method: 1, transactionId, attributes },
    { key: new TextEncoder().encode(password ?? peer.credentials.password) },
  );
}

/** Answers what has come, like a peer that is ice-lite; gives what it has answered. */
function answerAll(peer: IcePeer, { address, rtpPort }: EndpointOpened): ReadStun[] {
  const requests = peer.stun.splice(0).filter((message) => message.class === 'request');
  for (const request of requests)
    peer.socket.send(answer(peer, request, { mapped: { address, port: rtpPort } }), rtpPort, address);
  return requests;
}

for (const mode of ['lite', 'full'] as const) {
  test(`RFC 8445 2.5, 8.1.1: towards an ice-lite peer the edge checks and nominates by itself (${mode})`, async () => {
    const phone = await Phone.open('127.0.0.1', true);
    const peer = await IcePeer.open();
    const [iced, far] = await openAll(relay, [{ ...plain, ice: mode }, plain]);
    assert.ok(iced && far);
    relay.configure(far.id, { media: 'rtp', remote: phone.remote });
    relay.configure(
      iced.id,
      peer.describe('rtp', { lite: true, controlling: true, candidates: [host(peer.port)] }),
    );
    relay.link(iced.id, far.id);
    await relay.flush();

    await until(() => peer.stun.length > 0, 'a check');
    const [first] = answerAll(peer, iced);
    assert.ok(first && verifyIntegrity(first, new TextEncoder().encode(peer.credentials.password)));
    assert.equal(first.attributes.username, `${peer.credentials.ufrag}:${iced.ice?.ufrag}`);
    assert.notEqual(first.attributes.iceControlling, undefined);
    assert.equal(first.attributes.useCandidate, undefined);
    // Valid, and not chosen yet: no media.
    peer.send(rtpPacket(1), iced);
    await until(() => peer.stun.length > 0, 'the nomination');
    const [second] = answerAll(peer, iced);
    assert.equal(second?.attributes.useCandidate, true);
    await until(() => events.length > 0, 'the pair');
    assert.deepEqual(events, [
      {
        kind: 'ice',
        endpoint: iced.id,
        state: 'connected',
        remote: { address: '127.0.0.1', port: peer.port },
      },
    ]);
    for (let i = 2; i < 22; i += 1) {
      peer.send(rtpPacket(i), iced);
      phone.rtp.send(rtpPacket(i, 2), far.rtpPort, '127.0.0.1');
    }
    await until(() => peer.others.length === 20 && phone.rtpReceived.length === 20, 'media both ways');
    assert.equal(hex(phone.rtpReceived[0]?.subarray(12)), hex(rtpPacket(2).subarray(12)));
    await relay.close([iced.id, far.id]);
  });
}

test('RFC 8445 7.2.5: answers from elsewhere, of another key or to nothing asked make no pair', async () => {
  const peer = await IcePeer.open();
  const attacker = await IcePeer.open();
  const [iced] = await openAll(relay, [{ ...plain, ice: 'full' }]);
  assert.ok(iced);
  relay.configure(
    iced.id,
    peer.describe('rtp', { lite: true, controlling: true, candidates: [host(peer.port)] }),
  );
  await relay.flush();
  await until(() => peer.stun.length > 0, 'a check');
  const request = peer.stun[0]!;
  const mapped = { address: '127.0.0.1', port: iced.rtpPort };
  const right = answer(peer, request, { mapped });
  attacker.send(right, iced);
  peer.send(answer(peer, request, { mapped }, 'A'.repeat(24)), iced);
  peer.send(answer(peer, request, { error: { code: 487, reason: '' } }, 'A'.repeat(24)), iced);
  const other = { ...request, transactionId: request.transactionId.toReversed() };
  peer.send(answer(peer, other, { mapped }), iced);
  await until(async () => seen(await statsOf(relay, iced.id)) === 4, 'the four of them');
  const { dropped } = await statsOf(relay, iced.id);
  assert.deepEqual([dropped.source, dropped.authentication], [2, 2]);
  assert.equal(events.length, 0);
  peer.send(right, iced);
  await until(() => peer.stun.some(({ attributes }) => attributes.useCandidate === true), 'the nomination');
  answerAll(peer, iced);
  await until(() => events.length > 0, 'the pair');
  await relay.close([iced.id]);
});

/** Two endpoints of this media process, each the other's peer. */
const described = ({ ice, rtpPort, rtcpPort }: EndpointOpened, rest: Partial<IceConfig>): IceConfig => {
  assert.ok(ice);
  const candidates = [host(rtpPort), ...(rtcpPort === rtpPort ? [] : [host(rtcpPort, 2)])];
  return { ...ice, lite: false, controlling: false, candidates, ...rest };
};

for (const [offerer, answerer, ports] of [
  ['full', 'full', 'mux'],
  ['full', 'full', 'pair'],
  ['full', 'lite', 'mux'],
  ['lite', 'full', 'pair'],
] as const) {
  test(`RFC 8445 6.1.1, 13: two endpoints find each other: ${offerer} offers to ${answerer}, ports ${ports}`, async () => {
    const phones = [await Phone.open('127.0.0.1', true), await Phone.open('127.0.0.1', true)] as const;
    const [a, b, nearA, nearB] = await openAll(relay, [
      { ...plain, ports, ice: offerer },
      { ...plain, ports, ice: answerer },
      plain,
      plain,
    ]);
    assert.ok(a && b && nearA && nearB);
    relay.configure(nearA.id, { media: 'rtp', remote: phones[0].remote });
    relay.configure(nearB.id, { media: 'rtp', remote: phones[1].remote });
    relay.link(nearA.id, a.id);
    relay.link(nearB.id, b.id);
    const remote = { address: '127.0.0.1', rtpPort: 9, rtcpPort: 9 };
    const controlling = offerer === 'full';
    const began = performance.now();
    relay.configure(b.id, {
      media: 'rtp',
      remote,
      ice: described(a, { lite: offerer === 'lite', controlling: !controlling }),
    });
    relay.configure(a.id, {
      media: 'rtp',
      remote,
      ice: described(b, { lite: answerer === 'lite', controlling }),
    });
    await relay.flush();
    await until(() => events.length === 2, 'both pairs');
    const took = performance.now() - began;
    assert.ok(events.every(({ state }) => state === 'connected'));
    assert.deepEqual(new Set(events.map((event) => event.remote?.port)), new Set([a.rtpPort, b.rtpPort]));
    assert.ok(took < 2_000, `${took} ms`);
    for (let i = 1; i <= 20; i += 1) phones[0].rtp.send(rtpPacket(i), nearA.rtpPort, '127.0.0.1');
    await until(() => phones[1].rtpReceived.length === 20, 'media from end to end');
    await relay.close([a, b, nearA, nearB].map(({ id }) => id));
  });
}

test('a check that was heard and is repeated 2,000 times a second takes nothing from what the peer says next', async () => {
  const peer = await IcePeer.open();
  const [iced] = await openAll(relay, [{ ...plain, ice: 'lite' }]);
  assert.ok(iced);
  relay.configure(iced.id, peer.describe());
  await relay.flush();
  peer.send(peer.check(iced, { useCandidate: true }), iced);
  await until(() => events.length > 0, 'the pair');
  const listener = await IcePeer.open();
  const heard = peer.check(iced);
  peer.send(heard, iced);
  await until(() => peer.stun.length === 2, 'its answer');
  let repeated = 0;
  let asked = 0;
  const began = performance.now();
  for (let elapsed = 0; elapsed < 2_000; elapsed = performance.now() - began) {
    for (; repeated < elapsed * 2; repeated += 1) listener.send(heard, iced);
    for (; asked < elapsed / 50; asked += 1) peer.send(peer.check(iced), iced);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  await until(() => peer.stun.length === 2 + asked, `${asked} answers`);
  assert.ok(asked >= 30 && repeated > 1_000, `${asked} ${repeated}`);
  assert.equal(listener.stun.length, 0);
  await relay.close([iced.id]);
});
