import assert from 'node:assert/strict';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { Secret } from '@ringfence/bytes/secret.ts';
import fc from 'fast-check';
import { formatProblem } from '../config/problem.ts';
import { assume } from '../identity/assume.ts';
import { applyObjects } from '../objects/import.ts';
import { readObjectsText } from '../objects/read.ts';
import { ObjectsFile } from '../objects/schema.ts';
import type { Objects } from '../objects/types.ts';
import { Registrar } from '../registrar/registrar.ts';
import { prepareDatabase } from '../store/database.ts';
import { assembleObjects, readObjects } from '../store/object-rows.ts';
import { Sealer } from '../store/seal.ts';
import { testConfiguration } from '../testing/configuration.ts';
import { claimsOf } from '../trunks/limits/judge.ts';
import { watchedTrunks } from '../trunks/watch.ts';
import { Directory } from './directory.ts';
import { Numbers } from './numbers.ts';
import { traceCall } from './trace.ts';

const numbers = new Numbers('DE', ['112']);
const userNames = ['alice', 'bob', 'carol'] as const;
const trunkNames = ['t1', 't2', 't3'] as const;
const userNumbers = ['+49301', '+49302', '200'] as const;
const patterns = ['default', '+49*', '+493*', '2xx', '200', '*'] as const;
const dialled = ['alice', 'bob', 'carol', '200', '0301', '+49302', '+4989123', '112', 'nobody'] as const;

/** The objects of one tenant, as an administrator writes them; both tenants use the same names and numbers. */
const tenant = (domain: string, net: number) =>
  fc
    .record({
      users: fc.subarray([...userNames]),
      trunks: fc.subarray([...trunkNames], { minLength: 1 }),
      routes: fc.uniqueArray(fc.constantFrom(...patterns), { maxLength: 4 }),
      choice: fc.array(fc.nat(1000), { minLength: 12, maxLength: 12 }),
      pbx: fc.boolean(),
      limits: fc.boolean(),
    })
    .map(({ users, trunks, routes, choice, pbx, limits }) => {
      const pick = <T>(list: readonly T[], at: number): T => list[(choice[at % 12] ?? 0) % list.length] as T;
      const own = pbx ? [] : users;
      return {
        domains: limits
          ? [{ name: domain, limits: { calls: pick([0, 1, 50], 0) }, userLimits: { calls: 1 } }]
          : [],
        users: own.map((name, i) => ({
          name,
          domain,
          ...(pick([0, 1], i) === 0 ? {} : { number: userNumbers[i] }),
          ...(pick([0, 1], i + 3) === 0 ? {} : { limits: { calls: 0 } }),
          devices: [{ name, password: 'tWelve-monkeys-at-dusk', encryption: pick(['required', 'none'], i) }],
        })),
        trunks: trunks.map((name, i) => ({
          name,
          domain,
          targets: [{ target: `sip:10.${net}.0.${i}` }, { target: `sip:10.${net}.1.${i}` }],
          addresses: [`10.${net}.0.${i}`],
          certificateNames: [`${name}.${domain}`],
          inboundAuthentication: { username: name, password: 'fOurteen-monkeys-at-dusk' },
          encryption: 'none',
          rewrite: {
            outbound: { called: [{ prefix: String(net) }] },
            inbound: { caller: [{ prefix: String(net) }] },
          },
          limits: { calls: pick([0, 5], i) },
        })),
        routes: routes.map((match, i) => ({
          match,
          domain,
          from: pick(['users', 'trunks', 'any'], i),
          rewrite: { caller: [{ prefix: `${net}0` }] },
          to:
            own.length > 0 && pick([0, 1], i + 5) === 0
              ? { user: pick(own, i) }
              : pick([0, 1, 2], i + 7) === 0
                ? { block: `blocked by ${domain}` }
                : { trunks: [...new Set([pick(trunks, i), pick(trunks, i + 1)])] },
        })),
        pbx: pbx
          ? [
              {
                domain,
                nodes: [{ name: 'n1', target: `sip:10.${net}.9.9` }],
                encryption: 'none',
                phones: 'none',
              },
            ]
          : [],
      };
    });

type Tenant = typeof tenant extends (...a: never[]) => fc.Arbitrary<infer T> ? T : never;

