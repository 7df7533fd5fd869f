import type { EntryClass } from './entry.ts';

/** An entry of class `ledger` that says which contents were taken away. Also the shape of its body. */
export interface RemovalAct {
  readonly act: 'retention';
  readonly class: EntryClass;
  readonly tenant: string;
  /** Unix milliseconds: what is older was taken. */
  readonly before: number;
  /** Last entry that there was when it was decided. */
  readonly through: number;
  readonly count: number;
}

export interface RemovalReach {
  readonly before: number;
  readonly through: number;
}

/** Which contents may be missing, by the acts that the ledger itself holds. */
export class Removals {
  readonly #latest: Map<string, RemovalReach>;

  constructor(state: ReadonlyMap<string, RemovalReach> = new Map()) {
    this.#latest = new Map(state);
  }

  /** In a form that threads can hand to each other. */
  get state(): ReadonlyMap<string, RemovalReach> {
    return this.#latest;
  }

  add({ class: entryClass, tenant, before, through }: RemovalAct): void {
    const key = `${entryClass} ${tenant}`;
    const known = this.#latest.get(key);
    this.#latest.set(key, {
      before: Math.max(before, known?.before ?? 0),
      through: Math.max(through, known?.through ?? 0),
    });
  }

  cover(entryClass: EntryClass, tenant: string, time: number, sequence: number): boolean {
    const act = this.#latest.get(`${entryClass} ${tenant}`);
    return act !== undefined && time < act.before && sequence <= act.through;
  }
}

/** A body of class `ledger` that is an act of retention. */
export function asRemovalAct(body: unknown): RemovalAct | undefined {
  const act = body as Partial<RemovalAct> | null;
  if (typeof act !== 'object' || act?.act !== 'retention') return undefined;
  if (typeof act.class !== 'string' || typeof act.tenant !== 'string') return undefined;
  if (!Number.isSafeInteger(act.before) || !Number.isSafeInteger(act.through)) return undefined;
  return act as RemovalAct;
}
