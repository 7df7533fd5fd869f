import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { MisuseError } from './misuse.ts';
import { Reader } from './reader.ts';
import { Writer } from './writer.ts';

const misuse = (code: string) => (error: unknown) => error instanceof MisuseError && error.code === code;

test('numbers of every width come back as they were written', () => {
  const bytes = new Writer(1)
    .u8(0xff)
    .u16(0xfffe)
    .u24(0xff_fffd)
    .u32(0xffff_fffc)
    .u48(2 ** 48 - 5)
    .u64((1n << 64n) - 6n)
    .bytes(Uint8Array.of(1, 2, 3))
    .zeros(2)
    .finish();
  const reader = new Reader(bytes);
  assert.equal(reader.u8(), 0xff);
  assert.equal(reader.u16(), 0xfffe);
  assert.equal(reader.u24(), 0xff_fffd);
  assert.equal(reader.u32(), 0xffff_fffc);
  assert.equal(reader.u48(), 2 ** 48 - 5);
  assert.equal(reader.u64(), (1n << 64n) - 6n);
  assert.deepEqual(reader.bytes(3), Uint8Array.of(1, 2, 3));
  assert.deepEqual(reader.rest(), new Uint8Array(2));
  assert.equal(reader.left, 0);
});

test('what is not there reads as undefined and moves nothing', () => {
  const reader = new Reader(Uint8Array.of(7));
  assert.equal(reader.u16(), undefined);
  assert.equal(reader.u24(), undefined);
  assert.equal(reader.u32(), undefined);
  assert.equal(reader.u48(), undefined);
  assert.equal(reader.u64(), undefined);
  assert.equal(reader.bytes(2), undefined);
  assert.equal(reader.bytes(-1), undefined);
  assert.equal(reader.bytes(Number.NaN), undefined);
  assert.equal(reader.section(2), undefined);
  assert.equal(reader.skip(2), false);
  assert.equal(reader.offset, 0);
  assert.equal(reader.u8(), 7);
  assert.equal(reader.u8(), undefined);
});

test('a section cannot see beyond itself, nor a reader beyond its array', () => {
  const bytes = Uint8Array.of(1, 2, 3, 4);
  const section = new Reader(bytes).section(2);
  assert.equal(section?.u8(), 1);
  assert.equal(section?.u16(), undefined);
  assert.equal(new Reader(bytes, 2, 99).u32(), undefined);
  assert.equal(new Reader(bytes, 9).left, 0);
});

test('writing more than fits is misuse', () => {
  assert.throws(() => new Writer().u8(256), misuse('writer-range'));
  assert.throws(() => new Writer().u16(-1), misuse('writer-range'));
  assert.throws(() => new Writer().u32(1.5), misuse('writer-range'));
  assert.throws(() => new Writer().u48(2 ** 48), misuse('writer-range'));
  assert.throws(() => new Writer().u64(-1n), misuse('writer-range'));
  assert.throws(() => new Writer().u8(1).u16At(0, 1), misuse('writer-range'));
  assert.throws(() => new Writer(2, 3).u32(1), misuse('writer-full'));
});

test('a length is written over when it is known', () => {
  assert.deepEqual(new Writer().u16(0).u8(9).u16At(0, 0x0102).finish(), Uint8Array.of(1, 2, 9));
});

test('property: any sequence of reads stays inside, and reads what DataView reads', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 64 }),
      fc.array(fc.constantFrom('u8', 'u16', 'u32', 'u64'), { maxLength: 20 }),
      (bytes, reads) => {
        const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
        const reader = new Reader(bytes);
        for (const read of reads) {
          const at = reader.offset;
          const value = reader[read]();
          const width = { u8: 1, u16: 2, u32: 4, u64: 8 }[read];
          if (at + width > bytes.length) assert.equal(value, undefined);
          else if (read === 'u8') assert.equal(value, view.getUint8(at));
          else if (read === 'u16') assert.equal(value, view.getUint16(at));
          else if (read === 'u32') assert.equal(value, view.getUint32(at));
          else assert.equal(value, view.getBigUint64(at));
          assert.ok(reader.left >= 0);
        }
      },
    ),
    { numRuns: 300 },
  );
});
