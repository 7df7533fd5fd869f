import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Pbx } from '../objects/types.ts';
import { leftovers } from '../testing/cast.ts';
import { domain } from '../testing/objects.ts';
import { pbxObject, TestPbx } from '../testing/pbx.ts';
import { Phone, type PhoneOptions } from '../testing/phone.ts';
import { World } from '../testing/world.ts';

const inside = '10.0.0.5';
const outside = '203.0.113.1';

function office(fields: Partial<Pbx> = {}, addresses: readonly string[] = [inside]) {
  const world = new World({ objects: { pbx: [pbxObject(addresses, fields)] } });
  const pbxs = addresses.map((address) => new TestPbx(world, address));
  return { world, pbx: pbxs[0]!, pbxs };
}

const phoneOf = (world: World, options: Partial<PhoneOptions> = {}): Phone =>
  new Phone(world, {
    name: '101',
    transport: 'tls',
    address: outside,
    port: 40_001,
    media: 'srtp',
    realm: domain,
    ...options,
  });

test('a phone registers at the PBX through the edge: its digest passes, its Contact is ours (RFC 3261 §10.3)', async () => {
  const { world, pbx } = office();
  const phone = phoneOf(world);
  const answered = await phone.register(3600);
  assert.equal(answered.status, 200);
  // The phone is granted what holds its NAT open, and shown its own Contact.
  assert.match(answered.headers.get('Contact') ?? '', /^<sip:101@203\.0\.113\.1:40001.*>;expires=60$/);
  assert.equal(answered.headers.all('Contact').length, 1);
  assert.equal(pbx.registers.length, 2);
  const [first, second] = pbx.registers as [(typeof pbx.registers)[0], (typeof pbx.registers)[0]];
  assert.equal(first.callId, second.callId);
  assert.ok(second.cseq.number > first.cseq.number);
  assert.match(second.headers.get('Contact') ?? '', /^<sip:[\w-]{20}@198\.51\.100\.1:5060>;expires=3600$/);
  assert.equal(second.headers.get('Expires'), '3600');
  const binding = world.edge.registrar.lookup(domain, '101', world.time.now)[0];
  assert.equal(binding?.upstream?.grantedUntil, binding!.upstream!.grantedAt + 600_000);
  assert.ok(pbx.contacts.get('101')?.includes(binding!.upstream!.token));
  assert.equal([...world.store.table.values()][0]?.upstream?.token, binding!.upstream!.token);
  assert.deepEqual(world.errors, []);
});

test('nothing of the outside shows at the PBX, and nothing of the inside at the phone', async () => {
  const { world } = office();
  const phone = phoneOf(world);
  await phone.register();
  const seen = world.sentTo(inside).filter((text) => text.startsWith('REGISTER'));
  assert.equal(seen.length, 2);
  for (const text of seen) {
    assert.doesNotMatch(text, /203\.0\.113|Testphone|40001/);
    for (const request of phone.heard) assert.ok(!text.includes(request.callId));
  }
  const token = world.edge.registrar.lookup(domain, '101', world.time.now)[0]!.upstream!.token;
  for (const text of world.sentTo(outside)) {
    assert.doesNotMatch(text, /10\.0\.0\.5|10\.99/);
    assert.ok(!text.includes(token));
  }
});

test('refreshes are answered by the edge until half of what the PBX granted is over', async () => {
  const { world, pbx } = office();
  const phone = phoneOf(world);
  await phone.register();
  const asked = pbx.registers.length;
  for (let at = 50; at < 300; at += 50) {
    await world.run(50_000);
    world.edge.expire();
    const answered = await phone.register();
    assert.equal(answered.status, 200);
    assert.match(answered.headers.get('Contact') ?? '', /expires=60$/);
  }
  assert.equal(pbx.registers.length, asked);
  await world.run(50_000);
  world.edge.expire();
  assert.equal((await phone.register()).status, 200);
  assert.equal(pbx.registers.length, asked + 2);
  const contacts = pbx.registers.map((request) => request.headers.get('Contact')?.split('@')[0]);
  assert.equal(new Set(contacts).size, 1, 'one token for one phone');
});

test('a refresh from elsewhere, with another Contact or for another user name goes to the PBX', async () => {
  const { world, pbx } = office({ phones: 'none' });
  const phone = phoneOf(world);
  await phone.register();
  const asked = pbx.registers.length;
  // The same Contact over another connection, without the password.
  const thief = phoneOf(world, { address: '192.0.2.66', port: 9, password: 'wrong' });
  assert.equal((await thief.register(3600, [phone.contact])).status, 401);
  assert.equal(pbx.registers.length, asked + 2);
  assert.equal((await phone.register(3600, ['<sip:101@192.0.2.1:1>'])).status, 200);
  assert.equal(pbx.registers.length, asked + 4);
  const udp = phoneOf(world, { transport: 'udp', address: outside, port: 5070, name: '102' });
  await udp.register();
  const before = pbx.registers.length;
  // A datagram proves nothing by its source: without credentials the PBX is asked.
  await udp.register();
  assert.equal(pbx.registers.length, before + 1);
});

