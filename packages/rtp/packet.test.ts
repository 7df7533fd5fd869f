import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { test } from 'node:test';
import { MisuseError } from '@ringfence/bytes/misuse.ts';
import { corpusFile, corpusPath, needsCorpus } from '@ringfence/testkit/corpus.ts';
import fc from 'fast-check';
import { extensionElements } from './header-extension.ts';
import { encodeRtp, parseRtp, type RtpPacket } from './packet.ts';

const codeOf = (bytes: ArrayLike<number>): string => {
  const result = parseRtp(Uint8Array.from(bytes));
  return result.ok ? 'ok' : result.error;
};
const header = [0x80, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3];

test('RFC 3550 5.1: header, CSRCs, extension, padding', () => {
  const bytes = Uint8Array.from([
    ...[0xb1, 0xe5, 0x12, 0x34, 0, 0, 0, 160, 0xca, 0xfe, 0xba, 0xbe, 0, 0, 0, 9],
    ...[0xbe, 0xde, 0, 1, 0x10, 0xaa, 0, 0, 7, 8, 0, 2],
  ]);
  const result = parseRtp(bytes);
  assert.ok(result.ok);
  const { extension, payload, ...rest } = result.value;
  assert.deepEqual(rest, {
    marker: true,
    payloadType: 101,
    sequence: 0x1234,
    timestamp: 160,
    ssrc: 0xcafe_babe,
    csrcs: [9],
    padding: 2,
  });
  assert.deepEqual([...payload], [7, 8]);
  assert.equal(extension?.profile, 0xbede);
  assert.deepEqual(encodeRtp(result.value), bytes);
});

test('RFC 3550 A.1: what is no RTP is refused with its reason', () => {
  assert.equal(codeOf(header), 'ok');
  assert.equal(codeOf(header.slice(0, 11)), 'short');
  assert.equal(codeOf([]), 'short');
  assert.equal(codeOf([0x40, ...header.slice(1)]), 'version');
  assert.equal(codeOf([0x81, ...header.slice(1)]), 'csrc');
  assert.equal(codeOf([0x90, ...header.slice(1)]), 'extension');
  assert.equal(codeOf([0x90, ...header.slice(1), 0, 0, 0, 1]), 'extension');
  assert.equal(codeOf([0xa0, ...header.slice(1)]), 'padding');
  assert.equal(codeOf([0xa0, ...header.slice(1), 0]), 'padding');
  assert.equal(codeOf([0xa0, ...header.slice(1), 2]), 'padding');
  assert.equal(codeOf([0xa0, ...header.slice(1), 1]), 'ok');
});

test('RFC 8285 4.2 and 4.3: elements of both forms, padding and cut ends', () => {
  const data = (...octets: number[]) => Uint8Array.from(octets);
  const read = (profile: number, bytes: Uint8Array) =>
    extensionElements({ profile, data: bytes }).map(({ id, data: value }) => [id, ...value]);
  assert.deepEqual(read(0xbede, data(0x10, 0xaa, 0, 0x31, 1, 2, 0, 0)), [
    [1, 0xaa],
    [3, 1, 2],
  ]);
  assert.deepEqual(read(0xbede, data(0x10, 0xaa, 0xf0, 1)), [[1, 0xaa]]);
  assert.deepEqual(read(0xbede, data(0x1f, 1, 2, 3)), []);
  assert.deepEqual(read(0x1000, data(1, 0, 0, 2, 1, 9, 3, 7)), [[1], [2, 9]]);
  assert.deepEqual(read(0xabcd, data(1, 2, 3, 4)), []);
});

