import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { G722Decoder } from '@ringfence/audio/g722.ts';
import { fromALaw, fromMuLaw, type Sound, writeWav } from '@ringfence/audio/wav.ts';
import { createDecoder, createEncoder } from 'libopus-wasm';
import { framesOf, readSound, type SoundCodec, soundCodecOf, soundCodecs } from './frames.ts';
import { SoundFiles } from './sounds.ts';

const tone = (rate: number, seconds: number): Sound => ({
  rate,
  samples: Int16Array.from({ length: Math.round(rate * seconds) }, (_, i) =>
    Math.round(9000 * Math.sin((2 * Math.PI * 440 * i) / rate)),
  ),
});

async function heard(frames: readonly Uint8Array[], codec: SoundCodec): Promise<Sound> {
  const octets = Buffer.concat(frames);
  if (codec === 'PCMU') return { rate: 8000, samples: Int16Array.from(octets, fromMuLaw) };
  if (codec === 'PCMA') return { rate: 8000, samples: Int16Array.from(octets, fromALaw) };
  if (codec === 'G722') return { rate: 16_000, samples: new G722Decoder().decode(octets) };
  const decoder = await createDecoder({ channels: 1, sampleRate: 48_000 });
  const parts = frames.flatMap((frame) => [...decoder.decode(frame)]);
  decoder.free();
  return { rate: 48_000, samples: Int16Array.from(parts) };
}

/** Hz, by zero crossings. */
function pitch({ rate, samples }: Sound): number {
  const middle = samples.subarray(Math.floor(samples.length / 4), Math.floor((samples.length * 3) / 4));
  let crossings = 0;
  for (let i = 1; i < middle.length; i++)
    if ((middle[i - 1] ?? 0) < 0 && (middle[i] ?? 0) >= 0) crossings += 1;
  return (crossings * rate) / middle.length;
}

test('a WAV file is played in every codec with the tone that is in it, in frames of 20 ms', async () => {
  const read = await readSound(writeWav(tone(44_100, 1)));
  assert.ok(read.ok);
  for (const codec of soundCodecs) {
    const frames = await framesOf(read.value, codec);
    assert.equal(frames.length, 50);
    if (codec !== 'opus') assert.ok(frames.every(({ length }) => length === 160));
    const found = pitch(await heard(frames, codec));
    assert.ok(Math.abs(found - 440) < 6, `${codec}: ${found} Hz`);
  }
  assert.equal(soundCodecOf('OPUS'), 'opus');
  assert.equal(soundCodecOf('AMR'), undefined);
});

test('an Ogg Opus file is decoded and played (RFC 7845)', async () => {
  const encoder = await createEncoder({ channels: 1, sampleRate: 48_000, frameSize: 960 });
  const { samples } = tone(48_000, 1);
  const packets: Uint8Array[] = [];
  for (let at = 0; at + 960 <= samples.length; at += 960)
    packets.push(encoder.encode(samples.subarray(at, at + 960)).slice());
  encoder.free();
  const page = (body: readonly Uint8Array[]): Buffer => {
    const lacing = body.flatMap(({ length }) => [
      ...Array<number>(Math.floor(length / 255)).fill(255),
      length % 255,
    ]);
    const head = Buffer.alloc(27);
    head.write('OggS', 'latin1');
    head[26] = lacing.length;
    return Buffer.concat([head, Buffer.from(lacing), ...body]);
  };
  const opusHead = Buffer.from('OpusHead\x01\x01\x38\x01\x80\xbb\0\0\0\0\0', 'latin1');
  const file = Buffer.concat([
    page([opusHead]),
    page([Buffer.from('OpusTags\0\0\0\0\0\0\0\0', 'latin1')]),
    page(packets),
  ]);
  const read = await readSound(file);
  assert.ok(read.ok);
  assert.ok(Math.abs(pitch(read.value) - 440) < 6);
  const broken = await readSound(file.subarray(0, file.length - 100));
  assert.ok(!broken.ok);
});

test('files are read in a thread of its own, once for each codec; what cannot be played is said with its path', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'ringfence-sounds-'));
  const sounds = new SoundFiles();
  try {
    const music = join(folder, 'music.wav');
    writeFileSync(music, writeWav(tone(8000, 0.5)));
    const [first, second] = await Promise.all([sounds.clip(music, 'PCMA'), sounds.clip(music, 'PCMA')]);
    assert.ok(first.ok);
    assert.equal(first, second);
    assert.equal(first.value.frames.length, 25);
    assert.equal(first.value.step, 160);
    const text = join(folder, 'text.wav');
    writeFileSync(text, 'no sound at all');
    const refused = await sounds.clip(text, 'PCMU');
    assert.ok(!refused.ok && refused.error.startsWith(`${text} cannot be played: no RIFF/WAVE file`));
    const absent = await sounds.clip(join(folder, 'absent.wav'), 'PCMU');
    assert.ok(!absent.ok && /cannot be read: ENOENT/.test(absent.error));
    writeFileSync(text, writeWav(tone(8000, 0.1)));
    assert.ok((await sounds.clip(text, 'PCMU')).ok);
  } finally {
    await sounds.stop();
    rmSync(folder, { recursive: true });
  }
});
