import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { scanHeader } from './scan.ts';

/** The same said an octet at a time. */
const slowly = (bytes: Uint8Array, start: number, end: number): object => {
  let ascii = true;
  let controls = false;
  for (let i = start; i < end; i++) {
    const octet = bytes[i]!;
    if (octet === 13) {
      if (bytes[i + 1] !== 10)
        return { headerEnd: -1, problem: 'CR without LF', ascii: false, controls: false };
      if (bytes[i + 2] === 13 && bytes[i + 3] === 10)
        return { headerEnd: i, problem: undefined, ascii, controls };
      i++;
    } else if (octet === 10) {
      return { headerEnd: -1, problem: 'LF without CR', ascii: false, controls: false };
    } else if (octet > 0x7f) {
      ascii = false;
    } else if ((octet < 0x20 && octet !== 9) || octet === 0x7f) {
      controls = true;
    }
  }
  return { headerEnd: -1, problem: undefined, ascii, controls };
};

test('four octets at once see what one at a time sees, at every offset', () => {
  let ran = 0;
  const octet = fc.oneof(
    { weight: 5, arbitrary: fc.integer({ min: 0x20, max: 0x7e }) },
    fc.constantFrom(0, 1, 9, 0x1f, 0x20, 0x7e, 0x7f, 0x80, 0xff),
    fc.integer({ min: 0, max: 255 }),
  );
  const piece = fc.oneof(
    { weight: 9, arbitrary: octet.map((value) => [value]) },
    fc.constantFrom([13, 10], [13, 10, 13, 10]),
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 40 }), fc.nat(7), fc.nat(3), (pieces, before, from) => {
      ran++;
      const octets = pieces.flat();
      const memory = new Uint8Array(before + octets.length);
      memory.set(octets, before);
      const bytes = memory.subarray(before);
      const start = Math.min(from, bytes.length);
      assert.deepEqual(scanHeader(bytes, start, bytes.length), slowly(bytes, start, bytes.length));
    }),
    { numRuns: 3000 },
  );
  assert.equal(ran, 3000);
});

test('every single octet among plain ones is judged right', () => {
  for (let octet = 0; octet < 256; octet++) {
    for (let at = 0; at < 8; at++) {
      const bytes = new Uint8Array(8).fill(0x41);
      bytes[at] = octet;
      assert.deepEqual(scanHeader(bytes, 0, 8), slowly(bytes, 0, 8), `${octet} at ${at}`);
    }
  }
});
