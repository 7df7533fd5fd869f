import assert from 'node:assert/strict';
import { createPublicKey } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { makeBundle, manifestName, openBundle, signatureName } from '@ringfence/evidence/bundle.ts';
import type { Captured } from '@ringfence/evidence/pcap.ts';
import fc from 'fast-check';
import type { Incident } from '../incidents/types.ts';
import { eventEntry } from '../ledger/event-entry.ts';
import { openSigningKey, PersonKeys } from '../ledger/keys.ts';
import { openSqlite } from '../ledger/sqlite.ts';
import { LedgerWriter } from '../ledger/writer.ts';
import { CallWriter } from '../store/call-rows.ts';
import type { CallRecord } from '../store/contract.ts';
import { openDatabase } from '../store/database.ts';
import { packCall } from '../store/pack-call.ts';
import { testConfiguration } from '../testing/configuration.ts';
import { checkBundle } from './check.ts';
import { EvidenceDesk } from './desk.ts';
import { type EvidenceRequest, makeEvidence } from './maker.ts';
import { withoutSecrets } from './redact.ts';

const home = mkdtempSync(join(tmpdir(), 'ringfence-evidence-'));
after(() => rmSync(home, { recursive: true, force: true }));
mkdirSync(join(home, 'keys'), { mode: 0o700 });
writeFileSync(join(home, 'keys', 'store.key'), 'ab'.repeat(32), { mode: 0o600 });
const signing = openSigningKey(home);
const key = createPublicKey(signing);
const began = Date.now();
const one = (name: string) => ({ names: [name], more: 0 });
const incident: Incident = {
  id: 'INC-20261124-7',
  kind: 'brute-force',
  severity: 'warning',
  state: 'open',
  openedAt: began,
  lastAt: began + 5,
  title: '192.0.2.66 guesses \u001b[31mpasswords.',
  domains: ['example.test'],
  sources: one('192.0.2.66'),
  accounts: one('alice@example.test'),
  calls: one('call-1'),
  events: 3,
  timeline: [{ at: began, until: began, count: 2, type: 'threat.found', text: 'It guesses.' }],
  steps: [{ action: 'ban', mode: 'automatic', text: 'Ban.', waiting: [], done: [] }],
};
const record: CallRecord = {
  id: 'call-1',
  domain: 'example.test',
  startedAt: began,
  endedAt: began + 3,
  caller: 'sip:alice@example.test',
  callee: '+4930123',
  principal: 'device:alice@example.test/desk',
  route: 'trunk:carrier',
  disposition: 'refused',
  status: 403,
  cause: 'policy',
  decision: '{"verdict":"refuse","reasons":[{"rule":"quarantine"}]}',
  grade: '',
  legs: [
    {
      index: 0,
      direction: 'in',
      principal: 'device:alice@example.test/desk',
      remote: '192.0.2.66:5060',
      transport: 'tls',
      callId: 'the-call-id',
      status: 403,
      startedAt: began,
      protection: '{"transport":"tls"}',
      quality: '',
    },
  ],
};
const message = (text: string, sent = false): Captured => {
  const [peer, edge] = [
    { address: '192.0.2.66', port: 5060 },
    { address: '198.51.100.1', port: 5061 },
  ];
  const [from, to] = sent ? [edge, peer] : [peer, edge];
  return { time: began, from, to, transport: 'tls', sent, bytes: Buffer.from(text) };
};
const messages = [
  message(
    'REGISTER sip:example.test SIP/2.0\r\nCall-ID: r\r\nCSeq: 1 REGISTER\r\nAuthorization: Digest response="0123456789abcdef0123456789abcdef"\r\n\r\n',
  ),
  message('SIP/2.0 401 Unauthorized\r\nCall-ID: r\r\nCSeq: 1 REGISTER\r\n\r\n', true),
];

async function prepare(): Promise<EvidenceRequest> {
  const config = testConfiguration();
  const file = join(home, 'ledger.db');
  const backend = openSqlite({ file, create: true });
  const writer = new LedgerWriter({ backend, signing, persons: PersonKeys.of(home), now: Date.now });
  const version = (time: number, what: string, value: unknown) => ({
    class: 'configuration' as const,
    tenant: '',
    time,
    body: { event: 'configuration.version', what, sha256: '00', value },
  });
  const failed = (source: string, username = 'alice', domain = 'example.test') =>
    eventEntry(
      {
        type: 'authentication.failed',
        source,
        username,
        domain,
        reason: 'response',
      },
      began,
      'notice',
    )!;
  await writer.append([
    version(began - 10, 'ringfence.yaml', {
      domain: 'then.test',
      exports: [{ to: 'https://a:b@logs.test/x?key=geheim1' }],
    }),
    version(began - 9, 'objects', {}),
    failed('192.0.2.66:5060'),
    failed('192.0.2.66:5060'),
    failed('192.0.2.6:6605', 'bob'),
    failed('192.0.2.66:5060', 'carol', 'another-tenant.test'),
  ]);
  await backend.close();
  const database = openDatabase(join(home, config.store.file));
  const calls = new CallWriter(database);
  calls.ended(0, packCall(record));
  calls.ended(0, packCall({ ...record, id: 'call-2', callee: 'nobody-of-ours' }));
  database.close();
  return {
    home,
    ledger: { kind: 'sqlite', file },
    store: join(home, config.store.file),
    node: 'edge-1',
    version: '0.1.0',
    by: 'anna',
    incident,
    live: [],
    callIds: [],
    configuration: { domain: 'now.test', trunk: { password: 'geheim2' } },
    now: began + 1000,
  };
}

