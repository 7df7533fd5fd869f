import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { after, afterEach, before, test } from 'node:test';
import type { Agent, Leg } from './harness/agent.ts';
import { Bed } from './harness/bed.ts';
import { clientHello } from './harness/client-hello.ts';
import type { Protection, Voice } from './harness/voice.ts';
import { pause, until, within } from './harness/waiting.ts';
import { WebPeer } from './harness/web-peer.ts';

let bed: Bed;
before(async () => {
  bed = await Bed.open(
    {
      users: [
        { name: 'web', encryption: 'required' },
        { name: 'other', encryption: 'required' },
        { name: 'desk' },
      ],
    },
    {
      listeners: [
        { name: 'wss', transport: 'wss', encryption: 'required' },
        { name: 'tls', transport: 'tls', encryption: 'preferred' },
        { name: 'udp', transport: 'udp', encryption: 'preferred' },
      ],
    },
  );
});
after(() => bed.close());

const peers: WebPeer[] = [];
/** A test that failed leaves its peers behind. */
afterEach(async () => {
  await Promise.all(peers.splice(0).map((peer) => peer.close()));
});

function newPeer(): WebPeer {
  const peer = new WebPeer();
  peers.push(peer);
  return peer;
}

/** Both speak until each has heard something of the other; every payload that was heard was said by the other. */
async function talked(peer: WebPeer, voice: Voice): Promise<void> {
  await until('keys on both sides', () => peer.secured);
  for (let i = 0; i < 20 && (peer.heard.length < 10 || voice.heard.length < 10); i += 1) {
    await Promise.all([peer.say(5), voice.say(5)]);
    await pause(20);
  }
  assert.ok(
    peer.heard.length >= 10 && voice.heard.length >= 10,
    `${peer.heard.length}, ${voice.heard.length}`,
  );
  const said = (payloads: readonly Uint8Array[]) =>
    new Set(payloads.map((one) => Buffer.from(one).toString('hex')));
  const [byPeer, byVoice] = [said(peer.said), said(voice.said)];
  for (const one of peer.heard) assert.ok(byVoice.has(Buffer.from(one).toString('hex')));
  for (const one of voice.heard) assert.ok(byPeer.has(Buffer.from(one).toString('hex')));
}

async function phones(
  protection: Protection,
): Promise<{ web: Agent; desk: Agent; voice: Voice; peer: WebPeer }> {
  const web = await bed.registered('web', 'wss');
  const desk = await bed.registered('desk', protection === 'RTP' ? 'udp' : 'tls');
  return { web, desk, voice: await bed.voice(protection), peer: newPeer() };
}

async function lastRecord(): Promise<string> {
  return JSON.stringify((await bed.records(1))[0]?.legs.map(({ protection }) => protection));
}

for (const protection of ['AEAD_AES_256_GCM', 'AES_CM_128_HMAC_SHA1_80', 'RTP'] as const) {
  test(`RFC 5764, RFC 8445: a WebRTC peer calls a phone with ${protection}, and both hear each other`, async () => {
    const { web, desk, voice, peer } = await phones(protection);
    let taken: Leg | undefined;
    desk.onInvite = (incoming) => {
      // SRTP was offered and is not had: plain RTP follows where policy lets it.
      if (voice.take(incoming.sdp) !== undefined) return incoming.respond(488, 'Not Acceptable Here');
      taken = incoming.accept(voice.describe());
    };
    const { answer, leg } = await web.call('desk', await peer.offer());
    assert.equal(answer.status, 200, answer.text);
    await peer.take(leg!.remoteSdp);
    await talked(peer, voice);
    assert.equal((await leg!.hangUp()).status, 200);
    await within('the called side', taken!.over);
    const record = await lastRecord();
    assert.match(record, /"keyExchange":"dtls"/);
    assert.match(record, /"ice":"validated"/);
    assert.match(record, /"peerFingerprint":"(?:[0-9A-F]{2}:){31}[0-9A-F]{2}"/);
  });

  test(`RFC 5764, RFC 8445: a phone with ${protection} calls a WebRTC peer, and both hear each other`, async () => {
    const { web, desk, voice, peer } = await phones(protection);
    let taken: Promise<Leg> | undefined;
    web.onInvite = (incoming) => {
      assert.match(incoming.sdp, /^m=audio \d+ UDP\/TLS\/RTP\/SAVPF /m);
      assert.doesNotMatch(incoming.sdp, /a=crypto/);
      taken = peer.answer(incoming.sdp).then((sdp) => incoming.accept(sdp));
    };
    const { answer, leg } = await desk.call('web', voice.describe());
    assert.equal(answer.status, 200, answer.text);
    assert.equal(voice.take(leg!.remoteSdp), undefined);
    await talked(peer, voice);
    assert.equal((await leg!.hangUp()).status, 200);
    await within('the called side', (await taken!).over);
    assert.match(await lastRecord(), /"keyExchange":"dtls"/);
  });
}

