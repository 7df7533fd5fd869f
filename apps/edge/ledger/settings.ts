import { resolve } from 'node:path';
import type { Configuration } from '../config/schema.ts';
import type { WorkerOptions } from './protocol.ts';

/** What a ledger is opened with, as the configuration says; paths are taken from the data folder. */
export function ledgerOptions(home: string, { ledger }: Configuration): WorkerOptions {
  const { postgresql, file, retention, witness } = ledger;
  return {
    home,
    place:
      postgresql === undefined
        ? { kind: 'sqlite', file: resolve(home, file) }
        : { kind: 'postgresql', ...postgresql },
    retention,
    witness: { ...witness, file: resolve(home, witness.file) },
  };
}