let made: Uint8Array | undefined;
/** One bundle for all tests. */
async function bundle(): Promise<Uint8Array> {
  if (made !== undefined) return made;
  const asked: (readonly string[])[] = [];
  const request = await prepare();
  const evidence = await makeEvidence(request, async (callIds) => {
    asked.push(callIds);
    return { messages, left: 3 };
  });
  assert.deepEqual(asked, [['the-call-id']], 'messages of the calls that are involved, and of no others');
  await evidence.made('x.tar');
  await evidence.close();
  made = evidence.bytes;
  return made;
}
const text = (bytes: Uint8Array, name: string): string =>
  Buffer.from(openBundle(bytes).parts.get(name) ?? []).toString();

test('a bundle holds what belongs to its incident, whole and proven, and nothing of others', async () => {
  const bytes = await bundle();
  const checked = checkBundle(bytes, key);
  assert.deepEqual(checked.damages, []);
  assert.equal(checked.proven, 5, 'two events, two versions, one step of custody');
  assert.deepEqual(
    checked.manifest?.parts.map(({ name }) => name),
    [
      'public-key.pem',
      'readme.txt',
      'incident.json',
      'ladder.txt',
      'ladder.svg',
      'messages.pcap',
      'messages.jsonl',
      'calls.jsonl',
      'protection.jsonl',
      'decisions.jsonl',
      'events.jsonl',
      'configuration.json',
      'versions.jsonl',
      'custody.jsonl',
      'ledger-head.json',
      'proofs.jsonl',
    ],
  );
  assert.deepEqual(JSON.parse(text(bytes, 'incident.json')), incident);
  assert.match(text(bytes, 'readme.txt'), /192\.0\.2\.66 guesses \?\[31mpasswords\./);
  assert.match(text(bytes, 'events.jsonl'), /"source":"192\.0\.2\.66:5060"/);
  assert.match(text(bytes, 'calls.jsonl'), /"id":"call-1"/);
  assert.match(text(bytes, 'protection.jsonl'), /"protection":\{"transport":"tls"\}/);
  assert.match(text(bytes, 'decisions.jsonl'), /"rule":"quarantine"/);
  assert.match(text(bytes, 'custody.jsonl'), /"act":"gathered","by":"anna"/);
  assert.match(text(bytes, 'configuration.json'), /then\.test[\s\S]*now\.test/);
  assert.match(text(bytes, 'messages.jsonl'), /"frame":2.*"transport":"tls"/);
  assert.ok(checked.manifest?.notes.some((note) => /^3 further messages/.test(note)));
  assert.ok(checked.manifest?.notes.some((note) => /over tls stand in the capture as UDP/.test(note)));
  const raw = Buffer.from(bytes).toString('latin1');
  for (const not of [
    'geheim1',
    'geheim2',
    '0123456789abcdef0123',
    '192.0.2.6:6605',
    'nobody-of-ours',
    'another-tenant.test',
  ])
    assert.ok(!raw.includes(not), not);
});

test('who has the key and still writes what the ledger does not hold is found', async () => {
  const bytes = await bundle();
  const { manifest, parts } = openBundle(bytes);
  const about = manifest!;
  const forged = (name: string, change: (content: string) => string): string[] => {
    const changed = about.parts
      .filter((part) => part.name !== 'public-key.pem')
      .map(({ name: own, what }) => {
        const content = parts.get(own)!;
        return {
          name: own,
          what,
          bytes: own === name ? Buffer.from(change(Buffer.from(content).toString())) : content,
        };
      });
    return checkBundle(makeBundle(about, changed, signing).bytes, key).damages.map(
      ({ kind, part }) => `${kind} ${part}`,
    );
  };
  assert.deepEqual(
    forged('readme.txt', (content) => content),
    [],
  );
  assert.deepEqual(
    forged('events.jsonl', (content) => content.replace('authentication.failed', 'authentication.well')),
    ['unproven events.jsonl'],
  );
  assert.deepEqual(
    forged('events.jsonl', (content) => content.replace(/"sequence":\d+/, '"sequence":4')),
    ['unproven events.jsonl'],
  );
  assert.deepEqual(
    forged('custody.jsonl', (content) => content.replace('anna', 'otto')),
    ['unproven custody.jsonl'],
  );
  assert.deepEqual(
    forged('custody.jsonl', (content) => `${content}no JSON\n`),
    ['unproven custody.jsonl'],
  );
  assert.deepEqual(
    forged('ledger-head.json', (content) => content.replace(/"size":\d+/, '"size":9')),
    ['unproven ledger-head.json'],
  );
  const added = '{"event":"authentication.failed"}\n';
  assert.deepEqual(
    forged('events.jsonl', (content) => content + added),
    ['unproven events.jsonl'],
    'without a place in the ledger',
  );
  const proofs = forged('proofs.jsonl', (content) => content.replace(/"body":"../, '"body":"AA'));
  assert.ok(proofs.includes('unproven proofs.jsonl'), String(proofs));
  assert.ok(proofs.length > 1, 'what it has shown is shown no more');
  assert.ok(forged('proofs.jsonl', (content) => content.split('\n').slice(1).join('\n')).length > 0);
  assert.deepEqual(
    [manifestName, signatureName].filter((name) => !parts.has(name)),
    [],
  );
});

test('whatever stands in the proofs and what they prove, the check never fails, and takes nothing else for proven (fuzz)', async () => {
  const { manifest, parts } = openBundle(await bundle());
  const about = manifest!;
  let cases = 0;
  fc.assert(
    fc.property(
      fc.constantFrom('proofs.jsonl', 'ledger-head.json', 'events.jsonl', 'versions.jsonl', 'custody.jsonl'),
      fc.double({ min: 0, max: 0.999, noNaN: true }),
      fc.integer({ min: 0, max: 40 }),
      fc.constantFrom('', '"', '{', '}', ',', '0', 'A', '\n', 'null', '[[[', '-1', '\u0000'),
      (name, at, length, put) => {
        cases += 1;
        const content = Buffer.from(parts.get(name)!).toString();
        const place = Math.floor(at * content.length);
        const changed = content.slice(0, place) + put + content.slice(place + length);
        const all = about.parts.slice(1).map((one) => ({
          ...one,
          bytes: one.name === name ? Buffer.from(changed) : parts.get(one.name)!,
        }));
        const { damages, proven } = checkBundle(makeBundle(about, all, signing).bytes, key);
        for (const { kind } of damages) assert.equal(kind, 'unproven');
        assert.ok(proven <= 5);
        const said = (text: string): unknown[] =>
          text
            .split('\n')
            .filter((line) => line !== '')
            .map((line) => JSON.parse(line) as unknown);
        if (damages.length > 0 || name === 'proofs.jsonl') return;
        // Nothing was found: then it says the same, or less, or of persons what the ledger has sealed.
        for (const line of said(changed)) {
          const { sequence, body, time } = line as { sequence?: number; body?: unknown; time?: number };
          if (sequence === undefined || name === 'ledger-head.json') continue;
          const before = said(content).find((one) => (one as { sequence: number }).sequence === sequence);
          if (name !== 'versions.jsonl') assert.deepEqual(body, (before as { body: unknown }).body);
          assert.equal(time, (before as { time: number }).time);
        }
      },
    ),
    { numRuns: 300, seed: 8 },
  );
  assert.equal(cases, 300);
});

test('secrets that stand in a configuration are left out, names of files are not', () => {
  const value = {
    mail: { passwordFile: '/etc/mail.secret', password: 'a', from: 'x@y' },
    channels: [{ url: 'https://hooks.test/services/T0/B0/geheim', token: 'b', list: ['c'] }],
    plain: { url: 'https://hooks.test', listen: 'udp:192.0.2.1:514', ok: true, none: null, apiKey: ['d'] },
    database: 'postgres://user:pw@db.test/ringfence',
  };
  assert.deepEqual(withoutSecrets(value), {
    mail: { passwordFile: '/etc/mail.secret', password: '[redacted]', from: 'x@y' },
    channels: [{ url: 'https://hooks.test/[redacted]', token: '[redacted]', list: ['c'] }],
    plain: {
      url: 'https://hooks.test',
      listen: 'udp:192.0.2.1:514',
      ok: true,
      none: null,
      apiKey: ['[redacted]'],
    },
    database: 'postgres://db.test/[redacted]',
  });
});

test('playbooks write no more into a folder that is full, and say so; by hand it goes on; without a ledger, too', async () => {
  await bundle();
  const base = testConfiguration();
  const config = {
    ...base,
    ledger: { ...base.ledger, enabled: false },
    evidence: { ...base.evidence, folderMegabytes: 1 },
  };
  const desk = new EvidenceDesk({
    home,
    config,
    version: '0.1.0',
    now: Date.now,
    calls: () => new Map(),
    beside: () => undefined,
    settleMilliseconds: 0,
  });
  const done = await desk.preserve(() => incident);
  assert.equal(done.done, true, done.detail);
  const big = join(home, 'evidence', 'big.tar');
  writeFileSync(big, Buffer.alloc(1024 * 1024));
  const refused = await desk.preserve(() => incident);
  assert.equal(refused.done, false);
  assert.match(refused.detail, /holds 1 MiB: move bundles elsewhere/);
  const { file } = await desk.make(() => incident, 'anna');
  assert.equal(readdirSync(join(home, 'evidence')).length, 3);
  rmSync(big);
  assert.match(file, /INC-20261124-7\.\d{8}T\d{6}Z(?:-2)?\.tar$/);
  await desk.stop();
  await assert.rejects(
    desk.make(() => incident, 'anna'),
    /has stopped/,
  );
});
