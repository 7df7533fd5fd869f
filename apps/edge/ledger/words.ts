import type { EntryClass } from '@ringfence/ledger/entry.ts';

/** Of one entry; what is beyond is not found by its words. */
const mostWords = 500;
const mostLetters = 64;

/** Letters and digits in lower case, as they stand between everything else. */
export function wordsOf(text: string): string[] {
  const words: string[] = [];
  for (const word of text.toLowerCase().split(/[^\p{L}\p{N}]+/u))
    if (word !== '') words.push(word.slice(0, mostLetters));
  return words;
}

/** Words that stand for facts beside the text; in letters and digits alone, as all words are. */
export const classWord = (entryClass: EntryClass): string => `classis${entryClass}`;
export const tenantWord = (tenant: string): string =>
  `tenantis${Buffer.from(tenant).toString('hex')}`.slice(0, 200);
export const personWord = (id: Uint8Array): string => `personis${Buffer.from(id).toString('hex')}`;

/** All words of all values, each once. Names of fields are no words: everybody would find everything. */
export function wordsOfValue(values: readonly unknown[]): string[] {
  const found = new Set<string>();
  const visit = (value: unknown): void => {
    if (found.size >= mostWords) return;
    if (typeof value === 'string') for (const word of wordsOf(value)) found.add(word);
    else if (typeof value === 'number') found.add(String(Math.trunc(value)));
    else if (Array.isArray(value)) for (const item of value) visit(item);
    else if (typeof value === 'object' && value !== null)
      for (const item of Object.values(value)) visit(item);
  };
  for (const value of values) visit(value);
  return [...found].slice(0, mostWords);
}
