import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CallGrade } from '../policy/grade-life.ts';
import { aliceAndBob, leftovers } from '../testing/cast.ts';
import { route, trunk, user } from '../testing/objects.ts';
import { Phone, type PhoneOptions } from '../testing/phone.ts';
import type { PhoneCall } from '../testing/phone-call.ts';
import { talk, transferCast } from '../testing/transfer-cast.ts';
import { World } from '../testing/world.ts';

interface Talking {
  readonly world: World;
  readonly call: PhoneCall;
}

async function talking(alice: Partial<PhoneOptions> = {}, bob: Partial<PhoneOptions> = {}): Promise<Talking> {
  const world = new World({ objects: { users: [user('alice'), user('bob')] } });
  const cast = await aliceAndBob(world, alice, bob);
  cast.bob.onInvite = (one) => one.answer();
  const call = cast.alice.call('bob');
  await world.until(() => call.state === 'up');
  await world.run(1000);
  return { world, call };
}

/** Ends it; gives what its record says. */
async function over(world: World, call: PhoneCall): Promise<CallGrade> {
  call.end();
  await world.run(100_000);
  assert.deepEqual(leftovers(world), []);
  const grade = JSON.parse(world.finished.at(-1)!.grade) as CallGrade;
  assert.equal(world.eventsOf('call.ended').at(-1)?.sentence, grade.sentence);
  assert.equal(world.eventsOf('call.ended').at(-1)?.grade, grade.grade);
  return grade;
}

test('the same sentence is told when a call is answered and when it ends, and stands in its record', async () => {
  const { world, call } = await talking();
  const [answered] = world.eventsOf('call.answered');
  assert.equal(answered!.grade, 'hop-by-hop');
  assert.equal(
    answered!.sentence,
    "Hop by hop: both sides are encrypted, and the edge's media process holds the keys in between.",
  );
  const grade = await over(world, call);
  assert.equal(grade.sentence, answered!.sentence);
  assert.equal(grade.changes.length, 1);
});

test('SRTP whose keys crossed UDP in the clear is in the clear, on one side or on both', async () => {
  const one = await talking({ transport: 'udp' });
  const partly = await over(one.world, one.call);
  assert.equal(partly.grade, 'partly-protected');
  assert.match(partly.sentence, /the keys of alice crossed its signalling unencrypted over UDP/);
  const two = await talking({ transport: 'udp' }, { transport: 'udp' });
  assert.equal((await over(two.world, two.call)).grade, 'in-the-clear');
});

test('a call over a trunk says that what is behind the trunk is not ours to see', async () => {
  const world = new World({
    objects: {
      users: [user('alice'), user('bob')],
      trunks: [trunk('carrier', { addresses: ['192.0.2.10'] })],
      routes: [route('+*', { trunk: 'carrier' })],
    },
  });
  const { alice } = await aliceAndBob(world);
  const carrier = new Phone(world, { name: '+4989555', address: '192.0.2.10' }).listen();
  const [call] = await talk(world, alice, carrier, '+498912345');
  const grade = await over(world, call);
  assert.equal(grade.grade, 'partly-protected');
  assert.match(grade.sentence, /the media of the trunk carrier is not encrypted, while the side of alice is/);
});

test('a call that was refused has no grade', async () => {
  const world = new World({ objects: { users: [user('alice'), user('bob')] } });
  const { alice, bob } = await aliceAndBob(world);
  bob.onInvite = (one) => one.reject(603);
  const call = alice.call('bob');
  await world.until(() => call.state === 'over');
  await world.run(50_000);
  assert.equal(world.finished.at(-1)!.grade, '');
  assert.equal(world.eventsOf('call.ended').at(-1)!.grade, undefined);
});

test('ZRTP that passes with the hashes of both sides is end to end; a Hello of somebody else is not', async () => {
  const { world, call } = await talking({ media: 'rtp' }, { media: 'rtp' });
  const [first, second] = [...world.relay.endpoints.keys()];
  const passed = (endpoint: number, helloMatches: boolean) =>
    world.relay.tell({
      kind: 'zrtp-passed',
      endpoint,
      zid: new Uint8Array(12),
      helloMatches,
      confirmed: true,
    });
  assert.equal(world.eventsOf('call.answered')[0]!.grade, 'in-the-clear');
  passed(first!, true);
  passed(second!, true);
  assert.equal(world.eventsOf('call.protection').at(-1)!.grade, 'end-to-end');
  passed(second!, false);
  assert.equal(world.eventsOf('call.protection').at(-1)!.grade, 'partly-protected');
  const grade = await over(world, call);
  // Nobody had said that keys would come, so what passed before them counts.
  assert.equal(grade.grade, 'in-the-clear');
  assert.match(grade.sentence, /then it was partly protected/);
});

test('a transfer that makes a call less protected is told with the call that comes of it', async () => {
  const { world, alice, bob, carrier } = await transferCast();
  const [call, taken] = await talk(world, alice, bob, 'bob');
  carrier.onInvite = (third) => third.answer();
  assert.equal(await taken.inside('REFER', [['Refer-To', '<sip:+498912345@example.test>']]), 202);
  await world.until(() => carrier.calls[0]?.state === 'up');
  await world.run(5000);
  const [joined] = world.eventsOf('call.protection').slice(-1);
  assert.equal(joined!.grade, 'partly-protected');
  assert.match(joined!.sentence, /the trunk carrier is not encrypted, while the side of alice is encrypted/);
  const old = world.finished.find(({ cause }) => cause === 'transferred')!;
  assert.equal((JSON.parse(old.grade) as CallGrade).grade, 'hop-by-hop', 'the end of a call changes nothing');
  call.end();
  await world.run(100_000);
  assert.deepEqual(leftovers(world), []);
});

test('a take-over by another process keeps what the call has been through', async () => {
  const { world, call } = await talking({ media: 'rtp' }, { media: 'rtp' });
  for (const endpoint of world.relay.endpoints.keys())
    world.relay.tell({
      kind: 'zrtp-passed',
      endpoint,
      zid: new Uint8Array(12),
      helloMatches: true,
      confirmed: true,
    });
  await world.run(1000);
  const [open] = await world.store.openCalls();
  const written = JSON.parse(open!.record.grade) as CallGrade;
  assert.equal(written.now, 'end-to-end');
  const endpoints = new Set(world.relay.endpoints.keys());
  world.edge.calls.clear();
  const { taken } = world.edge.restore([open!], { relay: world.relay, endpoints, recent: true });
  assert.equal(taken.size, 1);
  const [restored] = [...world.edge.calls.values()];
  assert.equal(restored!.protection()[1]!.media.zrtp?.confirmed, true);
  restored!.keep();
  await world.run(1000);
  const [again] = await world.store.openCalls();
  assert.deepEqual(JSON.parse(again!.record.grade), written);
  restored!.hangUp('normal');
  await world.run(100_000);
  void call;
});
