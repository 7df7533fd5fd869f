import assert from 'node:assert/strict';
import { test } from 'node:test';
import { dtlsAttributes } from '@ringfence/sdp/dtls.ts';
import { iceAttributes } from '@ringfence/sdp/ice.ts';
import { aliceAndBob, leftovers } from '../testing/cast.ts';
import { type MediaHabit, offerHandshakes, readSdp } from '../testing/description.ts';
import type { FakeEndpoint } from '../testing/fakes.ts';
import { certificateOf } from '../testing/handshake-lines.ts';
import { user } from '../testing/objects.ts';
import type { Phone } from '../testing/phone.ts';
import type { PhoneCall } from '../testing/phone-call.ts';
import { World } from '../testing/world.ts';

type Kind = Exclude<MediaHabit, 'either'>;

/** How the device of a phone with that habit is configured. */
const settings: Readonly<Record<Kind, Parameters<typeof user>[1]>> = {
  srtp: { encryption: 'required' },
  rtp: { encryption: 'none' },
  dtls: { encryption: 'required', keying: 'dtls' },
  web: { encryption: 'required', keying: 'dtls', ice: 'lite' },
  ice: { encryption: 'none', ice: 'lite' },
};

interface Talk {
  readonly world: World;
  readonly alice: Phone;
  readonly bob: Phone;
  readonly call: PhoneCall;
  readonly taken: PhoneCall;
}

async function talking(
  from: Kind,
  to: Kind,
  prepare: (phones: { alice: Phone; bob: Phone }) => void = () => {},
  more: { alice?: Parameters<typeof user>[1]; bob?: Parameters<typeof user>[1] } = {},
): Promise<Talk> {
  const world = new World({
    objects: {
      users: [
        user('alice', { ...settings[from], ...more.alice }),
        user('bob', { ...settings[to], ...more.bob }),
      ],
    },
  });
  const { alice, bob } = await aliceAndBob(world, { media: from }, { media: to });
  prepare({ alice, bob });
  bob.onInvite = (call) => call.answer();
  const call = alice.call('bob');
  await world.until(
    () => call.state === 'over' || (call.state === 'up' && bob.calls.at(-1)?.confirmed === true),
  );
  await world.run(100);
  return { world, alice, bob, call, taken: bob.calls.at(-1)! };
}

/** What that phone offers, to be changed before it does. */
const offerOf = ({ media, options: { address }, handshakes }: Phone): string =>
  offerHandshakes(media, { address, port: 40_000, handshakes }).text;

/** The endpoint whose port that phone was told. */
function endpointOf(world: World, call: PhoneCall): FakeEndpoint {
  const port = readSdp(Buffer.from(call.theirs)).media[0]!.port;
  const found = [...world.relay.endpoints.values()].find(({ opened }) => opened.rtpPort === port);
  assert.ok(found, call.theirs);
  return found;
}

const said = (call: PhoneCall) => {
  const session = readSdp(Buffer.from(call.theirs));
  const media = session.media[0]!;
  return { session, media, dtls: dtlsAttributes(session, media), ice: iceAttributes(session, media) };
};

async function over({ world, call }: Pick<Talk, 'world' | 'call'>): Promise<void> {
  if (call.state === 'up') call.hangUp();
  await world.run(100_000);
  assert.deepEqual(leftovers(world), []);
}

const profiles: Readonly<Record<Kind, string>> = {
  srtp: 'RTP/SAVP',
  rtp: 'RTP/AVP',
  dtls: 'UDP/TLS/RTP/SAVP',
  web: 'UDP/TLS/RTP/SAVP',
  ice: 'RTP/AVP',
};

