import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeResponse } from '@ringfence/sip/message/build.ts';
import { aliceAndBob, leftovers } from '../testing/cast.ts';
import { readSdp } from '../testing/description.ts';
import { user } from '../testing/objects.ts';
import type { Phone, PhoneOptions } from '../testing/phone.ts';
import type { PhoneCall } from '../testing/phone-call.ts';
import { World } from '../testing/world.ts';

interface Connected {
  readonly world: World;
  readonly alice: Phone;
  readonly bob: Phone;
  readonly call: PhoneCall;
  readonly taken: PhoneCall;
}

async function connected(a: Partial<PhoneOptions> = {}, b: Partial<PhoneOptions> = {}): Promise<Connected> {
  const world = new World({ objects: { users: [user('alice'), user('bob')] } });
  const { alice, bob } = await aliceAndBob(world, a, b);
  bob.onInvite = (call) => call.answer();
  const call = alice.call('bob');
  await world.until(() => call.state === 'up' && bob.calls.at(-1)?.confirmed === true);
  return { world, alice, bob, call, taken: bob.calls.at(-1)! };
}

async function over({ world, call }: Connected): Promise<void> {
  call.hangUp();
  await world.run(100_000);
  assert.deepEqual(leftovers(world), []);
  assert.equal(world.finished.length, 1);
}

const directionOf = (sdp: string): string | undefined =>
  /^a=(sendrecv|sendonly|recvonly|inactive)\r$/m.exec(sdp)?.[1];
const keysIn = (sdp: string): string[] => sdp.match(/inline:\S+/g) ?? [];

test('hold and resume from either side, with the keys as they were (RFC 3264 §8.4)', async () => {
  const all = await connected();
  const { world, call, taken } = all;
  const before = { caller: keysIn(call.theirs), callee: taken.theirs };
  for (const [one, other] of [
    [call, taken],
    [taken, call],
  ] as const) {
    one.reinvite(one.again('sendonly'));
    await world.until(() => one.reinviteStatus.length === 1);
    assert.equal(one.reinviteStatus[0], 200);
    assert.equal(directionOf(other.theirs), 'sendonly');
    await world.run(1000);
    one.reinvite(one.again('sendrecv'));
    await world.until(() => one.reinviteStatus.length === 2);
    assert.equal(directionOf(other.theirs), 'sendrecv');
    await world.run(1000);
  }
  assert.deepEqual(keysIn(Buffer.from(call.lastReinvite!.body).toString()), before.caller);
  const agreed = keysIn(taken.theirs);
  assert.equal(agreed.length, 1);
  assert.ok(keysIn(before.callee).includes(agreed[0]!));
  await over(all);
});

test('hold by 0.0.0.0: nothing is sent to the peer until it resumes (RFC 3264 §8.4)', async () => {
  const all = await connected();
  const { world, call } = all;
  const [caller] = [...world.relay.endpoints.values()];
  call.reinvite(call.again('inactive').replace(/^c=.*$/m, 'c=IN IP4 0.0.0.0'));
  await world.until(() => call.reinviteStatus.length === 1);
  assert.equal(caller!.config!.remote, undefined);
  await world.run(1000);
  call.reinvite(call.again('sendrecv'));
  await world.until(() => call.reinviteStatus.length === 2);
  assert.equal(caller!.config!.remote!.address, '203.0.113.1');
  await over(all);
});

test('the o= version counts up and the rest of o= stays (RFC 3264 §8)', async () => {
  const all = await connected();
  const { world, call, taken } = all;
  const first = readSdp(Buffer.from(taken.theirs)).origin;
  call.reinvite(call.again('sendonly'));
  await world.until(() => call.reinviteStatus.length === 1);
  const second = readSdp(Buffer.from(taken.theirs)).origin;
  assert.equal(second.sessionId, first.sessionId);
  assert.equal(second.address, first.address);
  assert.equal(Number(second.version), Number(first.version) + 1);
  await over(all);
});

