import assert from 'node:assert/strict';
import { createPublicKey, randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as later } from 'node:timers/promises';
import { headText, type SignedHead } from '@ringfence/ledger/head.ts';
import { openSigningKey, PersonKeys, readCertificates } from './keys.ts';
import { openLedger } from './open.ts';
import { openSqlite } from './sqlite.ts';
import { checkStamp } from './stamp.ts';
import { type Authority, noAuthority, startAuthority } from './testing/authority.ts';
import { imprintOf } from './timestamp.ts';
import { verifyLedger } from './verify.ts';
import { tellWitnesses } from './witness.ts';
import { LedgerWriter } from './writer.ts';

const opened: (() => void)[] = [];
after(() => {
  for (const close of opened) close();
});
const authority = async (...words: Parameters<typeof startAuthority>): Promise<Authority> => {
  const made = await startAuthority(...words);
  opened.push(() => made.close());
  return made;
};
const head = (size: number): SignedHead => ({
  ledger: 'aa'.repeat(16),
  size,
  root: Buffer.alloc(32, size),
  time: 5,
  signature: Buffer.alloc(64),
});

for (const [kind, key] of [
  ['RSA', ['rsa:2048']],
  ['ECDSA', ['ec', '-pkeyopt', 'ec_paramgen_curve:P-384']],
] as const)
  test(`time stamps of an authority with ${kind} hold, and no changed one does (RFC 3161 §2.4.2, RFC 5816 §2)`, {
    skip: noAuthority,
  }, async () => {
    const tsa = await authority('Test', key);
    const options = { timestamps: tsa.url, timestampCa: tsa.ca, everyMinutes: 1 };
    const { token, problems } = await tellWitnesses(head(7), options, randomBytes(8));
    assert.deepEqual(problems, []);
    assert.ok(token);
    const imprint = imprintOf(head(7));
    const trusted = readCertificates(tsa.ca);
    const stamp = checkStamp(token, imprint, trusted);
    assert.ok(stamp.ok);
    assert.equal(stamp.value.authority, 'CN=Test stamp');
    assert.equal(stamp.value.trusted, true);
    assert.ok(Math.abs(stamp.value.time - Date.now()) < 3_600_000);

    const unknown = checkStamp(token, imprint);
    assert.ok(unknown.ok && !unknown.value.trusted);
    const other = checkStamp(token, imprintOf(head(8)), trusted);
    assert.ok(!other.ok && /something else/.test(other.error));
    // the head's text is what is stamped: no other text fits
    assert.notEqual(headText(head(7)), headText(head(8)));
    for (let at = 0; at < token.length; at += 5) {
      const changed = Buffer.from(token);
      changed[at] = (changed[at] ?? 0) ^ 0x55;
      const read = checkStamp(changed, imprint, trusted);
      // what is not signed (the certificate of the CA, that comes with it) may change, but says nothing else then
      if (read.ok) assert.deepEqual({ ...read.value, trusted: true }, stamp.value, `octet ${at}`);
      assert.ok(!checkStamp(token.subarray(0, at), imprint, trusted).ok);
    }
  });

test('an authority that is not the one that is trusted, or that changes its answer, is told of and not recorded', {
  skip: noAuthority,
}, async () => {
  const [ours, theirs] = [await authority('Ours'), await authority('Theirs')];
  const told = await tellWitnesses(
    head(7),
    { timestamps: theirs.url, timestampCa: ours.ca, everyMinutes: 1 },
    randomBytes(8),
  );
  assert.equal(told.token, undefined);
  assert.match(told.problems[0] ?? '', /stands behind CN=Theirs stamp/);
});

test('heads are stamped while the ledger runs; verify checks the stamps, and a history made anew has none of them', {
  skip: noAuthority,
}, async () => {
  const tsa = await authority('Court');
  const home = mkdtempSync(join(tmpdir(), 'ringfence-ledger-'));
  opened.push(() => rmSync(home, { recursive: true, force: true }));
  mkdirSync(join(home, 'keys'), { mode: 0o700 });
  writeFileSync(join(home, 'keys', 'store.key'), 'ef'.repeat(32), { mode: 0o600 });
  const file = join(home, 'ledger.db');
  const ledger = await openLedger({
    home,
    place: { kind: 'sqlite', file },
    retention: [],
    witness: { timestamps: tsa.url, timestampCa: tsa.ca, everyMinutes: 0.001 },
    commitMilliseconds: 5,
    now: Date.now,
  });
  const entry = (n: number) => ({ class: 'security', tenant: '', time: Date.now(), body: { n } }) as const;
  await ledger.appended(entry(1));
  const signing = openSigningKey(home);
  const key = createPublicKey(signing);
  const backend = openSqlite({ file });
  const trusted = readCertificates(tsa.ca);
  let result = await verifyLedger(backend, { key, trusted });
  while (result.stamps === 0) {
    await later(50);
    result = await verifyLedger(backend, { key, trusted });
  }
  assert.deepEqual(result.damages, []);
  assert.equal(result.stamped?.authority, 'CN=Court stamp');
  assert.equal(result.stamped.trusted, true);
  assert.ok(result.stamped.head.size >= 1);
  await ledger.close();

  const stranger = await authority('Stranger');
  const distrusted = await verifyLedger(backend, { key, trusted: readCertificates(stranger.ca) });
  assert.equal(distrusted.damages[0]?.kind, 'stamp-forged');

  // who has the signing key and writes everything anew can only take an old stamp with him, and it does not fit
  const [row] = await backend.ofClass('ledger', 0, 1);
  const act = JSON.parse(Buffer.from(row?.body ?? []).toString()) as Record<string, unknown>;
  await backend.close();
  const anew = openSqlite({ file: join(home, 'anew.db') });
  const writer = new LedgerWriter({ backend: anew, signing, persons: PersonKeys.of(home), now: Date.now });
  await writer.append([entry(2), { class: 'ledger', tenant: '', time: Date.now(), body: act }]);
  const lie = await verifyLedger(anew, { key, trusted });
  await anew.close();
  assert.equal(lie.stamps, 0);
  assert.equal(lie.damages[0]?.kind, 'stamp-forged');
});
