import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeResponse } from '@ringfence/sip/message/build.ts';
import type { SipRequest } from '@ringfence/sip/message/types.ts';
import type { ServerTransaction } from '@ringfence/sip/transaction/transaction.ts';
import { aliceAndBob, leftovers } from '../testing/cast.ts';
import { readSdp } from '../testing/description.ts';
import type { FakeEndpoint } from '../testing/fakes.ts';
import { user } from '../testing/objects.ts';
import type { PhoneOptions } from '../testing/phone.ts';
import type { PhoneCall } from '../testing/phone-call.ts';
import { World } from '../testing/world.ts';

const plain = { transport: 'udp', media: 'rtp' } as const;
type Demand = Parameters<typeof user>[1];

async function connected(
  a: Partial<PhoneOptions>,
  b: Partial<PhoneOptions>,
  demands: { alice?: Demand; bob?: Demand } = {},
): Promise<{ world: World; call: PhoneCall; taken: PhoneCall }> {
  const world = new World({ objects: { users: [user('alice', demands.alice), user('bob', demands.bob)] } });
  const { alice, bob } = await aliceAndBob(world, a, b);
  bob.onInvite = (call) => call.answer();
  const call = alice.call('bob');
  await world.until(() => call.state === 'up' && bob.calls.at(-1)?.confirmed === true);
  return { world, call, taken: bob.calls.at(-1)! };
}

async function over(world: World, call: PhoneCall): Promise<void> {
  call.hangUp();
  await world.run(100_000);
  assert.deepEqual(leftovers(world), []);
}

async function reinvite(world: World, one: PhoneCall, sdp: string): Promise<number> {
  const count = one.reinviteStatus.length;
  one.reinvite(sdp);
  await world.until(() => one.reinviteStatus.length > count);
  await world.run(500);
  return one.reinviteStatus.at(-1)!;
}

const legs = (world: World): FakeEndpoint[] => [...world.relay.endpoints.values()];
const at = (world: World, address: string): FakeEndpoint =>
  legs(world).find(({ config }) => config?.remote?.address === address)!;

test('plain RTP becomes SRTP by re-INVITE, with ports and keys of its own, and the other leg stays as it is (RFC 3264 §8.3.1)', async () => {
  const { world, call, taken } = await connected(plain, plain);
  const before = at(world, '203.0.113.1');
  assert.equal(before.config!.media, 'rtp');
  const secure = call.describe(true);
  assert.equal(await reinvite(world, call, secure.text), 200);
  const after = at(world, '203.0.113.1');
  assert.notEqual(after.opened.id, before.opened.id);
  assert.equal(after.config!.media, 'srtp');
  assert.deepEqual(after.config!.receive!.material, secure.keys[0]!.keys[0].material);
  assert.equal(after.linked, at(world, '203.0.113.2').opened.id);
  assert.equal(legs(world).length, 2);
  const answer = Buffer.from(call.lastReinvite!.body).toString();
  assert.equal(readSdp(Buffer.from(answer)).media[0]!.protocol, 'RTP/SAVP');
  assert.equal(readSdp(Buffer.from(answer)).media[0]!.port, after.opened.rtpPort);
  assert.equal(readSdp(Buffer.from(taken.theirs)).media[0]!.protocol, 'RTP/AVP');
  await over(world, call);
});

test('never back to plain RTP, not even where no encryption is asked for (CVE-2022-39269)', async () => {
  for (const [encryption, listener] of [
    ['none', 'open'],
    ['preferred', 'inside'],
  ] as const) {
    const { world, call } = await connected({ ...plain, listener }, plain, { alice: { encryption } });
    assert.equal(await reinvite(world, call, call.describe(true).text), 200);
    assert.equal(await reinvite(world, call, call.describe(false).text), 488);
    assert.equal(at(world, '203.0.113.1').config!.media, 'srtp');
    assert.equal(legs(world).length, 2);
    await over(world, call);
  }
});

test('a change that the other side refuses costs nothing: ports for it are given back', async () => {
  const { world, call, taken } = await connected(plain, plain);
  taken.onReinvite = (one, transaction, request) =>
    one.phone.respond(transaction, makeResponse(request, 488));
  const before = legs(world).map(({ opened }) => opened.id);
  assert.equal(await reinvite(world, call, call.describe(true).text), 488);
  assert.deepEqual(
    legs(world).map(({ opened }) => opened.id),
    before,
  );
  await over(world, call);
});

