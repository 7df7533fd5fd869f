import assert from 'node:assert/strict';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { Secret } from '@ringfence/bytes/secret.ts';
import fc from 'fast-check';
import { formatProblem } from '../config/problem.ts';
import { prepareDatabase } from '../store/database.ts';
import { assembleObjects, readObjectRows, readObjects } from '../store/object-rows.ts';
import { Sealer } from '../store/seal.ts';
import { exportObjects, toYaml } from './export.ts';
import { type ApplyOptions, applyObjects, type Change } from './import.ts';
import { readObjectsText } from './read.ts';

/** A store in memory, and what its administrator does to it. */
class Desk {
  readonly database = new DatabaseSync(':memory:');
  readonly sealer = new Sealer(new Secret(new Uint8Array(32).fill(7)));

  constructor() {
    prepareDatabase(this.database, 'memory', 0);
  }

  try(yaml: string, options: Partial<ApplyOptions> = {}) {
    const read = readObjectsText('objects.yaml', yaml);
    if (!read.ok) return read;
    return applyObjects(this.database, this.sealer, read.value, {
      defaultDomain: 'a.example',
      prune: false,
      dryRun: false,
      weakPasswords: false,
      ...options,
    });
  }

  apply(yaml: string, options: Partial<ApplyOptions> = {}): string[] {
    const applied = this.try(yaml, options);
    assert.ok(applied.ok, applied.ok ? '' : applied.error.map(formatProblem).join('\n'));
    return applied.value.map(short);
  }

  refused(yaml: string, options: Partial<ApplyOptions> = {}): string {
    const before = this.dump();
    const applied = this.try(yaml, options);
    assert.ok(!applied.ok, 'was accepted');
    assert.equal(this.dump(), before, 'something was written all the same');
    return applied.error.map(formatProblem).join('\n');
  }

  export(): string {
    return toYaml(exportObjects(readObjectRows(this.database)));
  }

  objects() {
    return assembleObjects(readObjects(this.database, this.sealer));
  }

  /** Everything but the nonces of sealed secrets. */
  dump(): string {
    return JSON.stringify([
      readObjectRows(this.database),
      this.database.prepare('SELECT kind, domain, name, algorithm FROM secrets').all(),
      this.database.prepare('SELECT * FROM meta').all(),
    ]);
  }
}

const short = ({ action, kind, domain, name, what }: Change): string =>
  `${action} ${kind} ${domain}/${name}${what.length === 0 ? '' : ` ${what.join(',')}`}`;

const good = `
users:
  - name: alice
    displayName: 'Alice "A" Ätsch'
    number: +4930123
    devices:
      - {name: alice, password: tWelve-monkeys-at-dusk, allowMd5: true}
      - {name: alice-desk, password: tHirteen-monkeys-at-dusk, encryption: preferred}
  - {name: bob, domain: b.example, devices: [{name: bob, password: fOurteen-monkeys-at-dusk}]}
trunks:
  - name: carrier
    target: sip:carrier.example;transport=tls
    certificateNames: [carrier.example]
    inboundAuthentication: {username: carrier-in, password: fifteen-monkeys-at-dusk-in}
    outboundAuthentication: {username: me, password: x, allowMd5: true}
  - {name: pbx, target: "sip:10.0.0.9:5060", encryption: none, addresses: [10.0.0.9, "fd00::/64"]}
routes:
  - {match: +49*, to: {trunk: carrier}}
  - {name: attendant, match: "007", priority: 10, from: any, to: {user: alice}}
  - {match: default, from: trunks, to: {block: not for us}}
`;

test('a file is applied; applied again it changes nothing and wakes nobody', () => {
  const desk = new Desk();
  assert.equal(desk.apply(good).length, 10);
  const before = desk.dump();
  assert.deepEqual(desk.apply(good), []);
  assert.equal(desk.dump(), before);
});

