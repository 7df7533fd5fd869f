import assert from 'node:assert/strict';
import { test } from 'node:test';
import { corpusFile, needsCorpus } from '@ringfence/testkit/corpus.ts';
import type { Configuration } from '../config/schema.ts';
import { registered } from '../testing/cast.ts';
import { domain, route, trunk, user } from '../testing/objects.ts';
import { Phone, type PhoneOptions } from '../testing/phone.ts';
import { World } from '../testing/world.ts';

const attacker = '203.0.113.66';
type Settings = Partial<Configuration['detection']>;

const worldWith = (detection: Settings = {}, more: ConstructorParameters<typeof World>[0] = {}): World =>
  new World({
    objects: { users: [user('alice'), user('bob')] },
    ...more,
    config: (config) => ({ ...config, detection: { ...config.detection, ...detection } }),
  });

const found = (world: World): string[] => world.eventsOf('threat.found').map(({ rule }) => rule);

const stranger = (world: World, name: string, options: Partial<PhoneOptions> = {}): Phone =>
  new Phone(world, { name, address: attacker, transport: 'tcp', port: 7000, password: 'wrong', ...options });

/** Guesses so many passwords, one a second. */
async function guess(world: World, phone: Phone, times: number): Promise<void> {
  for (let i = 0; i < times; i += 1) {
    await phone.register();
    await world.run(1_000);
  }
}

test('guessed passwords: found within ten, the source is to be banned, with evidence that adds up', async () => {
  const world = worldWith();
  await guess(world, stranger(world, 'alice'), 12);
  const [event] = world.eventsOf('threat.found');
  assert.equal(event?.rule, 'brute-force');
  assert.equal(event.action, 'ban');
  assert.equal(event.source, attacker);
  assert.equal(event.sentence, `${attacker} guesses passwords.`);
  const sum = event.parts.reduce((all, { bits }) => all + bits, 0);
  assert.ok(Math.abs(sum - event.bits) < 0.1 && event.bits >= event.threshold);
  const [ban] = world.bans;
  assert.deepEqual([ban?.source, ban?.rule, ban?.spoofable], [attacker, 'threat.brute-force', false]);
  assert.deepEqual(world.errors, []);
});

test('watch tells and does nothing; off does not even tell', async () => {
  for (const set of ['watch', 'off'] as const) {
    const world = worldWith({ rules: { ...defaultRules(), 'brute-force': set } });
    await guess(world, stranger(world, 'alice'), 12);
    assert.deepEqual(found(world), set === 'watch' ? ['brute-force'] : []);
    assert.deepEqual(world.bans, []);
  }
});

test('detection that is off looks at nothing', async () => {
  const world = worldWith({ enabled: false });
  await guess(world, stranger(world, 'alice'), 12);
  assert.deepEqual(found(world), []);
  assert.equal(world.edge.detection.size.sources, 0);
});

test('a challenge is no failure, and neither is a nonce that another edge gave (RFC 3261 §22.2)', async () => {
  const world = worldWith();
  const phone = stranger(world, 'alice');
  phone.credentials = () =>
    `Digest username="alice", realm="${domain}", nonce="of-before", uri="sip:${domain}", response="${'0'.repeat(64)}", algorithm=SHA-256, qop=auth, nc=00000001, cnonce="x"`;
  await guess(world, phone, 40);
  phone.credentials = () => undefined;
  await guess(world, phone, 40);
  assert.deepEqual(found(world), []);
});

test('forty phones of an office that come back at once are no attack', async () => {
  const users = Array.from({ length: 40 }, (_, i) => user(`u${i}`));
  const world = new World({ objects: { users } });
  const office = { address: '198.51.100.77', transport: 'tcp' as const };
  for (let round = 0; round < 3; round += 1)
    for (const [i, { name }] of users.entries())
      await registered(world, { ...office, name, port: 10_000 + 100 * round + i });
  assert.deepEqual(found(world), []);
  assert.ok(world.edge.registrar.size >= 40);
});

