import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';
import type { Agent, Leg } from './harness/agent.ts';
import { Bed } from './harness/bed.ts';
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
