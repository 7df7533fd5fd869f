import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Secret } from '@ringfence/bytes/secret.ts';
import { makeResponse } from '@ringfence/sip/message/build.ts';
import type { SipRequest, SipResponse } from '@ringfence/sip/message/types.ts';
import { aliceAndBob } from '../testing/cast.ts';
import { user } from '../testing/objects.ts';
import { over, trunkCast } from '../testing/trunk-cast.ts';
import { World } from '../testing/world.ts';

const outbound = { username: 'us', password: Secret.fromText('our-secret'), allowMd5: true };

/** A challenge that whoever is called has made up: an answer to it could be guessed at offline. */
const bait = (request: SipRequest, realm: string, status = 407): SipResponse =>
  makeResponse(request, status, undefined, {
    toTag: 'bait',
    headers: [
      [
        status === 407 ? 'Proxy-Authenticate' : 'WWW-Authenticate',
        `Digest realm="${realm}", nonce="chosen", algorithm=MD5`,
      ],
    ],
  });

const credentialsIn = (texts: readonly string[]): string[] =>
  texts.filter((text) => /^(Proxy-)?Authorization:/im.test(text));
const challengesIn = (texts: readonly string[]): string[] =>
  texts.filter((text) => /^(Proxy|WWW)-Authenticate:/im.test(text));

for (const status of [401, 407])
  test(`S6: ${status} to a BYE or re-INVITE, in a realm that the trunk has never used, is not answered (CVE-2021-41158)`, async () => {
    const { world, alice, carrier } = await trunkCast({ outbound });
    carrier.onInvite = (call) => call.answer();
    const call = alice.call('+49894321');
    await world.until(() => call.state === 'up');
    await world.run(500);
    const before = challengesIn(world.sentTo('203.0.113.1')).length;
    carrier.refuse = (request) =>
      request.method === 'ACK' ? undefined : bait(request, 'attacker.example', status);
    call.reinvite(call.again('sendonly'));
    await world.until(() => call.reinviteStatus.length === 1);
    call.hangUp();
    await over(world);
    assert.deepEqual(credentialsIn(world.sentTo('192.0.2.10')), []);
    assert.equal(challengesIn(world.sentTo('203.0.113.1')).length, before, 'nor passed to the phone');
  });

test('S6: within a call the realm that the trunk asked in before is answered, and no other beside it', async () => {
  const { world, alice, carrier } = await trunkCast({ outbound });
  const seen = new Set<string>();
  let realm = 'carrier.example';
  carrier.refuse = (request) => {
    if (request.method === 'ACK' || request.headers.has('Proxy-Authorization')) {
      if (request.method !== 'ACK') seen.add(`${request.method} ${realm}`);
      return undefined;
    }
    return bait(request, realm);
  };
  carrier.onInvite = (call) => call.answer();
  const call = alice.call('+49894321');
  await world.until(() => call.state === 'up');
  await world.run(500);
  realm = 'attacker.example';
  call.reinvite(call.again('sendonly'));
  await world.until(() => call.reinviteStatus.length === 1);
  realm = 'carrier.example';
  call.hangUp();
  await over(world);
  assert.deepEqual([...seen], ['INVITE carrier.example', 'BYE carrier.example']);
});

test('S6: `realm` of a trunk is the only one that is answered, outside of calls too', async () => {
  for (const [asked, status] of [
    ['attacker.example', 502],
    ['carrier.example', 200],
  ] as const) {
    const { world, alice, carrier } = await trunkCast({ outbound, realm: 'carrier.example' });
    carrier.refuse = (request) =>
      request.method !== 'INVITE' || request.headers.has('Authorization')
        ? undefined
        : bait(request, asked, 401);
    carrier.onInvite = (call) => call.answer();
    const call = alice.call('+49894321');
    await world.until(() => call.state === 'up' || call.state === 'over');
    assert.equal(call.state === 'up' ? 200 : call.status, status, asked);
    assert.equal(credentialsIn(world.sentTo('192.0.2.10')).length > 0, status === 200, asked);
    if (call.state === 'up') call.hangUp();
    await over(world);
  }
});

test('S6: a called phone that challenges whatever it is sent gets no credentials, and its challenge reaches nobody', async () => {
  const world = new World({ objects: { users: [user('alice'), user('bob')] } });
  const { alice, bob } = await aliceAndBob(world);
  bob.onInvite = (call) => call.answer();
  const call = alice.call('bob');
  await world.until(() => call.state === 'up');
  const before = challengesIn(world.sentTo('203.0.113.1')).length;
  const sent = credentialsIn(world.sentTo('203.0.113.2')).length;
  bob.refuse = (request) => (request.method === 'ACK' ? undefined : bait(request, 'example.test'));
  call.reinvite(call.again('sendonly'));
  await world.until(() => call.reinviteStatus.length === 1);
  assert.notEqual(call.reinviteStatus[0], 407);
  call.hangUp();
  await world.run(64_000);
  const again = alice.call('bob');
  await world.until(() => again.state === 'over');
  assert.equal(again.status, 502);
  assert.equal(challengesIn(world.sentTo('203.0.113.1')).filter((text) => text.includes('chosen')).length, 0);
  assert.equal(credentialsIn(world.sentTo('203.0.113.2')).length, sent);
  // The challenges that alice did get are the edge's own, for her own calls.
  assert.ok(challengesIn(world.sentTo('203.0.113.1')).length >= before);
});