test('one phone with an old password among those of an office brings no ban of the office', async () => {
  const world = worldWith();
  await registered(world, { name: 'bob', address: attacker, transport: 'tcp', port: 7001 });
  const old = stranger(world, 'alice');
  for (let i = 0; i < 60; i += 1) {
    await old.register();
    await world.run(30_000);
  }
  assert.deepEqual(world.bans, []);
});

test('names that do not exist: found, and by UDP only the socket is named, as anybody may have forged it', async () => {
  for (const transport of ['tcp', 'udp'] as const) {
    const world = worldWith();
    for (let i = 0; i < 16; i += 1) {
      const phone = stranger(world, `name${i}${i % 7}x`, { transport, port: 7000 });
      phone.credentials = () => undefined;
      // By UDP the challenge may be too long to be sent.
      await phone.register().catch(() => undefined);
    }
    assert.equal(found(world)[0], 'enumeration');
    const [ban] = world.bans;
    assert.deepEqual(
      [ban?.source, ban?.spoofable],
      transport === 'tcp' ? [attacker, false] : [`${attacker}:7000`, true],
    );
  }
});

test('who has answered a challenge by UDP is where he says: the address is named', async () => {
  const world = worldWith();
  await guess(world, stranger(world, 'alice', { transport: 'udp' }), 12);
  assert.deepEqual(
    world.bans.map(({ source, spoofable }) => [source, spoofable]),
    [[attacker, false]],
  );
});

test('forged datagrams are never held against whoever is at that address, whatever he has proven before', async () => {
  const world = worldWith();
  const victim = { address: '192.0.2.7', name: 'alice' };
  await registered(world, { ...victim, transport: 'udp' });
  const forger = stranger(world, 'x', { address: victim.address, transport: 'udp', port: 6666 });
  for (let i = 0; i < 60; i += 1) {
    forger.raw(
      `REGISTER sip:${domain} SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK${i}abcdefg\r\nFrom: <sip:${100 + i}@${domain}>;tag=${i}abcdefg\r\nTo: <sip:${100 + i}@${domain}>\r\nCall-ID: ${i}abcdefgh\r\nCSeq: 1 REGISTER\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n`,
    );
    await world.run(100);
  }
  assert.ok(found(world).length > 0);
  // Beyond the time after which a finding is told again: what was forged stays with the datagrams.
  await world.run(400_000);
  for (let i = 0; i < 3; i += 1) await registered(world, { ...victim, transport: 'tcp', port: 41_000 + i });
  await registered(world, { ...victim, transport: 'udp', port: 5062 });
  assert.ok(world.bans.every(({ source, spoofable }) => spoofable && source.includes(':')));
  assert.ok(world.bans.every(({ source }) => source === `${victim.address}:6666`));
});

test('what admission dropped unparsed is judged too: banned over TLS, only told over UDP, where it names no socket', () => {
  for (const [listener, action] of [
    ['phones', 'ban'],
    ['inside', 'watch'],
  ] as const) {
    const world = worldWith();
    const refused = { type: 'admission.refused', source: attacker, listener, threshold: 0 } as const;
    world.bus.emit({ ...refused, rule: 'admission.size', count: 5_000 });
    world.bus.emit({ ...refused, source: '*', rule: 'admission.user-agent', count: 1 });
    assert.deepEqual(found(world), []);
    world.bus.emit({ ...refused, rule: 'admission.user-agent', count: 1 });
    const [event] = world.eventsOf('threat.found');
    assert.deepEqual([event?.rule, event?.source, event?.action], ['scanner', attacker, action]);
    assert.equal(world.bans.length, action === 'ban' ? 1 : 0);
    world.bus.emit({ ...refused, source: '2001:db8:0:1::/64', rule: 'admission.rate', count: 900 });
    assert.equal(world.eventsOf('threat.found')[1]?.rule, 'flood');
  }
});

