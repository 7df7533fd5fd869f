import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startRelay } from './client.ts';
import type { RelayEvent } from './contract.ts';
import type { RunningRelay } from './control.ts';
import { NativeCertificate } from './dtls.ts';
import { type DtlsCall, DtlsPeer, dtlsCall, isDtls, told } from './dtls-loopback.ts';
import { dtlsSuites } from './handshake.ts';
import { hex, Phone, protect, rtpPacket, seen, statsOf, unprotect, until } from './loopback.ts';

const giveUpMs = 700;
let relay: RunningRelay;
const events: RelayEvent[] = [];
before(async () => {
  relay = await startRelay({ threads: 2, pollMs: 20, dtls: { retransmitMs: 40, giveUpMs } });
  relay.onEvent((event) => events.push(event));
});
after(async () => {
  DtlsPeer.stopAll();
  Phone.closeAll();
  await relay.stop();
});

const secured = (it: DtlsCall) => told(events, 'secured', it.near.id);
const unsecured = (it: DtlsCall) => told(events, 'unsecured', it.near.id);

/** One packet each way, read with the keys of the phone's end. */
async function talk(it: DtlsCall, contexts: ReturnType<DtlsPeer['contexts']>, number: number): Promise<void> {
  const [heard, mine] = [it.far.rtpReceived.length, it.phone.rtpReceived.length];
  it.phone.rtp.send(protect(contexts.sends, rtpPacket(number)), it.near.rtpPort, '127.0.0.1');
  await until(() => it.far.rtpReceived.length > heard, 'the phone to be heard');
  assert.equal(hex(it.far.rtpReceived[heard]), hex(rtpPacket(number)));
  it.far.rtp.send(rtpPacket(number, 2), it.out.rtpPort, '127.0.0.1');
  const arrived = () => it.phone.rtpReceived.slice(mine).find((packet) => !isDtls(packet));
  await until(() => arrived() !== undefined, 'the phone to hear');
  assert.equal(hex(unprotect(contexts.receives, arrived()!)), hex(rtpPacket(number, 2)));
}

async function establish(it: DtlsCall, role: 'client' | 'server', options = {}): Promise<DtlsPeer> {
  const peer = new DtlsPeer(it, role === 'client' ? 'server' : 'client', options);
  const before = secured(it).length;
  it.configure({ role, fingerprints: [peer.certificate.fingerprint] });
  await relay.flush();
  peer.start();
  await until(() => secured(it).length > before, 'keys here');
  await until(() => peer.association.look().state === 'secured', 'keys there');
  return peer;
}

for (const role of ['client', 'server'] as const) {
  test(`RFC 5763 §5: as ${role}; nothing passes in either direction before the keys, SRTP after them`, async () => {
    const it = await dtlsCall(relay);
    const certificate = new NativeCertificate();
    it.configure({ role, fingerprints: [certificate.fingerprint] });
    await relay.flush();
    for (let i = 1; i <= 3; i += 1) {
      it.phone.rtp.send(rtpPacket(i), it.near.rtpPort, '127.0.0.1');
      it.far.rtp.send(rtpPacket(i), it.out.rtpPort, '127.0.0.1');
    }
    await until(async () => (await statsOf(relay, it.near.id)).dropped.authentication === 3, 'refusals');
    await until(async () => (await statsOf(relay, it.out.id)).dropped.unlinked === 3, 'what has no keys');
    const peer = await establish(it, role, { certificate });
    assert.equal(it.far.rtpReceived.length, 0);
    assert.equal(it.phone.rtpReceived.filter((packet) => !isDtls(packet)).length, 0);
    for (let i = 10; i < 40; i += 1) await talk(it, peer.contexts(), i);
    const [event] = secured(it);
    assert.equal(hex(event?.fingerprint), hex(certificate.fingerprint.value));
    assert.equal(event?.version, 'DTLSv1.2');
    peer.stop();
    await it.close();
  });
}

