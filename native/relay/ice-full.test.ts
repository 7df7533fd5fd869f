import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';
import { startRelay } from './client.ts';
import type { EndpointOpened, EndpointSpec } from './contract.ts';
import type { RunningRelay } from './control.ts';
import type { IceCandidate, IceEvent } from './handshake.ts';
import { IcePeer } from './ice-peer.ts';
import { openAll, Phone, rtcpPacket, rtpPacket, seen, statsOf, until } from './loopback.ts';

let relay: RunningRelay;
const events: IceEvent[] = [];

before(async () => {
  relay = await startRelay({ threads: 1 });
  relay.onEvent((event) => {
    if (event.kind === 'ice') events.push(event);
  });
});
afterEach(() => {
  events.length = 0;
  IcePeer.closeAll();
  Phone.closeAll();
});
after(() => relay.stop());

const spec = (local: string, ports: EndpointSpec['ports']): EndpointSpec => ({
  local,
  ports,
  dscp: 46,
  suites: [],
});

/** The peer only answers, so that the checks are ours. */
async function towards(
  peer: IcePeer,
  candidates: readonly IceCandidate[],
  ports: EndpointSpec['ports'] = 'mux',
  muxes = true,
): Promise<{ readonly iced: EndpointOpened; readonly far: EndpointOpened; readonly phone: Phone }> {
  const phone = await Phone.open(peer.address, true);
  const [iced, far] = await openAll(relay, [
    { ...spec(peer.address, ports), ice: 'full' },
    { ...spec(peer.address, 'mux'), config: { media: 'rtp', remote: phone.remote } },
  ]);
  assert.ok(iced && far);
  relay.link(iced.id, far.id);
  relay.configure(iced.id, {
    media: 'rtp',
    remote: { address: peer.address, rtpPort: 9, rtcpPort: muxes ? 9 : 10 },
    ice: peer.config({ lite: true, controlling: true, candidates }),
  });
  await relay.flush();
  return { iced, far, phone };
}

for (const address of ['127.0.0.1', '::1']) {
  test(`RFC 8445 7.2, 8.1: checks of our own over ${address} find the pair, and media goes by it`, async () => {
    const peer = await IcePeer.open(address);
    peer.answerAll();
    const { iced, far, phone } = await towards(peer, [peer.candidate()]);
    await until(() => events.length > 0, 'a pair');
    assert.deepEqual(events, [
      { kind: 'ice', endpoint: iced.id, state: 'connected', remote: { address, port: peer.port } },
    ]);
    const [check] = peer.requests;
    assert.equal(check?.attributes.username, `${peer.credentials.ufrag}:${iced.ice?.ufrag}`);
    assert.ok(check.attributes.iceControlling !== undefined && check.fingerprint);
    assert.ok(peer.requests.some(({ attributes }) => attributes.useCandidate));
    peer.send(rtpPacket(1), iced);
    phone.rtp.send(rtpPacket(1, 2), far.rtpPort, address);
    await until(() => peer.others.length === 1 && phone.rtpReceived.length === 1, 'media both ways');
    await relay.close([iced.id, far.id]);
  });
}

test('RFC 8445 4: RTP and RTCP on ports of their own have a pair each', async () => {
  const peer = await IcePeer.open();
  const second = await IcePeer.open('127.0.0.1', peer.credentials);
  peer.answerAll();
  second.answerAll();
  const { iced, far, phone } = await towards(peer, [peer.candidate(1), second.candidate(2)], 'pair', false);
  await until(() => events.length > 0, 'both pairs');
  assert.equal(events[0]?.remote?.port, peer.port);
  phone.rtp.send(rtpPacket(1, 2), far.rtpPort, '127.0.0.1');
  phone.rtp.send(rtcpPacket(2), far.rtpPort, '127.0.0.1');
  await until(() => peer.others.length === 1 && second.others.length === 1, 'each where it belongs');
  second.send(rtcpPacket(), iced, iced.rtcpPort);
  peer.send(rtcpPacket(), iced, iced.rtcpPort);
  await until(() => phone.rtpReceived.length === 1, 'RTCP from its pair');
  await until(async () => (await statsOf(relay, iced.id)).dropped.source === 1, 'RTCP from the other');
  await relay.close([iced.id, far.id]);
});

test('RFC 8489 9.1.4: an answer under another password, of nothing asked, or from elsewhere validates nobody', async () => {
  const peer = await IcePeer.open();
  const elsewhere = await IcePeer.open('127.0.0.1', peer.credentials);
  peer.answerAll('B'.repeat(24));
  peer.answerAll(peer.credentials.password, elsewhere);
  const { iced, far } = await towards(peer, [peer.candidate()]);
  await until(() => peer.requests.length >= 2, 'a check and its repetition');
  const [request] = peer.requests;
  assert.ok(request);
  const mapped = { address: '127.0.0.1', port: iced.rtpPort };
  const stranger = { ...request, transactionId: new Uint8Array(12).fill(3) };
  peer.send(peer.success(stranger, mapped, peer.credentials.password), iced);
  await until(async () => seen(await statsOf(relay, iced.id)) >= 5, 'the answers');
  const { dropped } = await statsOf(relay, iced.id);
  assert.ok(dropped.authentication >= 2 && dropped.source >= 3, JSON.stringify(dropped));
  assert.equal(events.length, 0);
  // The right one is still taken.
  peer.answerAll();
  await until(() => events.length > 0, 'a pair');
  await relay.close([iced.id, far.id]);
});

test('RFC 8838 11: a candidate that comes later is checked, too', async () => {
  const peer = await IcePeer.open();
  peer.answerAll();
  const { iced, far } = await towards(peer, []);
  assert.equal(events.length, 0);
  relay.trickle?.(iced.id, [{ ...peer.candidate(), address: 'a1b2.local' }, peer.candidate()]);
  await relay.flush();
  await until(() => events.length > 0, 'a pair');
  await relay.close([iced.id, far.id]);
});
