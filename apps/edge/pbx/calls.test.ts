import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SipRequest } from '@ringfence/sip/message/types.ts';
import { leftovers } from '../testing/cast.ts';
import { domain, route, trunk } from '../testing/objects.ts';
import { pbxObject, TestPbx } from '../testing/pbx.ts';
import { Phone, type PhoneOptions } from '../testing/phone.ts';
import type { PhoneCall } from '../testing/phone-call.ts';
import { World, type WorldOptions } from '../testing/world.ts';

const inside = '10.0.0.5';
const carrierAt = '192.0.2.10';

async function office(more: Partial<WorldOptions> = {}, addresses: readonly string[] = [inside]) {
  const { objects, ...options } = more;
  const world = new World({ objects: { pbx: [pbxObject(addresses)], ...objects }, ...options });
  const pbxs = addresses.map((address) => new TestPbx(world, address));
  const phone = phoneOf(world);
  assert.equal((await phone.register()).status, 200);
  return { world, pbx: pbxs[0]!, pbxs, phone };
}

const phoneOf = (world: World, options: Partial<PhoneOptions> = {}): Phone =>
  new Phone(world, {
    name: '101',
    transport: 'tls',
    address: '203.0.113.1',
    port: 40_001,
    media: 'srtp',
    realm: domain,
    ...options,
  });

const tokenOf = (world: World, name = '101'): string =>
  world.edge.registrar.lookup(domain, name, world.time.now)[0]!.upstream!.token;

const dialled = (call: PhoneCall | undefined) =>
  call?.request?.uri.scheme === 'sip' ? call.request.uri.user : undefined;

/** Nothing is left but the watch over the PBX's health. */
async function over(world: World): Promise<void> {
  await world.run(100_000);
  assert.deepEqual(
    leftovers(world).filter((text) => !/client transactions|timers/.test(text)),
    [],
  );
}

test('a call of a phone goes to the PBX, which challenges the phone and not the edge (RFC 3261 §22.2)', async () => {
  const { world, pbx, phone } = await office();
  pbx.onInvite = (call) => {
    call.ring();
    call.answer();
  };
  const call = phone.call('102');
  await world.until(() => call.state === 'up');
  const taken = pbx.calls[0]!;
  assert.match(taken.request!.headers.get('Authorization') ?? '', /username="101", realm="the-pbx"/);
  assert.equal(dialled(taken), '102');
  // TLS and SRTP on the phone's side, UDP and RTP on the PBX's.
  assert.match(call.theirs, /RTP\/SAVP/);
  assert.match(taken.theirs, /m=audio \d+ RTP\/AVP/);
  assert.doesNotMatch(taken.theirs, /crypto/);
  await world.run(5_000);
  call.hangUp();
  await world.until(() => taken.hungUpByPeer);
  await over(world);
  // Being asked for the digest is no call of its own.
  assert.deepEqual(
    world.finished.map(({ disposition, route, callee, caller }) => [disposition, route, callee, caller]),
    [['answered', 'pbx:pbx', '102', '101@example.test']],
  );
});

test('the PBX calls a phone by its token: the phone rings over its own flow (RFC 5626 §5.3)', async () => {
  const { world, pbx, phone } = await office();
  phone.onInvite = (call) => {
    call.ring();
    call.answer();
  };
  const call = pbx.call(`sip:${tokenOf(world)}@198.51.100.1`, {
    headers: [['Alert-Info', '<http://x>;info=ring2']],
  });
  await world.until(() => call.state === 'up');
  const taken = phone.calls[0]!;
  assert.match(taken.theirs, /RTP\/SAVP/);
  assert.match(call.theirs, /RTP\/AVP/);
  assert.equal(taken.request!.headers.get('Alert-Info'), '<http://x>;info=ring2');
  for (const text of world.sentTo('203.0.113.1')) {
    assert.ok(!text.includes(inside), text);
    assert.ok(!text.includes(tokenOf(world)));
  }
  taken.hangUp();
  await world.until(() => call.hungUpByPeer);
  await over(world);
  assert.equal(world.finished[0]?.callee, '101');
  assert.equal(world.finished[0]?.route, 'phone:101');
});

