import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { keyId, makeBundle, openBundle } from './bundle.ts';
import type { DamageKind } from './damage.ts';
import { decodeManifest, encodeManifest, signedOctets } from './manifest.ts';
import { readTar, writeTar } from './tar.ts';

const { privateKey, publicKey } = generateKeyPairSync('ed25519');
const other = generateKeyPairSync('ed25519');
const about = {
  incident: 'INC-20261124-1',
  title: 'Somebody guesses passwords.',
  node: 'edge-1',
  version: '0.1.0',
  madeAt: 1_795_000_000_000,
  madeBy: 'anna',
  ledger: 'ab'.repeat(16),
  notes: ['Credentials are masked.'],
};
const parts = [
  { name: 'incident.json', what: 'The incident.', bytes: Buffer.from('{"id":"INC-20261124-1"}\n') },
  { name: 'empty.jsonl', what: 'Nothing.', bytes: Buffer.alloc(0) },
  { name: 'messages.pcap', what: 'A capture.', bytes: Buffer.alloc(512, 7) },
  { name: 'ladder.txt', what: 'A ladder.', bytes: Buffer.from('alice -> bob\n') },
];
const made = makeBundle(about, parts, privateKey);
const entries = readTar(made.bytes).entries;
const seconds = about.madeAt / 1000;
const names = (bytes: Uint8Array, key = publicKey): string[] =>
  openBundle(bytes, key).damages.map(({ kind, part }) => `${kind} ${part}`.trim());
const rebuilt = (change: (list: { name: string; bytes: Uint8Array }[]) => void): Uint8Array => {
  const list = entries.map(({ name, bytes }) => ({ name, bytes: Uint8Array.from(bytes) }));
  change(list);
  return writeTar(list, seconds);
};

test('a bundle is the same octets for the same input, and opens without damage', () => {
  assert.deepEqual(makeBundle(about, parts, privateKey).bytes, made.bytes);
  for (const key of [publicKey, undefined]) {
    const opened = openBundle(made.bytes, key);
    assert.deepEqual(opened.damages, []);
    assert.equal(opened.signedBy, keyId(publicKey));
    assert.equal(opened.id, made.id);
    assert.equal(opened.manifest?.parts.length, parts.length + 1);
    for (const { name, bytes } of parts) assert.deepEqual(Buffer.from(opened.parts.get(name)!), bytes);
  }
});

test('each kind of damage is found and named, with the part', () => {
  const at = (name: string): number => Buffer.from(made.bytes).indexOf(name);
  const flipped = (place: number): Uint8Array => {
    const bytes = Uint8Array.from(made.bytes);
    bytes[place]! ^= 1;
    return bytes;
  };
  assert.deepEqual(names(rebuilt((list) => list.find((one) => one.name === 'ladder.txt')!.bytes.set([65]))), [
    'edited ladder.txt',
  ]);
  assert.deepEqual(names(rebuilt((list) => list.splice(5, 1))), ['dropped messages.pcap']);
  assert.deepEqual(names(rebuilt((list) => list.push({ name: 'more.txt', bytes: Buffer.from('x') }))), [
    'added more.txt',
  ]);
  assert.deepEqual(names(rebuilt((list) => list.push(list[3]!))), ['added incident.json']);
  assert.deepEqual(names(rebuilt((list) => list.push(...list.splice(3, 1)))), ['reordered empty.jsonl']);
  assert.deepEqual(names(made.bytes.subarray(0, at('alice -> bob') + 4)), ['truncated ladder.txt']);
  assert.deepEqual(names(made.bytes.subarray(0, made.bytes.length - 512)), ['truncated']);
  assert.deepEqual(names(Buffer.concat([made.bytes, Buffer.from('x')])), ['added']);
  assert.deepEqual(names(flipped(at('alice -> bob') + 20)), ['edited ladder.txt'], 'behind its end');
  assert.deepEqual(names(made.bytes, other.publicKey), ['other-key manifest.sig']);
  assert.deepEqual(names(rebuilt((list) => list[1]!.bytes.set([0, 0]))), ['unsigned manifest.sig']);
  assert.deepEqual(names(rebuilt((list) => list.splice(1, 1))), ['dropped manifest.sig']);
  assert.deepEqual(names(rebuilt((list) => list.splice(0, 1))), ['dropped manifest.json']);
  assert.deepEqual(names(Buffer.alloc(0)), ['unreadable']);
  assert.deepEqual(names(Buffer.from('not a bundle at all')), ['unreadable']);
  // A header that lies: its part is missing, the others are read.
  const header = names(flipped(at('messages.pcap\0') + 100));
  assert.deepEqual(header, ['edited', 'dropped messages.pcap']);
});

