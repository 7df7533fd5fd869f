import assert from 'node:assert/strict';
import { test } from 'node:test';
import { aliceAndBob, registered } from '../testing/cast.ts';
import { device, user } from '../testing/objects.ts';
import { Phone, type PhoneOptions } from '../testing/phone.ts';
import { World } from '../testing/world.ts';

const phoneOf = (world: World, more: Partial<PhoneOptions> = {}): Phone =>
  new Phone(world, { name: 'alice', address: '203.0.113.1', transport: 'tls', ...more });

const bindings = (world: World): string[] =>
  world.edge.registrar.lookup('example.test', 'alice', world.time.now).map(({ contact }) => contact);

const simple = (): World => new World({ objects: { users: [user('alice'), user('bob')] } });

test('REGISTER: challenged, stored, in effect, answered with the bindings (RFC 3261 §10.3)', async () => {
  const world = simple();
  const phone = phoneOf(world);
  const response = await phone.register(600);
  assert.equal(response.status, 200);
  assert.match(
    response.headers.get('Contact')!,
    /^<sip:alice@203\.0\.113\.1:5060;transport=tls>;expires=600$/,
  );
  assert.equal(world.store.table.size, 1);
  assert.deepEqual(bindings(world).length, 1);
  assert.equal(world.eventsOf('registration.added').length, 1);
  assert.ok(world.network.kept.has(phone.flow.id));
});

test('the answer comes after the disk, and a disk that fails is 503 without a binding', async () => {
  const world = simple();
  world.store.latency = 500;
  const phone = phoneOf(world);
  const began = world.time.now;
  await phone.register();
  assert.ok(world.time.now - began >= 500);
  world.store.fails = true;
  const response = await phone.register(600, ['<sip:second@203.0.113.1>']);
  assert.equal(response.status, 503);
  assert.ok(response.headers.has('Retry-After'));
  assert.equal(bindings(world).length, 1);
});

for (const algorithm of ['SHA-256', 'SHA-512-256'] as const)
  test(`digest with ${algorithm} (RFC 8760 §2.2)`, async () => {
    const world = simple();
    const phone = phoneOf(world);
    const credentials = phone.credentials.bind(phone);
    phone.credentials = (request, response) => {
      const headers = response.headers.clone();
      const challenges = headers.all('WWW-Authenticate').filter((value) => value.includes(`${algorithm},`));
      headers.remove('WWW-Authenticate');
      for (const value of challenges) headers.add('WWW-Authenticate', value);
      return credentials(request, { ...response, headers });
    };
    assert.equal((await phone.register()).status, 200);
  });

test('MD5 is offered only where some device may use it, and serves only that device (RFC 8760 §2.4)', async () => {
  const strict = simple();
  const before = await phoneOf(strict, { password: 'x' }).register();
  assert.ok(before.headers.all('WWW-Authenticate').every((value) => !value.includes('MD5')));

  const users = [user('alice'), user('old', { devices: [device('old', { md5: true })] })];
  const world = new World({ objects: { users } });
  const onlyMd5 = (phone: Phone): Phone => {
    const credentials = phone.credentials.bind(phone);
    phone.credentials = (request, response) => {
      const headers = response.headers.clone().remove('WWW-Authenticate');
      for (const value of response.headers.all('WWW-Authenticate'))
        if (value.includes('MD5')) headers.add('WWW-Authenticate', value);
      return credentials(request, { ...response, headers });
    };
    return phone;
  };
  assert.equal((await onlyMd5(phoneOf(world, { name: 'old', allowMd5: true })).register()).status, 200);
  assert.equal((await onlyMd5(phoneOf(world, { allowMd5: true, port: 5071 })).register()).status, 401);
});

test('refresh keeps one binding, several contacts stay apart, expires=0 and the star take away (RFC 3261 §10.2.2)', async () => {
  const world = simple();
  const phone = phoneOf(world);
  await phone.register();
  await phone.register();
  assert.equal(bindings(world).length, 1);
  assert.equal(world.eventsOf('registration.refreshed').length, 1);
  await phone.register(3600, ['<sip:two@203.0.113.1>', '<sip:three@203.0.113.1>;expires=120']);
  assert.equal(bindings(world).length, 3);
  const fetched = await phone.register(3600, []);
  assert.equal(fetched.headers.all('Contact').length, 3);
  await phone.register(3600, ['<sip:two@203.0.113.1>;expires=0']);
  assert.equal(bindings(world).length, 2);
  await phone.register(0, ['*']);
  assert.equal(bindings(world).length, 0);
  assert.equal(world.store.table.size, 0);
  assert.equal(world.network.kept.size, 0);
});