for (const from of Object.keys(settings) as Kind[])
  for (const to of Object.keys(settings) as Kind[])
    test(`RFC 7879: a call from a phone with ${from} to one with ${to}: two legs, two associations`, async () => {
      const talk = await talking(from, to);
      const { world, call, taken } = talk;
      assert.equal(call.state, 'up', `${call.status}`);
      const [near, far] = [endpointOf(world, call), endpointOf(world, taken)];
      assert.equal(near.linked, far.opened.id);
      for (const [kind, endpoint, phone, one] of [
        [from, near, talk.alice, call],
        [to, far, talk.bob, taken],
      ] as const) {
        const { media, dtls, ice } = said(one);
        const isDtls = kind === 'dtls' || kind === 'web';
        if (one === taken)
          assert.equal(media.protocol, profiles[kind] + (from === 'web' && isDtls ? 'F' : ''));
        assert.equal(endpoint.config?.media, kind === 'rtp' || kind === 'ice' ? 'rtp' : 'srtp');
        assert.equal(endpoint.config?.dtls !== undefined, isDtls);
        assert.equal(endpoint.config?.receive !== undefined, kind === 'srtp');
        assert.equal(endpoint.config?.ice !== undefined, kind === 'web' || kind === 'ice');
        assert.equal(/^a=crypto:/m.test(one.theirs), kind === 'srtp');
        if (isDtls) {
          assert.deepEqual(dtls?.fingerprints[0]?.value, world.relay.certificate);
          assert.deepEqual(
            endpoint.config?.dtls?.fingerprints.map(({ value }) => value),
            [certificateOf(phone.handshakes)],
          );
          assert.ok(dtls?.tlsId !== undefined && dtls.tlsId.length >= 20);
          // Exactly one of the two begins.
          const theirs = /^a=setup:(\w+)/m.exec(one.mine!.text)![1]!;
          const begins = dtls.setup === 'actpass' ? theirs === 'passive' : dtls.setup === 'active';
          assert.equal(endpoint.config?.dtls?.role, begins ? 'client' : 'server');
        } else assert.equal(dtls, undefined);
        if (kind === 'web' || kind === 'ice') {
          assert.equal(endpoint.config?.ice?.ufrag, phone.handshakes.ufrag);
          assert.equal(endpoint.config?.ice?.controlling, false);
          assert.equal(ice?.lite, true);
          assert.equal(ice?.candidates[0]?.port, endpoint.opened.rtpPort);
          assert.equal(ice?.ended, true);
          assert.match(one.theirs, /^a=group:BUNDLE (voice|0)\r$/m);
        } else assert.equal(ice, undefined);
      }
      // Nothing of one leg's handshakes shows on the other.
      assert.ok(!taken.theirs.includes(talk.alice.handshakes.ufrag) && !taken.theirs.includes('10.9.8.7'));
      if (near.opened.ice !== undefined) assert.ok(!taken.theirs.includes(near.opened.ice.password));
      await over(talk);
    });

test('RFC 5763 §5, RFC 8842 §5.3: a re-offer keeps the roles, and with them the association', async () => {
  for (const setup of ['active', 'passive'] as const) {
    const talk = await talking('dtls', 'dtls', ({ bob }) => {
      bob.handshakes.setup = setup;
    });
    const { world, call, taken } = talk;
    const before = [endpointOf(world, call), endpointOf(world, taken)].map(({ config }) => config?.dtls);
    const ids = [said(call).dtls?.tlsId, said(taken).dtls?.tlsId];
    call.reinvite(call.again('sendonly'));
    await world.until(() => call.reinviteStatus.length === 1);
    assert.deepEqual(call.reinviteStatus, [200]);
    await world.run(1000);
    const after = [endpointOf(world, call), endpointOf(world, taken)].map(({ config }) => config?.dtls);
    assert.deepEqual(after, before);
    assert.equal(said(taken).dtls?.tlsId, ids[1]);
    assert.equal(said(taken).dtls?.setup, 'actpass');
    await over(talk);
  }
});

