import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cryptoLines } from '@ringfence/sdp/crypto.ts';
import { makeResponse } from '@ringfence/sip/message/build.ts';
import type { SipRequest } from '@ringfence/sip/message/types.ts';
import type { ServerTransaction } from '@ringfence/sip/transaction/transaction.ts';
import type { Configuration } from '../config/schema.ts';
import { aliceAndBob, leftovers, registered } from '../testing/cast.ts';
import { readSdp } from '../testing/description.ts';
import { user } from '../testing/objects.ts';
import type { PhoneCall } from '../testing/phone-call.ts';
import { naming, talk, transferCast } from '../testing/transfer-cast.ts';
import { World } from '../testing/world.ts';

/** Asks for no encryption, and got it: as bound to it as everybody. */
const undemanding = (name: string) => user(name, { encryption: 'none' });

interface Talking {
  readonly world: World;
  readonly call: PhoneCall;
  readonly taken: PhoneCall;
}

async function talking(): Promise<Talking> {
  const world = new World({ objects: { users: [undemanding('alice'), user('bob')] } });
  const { alice, bob } = await aliceAndBob(world, { listener: 'open' });
  const [call, taken] = await talk(world, alice, bob, 'bob');
  return { world, call, taken };
}

const media = (world: World): string[] =>
  [...world.relay.endpoints.values()].map(({ config }) => config?.media ?? '').sort();

/** Both sides are encrypted as they were, nobody was told that less would do, and nothing is left after the end. */
async function held(world: World, ...calls: PhoneCall[]): Promise<void> {
  assert.deepEqual(media(world), ['srtp', 'srtp']);
  assert.deepEqual(world.eventsOf('call.downgraded'), []);
  for (const call of calls) call.end();
  await world.run(120_000);
  assert.deepEqual(leftovers(world), []);
}

async function reinvite(world: World, one: PhoneCall, sdp: string): Promise<number> {
  const count = one.reinviteStatus.length;
  one.reinvite(sdp);
  await world.until(() => one.reinviteStatus.length > count);
  await world.run(500);
  return one.reinviteStatus.at(-1)!;
}

/** The encrypted stream goes, or stays, and a plain one comes. */
const beside = (call: PhoneCall, port: number): string => {
  const [mine, plain] = [call.again('sendrecv'), call.describe(false).text];
  return mine.replace(/^m=audio \d+/m, `m=audio ${port}`) + plain.slice(plain.indexOf('m=audio'));
};

test('M6: re-INVITE: without keys, by another profile, or as a plain stream in place of the encrypted one or beside it (CVE-2022-39269)', async () => {
  const { world, call, taken } = await talking();
  for (const one of [call, taken]) {
    const plain = one.describe(false).text;
    for (const sdp of [
      plain,
      plain.replace('RTP/AVP', 'RTP/AVPF'),
      one.again('sendrecv').replace(/^a=crypto.*\r\n/m, ''),
      beside(one, 0),
      beside(one, 40_000),
    ]) {
      assert.equal(await reinvite(world, one, sdp), 488, sdp);
      assert.match(one.lastReinvite!.headers.get('Warning')!, /stays so|a=crypto/);
    }
  }
  await held(world, call);
});

test('re-INVITE: a stream that the peer of a call adds is encrypted on the other side too, even where nobody asks for it (CVE-2022-39269)', async () => {
  const { world, call, taken } = await talking();
  const keyed = taken.again('sendrecv');
  const more = taken.describe(true).text;
  taken.reinvite(keyed + more.slice(more.indexOf('m=audio')));
  await world.until(() => call.reinvites.length === 1);
  const offered = readSdp(call.reinvites[0]!.body);
  assert.deepEqual(
    offered.media.map(({ protocol }) => protocol),
    ['RTP/SAVP', 'RTP/SAVP'],
  );
  for (const stream of offered.media) assert.ok(cryptoLines(stream).acceptable.length > 0);
  await world.run(1000);
  call.end();
  await world.run(120_000);
  assert.deepEqual(leftovers(world), []);
});

test('UPDATE: what takes the keys away is 488 (RFC 3311 §5.2, CVE-2022-39269)', async () => {
  const { world, call, taken } = await talking();
  for (const one of [call, taken]) {
    const response = await one.update(one.describe(false).text);
    assert.equal(typeof response === 'string' ? response : response.status, 488);
    await world.run(500);
  }
  await held(world, call);
});

test('an answer in mid-call that leaves the keys out is 488 to who asked, and nothing changes (CVE-2022-39269)', async () => {
  const { world, call, taken } = await talking();
  call.onReinvite = plainly;
  assert.equal(await reinvite(world, taken, taken.again('sendonly')), 488);
  await held(world, call);
});

test('REFER: whoever is transferred is asked for its keys, not for plain RTP, whatever is demanded of it (CVE-2022-39269)', async () => {
  const { world, alice, bob, carol } = await transferCast(
    { objects: { users: [undemanding('alice'), user('bob'), undemanding('carol')] } },
    { alice: { listener: 'open' }, carol: { listener: 'open' } },
  );
  const [call, taken] = await talk(world, alice, bob, 'bob');
  const [second] = await talk(world, carol, bob, 'bob');
  // Attended: Alice and Carol, of whom nothing is demanded, are joined. Both had keys.
  assert.equal(await taken.inside('REFER', [['Refer-To', naming(bob.calls[1]!, 'carol@example.test')]]), 202);
  await world.until(() => taken.hungUpByPeer && bob.calls[1]!.hungUpByPeer);
  await world.run(1000);
  for (const one of [call, second])
    assert.equal(readSdp(Buffer.from(one.theirs)).media[0]!.protocol, 'RTP/SAVP');
  await held(world, call);
});