const fax = (address: string, port: number, version: number): string =>
  [
    'v=0',
    `o=phone 4711 ${version} IN IP4 ${address}`,
    's=call',
    `c=IN IP4 ${address}`,
    't=0 0',
    `m=image ${port} udptl t38`,
    'a=T38FaxVersion:0',
    'a=T38MaxBitRate:14400',
    'a=T38FaxRateManagement:transferredTCF',
    'a=T38FaxUdpEC:t38UDPRedundancy',
    'a=X-vendor:secret',
    '',
  ].join('\r\n');

function takeFax(one: PhoneCall, transaction: ServerTransaction, request: SipRequest): void {
  const offered = readSdp(request.body).media[0]!;
  if (offered.media !== 'image') return one.acceptReinvite(transaction, request);
  one.theirs = Buffer.from(request.body).toString();
  const headers = [
    ['Contact', one.phone.contact],
    ['Content-Type', 'application/sdp'],
  ] as const;
  const body = Buffer.from(fax(one.phone.options.address, 41_002, 7));
  one.phone.respond(transaction, makeResponse(request, 200, undefined, { headers, body }));
}

test('T.38: audio becomes image over UDPTL by re-INVITE, from either side, and audio again (RFC 6913, T.38 annex D)', async () => {
  const { world, call, taken } = await connected(plain, plain);
  call.onReinvite = takeFax;
  taken.onReinvite = takeFax;
  for (const [one, other] of [
    [call, taken],
    [taken, call],
  ] as const) {
    assert.equal(await reinvite(world, one, fax(one.phone.options.address, 41_000, 5)), 200);
    const offered = readSdp(Buffer.from(other.theirs)).media[0]!;
    assert.equal(offered.media, 'image');
    assert.equal(offered.protocol, 'udptl');
    assert.match(other.theirs, /a=T38MaxBitRate:14400/);
    assert.doesNotMatch(other.theirs, /vendor/);
    const [a, b] = legs(world);
    assert.equal(legs(world).length, 2);
    assert.equal(a!.spec.ports, 'single');
    assert.equal(a!.config!.media, 'opaque');
    assert.equal(b!.config!.media, 'opaque');
    assert.equal(a!.linked, b!.opened.id);
    assert.equal(await reinvite(world, one, one.again('sendrecv')), 200);
    assert.equal(readSdp(Buffer.from(other.theirs)).media[0]!.media, 'audio');
    for (const { config } of legs(world)) assert.equal(config!.media, 'rtp');
    assert.equal(legs(world).length, 2);
  }
  await over(world, call);
});

test('T.38 as a second stream beside audio that is switched off, and back', async () => {
  const { world, call, taken } = await connected(plain, plain);
  taken.onReinvite = (one, transaction, request) => {
    const offered = readSdp(request.body);
    if (offered.media.length < 2 || offered.media[1]!.port === 0) {
      const headers = [
        ['Contact', one.phone.contact],
        ['Content-Type', 'application/sdp'],
      ] as const;
      const text = `${one.again('sendrecv')}m=image 0 udptl t38\r\n`;
      return one.phone.respond(
        transaction,
        makeResponse(request, 200, undefined, { headers, body: Buffer.from(text) }),
      );
    }
    assert.equal(offered.media[0]!.port, 0);
    const headers = [
      ['Contact', one.phone.contact],
      ['Content-Type', 'application/sdp'],
    ] as const;
    const text = `${one.again('sendrecv').replace(/m=audio \d+/, 'm=audio 0')}m=image 41002 udptl t38\r\n`;
    one.phone.respond(
      transaction,
      makeResponse(request, 200, undefined, { headers, body: Buffer.from(text) }),
    );
  };
  const off = call.again('sendrecv').replace(/m=audio \d+/, 'm=audio 0');
  assert.equal(await reinvite(world, call, `${off}m=image 41000 udptl t38\r\n`), 200);
  const image = legs(world).filter(({ config }) => config?.media === 'opaque');
  assert.equal(image.length, 2);
  assert.equal(image[0]!.linked, image[1]!.opened.id);
  assert.equal(legs(world)[0]!.linked, undefined);
  assert.equal(await reinvite(world, call, `${call.again('sendrecv')}m=image 0 udptl t38\r\n`), 200);
  const audio = legs(world).filter(({ config }) => config?.media === 'rtp');
  assert.equal(audio[0]!.linked, audio[1]!.opened.id);
  await over(world, call);
});

test('fax without encryption is refused where the call, or the other side, is encrypted: it goes on as audio (M6)', async () => {
  const { world, call, taken } = await connected({}, plain);
  for (const one of [call, taken]) {
    assert.equal(await reinvite(world, one, fax(one.phone.options.address, 41_000, 5)), 488);
    assert.match(one.lastReinvite!.headers.get('Warning')!, /encrypted/);
  }
  assert.equal(call.reinvites.length + taken.reinvites.length, 0);
  assert.equal(legs(world).length, 2);
  await over(world, call);
});
