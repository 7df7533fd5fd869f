import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Secret } from '@ringfence/bytes/secret.ts';
import type { EdgeEvent } from '../events/types.ts';
import { domain, user } from '../testing/objects.ts';
import type { World } from '../testing/world.ts';
import type { Answer } from './operations.ts';
import { mostOfAccount, mostSessions, Sessions } from './sessions.ts';
import { DeskBed, elsewhere, office, origin } from './testing/desk-bed.ts';
import { totpCode, totpStep } from './totp.ts';

const problem = ({ body }: Answer): unknown => body.problem;
const ok = ({ status, body }: Answer): void => assert.equal(status, 200, JSON.stringify(body));
const step = 30_000;

type Changed = Extract<EdgeEvent, { readonly factor: string; readonly label: string }>;
const changes = ({ events }: World, type: Changed['type']): Changed[] =>
  events.filter((event): event is Changed => event.type === type);
const added = (world: World): Changed[] => changes(world, 'account.factor-added');
const removed = (world: World): Changed[] => changes(world, 'account.factor-removed');

test('RFC 6238 §4, appendix B: codes of SHA-1 are those of the RFC, in six digits', () => {
  const key = new Secret(Buffer.from('12345678901234567890'));
  for (const [seconds, code] of [
    [59, '287082'],
    [1111111109, '081804'],
    [1111111111, '050471'],
    [1234567890, '005924'],
    [2000000000, '279037'],
    [20000000000, '353130'],
  ] as const)
    assert.equal(totpCode(key, seconds * 1000), code);
});

test('RFC 6238 §5.2: a code is taken one step early or late and no further, once, and none before it after it', () => {
  const key = new Secret(Buffer.from('12345678901234567890'));
  const now = 1_000_000 * step + 7;
  const at = (steps: number): string => totpCode(key, now + steps * step);
  for (const steps of [-1, 0, 1]) assert.equal(totpStep(key, 0, at(steps), now), 1_000_000 + steps);
  for (const steps of [-3, -2, 2, 3]) assert.equal(totpStep(key, 0, at(steps), now), 'wrong');
  assert.equal(totpStep(key, 1_000_000, at(0), now), 'replayed');
  assert.equal(totpStep(key, 1_000_001, at(0), now), 'replayed');
  assert.equal(totpStep(key, 1_000_000, at(1), now), 1_000_001);
  for (const code of ['', '12345', '1234567', 'abcdef', '１２３４５６'])
    assert.equal(totpStep(key, 0, code, now), 'wrong');
});

test('a phone at a new place is confirmed by a code of the authenticator that was set up at the office', async () => {
  const bed = new DeskBed();
  const { world } = bed;
  await bed.atTheOffice();
  const atWork = bed.signIn(office);
  const code = await bed.enrol(atWork, office);
  assert.deepEqual(
    added(world).map(({ factor, by, source }) => [factor, by, source]),
    [['totp', 'known place', office]],
  );
  assert.match(bed.mails.at(-1)!.text, /"Authenticator app" was set up/);
  await bed.phone(elsewhere);
  const abroad = bed.signIn(elsewhere);
  const [waiting] = bed.state(abroad, elsewhere).phones;
  assert.equal(waiting?.state, 'pending');
  assert.equal(problem(await bed.do(abroad, elsewhere, 'confirm', { id: waiting!.id })), 'unproven');
  // The code that set it up is used up.
  assert.equal(problem(await bed.do(abroad, elsewhere, 'code', { code: code() })), 'replayed');
  await world.run(step);
  ok(await bed.do(abroad, elsewhere, 'code', { code: code() }));
  assert.equal(problem(await bed.do(abroad, elsewhere, 'confirm', { id: 'something else' })), 'gone');
  ok(await bed.do(abroad, elsewhere, 'confirm', { id: waiting!.id }));
  assert.deepEqual(world.eventsOf('account.confirmed').at(-1), {
    type: 'account.confirmed',
    domain,
    user: 'alice',
    device: 'alice',
    network: '198.18.5.0/24',
    phone: 'Testphone',
    by: 'code',
  });
  assert.equal(problem(await bed.do(abroad, elsewhere, 'confirm', { id: waiting!.id })), 'gone');
});

