import type { EntryClass } from '@ringfence/ledger/entry.ts';

/** What an entry says of one person; sealed under the person's key. */
export interface PersonData {
  /** Address of record in lower case, or a number: `alice@example.test`, `+12025550100`. */
  readonly person: string;
  /**
   * False for names that nobody has proven: these get no key of their own, which a stranger could make grow, but the
   * key that all strangers of a tenant share in a month. Data of persons who have a key goes under theirs all the same.
   */
  readonly proven: boolean;
  readonly data: Readonly<Record<string, unknown>>;
}

/** What is handed to the ledger. */
export interface LedgerEntry {
  readonly class: EntryClass;
  /** SIP domain; empty for what concerns the node. */
  readonly tenant: string;
  /** Unix milliseconds. */
  readonly time: number;
  /** Facts without names, numbers and addresses of persons. Small: 64 kB at most. */
  readonly body: Readonly<Record<string, unknown>>;
  readonly persons?: readonly PersonData[];
}

/** Why nothing can be recorded at the moment. */
export interface LedgerProblem {
  readonly what: 'disk' | 'database' | 'overload';
  readonly detail: string;
}

/** The running ledger, as the rest of the edge sees it: everything happens in a thread of its own. */
export interface Ledger {
  /**
   * Takes an entry for the next commit. Never waits; what does not fit the queue is counted, and the gap is recorded
   * as soon as there is room. False where it was not taken.
   */
  append(entry: LedgerEntry): boolean;
  /** As `append`; settles with its number once it is on disk. Rejects where it was not taken. */
  appended(entry: LedgerEntry): Promise<number>;
  /** Undefined while entries reach the disk. */
  readonly problem: LedgerProblem | undefined;
  /** Hears of the beginning and, with undefined, of the end of a problem. */
  onProblem(listener: (problem: LedgerProblem | undefined) => void): void;
  close(): Promise<void>;
}