test('passwords on many accounts from one address', async () => {
  const world = worldWith({}, { objects: { users: Array.from({ length: 12 }, (_, i) => user(`u${i}`)) } });
  for (let i = 0; i < 12; i += 1) {
    await stranger(world, `u${i}`, { port: 7000 + i }).register();
    await world.run(20_000);
  }
  assert.ok(found(world).includes('credential-stuffing'));
});

test('few passwords on many accounts from many addresses: told of the tenant, nobody is banned', async () => {
  const users = Array.from({ length: 40 }, (_, i) => user(`u${i}`));
  const world = new World({ objects: { users } });
  for (let i = 0; i < 40; i += 1) {
    await stranger(world, `u${i}`, { address: `198.51.100.${100 + i}` }).register();
    await world.run(5_000);
  }
  const [event, ...more] = world.eventsOf('threat.found');
  assert.deepEqual([event?.rule, event?.domain, event?.source], ['password-spraying', domain, '*']);
  assert.equal(event?.action, 'watch');
  assert.deepEqual([...more, ...world.bans], []);
});

test('one account guessed from many addresses is told with its name', async () => {
  const world = worldWith();
  for (let i = 0; i < 12; i += 1) {
    await stranger(world, 'alice', { address: `198.51.100.${100 + i}` }).register();
    await world.run(3_000);
  }
  const event = world.eventsOf('threat.found').find(({ rule }) => rule === 'account-attacked');
  assert.deepEqual([event?.account, event?.domain, event?.action], ['alice', domain, 'watch']);
});

test('the right password after many wrong ones from elsewhere, while the desk phone goes on: a hijack', async () => {
  const world = worldWith({ rules: { ...defaultRules(), 'brute-force': 'watch' } });
  await registered(world, { name: 'alice', address: '192.0.2.7', transport: 'tcp' });
  await guess(world, stranger(world, 'alice'), 9);
  await registered(world, { name: 'alice', address: attacker, transport: 'tcp', port: 7010 });
  const event = world.eventsOf('threat.found').find(({ rule }) => rule === 'registration-hijack');
  assert.deepEqual([event?.account, event?.action], ['alice/alice', 'quarantine']);
  assert.match(event!.parts.map(({ text }) => text).join(' '), /another network.*still is.*Wrong passwords/);
});

test('a thief who names the instance of the phone is found as well (RFC 5626 §4.1)', async () => {
  const world = worldWith({ rules: { ...defaultRules(), 'brute-force': 'watch' } });
  const as = ({ contact }: Phone): string =>
    `${contact};+sip.instance="<urn:uuid:00000000-0000-1000-8000-000000000001>";reg-id=1`;
  const alice = new Phone(world, { name: 'alice', address: '192.0.2.7', transport: 'tcp' });
  assert.equal((await alice.register(3600, [as(alice)])).status, 200);
  assert.equal((await alice.register(3600, [as(alice)])).status, 200);
  assert.equal(world.eventsOf('registration.added').length, 1);
  await guess(world, stranger(world, 'alice'), 9);
  const eve = new Phone(world, { name: 'alice', address: attacker, transport: 'tcp', port: 7010 });
  assert.equal((await eve.register(3600, [as(eve)])).status, 200);
  assert.equal(world.edge.registrar.lookup(domain, 'alice', world.time.now).length, 1);
  const event = world.eventsOf('threat.found').find(({ rule }) => rule === 'registration-hijack');
  assert.equal(event?.action, 'quarantine');
});

test('a softphone taken along is no hijack', async () => {
  const world = worldWith();
  await registered(world, { name: 'alice', address: '192.0.2.7', transport: 'tcp' });
  await registered(world, { name: 'alice', address: '198.51.100.9', transport: 'tcp' });
  assert.deepEqual(found(world), []);
});