const carriers = `
domains:
  - {name: A.example, limits: {calls: 100, callsPerSecond: 20}, userLimits: {calls: 2}}
users:
  - {name: centre, limits: {calls: 50}, screening: {block: ["+33155*"], anonymous: block}, devices: []}
trunks:
  - name: many
    targets:
      - {target: 'sip:10.0.0.1', priority: 1, weight: 3}
      - {target: 'sip:10.0.0.2'}
    encryption: none
    health: {intervalSeconds: 10}
    failover: {statuses: [503], silenceSeconds: 4}
    limits: {calls: 30, queue: 10, status: 480}
    rewrite:
      outbound:
        called: [{match: '+49(*)', replace: '0{1}'}]
        headers: [{add: X-Customer, value: '17'}, {remove: Subject}]
  - {name: one, target: 'sip:10.0.0.3', encryption: none}
routes:
  - {match: default, rewrite: {caller: [{strip: 1, prefix: '00'}]}, to: {trunks: [many, one]}}
`;

test('several targets, health, failover, limits and lists of trunks are stored and exported as they were', () => {
  const desk = new Desk();
  assert.equal(desk.apply(carriers).length, 5);
  assert.deepEqual(desk.apply(carriers), []);
  assert.deepEqual(desk.apply(desk.export(), { prune: true }), []);
  const { trunks, routes, domains, users } = desk.objects();
  assert.deepEqual(
    trunks[0]!.targets?.map(({ priority, weight }) => [priority, weight]),
    [
      [1, 3],
      [0, 1],
    ],
  );
  assert.equal(trunks[0]!.target, 'sip:10.0.0.1');
  assert.deepEqual(trunks[0]!.health, {
    options: true,
    intervalSeconds: 10,
    failures: 3,
    recoveries: 2,
    statuses: [408, 503, 504],
  });
  assert.equal(trunks[0]!.limits?.queueSeconds, 5);
  // Numbers, given or by default.
  assert.deepEqual([trunks[0]!.limits?.status, trunks[0]!.limits?.retryAfterSeconds], [480, 10]);
  assert.deepEqual(routes[0]!.to, { trunks: ['many', 'one'] });
  assert.deepEqual(
    domains?.map(({ domain, userLimits }) => [domain, userLimits]),
    [['a.example', { calls: 2 }]],
  );
  assert.deepEqual(users[0]!.limits, { calls: 50 });
  assert.deepEqual(users[0]!.screening, { block: ['+33155*'], anonymous: 'block' });
  const changed = carriers.replace('calls: 30', 'calls: 31');
  assert.deepEqual(desk.apply(changed), ['change trunk a.example/many limits']);
});

for (const [what, from, to, says] of [
  ['no target at all', "target: 'sip:10.0.0.3', ", '', /has no target/],
  [
    'both',
    "{name: one, target: 'sip:10.0.0.3'",
    "{name: one, target: 'sip:10.0.0.3', targets: [{target: 'sip:10.0.0.4'}]",
    /`target` and `targets`/,
  ],
  [
    'an unencrypted one of several',
    'encryption: none\n    health',
    'health',
    /targets\[0\]\.target.*encryption is required/,
  ],
  ['no URI', "'sip:10.0.0.2'", "'10.0.0.2'", /objects\.yaml:10:.*targets\[1\]\.target.*is not a target/],
  ['a trunk that is not there', '[many, one]', '[many, two]', /to\.trunks\[1\].*no trunk `two`/],
  ['a trunk twice', '[many, one]', '[many, many]', /twice/],
  ['a pattern', "'+49(*)'", "'+49(*'", /objects\.yaml:17:.*called\[0\]\.match.*does not close it/],
  ['a capture that is not there', '0{1}', '0{2}', /called\[0\]\.replace.*names \{2\}/],
  ["a header field of the edge's own", 'X-Customer', 'Via', /headers\[0\]\.add.*written by the edge itself/],
  ['no header field', 'X-Customer', 'X Customer', /headers\[0\]\.add.*not the name/],
  [
    'a header with line ends',
    "value: '17'",
    'value: "1\\r\\nVia: x"',
    /headers\[0\]\.value.*control characters/,
  ],
  ['a rule of a route', 'strip: 1,', "replace: '{0}',", /routes\[0\]\.rewrite\.caller\[0\].*beside/],
  ['an unknown key', 'intervalSeconds', 'intervalSecond', /did you mean|intervalSeconds/],
] as const)
  test(`refused with file and line: ${what}`, () => {
    assert.ok(carriers.includes(from));
    assert.match(new Desk().refused(carriers.replace(from, to)).replaceAll('\n', ' '), says);
  });

