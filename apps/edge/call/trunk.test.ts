import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Secret } from '@ringfence/bytes/secret.ts';
import { DigestServer } from '@ringfence/sip/digest/server.ts';
import { makeResponse } from '@ringfence/sip/message/build.ts';
import type { SipRequest, SipResponse } from '@ringfence/sip/message/types.ts';
import { serializeUri } from '@ringfence/sip/message/uri.ts';
import type { Trunk } from '../objects/types.ts';
import { leftovers, registered } from '../testing/cast.ts';
import { ha1Set, route, trunk, user } from '../testing/objects.ts';
import { Phone, type PhoneOptions } from '../testing/phone.ts';
import { World, type WorldOptions } from '../testing/world.ts';

interface Cast {
  readonly world: World;
  readonly alice: Phone;
  readonly carrier: Phone;
}

const carrierAt = '192.0.2.10';

async function cast(
  fields: Partial<Trunk> = {},
  carrierOptions: Partial<PhoneOptions> = {},
  more: Partial<WorldOptions> = {},
): Promise<Cast> {
  const world = new World({
    objects: {
      users: [user('alice', { number: '+4930123401', displayName: 'Alice A.' })],
      trunks: [trunk('carrier', { addresses: [carrierAt], ...fields })],
      routes: [route('+*', { trunk: 'carrier' }), route('default', { trunk: 'carrier' })],
    },
    ...more,
  });
  const alice = await registered(world, {
    name: 'alice',
    transport: 'tls',
    address: '203.0.113.1',
    port: 40_001,
    media: 'srtp',
  });
  const carrier = new Phone(world, { name: '+4989555', address: carrierAt, ...carrierOptions }).listen();
  return { world, alice, carrier };
}

async function over(world: World): Promise<void> {
  await world.run(100_000);
  assert.deepEqual(leftovers(world), []);
}

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
  const { world, alice, carrier } = await cast();
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
  const { world, alice, carrier } = await cast();
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
  const { world } = await cast();
  const stranger = new Phone(world, { name: '+4989555', address: '192.0.2.11', password: 'guess' });
  const call = stranger.call('alice');
  await world.until(() => call.state === 'over');
  assert.equal(call.status, 401);
  await over(world);
  assert.equal(world.finished.length, 0);
});