test('who changes a part and the manifest with it has no signature, and with a key of his own another one', () => {
  const forged = makeBundle(
    about,
    [{ ...parts[0]!, bytes: Buffer.from('{}') }, ...parts.slice(1)],
    other.privateKey,
  );
  assert.deepEqual(names(forged.bytes), ['other-key manifest.sig']);
  assert.notEqual(openBundle(forged.bytes).signedBy, keyId(publicKey), 'shown to whoever names no key');
  const edited = rebuilt((list) => {
    const read = decodeManifest(list[0]!.bytes);
    assert.ok(read.ok);
    list[0]!.bytes = encodeManifest({ ...read.value, title: 'Nothing happened.' });
  });
  assert.deepEqual(names(edited), ['unsigned manifest.sig']);
  // the signature of anything else of that key is none of a bundle
  assert.ok(
    Buffer.from(signedOctets(Buffer.alloc(0)))
      .toString()
      .startsWith('ringfence evidence manifest'),
  );
});

test('names that lead elsewhere are neither written nor read', () => {
  for (const name of [
    '../x',
    '/etc/passwd',
    'a/b',
    '.hidden',
    '',
    'A',
    'con:',
    'x'.repeat(60),
    'a\0b',
    'ä.txt',
  ])
    assert.throws(() => writeTar([{ name, bytes: Buffer.alloc(0) }], 0), /no name of a part/, name);
  const tar = Buffer.from(writeTar([{ name: 'aaaaaaaa', bytes: Buffer.from('x') }], 0));
  for (const name of ['../x', '/etc/x', 'a/../../x']) {
    const evil = Buffer.from(tar);
    evil.fill(0, 0, 8);
    evil.write(name, 0);
    evil.write('        ', 148);
    const sum = evil.subarray(0, 512).reduce((total, octet) => total + octet, 0);
    evil.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
    assert.deepEqual(readTar(evil).entries, [], name);
    assert.equal(readTar(evil).damages[0]?.kind, 'edited');
  }
  // links, folders, other owners: a header that is not ours to the octet
  for (const place of [100, 108, 156, 157, 265, 345]) {
    const evil = Buffer.from(tar);
    evil[place] = 0x32;
    assert.deepEqual(readTar(evil).entries, [], String(place));
  }
});

test('a size that a header claims is not believed', () => {
  const many = writeTar(
    Array.from({ length: 64 }, (_, i) => ({ name: `p${i}`, bytes: Buffer.from('x') })),
    0,
  );
  assert.equal(readTar(many).entries.length, 64);
  const more = Buffer.concat([
    many.subarray(0, -1024),
    writeTar([{ name: 'p64', bytes: Buffer.alloc(0) }], 0),
  ]);
  const read = readTar(more);
  assert.equal(read.entries.length, 64);
  assert.equal(read.damages[0]?.kind, 'added');
});