test('bindings run out by themselves and are told of (RFC 3261 §10.3)', async () => {
  const world = simple();
  const phone = phoneOf(world);
  await phone.register(60);
  await world.run(59_000);
  assert.equal(bindings(world).length, 1);
  await world.run(2000);
  assert.equal(bindings(world).length, 0);
  world.edge.expire();
  await world.run(100);
  assert.equal(world.store.table.size, 0);
  assert.equal(world.eventsOf('registration.expired').length, 1);
});

test('too short is 423 with Min-Expires, too long is shortened (RFC 3261 §10.3 step 7, §21.4.17)', async () => {
  const world = simple();
  const phone = phoneOf(world);
  const brief = await phone.register(10);
  assert.equal(brief.status, 423);
  assert.equal(brief.headers.get('Min-Expires'), '60');
  const long = await phone.register(86_400);
  assert.match(long.headers.get('Contact')!, /expires=3600$/);
});

test('a star with anything else, a Contact that is no SIP URI, too many contacts: refused, nothing changed', async () => {
  const world = simple();
  const phone = phoneOf(world);
  assert.equal((await phone.register(0, ['*', '<sip:a@203.0.113.1>'])).status, 400);
  assert.equal((await phone.register(60, ['*'])).status, 400);
  assert.equal((await phone.register(600, ['<tel:+4930>'])).status, 400);
  const nine = Array.from({ length: 9 }, (_, i) => `<sip:c${i}@203.0.113.1>`);
  assert.equal((await phone.register(600, nine)).status, 403);
  assert.equal(bindings(world).length, 0);
});

test('the bound on contacts holds when many requests come at once', async () => {
  const world = simple();
  world.store.latency = 1000;
  const phone = phoneOf(world);
  const answers = await Promise.all(
    Array.from({ length: 12 }, (_, i) => phone.register(600, [`<sip:c${i}@203.0.113.1>`])),
  );
  assert.equal(answers.filter(({ status }) => status === 200).length, 8);
  assert.equal(bindings(world).length, 8);
});

test('nobody registers for anybody else: 403 for another user, another tenant, and for trunks (RFC 3261 §10.3 step 4)', async () => {
  const other = { realm: 'other.test' };
  const world = new World({ objects: { users: [user('alice'), user('bob'), user('eve', other)] } });
  const phone = phoneOf(world);
  const ask = async (to: string): Promise<number> => {
    const request = phone.make('REGISTER', 'sip:example.test');
    const answered = await phone.request({ ...request, to: { uri: phone.uri(to), params: new Map() } });
    return typeof answered === 'string' ? 0 : answered.status;
  };
  assert.equal(await ask('sip:bob@example.test'), 403);
  assert.equal(await ask('sip:alice@other.test'), 403);
  assert.equal(await ask('sip:eve@other.test'), 403);
  assert.equal(world.edge.registrar.size, 0);
  assert.equal(await ask('sip:ALICE@example.test'), 200);
});

test('unknown user and wrong password get the same answer, octet for octet, but for tag and nonce (S9)', async () => {
  const world = simple();
  const answers: string[] = [];
  for (const [name, port] of [
    ['alice', 5071],
    ['nobody', 5072],
  ] as const) {
    const phone = phoneOf(world, { name, password: 'guess', port });
    const response = await phone.register();
    assert.equal(response.status, 401);
    answers.push(
      world
        .sentTo('203.0.113.1')
        .at(-1)!
        .replaceAll(name, 'NAME')
        .replaceAll(String(port), 'PORT')
        .replace(/^(Via:.*branch=)[^;]*/m, '$1')
        .replace(/^(Call-ID:).*/m, '$1')
        .replace(/tag=\w+/g, 'tag=')
        .replace(/nonce="[^"]*"/g, 'nonce=""'),
    );
  }
  assert.equal(answers[0], answers[1]);
  const failed = world.eventsOf('authentication.failed');
  assert.deepEqual(
    failed.map(({ username, reason }) => [username, reason]),
    [
      ['alice', 'bad-credentials'],
      ['nobody', 'bad-credentials'],
    ],
  );
});

test('a device that requires encryption registers over TLS only', async () => {
  const world = new World({ objects: { users: [user('alice', { encryption: 'required' })] } });
  const plain = await phoneOf(world, { transport: 'udp' }).register();
  assert.equal(plain.status, 403);
  assert.match(plain.headers.get('Warning')!, /TLS/);
  assert.equal((await phoneOf(world, { port: 5071 }).register()).status, 200);
});