test('the password alone sets nothing up at a place that nobody knows, and learns nothing of the owner', async () => {
  const bed = new DeskBed();
  await bed.atTheOffice();
  await bed.phone('198.18.77.7', 40_011);
  const thief = bed.signIn(elsewhere);
  for (const name of ['totp-begin', 'totp-keep', 'passkey-begin', 'passkey-keep', 'recovery-make', 'remove'])
    assert.equal(problem(await bed.do(thief, elsewhere, name, { code: '123456' })), 'unproven', name);
  const state = bed.state(thief, elsewhere);
  assert.equal(state.trusted, false);
  assert.deepEqual(
    state.phones.map(({ state: how, network }) => [how, network]),
    [['pending', null]],
  );
  assert.deepEqual(state.registered, []);
  const owner = bed.state(bed.signIn(office), office);
  assert.deepEqual(owner.phones.map(({ network }) => network).sort(), ['198.18.77.0/24', '203.0.113.0/24']);
  assert.ok(owner.registered.some(({ rings }) => rings) && owner.registered.some(({ rings }) => !rings));
});

test('behind a proxy nobody is at a known place: the address is not that of the user', async () => {
  const bed = new DeskBed();
  await bed.atTheOffice();
  const session = bed.signIn(office);
  const { leave, trusted } = bed.state(session, office);
  assert.deepEqual([leave, trusted], ['known place', true]);
  const proxied = bed.state(session, office, true);
  assert.deepEqual([proxied.leave, proxied.trusted], [null, false]);
});

test('where a factor is set up, a known place is no leave any more: the factor itself is asked for', async () => {
  const bed = new DeskBed();
  await bed.atTheOffice();
  const first = bed.signIn(office);
  const code = await bed.enrol(first, office);
  const second = bed.signIn(office);
  assert.equal(problem(await bed.do(second, office, 'totp-begin')), 'unproven');
  const [factor] = bed.state(second, office).factors;
  assert.equal(problem(await bed.do(second, office, 'remove', { id: factor!.id })), 'unproven');
  await bed.world.run(step);
  ok(await bed.do(second, office, 'code', { code: code() }));
  ok(await bed.do(second, office, 'remove', { id: factor!.id }));
  assert.equal(bed.factors.has(domain, 'alice'), false);
  assert.equal(removed(bed.world).at(-1)?.by, 'code');
});

test('wrong codes are bounded for the account, whatever the session, and each lock is longer', async () => {
  const bed = new DeskBed();
  const { world } = bed;
  await bed.atTheOffice();
  const code = await bed.enrol(bed.signIn(office), office);
  const lock = async (): Promise<number> => {
    for (let i = 0; i < 5; i += 1) {
      const session = bed.signIn(elsewhere);
      assert.equal(problem(await bed.do(session, elsewhere, 'code', { code: 'abcdef' })), 'code');
    }
    const session = bed.signIn(elsewhere);
    await world.run(step);
    const answer = await bed.do(session, elsewhere, 'code', { code: code() });
    assert.equal(problem(answer), 'locked');
    return Number(answer.body.seconds);
  };
  assert.equal(await lock(), 15 * 60 - 30);
  assert.match(bed.mails.at(-1)!.text, /tried several wrong codes/);
  await world.run(16 * 60_000);
  assert.equal(await lock(), 30 * 60 - 30);
  await world.run(31 * 60_000);
  ok(await bed.do(bed.signIn(elsewhere), elsewhere, 'code', { code: code() }));
  assert.equal(
    world.eventsOf('account.factor-refused').filter(({ reason }) => reason === 'locked').length,
    2,
  );
});

