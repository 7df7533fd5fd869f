import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeResponse } from '@ringfence/sip/message/build.ts';
import { Phone } from '../testing/phone.ts';
import { carrierAt, over, trunkCast } from '../testing/trunk-cast.ts';

test('503 and silence lead to the next address of the trunk (RFC 3263 §4.3)', async () => {
  const addresses = ['192.0.2.31', '192.0.2.32', '192.0.2.33'];
  const hosts = { 'trunk.example.net': addresses };
  const { world, alice } = await trunkCast({ target: 'sip:trunk.example.net', addresses }, {}, { hosts });
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
  const { world, alice } = await trunkCast({ target }, {}, { hosts });
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
  const { world, alice, carrier } = await trunkCast({ target }, { transport: 'tcp' });
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
  const { world, alice, carrier } = await trunkCast();
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
  const { world, alice, carrier } = await trunkCast(
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
  const { world, carrier } = await trunkCast();
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
  const { world, alice, carrier } = await trunkCast();
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
  const { world, alice, carrier } = await trunkCast();
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
