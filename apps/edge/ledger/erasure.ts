import type { LedgerBackend } from './backend.ts';
import { listHolds, nameOf } from './holds.ts';
import { Indexer } from './indexer.ts';
import type { PersonKeys } from './keys.ts';
import { LedgerError } from './ledger-error.ts';
import { personWord } from './words.ts';
import type { LedgerWriter } from './writer.ts';

export interface ErasureRequest {
  readonly tenant: string;
  readonly person: string;
  readonly by: string;
  readonly reason: string;
  /** Unix milliseconds. */
  readonly at: number;
}

/**
 * Destroys the key of a person: nothing that the ledger says of them can be read any more, here or in an export of it,
 * and every hash still fits. What was searched by is taken out of the index. Gives the number of entries concerned.
 *
 * Refused while a legal hold names the person or the tenant. Backups made before hold the key until they go.
 */
export async function erasePerson(
  backend: LedgerBackend,
  writer: LedgerWriter,
  keys: PersonKeys,
  { tenant, person, by, reason, at }: ErasureRequest,
): Promise<number> {
  const name = keys.nameOf(tenant, person);
  const stored = await backend.person(tenant, name);
  if (stored === undefined)
    throw new LedgerError(
      'ledger-unknown',
      `the ledger knows no ${person} in ${tenant}; nothing was changed`,
    );
  const held = (await listHolds(backend)).find(
    (one) =>
      one.tenant === tenant && (one.person === undefined || one.person === nameOf(keys, tenant, person)),
  );
  if (held !== undefined)
    throw new LedgerError(
      'ledger-held',
      `${person} is under the legal hold ${held.id} (${held.reason}); \`ringfence ledger release ${held.id}\` ends it`,
    );
  const indexer = new Indexer(backend, keys);
  while (await indexer.step());
  const places: number[] = [];
  for (let before = Number.MAX_SAFE_INTEGER; ; ) {
    const found = await backend.search([personWord(stored.id)], { from: 0, before }, 1000);
    places.push(...found);
    if (found.length < 1000) break;
    before = found.at(-1) ?? 0;
  }
  await writer.append(
    [
      {
        class: 'ledger',
        tenant,
        time: at,
        body: {
          act: 'erasure',
          key: Buffer.from(stored.id).toString('hex'),
          entries: places.length,
          by,
          reason,
        },
      },
    ],
    {
      erased: true,
      before: async (open) => {
        await open.removePerson(stored.id);
        return undefined;
      },
    },
  );
  // A reader that has not kept the key finds words of what is left alone.
  const after = new Indexer(backend, keys);
  for (let i = 0; i < places.length; i += 500)
    await backend.reindex(await after.wordsOf(await backend.some(places.slice(i, i + 500))));
  await backend.scrub();
  return places.length;
}