test('RFC 6347 §4.2.1: a ClientHello of nobody in particular costs a shorter answer and nothing that is kept', async () => {
  const it = await dtlsCall(relay);
  const certificate = new NativeCertificate();
  it.configure({ role: 'server', fingerprints: [certificate.fingerprint] });
  await relay.flush();
  const peer = new DtlsPeer(it, 'client', { certificate });
  peer.stop();
  const [hello] = peer.association.start();
  assert.ok(hello);
  peer.send([hello]);
  await until(() => it.phone.rtpReceived.length === 1, 'HelloVerifyRequest');
  const request = it.phone.rtpReceived[0]!;
  assert.equal(request[13], 3);
  assert.ok(request.length < hello.length && request.length <= 60);
  // With the cookie the client goes on; of another address, or with an octet changed, it is asked again.
  const [second] = peer.association.receive(request);
  assert.ok(second);
  const forged = Uint8Array.from(second);
  const cookieAt = 13 + 12 + 2 + 32 + 1 + (second[13 + 12 + 2 + 32] ?? 0) + 1;
  forged[cookieAt] = (forged[cookieAt] ?? 0) ^ 1;
  peer.send([forged]);
  await until(() => it.phone.rtpReceived.length === 2, 'another HelloVerifyRequest');
  assert.equal(it.phone.rtpReceived[1]![13], 3);
  peer.send([second]);
  await until(() => it.phone.rtpReceived.length > 2, 'the flight of the server');
  assert.equal(it.phone.rtpReceived[2]![13], 2);
  await it.close();
});

test('M4, CVE-2023-49786, -51443, -51275: a ClientHello of another address does nothing, before, during and after', async () => {
  const it = await dtlsCall(relay);
  const racer = await Phone.open('127.0.0.1', true);
  const certificate = new NativeCertificate();
  it.configure({ role: 'server', fingerprints: [certificate.fingerprint] });
  await relay.flush();
  const hostile = new DtlsPeer({ phone: racer, near: it.near }, 'client');
  const hello = hostile.association.start()[0]!;
  const race = async () => {
    const before = (await statsOf(relay, it.near.id)).dropped.source;
    hostile.send(Array<Uint8Array>(5).fill(hello));
    await until(async () => (await statsOf(relay, it.near.id)).dropped.source >= before + 5, 'the race lost');
  };
  await race();
  const peer = new DtlsPeer(it, 'client', { certificate });
  peer.start();
  await race();
  await until(() => secured(it).length === 1, 'keys');
  await until(() => peer.association.look().state === 'secured', 'keys there');
  await race();
  await talk(it, peer.contexts(), 1);
  await race();
  await talk(it, peer.contexts(), 2);
  assert.equal(racer.rtpReceived.length, 0);
  assert.equal(unsecured(it).length, 0);
  hostile.stop();
  peer.stop();
  racer.close();
  await it.close();
});

for (const role of ['client', 'server'] as const) {
  test(`RFC 5763 §6.7: as ${role}; a certificate that signalling did not name is told, and no media passes`, async () => {
    const it = await dtlsCall(relay);
    const peer = new DtlsPeer(it, role === 'client' ? 'server' : 'client');
    it.configure({ role, fingerprints: [new NativeCertificate().fingerprint] });
    await relay.flush();
    peer.start();
    await until(() => unsecured(it).length === 1, 'it');
    assert.deepEqual(unsecured(it)[0], {
      kind: 'unsecured',
      endpoint: it.near.id,
      by: 'dtls',
      reason: 'fingerprint',
      detail: 'the certificate is not the one that signalling named',
    });
    it.far.rtp.send(rtpPacket(1), it.out.rtpPort, '127.0.0.1');
    await until(async () => (await statsOf(relay, it.out.id)).dropped.unlinked === 1, 'nothing sent');
    assert.equal(secured(it).length, 0);
    peer.stop();
    await it.close();
  });
}

test('RFC 8842 §4: a changed fingerprint makes another association; the old keys serve until its own are there', async () => {
  const it = await dtlsCall(relay);
  const first = await establish(it, 'server');
  await talk(it, first.contexts(), 1);
  first.stop();
  const renewed = new NativeCertificate();
  it.configure({ role: 'client', fingerprints: [renewed.fingerprint] });
  await relay.flush();
  await talk(it, first.contexts(), 2);
  const second = new DtlsPeer(it, 'server', { certificate: renewed });
  await until(() => secured(it).length === 2, 'the second keys');
  await until(() => second.association.look().state === 'secured', 'them there');
  await talk(it, second.contexts(), 3);
  const refused = (await statsOf(relay, it.near.id)).dropped.authentication;
  it.phone.rtp.send(protect(first.contexts().sends, rtpPacket(4)), it.near.rtpPort, '127.0.0.1');
  await until(
    async () => (await statsOf(relay, it.near.id)).dropped.authentication > refused,
    'the old key refused',
  );
  // The same once more changes nothing.
  it.configure({ role: 'client', fingerprints: [renewed.fingerprint] });
  await relay.flush();
  await talk(it, second.contexts(), 5);
  assert.equal(secured(it).length, 2);
  second.stop();
  await it.close();
});

