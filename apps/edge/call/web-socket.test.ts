import assert from 'node:assert/strict';
import { test } from 'node:test';
import { leftovers, registered } from '../testing/cast.ts';
import { user } from '../testing/objects.ts';
import { World } from '../testing/world.ts';

const browser = { transport: 'wss', address: '203.0.113.9', port: 50_001, media: 'srtp' } as const;

const worldOf = (): World =>
  new World({ objects: { users: [user('alice', { encryption: 'required' }), user('bob')] } });

test('RFC 7118 §5: a phone in a browser calls and is called, though its Via and Contact lead nowhere', async () => {
  const world = worldOf();
  const alice = await registered(world, { name: 'alice', ...browser });
  const bob = await registered(world, { name: 'bob', transport: 'udp', address: '203.0.113.2' });
  for (const [from, to, name] of [
    [alice, bob, 'bob'],
    [bob, alice, 'alice'],
  ] as const) {
    to.onInvite = (call) => call.answer();
    const call = from.call(name);
    await world.until(() => call.state === 'up' || call.state === 'over');
    assert.equal(call.state, 'up', String(call.status));
    await world.run(1000);
    const other = to.calls.at(-1)!;
    other.hangUp();
    await world.until(() => call.state === 'over');
    await world.run(40_000);
  }
  const texts = world.sentTo(browser.address);
  const requests = texts.filter((text) => !text.startsWith('SIP/2.0'));
  assert.ok(requests.length >= 3);
  for (const text of requests) assert.match(text, /^Via: SIP\/2\.0\/WSS 198\.51\.100\.1:5061;/m);
  for (const text of texts.filter((one) => /^CSeq: \d+ INVITE/m.test(one) && /^Contact:/m.test(one)))
    assert.match(text, /^Contact: <sips?:[^@>]+@198\.51\.100\.1:5061;transport=ws>/m);
  // Nothing of the browser's shows on the other side.
  assert.ok(world.sentTo('203.0.113.2').every((text) => !text.includes('.invalid')));
  assert.deepEqual(leftovers(world), []);
});

test('RFC 7118 a secure WebSocket satisfies `encryption: required`, a plain one does not', async () => {
  const world = worldOf();
  const alice = await registered(world, { name: 'alice', ...browser });
  const bob = await registered(world, { name: 'bob', transport: 'udp', address: '203.0.113.2' });
  bob.onInvite = (call) => call.answer();
  const call = alice.call('bob');
  await world.until(() => call.state === 'up');
  call.hangUp();
  await world.run(40_000);
  const legs = world.finished.at(-1)!.legs.map(({ protection }) => JSON.parse(protection));
  assert.equal(legs[0].signalling.transport, 'wss');
  assert.equal(legs[0].signalling.group, 'X25519MLKEM768');
  assert.equal(legs[0].media.keysExposed, false);

  await assert.rejects(
    registered(world, { name: 'alice', ...browser, transport: 'ws', port: 50_002, listener: 'inside' }),
    /could not register: 403/,
  );
});

test('RFC 7118 §5: a phone whose WebSocket has closed is not looked for in DNS', async () => {
  const world = worldOf();
  const alice = await registered(world, { name: 'alice', ...browser });
  const bob = await registered(world, { name: 'bob', transport: 'udp', address: '203.0.113.2' });
  world.network.break(alice.flow);
  const call = bob.call('alice');
  await world.until(() => call.state === 'over');
  assert.equal(call.status, 480);
  await world.run(40_000);
  assert.deepEqual(leftovers(world), []);
});
