import { Worker } from 'node:worker_threads';
import { err, ok, type Result } from '@ringfence/bytes/result.ts';
import { type SoundCodec, timestampStep } from './frames.ts';
import type { SoundReply, SoundRequest } from './worker.ts';

/** A file, ready to be sent in one codec. */
export interface Clip {
  readonly frames: readonly Uint8Array[];
  /** RTP clock ticks from one frame to the next. */
  readonly step: number;
}

/** Files of sound, made ready when they are first wanted. */
export interface Sounds {
  clip(path: string, codec: SoundCodec): Promise<Result<Clip, string>>;
  /** Files may have changed: each is read again when it is wanted next. */
  forget(): void;
}

/** How long the thread that reads files is kept once there is nothing to read. */
const restMs = 30_000;

/** Reads files in a thread of its own; each file and codec once. A file that was changed is read again after `forget`. */
export class SoundFiles implements Sounds {
  readonly #known = new Map<string, Promise<Result<Clip, string>>>();
  readonly #waiting = new Map<number, (reply: SoundReply) => void>();
  #worker: Worker | undefined = undefined;
  #rest: NodeJS.Timeout | undefined = undefined;
  #next = 1;

  clip(path: string, codec: SoundCodec): Promise<Result<Clip, string>> {
    const key = `${codec} ${path}`;
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const made = this.#ask(path, codec).then((reply): Result<Clip, string> => {
      if ('frames' in reply) return ok({ frames: reply.frames, step: timestampStep[codec] });
      // It may be mended; whoever wants it next looks again.
      this.#known.delete(key);
      return err(reply.problem);
    });
    this.#known.set(key, made);
    return made;
  }

  forget(): void {
    this.#known.clear();
  }

  async stop(): Promise<void> {
    clearTimeout(this.#rest);
    await this.#worker?.terminate();
  }

  #ask(path: string, codec: SoundCodec): Promise<SoundReply> {
    const id = this.#next++;
    clearTimeout(this.#rest);
    const worker = this.#running();
    return new Promise((resolve) => {
      this.#waiting.set(id, resolve);
      worker.postMessage({ id, path, codec } satisfies SoundRequest);
    });
  }

  #running(): Worker {
    if (this.#worker !== undefined) return this.#worker;
    const worker = new Worker(new URL('./worker.ts', import.meta.url), {
      resourceLimits: { maxOldGenerationSizeMb: 512 },
    });
    worker.unref();
    worker.on('message', (reply: SoundReply) => this.#settle(reply));
    worker.on('error', (error) => this.#failed(worker, error.message));
    worker.on('exit', () => this.#failed(worker, 'the thread that reads sound has ended'));
    this.#worker = worker;
    return worker;
  }

  #settle(reply: SoundReply): void {
    const resolve = this.#waiting.get(reply.id);
    this.#waiting.delete(reply.id);
    resolve?.(reply);
    if (this.#waiting.size > 0) return;
    clearTimeout(this.#rest);
    this.#rest = setTimeout(() => {
      const worker = this.#worker;
      this.#worker = undefined;
      void worker?.terminate();
    }, restMs).unref();
  }

  #failed(worker: Worker, problem: string): void {
    if (this.#worker !== worker) return;
    this.#worker = undefined;
    for (const id of [...this.#waiting.keys()]) this.#settle({ id, problem });
  }
}
