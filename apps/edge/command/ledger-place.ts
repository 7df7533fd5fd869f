import { existsSync, readFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { resolve } from 'node:path';
import { decodeHead, type SignedHead } from '@ringfence/ledger/head.ts';
import type { LoadedConfiguration } from '../config/load.ts';
import type { LedgerBackend } from '../ledger/backend.ts';
import { personOf } from '../ledger/call-entry.ts';
import type { LedgerEntry } from '../ledger/contract.ts';
import { openSigningKey, PersonKeys } from '../ledger/keys.ts';
import { openPlace } from '../ledger/place.ts';
import { ledgerOptions } from '../ledger/settings.ts';
import { LedgerWriter } from '../ledger/writer.ts';
import type { Change } from '../objects/import.ts';
import type { Act } from './acts.ts';
import { homeFolder } from './home.ts';
import { complain } from './terminal.ts';
import { UsageError } from './usage-error.ts';

export interface OpenLedger {
  readonly backend: LedgerBackend;
  readonly keys: PersonKeys;
  readonly writer: LedgerWriter;
}

/** Opens the ledger beside a running edge: whoever appends takes turns with it. */
export async function withLedger<T>(
  { config }: LoadedConfiguration,
  work: (open: OpenLedger) => Promise<T>,
): Promise<T> {
  const home = homeFolder();
  const backend = await openPlace(ledgerOptions(home, config).place, false);
  try {
    const keys = PersonKeys.of(home);
    const signing = openSigningKey(home);
    return await work({
      backend,
      keys,
      writer: new LedgerWriter({ backend, signing, persons: keys, now: Date.now }),
    });
  } finally {
    await backend.close();
  }
}

/** Who gives the command, also behind sudo. */
export const whoAsks = (): string => {
  const { username } = userInfo();
  const { SUDO_USER: sudo } = process.env;
  return sudo === undefined || sudo === username ? username : `${sudo} as ${username}`;
};

/** Entries of one commit. */
const together = 2000;

/**
 * Records what a command has changed in the store, and what else it has done. A ledger that cannot be written keeps
 * nobody from administering; the message says so, and the next version of the objects shows their change all the same.
 */
export async function recordDone(
  loaded: LoadedConfiguration,
  command: string,
  changes: readonly Change[],
  acts: readonly Act[],
): Promise<void> {
  const { config } = loaded;
  const { place } = ledgerOptions(homeFolder(), config);
  // Before its first start an edge has no ledger; what it then has is its first version.
  const isThere = place.kind === 'postgresql' || existsSync(place.file);
  if (!config.ledger.enabled || !isThere) return;
  const by = whoAsks();
  const entries = [
    ...changes.map((change) => changeEntry(change, command, by)),
    ...acts.map((act) => actEntry(act, command, by)),
  ];
  try {
    await withLedger(loaded, async ({ writer }) => {
      for (let i = 0; i < entries.length; i += together) await writer.append(entries.slice(i, i + together));
    });
  } catch (error) {
    complain(
      `It is done, but the ledger has not recorded it: ${error instanceof Error ? error.message : error}`,
    );
  }
}

function changeEntry({ action, kind, domain, name, what }: Change, command: string, by: string): LedgerEntry {
  const personal = kind === 'user' || kind === 'device';
  return {
    class: 'administration',
    tenant: domain,
    time: Date.now(),
    body: { event: 'objects.changed', command, by, action, kind, what, ...(personal ? {} : { name }) },
    ...(personal
      ? { persons: [{ person: `${name}@${domain}`.toLowerCase(), proven: true, data: { name } }] }
      : {}),
  };
}

const actEntry = ({ what, person }: Act, command: string, by: string): LedgerEntry => ({
  class: 'administration',
  tenant: person?.domain ?? '',
  time: Date.now(),
  body: { event: 'administration.done', command, by, ...what },
  ...(person === undefined
    ? {}
    : { persons: [{ person: personOf(person.name, person.domain), proven: true, data: person.data }] }),
});

/** Heads of a file with one JSON line each; lines that are none are refused, since they might hide one. */
export function readHeads(file: string): SignedHead[] {
  return readFileSync(resolve(file), 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line, i) => {
      const head = decodeHead(line);
      if (!head.ok) throw new UsageError(`${file}:${i + 1} holds no signed head: ${head.error}`, 'verify');
      return head.value;
    });
}
