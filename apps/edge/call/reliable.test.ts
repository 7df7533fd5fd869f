import assert from 'node:assert/strict';
import { test } from 'node:test';
import { aliceAndBob, leftovers } from '../testing/cast.ts';
import { readSdp } from '../testing/description.ts';
import { user } from '../testing/objects.ts';
import type { Phone, PhoneOptions } from '../testing/phone.ts';
import type { PhoneCall } from '../testing/phone-call.ts';
import { World } from '../testing/world.ts';

const plain = { transport: 'udp', media: 'rtp' } as const;
const supports = {
  says: [
    ['Supported', '100rel'],
    ['Allow', 'INVITE, ACK, CANCEL, BYE, PRACK, UPDATE'],
  ],
} as const;
const requires = { says: [['Require', '100rel']] } as const;

async function ringing(
  a: Partial<PhoneOptions> = {},
  b: Partial<PhoneOptions> = {},
  sdp?: null,
): Promise<{ world: World; alice: Phone; bob: Phone; call: PhoneCall; rung: PhoneCall }> {
  const world = new World({ objects: { users: [user('alice'), user('bob')] } });
  const { alice, bob } = await aliceAndBob(world, { ...plain, ...a }, { media: 'srtp', ...b });
  const call = alice.call('bob', sdp === undefined ? {} : { sdp });
  await world.until(() => bob.calls.length === 1);
  return { world, alice, bob, call, rung: bob.calls[0]! };
}

async function over(world: World, call: PhoneCall): Promise<void> {
  call.hangUp();
  await world.run(100_000);
  assert.deepEqual(leftovers(world), []);
  assert.equal(world.finished.length, 1);
}

const reliable = (call: PhoneCall): number[] =>
  call.provisional.flatMap(({ status, headers }) => (headers.has('RSeq') ? [status] : []));
const settled = (call: PhoneCall, rung: PhoneCall): boolean => call.state === 'up' && rung.confirmed;

test('RFC 3262 §4: a reliable 183 of the called side gets its PRACK, also where the caller knows nothing of it', async () => {
  const { world, call, rung } = await ringing();
  assert.match(rung.request!.headers.get('Supported')!, /100rel/);
  rung.earlyReliably();
  await world.until(() => rung.pracks.length === 1 && call.provisional.some(({ status }) => status === 183));
  assert.equal(rung.pracks[0]!.headers.get('RAck'), `101 ${rung.request!.cseq.number} INVITE`);
  assert.deepEqual(reliable(call), []);
  assert.equal(rung.pracks[0]!.body.length, 0);
  // Offer and answer are done: the 200 has no SDP, the caller's has.
  rung.answerBare();
  await world.until(() => settled(call, rung));
  assert.ok(call.final!.body.length > 0);
  assert.equal(rung.state, 'up');
  const [caller, callee] = [...world.relay.endpoints.values()];
  assert.equal(caller!.linked, callee!.opened.id);
  await over(world, call);
});

test('RFC 3262 §3: a caller that can is told reliably what the called side says reliably; the 2xx has no SDP then (RFC 6337 §2.1 pattern 3, §3.1.1)', async () => {
  const { world, call, rung } = await ringing(supports);
  rung.earlyReliably();
  await world.until(() => call.prackAnswers.length === 1);
  assert.deepEqual(reliable(call), [183]);
  assert.equal(call.prackAnswers[0]!.status, 200);
  rung.answerBare();
  await world.until(() => settled(call, rung));
  assert.equal(call.final!.body.length, 0);
  await over(world, call);
});

test('RFC 3262 §3: a caller that supports it, and a called side that does not use it, cost no PRACK', async () => {
  const { world, call, rung } = await ringing(supports);
  rung.ring();
  await world.until(() => call.state === 'ringing');
  rung.answer();
  await world.until(() => settled(call, rung));
  assert.deepEqual(reliable(call), []);
  assert.equal(call.prackAnswers.length + rung.pracks.length, 0);
  await over(world, call);
});

test('RFC 3262 §3: a caller that requires it is told everything reliably, one after the other, whatever the called side knows', async () => {
  const { world, call, rung } = await ringing(requires);
  call.withholdPrack = true;
  rung.ring();
  rung.early();
  await world.run(300);
  // The next waits for the PRACK of the one before.
  assert.deepEqual(reliable(call), [180]);
  call.withholdPrack = false;
  await world.until(() => reliable(call).includes(183));
  const numbers = call.provisional.map(({ headers }) => Number(headers.get('RSeq'))).filter((one) => one > 0);
  assert.equal(new Set(numbers).size, 2);
  assert.equal(Math.max(...numbers) - Math.min(...numbers), 1);
  assert.ok(Math.min(...numbers) >= 1 && Math.max(...numbers) < 2 ** 31);
  rung.answer();
  await world.until(() => settled(call, rung));
  assert.equal(rung.pracks.length, 0);
  await over(world, call);
});

