import { readFileSync } from 'node:fs';
import type { LedgerBackend } from './backend.ts';
import { LedgerError } from './ledger-error.ts';
import type { LedgerPlace } from './protocol.ts';
import { openSqlite } from './sqlite.ts';

/** Opens the ledger where the configuration keeps it. */
export async function openPlace(place: LedgerPlace, create: boolean): Promise<LedgerBackend> {
  if (place.kind === 'sqlite') return openSqlite({ file: place.file, create });
  const { openPostgresql } = await import('./postgresql.ts');
  return openPostgresql({
    url: withPassword(place),
    create,
    ...(place.schema === undefined ? {} : { schema: place.schema }),
  });
}

/** The password comes from a file, so that no configuration and no list of processes shows it. */
function withPassword({ url, passwordFile }: Extract<LedgerPlace, { kind: 'postgresql' }>): string {
  if (passwordFile === undefined) return url;
  let password: string;
  try {
    password = readFileSync(passwordFile, 'utf8').replace(/\r?\n$/, '');
  } catch (error) {
    throw new LedgerError(
      'ledger-key',
      `${passwordFile} cannot be read (${(error as NodeJS.ErrnoException).code}); check its owner and mode`,
    );
  }
  const full = new URL(url);
  full.password = encodeURIComponent(password);
  return full.href;
}