test('a link in a mail confirms one phone, by its button alone, once, and while it lasts', async () => {
  const bed = new DeskBed();
  const { world } = bed;
  await bed.phone(elsewhere);
  await world.run(10);
  assert.equal(bed.mails.length, 1);
  assert.equal(bed.mails[0]?.to, 'alice@mail.test');
  assert.match(
    bed.mails[0]!.text,
    /"Testphone"[\s\S]*198\.18\.5\.0\/24[\s\S]*https:\/\/edge\.test\/account#link=/,
  );
  const token = bed.lastLink;
  for (let i = 0; i < 3; i += 1) {
    const look = await bed.do(undefined, elsewhere, 'link-look', { token });
    assert.deepEqual([look.body.purpose, look.body.network], ['confirm', '198.18.5.0/24']);
  }
  assert.equal(world.edge.accounts.pending(domain, 'alice').length, 1);
  await bed.phone('198.18.99.1', 40_002);
  ok(await bed.do(undefined, '198.51.100.1', 'link-use', { token }));
  assert.equal(world.eventsOf('account.confirmed').at(-1)?.by, 'mail');
  assert.deepEqual(
    world.edge.accounts.pending(domain, 'alice').map(({ network }) => network),
    ['198.18.99.0/24'],
  );
  assert.equal(problem(await bed.do(undefined, elsewhere, 'link-use', { token })), 'link');
  const late = bed.lastLink;
  await world.run(61 * 60_000);
  assert.equal(problem(await bed.do(undefined, elsewhere, 'link-use', { token: late })), 'link');
  for (const wrong of ['', 'x', 7, { token }])
    assert.equal(problem(await bed.do(undefined, elsewhere, 'link-use', { token: wrong })), 'link');
});

test('mails with links are bounded, so that nobody is buried in them', async () => {
  const bed = new DeskBed();
  for (let i = 0; i < 6; i += 1) await bed.phone(`198.18.${i}.1`, 40_100 + i);
  await bed.world.run(10);
  assert.equal(bed.mails.length, 3);
  const session = bed.signIn(elsewhere);
  const { id } = bed.state(session, elsewhere).phones[0]!;
  const answers = [];
  for (let i = 0; i < 5; i += 1)
    answers.push(problem(await bed.do(session, elsewhere, 'mail-phone', { id })));
  assert.deepEqual(answers, [undefined, undefined, undefined, 'mail-later', 'mail-later']);
  bed.mailReady = false;
  assert.equal(problem(await bed.do(session, elsewhere, 'mail-phone', { id })), 'mail-none');
});

test('a link lets a first factor be set up, for who is signed in to that account and nobody else', async () => {
  const bed = new DeskBed();
  const alice = bed.signIn(elsewhere);
  ok(await bed.do(alice, elsewhere, 'mail-enrol'));
  const token = bed.lastLink;
  const bob = bed.signIn(elsewhere, 'bob');
  assert.equal(problem(await bed.do(bob, elsewhere, 'link-use', { token })), 'sign-in-first');
  assert.equal(problem(await bed.do(undefined, elsewhere, 'link-use', { token })), 'sign-in-first');
  // It is the session that follows the link that may, not the one that has asked for it.
  const other = bed.signIn(elsewhere);
  ok(await bed.do(other, elsewhere, 'link-use', { token }));
  assert.equal(problem(await bed.do(alice, elsewhere, 'totp-begin')), 'unproven');
  await bed.enrol(other, elsewhere);
  assert.equal(added(bed.world).at(-1)?.by, 'mail');
  assert.equal(problem(await bed.do(bob, elsewhere, 'mail-enrol')), 'mail-none');
});