test('a peer that is silent is given up and told, whichever role it has and however far it came', async () => {
  const calls = [await dtlsCall(relay), await dtlsCall(relay), await dtlsCall(relay)] as const;
  const certificate = new NativeCertificate();
  const [asServer, asClient, halfway] = calls;
  asServer.configure({ role: 'server', fingerprints: [certificate.fingerprint] });
  asClient.configure({ role: 'client', fingerprints: [certificate.fingerprint] });
  halfway.configure({ role: 'client', fingerprints: [certificate.fingerprint] });
  const peer = new DtlsPeer(halfway, 'server', { certificate });
  halfway.phone.rtp.once('message', () => peer.stop());
  for (const it of calls) {
    await until(() => unsecured(it).length === 1, 'the end of patience');
    assert.equal(unsecured(it)[0]?.reason, 'timeout');
  }
  // Its ClientHello went out again and again, never faster than twice as slow.
  const sent = asClient.phone.rtpReceived.length;
  assert.ok(sent >= 3 && sent <= 6, `${sent} times`);
  // Who waits for a ClientHello takes a late one.
  const late = new DtlsPeer(asServer, 'client', { certificate });
  late.start();
  await until(() => secured(asServer).length === 1, 'the late keys');
  late.stop();
  for (const it of calls) await it.close();
});

test('garbage, alerts of nobody and replayed flights leave an association as it is', async () => {
  const it = await dtlsCall(relay);
  const sent: Uint8Array[] = [];
  const certificate = new NativeCertificate();
  it.configure({ role: 'server', fingerprints: [certificate.fingerprint] });
  await relay.flush();
  const peer = new DtlsPeer(it, 'client', { certificate });
  const send = peer.send.bind(peer);
  peer.send = (datagrams) => {
    sent.push(...datagrams);
    send(datagrams);
  };
  peer.start();
  await until(() => secured(it).length === 1, 'keys');
  await until(() => peer.association.look().state === 'secured', 'keys there');
  const alert = Uint8Array.of(21, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 9, 0, 2, 2, 40);
  const giant = new Uint8Array(9000).fill(22);
  const before = seen(await statsOf(relay, it.near.id));
  for (let i = 0; i < 3; i += 1) send([...sent, alert, Uint8Array.of(22), Uint8Array.of(63, 1, 2), giant]);
  await until(async () => seen(await statsOf(relay, it.near.id)) > before, 'what is malformed');
  await talk(it, peer.contexts(), 1);
  assert.equal(secured(it).length, 1);
  assert.equal(unsecured(it).length, 0);
  peer.stop();
  await it.close();
});

test('RFC 5246 §7.2.1: the end of a leg is said to its peer', async () => {
  const it = await dtlsCall(relay);
  const peer = await establish(it, 'server');
  const closing = relay.close([it.near.id, it.out.id]);
  await until(() => peer.association.look().state === 'closed', 'close_notify');
  await closing;
  peer.stop();
  it.phone.close();
  it.far.close();
});

test('RFC 3711 §9.2: a key of DTLS that has served as many sources as it may takes no more, and that is told', async () => {
  const it = await dtlsCall(relay);
  const peer = await establish(it, 'server');
  // A context of its own for each: the phone's would take no 65th either.
  for (let ssrc = 1; ssrc <= 80; ssrc += 1) {
    it.phone.rtp.send(protect(peer.contexts().sends, rtpPacket(1, ssrc)), it.near.rtpPort, '127.0.0.1');
    if (ssrc % 20 === 0) await until(async () => seen(await statsOf(relay, it.near.id)) >= ssrc, 'them');
  }
  await until(
    () => told(events, 'refused', it.near.id).some(({ reason }) => reason === 'replay'),
    'the event',
  );
  assert.equal((await statsOf(relay, it.near.id)).received.packets, 64);
  peer.stop();
  await it.close();
});