test('wrong credentials of a registered phone are recorded and told with the challenge', async () => {
  const { world, pbx, phone } = await office();
  Object.assign(phone.options, { password: 'wrong' });
  const call = phone.call('102');
  await world.until(() => call.state === 'over');
  assert.equal(call.status, 401);
  await world.run(1_000);
  assert.deepEqual(
    world.finished.map(({ disposition, status, cause }) => [disposition, status, cause]),
    [['refused', 401, 'authentication']],
  );
  assert.equal(pbx.calls.length, 0);
  // A nonce that has only grown old says nothing against the phone.
  pbx.stale = true;
  const old = phone.call('102');
  await world.until(() => old.state === 'over');
  await world.run(1_000);
  assert.equal(old.status, 401);
  assert.equal(world.finished.length, 1);
});

test('a token that is nobody is 404 for the PBX, a phone whose connection is gone 480', async () => {
  const { world, pbx, phone } = await office();
  const nobody = pbx.call('sip:AAAAAAAAAAAAAAAAAAAA@198.51.100.1');
  await world.until(() => nobody.state === 'over');
  assert.equal(nobody.status, 404);
  const token = tokenOf(world);
  world.network.break(phone.flow);
  const gone = pbx.call(`sip:${token}@198.51.100.1`);
  await world.until(() => gone.state === 'over');
  assert.equal(gone.status, 480);
});

test('the PBX asks by OPTIONS whether a phone is there: the edge knows', async () => {
  const { world, pbx } = await office();
  const known = await pbx.request(pbx.make('OPTIONS', `sip:${tokenOf(world)}@198.51.100.1`));
  assert.equal(typeof known !== 'string' && known.status, 200);
  const other = await pbx.request(pbx.make('OPTIONS', 'sip:AAAAAAAAAAAAAAAAAAAA@198.51.100.1'));
  assert.equal(typeof other !== 'string' && other.status, 404);
  const edge = await pbx.request(pbx.make('OPTIONS', 'sip:198.51.100.1'));
  assert.equal(typeof edge !== 'string' && edge.status, 200);
});

test('the PBX calls out through a trunk of the edge, and a call from that trunk goes to the PBX', async () => {
  const { world, pbx } = await office({
    objects: {
      pbx: [pbxObject([inside])],
      trunks: [trunk('carrier', { addresses: [carrierAt], target: `sip:${carrierAt}:5060` })],
      routes: [route('+*', { trunk: 'carrier' })],
    },
  });
  const carrier = new Phone(world, { name: 'carrier', address: carrierAt }).listen();
  carrier.onInvite = (call) => call.answer();
  const out = pbx.call('sip:+4989123456@198.51.100.1');
  await world.until(() => out.state === 'up');
  out.hangUp();
  pbx.refuse = () => undefined;
  pbx.onInvite = (call) => call.answer();
  const back = carrier.call(`sip:+4930123401@${domain}`);
  await world.until(() => back.state === 'up');
  assert.equal(dialled(pbx.calls.at(-1)), '+4930123401');
});

test('emergency calls of phones reach the PBX, and the trunk that is set for them where one is', async () => {
  const { world, pbx, phone } = await office();
  pbx.refuse = () => undefined;
  pbx.onInvite = (call) => call.answer();
  const help = phone.call('112');
  await world.until(() => help.state === 'up');
  assert.equal(dialled(pbx.calls[0]), '112');

  const second = await office({
    objects: {
      pbx: [pbxObject([inside])],
      trunks: [trunk('carrier', { addresses: [carrierAt], target: `sip:${carrierAt}:5060` })],
    },
    config: (config) => ({ ...config, numbers: { ...config.numbers, emergencyTrunk: 'carrier' } }),
  });
  const carrier = new Phone(second.world, { name: 'carrier', address: carrierAt }).listen();
  carrier.onInvite = (call) => call.answer();
  const other = second.phone.call('112');
  await second.world.until(() => other.state === 'up');
  assert.equal(carrier.calls.length, 1);
  assert.equal(second.pbx.calls.length, 0);
});