for (const [what, certificate] of [
  ['another certificate', 99],
  ['the same certificate', undefined],
] as const)
  test(`RFC 8842 §5.3: another tls-id with ${what} begins another association, on ports of its own`, async () => {
    const talk = await talking('dtls', 'dtls');
    const { world, alice, call } = talk;
    const before = endpointOf(world, call).opened;
    const id = said(call).dtls?.tlsId;
    alice.handshakes.tlsId = 'another-association-of-hers';
    if (certificate !== undefined) alice.handshakes.certificate = certificate;
    call.reinvite(call.describe(true).text);
    await world.until(() => call.reinviteStatus.length === 1);
    assert.deepEqual(call.reinviteStatus, [200]);
    call.theirs = Buffer.from(call.lastReinvite!.body).toString('utf8');
    const after = endpointOf(world, call);
    assert.notEqual(after.opened.rtpPort, before.rtpPort);
    assert.ok(!world.relay.endpoints.has(before.id));
    assert.notEqual(said(call).dtls?.tlsId, id);
    assert.deepEqual(after.config?.dtls?.fingerprints[0]?.value, certificateOf(alice.handshakes));
    await over(talk);
  });

test('RFC 8122 §6.2: another fingerprint without tls-id is a new association on the same port', async () => {
  const talk = await talking('dtls', 'srtp', ({ alice }) => {
    alice.handshakes.tlsId = undefined;
  });
  const { world, alice, call } = talk;
  assert.equal(said(call).dtls?.tlsId, undefined);
  const before = endpointOf(world, call).opened;
  alice.handshakes.certificate = 99;
  call.reinvite(call.describe(true).text);
  await world.until(() => call.reinviteStatus.length === 1);
  const after = endpointOf(world, call);
  assert.equal(after.opened.id, before.id);
  assert.deepEqual(after.config?.dtls?.fingerprints[0]?.value, certificateOf(alice.handshakes));
  await over(talk);
});

test('RFC 8445 §9: a restart by the peer reaches the media process; a lite peer is checked by us', async () => {
  const talk = await talking('web', 'srtp', ({ alice }) => {
    alice.handshakes.lite = true;
  });
  const { world, alice, call } = talk;
  const endpoint = endpointOf(world, call);
  assert.equal(endpoint.spec.ice, 'full');
  assert.equal(endpoint.config?.ice?.lite, true);
  assert.equal(endpoint.config?.ice?.controlling, true);
  assert.equal(said(call).ice?.lite, false);
  alice.handshakes.ufrag = 'restarted';
  call.reinvite(call.describe(true).text);
  await world.until(() => call.reinviteStatus.length === 1);
  assert.equal(endpointOf(world, call).config?.ice?.ufrag, 'restarted');
  await over(talk);
});

test('RFC 8445 §9, RFC 8839 §4.4.1.1.1: a restart by the peer is answered with new credentials, and DTLS lives on', async () => {
  const talk = await talking('web', 'srtp');
  const { world, alice, call, taken } = talk;
  const { opened } = endpointOf(world, call);
  const first = said(call);
  const offered = taken.theirs;
  const names = [first.ice?.ufrag];
  assert.equal(endpointOf(world, call).config?.ice?.ours, undefined);
  // The second of them offers what it has said before: that is no restart.
  for (const [ufrag, another] of [
    ['restarted', true],
    ['restarted', false],
    ['restarted2', true],
  ] as const) {
    alice.handshakes.ufrag = ufrag;
    const before = said(call);
    call.reinvite(call.describe(true).text);
    await world.until(() => call.reinviteStatus.length === 1);
    assert.deepEqual(call.reinviteStatus.splice(0), [200]);
    call.theirs = Buffer.from(call.lastReinvite!.body).toString('utf8');
    await world.run(1000);
    const { config, opened: same } = endpointOf(world, call);
    const { ice, dtls } = said(call);
    assert.equal(same.id, opened.id);
    assert.equal(config?.ice?.ufrag, ufrag);
    assert.deepEqual(config?.ice?.ours, { ufrag: ice?.ufrag, password: ice?.password });
    assert.equal(ice?.ufrag !== before.ice?.ufrag, another);
    assert.equal(ice?.password !== before.ice?.password, another);
    assert.match(ice?.ufrag ?? '', /^[A-Za-z0-9+/]{8}$/);
    assert.match(ice?.password ?? '', /^[A-Za-z0-9+/]{24}$/);
    assert.equal(dtls?.tlsId, first.dtls?.tlsId);
    if (another) names.push(ice?.ufrag);
  }
  assert.equal(new Set(names).size, 3);
  assert.ok(!names.some((name) => taken.theirs.includes(name!)) && offered !== '');
  await over(talk);
});

