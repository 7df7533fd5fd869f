import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeResponse } from '@ringfence/sip/message/build.ts';
import type { Configuration } from '../config/schema.ts';
import { leftovers, registered } from '../testing/cast.ts';
import { device, domain, user } from '../testing/objects.ts';
import type { Phone } from '../testing/phone.ts';
import type { PhoneCall } from '../testing/phone-call.ts';
import { transferCast } from '../testing/transfer-cast.ts';
import { World } from '../testing/world.ts';

const tenant = (defaults: Configuration): Configuration => ({
  ...defaults,
  calls: { ...defaults.calls, pickup: 'tenant' },
});

/** Replaces that names the early dialog of a phone that rings. */
const early = ({ dialog }: PhoneCall, more = ';early-only'): readonly [string, string] => [
  'Replaces',
  `${dialog!.callId};to-tag=${dialog!.remoteTag};from-tag=${dialog!.localTag}${more}`,
];

async function ringing(
  world: World,
  from: Phone,
  to: Phone,
  dialled = to.options.name,
): Promise<[PhoneCall, PhoneCall]> {
  to.onInvite = (call) => call.ring();
  const call = from.call(dialled);
  await world.until(() => call.state === 'ringing' && to.calls.at(-1)?.dialog !== undefined);
  return [call, to.calls.at(-1)!];
}

/** Who sends to whom, as the media process has linked them. */
function linked(world: World): string[] {
  return [...world.relay.endpoints.values()].map(({ config, linked: to }) => {
    const peer = to === undefined ? undefined : world.relay.endpoints.get(to);
    return `${config?.remote?.address} > ${peer?.config?.remote?.address}`;
  });
}

async function over(world: World, ...calls: PhoneCall[]): Promise<void> {
  for (const call of calls) call.end();
  await world.run(120_000);
  assert.deepEqual(leftovers(world), []);
}

test('RFC 5359 §2.16: call pickup: INVITE with Replaces takes a call that rings elsewhere (RFC 3891 §3)', async () => {
  const { world, alice, bob, carol } = await transferCast({ config: tenant });
  const [call, rung] = await ringing(world, alice, bob);
  const picked = carol.call('bob', { headers: [early(rung), ['Require', 'replaces']] });
  await world.until(() => picked.state === 'up' && rung.state === 'over');
  await world.run(500);
  assert.equal(call.state, 'up');
  // RFC 3326: his phone notes no missed call.
  assert.match(
    world.sentTo('203.0.113.2').find((text) => text.startsWith('CANCEL')) ?? '',
    /Reason: SIP;cause=200/,
  );
  assert.deepEqual(linked(world).sort(), ['203.0.113.1 > 203.0.113.3', '203.0.113.3 > 203.0.113.1']);
  assert.match(call.theirs, /a=crypto:/);
  call.hangUp();
  await world.until(() => picked.hungUpByPeer);
  await over(world);
  assert.deepEqual(
    world.finished.map(({ caller, callee, route, cause, disposition }) => [
      caller,
      callee,
      route,
      cause,
      disposition,
    ]),
    [
      [`alice@${domain}`, 'bob', 'user:bob', 'replaced', 'answered'],
      [`carol@${domain}`, `alice@${domain}`, 'pickup', 'normal', 'answered'],
    ],
  );
});

test('RFC 5359 §2.16: a phone that knows nothing of dialogs dials the code, alone or with whom the call rings for', async () => {
  for (const dialled of ['*8', '*8bob', '*8+4930123402', '*8030123402']) {
    const { world, alice, bob, carol } = await transferCast({ config: tenant });
    const [call, rung] = await ringing(world, alice, bob);
    const picked = carol.call(dialled);
    await world.until(() => picked.state === 'up' && rung.state === 'over');
    await world.run(500);
    assert.equal(call.state, 'up', dialled);
    assert.equal(linked(world).length, 2);
    await over(world, picked);
  }
});

test('a caller that was told of early media, reliably or not, is asked anew after that', async () => {
  for (const headers of [[], [['Supported', '100rel']]] as const) {
    const { world, alice, bob, carol } = await transferCast({ config: tenant });
    bob.onInvite = (one) => one.early();
    const call = alice.call('bob', { headers });
    await world.until(() => call.state === 'ringing');
    await world.run(500);
    const picked = carol.call('*8');
    await world.until(() => picked.state === 'up');
    await world.run(500);
    assert.equal(call.state, 'up');
    assert.deepEqual(linked(world).sort(), ['203.0.113.1 > 203.0.113.3', '203.0.113.3 > 203.0.113.1']);
    await over(world, picked);
  }
});

test('a call from a trunk is picked up as any other, each side as protected as it was', async () => {
  const { world, bob, carol, carrier } = await transferCast({ config: tenant });
  const [call] = await ringing(world, carrier, bob, '+4930123402');
  const picked = carol.call('*8');
  await world.until(() => picked.state === 'up');
  await world.run(500);
  assert.equal(call.state, 'up');
  assert.match(picked.theirs, /RTP\/SAVP .*a=crypto:/s);
  assert.doesNotMatch(call.theirs, /a=crypto:/);
  assert.deepEqual(linked(world).sort(), ['192.0.2.10 > 203.0.113.3', '203.0.113.3 > 192.0.2.10']);
  await over(world, call);
});

