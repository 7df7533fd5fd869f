import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SeededRandom } from '@ringfence/testkit/random.ts';
import fc from 'fast-check';
import type { Route, Trunk, User } from '../objects/types.ts';
import { ha1Set, trunk, user } from '../testing/objects.ts';
import { Phone } from '../testing/phone.ts';
import { World } from '../testing/world.ts';

const realms = ['a.test', 'b.test'] as const;
const names = ['alice', 'bob', 'carol', 'dave'];
const numbers = ['+4930111', '+4930222', '+4930333'];

/** Two tenants whose users, numbers, trunks and routes have the same names wherever chance wants it. */
function build(random: SeededRandom): { users: User[]; trunks: Trunk[]; routes: Route[] } {
  const users: User[] = [];
  const trunks: Trunk[] = [];
  const routes: Route[] = [];
  for (const [i, realm] of realms.entries()) {
    for (const name of names)
      if (random.chance(0.7))
        users.push(
          user(name, {
            realm,
            ...(random.chance(0.6) ? { number: random.pick(numbers as [string, ...string[]]) } : {}),
          }),
        );
    for (const name of ['t1', 't2'])
      if (random.chance(0.7))
        trunks.push(
          trunk(name, {
            domain: realm,
            target: `sip:192.0.2.${10 + 10 * i + Number(name[1])}`,
            addresses: random.chance(0.3) ? ['192.0.2.99'] : [`192.0.2.${10 + 10 * i + Number(name[1])}`],
            ...(random.chance(0.5)
              ? { inbound: { username: 'pbx', ha1: ha1Set('pbx', realm, `pbx-${realm}`) } }
              : {}),
          }),
        );
    for (const [j, match] of ['default', '+49*', '112x', 'bob', 'x*'].entries())
      if (random.chance(0.6))
        routes.push({
          domain: realm,
          name: `r${j}`,
          priority: random.integer(1, 3),
          match,
          from: random.pick(['users', 'trunks', 'any']),
          to: random.chance(0.7)
            ? { trunk: random.pick(['t1', 't2']) }
            : { user: random.pick(['alice', 'bob']) },
        });
  }
  return { users, trunks, routes };
}

test('nothing of one tenant ever touches a user, trunk or route of another', async () => {
  let connected = 0;
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 1 << 30 }), async (seed) => {
      const random = new SeededRandom(seed);
      const objects = build(random);
      const world = new World({ objects, seed, config: (config) => ({ ...config, domain: 'a.test' }) });
      const of = new Map<string, string>();
      const phones: Phone[] = [];
      for (const [i, { name, domain }] of objects.users.entries()) {
        const address = `203.0.113.${i + 1}`;
        const phone = new Phone(world, { name, realm: domain, address, password: `${name}-secret` });
        await phone.register();
        of.set(address, domain);
        phones.push(phone);
      }
      for (const { target, domain } of objects.trunks) {
        const address = target.slice(4);
        if (of.has(address)) continue;
        phones.push(new Phone(world, { name: '+4989', realm: domain, address }).listen());
        of.set(address, domain);
      }
      for (const phone of phones) phone.onInvite = (call) => call.answer();
      const targets = [...names, ...numbers, '112', '1125', '030111', '99'];
      for (let i = 0; i < 6; i += 1) {
        const phone = random.pick(phones as [Phone, ...Phone[]]);
        const host = random.pick(['a.test', 'b.test', '198.51.100.1', 'unknown.test']);
        phone.call(`sip:${encodeURIComponent(random.pick(targets as [string, ...string[]]))}@${host}`);
        await world.run(200);
      }
      await world.run(3000);
      assert.deepEqual(world.errors, []);
      // Every leg of every call is of the tenant that the call belongs to.
      for (const record of world.store.records) {
        const domains = record.legs.map(({ remote }) => of.get(remote.split(':')[0]!));
        const [caller] = domains;
        if (record.principal.startsWith('device:')) assert.equal(caller, record.domain);
        for (const domain of domains.slice(1)) assert.equal(domain, record.domain, JSON.stringify(record));
        for (const { principal } of record.legs)
          assert.match(principal, new RegExp(`@${record.domain}(/|$)`));
        if (record.legs.length > 1) connected += 1;
      }
      // And no registration is kept under another tenant than the credentials'.
      for (const { domain, source } of world.store.table.values())
        assert.equal(of.get(source.split(' ')[0]!), domain);
    }),
    { numRuns: 40 },
  );
  assert.ok(connected > 20, `only ${connected} calls were connected`);
});

test('credentials of one tenant open nothing in another, though name and password are the same', async () => {
  const world = new World({
    objects: { users: [user('alice', { realm: 'a.test' }), user('bob', { realm: 'b.test' })] },
    config: (config) => ({ ...config, domain: 'a.test' }),
  });
  const alice = new Phone(world, { name: 'alice', realm: 'a.test', address: '203.0.113.1' });
  await alice.register();
  const call = alice.call('sip:bob@b.test');
  await world.until(() => call.state === 'over');
  assert.equal(call.status, 404);
  const posing = new Phone(world, { name: 'alice', realm: 'b.test', address: '203.0.113.2' });
  assert.equal((await posing.register()).status, 401);
});