test('REFER: a party that answers its re-INVITE without keys is let go, and its voice goes nowhere (CVE-2022-39269)', async () => {
  const { world, alice, bob, carol } = await transferCast();
  const [call, taken] = await talk(world, alice, bob, 'bob');
  call.onReinvite = plainly;
  carol.onInvite = (third) => third.answer();
  assert.equal(await taken.inside('REFER', [['Refer-To', '<sip:carol@example.test>']]), 202);
  await world.until(() => carol.calls.length === 1);
  await world.run(5000);
  assert.equal(media(world).includes('rtp'), false);
  for (const one of [call, taken, carol.calls[0]!]) one.end();
  await world.run(120_000);
  assert.deepEqual(leftovers(world), []);
});

test('Replaces: the party that stays keeps its keys when somebody else takes the place of the other (RFC 3891 §3, CVE-2022-39269)', async () => {
  const config = (defaults: Configuration): Configuration => ({
    ...defaults,
    calls: { ...defaults.calls, pickup: 'tenant' },
  });
  const { world, alice, bob, carol } = await transferCast(
    { config, objects: { users: [undemanding('alice'), user('bob'), user('carol')] } },
    { alice: { listener: 'open' } },
  );
  const [call, taken] = await talk(world, alice, bob, 'bob');
  const { dialog } = taken;
  const value = `${dialog!.callId};to-tag=${dialog!.remoteTag};from-tag=${dialog!.localTag}`;
  const picked = carol.call('bob', { headers: [['Replaces', value]] });
  await world.until(() => picked.state === 'up' && taken.hungUpByPeer);
  await world.run(500);
  assert.equal(readSdp(Buffer.from(call.theirs)).media[0]!.protocol, 'RTP/SAVP');
  await held(world, call);
});

test('death of the media process: new keys on both sides; who answers without is hung up (CVE-2022-39269)', async () => {
  const { world, call } = await talking();
  world.replaceRelay();
  await world.until(() => world.eventsOf('call.media-recovered').length === 1, 2000);
  // Whoever holds the keys now is told anew.
  assert.equal(world.eventsOf('call.protection').at(-1)!.grade, 'hop-by-hop');
  await held(world, call);

  const other = await talking();
  other.call.onReinvite = plainly;
  other.world.replaceRelay();
  await other.world.until(() => other.call.hungUpByPeer);
  assert.equal(media(other.world).includes('rtp'), false);
  await other.world.run(120_000);
  assert.deepEqual(leftovers(other.world), []);
  assert.equal(other.world.finished.at(-1)!.cause, 'media');
});

test('take-over by another process: what was encrypted stays so, though its keys are not known here (CVE-2022-39269)', async () => {
  const { world, call, taken } = await talking();
  await world.run(1000);
  const [open] = await world.store.openCalls();
  const endpoints = new Set(world.relay.endpoints.keys());
  world.edge.calls.clear();
  assert.equal(world.edge.restore([open!], { relay: world.relay, endpoints, recent: true }).taken.size, 1);
  for (const one of [call, taken]) {
    assert.equal(await reinvite(world, one, one.describe(false).text), 488);
    assert.equal(await reinvite(world, one, beside(one, 0)), 488);
  }
  await held(world, call);
});

test('failover: an answer without keys of one phone does not make the others do without (CVE-2022-39269)', async () => {
  const world = new World({ objects: { users: [user('alice'), user('bob')] } });
  const { alice, bob } = await aliceAndBob(world);
  const other = await registered(world, {
    name: 'bob',
    transport: 'tls',
    address: '203.0.113.9',
    port: 40_009,
    media: 'srtp',
  });
  bob.onInvite = (one) => one.answer(one.describe(false).text);
  other.onInvite = (one) => void world.time.after(500, () => one.answer());
  const call = alice.call('bob');
  await world.until(() => call.state === 'up');
  await world.run(1000);
  assert.equal(bob.calls[0]!.hungUpByPeer, true);
  await held(world, call);
});

test('forked answers: an early dialog with keys and a final one without: the call is not taken (RFC 3261 §12.1.2, CVE-2022-39269)', async () => {
  const world = new World({ objects: { users: [user('alice'), user('bob')] } });
  const { alice, bob } = await aliceAndBob(world);
  bob.onInvite = (one) => one.early();
  const call = alice.call('bob');
  await world.until(() => call.provisional.some(({ status }) => status === 183));
  bob.calls[0]!.answer(bob.calls[0]!.describe(false).text);
  await world.until(() => call.state === 'over');
  assert.equal(call.status, 488);
  await world.run(120_000);
  assert.deepEqual(leftovers(world), []);
});

test('signalling that came encrypted is not taken over from a plain connection, tags in hand or not', async () => {
  const { world, call } = await talking();
  const plain = await registered(world, {
    name: 'alice',
    transport: 'udp',
    address: '203.0.113.7',
    listener: 'open',
  });
  const request = call.dialog!.request('INVITE', {
    contact: plain.contact,
    body: Buffer.from(call.describe(false).text),
  });
  const response = await plain.request(request);
  assert.equal(typeof response === 'string' ? response : response.status, 403);
  await held(world, call);
});

function plainly(one: PhoneCall, transaction: ServerTransaction, request: SipRequest): void {
  const headers = [
    ['Contact', one.phone.contact],
    ['Content-Type', 'application/sdp'],
  ] as const;
  const body = Buffer.from(one.describe(false).text);
  one.phone.respond(transaction, makeResponse(request, 200, undefined, { headers, body }));
}