test('RFC 3262 §3: repeated after T1, doubling; without PRACK in 64*T1 the INVITE is refused with 5xx', async () => {
  const { world, call, rung, alice } = await ringing({ ...requires, transport: 'tls', media: 'srtp' });
  call.withholdPrack = true;
  const began = world.time.now;
  rung.ring();
  await world.until(() => call.state === 'over');
  assert.equal(call.status, 504);
  assert.ok(Math.abs(world.time.now - began - 32_000) < 100);
  const repeats = alice.heard.filter((one) => one.kind === 'response' && one.status === 180);
  assert.equal(repeats.length, 7);
  await world.run(100_000);
  assert.equal(rung.wasCancelled, true);
  assert.deepEqual(leftovers(world), []);
});

test('RFC 3262 §3: a 2xx waits for the PRACK of a reliable response with a description', async () => {
  const { world, call, rung } = await ringing(supports);
  call.withholdPrack = true;
  rung.earlyReliably();
  await world.until(() => reliable(call).length > 0);
  rung.answerBare();
  await world.run(400);
  assert.equal(call.final, undefined);
  call.withholdPrack = false;
  await world.until(() => settled(call, rung));
  await over(world, call);
});

test('a caller that never sends PRACK cannot keep an answered call: both sides end', async () => {
  const { world, call, rung } = await ringing(supports);
  call.withholdPrack = true;
  rung.earlyReliably();
  await world.until(() => reliable(call).length > 0);
  rung.answerBare();
  await world.until(() => call.state === 'over' && rung.hungUpByPeer);
  assert.equal(call.status, 504);
  await world.run(100_000);
  assert.deepEqual(leftovers(world), []);
});

test('RFC 3262 §3: a PRACK that acknowledges nothing gets 481, and one on its way when the call is taken 200', async () => {
  const { world, call, rung } = await ringing(supports);
  call.withholdPrack = true;
  rung.ringReliably(180);
  await world.until(() => reliable(call).length > 0);
  const { headers, cseq } = call.provisional.at(-1)!;
  const rseq = Number(headers.get('RSeq'));
  for (const rack of [
    `${rseq + 1} ${cseq.number} INVITE`,
    `${rseq} ${cseq.number + 1} INVITE`,
    `${rseq} ${cseq.number} UPDATE`,
    'x',
  ]) {
    const count = call.prackAnswers.length;
    void call.prack(rack);
    await world.until(() => call.prackAnswers.length > count);
    assert.equal(call.prackAnswers.at(-1)!.status, 481, rack);
  }
  rung.answer();
  await world.until(() => settled(call, rung));
  void call.prack(`${rseq} ${cseq.number} INVITE`);
  await world.until(() => call.prackAnswers.length === 5);
  assert.equal(call.prackAnswers.at(-1)!.status, 200);
  await over(world, call);
});

test('RFC 3262 §4: reliable responses out of order are neither acknowledged nor heard', async () => {
  const { world, bob, call, rung } = await ringing();
  rung.ringReliably(180);
  await world.until(() => rung.pracks.length === 1);
  const said = world.network.log.findLast(({ out, text }) => !out && text.startsWith('SIP/2.0 180'))!.text;
  for (const rseq of [101, 103, 100]) bob.raw(said.replace('RSeq: 101', `RSeq: ${rseq}`));
  await world.run(500);
  assert.equal(rung.pracks.length, 1);
  bob.raw(said.replace('RSeq: 101', 'RSeq: 102'));
  await world.until(() => rung.pracks.length === 2);
  rung.answer();
  await world.until(() => settled(call, rung));
  await over(world, call);
});

test('RFC 3262 §5, RFC 6337 §2.1 pattern 4: without SDP in the INVITE the offer is in a reliable 183, the answer in PRACK', async () => {
  const { world, call, rung } = await ringing({ ...supports, media: 'either' }, {}, null);
  assert.match(rung.request!.headers.get('Supported')!, /100rel/);
  rung.earlyReliably();
  await world.until(() => rung.pracks.length === 1 && call.prackAnswers.length === 1);
  assert.equal(readSdp(Buffer.from(rung.pracks[0]!.body)).media[0]!.protocol, 'RTP/SAVP');
  const [callee, caller] = [...world.relay.endpoints.values()];
  assert.equal(caller!.linked, callee!.opened.id);
  assert.deepEqual(callee!.config!.receive!.material, rung.mine!.keys[0]!.keys[0].material);
  rung.answerBare();
  await world.until(() => settled(call, rung));
  assert.equal(call.final!.body.length, 0);
  await over(world, call);
});

