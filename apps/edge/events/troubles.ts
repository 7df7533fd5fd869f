import type { EventBus } from './bus.ts';
import type { TroubleKind } from './types.ts';

/** Told again so often while it lasts. */
const repeatMs = 60_000;

/**
 * What the edge needs and does not get just now: ports, descriptors, disk, clock, DNS, certificate, database.
 *
 * Each is told when it begins, once a minute while it lasts, and when it is over, however many calls meet it.
 */
export class Troubles {
  readonly #bus: EventBus;
  readonly #now: () => number;
  readonly #active = new Map<TroubleKind, { readonly since: number; toldAt: number }>();

  constructor(bus: EventBus, now: () => number) {
    this.#bus = bus;
    this.#now = now;
  }

  begin(what: TroubleKind, detail: string): void {
    const now = this.#now();
    const known = this.#active.get(what);
    if (known !== undefined && now - known.toldAt < repeatMs) return;
    if (known === undefined) this.#active.set(what, { since: now, toldAt: now });
    else known.toldAt = now;
    this.#bus.emit({ type: 'edge.trouble', what, detail });
  }

  end(what: TroubleKind): void {
    if (this.#active.size === 0) return;
    const known = this.#active.get(what);
    if (known === undefined) return;
    this.#active.delete(what);
    const seconds = Math.round((this.#now() - known.since) / 1000);
    this.#bus.emit({ type: 'edge.trouble-over', what, seconds });
  }

  /** Once, for what has no end that could be seen. */
  tell(what: TroubleKind, detail: string): void {
    this.#bus.emit({ type: 'edge.trouble', what, detail });
  }
}