test('fields that do not fit are misuse', () => {
  const packet: RtpPacket = {
    marker: false,
    payloadType: 0,
    sequence: 0,
    timestamp: 0,
    ssrc: 0,
    csrcs: [],
    payload: new Uint8Array(0),
    padding: 0,
  };
  const misuse = (error: unknown) => error instanceof MisuseError;
  assert.throws(() => encodeRtp({ ...packet, payloadType: 128 }), misuse);
  assert.throws(() => encodeRtp({ ...packet, sequence: 65_536 }), misuse);
  assert.throws(() => encodeRtp({ ...packet, csrcs: new Array(16).fill(1) }), misuse);
  assert.throws(() => encodeRtp({ ...packet, extension: { profile: 1, data: new Uint8Array(3) } }), misuse);
  assert.throws(() => encodeRtp({ ...packet, padding: 256 }), misuse);
});

test('property: whatever is written is read back', () => {
  const octets = fc.uint8Array({ maxLength: 32 });
  fc.assert(
    fc.property(
      fc.record(
        {
          marker: fc.boolean(),
          payloadType: fc.nat({ max: 127 }),
          sequence: fc.nat({ max: 0xffff }),
          timestamp: fc.nat({ max: 0xffff_ffff }),
          ssrc: fc.nat({ max: 0xffff_ffff }),
          csrcs: fc.array(fc.nat({ max: 0xffff_ffff }), { maxLength: 15 }),
          payload: octets,
          padding: fc.nat({ max: 255 }),
        },
        { noNullPrototype: true },
      ),
      fc.option(fc.uint8Array({ maxLength: 8 })),
      (fields, words) => {
        const packet: RtpPacket =
          words === null
            ? fields
            : {
                ...fields,
                extension: {
                  profile: 0xbede,
                  data: Uint8Array.from([...words, ...words, ...words, ...words]),
                },
              };
        const result = parseRtp(encodeRtp(packet));
        assert.ok(result.ok);
        assert.deepEqual(result.value, packet);
      },
    ),
    { numRuns: 300 },
  );
});

test('property: arbitrary bytes never throw, and what is read is written back the same', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 120 }), (bytes) => {
      if (bytes.length > 0) bytes[0] = 0x80 | (bytes[0]! & 0x3f);
      const result = parseRtp(bytes);
      if (!result.ok) return;
      const again = encodeRtp(result.value);
      assert.equal(again.length, bytes.length);
      if (result.value.padding === 0) assert.deepEqual(again, bytes);
    }),
    { numRuns: 1000 },
  );
});

test('packets of other implementations', needsCorpus('rtp-rtcp-packets'), () => {
  const read = (name: string) => parseRtp(corpusFile(`rtp-rtcp-packets/${name}`));
  const dtmf = read('rtp_dtmf.bin');
  assert.ok(dtmf.ok);
  assert.deepEqual(
    [dtmf.value.payloadType, dtmf.value.marker, [...dtmf.value.payload]],
    [101, true, [1, 0x8a, 3, 0xc0]],
  );
  const padded = read('rtp_only_padding_with_header_extensions.bin');
  assert.ok(padded.ok);
  assert.equal(padded.value.payload.length, 0);
  assert.equal(padded.value.padding, 224);
  const mid = read('rtp_with_sdes_mid.bin');
  assert.ok(mid.ok && mid.value.extension);
  assert.deepEqual(
    extensionElements(mid.value.extension).map(({ id, data }) => [id, ...data]),
    [[9, 0x30]],
  );
});

test('fuzz seeds and their mutations never throw', needsCorpus('fuzz-seeds/pjsip-fuzz-rtp'), () => {
  let ran = 0;
  for (const name of readdirSync(corpusPath('fuzz-seeds/pjsip-fuzz-rtp'))) {
    const seed = corpusFile(`fuzz-seeds/pjsip-fuzz-rtp/${name}`);
    for (let at = 0; at < seed.length; at += 1) {
      const mutated = Uint8Array.from(seed);
      mutated[at]! ^= 0xff;
      parseRtp(mutated);
      parseRtp(seed.subarray(0, at));
      ran += 2;
    }
  }
  assert.ok(ran > 900, `${ran}`);
});