test('RFC 8839 §4.4.1.1.1: a restart that the other side refuses leaves our credentials as they are', async () => {
  const talk = await talking('web', 'srtp');
  const { world, alice, call } = talk;
  const before = endpointOf(world, call).config;
  alice.handshakes.ufrag = 'restarted';
  const worse = call.describe(true).text.replace(/^a=fingerprint.*\r\n/gm, '');
  call.reinvite(worse);
  await world.until(() => call.reinviteStatus.length === 1);
  assert.deepEqual(call.reinviteStatus, [488]);
  assert.deepEqual(endpointOf(world, call).config, before);
  await over(talk);
});

test('CVE-2022-39269: DTLS is not given up for SDES or plain RTP by a new offer', async () => {
  const talk = await talking('dtls', 'srtp');
  const { world, call } = talk;
  const plain = call
    .mine!.text.replace('UDP/TLS/RTP/SAVP', 'RTP/AVP')
    .replace(/^a=(fingerprint|setup|tls-id).*\r\n/gm, '');
  const sdes = plain
    .replace('RTP/AVP', 'RTP/SAVP')
    .replace(
      /^a=sendrecv/m,
      'a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz\r\na=sendrecv',
    );
  for (const sdp of [plain, sdes]) {
    call.reinvite(sdp.replace(/^(o=\S+ \S+) \d+/m, '$1 99'));
    await world.until(() => call.reinviteStatus.length > 0);
    assert.deepEqual(call.reinviteStatus.splice(0), [488]);
  }
  await over(talk);
});

test('RFC 8643 §3.1: DTLS under RTP/AVP is taken where policy wants encryption', async () => {
  const world = new World({
    objects: { users: [user('alice', { encryption: 'preferred' }), user('bob', { encryption: 'none' })] },
  });
  const { alice, bob } = await aliceAndBob(world, { media: 'dtls' }, { media: 'rtp' });
  bob.onInvite = (call) => call.answer();
  const offer = offerOf(alice).replace('UDP/TLS/RTP/SAVP', 'RTP/AVP');
  const again = alice.call('bob', { sdp: offer });
  await world.until(() => again.state === 'up');
  assert.equal(said(again).media.protocol, 'RTP/AVP');
  assert.notEqual(said(again).dtls, undefined);
  assert.equal(endpointOf(world, again).config?.media, 'srtp');
  again.hangUp();
  await world.run(100_000);
  assert.deepEqual(leftovers(world), []);
});

test('`keying: any` offers DTLS, then SDES, and plain RTP where that is allowed', async () => {
  for (const [encryption, media, protocols] of [
    ['required', 'srtp', ['UDP/TLS/RTP/SAVP', 'RTP/SAVP']],
    ['preferred', 'rtp', ['UDP/TLS/RTP/SAVP', 'RTP/SAVP', 'RTP/AVP']],
    ['required', 'rtp', ['UDP/TLS/RTP/SAVP', 'RTP/SAVP']],
  ] as const) {
    const world = new World({
      objects: { users: [user('alice'), user('bob', { encryption, keying: 'any' })] },
    });
    const { alice, bob } = await aliceAndBob(world, {}, { media });
    bob.onInvite = (call) => call.answer();
    const call = alice.call('bob');
    await world.until(() => call.state === 'up' || call.state === 'over');
    assert.deepEqual(
      bob.calls.map(({ theirs }) => readSdp(Buffer.from(theirs)).media[0]!.protocol),
      protocols,
    );
    assert.equal(call.state, encryption === 'required' && media === 'rtp' ? 'over' : 'up');
    await over({ world, call });
  }
});