/** What the store holds once these have been applied to it, one after another. */
function stored(tenants: readonly Tenant[]): Objects {
  const database = new DatabaseSync(':memory:');
  const sealer = new Sealer(new Secret(new Uint8Array(32).fill(7)));
  prepareDatabase(database, 'memory', 0);
  for (const one of tenants) {
    const read = readObjectsText('objects.yaml', JSON.stringify(one));
    assert.ok(read.ok, read.ok ? '' : read.error.map(formatProblem).join('\n'));
    const options = { defaultDomain: 'nobody.test', prune: true, dryRun: false, weakPasswords: true };
    const applied = applyObjects(database, sealer, read.value, options);
    assert.ok(applied.ok, applied.ok ? '' : applied.error.map(formatProblem).join('\n'));
  }
  const objects = assembleObjects(readObjects(database, sealer));
  database.close();
  return objects;
}

/** Everything that calls of a domain can come to: for each caller that it has, and each number. */
function behaviour(objects: Objects, domain: string): unknown {
  const directory = new Directory(objects, 'nobody.test').domain(domain);
  if (directory === undefined) return 'no such domain';
  const registrar = new Registrar(() => testConfiguration().registrar);
  registrar.restore(
    objects.users.map((user, i) => ({
      domain: user.domain,
      user: user.name,
      device: user.name,
      key: 'k',
      contact: `sip:${user.name}@10.0.0.${i}`,
      callId: 'c',
      cseq: 1,
      expiresAt: 10,
      transport: 'udp',
      source: '10.0.0.1 5060',
      listener: 'inside',
      userAgent: '',
      updatedAt: 0,
    })),
  );
  const callers = [
    ...[...directory.users.values()].map(({ name }) => `user:${name}`),
    ...[...directory.trunks.keys()].map((name) => `trunk:${name}`),
  ];
  return callers.flatMap((caller) => {
    const principal = assume(directory, caller);
    const world = {
      directory,
      numbers,
      registrar,
      emergencyTrunk: undefined,
      maximumCalls: 10,
      live: undefined,
      now: 1,
    };
    return dialled.map((number) => [
      caller,
      number,
      claimsOf(principal, directory),
      traceCall(world, { principal, dialled: number, caller: '+4912', plain: false }),
    ]);
  });
}

test('whatever a tenant stores, no call of another tenant goes, is judged or is shown differently for it', () => {
  let calls = 0;
  // A kind of object that is added has to be thrown in here too.
  const kinds = new Set<string>();
  fc.assert(
    fc.property(tenant('a.test', 1), tenant('b.test', 2), (a, b) => {
      for (const [kind, list] of Object.entries({ ...a })) if (list.length > 0) kinds.add(kind);
      const alone = { a: behaviour(stored([a]), 'a.test'), b: behaviour(stored([b]), 'b.test') };
      const both = stored([a, b]);
      const together = { a: behaviour(both, 'a.test'), b: behaviour(both, 'b.test') };
      assert.deepEqual(together, alone);
      calls += Array.isArray(together.a) ? together.a.length : 0;
      for (const [domain, text] of [
        ['a.test', JSON.stringify(together.b)],
        ['b.test', JSON.stringify(together.a)],
      ] as const)
        assert.ok(!text.includes(domain), `${domain} is named by the other`);
    }),
    { numRuns: 60, interruptAfterTimeLimit: 40_000 },
  );
  assert.deepEqual([...kinds].sort(), Object.keys(ObjectsFile.properties).sort());
  assert.ok(calls > 500, String(calls));
});

test('whoever proves to be a trunk is that of its own tenant; its targets are watched for it alone', () => {
  fc.assert(
    fc.property(tenant('a.test', 1), tenant('b.test', 2), (a, b) => {
      const directory = new Directory(stored([a, b]), 'nobody.test');
      for (const [domain, net, other] of [
        ['a.test', 1, 'b.test'],
        ['b.test', 2, 'a.test'],
      ] as const)
        for (const [i, name] of [...(directory.domain(domain)?.trunks.keys() ?? [])].entries()) {
          if (!name.startsWith('t')) continue;
          // Also where somebody asks for the other tenant's domain.
          assert.equal(directory.trunkByAddress(`10.${net}.0.${i}`, other)?.domain ?? domain, domain);
          assert.equal(directory.trunkByCertificate([`${name}.${domain}`], other)?.domain, domain);
          assert.equal(directory.domain(domain)?.inboundTrunks.get(name)?.domain, domain);
        }
      const watched = watchedTrunks(directory);
      assert.equal(new Set(watched.map(({ owner }) => owner)).size, watched.length);
      for (const { owner, domain } of watched) assert.ok(owner.endsWith(`@${domain}`));
    }),
    { numRuns: 30, interruptAfterTimeLimit: 20_000 },
  );
});