test('a phone that has just connected anew may call for help before it has registered again', async () => {
  const { world, pbx, phone } = await office();
  pbx.refuse = () => undefined;
  pbx.onInvite = (call) => call.answer();
  world.network.break(phone.flow);
  const again = phoneOf(world, { port: 40_777 });
  const plain = again.call('102');
  await world.until(() => plain.state === 'over');
  assert.equal(plain.status, 403);
  const help = again.call('112');
  await world.until(() => help.state === 'up');
});

test('a node that dies: calls and registrations go to the next, and back to it only when it answers again', async () => {
  const second = '10.0.0.6';
  const { world, pbxs, phone } = await office({}, [inside, second]);
  const [one, two] = pbxs as [TestPbx, TestPbx];
  for (const pbx of pbxs) {
    pbx.onInvite = (call) => call.answer();
  }
  assert.equal(two.registers.length, 0);
  one.dead = true;
  const call = phone.call('102');
  await world.until(() => call.state === 'up', 20_000);
  assert.equal(two.calls.length, 1, 'the challenge of the other node was answered');
  assert.deepEqual(
    world.eventsOf('target.quarantined').map(({ owner, reason }) => [owner, reason]),
    [['pbx:node1@example.test', 'timeout']],
  );
  call.hangUp();
  // Its phone is taken to the other node at the next refresh.
  await world.run(20_000);
  assert.equal((await phone.register()).status, 200);
  assert.ok(two.contacts.has('101'));
  one.dead = false;
  await world.run(35_000);
  assert.deepEqual(
    world.eventsOf('target.recovered').map(({ owner }) => owner),
    ['pbx:node1@example.test'],
  );
  // A phone stays where it is registered.
  const later = phone.call('102');
  await world.until(() => later.state === 'up');
  assert.equal(one.calls.length, 0);
});

test('a node that dies unheard is noticed by OPTIONS (RFC 3261 §11), so that nobody waits for it', async () => {
  const second = '10.0.0.6';
  const { world, pbxs, phone } = await office({}, [inside, second]);
  const [one, two] = pbxs as [TestPbx, TestPbx];
  two.onInvite = (call) => call.answer();
  one.dead = true;
  await world.run(40_000);
  assert.equal(world.eventsOf('target.quarantined').length, 1);
  const at = world.time.now;
  const call = phone.call('102');
  await world.until(() => call.state === 'up');
  assert.ok(world.time.now - at < 500);
});

test('a REFER of a phone goes to the PBX, which knows its second call by its own dialog with the edge (RFC 3891 §3)', async () => {
  const { world, pbx, phone } = await office();
  pbx.onInvite = (call) => call.answer();
  const first = phone.call('102');
  await world.until(() => first.state === 'up' && pbx.calls[0]?.confirmed === true);
  const second = phone.call('103');
  await world.until(() => second.state === 'up' && pbx.calls[1]?.confirmed === true);
  const { callId, remoteTag, localTag } = second.dialog!;
  const replaces = encodeURIComponent(`${callId};to-tag=${remoteTag};from-tag=${localTag}`);
  assert.ok(
    (await first.inside('REFER', [['Refer-To', `<sip:103@198.51.100.1?Replaces=${replaces}>`]])) < 300,
  );
  const refer = pbx.heard.find((message) => message.kind === 'request' && message.method === 'REFER');
  const there = pbx.calls[1]!.dialog!;
  assert.equal(
    decodeURIComponent(refer!.headers.get('Refer-To')!),
    `<sip:103@example.test?Replaces=${there.callId};to-tag=${there.localTag};from-tag=${there.remoteTag}>`,
  );
  assert.equal(world.edge.calls.size, 2);
  first.hangUp();
  second.hangUp();
  await over(world);
});

