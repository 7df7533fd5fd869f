import type { EventBus } from '../events/bus.ts';
import { type Lift, liftKey, type SpendKeeper } from './keep.ts';

/** So many at once; who lifts more has to open the destination. */
const mostLifts = 1_000;

/** What an administrator has opened for a time: one number, one account, or a whole domain. */
export class Lifts {
  readonly #keeper: SpendKeeper;
  readonly #bus: EventBus;
  readonly #lifts = new Map<string, Lift>();

  constructor(keeper: SpendKeeper, bus: EventBus, kept: readonly Lift[]) {
    this.#keeper = keeper;
    this.#bus = bus;
    for (const lift of kept) this.#lifts.set(liftKey(lift), lift);
  }

  holds(number: string, account: string, domain: string, now: number): boolean {
    if (this.#lifts.size === 0) return false;
    return (
      this.#valid('domain', domain, now) ||
      this.#valid('account', account, now) ||
      (number !== '' && this.#valid('number', number, now))
    );
  }

  /** False: there are too many. It is told as an event, and so stands in the ledger. */
  add(lift: Lift): boolean {
    const key = liftKey(lift);
    if (!this.#lifts.has(key) && this.#lifts.size >= mostLifts) return false;
    this.#lifts.set(key, lift);
    this.#keeper.put(key, () => lift);
    const { kind, value, until, by } = lift;
    this.#bus.emit({ type: 'fraud.lifted', what: kind, value, until, by });
    return true;
  }

  remove(kind: Lift['kind'], value: string, by: string): boolean {
    const key = liftKey({ kind, value });
    if (!this.#lifts.delete(key)) return false;
    this.#keeper.remove(key);
    this.#bus.emit({ type: 'fraud.lift-ended', what: kind, value, by });
    return true;
  }

  list(): readonly Lift[] {
    return [...this.#lifts.values()];
  }

  sweep(now: number): void {
    for (const { kind, value, until } of this.list()) if (until <= now) this.remove(kind, value, 'expiry');
  }

  #valid(kind: Lift['kind'], value: string, now: number): boolean {
    const lift = this.#lifts.get(liftKey({ kind, value }));
    return lift !== undefined && lift.until > now;
  }
}
