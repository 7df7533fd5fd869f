import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { type LoadedConfiguration, loadConfiguration } from '../config/load.ts';
import { type ConfigProblem, formatProblem } from '../config/problem.ts';
import { openDatabase } from '../store/database.ts';
import { openSealer, type Sealer } from '../store/seal.ts';
import type { Values } from './command.ts';
import { text } from './command.ts';

/** Configuration or objects are refused; printed problem by problem, exit code 3. */
export class RefusedError extends Error {
  readonly problems: readonly ConfigProblem[];

  constructor(problems: readonly ConfigProblem[]) {
    super(problems.map(formatProblem).join('\n'));
    this.name = 'RefusedError';
    this.problems = problems;
  }
}

/** RINGFENCE_HOME, or `data` in the current folder. */
export const homeFolder = (): string => resolve(process.env.RINGFENCE_HOME || 'data');

export function configurationOf(values: Values): LoadedConfiguration {
  const loaded = loadConfiguration({ home: homeFolder(), file: text(values, 'config') });
  if (!loaded.ok) throw new RefusedError(loaded.error);
  return loaded.value;
}

export const keyFile = (home: string): string => join(home, 'keys', 'store.key');

export interface OpenObjects {
  readonly database: DatabaseSync;
  readonly sealer: Sealer;
}

/** Opens the store beside a running edge, or makes it before the first start. */
export function withStore<T>(loaded: LoadedConfiguration, work: (open: OpenObjects) => T): T {
  const home = homeFolder();
  const database = openDatabase(resolve(home, loaded.config.store.file));
  try {
    const sealer = openSealer(database, keyFile(home), true);
    try {
      return work({ database, sealer });
    } finally {
      sealer.wipe();
    }
  } finally {
    database.close();
  }
}

/** Opens the store only to read; undefined where nothing has been stored yet. */
export function readStore<T>(
  loaded: LoadedConfiguration,
  work: (database: DatabaseSync) => T,
): T | undefined {
  const file = resolve(homeFolder(), loaded.config.store.file);
  if (!existsSync(file)) return undefined;
  const database = openDatabase(file, { create: false });
  try {
    return work(database);
  } finally {
    database.close();
  }
}