test('places that are too far apart, where the configuration names them', async () => {
  const places = [
    { networks: ['192.0.2.0/24'], name: 'Berlin', country: 'DE', latitude: 52.5, longitude: 13.4 },
    { networks: ['198.51.100.0/24'], name: 'Lima', country: 'PE', latitude: -12, longitude: -77 },
  ];
  const world = worldWith({ places });
  await registered(world, { name: 'alice', address: '192.0.2.7', transport: 'tcp' });
  await world.run(600_000);
  await registered(world, { name: 'alice', address: '198.51.100.9', transport: 'tcp' });
  const [event] = world.eventsOf('threat.found');
  assert.deepEqual([event?.rule, event?.action], ['impossible-travel', 'watch']);
});

const answerTo = (world: World, address: string): string =>
  (world.sentTo(address).at(-1) ?? '')
    .replaceAll(
      /branch=[^;\r]+|tag=[^;\r]+|nonce="[^"]+"|Call-ID: [^\r]+|CSeq: \d+|\d+\.\d+\.\d+\.\d+:\d+/g,
      '',
    )
    .replaceAll(/received=[0-9.]+|sip:[a-z0-9]+@/g, '');

test('who registers as a honeypot has told us, and hears what anybody unknown hears', async () => {
  const world = worldWith({ honeypots: ['admin'] });
  const ask = async (name: string, address: string): Promise<string> => {
    const phone = stranger(world, name, { address });
    phone.credentials = () => undefined;
    await phone.register();
    return answerTo(world, address);
  };
  const [trapped, unknown] = [await ask('admin', attacker), await ask('nobod', '203.0.113.67')];
  assert.equal(trapped.replaceAll('MD5', 'SHA-256'), unknown.replaceAll('MD5', 'SHA-256'));
  assert.deepEqual(found(world), ['honeypot']);
  assert.equal(world.bans[0]?.source, attacker);
});

test('a honeypot number is one behind whatever prefix, and never a number that somebody has or that calls for help', async () => {
  const world = worldWith(
    { honeypots: ['+882999123456', '112', 'bob'] },
    {
      objects: {
        users: [user('alice'), user('bob')],
        trunks: [trunk('carrier', { addresses: ['192.0.2.10'] })],
      },
    },
  );
  const ask = async (target: string): Promise<void> => {
    const phone = stranger(world, 'eve');
    phone.credentials = () => undefined;
    await phone.request(phone.make('INVITE', target));
  };
  for (const target of ['112', 'urn:service:sos', 'bob']) await ask(target);
  assert.deepEqual(found(world), []);
  await ask('00882999123456');
  assert.deepEqual(found(world), ['honeypot']);
});

test('a phone that calls a honeypot goes into quarantine, not its office into a ban', async () => {
  const world = worldWith({ honeypots: ['8999'] }, { objects: { users: [user('alice'), user('bob')] } });
  const alice = await registered(world, { name: 'alice', address: '192.0.2.7', transport: 'tcp' });
  const call = alice.call('8999');
  await world.until(() => call.state === 'over');
  const [event, ...more] = world.eventsOf('threat.found');
  assert.deepEqual([event?.rule, event?.action, event?.account], ['honeypot', 'quarantine', 'alice/alice']);
  assert.deepEqual([...more, ...world.bans], []);
  assert.equal(world.eventsOf('account.quarantined')[0]?.user, 'alice');
  assert.equal(call.status, 403);
  const help = alice.call('112');
  await world.until(() => help.state === 'over');
  assert.notEqual(help.status, 403);
});

test('a domain has honeypots of its own, and no other domain has them', async () => {
  const world = worldWith(
    {},
    {
      objects: {
        users: [user('alice'), user('bob', { realm: 'other.test' })],
        domains: [{ name: 'other.test', domain: 'other.test', honeypots: ['trap'] }],
      },
    },
  );
  for (const realm of [domain, 'other.test']) {
    const phone = stranger(world, 'trap', { realm, port: realm === domain ? 7001 : 7002 });
    phone.credentials = () => undefined;
    await phone.register();
    assert.deepEqual(found(world), realm === domain ? [] : ['honeypot']);
  }
});