test('an answer in between never goes beyond what the PBX has granted', async () => {
  const { world, pbx } = office();
  pbx.grants = 130;
  const phone = phoneOf(world);
  await phone.register();
  await world.run(55_000);
  const answered = await phone.register();
  assert.match(answered.headers.get('Contact') ?? '', /expires=60$/);
  pbx.dead = true;
  await world.run(55_000);
  // The PBX is gone: what it granted still holds, and no second longer.
  const last = await phone.register();
  assert.equal(last.status, 200);
  const seconds = Number(/expires=(\d+)$/.exec(last.headers.get('Contact') ?? '')?.[1]);
  assert.ok(seconds > 10 && seconds <= 20, `${seconds}`);
  await world.run(25_000);
  assert.equal((await phone.register()).status, 503);
});

test('wrong passwords are told to the log, and after ten the PBX hears nothing more of that name', async () => {
  const { world, pbx } = office();
  const phone = phoneOf(world, { password: 'wrong' });
  for (let i = 0; i < 10; i += 1) {
    assert.equal((await phone.register()).status, 401);
    await world.run(500);
  }
  assert.equal(world.eventsOf('authentication.failed').length, 10);
  const asked = pbx.registers.length;
  assert.equal((await phone.register()).status, 403);
  assert.equal(pbx.registers.length, asked);
  // Others behind the same address are still let through.
  assert.equal((await phoneOf(world, { name: '102', port: 40_002 }).register()).status, 200);
});

test('a flood of strangers costs the PBX no more than is set, and registered phones are not held up', async () => {
  const { world, pbx } = office({ strangersPerSecond: 5 });
  const phone = phoneOf(world);
  await phone.register();
  await world.run(3_000);
  const before = pbx.registers.length;
  for (let i = 0; i < 200; i += 1) {
    const stranger = new Phone(world, { name: `no${i}`, transport: 'tls', address: `192.0.2.${i}`, port: 7 });
    const request = stranger.make('REGISTER', `sip:${domain}`);
    const to = { uri: stranger.uri(`no${i}`), params: new Map() };
    stranger.ask({ ...request, to }, () => undefined, true);
  }
  await world.run(900);
  const shown = pbx.registers.length - before;
  assert.ok(shown >= 5 && shown <= 10, `${shown}`);
  assert.equal((await phone.register(3600, ['<sip:101@203.0.113.1:40001;x=y>'])).status, 200);
});

test('a stranger gets nothing but the way to register: no call, no message, no subscription', async () => {
  const { world, pbx } = office();
  const stranger = phoneOf(world);
  for (const method of ['INVITE', 'MESSAGE', 'SUBSCRIBE', 'OPTIONS', 'PUBLISH', 'NOTIFY']) {
    const answered = await stranger.request(stranger.make(method, '102'));
    assert.equal(typeof answered === 'string' ? answered : answered.status, 403, method);
    assert.ok(typeof answered !== 'string' && answered.headers.get('Warning')?.includes('Register'));
  }
  assert.equal(pbx.heard.filter((m) => m.kind === 'request' && m.method !== 'OPTIONS').length, 0);
});

test('over UDP nobody unproven is sent more octets than it sent', async () => {
  const { world } = office({ phones: 'none' });
  const stranger = phoneOf(world, { transport: 'udp', port: 5080 });
  stranger.raw(
    `REGISTER sip:${domain} SIP/2.0\r\nVia: SIP/2.0/UDP 203.0.113.1:5080;branch=z9hG4bKa\r\nFrom: <sip:1@${domain}>;tag=a\r\nTo: <sip:1@${domain}>\r\nCall-ID: a\r\nCSeq: 1 REGISTER\r\nContact: <sip:1@203.0.113.1:5080>\r\n\r\n`,
  );
  await world.run(1_000);
  const [sent] = world.network.log.filter(({ out, flow }) => !out && flow.remote.port === 5080);
  const answers = world.network.log.filter(({ out, flow }) => out && flow.remote.port === 5080);
  for (const { text } of answers) assert.ok(text.length <= sent!.text.length, text);
  assert.equal(answers.length, 1);
});

test('a phone that leaves is taken out at the PBX and here', async () => {
  const { world, pbx } = office();
  const phone = phoneOf(world);
  await phone.register();
  assert.equal((await phone.register(0)).status, 200);
  assert.equal(pbx.contacts.size, 0);
  assert.deepEqual(world.edge.registrar.lookup(domain, '101', world.time.now), []);
  assert.equal(world.store.table.size, 0);
  await world.run(64_000);
  assert.deepEqual(
    leftovers(world).filter((text) => !text.includes('client') && !text.includes('timers')),
    [],
  );
});

test('a PBX that wants longer registrations gets them (RFC 3261 §21.4.17)', async () => {
  const { world, pbx } = office({ expires: 60 });
  const judge = pbx.refuse;
  pbx.refuse = (request) => {
    const verdict = judge(request);
    if (request.headers.get('Expires') !== '60' || verdict?.status !== 200) return verdict;
    return {
      ...verdict,
      status: 423,
      reason: 'Interval Too Brief',
      headers: verdict.headers.clone().add('Min-Expires', '120'),
    };
  };
  const phone = phoneOf(world);
  assert.equal((await phone.register()).status, 401, 'its nonce was used up');
  assert.equal((await phone.register()).status, 200);
  assert.equal(pbx.registers.at(-1)?.headers.get('Expires'), '120');
});

