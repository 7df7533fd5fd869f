import assert from 'node:assert/strict';
import { test } from 'node:test';
import { leftovers, registered } from '../testing/cast.ts';
import { readSdp } from '../testing/description.ts';
import { device, domain, route, trunk, user } from '../testing/objects.ts';
import { Phone } from '../testing/phone.ts';
import type { PhoneCall } from '../testing/phone-call.ts';
import { carrierAt } from '../testing/transfer-cast.ts';
import { World } from '../testing/world.ts';

/** Alice offers Opus, G.722, PCMU, PCMA and keys, in that order. */
const wide = [
  'v=0',
  'o=- 1 1 IN IP4 203.0.113.1',
  's=-',
  'c=IN IP4 203.0.113.1',
  't=0 0',
  'm=audio 40000 RTP/AVP 96 9 0 8 101 110',
  'a=rtpmap:96 opus/48000/2',
  'a=fmtp:96 useinbandfec=1',
  'a=rtpmap:9 G722/8000',
  'a=rtpmap:101 telephone-event/8000',
  'a=rtpmap:110 telephone-event/48000',
  'a=sendrecv',
  '',
].join('\r\n');

const formatsOf = (sdp: string): readonly string[] => readSdp(Buffer.from(sdp)).media[0]!.formats;

async function cast(lists: { alice?: string[]; carrier?: string[] }) {
  const codecs = (list: string[] | undefined) => (list === undefined ? {} : { codecs: list });
  const world = new World({
    objects: {
      users: [
        user('alice', { devices: [{ ...device('alice'), ...codecs(lists.alice) }] }),
        user('bob', { number: '+4930123402' }),
      ],
      trunks: [trunk('carrier', { addresses: [carrierAt], ...codecs(lists.carrier) })],
      routes: [route('+*', { trunk: 'carrier' })],
    },
  });
  const at = { transport: 'tls', port: 40_001 } as const;
  const alice = await registered(world, { name: 'alice', address: '203.0.113.1', ...at, media: 'rtp' });
  const bob = await registered(world, { name: 'bob', address: '203.0.113.2', ...at, media: 'either' });
  const carrier = new Phone(world, { name: '+4989555', address: carrierAt }).listen();
  return { world, alice, bob, carrier };
}

async function over(world: World, ...calls: PhoneCall[]): Promise<void> {
  for (const call of calls) call.end();
  await world.run(120_000);
  assert.deepEqual(leftovers(world), []);
}

test('a trunk is offered its codecs in its order, keys beside them, and nothing else (RFC 3264 §5.1)', async () => {
  const { world, alice, carrier } = await cast({ carrier: ['PCMA', 'g722'] });
  const call = alice.call('+498912345', { sdp: wide });
  await world.until(() => carrier.calls.length === 1);
  const { theirs } = carrier.calls[0]!;
  assert.deepEqual(formatsOf(theirs), ['8', '9', '101', '110']);
  assert.doesNotMatch(theirs, /opus|useinbandfec/);
  carrier.calls[0]!.answer();
  await world.until(() => call.state === 'up');
  // PCMU, which the carrier answers too, is not on its list.
  assert.deepEqual(formatsOf(call.theirs), ['8', '101']);
  await over(world, call);
});

test('a device is kept to its codecs as caller and as called side, in offers and answers (RFC 3264 §6.1)', async () => {
  const { world, alice, bob, carrier } = await cast({ alice: ['pcmu'] });
  const out = alice.call('bob', { sdp: wide });
  await world.until(() => bob.calls.length === 1);
  assert.deepEqual(formatsOf(bob.calls[0]!.theirs), ['0', '101', '110']);
  out.cancel();
  carrier.call(`sip:+4930123402@${domain}`).cancel();
  alice.onInvite = (call) => call.answer();
  const back = bob.call('alice', { sdp: wide.replaceAll('203.0.113.1', '203.0.113.2') });
  await world.until(() => back.state === 'up');
  assert.deepEqual(formatsOf(alice.calls.at(-1)!.theirs), ['0', '101', '110']);
  assert.deepEqual(formatsOf(back.theirs), ['0', '101']);
  // And in re-INVITEs.
  back.reinvite(wide.replaceAll('203.0.113.1', '203.0.113.2').replace('1 1 IN', '1 2 IN'));
  await world.until(() => back.reinviteStatus.length === 1);
  assert.equal(back.reinviteStatus[0], 200);
  assert.deepEqual(formatsOf(alice.calls.at(-1)!.theirs), ['0', '101', '110']);
  await over(world, out, back);
});

test('sides without a codec in common: 488, with the cause media', async () => {
  const { world, alice, carrier } = await cast({ alice: ['opus'], carrier: ['pcma'] });
  const call = alice.call('+498912345', { sdp: wide });
  carrier.onInvite = (one) => one.reject(488);
  await world.until(() => call.state === 'over');
  assert.equal(call.status, 488);
  const none = alice.call('+498912345', {
    sdp: wide.replace(' 96 ', ' ').replace('a=rtpmap:96 opus/48000/2\r\n', ''),
  });
  await world.until(() => none.state === 'over');
  assert.equal(none.status, 488);
  assert.match(none.final!.headers.get('Reason')!, /text="media"/);
  await over(world);
});

test('a trunk that takes none of the offered codecs is not asked: 488 with the cause media, keys are no codec (RFC 3264 §6)', async () => {
  const { world, alice, carrier } = await cast({ carrier: ['g729'] });
  const call = alice.call('+498912345', { sdp: wide });
  await world.until(() => call.state === 'over');
  assert.equal(call.status, 488);
  assert.match(call.final!.headers.get('Reason')!, /text="media"/);
  assert.equal(carrier.calls.length, 0);
  await over(world);
});

test('an emergency call passes with whatever codecs it has', async () => {
  const { world, alice, carrier } = await cast({ alice: ['opus'], carrier: ['pcma'] });
  const call = alice.call('112', { sdp: wide });
  await world.until(() => carrier.calls.length === 1);
  assert.deepEqual(formatsOf(carrier.calls[0]!.theirs), ['96', '9', '0', '8', '101', '110']);
  await over(world, call);
});

test('a transferred party stays within its codecs and those of the new side', async () => {
  const { world, alice, bob, carrier } = await cast({ carrier: ['pcmu'] });
  bob.onInvite = (call) => call.answer();
  const call = alice.call('bob', { sdp: wide });
  await world.until(() => call.state === 'up' && bob.calls[0]?.confirmed === true);
  assert.equal(await bob.calls[0]!.inside('REFER', [['Refer-To', `<sip:+498912345@${domain}>`]]), 202);
  await world.until(() => carrier.calls.length === 1);
  assert.deepEqual(formatsOf(carrier.calls[0]!.theirs).slice(0, 1), ['0']);
  assert.ok(!formatsOf(carrier.calls[0]!.theirs).includes('8'));
  await over(world, call);
});
