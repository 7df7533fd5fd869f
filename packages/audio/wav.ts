import { err, ok, type Result } from '@ringfence/bytes/result.ts';

/** One channel of sound: samples from -32768 to 32767. */
export interface Sound {
  /** Hz. */
  readonly rate: number;
  readonly samples: Int16Array;
}

/** What is played to a caller needs no more, and a file cannot make anybody hold more: ten minutes at 48 kHz. */
export const mostSamples = 600 * 48_000;

const formats = { pcm: 1, aLaw: 6, muLaw: 7, extensible: 0xfffe } as const;

/**
 * Reads a RIFF/WAVE file of 8, 16, 24 or 32 bit PCM, or of A-law or µ-law; several channels are mixed into one.
 *
 * Source: Microsoft Multimedia Programming Interface 1.0, RFC 2361.
 */
export function readWav(file: Uint8Array): Result<Sound, string> {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const tag = (at: number): string => Buffer.from(file.buffer, file.byteOffset + at, 4).toString('latin1');
  if (file.length < 12 || tag(0) !== 'RIFF' || tag(8) !== 'WAVE') return err('no RIFF/WAVE file');
  let format: { kind: number; channels: number; rate: number; bits: number } | undefined;
  for (let at = 12; at + 8 <= file.length; ) {
    const length = view.getUint32(at + 4, true);
    const body = at + 8;
    if (tag(at) === 'fmt ') {
      if (length < 16 || body + length > file.length) return err('its format is cut off');
      const kind = view.getUint16(body, true);
      format = {
        kind: kind === formats.extensible && length >= 26 ? view.getUint16(body + 24, true) : kind,
        channels: view.getUint16(body + 2, true),
        rate: view.getUint32(body + 4, true),
        bits: view.getUint16(body + 14, true),
      };
    } else if (tag(at) === 'data') {
      if (format === undefined) return err('sound comes before its format');
      return readSamples(file.subarray(body, Math.min(body + length, file.length)), format);
    }
    // Chunks are padded to an even length.
    at = body + length + (length & 1);
  }
  return err('it holds no sound');
}

function readSamples(
  data: Uint8Array,
  { kind, channels, rate, bits }: { kind: number; channels: number; rate: number; bits: number },
): Result<Sound, string> {
  if (rate < 8000 || rate > 192_000) return err(`${rate} Hz; 8000 to 192000 can be read`);
  if (channels < 1 || channels > 8) return err(`${channels} channels; 1 to 8 can be read`);
  const sample = sampleReader(data, kind, bits);
  if (sample === undefined) return err(`format ${kind} of ${bits} bit; PCM, A-law and µ-law can be read`);
  const frames = Math.floor(data.length / (channels * (bits / 8)));
  if (frames > mostSamples) return err(`longer than ${mostSamples / 48_000} s at 48 kHz`);
  const samples = new Int16Array(frames);
  for (let i = 0; i < frames; i++) {
    let sum = 0;
    for (let channel = 0; channel < channels; channel++) sum += sample(i * channels + channel);
    samples[i] = Math.round(sum / channels);
  }
  return ok({ rate, samples });
}

function sampleReader(data: Uint8Array, kind: number, bits: number): ((index: number) => number) | undefined {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  if (kind === formats.aLaw && bits === 8) return (i) => fromALaw(data[i] ?? 0xd5);
  if (kind === formats.muLaw && bits === 8) return (i) => fromMuLaw(data[i] ?? 0xff);
  if (kind !== formats.pcm) return undefined;
  if (bits === 8) return (i) => ((data[i] ?? 128) - 128) * 256;
  if (bits === 16) return (i) => view.getInt16(2 * i, true);
  if (bits === 24) return (i) => view.getInt16(3 * i + 1, true);
  if (bits === 32) return (i) => view.getInt16(4 * i + 2, true);
  return undefined;
}

/** Writes 16 bit PCM of one channel. */
export function writeWav({ rate, samples }: Sound): Uint8Array {
  const file = Buffer.alloc(44 + 2 * samples.length);
  file.write('RIFF', 0, 'latin1');
  file.writeUInt32LE(file.length - 8, 4);
  file.write('WAVEfmt ', 8, 'latin1');
  file.writeUInt32LE(16, 16);
  file.writeUInt16LE(formats.pcm, 20);
  file.writeUInt16LE(1, 22);
  file.writeUInt32LE(rate, 24);
  file.writeUInt32LE(2 * rate, 28);
  file.writeUInt16LE(2, 32);
  file.writeUInt16LE(16, 34);
  file.write('data', 36, 'latin1');
  file.writeUInt32LE(2 * samples.length, 40);
  for (const [i, sample] of samples.entries()) file.writeInt16LE(sample, 44 + 2 * i);
  return file;
}

/** ITU-T G.711, A-law: of 8 bit, 16 bit. */
export function fromALaw(code: number): number {
  const value = code ^ 0x55;
  const exponent = (value >> 4) & 7;
  const mantissa = ((value & 15) << 4) + 8;
  const size = exponent === 0 ? mantissa : (mantissa + 0x100) << (exponent - 1);
  return (value & 0x80) === 0 ? -size : size;
}

/** ITU-T G.711, µ-law: of 8 bit, 16 bit. */
export function fromMuLaw(code: number): number {
  const value = ~code & 0xff;
  const size = ((((value & 15) << 3) + 0x84) << ((value >> 4) & 7)) - 0x84;
  return (value & 0x80) === 0 ? size : -size;
}