test('a PBX that forks as a proxy rings both phones of a user: two requests of one Call-ID (RFC 3261 §16.6)', async () => {
  const { world, pbx, phone } = await office();
  const second = phoneOf(world, { port: 40_002 });
  assert.equal((await second.register()).status, 200);
  const tokens = world.edge.registrar
    .lookup(domain, '101', world.time.now)
    .map(({ upstream }) => upstream?.token);
  assert.equal(new Set(tokens).size, 2);
  const one = pbx.call(`sip:${tokens[0]}@198.51.100.1`);
  const request = one.request!;
  pbx.ask({ ...request, uri: pbx.uri(`sip:${tokens[1]}@198.51.100.1`) }, () => undefined, true);
  await world.until(() => phone.calls.length === 1 && second.calls.length === 1);
});

test('a REFER of a phone goes to its PBX, which transfers by its own rights (RFC 3515)', async () => {
  const { world, pbx, phone } = await office();
  pbx.onInvite = (call) => call.answer();
  const call = phone.call('102');
  await world.until(() => call.state === 'up');
  assert.ok((await call.inside('REFER', [['Refer-To', `<sip:103@${domain}>`]])) < 300);
  const refer = pbx.heard.findLast(
    (one): one is SipRequest => one.kind === 'request' && one.method === 'REFER',
  );
  assert.match(refer?.headers.get('Refer-To') ?? '', /^<sip:103@example\.test>/);
  assert.match(refer?.headers.get('Referred-By') ?? '', /101@example\.test/);
  assert.equal(refer?.callId, pbx.calls[0]?.callId);
});

test('hold is a re-INVITE that the PBX hears of: it plays the music (RFC 3264 §8.4)', async () => {
  const { world, pbx, phone } = await office();
  pbx.onInvite = (call) => call.answer();
  const call = phone.call('102');
  await world.until(() => call.state === 'up' && pbx.calls[0]?.confirmed === true);
  call.reinvite(call.again('sendonly'));
  await world.until(() => call.reinviteStatus.length === 1);
  assert.deepEqual(call.reinviteStatus, [200]);
  assert.match(pbx.calls[0]!.theirs, /a=sendonly/);
});

test('a PBX whose entry requires encryption is reached over TLS alone, and gets SRTP', async () => {
  const [node] = pbxObject([inside]).nodes;
  const target = `sip:${inside}:5061;transport=tls`;
  const world = new World({
    objects: { pbx: [pbxObject([inside], { encryption: 'required', nodes: [{ ...node!, target }] })] },
  });
  const pbx = new TestPbx(world, inside, { transport: 'tls', port: 5061, media: 'srtp' });
  const phone = phoneOf(world);
  assert.equal((await phone.register()).status, 200);
  assert.match(pbx.contacts.get('101') ?? '', /^sip:[\w-]{20}@198\.51\.100\.1:5061;transport=tls$/);
  pbx.onInvite = (call) => call.answer();
  const call = phone.call('102');
  await world.until(() => call.state === 'up');
  assert.match(pbx.calls[0]!.theirs, /RTP\/SAVP/);
  phone.onInvite = (back) => back.answer();
  const back = pbx.call(pbx.contacts.get('101') ?? '');
  await world.until(() => back.state === 'up');
  // The same address over UDP is not the PBX.
  const forged = new Phone(world, { name: 'pbx', address: inside, port: 5060 });
  const refused = forged.call(pbx.contacts.get('101') ?? '');
  await world.until(() => refused.state === 'over');
  assert.equal(refused.status, 403);
  for (const { out, flow, text } of world.network.log)
    if (out && flow.remote.address === inside && flow.transport === 'udp')
      assert.match(text, /^SIP\/2\.0 403/);
});
