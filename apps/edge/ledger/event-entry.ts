import type { EntryClass } from '@ringfence/ledger/entry.ts';
import type { EdgeEvent, Severity } from '../events/types.ts';
import { personOf } from './call-entry.ts';
import type { LedgerEntry } from './contract.ts';

/** By the longest beginning that fits; an event of a kind that is not here is of class security. */
const classes: readonly (readonly [beginning: string, entryClass: EntryClass | undefined])[] = [
  ['registration.', 'login'],
  ['authentication.', 'login'],
  ['account.signed-in', 'login'],
  ['request.refused', 'decision'],
  ['call.forwarded', 'decision'],
  ['recording.', 'decision'],
  ['config.', 'configuration'],
  ['administration.', 'administration'],
  ['call.ended-by-hand', 'administration'],
  ['edge.', 'administration'],
  ['fraud.lift', 'administration'],
  ['fraud.rule-changed', 'administration'],
  ['fraud.', 'decision'],
  ['spend.', 'decision'],
  ['call.tampering', 'security'],
  ['call.downgraded', 'security'],
  // The record of the call says these.
  ['call.', undefined],
  ['request.', undefined],
  ['flow.', undefined],
  ['media.', undefined],
];

/** Fields that name no person; docs/ledger.md lists them. All others are sealed, those of events made later too. */
export const openFields: ReadonlySet<string> = new Set(
  'type rule scope count threshold status cause method kind reason seconds grade listener transport call leg domain action bits until expires stale code what where from_grade command refused version calls state continuity verified cipher group outcome severity incident period percent cap spent cost perMinute currency'.split(
    ' ',
  ),
);

/** Events of the node itself, which name nobody but administrators. */
const ofNode = /^(?:edge|config|administration)\./;

/** Undefined where the ledger has no place for it. */
export function eventEntry(event: EdgeEvent, time: number, severity: Severity): LedgerEntry | undefined {
  const found = classes.find(([beginning]) => event.type.startsWith(beginning));
  const entryClass = found === undefined ? 'security' : found[1];
  if (entryClass === undefined) return undefined;
  const { type, ...fields } = event as { readonly type: string } & Readonly<Record<string, unknown>>;
  const tenant = typeof fields.domain === 'string' ? fields.domain.toLowerCase() : '';
  const body: Record<string, unknown> = { event: type, severity };
  if (type === 'administration.command') return commandEntry(fields, entryClass, time, body);
  if (ofNode.test(type)) return { class: entryClass, tenant, time, body: { ...body, ...bounded(fields) } };
  const data: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(bounded(fields)))
    (openFields.has(name) && typeof value !== 'object' ? body : data)[name] = value;
  return {
    class: entryClass,
    tenant,
    time,
    body,
    persons: [{ person: personIn(fields, tenant), proven: type.startsWith('registration.'), data }],
  };
}

/** Who gave which command stands in the open; what it was about, accounts and addresses mostly, is sealed. */
function commandEntry(
  { what, ...open }: Readonly<Record<string, unknown>>,
  entryClass: EntryClass,
  time: number,
  body: Readonly<Record<string, unknown>>,
): LedgerEntry {
  const asked = asObject(what);
  const tenant = typeof asked.domain === 'string' ? asked.domain.toLowerCase() : '';
  return {
    class: entryClass,
    tenant,
    time,
    body: { ...body, ...bounded(open) },
    ...(Object.keys(asked).length === 0
      ? {}
      : { persons: [{ person: personIn(asked, tenant), proven: false, data: { what: asked } }] }),
  };
}

/** A text that was cut off is kept as such. */
function asObject(json: unknown): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(String(json));
    return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
  } catch {
    return { text: String(json) };
  }
}

/** Whom it is about, as far as it says. */
function personIn(fields: Readonly<Record<string, unknown>>, tenant: string): string {
  for (const name of ['user', 'account', 'username', 'caller', 'party', 'by', 'source'])
    if (typeof fields[name] === 'string' && fields[name] !== '') return personOf(fields[name], tenant);
  return 'nobody';
}

const mostCharacters = 4096;

/** What came from outside may be long; an entry is small. */
function bounded(fields: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const kept: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(fields)) {
    if (typeof value === 'string') kept[name] = value.slice(0, mostCharacters);
    else if (typeof value !== 'object' || value === null) kept[name] = value;
    else {
      const text = JSON.stringify(value);
      kept[name] =
        text.length <= mostCharacters ? (JSON.parse(text) as unknown) : text.slice(0, mostCharacters);
    }
  }
  return kept;
}

/** Entries in a second, and as a burst: a flood must not fill the disk. */
interface Allowance {
  readonly perSecond: number;
  readonly burst: number;
}
const ofStrangers: Allowance = { perSecond: 100, burst: 1_000 };
/** All phones of a large site come back at once. */
const ofAccounts: Allowance = { perSecond: 500, burst: 30_000 };

/** Lets so many of each sort through and counts the rest: a flood of one sort leaves no other sort out. */
export class EntryRate {
  readonly #sorts = new Map<string, { tokens: number; at: number }>();
  #left = 0;

  take(entry: Pick<LedgerEntry, 'class' | 'persons'>, now: number): boolean {
    const proven = entry.persons?.some((person) => person.proven) === true;
    const { perSecond, burst } = proven ? ofAccounts : ofStrangers;
    const name = `${entry.class} ${proven}`;
    const sort = this.#sorts.get(name) ?? { tokens: burst, at: now };
    sort.tokens = Math.min(burst, sort.tokens + (Math.max(0, now - sort.at) * perSecond) / 1000);
    sort.at = now;
    this.#sorts.set(name, sort);
    if (sort.tokens < 1) {
      this.#left += 1;
      return false;
    }
    sort.tokens -= 1;
    return true;
  }

  /** How many were left out since the last time. */
  leftOut(): number {
    const left = this.#left;
    this.#left = 0;
    return left;
  }
}