test('codecs, trust, messages and transfers are stored and exported as they were', () => {
  const desk = new Desk();
  const text = `
users:
  - name: alice
    devices:
      - {name: desk, password: a-long-and-quiet-secret, codecs: [opus, G722]}
trunks:
  - name: t
    target: 'sip:192.168.0.10'
    encryption: preferred
    codecs: [PCMA]
    trusted: true
    messages: true
    transfer: refuse
`;
  assert.equal(desk.apply(text).length, 3);
  assert.deepEqual(desk.apply(text), []);
  assert.deepEqual(desk.apply(desk.export(), { prune: true }), []);
  const { users, trunks } = desk.objects();
  assert.deepEqual(users[0]!.devices[0]!.codecs, ['opus', 'g722']);
  const { codecs, trusted, messages, transfer } = trunks[0]!;
  assert.deepEqual(
    { codecs, trusted, messages, transfer },
    {
      codecs: ['PCMA'],
      trusted: true,
      messages: true,
      transfer: 'refuse',
    },
  );
  assert.equal(desk.apply(text.replace('[opus, G722]', '[opus]')).length, 1);
  for (const wrong of ['[]', '["a b"]', 'PCMA'])
    assert.equal(desk.try(text.replace('[PCMA]', wrong)).ok, false, wrong);
});

test('keying and ice of devices and trunks are stored and exported as they were; others are refused', () => {
  const desk = new Desk();
  const text = `
users:
  - name: alice
    devices:
      - {name: desk, password: a-long-and-quiet-secret, keying: dtls, ice: full}
trunks:
  - {name: t, target: 'sip:192.168.0.10', encryption: preferred, keying: any, ice: 'off'}
`;
  assert.equal(desk.apply(text).length, 3);
  assert.deepEqual(desk.apply(desk.export(), { prune: true }), []);
  const { users, trunks } = desk.objects();
  const { keying, ice } = users[0]!.devices[0]!;
  assert.deepEqual([keying, ice, trunks[0]!.keying, trunks[0]!.ice], ['dtls', 'full', 'any', 'off']);
  assert.equal(desk.apply(text.replace('keying: dtls', 'keying: sdes')).length, 1);
  for (const [from, to] of [
    ['keying: dtls', 'keying: zrtp'],
    ['ice: full', 'ice: on'],
  ] as const)
    assert.equal(desk.try(text.replace(from, to)).ok, false, to);
});

test('the mailbox of a user is stored and exported as it was; what is none is refused', () => {
  const desk = new Desk();
  const text = 'users: [{name: alice, email: alice@example.com, devices: []}]';
  assert.equal(desk.apply(text).length, 1);
  assert.deepEqual(desk.apply(desk.export(), { prune: true }), []);
  assert.equal(desk.objects().users[0]!.email, 'alice@example.com');
  for (const wrong of ['alice', '"a@b, c@d"', '"a@b\\r\\nRCPT TO:<x@y>"'])
    assert.match(desk.refused(text.replace('alice@example.com', wrong)), /email/, wrong);
});

test('methods and header fields of devices, trunks and PBXs are stored and exported as they were; others are refused', () => {
  const desk = new Desk();
  const text = `
users:
  - name: alice
    domain: one.test
    devices:
      - {name: desk, password: a-long-and-quiet-secret, methods: [REGISTER, INVITE]}
trunks:
  - {name: t, domain: one.test, target: 'sip:192.168.0.10', encryption: preferred, methods: [INVITE, OPTIONS], headers: {allow: [X-Account], replace: true}}
pbx:
  - {domain: two.test, nodes: [{name: n, target: 'sip:192.168.0.11'}], encryption: none, methods: [REGISTER], headers: {allow: []}}
`;
  assert.equal(desk.apply(text).length, 4);
  assert.deepEqual(desk.apply(desk.export(), { prune: true }), []);
  const { users, trunks, pbx } = desk.objects();
  assert.deepEqual(users[0]!.devices[0]!.methods, ['REGISTER', 'INVITE']);
  assert.deepEqual(trunks[0]!.headers, { allow: ['X-Account'], replace: true });
  assert.deepEqual(pbx?.[0]?.headers, { allow: [], replace: false });
  for (const [from, to, says] of [
    ['[REGISTER, INVITE]', '[REGISTER, REGISTER]', /devices\[0\]\.methods.*twice/],
    ['[INVITE, OPTIONS]', '[INVITE, OPTION]', /trunks\[0\]\.methods\[1\]/],
    ['[X-Account]', '[Record-Route]', /headers\.allow\[0\].*written by the edge itself/],
    ['[X-Account]', '[v]', /headers\.allow\[0\].*written by the edge itself/],
    ['methods: [REGISTER],', 'methods: [INVITE],', /pbx\[0\]\.methods.*lacks REGISTER/],
    ['encryption: none,', 'encryption: none, allowedHeaders: [Via],', /pbx\[0\]\.allowedHeaders\[0\]/],
  ] as const)
    assert.match(desk.refused(text.replace(from, to)).replaceAll('\n', ' '), says, to);
});