test('by default only what rings at phones of the same user is picked up; nobody picks up a call of his own', async () => {
  const world = new World({
    objects: {
      users: [user('alice'), user('bob', { devices: [device('desk'), device('mobile')] }), user('carol')],
    },
  });
  const at = { transport: 'tls', media: 'srtp', port: 40_001 } as const;
  const alice = await registered(world, { name: 'alice', address: '203.0.113.1', ...at });
  const desk = await registered(world, { name: 'bob', device: 'desk', address: '203.0.113.2', ...at });
  const carol = await registered(world, { name: 'carol', address: '203.0.113.3', ...at });
  const [call, rung] = await ringing(world, alice, desk);
  for (const [who, dialled, status] of [
    [carol, '*8bob', 403],
    [carol, '*8', 404],
    [alice, '*8bob', 403],
    [alice, '*8', 404],
  ] as const) {
    const tried = who.call(dialled);
    await world.until(() => tried.state === 'over');
    assert.equal(tried.status, status, dialled);
  }
  const tried = carol.call('bob', { headers: [early(rung)] });
  await world.until(() => tried.state === 'over');
  assert.equal(tried.status, 403);
  const mobile = await registered(world, { name: 'bob', device: 'mobile', address: '203.0.113.4', ...at });
  const picked = mobile.call('*8');
  await world.until(() => picked.state === 'up' && call.state === 'up');
  await over(world, picked);
});

test('an early dialog is taken over at the side that began it alone: the caller cannot be replaced (RFC 3891 §3)', async () => {
  const { world, alice, bob, carol } = await transferCast({ config: tenant });
  const [call] = await ringing(world, alice, bob);
  const tried = carol.call('bob', { headers: [early(call)] });
  await world.until(() => tried.state === 'over');
  assert.equal(tried.status, 481);
  assert.equal(call.state, 'ringing');
  await over(world, call);
});

test('two want the same call: one has it, the other hears 491 or that nothing rings, and early-only takes no answered one', async () => {
  const { world, alice, bob, carol } = await transferCast({ config: tenant });
  const [call, rung] = await ringing(world, alice, bob);
  const first = carol.call('*8bob');
  const second = bob.call('bob', { headers: [early(rung, '')] });
  await world.until(() => first.state === 'up' && second.state === 'over');
  assert.equal(second.status, 491);
  const late = bob.call('*8');
  await world.until(() => late.state === 'over');
  assert.equal(late.status, 404);
  assert.equal(call.state, 'up');
  await over(world, first);
});

test('caller or picker gives up while it is being picked up: nothing is left, and nobody talks to nobody', async () => {
  for (const who of [
    'caller cancels',
    'caller hangs up',
    'picker',
    'picker at once',
    'refuses',
    'silent',
  ] as const) {
    const { world, alice, bob, carol } = await transferCast({ config: tenant });
    const [call] = await ringing(world, alice, bob);
    if (who === 'silent') call.withholdAck = true;
    if (who === 'refuses')
      alice.refuse = (request) => (request.method === 'INVITE' ? makeResponse(request, 488) : undefined);
    const picked = carol.call('*8');
    if (who === 'caller cancels') call.cancel();
    if (who === 'picker at once') {
      call.withholdAck = true;
      await world.run(300);
      picked.cancel();
    }
    await world.until(() => call.state === 'up' || call.state === 'over');
    if (who === 'caller hangs up') call.hangUp();
    if (who === 'picker') picked.cancel();
    await world.run(60_000);
    if (who === 'caller hangs up' || who === 'refuses' || who === 'silent')
      assert.ok(picked.state === 'over' || picked.hungUpByPeer, who);
    if (who === 'refuses') assert.ok(call.hungUpByPeer, who);
    assert.equal(
      call.hungUpByPeer || call.state === 'over',
      picked.state === 'over' || picked.hungUpByPeer,
      who,
    );
    await over(world, call, picked);
  }
});

test('a call that was made by a sips URI is picked up over TLS alone (RFC 5630 §3.1.3); one without an offer not at all', async () => {
  const { world, alice, bob } = await transferCast({
    config: tenant,
    objects: { users: [user('alice'), user('bob'), user('carol'), user('dave', { encryption: 'none' })] },
  });
  const dave = await registered(world, {
    name: 'dave',
    transport: 'udp',
    address: '203.0.113.7',
    media: 'rtp',
  });
  assert.equal((await bob.register(600, [bob.contact.replace('<sip:', '<sips:')])).status, 200);
  bob.onInvite = (one) => one.ring();
  const call = alice.call(`sips:bob@${domain}`);
  await world.until(() => call.state === 'ringing');
  const tried = dave.call('*8bob');
  await world.until(() => tried.state === 'over');
  assert.equal(tried.status, 403);
  call.cancel();
  await world.until(() => call.state === 'over');
  const late = alice.call('bob', { sdp: null });
  await world.until(() => late.state === 'ringing');
  const nothing = dave.call('*8bob');
  await world.until(() => nothing.state === 'over');
  assert.equal(nothing.status, 404);
  await over(world, late);
});

test('the code leads nowhere else: across tenants nothing is found, and numbers that only begin like it go their way', async () => {
  const world = new World({
    config: tenant,
    objects: { users: [user('alice'), user('bob'), user('eve', { realm: 'other.test' })] },
  });
  const at = { transport: 'tls', media: 'srtp', port: 40_001 } as const;
  const alice = await registered(world, { name: 'alice', address: '203.0.113.1', ...at });
  const bob = await registered(world, { name: 'bob', address: '203.0.113.2', ...at });
  const eve = await registered(world, { name: 'eve', realm: 'other.test', address: '203.0.113.5', ...at });
  const [call, rung] = await ringing(world, alice, bob);
  for (const [dialled, headers] of [
    ['*8', []],
    ['*8bob', []],
    [`sip:*8bob@${domain}`, []],
    ['bob', [early(rung)]],
  ] as const) {
    const tried = eve.call(dialled, { headers });
    await world.until(() => tried.state === 'over');
    assert.ok(tried.status === 404 || tried.status === 481, `${dialled}: ${tried.status}`);
  }
  assert.equal(call.state, 'ringing');
  await over(world, call);
});