test('new keys by re-INVITE reach the relay only once the other side has agreed (RFC 4568 §7.1.4)', async () => {
  const all = await connected();
  const { world, call, taken } = all;
  const [caller] = [...world.relay.endpoints.values()];
  const old = caller!.config!.receive!.material;
  taken.onReinvite = () => undefined;
  const fresh = call.describe(true);
  call.reinvite(fresh.text);
  await world.run(500);
  assert.deepEqual(caller!.config!.receive!.material, old);
  taken.onReinvite = (one, transaction, request) => one.acceptReinvite(transaction, request);
  const waiting = taken.reinvites[0]!;
  const server = taken.phone.layer;
  assert.ok(server.size.server > 0);
  taken.hangUp();
  await world.run(100_000);
  assert.equal(waiting.method, 'INVITE');
  assert.deepEqual(caller!.config!.receive!.material, old);

  const again = await connected();
  const [leg] = [...again.world.relay.endpoints.values()];
  const rekeyed = again.call.describe(true);
  again.call.reinvite(rekeyed.text);
  await again.world.until(() => again.call.reinviteStatus.length === 1);
  assert.equal(again.call.reinviteStatus[0], 200);
  assert.deepEqual(leg!.config!.receive!.material, rekeyed.keys[0]!.keys[0].material);
  assert.equal(again.world.eventsOf('call.protection').length, 1);
  await over(again);
});

test('nobody may take the encryption away: 488, and the call goes on as it was (CVE-2022-39269, M6)', async () => {
  const all = await connected();
  const { world, call, taken } = all;
  for (const one of [call, taken]) {
    const plain = one.describe(false).text;
    const stripped = one.again('sendrecv').replace(/^a=crypto.*\r\n/m, '');
    for (const sdp of [plain, stripped, plain.replace('RTP/AVP', 'RTP/AVPF')]) {
      const count = one.reinviteStatus.length;
      one.reinvite(sdp);
      await world.until(() => one.reinviteStatus.length === count + 1);
      assert.equal(one.reinviteStatus.at(-1), 488);
      assert.match(one.lastReinvite!.headers.get('Warning')!, /stays so|a=crypto/);
      await world.run(500);
    }
  }
  assert.equal(call.reinvites.length + taken.reinvites.length, 0);
  for (const { config } of world.relay.endpoints.values()) assert.equal(config!.media, 'srtp');
  await over(all);
});

test('an answer that drops the encryption of a running call changes nothing and is 488 to the one who asked', async () => {
  const all = await connected();
  const { world, call, taken } = all;
  taken.onReinvite = (one, transaction, request) => {
    const headers = [
      ['Contact', one.phone.contact],
      ['Content-Type', 'application/sdp'],
    ] as const;
    const body = Buffer.from(one.describe(false).text);
    one.phone.respond(transaction, makeResponse(request, 200, undefined, { headers, body }));
  };
  call.reinvite(call.again('sendonly'));
  await world.until(() => call.reinviteStatus.length === 1);
  assert.equal(call.reinviteStatus[0], 488);
  for (const { config } of world.relay.endpoints.values()) assert.equal(config!.media, 'srtp');
  await over(all);
});

test('re-INVITE without SDP: our description is offered again with the agreed key alone, the answer is in the ACK (RFC 3261 §14.2)', async () => {
  const all = await connected();
  const { world, call, taken } = all;
  for (const one of [call, taken]) {
    one.reinvite(null);
    await world.until(() => one.reinviteStatus.length === 1);
    assert.equal(one.reinviteStatus[0], 200);
    assert.equal(keysIn(Buffer.from(one.lastReinvite!.body).toString()).length, 1);
    await world.run(1000);
    const material = one.mine!.keys[0]!.keys[0].material;
    assert.ok(
      [...world.relay.endpoints.values()].some(
        ({ config }) => Buffer.compare(config!.receive!.material, material) === 0,
      ),
      'the key of the late answer is in use',
    );
  }
  await over(all);
});

test('both sides re-INVITE at once: 491 for both, and later one gets through (RFC 3261 §14.1)', async () => {
  const all = await connected();
  const { world, call, taken } = all;
  const busy = (one: PhoneCall): void => {
    one.onReinvite = (_, transaction, request) => one.phone.respond(transaction, makeResponse(request, 491));
  };
  busy(call);
  busy(taken);
  call.reinvite(call.again('sendonly'));
  taken.reinvite(taken.again('sendonly'));
  await world.until(() => call.reinviteStatus.length === 1 && taken.reinviteStatus.length === 1);
  assert.deepEqual([call.reinviteStatus[0], taken.reinviteStatus[0]], [491, 491]);
  taken.onReinvite = (one, transaction, request) => one.acceptReinvite(transaction, request);
  await world.run(2000);
  call.reinvite(call.again('sendonly'));
  await world.until(() => call.reinviteStatus.length === 2);
  assert.equal(call.reinviteStatus[1], 200);
  await over(all);
});