test('enrolment of a phone with ZRTP is stored and exported as it was, and trunks have none', () => {
  const desk = new Desk();
  const text = `
users:
  - name: alice
    devices:
      - {name: desk, password: a-long-and-quiet-secret, zrtp: end, zrtpEnrol: true}
trunks:
  - {name: t, target: 'sip:192.168.0.10', encryption: preferred, zrtp: end}
`;
  desk.apply(text);
  assert.deepEqual(desk.apply(desk.export(), { prune: true }), []);
  assert.equal(desk.objects().users[0]?.devices[0]?.zrtpEnrol, true);
  assert.equal(desk.try(text.replace('zrtpEnrol: true', 'zrtpEnrol: maybe')).ok, false);
  assert.equal(desk.try(text.replace('zrtp: end}\n', 'zrtp: end, zrtpEnrol: true}\n')).ok, false);
});

test('honeypots of a domain are stored and exported as they were', () => {
  const desk = new Desk();
  desk.apply('domains: [{name: a.example, honeypots: ["8999", "+882999123456"]}]');
  assert.deepEqual(desk.apply(desk.export(), { prune: true }), []);
  assert.deepEqual(desk.objects().domains?.[0]?.honeypots, ['8999', '+882999123456']);
});

test('an export has no secrets and round-trips', () => {
  const desk = new Desk();
  desk.apply(good);
  const exported = desk.export();
  assert.doesNotMatch(exported, /monkeys|password/);
  const before = desk.dump();
  assert.deepEqual(desk.apply(exported, { prune: true }), []);
  assert.equal(desk.dump(), before);
  assert.equal(desk.export(), exported);
});

test('objects come out as decisions need them, with secrets in wrappers', () => {
  const desk = new Desk();
  desk.apply(good);
  const { users, trunks, routes } = desk.objects();
  assert.deepEqual([...users[0]!.devices.find((d) => d.name === 'alice')!.ha1.keys()].sort(), [
    'MD5',
    'SHA-256',
    'SHA-512-256',
  ]);
  assert.deepEqual([...users[0]!.devices.find((d) => d.name === 'alice-desk')!.ha1.keys()].sort(), [
    'SHA-256',
    'SHA-512-256',
  ]);
  assert.equal(users[1]!.devices[0]!.encryption, 'required');
  assert.equal(trunks[0]!.outbound!.password.revealText(), 'x');
  assert.equal(routes.find((r) => r.name === 'attendant')?.match, '007');
  assert.doesNotMatch(JSON.stringify({ users, trunks }), /monkeys/);
});

test('a change names what differs, without values', () => {
  const desk = new Desk();
  desk.apply(good);
  assert.deepEqual(
    desk.apply(
      'users: [{name: alice, number: "5", devices: [{name: alice, allowMd5: true}, {name: alice-desk, password: sIxteen-monkeys-at-dusk}]}]',
    ),
    [
      'change user a.example/alice displayName,number',
      'change device a.example/alice-desk encryption,password',
    ],
  );
});

test('a device that its user no longer lists goes, with its secrets and registrations', () => {
  const desk = new Desk();
  desk.apply(good);
  desk.database.exec(
    `INSERT INTO bindings
     (domain, user, key, device, contact, call_id, cseq, expires_at, transport, source, listener, user_agent, updated_at)
     VALUES ('a.example', 'alice', 'k', 'alice-desk', 'c', 'i', 1, 9, 'tls', 's', 'l', 'u', 1)`,
  );
  assert.deepEqual(
    desk.apply('users: [{name: alice, devices: [{name: alice, allowMd5: true}]}]').at(0),
    'remove device a.example/alice-desk',
  );
  assert.equal(desk.database.prepare("SELECT * FROM secrets WHERE name = 'alice-desk'").all().length, 0);
  assert.equal(desk.database.prepare('SELECT * FROM bindings').all().length, 0);
});

