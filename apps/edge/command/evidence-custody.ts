import { existsSync } from 'node:fs';
import { loadConfiguration } from '../config/load.ts';
import { type CustodyStep, custodyEntry } from '../evidence/custody.ts';
import { ledgerOptions } from '../ledger/settings.ts';
import { text, type Values } from './command.ts';
import { homeFolder } from './home.ts';
import { withLedger } from './ledger-place.ts';
import { complain } from './terminal.ts';

/**
 * Writes into the ledger of the edge on this machine what was done with evidence of it. Elsewhere, and for bundles of
 * other edges, there is nothing to write into, and nothing is made.
 *
 * `ledger`: the one that the bundle names; undefined: the bundle was made here.
 */
export async function recordCustody(
  values: Values,
  ledger: string | undefined,
  step: CustodyStep,
): Promise<void> {
  const home = homeFolder();
  if (!existsSync(home)) return;
  const loaded = loadConfiguration({ home, file: text(values, 'config') });
  if (!loaded.ok || !loaded.value.config.ledger.enabled) return;
  const { place } = ledgerOptions(home, loaded.value.config);
  if (place.kind === 'sqlite' && !existsSync(place.file)) return;
  try {
    await withLedger(loaded.value, async ({ backend, writer }) => {
      if (ledger === undefined || ledger === backend.ledger)
        await writer.append([custodyEntry(step, Date.now())]);
    });
  } catch (error) {
    complain(`The ledger has not recorded this: ${error instanceof Error ? error.message : error}`);
  }
}
