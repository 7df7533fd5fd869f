import assert from 'node:assert/strict';
import { test } from 'node:test';
import { tagOf } from '@ringfence/sip/message/build.ts';
import { leftovers, registered } from '../testing/cast.ts';
import { user } from '../testing/objects.ts';
import type { Phone } from '../testing/phone.ts';
import { over, trunkCast } from '../testing/trunk-cast.ts';
import { World } from '../testing/world.ts';

/** What the carrier said last with that status, as another who answers behind it would say it. */
function fork(world: World, status: number, tag: string, mediaPort: number): string {
  const said = world.network.log.findLast(
    ({ out, text }) => !out && text.startsWith(`SIP/2.0 ${status}`) && text.includes('INVITE'),
  )!.text;
  return said.replace(/^(To:.*;tag=)\S+\r$/m, `$1${tag}\r`).replace(/^m=audio \d+/m, `m=audio ${mediaPort}`);
}

test('several early dialogs behind one trunk: the one that spoke last is heard, the one that answers has the call (RFC 3261 §12.1.2, §13.2.2.4)', async () => {
  const { world, alice, carrier } = await trunkCast();
  const call = alice.call('+4989555');
  await world.until(() => carrier.calls.length === 1);
  const rung = carrier.calls[0]!;
  const heard = (): number | undefined =>
    [...world.relay.endpoints.values()].find(({ config }) => config?.remote?.address === '192.0.2.10')?.config
      ?.remote?.rtpPort;
  rung.early();
  await world.until(() => call.provisional.some(({ status }) => status === 183));
  assert.equal(heard(), 40_000);
  carrier.raw(fork(world, 183, 'voicemail', 46_000));
  await world.run(50);
  assert.equal(heard(), 46_000);
  carrier.raw(fork(world, 183, 'queue', 47_000));
  await world.run(50);
  assert.equal(heard(), 47_000);
  rung.answer();
  await world.until(() => call.state === 'up' && rung.confirmed);
  assert.equal(heard(), 40_000);
  assert.equal(call.provisional.filter(({ body }) => body.length > 0).length, 1);
  call.hangUp();
  await over(world);
});

test('the 2xx of another early dialog than the first has its own tag and route (RFC 3261 §13.2.2.4)', async () => {
  const { world, alice, carrier } = await trunkCast();
  const call = alice.call('+4989555');
  await world.until(() => carrier.calls.length === 1);
  const rung = carrier.calls[0]!;
  rung.early();
  await world.run(50);
  carrier.raw(fork(world, 183, 'voicemail', 46_000));
  await world.run(50);
  carrier.raw(fork(world, 183, 'voicemail', 46_000).replace('183 Session Progress', '200 OK'));
  await world.until(() => call.state === 'up');
  const ack = world.sentTo('192.0.2.10').findLast((text) => text.startsWith('ACK'))!;
  assert.match(ack, /^To:.*;tag=voicemail\r$/m);
  call.hangUp();
  await world.run(100);
  assert.match(world.sentTo('192.0.2.10').findLast((text) => text.startsWith('BYE'))!, /;tag=voicemail\r\n/);
  carrier.dead = true;
  await over(world);
});

test('a peer that answers as ever more early dialogs is heard as sixteen', async () => {
  const { world, alice, carrier } = await trunkCast();
  const call = alice.call('+4989555');
  await world.until(() => carrier.calls.length === 1);
  carrier.calls[0]!.ringReliably(180);
  await world.until(() => carrier.calls[0]!.pracks.length === 1);
  for (let i = 0; i < 100; i++) carrier.raw(fork(world, 180, `fork${i}`, 0));
  await world.run(500);
  const pracks = world.sentTo('192.0.2.10').filter((text) => text.startsWith('PRACK'));
  assert.equal(new Set(pracks.map((text) => /^To:.*;tag=(\S+)\r$/m.exec(text)?.[1])).size, 16);
  call.cancel();
  await world.until(() => call.state === 'over');
  carrier.dead = true;
  await over(world);
});

test('another phone answers than the one whose early media the caller has acknowledged: a dialog of its own, with its own answer (RFC 6337 §3.1.1)', async () => {
  const world = new World({ objects: { users: [user('alice'), user('bob')] } });
  const alice = await registered(world, {
    name: 'alice',
    address: '203.0.113.1',
    says: [['Supported', '100rel']],
  });
  const one = await registered(world, { name: 'bob', address: '203.0.113.2', media: 'srtp' });
  const two = await registered(world, {
    name: 'bob',
    address: '203.0.113.3',
    media: 'srtp',
    mediaPort: 41_000,
  });
  const call = alice.call('bob');
  await world.until(() => one.calls.length === 1 && two.calls.length === 1);
  one.calls[0]!.earlyReliably();
  await world.until(() => call.prackAnswers.length === 1);
  const early = tagOf(call.provisional.at(-1)!.to);
  const other = two.calls[0]!;
  other.early();
  await world.run(50);
  other.answer(other.mine!.text.replace(' 8 0 101', ' 8'));
  await world.until(() => call.state === 'up' && other.confirmed);
  assert.notEqual(tagOf(call.final!.to), early);
  assert.match(Buffer.from(call.final!.body).toString(), /^m=audio \d+ RTP\/AVP 8\r$/m);
  call.hangUp();
  await world.until(() => other.hungUpByPeer);
  await world.run(100_000);
  assert.deepEqual(leftovers(world), []);
});

test('RFC 5393 §5.3.3: Max-Breadth bounds how many phones ring at once, is shared among them, and 0 is refused with 440', async () => {
  const world = new World({ objects: { users: [user('alice'), user('bob')] } });
  const alice = await registered(world, { name: 'alice', address: '203.0.113.1' });
  const phones: Phone[] = [];
  for (const i of [2, 3, 4])
    phones.push(await registered(world, { name: 'bob', address: `203.0.113.${i}`, media: 'srtp' }));
  const rung = (): number => phones.filter(({ calls }) => calls.length > 0).length;
  const none = alice.call('bob', { headers: [['Max-Breadth', '0']] });
  await world.until(() => none.state === 'over');
  assert.equal(none.status, 440);
  assert.equal(rung(), 0);
  const two = alice.call('bob', { headers: [['Max-Breadth', '2']] });
  await world.run(500);
  assert.equal(rung(), 2);
  two.end();
  await world.until(() => two.state === 'over');
  const all = alice.call('bob');
  await world.run(500);
  assert.equal(rung(), 3);
  for (const phone of phones) assert.equal(phone.calls.at(-1)!.request!.headers.get('Max-Breadth'), '20');
  all.end();
  await world.run(100_000);
  assert.deepEqual(leftovers(world), []);
});
