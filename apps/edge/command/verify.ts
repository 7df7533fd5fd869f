import { createPublicKey } from 'node:crypto';
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { keyFingerprint } from '@ringfence/ledger/head.ts';
import type { StampedHead } from '../ledger/acts.ts';
import { openSigningKey, publicKeyFile, readCertificates, readPublicKey } from '../ledger/keys.ts';
import { openPlace } from '../ledger/place.ts';
import type { LedgerPlace } from '../ledger/protocol.ts';
import { ledgerOptions } from '../ledger/settings.ts';
import { verifyLedger } from '../ledger/verify.ts';
import { flag, type Invocation, text } from './command.ts';
import { exitCode } from './exit-code.ts';
import { configurationOf, homeFolder } from './home.ts';
import { readHeads } from './ledger-place.ts';
import { complain, print, printable, printJson } from './terminal.ts';
import { UsageError } from './usage-error.ts';

const progressMs = 500;

export async function run(invocation: Invocation): Promise<number> {
  if (invocation.action === 'bundle') return (await import('./verify-bundle.ts')).verifyBundle(invocation);
  return verifyRecords(invocation);
}

async function verifyRecords({ names: [name], values }: Invocation): Promise<number> {
  const keyOption = text(values, 'key');
  if (name !== undefined && keyOption === undefined)
    throw new UsageError(`to verify a file by itself, name the public key: --key ${publicKeyFile}`, 'verify');
  const home = homeFolder();
  const loaded = name === undefined ? configurationOf(values) : undefined;
  const key =
    keyOption === undefined ? createPublicKey(openSigningKey(home)) : readPublicKey(resolve(keyOption));
  const options = loaded === undefined ? undefined : ledgerOptions(home, loaded.config);
  const place: LedgerPlace = options?.place ?? { kind: 'sqlite', file: resolve(name as string) };
  const backend = await openPlace(place, false);
  const own = options?.witness.file;
  const files = [text(values, 'heads'), own !== undefined && existsSync(own) ? own : undefined];
  const witnessed = [...new Set(files)].flatMap((file) => (file === undefined ? [] : readHeads(file)));
  const authorities = text(values, 'timestamp-ca') ?? options?.witness.timestampCa;
  let told = performance.now();
  try {
    const result = await verifyLedger(backend, {
      key,
      place,
      trusted: authorities === undefined ? [] : readCertificates(resolve(authorities)),
      witnessed,
      progress: (done, size) => {
        if (flag(values, 'json') || performance.now() - told < progressMs) return;
        told = performance.now();
        complain(`${done} of ${size} entries (${Math.floor((100 * done) / size)} %)`);
      },
    });
    const fingerprint = keyFingerprint(key);
    if (flag(values, 'json')) {
      const { stamped, ...found } = result;
      const newest = stamped === undefined ? {} : { stamped: stampJson(stamped) };
      printJson({ ledger: backend.ledger, key: fingerprint, ...found, ...newest });
    } else {
      for (const { kind, text: sentence } of result.damages) print(`${kind.padEnd(12)} ${sentence}`);
      if (result.more > 0) print(`and ${result.more} more`);
      const content =
        result.withoutContent === 0 ? '' : `, ${result.withoutContent} without content by retention`;
      print(
        `${result.damages.length === 0 ? 'Nothing was changed' : 'The ledger is damaged'}: ${result.entries} entries${content}, ${result.heads} signed heads, root ${result.root}`,
      );
      print(`Signed by the key ${fingerprint}`);
      if (result.stamped !== undefined) print(stampText(result.stamps, result.stamped));
    }
    return result.damages.length === 0 ? exitCode.done : exitCode.failed;
  } finally {
    await backend.close();
  }
}

const stampText = (stamps: number, { head, time, authority, trusted, fingerprint }: StampedHead): string =>
  `${stamps} time ${stamps === 1 ? 'stamp' : 'stamps'}; the newest says that the first ${head.size} entries were there at ${new Date(time).toISOString()}: ${printable(authority)}${trusted ? '' : ` (nobody was named in --timestamp-ca to stand behind it; its certificate is ${fingerprint})`}`;

const stampJson = ({ head, time, authority, fingerprint, trusted }: StampedHead) => ({
  entries: head.size,
  time: new Date(time).toISOString(),
  authority,
  fingerprint,
  trusted,
});
