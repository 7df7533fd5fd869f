import type { SignedHead } from '@ringfence/ledger/head.ts';
import type { StoredEntry } from '@ringfence/ledger/verify-chunk.ts';
import type { Incident } from '../incidents/types.ts';
import type { LedgerBackend } from '../ledger/backend.ts';
import type { PersonKeys } from '../ledger/keys.ts';
import { prove } from '../ledger/prove.ts';
import type { ReadableEntry } from '../ledger/read.ts';
import { type LedgerQuery, search } from '../ledger/search.ts';
import { wordsOf } from '../ledger/words.ts';
import { custodyOf } from './custody.ts';

/** Names that are searched for, of sources, accounts and calls each; entries of each name, and in all. */
const mostNames = 50;
const mostOfName = 500;
const mostEntries = 2_000;
/** What happened so long before the first sign is looked through too. */
const beforeMs = 3_600_000;

/** What the ledger knows of an incident. */
export interface FromLedger {
  /** In their order. */
  readonly events: readonly ReadableEntry[];
  readonly custody: readonly ReadableEntry[];
  /** Versions that were in force when the incident began. */
  readonly configuration: ReadableEntry | undefined;
  readonly objects: ReadableEntry | undefined;
  /** There were more. */
  readonly isCut: boolean;
}

export async function fromLedger(
  backend: LedgerBackend,
  keys: PersonKeys,
  incident: Incident,
): Promise<FromLedger> {
  const since = incident.openedAt - beforeMs;
  const events = new Map<number, ReadableEntry>();
  // What the same source has done to other tenants is theirs.
  const domains = new Set(incident.domains.map((one) => one.toLowerCase()));
  const isOthers = ({ tenant }: ReadableEntry): boolean =>
    domains.size > 0 && tenant !== '' && !domains.has(tenant);
  let isCut = false;
  const names = [
    incident.id,
    ...incident.calls.names.slice(0, mostNames),
    ...incident.sources.names.slice(0, mostNames),
    ...incident.accounts.names.slice(0, mostNames),
  ];
  for (const name of names) {
    if (wordsOf(name).length === 0) continue;
    let count = 0;
    for await (const entry of search(backend, keys, { text: name, since, limit: mostOfName })) {
      count += 1;
      if (entry.class === 'configuration' || entry.class === 'ledger' || isCustody(entry)) continue;
      if (isOthers(entry) || !says(entry, name)) continue;
      if (events.size >= mostEntries && !events.has(entry.sequence)) isCut = true;
      else events.set(entry.sequence, entry);
    }
    isCut ||= count === mostOfName;
  }
  return {
    events: [...events.values()].sort((a, b) => a.sequence - b.sequence),
    custody: await custodyOf(backend, keys, incident.id),
    configuration: await versionAt(backend, keys, 'ringfence.yaml', incident.openedAt),
    objects: await versionAt(backend, keys, 'objects', incident.openedAt),
    isCut,
  };
}

const isCustody = ({ body }: ReadableEntry): boolean => body?.event === 'evidence.custody';

/** The words may stand in different places of it; the name must stand in one. */
const says = ({ body, persons }: ReadableEntry, name: string): boolean =>
  JSON.stringify([body, persons]).toLowerCase().includes(JSON.stringify(name).slice(1, -1).toLowerCase());

/** The last one before that moment, else the first one after it. */
async function versionAt(
  backend: LedgerBackend,
  keys: PersonKeys,
  what: string,
  at: number,
): Promise<ReadableEntry | undefined> {
  const of = { class: 'configuration', fields: { event: 'configuration.version', what } } as const;
  const queries: LedgerQuery[] = [
    { ...of, until: at + 1, limit: 1 },
    { ...of, since: at, limit: 100 },
  ];
  for (const query of queries) {
    let found: ReadableEntry | undefined;
    for await (const entry of search(backend, keys, query)) found = entry;
    if (found !== undefined) return found;
  }
  return undefined;
}

/** One entry as it lies in the ledger, with what shows that it does. */
export interface ProvenEntry {
  readonly row: StoredEntry;
  readonly path: readonly Uint8Array[];
}

/** Proofs against `head`, for entries that it covers. */
export async function provenIn(
  backend: LedgerBackend,
  head: SignedHead,
  sequences: readonly number[],
): Promise<ProvenEntry[]> {
  const wanted = [...new Set(sequences)].filter((one) => one < head.size).sort((a, b) => a - b);
  const rows = new Map((await backend.some(wanted)).map((row) => [row.place, row]));
  const there = wanted.filter((one) => rows.has(one));
  const paths = await prove(backend, there, head.size);
  return there.map((sequence, i) => ({ row: rows.get(sequence)!, path: paths[i]! }));
}