test('hostile manifests are refused: unknown fields, wrong order, blanks, what is no manifest', () => {
  const text = Buffer.from(entries[0]!.bytes).toString();
  const hostile = [
    '',
    'null',
    '[]',
    '{}',
    text.trimEnd(),
    `${text}\n`,
    text.replace('"incident"', '"Incident"'),
    text.replace('{', '{"__proto__":{},'),
    text.replace('"size": 512', '"size": -1'),
    text.replace('"size": 512', '"size": 1e400'),
    text.replace('messages.pcap', '../messages'),
    text.replace('messages.pcap', 'ladder.txt'),
    `${'['.repeat(100_000)}`,
  ];
  for (const one of hostile) assert.equal(decodeManifest(Buffer.from(one)).ok, false, one.slice(0, 80));
  assert.equal(decodeManifest(Uint8Array.of(0xff, 0xfe)).ok, false);
});

test('whatever is changed in a bundle, it is found, and the reader never fails (fuzz)', () => {
  let cases = 0;
  const seen = new Set<DamageKind>();
  fc.assert(
    fc.property(
      fc.array(
        fc.record({
          at: fc.nat({ max: made.bytes.length - 1 }),
          way: fc.constantFrom('flip', 'zero', 'cut', 'drop', 'repeat'),
          length: fc.integer({ min: 1, max: 1500 }),
        }),
        { minLength: 1, maxLength: 3 },
      ),
      (changes) => {
        cases += 1;
        let bytes: Buffer = Buffer.from(made.bytes);
        for (const { at, way, length } of changes) {
          const place = Math.min(at, Math.max(0, bytes.length - 1));
          if (way === 'flip' && bytes.length > 0) bytes[place]! ^= 1 + (length % 255);
          if (way === 'zero') bytes.fill(0, place, Math.min(bytes.length, place + length));
          if (way === 'cut') bytes = bytes.subarray(0, place);
          if (way === 'drop')
            bytes = Buffer.concat([bytes.subarray(0, place), bytes.subarray(place + length)]);
          if (way === 'repeat')
            bytes = Buffer.concat([bytes.subarray(0, place + length), bytes.subarray(place)]);
        }
        const { damages } = openBundle(bytes, publicKey);
        const same = Buffer.compare(bytes, made.bytes) === 0;
        assert.equal(damages.length === 0, same);
        for (const { kind, text } of damages) {
          seen.add(kind);
          assert.ok(text.length > 0 && text.length < 1000);
        }
      },
    ),
    { numRuns: 3000, seed: 5 },
  );
  assert.equal(cases, 3000);
  for (const kind of ['truncated', 'edited', 'dropped', 'added', 'unsigned'] as const)
    assert.ok(seen.has(kind), `${kind} came up`);
});

test('octets of any kind are read without failing (fuzz)', () => {
  let cases = 0;
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 4096 }), fc.boolean(), (noise, behind) => {
      cases += 1;
      const bytes = behind ? Buffer.concat([made.bytes.subarray(0, 1024), noise]) : noise;
      assert.ok(openBundle(bytes, publicKey).damages.length > 0);
    }),
    { numRuns: 1000, seed: 6 },
  );
  assert.equal(cases, 1000);
});

const has = (...programs: string[]): string | false => {
  const missing = programs.find((name) => !existsSync(`/usr/bin/${name}`) && !existsSync(`/bin/${name}`));
  return missing === undefined ? false : `${missing} is not installed`;
};

test('tar unpacks it, and openssl checks the signature without us', { skip: has('tar', 'openssl') }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'ringfence-evidence-'));
  try {
    writeFileSync(join(folder, 'bundle.tar'), made.bytes);
    execFileSync('tar', ['-xf', 'bundle.tar'], { cwd: folder });
    assert.equal(readdirSync(folder).length, 1 + 3 + parts.length);
    writeFileSync(join(folder, 'signed'), signedOctets(entries[0]!.bytes));
    const verdict = execFileSync(
      'openssl',
      'pkeyutl -verify -pubin -inkey public-key.pem -rawin -in signed -sigfile manifest.sig'.split(' '),
      { cwd: folder, encoding: 'utf8' },
    );
    assert.match(verdict, /Verified Successfully/);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
