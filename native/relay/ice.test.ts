import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';
import { startRelay } from './client.ts';
import type { EndpointOpened, EndpointSpec, RelayEvent } from './contract.ts';
import type { RunningRelay } from './control.ts';
import { NativeAssociation, NativeCertificate } from './dtls.ts';
import type { IceEvent } from './handshake.ts';
import { IcePeer } from './ice-peer.ts';
import { hex, openAll, Phone, rtcpPacket, rtpPacket, seen, statsOf, until } from './loopback.ts';

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

const plain = (local: string): EndpointSpec => ({ local, ports: 'mux', dscp: 46, suites: [] });
const lite = (local: string): EndpointSpec => ({ ...plain(local), ice: 'lite' });

interface Call {
  readonly peer: IcePeer;
  /** The endpoint that does ICE, and the one it is linked with. */
  readonly iced: EndpointOpened;
  readonly far: EndpointOpened;
  readonly phone: Phone;
}

async function call(address = '127.0.0.1'): Promise<Call> {
  const phone = await Phone.open(address, true);
  const peer = await IcePeer.open(address);
  const [iced, far] = await openAll(relay, [lite(address), plain(address)]);
  assert.ok(iced && far && far.ice === undefined);
  relay.configure(far.id, { media: 'rtp', remote: phone.remote });
  relay.configure(iced.id, peer.describe());
  relay.link(iced.id, far.id);
  await relay.flush();
  return { peer, iced, far, phone };
}

const nominate = async ({ peer, iced }: Call): Promise<void> => {
  peer.send(peer.check(iced, { useCandidate: true }), iced);
  await until(() => peer.stun.length > 0 && events.length > 0, 'an answer to the check');
};

test('RFC 8445 5.3: an endpoint has credentials of its own, of 48 and 144 random bits', async () => {
  const opened = await openAll(relay, [lite('127.0.0.1'), lite('127.0.0.1')]);
  const texts = opened.flatMap(({ ice }) => [ice?.ufrag ?? '', ice?.password ?? '']);
  assert.equal(new Set(texts).size, 4);
  for (const { ice } of opened) {
    assert.match(ice?.ufrag ?? '', /^[A-Za-z0-9+/]{8}$/);
    assert.match(ice?.password ?? '', /^[A-Za-z0-9+/]{24}$/);
  }
  await relay.close(opened.map(({ id }) => id));
});

for (const address of ['127.0.0.1', '::1']) {
  test(`RFC 8445 7.3, 12.1: over ${address} media has no way before a pair is nominated, and then that pair's alone`, async () => {
    const made = await call(address);
    const { peer, iced, far, phone } = made;
    // SDP has named another port: that one is of no use, and neither is the right one, yet.
    peer.send(rtpPacket(1), iced);
    phone.rtp.send(rtpPacket(1, 2), far.rtpPort, address);
    await until(async () => seen(await statsOf(relay, iced.id)) === 1, 'the early packet');
    assert.equal((await statsOf(relay, iced.id)).dropped.source, 1);
    await until(async () => (await statsOf(relay, far.id)).received.packets === 1, 'the far packet');
    assert.equal(peer.others.length, 0);

    await nominate(made);
    const answer = peer.answer(iced);
    assert.equal(answer?.class, 'success');
    assert.deepEqual(answer.attributes.mapped, { address, port: peer.port });
    assert.deepEqual(events, [
      { kind: 'ice', endpoint: iced.id, state: 'connected', remote: { address, port: peer.port } },
    ]);
    for (let i = 2; i < 52; i += 1) {
      peer.send(rtpPacket(i), iced);
      phone.rtp.send(rtpPacket(i, 2), far.rtpPort, address);
    }
    peer.send(rtcpPacket(), iced);
    await until(() => peer.others.length === 50 && phone.rtpReceived.length === 51, 'media both ways');
    assert.equal(hex(phone.rtpReceived[0]?.subarray(12)), hex(rtpPacket(2).subarray(12)));
    const { received, dropped, source } = await statsOf(relay, iced.id);
    assert.deepEqual([received.packets, received.rtcpPackets], [50, 1]);
    assert.equal(dropped.source, 1);
    assert.deepEqual(source, { address, port: peer.port });
    await relay.close([iced.id, far.id]);
  });
}

