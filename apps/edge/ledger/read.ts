import type { KeyObject } from 'node:crypto';
import { decodeHeader, type EntryHeader } from '@ringfence/ledger/entry.ts';
import { decodeParts, openPart } from '@ringfence/ledger/sealed.ts';
import type { StoredEntry } from '@ringfence/ledger/verify-chunk.ts';
import type { LedgerBackend } from './backend.ts';
import type { PersonKeys } from './keys.ts';

/** An entry as people and exports see it. */
export interface ReadableEntry {
  readonly sequence: number;
  readonly time: number;
  readonly class: EntryHeader['class'];
  readonly tenant: string;
  /** Undefined where retention has taken it. */
  readonly body: Readonly<Record<string, unknown>> | undefined;
  /** What is said of persons whose keys are there. */
  readonly persons: readonly Readonly<Record<string, unknown>>[];
  /** Ids of all persons concerned, hexadecimal. */
  readonly personIds: readonly string[];
  /** Parts that nobody can read any more. */
  readonly erased: number;
}

/** Persons' keys kept while many entries are read. */
const mostKeys = 10_000;

/** Makes stored entries readable, with the keys of those persons that have not been erased. */
export class EntryReader {
  readonly #backend: LedgerBackend;
  readonly #keys: PersonKeys | undefined;
  #open = new Map<string, KeyObject | undefined>();

  /** Without `keys`, what is said of persons stays closed. */
  constructor(backend: LedgerBackend, keys: PersonKeys | undefined) {
    this.#backend = backend;
    this.#keys = keys;
  }

  /** Undefined where the header cannot be read; `verify` names it. */
  async read({ header, body, sealed }: StoredEntry): Promise<ReadableEntry | undefined> {
    const read = decodeHeader(header);
    if (!read.ok) return undefined;
    const { sequence, time, class: entryClass, tenant } = read.value;
    const persons: Readonly<Record<string, unknown>>[] = [];
    const ids: string[] = [];
    let erased = 0;
    const parts = sealed === undefined ? undefined : decodeParts(sealed);
    for (const part of parts?.ok === true ? parts.value : []) {
      ids.push(Buffer.from(part.person).toString('hex'));
      const key = await this.#keyOf(part.person);
      const opened =
        key === undefined ? undefined : openPart(key, { ledger: this.#backend.ledger, sequence }, part);
      const data = opened?.ok === true ? parse(opened.value) : undefined;
      if (data === undefined) erased += 1;
      else persons.push(data);
    }
    return {
      sequence,
      time,
      class: entryClass,
      tenant,
      body: body === undefined ? undefined : parse(body),
      persons,
      personIds: ids,
      erased,
    };
  }

  async #keyOf(id: Uint8Array): Promise<KeyObject | undefined> {
    if (this.#keys === undefined) return undefined;
    const name = Buffer.from(id).toString('hex');
    if (this.#open.has(name)) return this.#open.get(name);
    const stored = await this.#backend.personById(id);
    const key = stored === undefined ? undefined : this.#keys.open(stored);
    if (this.#open.size >= mostKeys) this.#open = new Map();
    this.#open.set(name, key);
    return key;
  }
}

function parse(bytes: Uint8Array): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(bytes).toString('utf8'));
    return typeof value === 'object' && value !== null
      ? (value as Readonly<Record<string, unknown>>)
      : undefined;
  } catch {
    return undefined;
  }
}
