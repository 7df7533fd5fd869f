import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Secret } from '@ringfence/bytes/secret.ts';
import { DigestServer } from '@ringfence/sip/digest/server.ts';
import { makeResponse } from '@ringfence/sip/message/build.ts';
import type { SipRequest, SipResponse } from '@ringfence/sip/message/types.ts';
import { serializeUri } from '@ringfence/sip/message/uri.ts';
import { ha1Set } from '../testing/objects.ts';
import { Phone } from '../testing/phone.ts';
import { carrierAt, over, trunkCast } from '../testing/trunk-cast.ts';

/** Challenges every request of the edge, as a carrier does. */
function challenge(carrier: Phone, realm: string, proxy = false): { readonly accepted: string[] } {
  const server = new DigestServer({ key: new Uint8Array(16), nonceLifetimeMs: 60_000, maxNonces: 100 });
  const keys = ha1Set('us', realm, 'our-secret');
  const accepted: string[] = [];
  carrier.refuse = (request: SipRequest): SipResponse | undefined => {
    if (request.method === 'ACK' || request.method === 'CANCEL') return undefined;
    const verified = server.verify({
      authorization: request.headers.all(proxy ? 'Proxy-Authorization' : 'Authorization'),
      method: request.method,
      uri: serializeUri(request.uri),
      source: 'edge',
      now: carrier.world.time.now,
      realms: [realm],
      lookup: (username, _, algorithm) => (username === 'us' ? keys.get(algorithm)?.reveal() : undefined),
      body: request.body,
    });
    if (verified.ok) {
      accepted.push(request.method);
      return undefined;
    }
    const challenges = server.challenge({
      realm,
      algorithms: ['SHA-256'],
      source: 'edge',
      now: carrier.world.time.now,
    });
    const name = proxy ? 'Proxy-Authenticate' : 'WWW-Authenticate';
    return makeResponse(request, proxy ? 407 : 401, undefined, {
      toTag: 'challenge',
      headers: challenges.map((value) => [name, value] as const),
    });
  };
  return { accepted };
}

const outbound = { username: 'us', password: Secret.fromText('our-secret'), allowMd5: false };

test('a call out to a trunk: the number in E.164, the caller by number, SRTP inside and RTP outside', async () => {
  const { world, alice, carrier } = await trunkCast();
  carrier.onInvite = (call) => call.answer();
  const call = alice.call('089-4321');
  await world.until(() => call.state === 'up');
  const { request } = carrier.calls[0]!;
  assert.equal(serializeUri(request!.uri), 'sip:+49894321@192.0.2.10:5060');
  assert.equal(serializeUri(request!.from.uri), 'sip:+4930123401@example.test');
  assert.equal(request!.from.display, 'Alice A.');
  assert.match(carrier.calls[0]!.theirs, /RTP\/AVP/);
  assert.doesNotMatch(carrier.calls[0]!.theirs, /crypto/);
  carrier.calls[0]!.hangUp();
  await world.until(() => call.hungUpByPeer);
  await over(world);
  assert.equal(world.finished[0]!.route, 'trunk:carrier');
});

test('a call in from a trunk by its address reaches the user by number and by name', async () => {
  const { world, alice, carrier } = await trunkCast();
  alice.onInvite = (call) => call.answer();
  for (const to of ['+4930123401', '030 1234 01', 'alice']) {
    const call = carrier.call(`sip:${encodeURIComponent(to)}@198.51.100.1`);
    await world.until(() => call.state === 'up');
    call.hangUp();
    await world.run(2000);
  }
  assert.equal(alice.calls.length, 3);
  assert.match(alice.calls[0]!.theirs, /RTP\/SAVP/);
  assert.equal(serializeUri(alice.calls[0]!.request!.from.uri), 'sip:+4989555@example.test');
  await over(world);
  assert.equal(world.finished[0]!.principal, 'trunk:carrier@example.test');
});

test('a stranger is no trunk: challenged, and no call begins', async () => {
  const { world } = await trunkCast();
  const stranger = new Phone(world, { name: '+4989555', address: '192.0.2.11', password: 'guess' });
  const call = stranger.call('alice');
  await world.until(() => call.state === 'over');
  assert.equal(call.status, 401);
  await over(world);
  assert.equal(world.finished.length, 0);
});

test('a trunk by digest may come from anywhere; its address alone proves nothing', async () => {
  const inbound = { username: 'pbx', ha1: ha1Set('pbx', 'example.test', 'pbx-secret') };
  const { world, alice } = await trunkCast({ addresses: [], inbound });
  alice.onInvite = (call) => call.answer();
  const pbx = new Phone(world, { name: '+4989555', device: 'pbx', address: '192.0.2.77' });
  const call = pbx.call('alice');
  await world.until(() => call.state === 'up');
  call.hangUp();
  const wrong = new Phone(world, {
    name: '+4989555',
    device: 'pbx',
    password: 'x',
    address: '192.0.2.77',
    port: 5999,
  });
  const refused = wrong.call('alice');
  await world.until(() => refused.state === 'over');
  assert.equal(refused.status, 401);
  await over(world);
});

