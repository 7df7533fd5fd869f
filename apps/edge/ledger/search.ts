import { decodeHeader, type EntryClass } from '@ringfence/ledger/entry.ts';
import type { LedgerBackend } from './backend.ts';
import { wordsOfEntry } from './indexer.ts';
import type { PersonKeys } from './keys.ts';
import { EntryReader, type ReadableEntry } from './read.ts';
import { classWord, tenantWord, wordsOf, wordsOfValue } from './words.ts';

export interface LedgerQuery {
  /** Words that must all occur, in any field. */
  readonly text?: string;
  /** Fields that must have these values, by their path: `status`, `decision.verdict`, `caller`. */
  readonly fields?: Readonly<Record<string, string>>;
  readonly class?: EntryClass;
  readonly tenant?: string;
  /** Unix milliseconds; from `since` up to, and without, `until`. */
  readonly since?: number;
  readonly until?: number;
  readonly limit: number;
}

const slice = 1000;

/** Finds entries, newest first. What was appended so lately that it is not indexed yet is looked through. */
export async function* search(
  backend: LedgerBackend,
  keys: PersonKeys | undefined,
  query: LedgerQuery,
): AsyncGenerator<ReadableEntry> {
  const reader = new EntryReader(backend, keys);
  const { size } = await backend.end();
  const indexed = Math.min(size, await backend.indexed());
  const from = query.since === undefined ? 0 : await sequenceAt(backend, size, query.since);
  const before = query.until === undefined ? size : await sequenceAt(backend, size, query.until);
  const words = queryWords(query);
  let left = query.limit;
  for (let end = before; end > Math.max(from, indexed) && left > 0; ) {
    const begin = Math.max(from, indexed, end - slice);
    for (const row of (await backend.entries(begin, end - begin)).reverse()) {
      const entry = await reader.read(row);
      if (entry === undefined || !matches(entry, query, words)) continue;
      yield entry;
      left -= 1;
      if (left === 0) return;
    }
    end = begin;
  }
  for (let end = Math.min(before, indexed); end > from && left > 0; ) {
    let found: readonly number[];
    const begin = words.length === 0 ? Math.max(from, end - slice) : from;
    if (words.length === 0) found = Array.from({ length: end - begin }, (_, i) => end - 1 - i);
    else found = await backend.search(words, { from, before: end }, slice);
    for (const row of (await backend.some(found)).sort((a, b) => b.place - a.place)) {
      const entry = await reader.read(row);
      if (entry === undefined || !matches(entry, query, words)) continue;
      yield entry;
      left -= 1;
      if (left === 0) return;
    }
    if (words.length > 0 && found.length < slice) return;
    end = words.length === 0 ? begin : (found.at(-1) ?? from);
  }
}

const queryWords = ({ text, fields = {}, class: entryClass, tenant }: LedgerQuery): string[] => [
  ...new Set([
    ...(entryClass === undefined ? [] : [classWord(entryClass)]),
    ...(tenant === undefined ? [] : [tenantWord(tenant)]),
    ...wordsOf(text ?? ''),
    ...wordsOfValue(Object.values(fields)),
  ]),
];

function matches(
  entry: ReadableEntry,
  { fields = {}, ...query }: LedgerQuery,
  words: readonly string[],
): boolean {
  if (query.class !== undefined && entry.class !== query.class) return false;
  if (query.tenant !== undefined && entry.tenant !== query.tenant) return false;
  const there = new Set(wordsOfEntry(entry));
  if (!words.every((word) => there.has(word))) return false;
  return Object.entries(fields).every(([path, value]) =>
    [entry.body, ...entry.persons].some((part) => {
      const found = at(part, path.split('.'));
      return (
        found !== undefined && (typeof found === 'object' ? JSON.stringify(found) : String(found)) === value
      );
    }),
  );
}

function at(value: unknown, path: readonly string[]): unknown {
  const [first, ...rest] = path;
  if (first === undefined) return value;
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, first)) return undefined;
  return at((value as Readonly<Record<string, unknown>>)[first], rest);
}

/** The first entry of that time or later: times never run backwards, so halving finds it. */
export async function sequenceAt(backend: LedgerBackend, size: number, time: number): Promise<number> {
  let low = 0;
  let high = size;
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    const [row] = await backend.entries(middle, 1);
    const header = row === undefined ? undefined : decodeHeader(row.header);
    if (header?.ok === true && header.value.time < time) low = middle + 1;
    else high = middle;
  }
  return low;
}