test('prune removes what is not named, within the domains and kinds that the file has', () => {
  const desk = new Desk();
  desk.apply(good);
  assert.deepEqual(desk.apply('routes: [{match: +49*, to: {trunk: carrier}}]', { prune: true }), [
    'remove route a.example/attendant',
    'remove route a.example/trunks:default',
  ]);
  assert.match(
    desk.refused('trunks: []', { prune: true }),
    /stored route `users:\+49\*` leads to trunk `carrier`.*would be gone/,
  );
  assert.deepEqual(desk.apply('trunks: []\nroutes: []', { prune: true }).length, 3);
  assert.deepEqual(desk.apply('users: [{name: bob, domain: b.example, devices: []}]', { prune: true }), [
    'remove device b.example/bob',
  ]);
  assert.deepEqual(
    desk.objects().users.map((u) => u.name),
    ['alice', 'bob'],
  );
});

test('a dry run tells and changes nothing', () => {
  const desk = new Desk();
  const before = desk.dump();
  assert.equal(desk.apply(good, { dryRun: true }).length, 10);
  assert.equal(desk.dump(), before);
});

const device = (password: string) =>
  `users: [{name: al, devices: [{name: aldesk, password: "${password}"}]}]`;
const trunk = (fields: string) => `trunks: [{name: t, ${fields}}]`;
const route = (fields: string) => `routes: [{match: "1", to: {block: x}, ${fields}}]`;
for (const [what, yaml, words] of [
  [
    'an unknown key',
    'users: [{name: a, devises: []}]',
    /objects.yaml:1:19: users\[0\].devises: the key is unknown. Did you mean `devices`/,
  ],
  ['a name with a space', 'users: [{name: "a b", devices: []}]', /users\[0\].name/],
  ['a name with CR LF', 'users: [{name: "a\\r\\nVia: x", devices: []}]', /control characters/],
  [
    'a display name with CR LF',
    'users: [{name: a, displayName: "a\\r\\nVia: x", devices: []}]',
    /control characters/,
  ],
  ['a number with letters', 'users: [{name: a, number: 12a, devices: []}]', /digits/],
  ['a new device without password', 'users: [{name: a, devices: [{name: a}]}]', /no password yet/],
  ['a short password', device('Ab3$xyz'), /fewer than 8/],
  ['a common password', device('Password123'), /attackers try first/],
  ['the name as password', device('aldesk2024'), /repeats the name/],
  ['digits as password', device('8402957313'), /digits only/],
  ['a keyboard row as password', device('qwertyuio'), /keyboard|attackers/],
  ['few characters', device('abababab'), /repeats a few/],
  [
    'one user twice',
    'users: [{name: a, devices: []}, {name: A, devices: []}]',
    /users\[1\].name: the user name `A` already belongs to user a/,
  ],
  [
    'one number twice',
    'users: [{name: a, number: 5, devices: []}, {name: b, number: 5, devices: []}]',
    /number 5 already/,
  ],
  [
    'one device name twice',
    'users: [{name: a, devices: [{name: d, password: tWelve-monkeys-at-dusk}]}, {name: b, devices: [{name: d, password: tWelve-monkeys-at-dusk}]}]',
    /unique within a domain/,
  ],
  [
    'a trunk login that is a device',
    'users: [{name: a, devices: [{name: d, password: tWelve-monkeys-at-dusk}]}]\ntrunks: [{name: t, target: "sips:t.example", inboundAuthentication: {username: d, password: tWelve-monkeys-at-dusk}}]',
    /already belongs to device d/,
  ],
  ['a target that is no URI', trunk('target: t.example'), /is not a target/],
  ['a target with headers', trunk('target: "sip:t.example?Subject=x"'), /is not a target/],
  ['a target with CR LF', trunk('target: "sip:t.example\\r\\nVia: x"'), /control characters/],
  ['a target with a bad port', trunk('target: "sip:t.example:70000;transport=tls"'), /is not a target/],
  ['required encryption over UDP', trunk('target: "sip:10.0.0.1"'), /Add `;transport=tls`/],
  [
    'plaintext towards a public address',
    trunk('target: "sip:198.51.100.1", encryption: preferred'),
    /dangerousPlaintext/,
  ],
  ['plaintext towards a name', trunk('target: "sip:t.example", encryption: none'), /not known to be private/],
  [
    'an address that is none',
    trunk('target: "sips:t.example", addresses: [t.example]'),
    /not an address or range/,
  ],
  ['a range with host bits', trunk('target: "sips:t.example", addresses: [192.0.2.1/24]'), /host bits/],
  [
    'half the internet',
    trunk('target: "sips:t.example", addresses: [0.0.0.0/0]'),
    /too much of the internet/,
  ],
  [
    'overlapping trunks',
    'trunks: [{name: a, target: "sips:a.example", addresses: [192.0.2.0/24]}, {name: b, domain: b.example, target: "sips:b.example", addresses: [192.0.2.7]}]',
    /192.0.2.7 overlaps 192.0.2.0\/24 of trunk a/,
  ],
  [
    'overlapping IPv6',
    'trunks: [{name: a, target: "sips:a.example", addresses: ["2001:db8::/32"]}, {name: b, target: "sips:b.example", addresses: ["2001:db8:1::5"]}]',
    /overlaps/,
  ],
  [
    'one certificate name twice',
    'trunks: [{name: a, target: "sips:a.example", certificateNames: [x.example]}, {name: b, domain: b.example, target: "sips:b.example", certificateNames: [X.example]}]',
    /certificate name/,
  ],
  ['a pattern with letters', route('').replace('"1"', 'abc'), /is not a pattern/],
  ['a star in the middle', route('').replace('"1"', '1*2'), /is not a pattern/],
  [
    'a recorder that is no trunk',
    'domains: [{name: a.example, recording: {recorder: vault, users: [alice], consent: notified}}]',
    /domains\[0\]\.recording\.recorder: there is no trunk `vault` in domain a\.example/,
  ],
  [
    'a honeypot that somebody is',
    'users: [{name: alice, number: "+15550001111", devices: [{name: desk, password: a-long-and-quiet-secret}]}]\ndomains: [{name: a.example, honeypots: [trap, Desk]}]',
    /domains\[0\]\.honeypots\[1\]: `Desk` is a user or a device of a\.example/,
  ],
  [
    'consent of a kind that there is not',
    'domains: [{name: a.example, recording: {recorder: vault, users: [alice], consent: assumed}}]',
    /consent/,
  ],
  [
    'a route to nowhere',
    'routes: [{match: "1", to: {trunk: no}}]',
    /objects.yaml:1:35: routes\[0\].to.trunk: there is no trunk `no` in domain a.example/,
  ],
  ['a route to two places', 'routes: [{match: "1", to: {trunk: a, user: b}}]', /Write one of/],
  ['a route to an unknown kind', 'routes: [{match: "1", to: {trnk: a}}]', /Did you mean `trunk`/],
  ['one route twice', 'routes: [{match: "1", to: {block: x}}, {match: "1", to: {block: y}}]', /here twice/],
] as const) {
  test(`refused, with nothing written: ${what}`, () => {
    assert.match(new Desk().refused(yaml), words);
  });
}