test('CVE-2023-49786: behind the NAT of a phone a neighbour that comes first neither takes its call nor ends it', async () => {
  const it = await dtlsCall(relay);
  const certificate = new NativeCertificate();
  // SDP names an address inside; of the one that signalling came from any port may be the phone's.
  relay.configure(it.near.id, {
    media: 'srtp',
    remote: { address: '127.0.0.9', rtpPort: 4000, rtcpPort: 4000, signalling: '127.0.0.1' },
    dtls: { role: 'server', fingerprints: [certificate.fingerprint], suites: dtlsSuites },
  });
  await relay.flush();
  const neighbour = await Phone.open('127.0.0.1', true);
  const failing = new DtlsPeer({ phone: neighbour, near: it.near }, 'client');
  failing.start();
  await until(() => failing.association.look().state === 'failed', 'the neighbour refused');
  failing.stop();
  // And one that begins and says no more.
  const flights = () => neighbour.rtpReceived.filter((packet) => packet[0] === 22 && packet[13] === 2).length;
  const before = flights();
  const stalling = new DtlsPeer({ phone: neighbour, near: it.near }, 'client');
  neighbour.rtp.on('message', (packet) => {
    if (packet[13] === 2) stalling.stop();
  });
  stalling.association.receive = (
    (receive) => (datagram: Uint8Array) =>
      datagram[13] === 2 ? [] : receive(datagram)
  )(stalling.association.receive.bind(stalling.association));
  stalling.start();
  await until(() => flights() > before, 'the flight of the server');
  stalling.stop();
  const peer = new DtlsPeer(it, 'client', { certificate });
  peer.start();
  await until(() => secured(it).length === 1, 'the keys of the phone');
  await until(() => peer.association.look().state === 'secured', 'keys there');
  await talk(it, peer.contexts(), 1);
  assert.equal(unsecured(it).length, 0);
  peer.stop();
  neighbour.close();
  await it.close();
});

test('where only a wrong certificate comes, that is told, also behind a NAT', async () => {
  const it = await dtlsCall(relay);
  relay.configure(it.near.id, {
    media: 'srtp',
    remote: { address: '127.0.0.9', rtpPort: 4000, rtcpPort: 4000, signalling: '127.0.0.1' },
    dtls: { role: 'server', fingerprints: [new NativeCertificate().fingerprint], suites: dtlsSuites },
  });
  await relay.flush();
  const peer = new DtlsPeer(it, 'client');
  peer.start();
  await until(() => unsecured(it).length === 1, 'it');
  assert.equal(unsecured(it)[0]?.reason, 'fingerprint');
  peer.stop();
  await it.close();
});

test('a certificate is exchanged when its time has come; who was told of the old one is shown the old one', async () => {
  const own = await startRelay({ threads: 1, pollMs: 20, dtls: { certificateMs: 150 } });
  const seenThere: RelayEvent[] = [];
  own.onEvent((event) => seenThere.push(event));
  try {
    const first = await dtlsCall(own);
    const second = await dtlsCall(own);
    assert.equal(hex(second.near.dtls?.value), hex(first.near.dtls?.value));
    await new Promise((resolve) => setTimeout(resolve, 200));
    const third = await dtlsCall(own);
    assert.notEqual(hex(third.near.dtls?.value), hex(first.near.dtls?.value));
    for (const it of [first, third]) {
      // The peer takes no certificate but the one of this leg.
      const peer = new DtlsPeer(it, 'client');
      it.configure({ role: 'server', fingerprints: [peer.certificate.fingerprint] });
      await own.flush();
      peer.start();
      await until(() => told(seenThere, 'secured', it.near.id).length === 1, 'keys');
      peer.stop();
    }
  } finally {
    await own.stop();
  }
});

test('no more handshakes go on at once than may; who comes then is served when there is room', async () => {
  const own = await startRelay({
    threads: 1,
    pollMs: 20,
    dtls: { retransmitMs: 40, giveUpMs: 400, mostHandshakes: 1 },
  });
  const seenThere: RelayEvent[] = [];
  own.onEvent((event) => seenThere.push(event));
  try {
    const [stalled, waiting] = [await dtlsCall(own), await dtlsCall(own)];
    // Ours begins, and nobody is there: it takes the only place.
    stalled.configure({ role: 'client', fingerprints: [new NativeCertificate().fingerprint] });
    await until(() => stalled.phone.rtpReceived.length > 0, 'a ClientHello');
    const peer = new DtlsPeer(waiting, 'client');
    waiting.configure({ role: 'server', fingerprints: [peer.certificate.fingerprint] });
    await own.flush();
    peer.start();
    await until(() => told(seenThere, 'secured', waiting.near.id).length === 1, 'the second');
    assert.equal(told(seenThere, 'unsecured', stalled.near.id)[0]?.reason, 'timeout');
    peer.stop();
  } finally {
    await own.stop();
  }
});
