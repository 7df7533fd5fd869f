import { toALaw, toMuLaw } from '@ringfence/audio/g711.ts';
import { G722Encoder } from '@ringfence/audio/g722.ts';
import { readOggOpus } from '@ringfence/audio/ogg.ts';
import { resample } from '@ringfence/audio/resample.ts';
import { mostSamples, readWav, type Sound } from '@ringfence/audio/wav.ts';
import { err, ok, type Result } from '@ringfence/bytes/result.ts';

/** Codecs that a file can be played in, by the encoding names of SDP (RFC 3551 §6, RFC 7587 §7). */
export const soundCodecs = ['PCMU', 'PCMA', 'G722', 'opus'] as const;
export type SoundCodec = (typeof soundCodecs)[number];

/** The codec of that encoding name, which is the same in capitals and without (RFC 4855 §3). */
export const soundCodecOf = (encoding: string): SoundCodec | undefined =>
  soundCodecs.find((codec) => codec.toLowerCase() === encoding.toLowerCase());

/** What one frame lasts. */
export const frameMs = 20;

/** RTP clock ticks of a frame: G.722 counts at 8000 Hz though it samples at 16000 (RFC 3551 §4.5.2). */
export const timestampStep: Readonly<Record<SoundCodec, number>> = {
  PCMU: 160,
  PCMA: 160,
  G722: 160,
  opus: 960,
};

const sampleRates: Readonly<Record<SoundCodec, number>> = {
  PCMU: 8000,
  PCMA: 8000,
  G722: 16_000,
  opus: 48_000,
};

/** Reads a WAV or Ogg Opus file; an error is for the administrator. */
export async function readSound(file: Uint8Array): Promise<Result<Sound, string>> {
  if (Buffer.from(file.subarray(0, 4)).toString('latin1') !== 'OggS') {
    const wav = readWav(file);
    return wav.ok ? wav : err(`${wav.error}; WAV and Ogg Opus can be played`);
  }
  const opus = readOggOpus(file);
  if (!opus.ok) return err(opus.error);
  const { createDecoder } = await import('libopus-wasm');
  const decoder = await createDecoder({ channels: 1, sampleRate: 48_000 });
  try {
    const parts: Int16Array[] = [];
    let length = 0;
    for (const packet of opus.value.packets) {
      const part = decoder.decode(packet);
      length += part.length;
      if (length > mostSamples) return err('longer than ten minutes');
      parts.push(part.slice());
    }
    const samples = new Int16Array(length);
    let at = 0;
    for (const part of parts) {
      samples.set(part, at);
      at += part.length;
    }
    return ok({ rate: 48_000, samples: samples.subarray(Math.min(opus.value.preSkip, length)) });
  } catch (error) {
    return err(
      `its Opus packets cannot be decoded: ${error instanceof Error ? error.message : String(error)}`,
    );
  } finally {
    decoder.free();
  }
}

/** The sound as payloads of 20 ms, the last one filled up with silence. */
export async function framesOf(sound: Sound, codec: SoundCodec): Promise<Uint8Array[]> {
  const { samples } = resample(sound, sampleRates[codec]);
  const perFrame = (sampleRates[codec] * frameMs) / 1000;
  const count = Math.ceil(samples.length / perFrame);
  const encode = await encoderOf(codec);
  const frames: Uint8Array[] = [];
  for (let i = 0; i < count; i++) {
    const frame = new Int16Array(perFrame);
    frame.set(samples.subarray(i * perFrame, (i + 1) * perFrame));
    frames.push(encode.frame(frame));
  }
  encode.end?.();
  return frames;
}

interface Encoder {
  frame(samples: Int16Array): Uint8Array;
  end?(): void;
}

async function encoderOf(codec: SoundCodec): Promise<Encoder> {
  if (codec === 'PCMU') return { frame: (samples) => Uint8Array.from(samples, toMuLaw) };
  if (codec === 'PCMA') return { frame: (samples) => Uint8Array.from(samples, toALaw) };
  if (codec === 'G722') {
    const encoder = new G722Encoder();
    return { frame: (samples) => encoder.encode(samples) };
  }
  const { createEncoder, Application } = await import('libopus-wasm');
  const encoder = await createEncoder({
    channels: 1,
    sampleRate: 48_000,
    frameSize: 960,
    application: Application.Audio,
    bitrate: 32_000,
  });
  return { frame: (samples) => encoder.encode(samples).slice(), end: () => encoder.free() };
}
