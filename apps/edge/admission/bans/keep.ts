import type { Store } from '../../store/contract.ts';
import type { Bans } from './bans.ts';
import type { Ban } from './types.ts';

const forgetMs = 7 * 86_400_000;

/**
 * Writes changes of bans to the store, one batch at a time: while the disk is slow, the next batch grows, and holds
 * each ban once.
 */
export class BanKeeper {
  readonly #store: Pick<Store, 'putBans'>;
  readonly #now: () => number;
  readonly #failed: (error: unknown) => void;
  #put = new Map<string, Ban>();
  #remove = new Set<string>();
  #writing: Promise<void> | undefined;

  constructor(
    bans: Bans,
    store: Pick<Store, 'putBans'>,
    now: () => number,
    failed: (error: unknown) => void,
  ) {
    this.#store = store;
    this.#now = now;
    this.#failed = failed;
    bans.onChange(({ kind, ban }) => {
      // Ended ones stay for a while: whoever comes back is banned for longer.
      if (kind === 'expired' || kind === 'exempt') return;
      if (kind === 'added') {
        this.#remove.delete(ban.source);
        this.#put.set(ban.source, ban);
      } else {
        this.#put.delete(ban.source);
        this.#remove.add(ban.source);
      }
      this.#writing ??= this.#write();
    });
  }

  /** Settles when everything is on disk, or could not be written. */
  async done(): Promise<void> {
    await this.#writing;
  }

  async #write(): Promise<void> {
    while (this.#put.size > 0 || this.#remove.size > 0) {
      // All that happens in this turn goes together.
      await Promise.resolve();
      const write = {
        put: [...this.#put.values()],
        remove: [...this.#remove],
        forgetBefore: this.#now() - forgetMs,
      };
      this.#put = new Map();
      this.#remove = new Set();
      try {
        await this.#store.putBans(write);
      } catch (error) {
        this.#failed(error);
      }
    }
    this.#writing = undefined;
  }
}