test('a trunk by digest may come from anywhere; its address alone proves nothing', async () => {
  const inbound = { username: 'pbx', ha1: ha1Set('pbx', 'example.test', 'pbx-secret') };
  const { world, alice } = await cast({ addresses: [], inbound });
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
  const { world, alice } = await cast(fields);
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
  const { world, alice, carrier } = await cast(fields, tls);
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

  const plain = await cast({ encryption: 'required', target: 'sip:192.0.2.10:5060' });
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
    const { world, alice, carrier } = await cast({ outbound });
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
  const { world, alice, carrier } = await cast({
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
  const { world, alice, carrier } = await cast({ outbound });
  challenge(alice, 'example.test');
  const call = carrier.call('alice');
  await world.until(() => call.state === 'over');
  assert.equal(call.status, 502);
  assert.ok(!world.sentTo('203.0.113.1').some((text) => /^(Proxy-)?Authorization:/m.test(text)));
  await over(world);
});

test('503 and silence lead to the next address of the trunk (RFC 3263 §4.3)', async () => {
  const addresses = ['192.0.2.31', '192.0.2.32', '192.0.2.33'];
  const hosts = { 'trunk.example.net': addresses };
  const { world, alice } = await cast({ target: 'sip:trunk.example.net', addresses }, {}, { hosts });
  const [full, silent, good] = addresses.map((address) =>
    new Phone(world, { name: 'gateway', address }).listen(),
  );
  full!.onInvite = (call) => call.reject(503);
  silent!.dead = true;
  good!.onInvite = (call) => call.answer();
  const call = alice.call('+49894321');
  await world.until(() => call.state === 'up');
  assert.equal(full!.calls.length, 1);
  call.hangUp();
  await world.until(() => good!.calls[0]!.hungUpByPeer);
  await over(world);
});

test('a TCP trunk that cannot be connected to is passed over; when none is left the caller hears 500', async () => {
  const hosts = { 'trunk.example.net': ['192.0.2.31', '192.0.2.32'] };
  const target = 'sip:trunk.example.net;transport=tcp';
  const { world, alice } = await cast({ target }, {}, { hosts });
  const lost = alice.call('+49894321');
  await world.until(() => lost.state === 'over');
  assert.equal(lost.status, 500);
  assert.match(lost.final!.headers.get('Warning')!, /cannot be reached/);
  const good = new Phone(world, { name: 'gw', address: '192.0.2.32', transport: 'tcp' }).listen();
  good.onInvite = (call) => call.answer();
  const call = alice.call('+49894321');
  await world.until(() => call.state === 'up');
  call.hangUp();
  await over(world);
  assert.equal(world.finished.length, 2);
});

test('the caller gives up while the trunk is still being looked for: nobody is rung', async () => {
  const target = 'sip:192.0.2.10:5060;transport=tcp';
  const { world, alice, carrier } = await cast({ target }, { transport: 'tcp' });
  world.network.break(carrier.flow);
  world.network.connecting = 5000;
  const call = alice.call('+49894321');
  await world.until(() => call.provisional.length > 0);
  call.cancel();
  await world.until(() => call.state === 'over');
  assert.equal(call.status, 487);
  await over(world);
  assert.equal(carrier.calls.length, 0);
  assert.equal(world.finished[0]!.disposition, 'cancelled');
});

test('requests within a trunk call follow its Contact and Record-Route (RFC 3261 §12.2.1.1)', async () => {
  const { world, alice, carrier } = await cast();
  const gateway = new Phone(world, { name: 'gw', address: '192.0.2.44', port: 5080 }).listen();
  const got: string[] = [];
  gateway.refuse = (request) => {
    got.push(request.method);
    return makeResponse(request, 200);
  };
  carrier.onInvite = (call) => call.answer();
  Object.defineProperty(carrier, 'contact', { get: () => '<sip:gw@192.0.2.44:5080>' });
  const call = alice.call('+49894321');
  await world.until(() => call.state === 'up');
  call.hangUp();
  await over(world);
  assert.deepEqual(got, ['BYE']);
  assert.ok(gateway.heard.some((message) => message.kind === 'request' && message.method === 'ACK'));
});

test('a TLS trunk whose Contact is plain is still spoken to over TLS', async () => {
  const tls = { transport: 'tls', port: 5061, media: 'srtp' } as const;
  const { world, alice, carrier } = await cast(
    { encryption: 'preferred', target: 'sip:192.0.2.10:5061;transport=tls' },
    tls,
  );
  Object.defineProperty(carrier, 'contact', { get: () => '<sip:gw@192.0.2.44:5080>' });
  carrier.onInvite = (call) => call.answer();
  const call = alice.call('+49894321');
  await world.until(() => call.state === 'up');
  call.hangUp();
  await world.until(() => carrier.calls[0]!.hungUpByPeer);
  assert.deepEqual(world.sentTo('192.0.2.44'), []);
  await over(world);
});

test('a phone that shares its address with a trunk is itself once it has registered', async () => {
  const { world, carrier } = await cast();
  const phone = new Phone(world, { name: 'alice', address: carrierAt, port: 5099 });
  assert.equal((await phone.register()).status, 200);
  carrier.onInvite = (call) => call.answer();
  const call = phone.call('+49894321');
  await world.until(() => call.state === 'up');
  assert.match(world.eventsOf('call.started').at(-1)!.principal, /^device:alice/);
  call.hangUp();
  await over(world);
});

test('Max-Forwards 0 is refused with 483, and a call loses one hop on its way (RFC 3261 §16.3, S16)', async () => {
  const { world, alice, carrier } = await cast();
  carrier.onInvite = (call) => call.answer();
  const none = alice.call('+49894321', { maxForwards: 0 });
  await world.until(() => none.state === 'over');
  assert.equal(none.status, 483);
  const some = alice.call('+49894321', { maxForwards: 7 });
  const many = alice.call('+49894321', { maxForwards: 255 });
  await world.until(() => some.state === 'up' && many.state === 'up');
  assert.deepEqual(
    carrier.calls.map(({ request }) => request!.maxForwards),
    [6, 69],
  );
  some.hangUp();
  many.hangUp();
  await over(world);
});

test('our own INVITE that comes back for the same number is a loop: 482; for another it is a spiral (RFC 5393 §4)', async () => {
  const { world, alice, carrier } = await cast();
  const call = alice.call('+49894321');
  await world.until(() => carrier.calls.length === 1);
  const sent = world.sentTo(carrierAt).find((text) => text.startsWith('INVITE'))!;
  const back = (uri: string): void =>
    carrier.raw(
      sent
        .replace(/^INVITE \S+/, `INVITE ${uri}`)
        .replace(
          /\r\nVia: /,
          `\r\nVia: SIP/2.0/UDP ${carrierAt}:5060;branch=z9hG4bK${world.random.token()}\r\nVia: `,
        ),
    );
  back('sip:+49894321@198.51.100.1');
  await world.until(() => world.sentTo(carrierAt).some((text) => text.startsWith('SIP/2.0 482')));
  back('sip:alice@198.51.100.1');
  await world.until(() => alice.calls.length === 2);
  alice.calls[1]!.reject(486);
  call.cancel();
  carrier.calls[0]!.ring();
  await over(world);
});