test('of an offer with DTLS and SDES the stronger is taken, or what `keying` says', async () => {
  for (const [keying, dtls] of [
    [undefined, true],
    ['dtls', true],
    ['sdes', false],
  ] as const) {
    const world = new World({
      objects: {
        users: [
          user('alice', { encryption: 'required', ...(keying === undefined ? {} : { keying }) }),
          user('bob'),
        ],
      },
    });
    const { alice, bob } = await aliceAndBob(world, { media: 'dtls' });
    bob.onInvite = (call) => call.answer();
    const both = offerOf(alice)
      .replace('UDP/TLS/RTP/SAVP', 'RTP/SAVP')
      .replace(
        /^a=sendrecv/m,
        'a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz\r\na=sendrecv',
      );
    const call = alice.call('bob', { sdp: both });
    await world.until(() => call.state === 'up');
    assert.equal(endpointOf(world, call).config?.dtls !== undefined, dtls);
    assert.equal(/^a=crypto/m.test(call.theirs), !dtls);
    await over({ world, call });
  }
});

test('RFC 9143 §7.3.1: of streams that would share a transport the voice is taken, the rest refused with port 0', async () => {
  const world = new World({ objects: { users: [user('alice', settings.web), user('bob', settings.rtp)] } });
  const { alice, bob } = await aliceAndBob(world, { media: 'web' }, { media: 'rtp' });
  bob.onInvite = (call) => {
    const session = readSdp(call.request!.body);
    assert.deepEqual(
      session.media.map(({ port }) => port > 0),
      [true, false],
    );
    const { text } = call.describe(false);
    call.answer(`${text}m=video 0 RTP/AVP 96\r\n`);
  };
  const offer = offerOf(alice).replace('BUNDLE voice', 'BUNDLE voice film');
  const video = [
    'm=video 40000 UDP/TLS/RTP/SAVPF 96',
    'a=rtpmap:96 VP8/90000',
    'a=mid:film',
    'a=rtcp-mux',
    '',
  ];
  const call = alice.call('bob', { sdp: offer + video.join('\r\n') });
  await world.until(() => call.state !== 'calling');
  const { session } = said(call);
  assert.equal(session.media[1]?.port, 0);
  assert.match(call.theirs, /^a=group:BUNDLE voice\r$/m);
  await over({ world, call });
});

test('RFC 8445: `ice: off` answers without ICE what is offered with it', async () => {
  const talk = await talking('web', 'srtp', undefined, { alice: { ice: 'off' } });
  assert.equal(said(talk.call).ice, undefined);
  assert.equal(endpointOf(talk.world, talk.call).config?.ice, undefined);
  await over(talk);
});

test('RFC 5763 §5: who offers without ICE begins the handshake: before our answer it would take nothing of ours', async () => {
  const world = new World({ objects: { users: [user('alice', settings.dtls), user('bob')] } });
  const { alice, bob } = await aliceAndBob(world, { media: 'dtls' });
  bob.onInvite = (call) => call.answer();
  const call = alice.call('bob', { sdp: offerOf(alice) });
  await world.until(() => call.state === 'up');
  assert.equal(said(call).dtls?.setup, 'passive');
  await over({ world, call });
});

test('an offer whose certificates nothing binds is refused with 488 and a Warning', async () => {
  const world = new World({ objects: { users: [user('alice', settings.dtls), user('bob')] } });
  const { alice } = await aliceAndBob(world, { media: 'dtls' });
  const weak = offerOf(alice).replace(
    /^a=fingerprint.*$/m,
    'a=fingerprint:sha-1 4A:AD:B9:B1:3F:82:18:3B:54:02:12:DF:3E:5D:49:6B:19:E5:7C:AB',
  );
  const call = alice.call('bob', { sdp: weak });
  await world.until(() => call.state === 'over');
  assert.equal(call.status, 488);
  assert.match(call.final!.headers.get('Warning') ?? '', /DTLS/);
  await over({ world, call });
});

