import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hasAttribute } from '@ringfence/sdp/attribute.ts';
import { serializeZrtpHash, zrtpHash } from '@ringfence/sdp/zrtp.ts';
import type { ZrtpPolicy } from '../config/zrtp.ts';
import { aliceAndBob, leftovers } from '../testing/cast.ts';
import { readSdp } from '../testing/description.ts';
import type { FakeEndpoint } from '../testing/fakes.ts';
import { user } from '../testing/objects.ts';
import type { PhoneCall } from '../testing/phone-call.ts';
import { World } from '../testing/world.ts';

const hashOf = (fill: number): string =>
  serializeZrtpHash({ version: '1.10', value: new Uint8Array(32).fill(fill) });
const aliceHash = hashOf(0xa1);
const bobHash = hashOf(0xb0);

const described = (port: number, address: string, ...lines: readonly string[]): string =>
  [
    'v=0',
    `o=phone 4711 1 IN IP4 ${address}`,
    's=call',
    `c=IN IP4 ${address}`,
    't=0 0',
    `m=audio ${port} RTP/AVP 8`,
    'a=rtpmap:8 PCMA/8000',
    ...lines,
    'a=sendrecv',
    '',
  ].join('\r\n');

const said = (body: Uint8Array): string | undefined => {
  const session = readSdp(body);
  const hash = zrtpHash(session, session.media[0]!);
  return hash === undefined ? undefined : serializeZrtpHash(hash);
};

async function called(policy: ZrtpPolicy, alice: string | undefined, bob: string | undefined) {
  const world = new World({
    objects: { users: [user('alice', { encryption: 'none' }), user('bob', { encryption: 'none' })] },
    config: (config) => ({ ...config, media: { ...config.media, zrtp: { ...config.media.zrtp, policy } } }),
  });
  const habit = { transport: 'udp', media: 'rtp', listener: 'open' } as const;
  const phones = await aliceAndBob(world, habit, habit);
  const line = (hash: string | undefined): string[] => (hash === undefined ? [] : [`a=zrtp-hash:${hash}`]);
  const call = phones.alice.call('bob', { sdp: described(4000, '203.0.113.1', ...line(alice)) });
  await world.until(() => phones.bob.calls.length === 1);
  const taken = phones.bob.calls[0] as PhoneCall;
  const offered = taken.request!.body;
  taken.answer(described(5000, '203.0.113.2', ...line(bob)));
  await world.until(() => call.state === 'up');
  const [near, far] = world.relay.all as [FakeEndpoint, FakeEndpoint];
  const over = async (): Promise<void> => {
    call.hangUp();
    await world.run(120_000);
    assert.deepEqual(leftovers(world), []);
  };
  return { world, ...phones, call, taken, offered, answered: call.final!.body, near, far, over };
}

const own = ({ opened }: FakeEndpoint): string =>
  serializeZrtpHash({ version: '1.10', value: opened.zrtp?.helloHash ?? new Uint8Array(32) });

test('RFC 6189 §8: where ZRTP passes, each end is told the hash of the other, and the media process both', async () => {
  const { offered, answered, near, far, over } = await called('pass', aliceHash, bobHash);
  assert.equal(said(offered), aliceHash);
  assert.equal(said(answered), bobHash);
  const config = (fill: number) => ({
    mode: 'pass',
    demanded: false,
    helloHash: new Uint8Array(32).fill(fill),
  });
  assert.deepEqual(near.config?.zrtp, config(0xa1));
  assert.deepEqual(far.config?.zrtp, config(0xb0));
  assert.equal(near.opened.zrtp, undefined, 'no Hello of ours is made');
  await over();
});

test('ZRTP passes between phones that say nothing of it in SDP', async () => {
  const { offered, answered, near, far, over } = await called('pass', undefined, undefined);
  assert.equal(said(offered) ?? said(answered), undefined);
  assert.deepEqual(near.config?.zrtp, { mode: 'pass', demanded: false });
  assert.deepEqual(far.config?.zrtp, { mode: 'pass', demanded: false });
  await over();
});

test('with ZRTP off no hash goes on, and the media process lets none of it through', async () => {
  const { offered, answered, near, far, over } = await called('off', aliceHash, bobHash);
  assert.ok(!hasAttribute(readSdp(offered).media[0]!, 'zrtp-hash'));
  assert.ok(!hasAttribute(readSdp(answered).media[0]!, 'zrtp-hash'));
  assert.equal(near.config?.zrtp ?? far.config?.zrtp, undefined);
  await over();
});

test('RFC 6189 §8: ZRTP that may end here passes all the same where both ends have named their Hello', async () => {
  const { offered, answered, near, far, over } = await called('end', aliceHash, bobHash);
  assert.equal(said(offered), aliceHash);
  assert.equal(said(answered), bobHash);
  assert.equal(near.config?.zrtp?.mode, 'pass');
  assert.equal(far.config?.zrtp?.mode, 'pass');
  await over();
});

