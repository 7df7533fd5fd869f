import { err, ok, type Result } from '@ringfence/bytes/result.ts';
import type { Relay } from '@ringfence/relay/contract.ts';
import type { SoundCodec } from './frames.ts';
import type { Clip, Sounds } from './sounds.ts';

/** How a peer takes sound: one of the formats that it has agreed to. */
export interface SoundFormat {
  readonly codec: SoundCodec;
  readonly payloadType: number;
}

/** Has files played to peers: sees to it that the media engine has them, in the codec that the peer takes. */
export class SoundDesk {
  readonly #sounds: Sounds;
  readonly #numbers = new Map<string, number>();
  /** What each engine was given; one that is gone is forgotten with it. */
  readonly #given = new WeakMap<Relay, Map<number, Clip>>();

  constructor(sounds: Sounds) {
    this.#sounds = sounds;
  }

  /**
   * Plays a file to an endpoint's peer, once or until `hush`.
   *
   * @param wanted asked once the file is ready, which may take seconds at its first use.
   * @returns what is played, nothing where it is not wanted any more; or what is wrong with the file or the engine; for the administrator.
   */
  async play(
    relay: Relay,
    endpoint: number,
    path: string,
    format: SoundFormat,
    loop: boolean,
    wanted: () => boolean,
  ): Promise<Result<Clip | undefined, string>> {
    if (relay.play === undefined || relay.keepClip === undefined)
      return err('this media engine plays nothing; remove `sounds`, or use `media.engine: relay`');
    const clip = await this.#sounds.clip(path, format.codec);
    if (!clip.ok) return clip;
    if (!wanted()) return ok(undefined);
    const key = `${format.codec} ${path}`;
    const number = this.#numbers.get(key) ?? this.#numbers.size + 1;
    this.#numbers.set(key, number);
    const given = this.#given.get(relay) ?? new Map<number, Clip>();
    this.#given.set(relay, given);
    if (given.get(number) !== clip.value) {
      given.set(number, clip.value);
      relay.keepClip(number, clip.value.frames, clip.value.step);
    }
    relay.play(endpoint, number, format.payloadType, loop);
    return ok(clip.value);
  }
}