test('with rtpengine an offer of DTLS alone is refused with 488 and a Warning that says why; ICE is answered without', async () => {
  const world = new World({
    objects: { users: [user('alice', settings.web), user('bob'), user('carol', settings.ice)] },
    config: (config) => ({ ...config, media: { ...config.media, engine: 'rtpengine' } }),
  });
  const { alice, bob } = await aliceAndBob(world, { media: 'web' });
  bob.onInvite = (call) => call.answer();
  const call = alice.call('bob');
  await world.until(() => call.state === 'over');
  assert.equal(call.status, 488);
  assert.match(call.final!.headers.get('Warning') ?? '', /has no DTLS-SRTP/);
  assert.ok(world.relay.all.every(({ spec }) => spec.dtls === undefined && spec.ice === undefined));
  await over({ world, call });
});

test('RFC 8840 §4.4: candidates that come later, in INFO, reach the media process; those of another session do not', async () => {
  const talk = await talking('web', 'srtp');
  const { world, alice, call, taken } = talk;
  assert.equal(call.final?.headers.get('Recv-Info'), 'trickle-ice');
  assert.equal(taken.request?.headers.get('Recv-Info'), undefined);
  const trickle = (ufrag: string, type = 'application/trickle-ice-sdpfrag') =>
    call.inside(
      'INFO',
      [
        ['Info-Package', 'trickle-ice'],
        ['Content-Type', type],
      ],
      `a=ice-ufrag:${ufrag}\r\nm=audio 9 RTP/AVP 0\r\na=mid:voice\r\na=candidate:1 1 UDP 7 192.0.2.9 4000 typ host\r\n`,
    );
  assert.equal(await trickle('somebody'), 200);
  assert.equal(world.relay.trickled.length, 0);
  assert.equal(await trickle(alice.handshakes.ufrag), 200);
  assert.deepEqual(
    world.relay.trickled.map(({ id, candidates }) => [id, candidates[0]?.address]),
    [[endpointOf(world, call).opened.id, '192.0.2.9']],
  );
  assert.equal(await trickle(alice.handshakes.ufrag, 'text/plain'), 415);
  await over(talk);
});

const at = (world: World, call: PhoneCall) => ({
  endpoint: endpointOf(world, call).opened.id,
  call: [...world.edge.calls.values()][0]!,
});

test('RFC 5763 §6.7.1: a certificate that SDP did not name ends the call, with the reason, an event and its evidence', async () => {
  const talk = await talking('dtls', 'srtp');
  const { world, call, taken } = talk;
  const { endpoint, call: own } = at(world, call);
  const detail = 'the certificate is not the one that signalling named';
  world.edge.run(() =>
    own.handshake(0, { kind: 'unsecured', endpoint, by: 'dtls', reason: 'fingerprint', detail }),
  );
  await world.until(() => call.state === 'over' && taken.state === 'over');
  assert.match(
    world.sentTo('203.0.113.2').find((text) => text.startsWith('BYE')) ?? '',
    /^Reason: SIP;cause=488;text="The certificate of the DTLS handshake is not the one that SDP named"\r$/m,
  );
  const [event] = world.eventsOf('media.unsecured');
  assert.deepEqual([event?.leg, event?.reason, event?.detail], [0, 'fingerprint', detail]);
  await over(talk);
  assert.equal(world.finished[0]!.cause, 'media');
});

test('RFC 5763 §6.7.1: before anybody has answered, the caller whose handshake fails gets 488 with a Warning', async () => {
  const world = new World({ objects: { users: [user('alice', settings.dtls), user('bob')] } });
  const { alice, bob } = await aliceAndBob(world, { media: 'dtls' });
  bob.onInvite = (call) => call.early();
  const call = alice.call('bob');
  await world.until(() => call.theirs !== '');
  const { endpoint, call: own } = at(world, call);
  world.edge.run(() =>
    own.handshake(0, { kind: 'unsecured', endpoint, by: 'dtls', reason: 'alert', detail: '' }),
  );
  await world.until(() => call.state === 'over');
  assert.equal(call.status, 488);
  assert.match(call.final!.headers.get('Warning') ?? '', /has broken off the DTLS handshake/);
  await over({ world, call });
});