test('RFC 8445 12.2: a peer that nominates several pairs may send by any of them, and nobody else by none', async () => {
  const made = await call();
  const { peer, iced, far, phone } = made;
  const other = await IcePeer.open();
  await nominate(made);
  // A browser towards ice-lite says USE-CANDIDATE with every check; this one is of lower priority.
  other.send(peer.check(iced, { useCandidate: true, priority: 1 }), iced);
  await until(() => other.stun.length > 0, 'an answer to the second check');
  const stranger = await IcePeer.open();
  for (let i = 1; i <= 20; i += 1) {
    other.send(rtpPacket(i), iced);
    stranger.send(rtpPacket(100 + i), iced);
  }
  await until(async () => seen(await statsOf(relay, iced.id)) === 40, 'all of them');
  const { received, dropped, source } = await statsOf(relay, iced.id);
  assert.deepEqual([received.packets, dropped.source], [20, 20]);
  // Ours goes by the pair that was chosen.
  assert.deepEqual(source, { address: '127.0.0.1', port: peer.port });
  await until(() => phone.rtpReceived.length === 20, 'media of the second pair');
  phone.rtp.send(rtpPacket(1, 2), far.rtpPort, '127.0.0.1');
  await until(() => peer.others.length === 1, 'media to the chosen pair');
  assert.equal(other.others.length, 0);
  await relay.close([iced.id, far.id]);
});

test('RFC 8489 9.1, M5: what does not verify gets no answer and changes nothing', async () => {
  const made = await call();
  const { peer, iced, far } = made;
  const nominated = { useCandidate: true } as const;
  const wrong = 'A'.repeat(24);
  const broken = peer.check(iced, nominated);
  broken[broken.length - 1]! ^= 1;
  const malformed = [
    peer.check(iced, nominated, undefined, { fingerprint: false }),
    broken,
    broken.subarray(0, 40),
  ];
  const forged = [
    peer.check(iced, nominated, wrong),
    peer.check(iced, nominated, wrong, { integrity: 'sha256' }),
    peer.check(iced, { ...nominated, username: `${iced.ice?.ufrag}:other` }),
    peer.check(iced, { ...nominated, username: `${iced.ice?.ufrag}` }),
    peer.check(iced, { ...nominated, username: 'someone:phone' }),
    peer.check(iced, nominated, far.ice?.password ?? wrong),
  ];
  for (const bytes of [...malformed, ...forged]) peer.send(bytes, iced);
  // Answers to what nobody has asked.
  const response = peer.check(iced, nominated, peer.credentials.password);
  response[0] = 1;
  response[1] = 1;
  await until(async () => seen(await statsOf(relay, iced.id)) === 9, 'all of them');
  const { dropped } = await statsOf(relay, iced.id);
  assert.deepEqual([dropped.malformed, dropped.authentication], [3, 6]);
  peer.send(rtpPacket(1), iced);
  await until(async () => (await statsOf(relay, iced.id)).dropped.source === 1, 'the packet after them');
  assert.deepEqual([peer.stun.length, events.length], [0, 0]);
  // Without ICE there is no STUN at all.
  peer.send(peer.check(iced), far);
  await until(async () => seen(await statsOf(relay, far.id)) === 1, 'a check where there is no ICE');
  assert.equal(peer.stun.length, 0);
  await nominate(made);
  await relay.close([iced.id, far.id]);
});

test('M4, M5, CVE-2023-49786, CVE-2026-116790: an address that ICE has not validated moves no media and starts no DTLS', async () => {
  const made = await call();
  const { peer, iced, far, phone } = made;
  const attacker = await IcePeer.open();
  // A ClientHello before anybody was validated, and after.
  const hello = new Uint8Array(200).fill(7);
  hello.set([22, 254, 255]);
  attacker.send(hello, iced);
  attacker.send(attacker.check(iced, { useCandidate: true }, 'A'.repeat(24)), iced);
  await until(async () => seen(await statsOf(relay, iced.id)) === 2, 'the attacker before ICE');
  await nominate(made);
  for (let i = 1; i <= 30; i += 1) peer.send(rtpPacket(i), iced);
  await until(() => phone.rtpReceived.length === 30, 'media');
  const before = seen(await statsOf(relay, iced.id));
  attacker.send(hello, iced);
  attacker.send(attacker.check(iced, { useCandidate: true }, 'A'.repeat(24)), iced);
  attacker.send(rtpPacket(31), iced);
  attacker.send(rtcpPacket(), iced);
  await until(async () => seen(await statsOf(relay, iced.id)) === before + 4, 'the attacker after ICE');
  phone.rtp.send(rtpPacket(1, 2), far.rtpPort, '127.0.0.1');
  await until(() => peer.others.length === 1, 'media to the peer');
  assert.deepEqual([attacker.stun.length, attacker.others.length, phone.rtpReceived.length], [0, 0, 30]);
  assert.equal(events.length, 1);
  assert.deepEqual((await statsOf(relay, iced.id)).source, { address: '127.0.0.1', port: peer.port });
  await relay.close([iced.id, far.id]);
});

