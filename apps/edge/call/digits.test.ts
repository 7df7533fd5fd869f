import assert from 'node:assert/strict';
import { test } from 'node:test';
import { codecOf } from '@ringfence/sdp/attribute.ts';
import { aliceAndBob, leftovers } from '../testing/cast.ts';
import { readSdp } from '../testing/description.ts';
import { user } from '../testing/objects.ts';
import type { PhoneCall } from '../testing/phone-call.ts';
import { requests } from '../testing/transfer-cast.ts';
import { World } from '../testing/world.ts';

const plain = (port: number, address: string, events: boolean): string =>
  [
    'v=0',
    `o=phone 4711 1 IN IP4 ${address}`,
    's=call',
    `c=IN IP4 ${address}`,
    't=0 0',
    `m=audio ${port} RTP/AVP 8${events ? ' 96' : ''}`,
    'a=rtpmap:8 PCMA/8000',
    ...(events ? ['a=rtpmap:96 telephone-event/8000', 'a=fmtp:96 0-15'] : []),
    'a=sendrecv',
    '',
  ].join('\r\n');

const eventsIn = (sdp: string | Uint8Array): readonly string[] => {
  const media = readSdp(typeof sdp === 'string' ? Buffer.from(sdp) : sdp).media[0]!;
  return media.formats.filter((format) => codecOf(media, format)?.encoding === 'telephone-event');
};

async function called(bridgeDigits: boolean, caller: boolean, callee: boolean) {
  const world = new World({
    objects: { users: [user('alice', { encryption: 'none' }), user('bob', { encryption: 'none' })] },
    config: (config) => ({ ...config, media: { ...config.media, bridgeDigits } }),
  });
  const habit = { transport: 'udp', media: 'rtp', listener: 'inside' } as const;
  const { alice, bob } = await aliceAndBob(world, habit, habit);
  const call = alice.call('bob', { sdp: plain(4000, '203.0.113.1', caller) });
  await world.until(() => bob.calls.length === 1);
  const taken = bob.calls[0] as PhoneCall;
  const offered = taken.request!.body;
  taken.answer(plain(5000, '203.0.113.2', callee));
  await world.until(() => call.state === 'up');
  const over = async (): Promise<void> => {
    call.hangUp();
    await world.run(120_000);
    assert.deepEqual(leftovers(world), []);
  };
  return { world, alice, bob, call, taken, offered, over };
}

const dtmf = [['Content-Type', 'application/dtmf-relay']] as const;

test('RFC 4733: events are offered where the caller has none; its INFO becomes an event, and an event INFO', async () => {
  const { world, alice, bob, call, offered, over } = await called(true, false, true);
  assert.deepEqual(eventsIn(offered), ['101']);
  assert.deepEqual(eventsIn(call.final!.body), [], 'what was not offered is not answered');
  assert.equal(await call.inside('INFO', dtmf, 'Signal=7\r\nDuration=120'), 200);
  assert.equal(requests(bob, 'INFO').length, 0);
  const toBob = world.relay.all.find(({ config }) => config?.telephoneEvent === 96)?.opened.id;
  assert.ok(toBob !== undefined);
  assert.deepEqual(world.relay.pressed, [{ id: toBob, digit: '7', durationMs: 120 }]);
  const [edgeCall] = world.edge.calls.values();
  world.edge.run(() => edgeCall?.pressed(1, '#', 100));
  await world.until(() => requests(alice, 'INFO').length === 1);
  assert.equal(Buffer.from(requests(alice, 'INFO')[0]!.body).toString(), 'Signal=#\r\nDuration=100\r\n');
  assert.deepEqual(
    world.eventsOf('call.dtmf').map(({ leg, by }) => [leg, by]),
    [
      [0, 'info'],
      [1, 'rtp'],
    ],
  );
  await over();
});

test('RFC 4733: events are answered to a caller that has them where the called side has none', async () => {
  const { world, bob, call, offered, over } = await called(true, true, false);
  assert.deepEqual(eventsIn(offered), ['96']);
  assert.deepEqual(eventsIn(call.final!.body), ['96']);
  const [edgeCall] = world.edge.calls.values();
  world.edge.run(() => edgeCall?.pressed(0, '5', 160));
  await world.until(() => requests(bob, 'INFO').length === 1);
  assert.equal(Buffer.from(requests(bob, 'INFO')[0]!.body).toString(), 'Signal=5\r\nDuration=160\r\n');
  await over();
});

test('where both have events, or bridging is off, keys stay what they are', async () => {
  const both = await called(true, true, true);
  const [edgeCall] = both.world.edge.calls.values();
  both.world.edge.run(() => edgeCall?.pressed(0, '5', 160));
  assert.equal(await both.call.inside('INFO', dtmf, 'Signal=7'), 200);
  assert.equal(requests(both.bob, 'INFO').length, 1, 'the one that was an INFO');
  assert.deepEqual(both.world.relay.pressed, []);
  await both.over();
  const off = await called(false, false, true);
  assert.deepEqual(eventsIn(off.offered), []);
  assert.equal(await off.call.inside('INFO', dtmf, 'Signal=7'), 200);
  assert.equal(requests(off.bob, 'INFO').length, 1);
  assert.deepEqual(off.world.relay.pressed, []);
  await off.over();
});