test('an answer in PRACK without the encryption that policy asks for ends the call with 488', async () => {
  const world = new World({
    objects: { users: [user('alice', { encryption: 'required' }), user('bob')] },
  });
  const { alice, bob } = await aliceAndBob(world, { ...supports });
  const call = alice.call('bob', { sdp: null });
  call.onReliable = (one) => one.describe(false).text;
  await world.until(() => bob.calls.length === 1);
  bob.calls[0]!.earlyReliably();
  await world.until(() => call.state === 'over' && bob.calls[0]!.wasCancelled);
  assert.equal(call.status, 488);
  await world.run(100_000);
  assert.deepEqual(leftovers(world), []);
});

test('a caller without 100rel and without an offer: the called side is not told that it could make one early', async () => {
  const { world, call, rung } = await ringing({}, {}, null);
  assert.doesNotMatch(rung.request!.headers.get('Supported') ?? '', /100rel/);
  rung.answer();
  await world.until(() => settled(call, rung));
  await over(world, call);
});

test('RFC 3311 §5.1, RFC 6337 §2.1 pattern 6: UPDATE before the answer goes on by UPDATE where both have agreed reliably', async () => {
  const { world, call, rung } = await ringing(
    { ...supports, transport: 'tls', media: 'srtp' },
    { says: [['Allow', 'INVITE, ACK, UPDATE, PRACK']] },
  );
  const early = await call.update(call.again('sendonly')).catch(() => undefined);
  assert.equal(early, undefined, 'no dialog yet');
  rung.earlyReliably();
  await world.until(() => call.prackAnswers.length === 1);
  const response = await call.update(call.again('sendonly'));
  assert.ok(typeof response !== 'string' && response.status === 200);
  assert.equal(rung.updates.length, 1);
  assert.match(rung.theirs, /a=sendonly/);
  rung.answerBare();
  await world.until(() => settled(call, rung));
  assert.equal(call.final!.body.length, 0);
  await over(world, call);
});

test('RFC 3311 §5.2: UPDATE before the answer to a side that cannot be asked is answered by what it has agreed to', async () => {
  const { world, call, rung } = await ringing({}, { ...plain });
  // SRTP was refused, plain RTP is offered.
  const again = rung.phone.calls;
  rung.reject(488);
  await world.until(() => again.length === 2);
  const second = again[1]!;
  second.earlyReliably();
  await world.until(() => second.pracks.length === 1);
  const response = await second.update(second.again('sendonly').replace(/m=audio \d+/, 'm=audio 45000'));
  assert.ok(typeof response !== 'string' && response.status === 200);
  assert.match(Buffer.from(response.body).toString(), /a=recvonly/);
  const callee = [...world.relay.endpoints.values()].find(({ config }) => config?.remote?.rtpPort === 45_000);
  assert.ok(callee !== undefined);
  const other = await second.update(
    second
      .again('sendrecv')
      .replace(/ 8 0 101/, ' 18')
      .replace(/a=rtpmap:8.*/, 'a=rtpmap:18 G729/8000'),
  );
  assert.ok(typeof other !== 'string' && other.status === 488);
  second.answerBare();
  await world.until(() => settled(call, second));
  await over(world, call);
});

test('RFC 3311 §5.2: UPDATE of the caller before its offer has an answer gets 500 with Retry-After, of the called side 491', async () => {
  const { world, call, rung } = await ringing();
  rung.ring();
  await world.until(() => call.state === 'ringing');
  const one = await call.update(call.again('sendonly'));
  assert.ok(typeof one !== 'string' && one.status === 500 && one.headers.has('Retry-After'));
  const two = await rung.update(rung.describe(true).text);
  assert.ok(typeof two !== 'string' && two.status === 491);
  const bare = await call.update();
  assert.ok(typeof bare !== 'string' && bare.status === 200);
  rung.answer();
  await world.until(() => settled(call, rung));
  await over(world, call);
});

test('RFC 3262 §5, RFC 6337 §2.1 pattern 5: an offer in PRACK is answered in its 200', async () => {
  const { world, call, rung } = await ringing(supports);
  call.onReliable = (one) => one.again('sendonly');
  rung.earlyReliably();
  await world.until(() => call.prackAnswers.length === 1);
  assert.equal(call.prackAnswers[0]!.status, 200);
  assert.match(Buffer.from(call.prackAnswers[0]!.body).toString(), /a=recvonly/);
  rung.answerBare();
  await world.until(() => settled(call, rung));
  await over(world, call);
});
