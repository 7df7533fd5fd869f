import assert from 'node:assert/strict';
import { generateKeyPairSync, sign } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { parseMessage } from '@ringfence/sip/message/parse.ts';
import { compile } from './match.ts';
import { VirtualPatches } from './patches.ts';
import { isBefore, readProducts } from './product.ts';
import { readPatchFile, releaseKeys, shippedPatches } from './shipped.ts';
import { exampleBytes, tryPatches } from './trial.ts';
import { openPatchSet } from './verify.ts';

test('every patch that is shipped blocks its example and lets its counter-example pass', () => {
  const trials = tryPatches(shippedPatches());
  assert.ok(trials.length >= 20, String(trials.length));
  assert.deepEqual(
    trials.flatMap(({ patch, problems }) => problems.map((problem) => `${patch.id}: ${problem}`)),
    [],
  );
  for (const name of ['asterisk', 'freeswitch', 'kamailio', 'opensips', 'pjsip', 'freepbx'])
    assert.ok(
      trials.some(({ patch }) => patch.affected.some(({ product }) => product === name)),
      name,
    );
});

test('products are known by what they call themselves', () => {
  for (const [header, ...expected] of [
    ['Asterisk PBX 18.9.0', { name: 'asterisk', version: '18.9.0' }],
    ['asterisk 13.19.1', { name: 'asterisk', version: '13.19.1' }],
    ['Asterisk PBX certified/18.9-cert5', { name: 'asterisk' }],
    [
      'FPBX-16.0.40(18.15.0)',
      { name: 'freepbx', version: '16.0.40' },
      { name: 'asterisk', version: '18.15.0' },
    ],
    ['FreeSWITCH-mod_sofia/1.10.6-release-18-1ff9d0a60e~64bit', { name: 'freeswitch', version: '1.10.6' }],
    ['kamailio (5.3.5 (x86_64/linux))', { name: 'kamailio', version: '5.3.5' }],
    ['OpenSIPS (3.2.3 (x86_64/linux))', { name: 'opensips', version: '3.2.3' }],
    ['PJSUA v2.10 Linux-5.4', { name: 'pjsip', version: '2.10' }],
    ['Asterisk PBX', { name: 'asterisk' }],
    ['Grandstream GXP2130 1.0.7.25'],
    [`${'x'.repeat(5_000)}asterisk 1.2`],
  ] as const)
    assert.deepEqual(readProducts(header), expected, header);
});

test('each branch of a product has its own first version without the hole', () => {
  const asterisk = ['13.19.2', '14.7.6', '15.2.2'];
  const kamailio = ['4.4.7', '5.0.6', '5.1.2'];
  for (const [version, fixedIn, before] of [
    ['13.19.1', asterisk, true],
    ['13.19.2', asterisk, false],
    ['13.20.0', asterisk, false],
    ['13.4.0', asterisk, true],
    ['11.0', asterisk, true],
    ['15.2.1', asterisk, true],
    ['16.0.0', asterisk, false],
    ['5.0.5', kamailio, true],
    ['5.0.6', kamailio, false],
    ['5.1.1', kamailio, true],
    ['5.2.0', kamailio, false],
    ['4.3.9', kamailio, true],
    ['1.10.7', ['1.10.7'], false],
    ['1.10', ['1.10.7'], true],
  ] as const)
    assert.equal(isBefore(version, fixedIn), before, `${version} of ${fixedIn}`);
});

const node = (product?: string) => ({
  users: [],
  trunks: [],
  routes: [],
  pbx: [
    {
      domain: 'a.test',
      name: 'pbx',
      nodes: [
        {
          name: 'one',
          target: 'sip:10.0.0.5',
          priority: 1,
          weight: 1,
          addresses: [],
          certificateNames: [],
        },
      ],
      encryption: 'none' as const,
      phones: 'required' as const,
      expires: 600,
      phoneExpires: 60,
      strangersPerSecond: 50,
      allowedHeaders: [],
      ...(product === undefined ? {} : { product }),
    },
  ],
});
const settings = { enabled: true, off: [], on: [] };

test('an unknown product has the patches that harm nobody; a known one those for its version too', () => {
  const patches = new VirtualPatches(shippedPatches(), settings);
  const harmless = shippedPatches()
    .patches.filter((patch) => patch.harmless)
    .map(({ id }) => id);
  patches.retain(node());
  assert.deepEqual(patches.activeIn('a.test'), harmless.toSorted());
  assert.deepEqual(patches.activeIn('b.test'), [], 'nothing is behind that domain');
  const news = patches.heard('pbx:one@a.test', 'FreeSWITCH-mod_sofia/1.10.6-release');
  assert.deepEqual(news?.patches, ['RF-2021-01', 'RF-2021-02']);
  assert.deepEqual(patches.activeIn('a.test'), [...harmless, 'RF-2021-01', 'RF-2021-02'].toSorted());
  assert.equal(patches.heard('pbx:one@a.test', 'FreeSWITCH-mod_sofia/1.10.6-release'), undefined, 'no news');
  assert.equal(patches.heard('pbx:two@a.test', 'Asterisk PBX 13.0.0'), undefined, 'nobody that is behind us');
  // It is brought up to date.
  patches.heard('pbx:one@a.test', 'FreeSWITCH-mod_sofia/1.10.11-release');
  assert.deepEqual(patches.activeIn('a.test'), harmless.toSorted());
  // An administrator's word stands.
  patches.retain(node('asterisk 18.26.1'));
  assert.ok(patches.activeIn('a.test').includes('RF-2025-01'));
  assert.equal(patches.heard('pbx:one@a.test', 'Asterisk PBX 22.5.0'), undefined);
  assert.ok(patches.activeIn('a.test').includes('RF-2025-01'));
});

