/** Reads and encodes sound beside the edge's own thread: a minute of music takes a second or two. */
import { readFile, stat } from 'node:fs/promises';
import { parentPort } from 'node:worker_threads';
import { framesOf, readSound, type SoundCodec } from './frames.ts';

export interface SoundRequest {
  readonly id: number;
  readonly path: string;
  readonly codec: SoundCodec;
}

export type SoundReply =
  | { readonly id: number; readonly frames: readonly Uint8Array[] }
  | { readonly id: number; readonly problem: string };

const mostOctets = 64 * 1024 * 1024;

async function prepare({
  path,
  codec,
}: SoundRequest): Promise<{ frames: Uint8Array[] } | { problem: string }> {
  try {
    const { size } = await stat(path);
    if (size > mostOctets) return { problem: `${path} is larger than ${mostOctets / 1024 / 1024} MB` };
    const sound = await readSound(await readFile(path));
    if (!sound.ok) return { problem: `${path} cannot be played: ${sound.error}` };
    if (sound.value.samples.length === 0) return { problem: `${path} is empty` };
    return { frames: await framesOf(sound.value, codec) };
  } catch (error) {
    return { problem: `${path} cannot be read: ${error instanceof Error ? error.message : String(error)}` };
  }
}

parentPort?.on('message', (request: SoundRequest) => {
  void prepare(request).then((result) => parentPort?.postMessage({ id: request.id, ...result }));
});