test('a trunk by client certificate: the verified name counts, the address does not', async () => {
  const fields = { addresses: [], certificateNames: ['pbx.example.net'] };
  const { world, alice } = await trunkCast(fields);
  alice.onInvite = (call) => call.answer();
  const known = { name: '+4989555', transport: 'tls', address: '192.0.2.20' } as const;
  const pbx = new Phone(world, { ...known, tls: { peerNames: ['pbx.example.net'] } });
  const call = pbx.call('alice');
  await world.until(() => call.state === 'up');
  call.hangUp();
  await world.run(1000);
  const other = new Phone(world, { ...known, port: 5071, tls: { peerNames: ['evil.example.net'] } });
  const refused = other.call('alice');
  await world.until(() => refused.state === 'over');
  assert.equal(refused.status, 401);
  await over(world);
  assert.equal(JSON.parse(world.finished[0]!.decision).reasons[0].evidence.proof, 'certificate');
});

test('a trunk that requires encryption is not itself over UDP, and is called over TLS alone', async () => {
  const tls = { transport: 'tls', port: 5061, media: 'srtp' } as const;
  const fields = { encryption: 'required', target: 'sip:192.0.2.10:5061;transport=tls' } as const;
  const { world, alice, carrier } = await trunkCast(fields, tls);
  const forged = new Phone(world, { name: '1', address: carrierAt, transport: 'udp', password: 'x' });
  const refused = forged.call('alice');
  await world.until(() => refused.state === 'over');
  assert.equal(refused.status, 401);
  carrier.onInvite = (call) => call.answer();
  const call = alice.call('+49894321');
  await world.until(() => call.state === 'up');
  assert.match(carrier.calls[0]!.theirs, /RTP\/SAVP/);
  call.hangUp();
  await over(world);

  const plain = await trunkCast({ encryption: 'required', target: 'sip:192.0.2.10:5060' });
  const never = plain.alice.call('+49894321');
  await plain.world.until(() => never.state === 'over');
  assert.equal(never.status, 500);
  assert.equal(plain.carrier.calls.length, 0);
  await over(plain.world);
});

for (const [status, section, proxy] of [
  [401, 'RFC 3261 §22.2', false],
  [407, 'RFC 3261 §22.3', true],
] as const)
  test(`a trunk's ${status} is answered once, for INVITE, re-INVITE and BYE, and the ACK carries it too (${section})`, async () => {
    const { world, alice, carrier } = await trunkCast({ outbound });
    const { accepted } = challenge(carrier, 'carrier.example', proxy);
    carrier.onInvite = (call) => call.answer();
    const call = alice.call('+49894321');
    await world.until(() => call.state === 'up');
    await world.run(500);
    const ack = carrier.heard.findLast((message) => message.kind === 'request' && message.method === 'ACK');
    assert.ok(ack!.headers.has(proxy ? 'Proxy-Authorization' : 'Authorization'));
    call.reinvite(call.again('sendonly'));
    await world.until(() => call.reinviteStatus.length === 1);
    assert.equal(call.reinviteStatus[0], 200);
    await world.run(500);
    call.hangUp();
    await over(world);
    assert.deepEqual(accepted, ['INVITE', 'INVITE', 'BYE']);
    assert.equal(world.finished.length, 1);
  });

test('a wrong password towards a trunk is tried once; no 401 ever reaches the phone (S6)', async () => {
  const { world, alice, carrier } = await trunkCast({
    outbound: { ...outbound, password: Secret.fromText('wrong') },
  });
  challenge(carrier, 'carrier.example');
  const call = alice.call('+49894321');
  await world.until(() => call.state === 'over');
  assert.equal(call.status, 502);
  const invites = carrier.heard.filter(
    (message) => message.kind === 'request' && message.method === 'INVITE',
  );
  assert.equal(invites.length, 2);
  await over(world);
});

test('a challenge of a called phone is never answered, nor passed on (S6)', async () => {
  const { world, alice, carrier } = await trunkCast({ outbound });
  challenge(alice, 'example.test');
  const call = carrier.call('alice');
  await world.until(() => call.state === 'over');
  assert.equal(call.status, 502);
  assert.ok(!world.sentTo('203.0.113.1').some((text) => /^(Proxy-)?Authorization:/m.test(text)));
  await over(world);
});