test('RFC 8445 12.2: a handshake begins with the first check that verifies; media waits for the pair that is nominated', async () => {
  for (const role of ['client', 'server'] as const) {
    const peer = await IcePeer.open();
    const stranger = await IcePeer.open();
    const certificate = new NativeCertificate();
    const [iced] = await openAll(relay, [
      { local: '127.0.0.1', ports: 'mux', dscp: 46, suites: [], ice: 'lite', dtls: true },
    ]);
    assert.ok(iced?.dtls);
    relay.configure(iced.id, {
      ...peer.describe('srtp'),
      dtls: { role, fingerprints: [certificate.fingerprint], suites: ['AEAD_AES_128_GCM'] },
    });
    await relay.flush();
    const association = new NativeAssociation({
      certificate,
      role: role === 'client' ? 'server' : 'client',
      fingerprints: [iced.dtls],
      suites: ['AEAD_AES_128_GCM'],
    });
    const hello = association.start();
    for (const bytes of hello) stranger.send(bytes, iced);
    await until(
      async () => role === 'client' || (await statsOf(relay, iced.id)).dropped.source > 0,
      'a ClientHello of somebody else',
    );
    assert.equal(peer.others.length, 0, 'nothing before a check');
    peer.send(peer.check(iced), iced);
    await until(() => peer.stun.length === 1, 'an answer');
    for (const bytes of hello) peer.send(bytes, iced);
    await until(() => peer.others.length > 0, 'DTLS to who has checked');
    // A ClientHello of ours, or a ServerHello that no cookie goes before.
    assert.deepEqual([peer.others[0]?.[0], peer.others[0]?.[13]], [22, role === 'client' ? 1 : 2]);
    assert.deepEqual([stranger.others.length, events.length], [0, 0]);
    await relay.close([iced.id]);
  }
});

test('RFC 8445 7.3.1.1: one who thinks the edge should choose is told of the conflict, and gets no pair', async () => {
  const { peer, iced, far } = await call();
  const plainCheck = peer.check(iced, { iceControlled: 9n });
  peer.send(plainCheck, iced);
  await until(() => peer.stun.length > 0, 'the answer');
  const answer = peer.answer(iced);
  assert.equal(answer?.class, 'error');
  assert.equal(answer.attributes.error?.code, 487);
  assert.equal(events.length, 0);
  await relay.close([iced.id, far.id]);
});

test('RFC 8445 9: with new credentials of the peer media goes on by the old pair until there is a new one', async () => {
  const made = await call();
  const { peer, iced, far, phone } = made;
  await nominate(made);
  const moved = await IcePeer.open('127.0.0.1', { ufrag: 'moved', password: 'another+password+of+24ch' });
  relay.configure(iced.id, moved.describe());
  await relay.flush();
  peer.send(rtpPacket(1), iced);
  await until(() => phone.rtpReceived.length === 1, 'media by the old pair');
  moved.send(moved.check(iced, { useCandidate: true }), iced);
  await until(() => moved.stun.length === 1 && events.length === 2, 'the new pair');
  assert.equal(events[1]?.remote?.port, moved.port);
  moved.send(rtpPacket(2), iced);
  await until(() => phone.rtpReceived.length === 2, 'media by the new pair');
  peer.send(rtpPacket(3), iced);
  await until(async () => (await statsOf(relay, iced.id)).dropped.source === 1, 'the old pair being refused');
  await relay.close([iced.id, far.id]);
});