test('phones of a PBX have to use TLS where its entry says so', async () => {
  const { world, pbx } = office();
  const phone = phoneOf(world, { transport: 'udp', port: 5080 });
  const answered = await phone.register();
  assert.equal(answered.status, 403);
  assert.match(answered.headers.get('Warning') ?? '', /register over TLS/);
  assert.equal(pbx.registers.length, 0);
});

test('two PBXs are two tenants: a phone of one is nobody at the other', async () => {
  const other = pbxObject(['10.0.0.9'], { domain: 'b.test' });
  const world = new World({ objects: { pbx: [pbxObject([inside]), other] } });
  const one = new TestPbx(world, inside);
  const two = new TestPbx(world, '10.0.0.9');
  const phone = phoneOf(world);
  await phone.register();
  assert.equal(two.registers.length, 0);
  const foreign = await phone.request({
    ...phone.make('INVITE', 'sip:102@b.test'),
    from: { uri: phone.uri('sip:101@b.test'), params: new Map([['tag', 'x']]) },
  });
  assert.equal(typeof foreign === 'string' ? foreign : foreign.status, 403);
  // Its token is unknown to the other PBX.
  const token = world.edge.registrar.lookup(domain, '101', world.time.now)[0]!.upstream!.token;
  const call = two.call(`sip:${token}@198.51.100.1`);
  await world.until(() => call.state === 'over');
  assert.equal(call.status, 404);
  assert.equal(one.calls.length + phone.calls.length, 0);
});

test('a phone with two flows is one Contact at the PBX, and is reached over the one that lives (RFC 5626 §3.3)', async () => {
  const { world, pbx } = office();
  const first = phoneOf(world);
  const contact = (phone: Phone, id: number) =>
    `${phone.contact};+sip.instance="<urn:uuid:00000000-0000-1000-8000-000A95A0E128>";reg-id=${id}`;
  const second = phoneOf(world, { port: 40_002 });
  assert.equal((await first.register(3600, [contact(first, 1)])).status, 200);
  assert.equal((await second.register(3600, [contact(second, 2)])).status, 200);
  const bindings = world.edge.registrar.lookup(domain, '101', world.time.now);
  assert.equal(bindings.length, 2);
  const tokens = new Set(bindings.map(({ upstream }) => upstream?.token));
  assert.equal(tokens.size, 1);
  world.network.break(second.flow);
  pbx.call(`sip:${[...tokens][0]}@198.51.100.1`);
  await world.until(() => first.calls.length === 1);
  // One of the two goes: the PBX keeps its Contact.
  const asked = pbx.registers.length;
  second.connect();
  assert.equal((await second.register(3600, [contact(second, 2)])).status, 200);
  const before = pbx.registers.length;
  assert.ok(before > asked);
  assert.equal((await second.register(0, [contact(second, 2)])).status, 200);
  assert.equal(pbx.registers.length, before);
  assert.ok(pbx.contacts.has('101'));
  assert.equal(world.edge.registrar.lookup(domain, '101', world.time.now).length, 1);
});

test('after a restart of the edge a phone keeps its token, and over UDP its registration', async () => {
  const { world } = office({ phones: 'none' });
  const udp = phoneOf(world, { transport: 'udp', port: 5070 });
  assert.equal((await udp.register()).status, 200);
  const [stored] = world.store.table.values();
  const again = new World({
    objects: { pbx: [pbxObject([inside], { phones: 'none' })] },
    bindings: [JSON.parse(JSON.stringify(stored)) as NonNullable<typeof stored>],
  });
  const pbx = new TestPbx(again, inside);
  const phone = phoneOf(again, { transport: 'udp', port: 5070 });
  pbx.call(`sip:${stored!.upstream!.token}@198.51.100.1`);
  await again.until(() => phone.calls.length === 1);
  // It comes late, when what the edge gave is over, but not what the PBX gave.
  await again.run(65_000);
  again.edge.expire();
  assert.equal((await phone.register()).status, 200);
  assert.ok(pbx.contacts.get('101')?.includes(stored!.upstream!.token));
  assert.ok(pbx.registers.at(-1)!.cseq.number > stored!.upstream!.cseq);
});

test('a user has a bounded number of phones, and those that are gone make room', async () => {
  const { world, pbx } = office();
  const phones: Phone[] = [];
  for (let i = 0; i < 8; i += 1) {
    const phone = phoneOf(world, { port: 41_000 + i });
    assert.equal((await phone.register()).status, 200);
    phones.push(phone);
  }
  const asked = pbx.registers.length;
  const ninth = phoneOf(world, { port: 42_000 });
  assert.equal((await ninth.register()).status, 403);
  assert.equal(pbx.registers.length, asked);
  world.network.break(phones[0]!.flow);
  assert.equal((await ninth.register()).status, 200);
});
