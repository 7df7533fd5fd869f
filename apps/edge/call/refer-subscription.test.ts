import assert from 'node:assert/strict';
import { test } from 'node:test';
import { leftovers } from '../testing/cast.ts';
import { domain } from '../testing/objects.ts';
import type { PhoneCall } from '../testing/phone-call.ts';
import { talk, told, transferCast } from '../testing/transfer-cast.ts';

const referTo = (target: string): readonly [string, string] => ['Refer-To', `<sip:${target}@${domain}>`];

const subscribe = (call: PhoneCall, expires: string, event = 'refer'): Promise<number> =>
  call.inside('SUBSCRIBE', [
    ['Event', event],
    ['Expires', expires],
  ]);

test('SUBSCRIBE for the refer event prolongs what REFER began, and its state is told at once (RFC 3515 §2.4.4)', async () => {
  const { world, alice, bob, carol } = await transferCast();
  const [call, taken] = await talk(world, alice, bob, 'bob');
  assert.equal(await taken.inside('REFER', [referTo('carol')]), 202);
  await world.until(() => carol.calls.length === 1);
  carol.calls[0]!.ring();
  await world.run(500);
  assert.equal(await subscribe(taken, '60'), 200);
  await world.run(100);
  assert.equal(told(bob).at(-1), 'SIP/2.0 180 Ringing (active;expires=60)');
  assert.equal(await subscribe(taken, '99999'), 200);
  await world.run(100);
  assert.equal(told(bob).at(-1), 'SIP/2.0 180 Ringing (active;expires=240)');
  carol.calls[0]!.answer();
  await world.until(() => taken.hungUpByPeer);
  assert.equal(told(bob).at(-1), 'SIP/2.0 200 OK (terminated;reason=noresource)');
  call.hangUp();
  await world.run(120_000);
  assert.deepEqual(leftovers(world), []);
});

test('a referrer that has heard enough says so with Expires: 0, or lets the time run out; the transfer goes on (RFC 6665 §4.1.2.3)', async () => {
  for (const expires of ['0', '2']) {
    const { world, alice, bob, carol } = await transferCast();
    const [call, taken] = await talk(world, alice, bob, 'bob');
    assert.equal(await taken.inside('REFER', [referTo('carol')]), 202);
    await world.until(() => carol.calls.length === 1);
    assert.equal(await subscribe(taken, expires), 200);
    await world.run(3000);
    assert.equal(told(bob).at(-1), 'SIP/2.0 100 Trying (terminated;reason=timeout)');
    const heard = told(bob).length;
    assert.equal(await subscribe(taken, '60'), 481, 'it is over');
    carol.calls[0]!.ring();
    carol.calls[0]!.answer();
    await world.until(() => taken.hungUpByPeer);
    assert.equal(told(bob).length, heard);
    call.hangUp();
    await world.run(120_000);
    assert.deepEqual(leftovers(world), []);
  }
});

test('nobody subscribes to a transfer that is not his, to one that is not there, or to another event (RFC 3515 §2.4.6)', async () => {
  const { world, alice, bob, carol } = await transferCast();
  const [call, taken] = await talk(world, alice, bob, 'bob');
  assert.equal(await subscribe(taken, '60'), 481);
  assert.equal(await subscribe(taken, '60', 'conference'), 489);
  assert.equal(await taken.inside('REFER', [referTo('carol')]), 202);
  await world.until(() => carol.calls.length === 1);
  assert.equal(await subscribe(call, '60'), 481, 'who is transferred hears nothing of it');
  assert.equal(await subscribe(taken, '60', 'refer;id=99'), 481);
  assert.equal(await subscribe(taken, 'soon'), 400);
  const silent = await taken.inside('REFER', [referTo('carol')]);
  assert.equal(silent, 491);
  carol.calls[0]!.reject(486);
  await world.run(1000);
  assert.equal(await subscribe(taken, '60'), 481);
  call.hangUp();
  await world.run(120_000);
  assert.deepEqual(leftovers(world), []);
});