test('nothing crosses between tenants', () => {
  const desk = new Desk();
  desk.apply(good);
  assert.match(
    desk.refused('routes: [{domain: b.example, match: "1", to: {trunk: carrier}}]'),
    /A route stays within its domain/,
  );
  assert.match(
    desk.refused('routes: [{domain: b.example, match: "1", to: {user: alice}}]'),
    /A route stays within its domain/,
  );
  // the same names live in both
  desk.apply(
    'users: [{name: alice, domain: b.example, number: +4930123, devices: [{name: alice, password: sEventeen-monkeys-at-dusk}]}]',
  );
  assert.equal(desk.objects().users.filter((u) => u.name === 'alice').length, 2);
});

test('a device cannot be taken from a user that the file does not list', () => {
  const desk = new Desk();
  desk.apply(good);
  assert.match(
    desk.refused('users: [{name: zed, devices: [{name: alice, allowMd5: true}]}]'),
    /already belongs to user alice/,
  );
  desk.apply(
    'users: [{name: zed, devices: [{name: alice, allowMd5: true}]}, {name: alice, devices: [{name: alice-desk}]}]',
  );
  assert.deepEqual(
    desk
      .objects()
      .users.find((u) => u.name === 'zed')
      ?.devices.map((d) => d.name),
    ['alice'],
  );
});

