import type { StoredEntry } from '@ringfence/ledger/verify-chunk.ts';
import type { LedgerBackend, WordsOf } from './backend.ts';
import type { PersonKeys } from './keys.ts';
import { EntryReader, type ReadableEntry } from './read.ts';
import { classWord, personWord, tenantWord, wordsOfValue } from './words.ts';

/** Entries indexed at a time; what is written meanwhile waits for so many, some 20 ms. */
const slice = 500;

/** Makes entries searchable after they were committed: appending never waits for it. */
export class Indexer {
  readonly #backend: LedgerBackend;
  readonly #reader: EntryReader;

  constructor(backend: LedgerBackend, keys: PersonKeys) {
    this.#backend = backend;
    this.#reader = new EntryReader(backend, keys);
  }

  /** Indexes some more; false where all are. */
  async step(): Promise<boolean> {
    const from = await this.#backend.indexed();
    const rows = await this.#backend.entries(from, slice);
    const last = rows.at(-1);
    if (last === undefined) return false;
    await this.#backend.index(await this.wordsOf(rows), last.place + 1);
    return rows.length === slice;
  }

  async wordsOf(rows: readonly StoredEntry[]): Promise<WordsOf[]> {
    const words: WordsOf[] = [];
    for (const row of rows) {
      const entry = await this.#reader.read(row);
      if (entry !== undefined) words.push({ sequence: row.place, words: wordsOfEntry(entry) });
    }
    return words;
  }
}

export const wordsOfEntry = (entry: ReadableEntry): string[] => [
  classWord(entry.class),
  tenantWord(entry.tenant),
  ...entry.personIds.map((id) => personWord(Buffer.from(id, 'hex'))),
  ...wordsOfValue([entry.body, entry.persons]),
];