test('emergency: whoever calls for help is not looked at, however often and however wrong', async () => {
  const world = worldWith({ honeypots: ['8999'] });
  const phone = stranger(world, 'eve');
  for (let i = 0; i < 60; i += 1) {
    await phone.request(phone.make('INVITE', i % 2 === 0 ? '112' : 'urn:service:sos'));
    await world.run(500);
  }
  assert.deepEqual(found(world), []);
  assert.equal(world.edge.detection.size.sources, 0);
});

test('what comes from a trunk is never judged', async () => {
  const world = worldWith(
    {},
    { objects: { users: [user('alice')], trunks: [trunk('carrier', { addresses: ['192.0.2.10'] })] } },
  );
  const carrier = new Phone(world, { name: 'x', address: '192.0.2.10', transport: 'tcp' });
  for (let i = 0; i < 200; i += 1)
    await carrier.request(carrier.make('OPTIONS', `sip:${1000 + i}@${domain}`));
  assert.deepEqual(found(world), []);
  assert.equal(world.edge.detection.size.sources, 0);
});

test('a flood of forged senders is told of ten times a second, and hides nobody', async () => {
  const world = worldWith();
  for (let i = 0; i < 2_000; i += 1) {
    const phone = stranger(world, 'eve', {
      address: `10.${i >> 8}.${i & 255}.1`,
      transport: 'udp',
      says: [],
    });
    phone.raw(
      `OPTIONS sip:100@${domain} SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK${i}abcdefg\r\nFrom: "sipvicious" <sip:100@x>;tag=${i}abcdefg\r\nTo: <sip:100@x>\r\nCall-ID: ${i}abcdefgh\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n`,
    );
  }
  await guess(world, stranger(world, 'alice'), 12);
  const events = world.eventsOf('threat.found');
  assert.ok(events.length < 60, String(events.length));
  assert.ok(events.some(({ rule, source }) => rule === 'brute-force' && source === attacker));
  assert.ok(world.edge.detection.report.untold > 1_000);
  assert.ok(world.edge.detection.report.recent().some(({ source }) => source === attacker));
});

test(
  'a real scan of 2010: found with its first message by its mark, and without the mark by what it does',
  needsCorpus('attack/honeynet-challenge4-sip.jsonl'),
  async () => {
    const lines = Buffer.from(corpusFile('attack/honeynet-challenge4-sip.jsonl'))
      .toString()
      .trim()
      .split('\n');
    const messages = lines.slice(0, 400).map((line) => String(JSON.parse(line).msg));
    for (const marked of [true, false]) {
      const world = worldWith();
      const phone = stranger(world, 'eve');
      let sent = 0;
      for (const message of messages) {
        const text = message
          .replaceAll('honey.pot.IP.removed', domain)
          .replaceAll('X_removed', `t${sent}abcdefg`);
        phone.raw(marked ? text : text.replaceAll(/friendly-scanner|sipvicious/g, 'Phone'));
        sent += 1;
        await world.run(100);
        if (found(world).length > 0) break;
      }
      assert.ok(sent <= (marked ? 1 : 12), `${marked} ${sent}`);
    }
  },
);

test('a plain call between phones leaves nothing behind but that they have proven themselves', async () => {
  const world = worldWith(
    {},
    { objects: { users: [user('alice'), user('bob')], routes: [route('+1*', { block: 'x' })] } },
  );
  const alice = await registered(world, { name: 'alice', address: '192.0.2.7', transport: 'tcp' });
  const bob = await registered(world, { name: 'bob', address: '192.0.2.8', transport: 'tcp' });
  bob.onInvite = (call) => call.answer();
  const call = alice.call('bob');
  await world.until(() => call.state === 'up');
  call.hangUp();
  await world.run(1_000);
  assert.deepEqual(found(world), []);
  assert.deepEqual(world.errors, []);
});

function defaultRules(): Configuration['detection']['rules'] {
  let rules: Configuration['detection']['rules'] | undefined;
  new World({
    config: (config) => {
      rules = config.detection.rules;
      return config;
    },
  });
  return rules!;
}
