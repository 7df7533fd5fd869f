import { randomBytes } from 'node:crypto';
import type { EntryClass } from '@ringfence/ledger/entry.ts';
import type { LedgerBackend } from './backend.ts';
import type { PersonKeys } from './keys.ts';
import { LedgerError } from './ledger-error.ts';
import type { LedgerWriter } from './writer.ts';

/** Nothing that a legal hold names is taken by retention or erasure until it is released. */
export interface Hold {
  readonly id: string;
  readonly tenant: string;
  /** Keyed hash of the person's name, hexadecimal; absent: everybody of the tenant. */
  readonly person?: string;
  /** Unix milliseconds of the entries concerned. */
  readonly since?: number;
  readonly until?: number;
  readonly reason: string;
  readonly by: string;
}

const setting = 'holds';
const mostHolds = 1000;

export async function listHolds(backend: Pick<LedgerBackend, 'value'>): Promise<readonly Hold[]> {
  return JSON.parse((await backend.value(setting)) ?? '[]') as Hold[];
}

export interface HoldRequest {
  readonly tenant: string;
  readonly person?: string;
  readonly since?: number;
  readonly until?: number;
  readonly reason: string;
  readonly by: string;
  /** Unix milliseconds. */
  readonly at: number;
}

/** Begins a hold, and writes down who wanted it and why. Gives its id. */
export async function hold(
  backend: LedgerBackend,
  writer: LedgerWriter,
  keys: PersonKeys,
  { at, person, ...request }: HoldRequest,
): Promise<Hold> {
  const made: Hold = {
    ...request,
    id: randomBytes(4).toString('hex'),
    ...(person === undefined ? {} : { person: nameOf(keys, request.tenant, person) }),
  };
  const holds = [...(await listHolds(backend)), made];
  if (holds.length > mostHolds)
    throw new LedgerError('ledger-overloaded', `there are ${mostHolds} holds already; release some`);
  await writer.append(
    [
      {
        class: 'ledger',
        tenant: request.tenant,
        time: at,
        body: { act: 'hold', ...made, onPerson: person !== undefined },
        ...(person === undefined ? {} : { persons: [{ person, proven: true, data: {} }] }),
      },
    ],
    { values: { [setting]: JSON.stringify(holds) } },
  );
  return made;
}

export async function release(
  backend: LedgerBackend,
  writer: LedgerWriter,
  {
    id,
    by,
    reason,
    at,
  }: { readonly id: string; readonly by: string; readonly reason: string; readonly at: number },
): Promise<Hold> {
  const holds = await listHolds(backend);
  const found = holds.find((one) => one.id === id);
  if (found === undefined)
    throw new LedgerError(
      'ledger-unknown',
      `there is no hold ${id}; \`ringfence ledger holds\` shows which there are`,
    );
  await writer.append(
    [
      {
        class: 'ledger' satisfies EntryClass,
        tenant: found.tenant,
        time: at,
        body: { act: 'release', hold: id, by, reason },
      },
    ],
    { values: { [setting]: JSON.stringify(holds.filter((one) => one !== found)) } },
  );
  return found;
}

export const nameOf = (keys: PersonKeys, tenant: string, person: string): string =>
  Buffer.from(keys.nameOf(tenant, person)).toString('hex');