test('ZRTP ends here for the one whose far side has none, with a Hello of ours', async () => {
  const { answered, near, over } = await called('end', aliceHash, undefined);
  assert.equal(said(answered), own(near));
  assert.notEqual(said(answered), aliceHash);
  assert.deepEqual(near.config?.zrtp, {
    mode: 'end',
    demanded: false,
    helloHash: new Uint8Array(32).fill(0xa1),
  });
  await over();
});

test('a called phone with ZRTP is offered our Hello where the caller has none', async () => {
  const { offered, far, over } = await called('end', undefined, bobHash);
  assert.equal(said(offered), own(far));
  assert.deepEqual(far.config?.zrtp, {
    mode: 'end',
    demanded: false,
    helloHash: new Uint8Array(32).fill(0xb0),
  });
  await over();
});

test('hold and resume leave ZRTP as it was agreed', async () => {
  for (const policy of ['pass', 'end'] as const) {
    const { world, call, taken, near, far, over } = await called(policy, aliceHash, bobHash);
    const before = [near.config?.zrtp, far.config?.zrtp];
    taken.onReinvite = (one, transaction, request) => {
      assert.equal(said(request.body), aliceHash);
      one.acceptReinvite(transaction, request, described(5000, '203.0.113.2', `a=zrtp-hash:${bobHash}`));
    };
    const hold = described(4000, '203.0.113.1', `a=zrtp-hash:${aliceHash}`).replace('sendrecv', 'sendonly');
    call.reinvite(hold);
    await world.until(() => call.lastReinvite !== undefined);
    assert.equal(said(call.lastReinvite!.body), bobHash);
    assert.deepEqual([near.config?.zrtp, far.config?.zrtp], before);
    await over();
  }
});

test('a stream that is SRTP already carries no hash of a Hello', async () => {
  const world = new World({ objects: { users: [user('alice'), user('bob')] } });
  const { alice, bob } = await aliceAndBob(world);
  const key = Buffer.alloc(30, 7).toString('base64');
  const sdp = described(
    4000,
    '203.0.113.1',
    `a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:${key}`,
    `a=zrtp-hash:${aliceHash}`,
  ).replace('RTP/AVP', 'RTP/SAVP');
  alice.call('bob', { sdp });
  await world.until(() => bob.calls.length === 1);
  assert.ok(!Buffer.from((bob.calls[0] as PhoneCall).request!.body).includes('zrtp-hash'));
});

test('a device that speaks ZRTP is offered plain RTP for it, where its side only prefers encryption', async () => {
  const world = new World({
    objects: { users: [user('alice', { encryption: 'none' }), user('bob', { zrtp: 'pass' })] },
  });
  const { alice, bob } = await aliceAndBob(
    world,
    { transport: 'udp', media: 'rtp', listener: 'open' },
    { media: 'rtp' },
  );
  alice.call('bob', { sdp: described(4000, '203.0.113.1', `a=zrtp-hash:${aliceHash}`) });
  await world.until(() => bob.calls.length === 1);
  const offered = readSdp((bob.calls[0] as PhoneCall).request!.body);
  assert.equal(offered.media[0]?.protocol, 'RTP/AVP');
  assert.equal(said((bob.calls[0] as PhoneCall).request!.body), aliceHash);
});

test('where ZRTP is demanded, RTP that becomes SRTP by it is as good as SRTP, and is not heard without', async () => {
  const world = new World({
    objects: {
      users: [user('alice', { encryption: 'required', zrtp: 'demand' }), user('bob', { encryption: 'none' })],
    },
  });
  const { alice, bob } = await aliceAndBob(
    world,
    { media: 'rtp', listener: 'guarded' },
    { transport: 'udp', media: 'rtp', listener: 'open' },
  );
  const call = alice.call('bob', { sdp: described(4000, '203.0.113.1', `a=zrtp-hash:${aliceHash}`) });
  await world.until(() => bob.calls.length === 1);
  (bob.calls[0] as PhoneCall).answer(described(5000, '203.0.113.2'));
  await world.until(() => call.state === 'up');
  const near = world.relay.all[0] as FakeEndpoint;
  assert.equal(said(call.final!.body), own(near));
  assert.deepEqual(near.config?.zrtp, {
    mode: 'end',
    demanded: true,
    helloHash: new Uint8Array(32).fill(0xa1),
  });
});

test('where ZRTP is demanded, nothing passes of a stream that cannot have it', async () => {
  const world = new World({ objects: { users: [user('alice', { zrtp: 'demand' }), user('bob')] } });
  const { alice, bob } = await aliceAndBob(world);
  const call = alice.call('bob');
  await world.until(() => bob.calls.length === 1);
  (bob.calls[0] as PhoneCall).answer();
  await world.until(() => call.state === 'up');
  const [near] = world.relay.all as [FakeEndpoint];
  assert.deepEqual([near.config?.media, near.config?.accept, near.config?.emit], ['srtp', false, false]);
});
