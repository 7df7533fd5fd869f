import { decodeHeader, type EntryClass } from '@ringfence/ledger/entry.ts';
import { decodeParts } from '@ringfence/ledger/sealed.ts';
import type { LedgerBackend } from './backend.ts';
import type { LedgerEntry } from './contract.ts';
import { type Hold, listHolds } from './holds.ts';
import { sequenceAt } from './search.ts';
import { classWord, tenantWord } from './words.ts';
import type { LedgerWriter } from './writer.ts';

/** How long content is kept; headers stay for ever. */
export interface RetentionRule {
  readonly class: EntryClass;
  /** Absent: every tenant that has no rule of its own for this class. */
  readonly tenant?: string;
  readonly days: number;
}

const dayMs = 86_400_000;
/** Entries looked at in one transaction; some 20 ms. */
const slice = 1000;

/** Takes the content of entries whose time is over, and writes down that it did. Gives how many. */
export async function applyRetention(
  backend: LedgerBackend,
  writer: LedgerWriter,
  rules: readonly RetentionRule[],
  now: number,
): Promise<number> {
  let taken = 0;
  for await (const some of retention(backend, writer, rules, now)) taken += some;
  return taken;
}

/** The same in small steps, between which others may write. */
export async function* retention(
  backend: LedgerBackend,
  writer: LedgerWriter,
  rules: readonly RetentionRule[],
  now: number,
): AsyncGenerator<number> {
  for (const rule of rules) {
    const others = new Set(
      rules.flatMap(({ class: c, tenant }) => (c === rule.class && tenant !== undefined ? [tenant] : [])),
    );
    yield* applyRule(backend, writer, rule, others, now);
  }
}

async function* applyRule(
  backend: LedgerBackend,
  writer: LedgerWriter,
  rule: RetentionRule,
  others: ReadonlySet<string>,
  now: number,
): AsyncGenerator<number> {
  const before = now - rule.days * dayMs;
  const cursorName = `retention ${rule.class} ${rule.tenant ?? '*'}`;
  const { size } = await backend.end();
  const end = await sequenceAt(backend, size, before);
  const holds = await listHolds(backend);
  const heldIds = await personsHeld(backend, holds);
  let cursor = Number((await backend.value(cursorName)) ?? '0');
  let passedOver = false;
  for (let from = cursor; from < end; ) {
    const rows = (await backend.entries(from, slice)).filter(({ place }) => place < end);
    const last = rows.at(-1);
    if (last === undefined) return;
    from = last.place + 1;
    const byTenant = new Map<string, number[]>();
    for (const { place, header, body, sealed } of rows) {
      const read = decodeHeader(header);
      if (!read.ok || body === undefined || read.value.class !== rule.class) continue;
      const { tenant, time } = read.value;
      if (rule.tenant === undefined ? others.has(tenant) : tenant !== rule.tenant) continue;
      if (isHeld(holds, heldIds, tenant, time, sealed)) {
        passedOver = true;
        continue;
      }
      const list = byTenant.get(tenant);
      if (list === undefined) byTenant.set(tenant, [place]);
      else list.push(place);
    }
    // What is held is looked at again once it is released.
    if (!passedOver) cursor = from;
    for (const [tenant, sequences] of byTenant) {
      await writer.append([], {
        before: async (open) => {
          await open.removeContent(sequences);
          return [act(rule.class, tenant, before, open.end.size - 1, sequences.length, now)];
        },
        values: { [cursorName]: String(cursor) },
      });
      await backend.reindex(
        sequences.map((sequence) => ({ sequence, words: [classWord(rule.class), tenantWord(tenant)] })),
      );
    }
    yield [...byTenant.values()].reduce((sum, { length }) => sum + length, 0);
  }
}

const act = (
  entryClass: EntryClass,
  tenant: string,
  before: number,
  through: number,
  count: number,
  time: number,
): LedgerEntry => ({
  class: 'ledger',
  tenant,
  time,
  body: { act: 'retention', class: entryClass, tenant, before, through, count },
});

/** Ids of the keys of persons that a hold names, hexadecimal. */
async function personsHeld(
  backend: LedgerBackend,
  holds: readonly Hold[],
): Promise<ReadonlyMap<string, string>> {
  const ids = new Map<string, string>();
  for (const { tenant, person, id } of holds) {
    if (person === undefined) continue;
    const stored = await backend.person(tenant, Buffer.from(person, 'hex'));
    if (stored !== undefined) ids.set(id, Buffer.from(stored.id).toString('hex'));
  }
  return ids;
}

function isHeld(
  holds: readonly Hold[],
  ids: ReadonlyMap<string, string>,
  tenant: string,
  time: number,
  sealed: Uint8Array | undefined,
): boolean {
  return holds.some((hold) => {
    if (hold.tenant !== tenant) return false;
    if (time < (hold.since ?? 0) || time >= (hold.until ?? Number.POSITIVE_INFINITY)) return false;
    if (hold.person === undefined) return true;
    const parts = sealed === undefined ? undefined : decodeParts(sealed);
    return (
      parts?.ok === true &&
      parts.value.some(({ person }) => Buffer.from(person).toString('hex') === ids.get(hold.id))
    );
  });
}
