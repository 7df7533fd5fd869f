import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { toALaw, toMuLaw } from './g711.ts';
import { G722Decoder, G722Encoder } from './g722.ts';
import { readOggOpus } from './ogg.ts';
import { resample } from './resample.ts';
import { fromALaw, fromMuLaw, readWav, type Sound, writeWav } from './wav.ts';

const tone = (frequency: number, rate: number, seconds = 1, size = 8000): Sound => ({
  rate,
  samples: Int16Array.from({ length: rate * seconds }, (_, i) =>
    Math.round(size * Math.sin((2 * Math.PI * frequency * i) / rate)),
  ),
});

/** Share of the power of a sound that lies at one frequency (Goertzel). */
function share({ rate, samples }: Sound, frequency: number): number {
  let re = 0;
  let im = 0;
  let all = 0;
  for (const [i, sample] of samples.entries()) {
    re += sample * Math.cos((2 * Math.PI * frequency * i) / rate);
    im += sample * Math.sin((2 * Math.PI * frequency * i) / rate);
    all += sample * sample;
  }
  return (2 * (re * re + im * im)) / samples.length / all;
}

test('G.711: each code is what its own middle is coded as, and the known ends of both laws', () => {
  for (let code = 0; code < 256; code++) {
    // 0x7f and 0xff of µ-law are both silence.
    if (code !== 0x7f) assert.equal(toMuLaw(fromMuLaw(code)), code);
    assert.equal(toALaw(fromALaw(code)), code);
  }
  assert.deepEqual([0, 32767, -32768].map(toMuLaw), [0xff, 0x80, 0x00]);
  assert.deepEqual([0, 32767, -32768].map(toALaw), [0xd5, 0xaa, 0x2a]);
});

test('G.711: no sample is further from its code than half a step', () => {
  for (let sample = -32768; sample < 32768; sample += 7) {
    const size = Math.abs(sample);
    const step = Math.max(16, 2 ** (Math.floor(Math.log2(size + 132)) - 4));
    assert.ok(Math.abs(fromMuLaw(toMuLaw(sample)) - sample) <= Math.max(step, size - 32635 + 512));
    assert.ok(Math.abs(fromALaw(toALaw(sample)) - sample) <= 2 * step);
  }
});

test('G.722: tones of both sub-bands come back as they went in', () => {
  for (const frequency of [300, 1000, 3000, 5000, 6500]) {
    const { samples } = tone(frequency, 16_000);
    const coded = new G722Encoder().encode(samples);
    assert.equal(coded.length, 8000);
    const heard = { rate: 16_000, samples: new G722Decoder().decode(coded).subarray(1600) };
    assert.ok(share(heard, frequency) > 0.97, `${frequency} Hz: ${share(heard, frequency)}`);
    const power = heard.samples.reduce((sum, one) => sum + one * one, 0) / heard.samples.length;
    assert.ok(Math.abs(Math.sqrt(2 * power) - 8000) < 800);
  }
});

test('G.722: nothing that can be said makes coder and decoder run away', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: -32768, max: 32767 }), { maxLength: 400 }), (said) => {
      const heard = new G722Decoder().decode(new G722Encoder().encode(Int16Array.from(said)));
      assert.equal(heard.length, said.length - (said.length % 2));
    }),
    { numRuns: 200 },
  );
});

test('another rate keeps tones that fit, and lets none fold back', () => {
  for (const [from, to] of [
    [48_000, 8000],
    [44_100, 16_000],
    [8000, 48_000],
    [8000, 16_000],
  ] as const) {
    const kept = resample(tone(1000, from), to);
    assert.equal(kept.samples.length, to);
    assert.ok(share(kept, 1000) > 0.999);
  }
  const gone = resample(tone(6000, 48_000), 8000);
  const left = gone.samples.subarray(100, -100).reduce((most, one) => Math.max(most, Math.abs(one)), 0);
  assert.ok(left < 80, `${left}`);
});

test('WAVE: what is written is read, and other depths and channels give the same sound', () => {
  const sound = tone(440, 8000, 0.1);
  const written = writeWav(sound);
  const read = readWav(written);
  assert.ok(read.ok);
  assert.deepEqual(read.value, sound);
  const stereo = Buffer.alloc(44 + 4 * sound.samples.length);
  Buffer.from(written).copy(stereo, 0, 0, 44);
  stereo.writeUInt16LE(2, 22);
  stereo.writeUInt32LE(4 * sound.samples.length, 40);
  for (const [i, sample] of sound.samples.entries()) {
    stereo.writeInt16LE(sample, 44 + 4 * i);
    stereo.writeInt16LE(sample, 46 + 4 * i);
  }
  assert.deepEqual(readWav(stereo), read);
});

test('WAVE and Ogg: files that are none, cut off or odd are told of, never thrown over', () => {
  const wav = writeWav(tone(440, 8000, 0.05));
  const refused = (file: Uint8Array): string => {
    const read = readWav(file);
    return read.ok ? '' : read.error;
  };
  assert.equal(refused(new Uint8Array()), 'no RIFF/WAVE file');
  assert.equal(refused(wav.subarray(0, 40)), 'it holds no sound');
  assert.match(refused(Buffer.from(wav).fill(0, 24, 28)), /0 Hz/);
  assert.match(refused(Buffer.from(wav).fill(9, 20, 22)), /format 2313/);
  let executions = 0;
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(wav.length), (junk, at) => {
      const file = Buffer.from(wav);
      file.set(junk.subarray(0, file.length - at), at);
      readWav(file);
      readOggOpus(junk);
      readOggOpus(Buffer.concat([Buffer.from('OggS\0\x02'), junk]));
      executions += 1;
    }),
    { numRuns: 500 },
  );
  assert.equal(executions, 500);
});

test('Ogg Opus: packets over several pages and segments (RFC 3533 §6, RFC 7845 §5)', () => {
  const page = (flags: number, lengths: readonly number[], body: Uint8Array): Uint8Array => {
    const head = Buffer.alloc(27 + lengths.length);
    head.write('OggS', 0, 'latin1');
    head[5] = flags;
    head.writeUInt32LE(7, 14);
    head[26] = lengths.length;
    head.set(lengths, 27);
    return Buffer.concat([head, body]);
  };
  const opusHead = Buffer.from('OpusHead\x01\x01\x38\x01\x80\xbb\0\0\0\0\0', 'latin1');
  const file = Buffer.concat([
    page(2, [19], opusHead),
    page(0, [16], Buffer.from('OpusTags\0\0\0\0\0\0\0\0', 'latin1')),
    page(0, [3, 255], Buffer.concat([Buffer.from([1, 2, 3]), Buffer.alloc(255, 9)])),
    page(1, [10, 1], Buffer.concat([Buffer.alloc(10, 9), Buffer.from([4])])),
  ]);
  const read = readOggOpus(file);
  assert.ok(read.ok);
  assert.equal(read.value.preSkip, 312);
  assert.deepEqual(
    read.value.packets.map(({ length }) => length),
    [3, 265, 1],
  );
  assert.ok(!readOggOpus(file.subarray(0, -1)).ok);
});
