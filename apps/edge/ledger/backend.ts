import type { ChainedEntry, ChainState } from '@ringfence/ledger/chain.ts';
import type { EntryClass } from '@ringfence/ledger/entry.ts';
import type { SignedHead } from '@ringfence/ledger/head.ts';
import type { StoredEntry } from '@ringfence/ledger/verify-chunk.ts';

/** A node of the tree that is whole. Kept from `keptLevel` on; those below are made from entries. */
export interface TreeNode {
  readonly level: number;
  readonly index: number;
  readonly hash: Uint8Array;
}
export const keptLevel = 8;

/** A key as it is stored: sealed under the node's key, and gone for ever once deleted. */
export interface PersonKey {
  readonly id: Uint8Array;
  readonly tenant: string;
  /** HMAC of the name, so that the table tells no names. */
  readonly name: Uint8Array;
  readonly sealed: Uint8Array;
}

/** The end of the ledger, read under the lock that lets nobody else append. */
export interface LedgerEnd extends ChainState {
  /** Time of the newest entry; times never run backwards. */
  readonly time: number;
  /** Grows when persons' keys are destroyed: whoever keeps keys in memory forgets them then. */
  readonly erasures: number;
}

/** Everything of one commit. */
export interface LedgerCommit {
  readonly entries: readonly ChainedEntry[];
  readonly nodes: readonly TreeNode[];
  readonly end: LedgerEnd;
  readonly head: SignedHead;
  /** The head before stays beside this one. */
  readonly keepHead: boolean;
  readonly persons: readonly PersonKey[];
  /** Settings that change with it. */
  readonly values?: Readonly<Record<string, string>>;
}

/** What can be done while nobody else appends. */
export interface LedgerTransaction {
  readonly end: LedgerEnd;
  person(tenant: string, name: Uint8Array): Promise<PersonKey | undefined>;
  write(commit: LedgerCommit): Promise<void>;
  removeContent(sequences: readonly number[]): Promise<void>;
  removePerson(id: Uint8Array): Promise<void>;
  value(name: string): Promise<string | undefined>;
}

export interface WordsOf {
  readonly sequence: number;
  /** Letters and digits in lower case. */
  readonly words: readonly string[];
}

/**
 * Where a ledger is kept. SQLite and PostgreSQL do the same, and pass the same tests. Errors are `LedgerError`.
 *
 * One call at a time; transactions of other processes are waited for.
 */
export interface LedgerBackend {
  /** Hexadecimal, drawn when the ledger was made. */
  readonly ledger: string;
  /** All of it or nothing is on disk when this settles. */
  transaction<T>(work: (open: LedgerTransaction) => Promise<T>): Promise<T>;
  end(): Promise<LedgerEnd>;
  /** At most `limit` entries from `from` on, in the order of their places. */
  entries(from: number, limit: number): Promise<StoredEntry[]>;
  /**
   * The same, packed as `packages/ledger/packed.ts` has it; no octets where there are none. Undefined where they cannot
   * be given so, since they are too large.
   */
  packed(from: number, limit: number): Promise<Buffer | undefined>;
  /** Those whose header says that they are of this class; reads all from `from` on, but gives only these. */
  ofClass(entryClass: EntryClass, from: number, limit: number): Promise<StoredEntry[]>;
  some(sequences: readonly number[]): Promise<StoredEntry[]>;
  heads(): Promise<SignedHead[]>;
  /** Of `keptLevel` and above. */
  node(level: number, index: number): Promise<Uint8Array | undefined>;
  personById(id: Uint8Array): Promise<PersonKey | undefined>;
  person(tenant: string, name: Uint8Array): Promise<PersonKey | undefined>;
  value(name: string): Promise<string | undefined>;
  /** Entries below this one can be searched for by their words. */
  indexed(): Promise<number>;
  index(words: readonly WordsOf[], upTo: number): Promise<void>;
  /** Takes the place of what was indexed of these. */
  reindex(words: readonly WordsOf[]): Promise<void>;
  /** Newest first, below `before`, from `from` on; all words must occur. */
  search(
    words: readonly string[],
    range: { readonly from: number; readonly before: number },
    limit: number,
  ): Promise<number[]>;
  /** What has been deleted leaves journals and free pages too. */
  scrub(): Promise<void>;
  close(): Promise<void>;
}
