import { Meter } from './meter.ts';

export type TrustKind = 'trunk' | 'registered';

interface Standing {
  readonly meter: Meter;
  /** Milliseconds of the admission clock; each kind ends by itself. */
  trunkUntil: number;
  registeredUntil: number;
}

/**
 * Addresses that have shown who they are, each with a rate of its own, so that no flood by others can use it up.
 *
 * Bounded: beyond `limit` entries those that ended are removed, and when none has, the address stays unknown.
 */
export class TrustedSources {
  readonly #byAddress = new Map<string, Standing>();
  readonly #perSecond: number;
  readonly #limit: number;

  constructor(perSecond: number, limit = 200_000) {
    this.#perSecond = perSecond;
    this.#limit = limit;
  }

  get size(): number {
    return this.#byAddress.size;
  }

  add(address: string, kind: TrustKind, until: number, now: number): boolean {
    let standing = this.#byAddress.get(address);
    if (standing === undefined) {
      if (this.#byAddress.size >= this.#limit) this.#removeEnded(now);
      if (this.#byAddress.size >= this.#limit) return false;
      standing = { meter: new Meter(this.#perSecond), trunkUntil: 0, registeredUntil: 0 };
      this.#byAddress.set(address, standing);
    }
    if (kind === 'trunk') standing.trunkUntil = Math.max(standing.trunkUntil, until);
    else standing.registeredUntil = Math.max(standing.registeredUntil, until);
    return true;
  }

  remove(address: string, kind: TrustKind): void {
    const standing = this.#byAddress.get(address);
    if (standing === undefined) return;
    if (kind === 'trunk') standing.trunkUntil = 0;
    else standing.registeredUntil = 0;
    if (standing.trunkUntil === 0 && standing.registeredUntil === 0) this.#byAddress.delete(address);
  }

  /** The meter of a trusted address; undefined for everyone else. */
  meter(address: string, now: number): Meter | undefined {
    const standing = this.#byAddress.get(address);
    if (standing === undefined) return undefined;
    if (standing.trunkUntil > now || standing.registeredUntil > now) return standing.meter;
    this.#byAddress.delete(address);
    return undefined;
  }

  /** When that trust ends; 0 where there is none. */
  until(address: string, kind: TrustKind): number {
    const standing = this.#byAddress.get(address);
    return (kind === 'trunk' ? standing?.trunkUntil : standing?.registeredUntil) ?? 0;
  }

  standing(address: string, now: number): TrustKind | undefined {
    const standing = this.#byAddress.get(address);
    if (standing === undefined) return undefined;
    return standing.trunkUntil > now ? 'trunk' : standing.registeredUntil > now ? 'registered' : undefined;
  }

  /** Who is trusted, for a swap of settings. */
  *standings(): Generator<{ address: string; kind: TrustKind; until: number }> {
    for (const [address, s] of this.#byAddress) {
      if (s.trunkUntil > 0) yield { address, kind: 'trunk', until: s.trunkUntil };
      if (s.registeredUntil > 0) yield { address, kind: 'registered', until: s.registeredUntil };
    }
  }

  #removeEnded(now: number): void {
    for (const [address, s] of this.#byAddress) {
      if (s.trunkUntil <= now && s.registeredUntil <= now) this.#byAddress.delete(address);
    }
  }
}