test('a code of the administrator lets a first factor be set up, once, while it lasts', async () => {
  const bed = new DeskBed();
  const { world, factors } = bed;
  await factors.invite(domain, 'alice', 'abcd-efgh-jkmn', world.time.now + 1_000);
  const session = bed.signIn(elsewhere);
  assert.equal(problem(await bed.do(session, elsewhere, 'invite', { code: 'abcd-efgh-jkmm' })), 'code');
  const bob = bed.signIn(elsewhere, 'bob');
  assert.equal(problem(await bed.do(bob, elsewhere, 'invite', { code: 'abcd-efgh-jkmn' })), 'code');
  await world.run(1_000);
  assert.equal(problem(await bed.do(session, elsewhere, 'invite', { code: 'abcd-efgh-jkmn' })), 'code');
  await factors.invite(domain, 'alice', 'abcd-efgh-jkmn', world.time.now + 1_000);
  ok(await bed.do(session, elsewhere, 'invite', { code: 'ABCDEFGHJKMN' }));
  assert.equal(problem(await bed.do(session, elsewhere, 'invite', { code: 'abcd-efgh-jkmn' })), 'code');
  // It is a leave to set something up, and confirms no phone itself.
  await bed.phone(elsewhere);
  const { id } = bed.state(session, elsewhere).phones[0]!;
  assert.equal(problem(await bed.do(session, elsewhere, 'confirm', { id })), 'unproven');
  assert.equal(problem(await bed.do(session, elsewhere, 'recovery-make')), 'unproven');
  await bed.enrol(session, elsewhere);
  ok(await bed.do(session, elsewhere, 'confirm', { id }));
});

test('recovery codes work once each, and new ones take the place of the old', async () => {
  const bed = new DeskBed();
  await bed.atTheOffice();
  const session = bed.signIn(office);
  await bed.enrol(session, office);
  const made = await bed.do(session, office, 'recovery-make');
  const codes = made.body.codes as string[];
  assert.equal(codes.length, 10);
  assert.equal(new Set(codes).size, 10);
  const lost = bed.signIn(elsewhere);
  ok(await bed.do(lost, elsewhere, 'code', { code: codes[0]!.toUpperCase().replace('-', ' ') }));
  assert.equal(bed.state(lost, elsewhere).proof, 'recovery');
  assert.equal(bed.state(lost, elsewhere).factors.find(({ kind }) => kind === 'recovery')?.left, 9);
  assert.match(bed.mails.at(-1)!.text, /One recovery code/);
  const again = bed.signIn(elsewhere);
  assert.equal(problem(await bed.do(again, elsewhere, 'code', { code: codes[0] })), 'code');
  await bed.do(lost, elsewhere, 'recovery-make');
  assert.equal(problem(await bed.do(again, elsewhere, 'code', { code: codes[1] })), 'code');
});

test('nobody learns who exists: unknown names, wrong passwords and other tenants get one answer, and count alike', () => {
  const bed = new DeskBed();
  for (const name of ['alice', 'nobody', 'alice@elsewhere.test', '', '@', 'alice@', '__proto__'])
    assert.equal(bed.desk.signIn(name, 'wrong', elsewhere), 'wrong', name);
  assert.equal(bed.desk.signIn('bob', 'alice-secret', elsewhere), 'wrong');
  assert.equal(bed.passwordFailures.length, 8);
  assert.equal(bed.world.eventsOf('authentication.failed').length, 8);
  for (const name of ['alice', 'nobody']) {
    for (let i = 0; i < 10; i += 1) bed.desk.signIn(name, 'wrong', `198.51.${i}.1`);
    assert.equal(bed.desk.signIn(name, `${name}-secret`, '198.51.100.200'), 'later', name);
  }
});

test('one source has so many wrong passwords, whoever it names; its neighbours have their own', () => {
  const bed = new DeskBed();
  for (let i = 0; i < 20; i += 1) assert.equal(bed.desk.signIn(`user${i}`, 'wrong', elsewhere), 'wrong');
  assert.equal(bed.desk.signIn('alice', 'alice-secret', elsewhere), 'later');
  assert.equal(typeof bed.desk.signIn('alice', 'alice-secret', '198.51.100.8'), 'object');
  bed.world.time.jump(bed.world.time.now + 11 * 60_000);
  assert.equal(typeof bed.desk.signIn('alice', 'alice-secret', elsewhere), 'object');
});