test('a refusal of the other side is passed on, and the call goes on; 481 ends it (RFC 3261 §12.2.1.2)', async () => {
  const all = await connected();
  const { world, call, taken } = all;
  for (const [status, heard] of [
    [488, 488],
    [503, 500],
    [401, 502],
  ] as const) {
    taken.onReinvite = (one, transaction, request) =>
      one.phone.respond(transaction, makeResponse(request, status));
    call.reinvite(call.again('sendonly'));
    const count = call.reinviteStatus.length;
    await world.until(() => call.reinviteStatus.length > count || call.reinviteStatus.at(-1) === heard);
    await world.run(500);
    assert.equal(call.reinviteStatus.at(-1), heard);
  }
  assert.equal(world.edge.calls.size, 1);
  taken.onReinvite = (one, transaction, request) =>
    one.phone.respond(transaction, makeResponse(request, 481));
  call.reinvite(call.again('sendonly'));
  await world.until(() => call.hungUpByPeer);
  await over(all);
});

test('a re-INVITE that the other side never answers ends the call', async () => {
  const all = await connected();
  const { world, call, bob } = all;
  bob.dead = true;
  call.reinvite(call.again('sendonly'));
  await world.until(() => call.reinviteStatus.length === 1);
  assert.equal(call.reinviteStatus[0], 408);
  await world.until(() => call.hungUpByPeer);
  await over(all);
});

test('only the ACK of the re-INVITE, from the side that sent it, confirms it', async () => {
  const all = await connected({ transport: 'udp' }, { transport: 'udp' });
  const { world, call } = all;
  call.withholdAck = true;
  call.reinvite(call.again('sendonly'));
  await world.until(() => call.reinviteStatus.length === 1);
  // The ACK of the first INVITE once more, and one of the other side, mean nothing here.
  for (const { text } of world.network.log.filter(({ out, text }) => !out && text.startsWith('ACK')))
    all.alice.raw(text);
  await world.run(40_000);
  assert.equal(call.hungUpByPeer, true);
  await over(all);
});

test('a stream that is added gets ports on both sides, and one that is removed loses its link (RFC 3264 §8.1, §8.2)', async () => {
  const all = await connected();
  const { world, call, taken } = all;
  const audio = call.again('sendrecv');
  const key = keysIn(audio)[0]!;
  const video = [
    'm=video 40010 RTP/SAVP 96',
    'a=rtpmap:96 H264/90000',
    `a=crypto:1 AES_CM_128_HMAC_SHA1_80 ${key}`,
    '',
  ].join('\r\n');
  taken.onReinvite = (one, transaction, request) => {
    const offered = readSdp(request.body);
    assert.equal(offered.media.length, 2);
    const lines = one.again('sendrecv');
    const crypto = /a=crypto:(\d+) (\S+) (inline:\S+)/.exec(
      Buffer.from(request.body).toString().split('m=video')[1]!,
    )!;
    const body = Buffer.from(
      `${lines}m=video 40020 RTP/SAVP 96\r\na=rtpmap:96 H264/90000\r\na=crypto:${crypto[1]} ${crypto[2]} ${crypto[3]}\r\n`,
    );
    const headers = [
      ['Contact', one.phone.contact],
      ['Content-Type', 'application/sdp'],
    ] as const;
    one.phone.respond(transaction, makeResponse(request, 200, undefined, { headers, body }));
  };
  call.reinvite(audio + video);
  await world.until(() => call.reinviteStatus.length === 1);
  assert.equal(call.reinviteStatus[0], 200);
  assert.equal(world.relay.endpoints.size, 4);
  const added = [...world.relay.endpoints.values()].slice(2);
  assert.equal(added[0]!.linked, added[1]!.opened.id);
  assert.equal(added[0]!.config!.clockRates![96], 90_000);
  await over(all);
});

test('a re-INVITE with fewer streams than before is refused (RFC 3264 §8)', async () => {
  const all = await connected();
  const { world, call } = all;
  call.reinvite(call.again('sendrecv').replace(/m=audio[\s\S]*/, ''));
  await world.until(() => call.reinviteStatus.length === 1);
  assert.equal(call.reinviteStatus[0], 488);
  await over(all);
});

test('what a dialog does not serve gets 405, OPTIONS 200, an old CSeq 500 (RFC 3261 §12.2.2)', async () => {
  const all = await connected();
  const { call } = all;
  assert.equal(await call.inside('OPTIONS'), 200);
  assert.equal(await call.inside('PUBLISH'), 405);
  assert.equal(await call.inside('SUBSCRIBE'), 489);
  assert.equal(await call.inside('NOTIFY'), 481);
  const late = call.dialog!.request('OPTIONS');
  const response = await all.alice.request({ ...late, cseq: { number: 1, method: 'OPTIONS' } });
  assert.equal(typeof response === 'string' ? response : response.status, 500);
  await over(all);
});
