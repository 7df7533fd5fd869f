/** Tones put into a call on one side and looked for in what the other side recorded. */
import { readFileSync } from 'node:fs';

export type Recording = { readonly rate: number; readonly samples: Float64Array };

/** A mono WAV file of 16 bits a sample with one sine at half of full scale. */
export function sineWav(frequency: number, seconds: number, rate = 8_000): Uint8Array {
  const count = Math.round(seconds * rate);
  const bytes = Buffer.alloc(44 + count * 2);
  bytes.write('RIFF', 0, 'latin1');
  bytes.writeUInt32LE(36 + count * 2, 4);
  bytes.write('WAVEfmt ', 8, 'latin1');
  bytes.writeUInt32LE(16, 16);
  bytes.writeUInt16LE(1, 20); // PCM
  bytes.writeUInt16LE(1, 22); // channels
  bytes.writeUInt32LE(rate, 24);
  bytes.writeUInt32LE(rate * 2, 28);
  bytes.writeUInt16LE(2, 32);
  bytes.writeUInt16LE(16, 34);
  bytes.write('data', 36, 'latin1');
  bytes.writeUInt32LE(count * 2, 40);
  for (let at = 0; at < count; at += 1) {
    bytes.writeInt16LE(Math.round(16_384 * Math.sin((2 * Math.PI * frequency * at) / rate)), 44 + at * 2);
  }
  return bytes;
}

/** The first channel of a WAV file of 16 bits a sample; a recorder that was stopped may have left lengths of 0. */
export function readWav(file: string): Recording {
  const bytes = readFileSync(file);
  if (bytes.toString('latin1', 0, 4) !== 'RIFF') throw new Error(`${file} is not a WAV file`);
  let rate = 8_000;
  let channels = 1;
  for (let at = 12; at + 8 <= bytes.length; ) {
    const kind = bytes.toString('latin1', at, at + 4);
    const length = bytes.readUInt32LE(at + 4);
    if (kind === 'fmt ') {
      channels = bytes.readUInt16LE(at + 10);
      rate = bytes.readUInt32LE(at + 12);
      if (bytes.readUInt16LE(at + 22) !== 16) throw new Error(`${file} has not 16 bits a sample`);
    }
    if (kind === 'data') {
      const rest = bytes.length - at - 8;
      const size = length === 0 || length > rest ? rest : length;
      const samples = new Float64Array(Math.floor(size / (2 * channels)));
      for (let index = 0; index < samples.length; index += 1) {
        samples[index] = bytes.readInt16LE(at + 8 + index * 2 * channels) / 32_768;
      }
      return { rate, samples };
    }
    at += 8 + length + (length & 1);
  }
  return { rate, samples: new Float64Array(0) };
}

/**
 * Goertzel's algorithm: the share of a block's energy that is at one frequency, from 0 to 1. Silence has none.
 */
export function shareAt(block: Float64Array, rate: number, frequency: number): number {
  const cycles = Math.round((block.length * frequency) / rate);
  const factor = 2 * Math.cos((2 * Math.PI * cycles) / block.length);
  let before = 0;
  let last = 0;
  let energy = 0;
  for (const sample of block) {
    const next = sample + factor * last - before;
    before = last;
    last = next;
    energy += sample * sample;
  }
  if (energy / block.length < 1e-5) return 0;
  const power = last * last + before * before - factor * last * before;
  return power / ((energy * block.length) / 2);
}

const BLOCK_SECONDS = 0.1;
const CLEAR = 0.8;

/** Seconds of a recording in which at least 80 % of the energy is the tone. */
export function secondsOfTone({ rate, samples }: Recording, frequency: number): number {
  const size = Math.round(rate * BLOCK_SECONDS);
  let blocks = 0;
  for (let at = 0; at + size <= samples.length; at += size) {
    if (shareAt(samples.subarray(at, at + size), rate, frequency) >= CLEAR) blocks += 1;
  }
  return blocks * BLOCK_SECONDS;
}