test('a session ends with its time, its password, its device and its user', () => {
  const bed = new DeskBed();
  const { world, desk } = bed;
  const open = (): string => {
    const found = desk.signIn('alice', 'alice-secret', office);
    return typeof found === 'string' ? found : found.token;
  };
  const token = open();
  assert.ok(desk.session(token) !== undefined);
  for (const other of ['', 'x', token.slice(0, -1), `${token}x`])
    assert.equal(desk.session(other), undefined);
  world.time.jump(world.time.now + 15 * 60_000);
  assert.equal(desk.session(token), undefined);
  for (const users of [
    [user('alice', { devices: [{ ...user('alice').devices[0]!, ha1: user('bob').devices[0]!.ha1 }] })],
    [user('alice', { devices: [] })],
    [user('bob')],
  ]) {
    const next = open();
    assert.ok(desk.session(next) !== undefined);
    world.edge.replaceObjects({ ...world.objects, users });
    assert.equal(desk.session(next), undefined);
    world.edge.replaceObjects(world.objects);
    assert.equal(desk.session(next), undefined);
  }
});

test('sessions are bounded: the oldest makes room, of the account first', () => {
  let count = 0;
  const sessions = new Sessions(() => {
    count += 1;
    return Buffer.from(String(count).padStart(32, '0'));
  });
  const session = (who: string) => ({
    domain,
    user: who,
    device: who,
    until: 1_000,
    password: '',
    proof: undefined,
    leave: undefined,
    totp: undefined,
    challenge: undefined,
  });
  const first = sessions.open(session('alice'), 0);
  for (let i = 0; i < mostOfAccount; i += 1) sessions.open(session('alice'), 0);
  assert.equal(sessions.find(first, 0), undefined);
  assert.equal(sessions.size, mostOfAccount);
  for (let i = 0; i < mostSessions + 50; i += 1) sessions.open(session(`user${i}`), 0);
  assert.equal(sessions.size, mostSessions);
  sessions.open(session('last'), 2_000);
  assert.equal(sessions.size, 1);
});

test('passkeys belong to the address that the page has, and a challenge is good for one answer', async () => {
  const asked: string[] = [];
  const bed = new DeskBed({
    passkeys: {
      ask: ({ kind }) => {
        asked.push(kind);
        return Promise.resolve(
          kind === 'created'
            ? { kind, passkey: { credential: 'id', publicKey: 'key', counter: 0, transports: [] } }
            : kind === 'got'
              ? { kind, counter: 1 }
              : { kind: 'options', options: {} },
        );
      },
    },
  });
  await bed.atTheOffice();
  const session = bed.signIn(office);
  const other = { fields: {}, origin: 'https://evil.test' };
  const { operations } = await import('./operations.ts');
  assert.equal(
    problem(
      await operations['passkey-begin']!(bed.desk, { session, address: office, proxied: false }, other),
    ),
    'site',
  );
  assert.equal(problem(await bed.do(session, office, 'passkey-keep', { response: {} })), 'begin');
  ok(await bed.do(session, office, 'passkey-begin'));
  ok(await bed.do(session, office, 'passkey-keep', { response: {}, label: '<b>Linux</b>' }));
  assert.equal(problem(await bed.do(session, office, 'passkey-keep', { response: {} })), 'begin');
  assert.equal(bed.state(session, office).factors[0]?.label, 'bLinuxb');
  const abroad = bed.signIn(elsewhere);
  assert.equal(problem(await bed.do(abroad, elsewhere, 'passkey-use', { response: { id: 'id' } })), 'begin');
  ok(await bed.do(abroad, elsewhere, 'passkey-ask'));
  assert.equal(
    problem(await bed.do(abroad, elsewhere, 'passkey-use', { response: { id: 'no' } })),
    'passkey',
  );
  ok(await bed.do(abroad, elsewhere, 'passkey-ask'));
  ok(await bed.do(abroad, elsewhere, 'passkey-use', { response: { id: 'id' } }));
  assert.equal(bed.state(abroad, elsewhere).proof, 'passkey');
  assert.deepEqual(asked, ['create-options', 'created', 'get-options', 'get-options', 'got']);
  assert.equal(origin, 'https://edge.test');
});
