import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Configuration } from '../config/schema.ts';
import { leftovers } from '../testing/cast.ts';
import { domain } from '../testing/objects.ts';
import { talk, told, transferCast } from '../testing/transfer-cast.ts';
import type { World } from '../testing/world.ts';

const at = (target: string): string => `<sip:${target}@${domain}>`;

/** Addresses that are linked with each other. */
const ends = (world: World): string[] =>
  [...world.relay.endpoints.values()].flatMap(({ config, linked }) =>
    linked === undefined ? [] : [config?.remote?.address ?? ''],
  );

test('the target of a transfer sends the call on: it is followed, by the rights of who was to be reached (RFC 5359 §2.4 and §2.7)', async () => {
  const { world, alice, bob, carol, carrier } = await transferCast();
  carol.onInvite = (one) => one.reject(302, [['Contact', at('+4989777')]]);
  carrier.onInvite = (one) => one.answer();
  const [call, taken] = await talk(world, alice, bob, 'bob');
  assert.equal(await taken.inside('REFER', [['Refer-To', at('carol')]]), 202);
  await world.until(() => taken.hungUpByPeer);
  await world.run(500);
  assert.match(told(bob).at(-1)!, /^SIP\/2\.0 200 OK/);
  assert.equal(call.state, 'up');
  assert.deepEqual(ends(world).sort(), ['192.0.2.10', '203.0.113.1']);
  const [forwarded] = world.eventsOf('call.forwarded');
  assert.equal(forwarded?.by, `device:carol@${domain}/carol`);
  call.hangUp();
  await world.run(120_000);
  assert.deepEqual(leftovers(world), []);
  assert.match(world.finished.at(-1)?.decision ?? '', /forward\.followed/);
});

test('where the target may not send it, or would send it round in circles, the call goes on as it was', async () => {
  const refuses = (defaults: Configuration): Configuration => ({
    ...defaults,
    calls: { ...defaults.calls, forwarding: 'refuse' },
  });
  for (const [to, config] of [
    ['+19005551234', undefined],
    ['carol', undefined],
    ['+4989777', refuses],
  ] as const) {
    const { world, alice, bob, carol, carrier } = await transferCast(config === undefined ? {} : { config });
    carol.onInvite = (one) => one.reject(302, [['Contact', at(to)]]);
    const [call, taken] = await talk(world, alice, bob, 'bob');
    assert.equal(await taken.inside('REFER', [['Refer-To', at('carol')]]), 202);
    await world.until(() => told(bob).length === 2);
    assert.match(told(bob).at(-1)!, /^SIP\/2\.0 480 .*terminated/s, to);
    assert.equal(carrier.calls.length, 0);
    assert.equal(call.state, 'up');
    assert.equal(taken.state, 'up');
    call.hangUp();
    await world.run(120_000);
    assert.deepEqual(leftovers(world), []);
  }
});