test('patches.off, patches.on and patches.enabled', () => {
  const patches = new VirtualPatches(shippedPatches(), settings);
  patches.retain(node());
  patches.load(shippedPatches(), { ...settings, off: ['RF-2018-01'], on: ['RF-2021-01'] });
  assert.ok(!patches.activeIn('a.test').includes('RF-2018-01'));
  assert.ok(patches.activeIn('a.test').includes('RF-2021-01'));
  patches.load(shippedPatches(), { ...settings, enabled: false });
  assert.deepEqual(patches.activeIn('a.test'), []);
});

test('a set that was changed, or that somebody else has signed, is not taken; nor an older one', () => {
  const own = generateKeyPairSync('ed25519');
  const publicKey = own.publicKey.export({ type: 'spki', format: 'pem' }).toString();
  const folder = mkdtempSync(join(tmpdir(), 'ringfence-patches-'));
  try {
    const write = (serial: number, change = (text: string) => text): string => {
      const text = JSON.stringify({ ...shippedPatches(), serial });
      const file = join(folder, 'set.json');
      writeFileSync(file, change(text));
      writeFileSync(`${file}.sig`, sign(null, Buffer.from(text), own.privateKey).toString('base64'));
      return file;
    };
    const { serial } = shippedPatches();
    assert.equal(readPatchFile(write(serial + 1), [...releaseKeys(), publicKey]).ok, true);
    const foreign = readPatchFile(write(serial + 1));
    assert.ok(!foreign.ok && /not signed/.test(foreign.error));
    const changed = readPatchFile(
      write(serial + 1, (text) => text.replace('"harmless":true', '"harmless":false')),
      [publicKey],
    );
    assert.ok(!changed.ok && /not signed/.test(changed.error));
    const older = readPatchFile(write(serial - 1), [publicKey]);
    assert.ok(!older.ok && /older/.test(older.error));
    const missing = readPatchFile(join(folder, 'none.json'), [publicKey]);
    assert.ok(!missing.ok && /ENOENT/.test(missing.error));
    assert.equal(openPatchSet({ text: Buffer.from('{}'), signature: 'AA==' }, [publicKey]).ok, false);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('S17: no message makes a patch look at it for long', () => {
  const patches = new VirtualPatches(shippedPatches(), settings);
  patches.retain(node('asterisk 11.0.0'));
  const head =
    'INVITE sip:1@a.test SIP/2.0\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\nFrom: <sip:2@a.test>;tag=1\nTo: <sip:1@a.test>\nCall-ID: a\nCSeq: 1 INVITE\n';
  for (const rest of [
    `Accept: a/b{{,a/b*1500}}`,
    `X: {{<script*1000}}\nY: {{: *1500}}`,
    `Authorization: Digest {{a="b",*1000}}`,
    `Content-Type: application/sdp\n\n{{m=audio 1 RTP/AVP 0\n*700}}`,
    `Content-Type: application/sdp\n\nm={{1 *2000}}{{9*2000}}`,
  ]) {
    const bytes = exampleBytes(head + rest);
    const parsed = parseMessage(bytes);
    assert.ok(parsed.ok && parsed.value.kind === 'request', rest);
    let least = Number.POSITIVE_INFINITY;
    for (let i = 0; i < 10; i += 1) {
      const began = performance.now();
      patches.judge('a.test', bytes, parsed.value);
      least = Math.min(least, performance.now() - began);
    }
    assert.ok(least < 10, `${rest}: ${least} ms`);
  }
});

test('conditions look at what they say, and an unreadable request fits none that needs it read', () => {
  const bytes = exampleBytes('INVITE sip:1@a.test SIP/2.0\nVia: x\nTo: a\nTo: b');
  const seen = { bytes, request: undefined };
  assert.equal(compile({ line: { name: 'To', moreThan: 1 } })(seen), true);
  assert.equal(compile({ line: { name: 'To', moreThan: 2 } })(seen), false);
  for (const condition of [
    { header: { name: 'Accept', absent: true as const } },
    { credentials: 'absent' as const },
    { uri: { contains: ['a'] } },
    { body: { longerThan: 0 } },
    { sdp: { line: 'm=' } },
    { fromTag: { longerThan: 0 } },
    { branch: { absent: true as const } },
  ])
    assert.equal(compile(condition)(seen), false, JSON.stringify(condition));
});