test('RFC 8445 9: a restart with new credentials of both: old checks keep the old pair until there is a new one', async () => {
  const made = await call();
  const { peer, iced, far, phone } = made;
  await nominate(made);
  const moved = await IcePeer.open('127.0.0.1', { ufrag: 'moved', password: 'another+password+of+24ch' });
  const ours = { ufrag: 'edge/new', password: 'a+new+password+of+the+edge' };
  const anew: EndpointOpened = { ...iced, ice: ours };
  relay.configure(iced.id, moved.describe('rtp', { ours }));
  // Said again, it is no other restart.
  relay.configure(iced.id, moved.describe('rtp', { ours }));
  await relay.flush();
  const answered = peer.stun.length;
  peer.send(peer.check(iced), iced);
  await until(() => peer.stun.length === answered + 1, 'consent to the old pair');
  peer.send(rtpPacket(1), iced);
  await until(() => phone.rtpReceived.length === 1, 'media by the old pair');
  const { dropped: before } = await statsOf(relay, iced.id);
  // The generations do not mix: a name of one under the password of the other, or half of each.
  for (const bytes of [
    moved.check(anew, { useCandidate: true }, iced.ice?.password),
    moved.check(iced, { useCandidate: true }),
    peer.check(anew, { useCandidate: true }),
    peer.check(iced, { useCandidate: true }, ours.password),
  ])
    moved.send(bytes, iced);
  await until(
    async () => (await statsOf(relay, iced.id)).dropped.authentication === before.authentication + 4,
    'what is of neither',
  );
  assert.deepEqual([moved.stun.length, events.length], [0, 1]);
  moved.send(moved.check(anew, { useCandidate: true }), iced);
  await until(() => moved.stun.length === 1 && events.length === 2, 'the new pair');
  assert.equal(events[1]?.remote?.port, moved.port);
  moved.send(rtpPacket(2), iced);
  await until(() => phone.rtpReceived.length === 2, 'media by the new pair');
  // The old generation is over: neither a check nor media of it is taken.
  peer.send(peer.check(iced, { useCandidate: true }), iced);
  peer.send(rtpPacket(3), iced);
  await until(async () => (await statsOf(relay, iced.id)).dropped.source === 1, 'the old pair being refused');
  assert.deepEqual([peer.stun.length, events.length], [answered + 1, 2]);
  await relay.close([iced.id, far.id]);
});

test('RFC 8839 4.2.5: a peer without ICE is served by the rules of its SDP, and its STUN gets nothing', async () => {
  const { peer, iced, far, phone } = await call();
  relay.configure(iced.id, {
    media: 'rtp',
    remote: { address: peer.address, rtpPort: peer.port, rtcpPort: peer.port },
  });
  await relay.flush();
  peer.send(peer.check(iced, { useCandidate: true }), iced);
  peer.send(rtpPacket(1), iced);
  await until(() => phone.rtpReceived.length === 1, 'media');
  assert.deepEqual([peer.stun.length, events.length], [0, 0]);
  await relay.close([iced.id, far.id]);
});

test('20,000 forged checks a second: voice goes on, of that endpoint and of others, and what verifies is bounded', async (t) => {
  const [made, beside] = [await call(), await call()];
  await nominate(made);
  events.length = 0;
  await nominate(beside);
  const { peer, iced, far } = made;
  const sent = { forged: 0, voice: 0 };
  const talk = () => {
    sent.voice += 1;
    for (const { peer, iced, far, phone } of [made, beside]) {
      peer.send(rtpPacket(sent.voice), iced);
      phone.rtp.send(rtpPacket(sent.voice, 2), far.rtpPort, '127.0.0.1');
    }
  };
  const arrived = () =>
    [made, beside].flatMap(({ peer, phone }) => [peer.others.length, phone.rtpReceived.length]);
  // A call that has begun: the socket of its media is not the one that everybody can reach.
  while (sent.voice < 30) talk();
  await until(() => arrived().every((count) => count === 30), 'the call before the flood');

  const flooder = await IcePeer.open();
  // Name and form are right, so that each costs all that it can; every tenth is a check that was heard, repeated.
  const forged = flooder.check(iced, { username: `${iced.ice?.ufrag}:phone` }, 'A'.repeat(24));
  const heard = peer.check(iced);
  const started = performance.now();
  for (let elapsed = 0; sent.forged < 30_000; elapsed = performance.now() - started) {
    assert.ok(elapsed < 20_000, 'the flood takes too long here');
    for (
      let left = 100;
      sent.forged < Math.min(30_000, elapsed * 20) && left > 0;
      left -= 1, sent.forged += 1
    )
      flooder.send(sent.forged % 10 === 0 ? heard : forged, iced);
    while (sent.voice < 30 + elapsed / 20) talk();
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  await until(
    () => arrived().every((count) => count === sent.voice),
    `${sent.voice} packets of voice each way`,
  );
  assert.ok(sent.forged === 30_000 && sent.voice > 90, `${sent.voice} packets of voice`);
  t.diagnostic(`${Math.round(30_000_000 / (performance.now() - started))} a second`);
  // The burst, and a hundred a second.
  assert.ok(
    flooder.stun.length < 64 + 100 * Math.ceil((performance.now() - started) / 1000),
    `${flooder.stun.length} answers`,
  );
  const { dropped, received } = await statsOf(relay, iced.id);
  assert.ok(dropped.authentication > 3000, `${dropped.authentication} refused`);
  assert.equal(received.lost, 0);
  assert.equal(events.length, 1);
  await relay.close([made, beside].flatMap(({ iced, far }) => [iced.id, far.id]));
  assert.equal((await relay.stats([far.id])).length, 0);
});
