import type { Removals } from '@ringfence/ledger/removal.ts';
import { type ChunkFindings, ChunkVerifier } from '@ringfence/ledger/verify-chunk.ts';
import type { LedgerBackend } from './backend.ts';

/** A stretch of the ledger that one reader looks at; `begin` is a multiple of a power of two. */
export interface Part {
  readonly begin: number;
  /** What stands here or behind is left to others. */
  readonly end: number;
}
/** Entries of a part: a power of two, so that the trees of the parts are subtrees of the whole. */
export const usualLength = 2 ** 16;

/** What all readers have to know. */
export interface PartOptions {
  /** Of the signed heads. */
  readonly sizes: readonly number[];
  readonly removals: Removals;
}

/** Octets read at a time, some; entries of any size must not fill the memory. */
const pageOctets = 2 ** 20;
const mostRows = 4_096;
const firstRows = 256;

/** Reads every entry of a part, a page of about a megabyte after the other. */
export async function verifyPart(
  backend: LedgerBackend,
  { begin, end }: Part,
  { sizes, removals }: PartOptions,
): Promise<ChunkFindings> {
  const chunk = new ChunkVerifier(begin, sizes, removals);
  let rows = firstRows;
  for (let from = begin; from < end; from = Math.max(from + 1, chunk.reached)) {
    const asked = rows;
    const page = await backend.packed(from, asked);
    if (page === undefined) {
      if (asked > 1) {
        rows = Math.ceil(asked / 16);
        from -= 1;
        continue;
      }
      // one so large that it can only be read by itself
      const [row] = await backend.entries(from, 1);
      if (row !== undefined && row.place < end) chunk.entry(row);
      continue;
    }
    if (chunk.packed(page, end) < asked) break;
    rows = Math.max(1, Math.min(mostRows, Math.floor((pageOctets * asked) / page.length)));
  }
  return chunk.finish();
}
