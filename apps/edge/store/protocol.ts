import type { Ban } from '../admission/bans/types.ts';
import type { Incident } from '../incidents/types.ts';
import type { KnownPeer } from '../policy/known-peers.ts';
import type { AccountRow } from './account-rows.ts';
import type { BanWrite } from './ban-rows.ts';
import type { Binding } from './contract.ts';
import type { FactorName, FactorRow } from './factor-rows.ts';
import type { OpenedObjects } from './object-rows.ts';
import type { SpendRow } from './spend-rows.ts';
import type { ZrtpPeer } from './zrtp-rows.ts';

export interface WorkerOptions {
  readonly file: string;
  readonly keyFile: string;
  readonly createKey: boolean;
  readonly watchMilliseconds: number;
}

/** Codes of queued writes; a batch is one flat array of a code and its arguments each, cheap to hand over. */
export const Write = {
  /** sequence, packed record, journal */
  live: 1,
  /** sequence or 0, packed record */
  ended: 2,
  /** binding as JSON */
  bind: 3,
  /** domain, user, key */
  unbind: 4,
} as const;

/** Entries of the array that each write takes. */
export const lengthOf: Readonly<Record<number, number>> = {
  [Write.live]: 4,
  [Write.ended]: 3,
  [Write.bind]: 2,
  [Write.unbind]: 4,
};

/** A row of `live_calls`. */
export interface JournalRow {
  readonly sequence: number;
  readonly record: string;
  readonly state: string;
}

export type Batch = readonly (number | string)[];

export type Request =
  | { readonly kind: 'batch'; readonly writes: Batch }
  | { readonly kind: 'objects'; readonly id: number }
  | { readonly kind: 'bindings'; readonly id: number }
  | { readonly kind: 'open-calls'; readonly id: number }
  | {
      readonly kind: 'close-interrupted';
      readonly id: number;
      readonly now: number;
      readonly keep: readonly number[];
    }
  | { readonly kind: 'zrtp-peers'; readonly id: number }
  | { readonly kind: 'put-zrtp-peer'; readonly id: number; readonly peer: ZrtpPeer }
  | { readonly kind: 'known-peers'; readonly id: number }
  | {
      readonly kind: 'put-known-peer';
      readonly id: number;
      readonly peer: KnownPeer;
      readonly forget: readonly string[];
    }
  | { readonly kind: 'bans'; readonly id: number }
  | { readonly kind: 'put-bans'; readonly id: number; readonly write: BanWrite }
  | { readonly kind: 'accounts'; readonly id: number }
  | {
      readonly kind: 'put-accounts';
      readonly id: number;
      readonly put: readonly AccountRow[];
      readonly remove: readonly AccountRow[];
    }
  | { readonly kind: 'factors'; readonly id: number }
  | {
      readonly kind: 'put-factors';
      readonly id: number;
      readonly put: readonly FactorRow[];
      readonly remove: readonly FactorName[];
    }
  | { readonly kind: 'incidents'; readonly id: number }
  | { readonly kind: 'put-incident'; readonly id: number; readonly incident: Incident }
  | { readonly kind: 'spend'; readonly id: number }
  | {
      readonly kind: 'put-spend';
      readonly id: number;
      readonly put: readonly SpendRow[];
      readonly remove: readonly string[];
    }
  | { readonly kind: 'close'; readonly id: number };

export type Reply =
  | { readonly kind: 'opened'; readonly sequence: number; readonly repaired: string | undefined }
  | { readonly kind: 'refused'; readonly code: string; readonly message: string }
  | { readonly kind: 'committed' }
  | { readonly kind: 'uncommitted'; readonly code: string; readonly message: string }
  | { readonly kind: 'objects'; readonly id: number; readonly objects: OpenedObjects }
  | { readonly kind: 'bindings'; readonly id: number; readonly bindings: readonly Binding[] }
  | { readonly kind: 'open-calls'; readonly id: number; readonly calls: readonly JournalRow[] }
  | { readonly kind: 'zrtp-peers'; readonly id: number; readonly peers: readonly ZrtpPeer[] }
  | { readonly kind: 'known-peers'; readonly id: number; readonly peers: readonly KnownPeer[] }
  | { readonly kind: 'bans'; readonly id: number; readonly bans: readonly Ban[] }
  | { readonly kind: 'accounts'; readonly id: number; readonly rows: readonly AccountRow[] }
  | { readonly kind: 'factors'; readonly id: number; readonly factors: readonly FactorRow[] }
  | { readonly kind: 'incidents'; readonly id: number; readonly incidents: readonly Incident[] }
  | { readonly kind: 'spend'; readonly id: number; readonly rows: readonly SpendRow[] }
  | { readonly kind: 'count'; readonly id: number; readonly count: number }
  | { readonly kind: 'failed'; readonly id: number; readonly code: string; readonly message: string }
  | { readonly kind: 'objects-changed' };