test('an instance with a reg-id keeps one binding over a new connection (RFC 5626 §6)', async () => {
  const world = simple();
  const instance = ';+sip.instance="<urn:uuid:00000000-0000-1000-8000-AABBCCDDEEFF>";reg-id=1';
  const phone = phoneOf(world);
  await phone.register(600, [`${phone.contact}${instance}`]);
  world.network.break(phone.flow);
  const again = phoneOf(world, { port: 5071 });
  await again.register(600, [`${again.contact}${instance}`]);
  assert.deepEqual(bindings(world), ['sip:alice@203.0.113.1:5071;transport=tls']);
});

test('calls go back over the connection that registered; once it is closed the phone is not reached (RFC 5626 §5.3)', async () => {
  const world = simple();
  const { alice, bob } = await aliceAndBob(world);
  bob.onInvite = (call) => call.answer();
  const call = alice.call('bob');
  await world.until(() => call.state === 'up');
  call.hangUp();
  world.network.break(bob.flow);
  const gone = alice.call('bob');
  await world.until(() => gone.state === 'over');
  assert.equal(gone.status, 480);
});

test('a phone on UDP is still reached after a restart of the edge, from what the store holds', async () => {
  const first = simple();
  await registered(first, { name: 'bob', address: '203.0.113.2', transport: 'udp' });
  const world = new World({
    objects: { users: [user('alice'), user('bob')] },
    bindings: [...first.store.table.values()],
  });
  const bob = new Phone(world, { name: 'bob', address: '203.0.113.2', transport: 'udp' });
  bob.onInvite = (call) => call.answer();
  const alice = await registered(world, { name: 'alice', address: '203.0.113.1' });
  const call = alice.call('bob');
  await world.until(() => call.state === 'up');
});

test('a connection that closes while the disk is busy leaves a binding that nobody is sent to', async () => {
  const world = simple();
  world.store.latency = 1000;
  const phone = phoneOf(world);
  const to = { uri: phone.uri('alice'), params: new Map<string, string>() };
  phone.ask({ ...phone.make('REGISTER', 'sip:example.test'), to }, () => undefined);
  await world.until(() => world.eventsOf('request.challenged').length === 1);
  await world.run(100);
  world.network.break(phone.flow);
  await world.run(5000);
  assert.equal(world.edge.registrar.byFlow(phone.flow.id), undefined);
  assert.equal(bindings(world).length, 1);
});

test('devices and users that are deleted lose their bindings', async () => {
  const world = simple();
  await phoneOf(world).register();
  world.edge.replaceObjects({ users: [user('bob')], trunks: [], routes: [] });
  await world.run(100);
  assert.equal(bindings(world).length, 0);
  assert.equal(world.store.table.size, 0);
});

test('an older CSeq of the same Call-ID changes nothing (RFC 3261 §10.3 step 7)', async () => {
  const world = simple();
  const phone = phoneOf(world);
  const request = phone.make('REGISTER', 'sip:example.test');
  const to = { uri: phone.uri('alice'), params: new Map<string, string>() };
  const first = await phone.request({ ...request, to });
  assert.ok(typeof first !== 'string' && first.status === 200);
  const stored = [...world.store.table.values()][0]!;
  const late = world.edge.registrar.register(
    { ...request, to, cseq: { number: stored.cseq - 1, method: 'REGISTER' } },
    { domain: 'example.test', user: 'alice', device: 'alice' },
    phone.flow,
    world.time.now,
  );
  assert.equal(late.status, 500);
  assert.equal(late.put.length + late.remove.length, 0);
});

test('separators in what a peer writes cannot reach into another record (S14)', async () => {
  const world = simple();
  const phone = phoneOf(world);
  const evil = '<sip:a%7Cb%20c%22%5C;d,e@203.0.113.1;x=%7C>';
  assert.equal((await phone.register(600, [evil])).status, 200);
  const bob = phoneOf(world, { name: 'bob', port: 5075 });
  await bob.register(600, [evil]);
  for (const breaking of ['%0d%0aContact:x', '%00', '%0a']) {
    const answered = await phone.register(600, [`<sip:a${breaking}@203.0.113.1>;expires=0`]);
    assert.ok([200, 400].includes(answered.status));
  }
  assert.equal(world.store.table.size, 2);
  assert.equal(bindings(world).length, 1);
  for (const text of world.sentTo('203.0.113.1'))
    assert.ok(!/\nContact:x/.test(text) && !text.includes('\0'), text);
});

test('a phone that comes back over new connections is never locked out by the old ones (RFC 5626 §5.3)', async () => {
  const world = simple();
  for (let i = 0; i < 12; i += 1) {
    const phone = phoneOf(world, { port: 5100 + i });
    assert.equal((await phone.register(3600, [`<sip:alice@203.0.113.1:${5100 + i}>`])).status, 200);
    world.network.break(phone.flow);
  }
  assert.ok(bindings(world).length <= 8);
});
