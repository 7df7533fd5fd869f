import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeResponse } from '@ringfence/sip/message/build.ts';
import { aliceAndBob, leftovers } from '../testing/cast.ts';
import { user } from '../testing/objects.ts';
import type { PhoneCall } from '../testing/phone-call.ts';
import { World } from '../testing/world.ts';

async function talking(): Promise<{ world: World; call: PhoneCall; taken: PhoneCall }> {
  const world = new World({ objects: { users: [user('alice'), user('bob')] } });
  const { alice, bob } = await aliceAndBob(world);
  bob.onInvite = (call) => call.answer();
  const call = alice.call('bob');
  await world.until(() => call.state === 'up' && bob.calls.at(-1)?.confirmed === true);
  await world.run(1000);
  return { world, call, taken: bob.calls.at(-1)! };
}

const keysIn = (sdp: string): string[] => sdp.match(/inline:\S+/g) ?? [];

async function over(world: World, call: PhoneCall): Promise<void> {
  if (call.state === 'up') call.hangUp();
  await world.run(100_000);
  assert.deepEqual(leftovers(world), []);
  assert.equal(world.finished.length, 1);
}

test('RFC 3264 §8.3.1: another media process: both sides get new ports and keys, linked with each other', async () => {
  const { world, call, taken } = await talking();
  const before = [call.theirs, taken.theirs];
  world.replaceRelay();
  await world.until(() => world.eventsOf('call.media-recovered').length === 1, 2_000);
  for (const [i, theirs] of [call.theirs, taken.theirs].entries()) {
    assert.equal(keysIn(theirs).length, 1);
    assert.ok(!keysIn(before[i]!).includes(keysIn(theirs)[0]!));
  }
  assert.equal(world.relay.endpoints.size, 2);
  for (const { linked, config } of world.relay.endpoints.values()) {
    assert.ok(linked !== undefined && world.relay.endpoints.has(linked));
    assert.equal(config?.media, 'srtp');
    assert.ok(config?.remote !== undefined && config.receive !== undefined);
  }
  await over(world, call);
});

test('RFC 3261 §14.1: offers that cross get 491 and are made again', async () => {
  const { world, call, taken } = await talking();
  let refused = 0;
  taken.onReinvite = (self, transaction, request) => {
    refused += 1;
    if (refused < 3) self.phone.respond(transaction, makeResponse(request, 491));
    else self.acceptReinvite(transaction, request);
  };
  world.replaceRelay();
  await world.until(() => world.eventsOf('call.media-recovered').length === 1, 10_000);
  assert.equal(refused, 3);
  await over(world, call);
});

test('who takes no new offer is hung up on both sides, with media as the cause; and nothing is left', async () => {
  for (const status of [488, 481, 500]) {
    const { world, call, taken } = await talking();
    taken.onReinvite = (self, transaction, request) =>
      self.phone.respond(transaction, makeResponse(request, status));
    world.replaceRelay();
    await world.until(() => call.state === 'over', 60_000);
    await over(world, call);
    const [record] = world.finished;
    assert.equal(record?.disposition, 'answered');
    assert.equal(record?.cause, status === 481 ? 'timeout' : 'media');
  }
});

test('a media process that dies twice in a row, and without ports: the calls go to the third, or end', async () => {
  const { world, call } = await talking();
  world.replaceRelay();
  await world.run(1);
  world.replaceRelay();
  await world.until(() => world.eventsOf('call.media-recovered').length === 1, 5_000);
  assert.equal(world.relay.endpoints.size, 2);
  world.relay.refusal = 'no-ports';
  const last = world.relay;
  world.replaceRelay();
  assert.notEqual(world.relay, last);
  await world.until(() => world.eventsOf('call.media-recovered').length === 2, 5_000);
  await over(world, call);
});

test('a call that ends while it gets new media gives back what was opened for it', async () => {
  const { world, call } = await talking();
  world.replaceRelay();
  call.hangUp();
  await over(world, call);
  assert.equal(world.relay.all.filter(({ opened }) => world.relay.endpoints.has(opened.id)).length, 0);
});