test('RFC 7879: two WebRTC peers call each other, each with an association of its own', async () => {
  const web = await bed.registered('web', 'wss');
  const other = await bed.registered('other', 'wss');
  const [one, two] = [newPeer(), newPeer()];
  other.onInvite = (incoming) => void two.answer(incoming.sdp).then((sdp) => incoming.accept(sdp));
  const { answer, leg } = await web.call('other', await one.offer());
  assert.equal(answer.status, 200, answer.text);
  await one.take(leg!.remoteSdp);
  await until('keys on both sides', () => one.secured && two.secured);
  for (let i = 0; i < 20 && (one.heard.length === 0 || two.heard.length === 0); i += 1)
    await Promise.all([one.say(5), two.say(5)]);
  assert.ok(one.heard.length > 0 && two.heard.length > 0);
  await leg!.hangUp();
});

test('RFC 5763 §6.7.1: a WebRTC peer whose certificate is not the one that SDP named hears nothing, and its call ends', async () => {
  const { web, desk, voice, peer } = await phones('AES_CM_128_HMAC_SHA1_80');
  desk.onInvite = (incoming) => {
    voice.take(incoming.sdp);
    incoming.accept(voice.describe());
  };
  const from = bed.edge.events.length;
  const offer = await peer.offer();
  // Somebody in the middle of signalling has put in a certificate of his own.
  const forged = offer.replace(/(a=fingerprint:sha-256 )(..):(..)/g, '$1$3:$2');
  assert.notEqual(forged, offer);
  const { answer, leg } = await web.call('desk', forged);
  assert.equal(answer.status, 200, answer.text);
  await peer.take(leg!.remoteSdp);
  const sending = voice.say(40);
  const told = await bed.edge.event('media.unsecured', () => true, from);
  assert.deepEqual([told.by, told.reason, told.leg], ['dtls', 'fingerprint', 0]);
  await within('BYE', leg!.over);
  await sending;
  assert.equal(peer.heard.length, 0);
  assert.equal(voice.heard.length, 0);
  const ended = await bed.edge.event('call.ended', () => true, from);
  assert.equal(ended.cause, 'media');
});

/** Somebody on another address who sends ClientHellos to a port of the edge's media, and counts what comes back. */
async function intruder(): Promise<{ hello(port: number): void; readonly got: number; close(): void }> {
  const socket = createSocket('udp4');
  let got = 0;
  let sequence = 0;
  socket.on('message', () => {
    got += 1;
  });
  await new Promise<void>((done) => {
    socket.bind(0, '127.0.0.66', done);
  });
  return {
    hello: (port) => {
      for (let i = 0; i < 20; i += 1) {
        sequence += 1;
        socket.send(clientHello(sequence), port, '127.0.0.1');
      }
    },
    get got() {
      return got;
    },
    close: () => socket.close(),
  };
}

const portIn = (sdp: string): number => Number(/^m=audio (\d+)/m.exec(sdp)?.[1]);

test('M4, CVE-2023-49786, CVE-2023-51443, CVE-2023-51275: who sends a ClientHello first from an address that ICE has not validated gets nothing and spoils nothing', async () => {
  const { web, desk, voice, peer } = await phones('AES_CM_128_HMAC_SHA1_80');
  const other = await intruder();
  web.onInvite = (incoming) => {
    // We are the server of this handshake: the race is who comes first.
    assert.match(incoming.sdp, /^a=setup:actpass/m);
    other.hello(portIn(incoming.sdp));
    void peer.answer(incoming.sdp).then((sdp) => {
      assert.match(sdp, /^a=setup:active/m);
      other.hello(portIn(incoming.sdp));
      incoming.accept(sdp);
    });
  };
  const { answer, leg } = await desk.call('web', voice.describe());
  assert.equal(answer.status, 200, answer.text);
  voice.take(leg!.remoteSdp);
  await talked(peer, voice);
  assert.equal(other.got, 0);
  other.close();
  await leg!.hangUp();
});

test('RFC 5763 §6.2: without ICE nobody but the address that SDP named is spoken to, and nothing passes before the handshake', async () => {
  const { web, desk, voice } = await phones('AES_CM_128_HMAC_SHA1_80');
  const other = await intruder();
  const silent = await bed.voice('RTP');
  desk.onInvite = (incoming) => {
    voice.take(incoming.sdp);
    incoming.accept(voice.describe());
  };
  const fingerprint = Array.from({ length: 32 }, () => 'AB').join(':');
  // It wants to begin, and does not: the edge waits for it, and others begin in its place.
  const offer = silent
    .describe()
    .replace('RTP/AVP', 'UDP/TLS/RTP/SAVP')
    .concat(`a=setup:active\r\na=fingerprint:sha-256 ${fingerprint}\r\na=rtcp-mux\r\n`);
  const { answer, leg } = await web.call('desk', offer);
  assert.equal(answer.status, 200, answer.text);
  assert.match(leg!.remoteSdp, /^a=setup:passive/m);
  other.hello(portIn(leg!.remoteSdp));
  await voice.say(20);
  silent.remote = { address: '127.0.0.1', port: portIn(leg!.remoteSdp) };
  await silent.say(20);
  await pause(300);
  assert.equal(other.got, 0);
  assert.equal(voice.heard.length, 0);
  assert.equal(silent.datagrams.length, 0);
  // The same octets from where they may come from are answered: what the other one sent was no nonsense.
  silent.send(clientHello());
  await until('HelloVerifyRequest', () => silent.datagrams.some(({ bytes }) => bytes[13] === 3));
  other.close();
  await leg!.hangUp();
});
