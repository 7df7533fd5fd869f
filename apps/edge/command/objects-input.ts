import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Secret } from '@ringfence/bytes/secret.ts';
import type { LoadedConfiguration } from '../config/load.ts';
import { type ApplyOptions, applyObjects, type Change } from '../objects/import.ts';
import { type ReadObjects, readObjectsFile, readObjectsText } from '../objects/read.ts';
import type { ObjectsFile } from '../objects/schema.ts';
import { prepareDatabase } from '../store/database.ts';
import { Sealer } from '../store/seal.ts';
import { homeFolder, type OpenObjects, RefusedError, withStore } from './home.ts';
import { readStandardInput } from './terminal.ts';

/** Reads the file named by `-f`; `-` is standard input. */
export async function readObjects(file: string): Promise<ReadObjects> {
  const read =
    file === '-'
      ? readObjectsText('standard input', await readStandardInput(8 * 1024 * 1024))
      : readObjectsFile(file);
  if (!read.ok) throw new RefusedError(read.error);
  return read.value;
}

/** What a command makes of its arguments goes the same way, and through the same checks, as a file. */
export function objectsFrom(source: string, objects: ObjectsFile): ReadObjects {
  const read = readObjectsText(source, JSON.stringify(objects));
  if (!read.ok) throw new RefusedError(read.error.map((problem) => ({ ...problem, line: 0, column: 0 })));
  return read.value;
}

/** What this process has changed in the store and not recorded yet. */
let unrecorded: Change[] = [];

/** Gives it away, for the ledger. */
export function takeUnrecorded(): readonly Change[] {
  const changes = unrecorded;
  unrecorded = [];
  return changes;
}

export function applyOrRefuse(
  { database, sealer }: OpenObjects,
  read: ReadObjects,
  options: ApplyOptions,
): readonly Change[] {
  const applied = applyObjects(database, sealer, read, options);
  if (!applied.ok) throw new RefusedError(applied.error);
  if (options.dryRun !== true) unrecorded.push(...applied.value);
  return applied.value;
}

/** Tries objects against the store, or against an empty one where there is none yet, and changes nothing. */
export function tryObjects(
  loaded: LoadedConfiguration,
  read: ReadObjects,
  options: Omit<ApplyOptions, 'dryRun'>,
): readonly Change[] {
  if (existsSync(resolve(homeFolder(), loaded.config.store.file))) {
    return withStore(loaded, (open) => applyOrRefuse(open, read, { ...options, dryRun: true }));
  }
  const database = new DatabaseSync(':memory:');
  try {
    prepareDatabase(database, 'memory', 0);
    const sealer = new Sealer(new Secret(randomBytes(32)));
    return applyOrRefuse({ database, sealer }, read, { ...options, dryRun: true });
  } finally {
    database.close();
  }
}

const signs = { add: '+', change: '~', remove: '-' } as const;

export function describeChanges(changes: readonly Change[]): string {
  if (changes.length === 0) return 'Nothing to change.';
  return changes
    .map(
      ({ action, kind, domain, name, what }) =>
        `${signs[action]} ${kind} ${name} (${domain})${what.length === 0 ? '' : `: ${what.join(', ')}`}`,
    )
    .join('\n');
}
