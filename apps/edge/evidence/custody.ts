import type { LedgerBackend } from '../ledger/backend.ts';
import type { LedgerEntry } from '../ledger/contract.ts';
import type { PersonKeys } from '../ledger/keys.ts';
import type { ReadableEntry } from '../ledger/read.ts';
import { search } from '../ledger/search.ts';

/**
 * What was done with evidence: gathered (its making began), made, read out, verified, copied elsewhere.
 *
 * Each is an entry of the ledger, so nobody takes one back.
 */
export type CustodyAct = 'gathered' | 'made' | 'read' | 'verified' | 'copied';

export interface CustodyStep {
  readonly act: CustodyAct;
  readonly incident: string;
  /** Who gave the command, or `playbook`. */
  readonly by: string;
  /** SHA-256 of the manifest, hexadecimal; absent where it is not made yet. */
  readonly bundle?: string;
  /** Where it lies. */
  readonly file?: string;
  /** Of a verification. */
  readonly outcome?: 'unbroken' | 'damaged';
}

const event = 'evidence.custody';

export const custodyEntry = (step: CustodyStep, time: number): LedgerEntry => ({
  class: 'administration',
  tenant: '',
  time,
  body: {
    event,
    ...step,
    incident: step.incident.slice(0, 40),
    ...(step.file === undefined ? {} : { file: step.file.slice(0, 1000) }),
  },
});

const mostSteps = 1_000;

/** In the order in which it was done; the latest thousand. */
export async function custodyOf(
  backend: LedgerBackend,
  keys: PersonKeys | undefined,
  incident: string,
): Promise<ReadableEntry[]> {
  const found: ReadableEntry[] = [];
  const query = { class: 'administration', fields: { event, incident }, limit: mostSteps } as const;
  for await (const entry of search(backend, keys, query)) found.push(entry);
  return found.reverse();
}
