import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { readWav, secondsOfTone, shareAt, sineWav } from './tone.ts';

function recording(bytes: Uint8Array) {
  const folder = mkdtempSync(join(tmpdir(), 'ringfence-tone-'));
  try {
    const file = join(folder, 'tone.wav');
    writeFileSync(file, bytes);
    return readWav(file);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test('a tone is found for as long as it lasts, and no other is', () => {
  const tone = recording(sineWav(440, 3));
  assert.ok(secondsOfTone(tone, 440) > 2.9);
  assert.equal(secondsOfTone(tone, 1_000), 0);
});

test('silence, noise and two tones at once are no tone', () => {
  const silence = { rate: 8_000, samples: new Float64Array(16_000) };
  assert.equal(secondsOfTone(silence, 440), 0);
  let state = 1;
  const noise = Float64Array.from({ length: 16_000 }, () => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647 - 0.5;
  });
  assert.equal(secondsOfTone({ rate: 8_000, samples: noise }, 440), 0);
  const one = recording(sineWav(440, 2)).samples;
  const other = recording(sineWav(1_000, 2)).samples;
  const both = one.map((sample, index) => sample / 2 + other[index]! / 2);
  assert.equal(secondsOfTone({ rate: 8_000, samples: both }, 440), 0);
});

test('a pure tone has all of its block’s energy', () => {
  const { samples } = recording(sineWav(1_000, 1));
  assert.ok(shareAt(samples.subarray(0, 800), 8_000, 1_000) > 0.99);
});

test('a WAV file whose lengths were never filled in is read to its end', () => {
  const bytes = Buffer.from(sineWav(440, 1));
  bytes.writeUInt32LE(0, 40);
  assert.equal(recording(bytes).samples.length, 8_000);
});
