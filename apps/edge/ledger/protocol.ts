import type { RetentionRule } from './retention.ts';
import type { WitnessOptions } from './witness.ts';

/** Where the ledger is kept. */
export type LedgerPlace =
  | { readonly kind: 'sqlite'; readonly file: string }
  | {
      readonly kind: 'postgresql';
      readonly url: string;
      readonly passwordFile?: string;
      /** Default `ringfence_ledger`. */
      readonly schema?: string;
    };

export interface WorkerOptions {
  /** Data folder, for the keys. */
  readonly home: string;
  readonly place: LedgerPlace;
  readonly retention: readonly RetentionRule[];
  readonly witness: WitnessOptions;
}

export type Request =
  /** `entries`: JSON of a list of `LedgerEntry`. */
  | { readonly kind: 'append'; readonly entries: string }
  | { readonly kind: 'retention'; readonly rules: readonly RetentionRule[] }
  | { readonly kind: 'close' };

export type Reply =
  | { readonly kind: 'opened' }
  | { readonly kind: 'refused'; readonly code: string; readonly message: string }
  /** Numbers in the order of the batch; -1 for an entry that cannot be recorded. One reply for each batch. */
  | { readonly kind: 'committed'; readonly sequences: readonly number[] }
  | { readonly kind: 'uncommitted'; readonly code: string; readonly message: string }
  /** Something beside the appending went wrong: a witness, retention, the index. */
  | { readonly kind: 'told'; readonly where: string; readonly detail: string }
  | { readonly kind: 'closed' };