test('MD5 wished for later needs the password anew, and goes when no longer wished for', () => {
  const desk = new Desk();
  desk.apply(good);
  assert.match(
    desk.refused('users: [{name: bob, domain: b.example, devices: [{name: bob, allowMd5: true}]}]'),
    /needs its password anew for MD5/,
  );
  desk.apply('users: [{name: alice, devices: [{name: alice}, {name: alice-desk}]}]');
  assert.equal(desk.database.prepare("SELECT * FROM secrets WHERE algorithm = 'MD5'").all().length, 0);
});

test('a stored password is not sent along to another target or under another name', () => {
  const desk = new Desk();
  desk.apply(good);
  const carrier = (target: string, out: string, inside: string) =>
    `trunks: [{name: carrier, target: "${target}", inboundAuthentication: {username: ${inside}}, outboundAuthentication: {username: ${out}, allowMd5: true}}]`;
  assert.match(desk.refused(carrier('sips:evil.example', 'me', 'carrier-in')), /target or user name changed/);
  assert.match(
    desk.refused(carrier('sip:carrier.example;transport=tls', 'you', 'carrier-in')),
    /target or user name changed/,
  );
  assert.match(
    desk.refused(carrier('sip:carrier.example;transport=tls', 'me', 'other-in')),
    /no password yet/,
  );
  desk.apply(carrier('sip:carrier.example;transport=tls', 'me', 'carrier-in'));
});

test('weak passwords pass with the flag that says so', () => {
  assert.equal(new Desk().apply(device('1234'), { weakPasswords: true }).length, 2);
});

test('random objects are applied whole or not at all, and round-trip', () => {
  const name = fc.constantFrom('a', 'b', 'B', 'c-1', 'ü', '');
  const domain = fc.option(fc.constantFrom('a.example', 'b.example', 'A.example'), { nil: undefined });
  const devices = fc.array(
    fc.record({ name, password: fc.constantFrom('tWelve-monkeys-at-dusk', 'short'), allowMd5: fc.boolean() }),
    { maxLength: 2 },
  );
  const user = fc.record({ name, domain, number: fc.constantFrom('1', '2', '+3', 'x'), devices });
  const line = fc.record({
    name,
    domain,
    target: fc.constantFrom('sips:x.example', 'sip:10.0.0.1', 'sip:1.1.1.1'),
    encryption: fc.constantFrom('none', 'required', undefined),
    addresses: fc.array(fc.constantFrom('10.0.0.0/24', '10.0.0.7', '::1'), { maxLength: 2 }),
  });
  const way = fc.record({
    domain,
    match: fc.constantFrom('1*', 'default', 'x', '+49x*', '*1'),
    to: fc.oneof(
      fc.record({ user: name }),
      fc.record({ trunk: name }),
      fc.record({ block: fc.constant('no') }),
    ),
  });
  const file = fc.record({
    users: fc.array(user, { maxLength: 3 }),
    trunks: fc.array(line, { maxLength: 2 }),
    routes: fc.array(way, { maxLength: 2 }),
  });
  let applied = 0;
  let refused = 0;
  fc.assert(
    fc.property(fc.array(fc.tuple(file, fc.boolean()), { minLength: 1, maxLength: 4 }), (files) => {
      const desk = new Desk();
      for (const [objects, prune] of files) {
        const before = desk.dump();
        const done = desk.try(JSON.stringify(objects), { prune });
        if (done.ok) {
          applied += 1;
          assert.deepEqual(desk.apply(desk.export(), { prune: true }), []);
          desk.objects();
        } else {
          refused += 1;
          assert.equal(desk.dump(), before);
        }
      }
    }),
    { numRuns: 300 },
  );
  assert.ok(applied > 20 && refused > 20, `${applied} applied, ${refused} refused`);
});