test('however long it rings: a caller of whom nothing has come yet is no failure, told early where we are or not', async () => {
  for (const early of [false, true]) {
    const world = new World({ objects: { users: [user('alice', settings.dtls), user('bob')] } });
    const { alice, bob } = await aliceAndBob(world, { media: 'dtls' });
    bob.onInvite = (call) => (early ? call.early() : call.ring());
    const call = alice.call('bob');
    await world.until(() => call.state === 'ringing');
    const own = [...world.edge.calls.values()][0]!;
    const endpoint = [...world.relay.endpoints.keys()].find((id) => own.legOfEndpoint(id) === 0)!;
    world.edge.run(() => {
      own.handshake(0, { kind: 'ice', endpoint, state: 'failed' });
      own.handshake(0, { kind: 'unsecured', endpoint, by: 'dtls', reason: 'timeout', detail: '' });
    });
    await world.run(60_000);
    assert.equal(call.state, 'ringing');
    bob.calls[0]!.answer();
    await world.until(() => call.state === 'up');
    await over({ world, call });
  }
});

test('RFC 7675 §5.1: consent that ran out ends the call once the peer neither answers nor sends anything', async () => {
  const talk = await talking('web', 'srtp');
  const { world, alice, call } = talk;
  const { endpoint, call: own } = at(world, call);
  const lost = () => world.edge.run(() => own.handshake(0, { kind: 'ice', endpoint, state: 'lost' }));
  lost();
  await world.run(1000);
  assert.equal(call.state, 'up');
  alice.dead = true;
  world.relay.endpoints.get(endpoint)!.idleMs = 60_000;
  lost();
  await world.run(40_000);
  assert.equal(world.finished[0]?.cause, 'timeout');
});

test('RFC 3264 §8.3.1, RFC 8842 §5.3: another media process: new certificate, credentials and association for both sides', async () => {
  const talk = await talking('web', 'dtls');
  const { world, alice, bob, call, taken } = talk;
  const ids = [said(call).dtls?.tlsId, said(taken).dtls?.tlsId];
  world.replaceRelay();
  await world.until(() => world.eventsOf('call.media-recovered').length === 1, 5_000);
  for (const [i, one] of [call, taken].entries()) {
    const { dtls, ice } = said(one);
    const endpoint = endpointOf(world, one);
    assert.deepEqual(dtls?.fingerprints[0]?.value, world.relay.certificate);
    assert.equal(dtls?.setup, 'actpass');
    assert.notEqual(dtls?.tlsId, ids[i]);
    assert.equal(ice?.ufrag, endpoint.opened.ice?.ufrag);
    assert.equal(endpoint.config?.dtls?.role, 'server');
    assert.deepEqual(
      endpoint.config?.dtls?.fingerprints[0]?.value,
      certificateOf((i === 0 ? alice : bob).handshakes),
    );
  }
  await over(talk);
});

test('RFC 5763 §5: of several early answers each has its certificate checked, the last one holds', async () => {
  const world = new World({ objects: { users: [user('alice'), user('bob', settings.dtls)] } });
  const { alice, bob } = await aliceAndBob(world, {}, { media: 'dtls' });
  const call = alice.call('bob');
  bob.onInvite = (taken) => taken.early();
  await world.until(() => call.theirs !== '');
  const taken = bob.calls.at(-1)!;
  const fingerprint = () =>
    [...world.relay.endpoints.values()].find(({ config }) => config?.dtls !== undefined)?.config?.dtls
      ?.fingerprints[0]?.value;
  assert.deepEqual(fingerprint(), certificateOf(bob.handshakes));
  // Another phone behind the same proxy.
  bob.handshakes.certificate = 99;
  taken.localTag = 'another';
  taken.dialog = undefined;
  taken.mine = undefined;
  taken.answer();
  await world.until(() => call.state === 'up');
  assert.deepEqual(fingerprint(), certificateOf(bob.handshakes));
  await over({ world, call });
});
