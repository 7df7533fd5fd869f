import { resolve } from 'node:path';
import { plainText } from '@ringfence/evidence/plain-text.ts';
import { flag, type Invocation } from './command.ts';
import { recordCustody } from './evidence-custody.ts';
import { damageLines, readBundleFile } from './evidence-file.ts';
import { exitCode } from './exit-code.ts';
import { whoAsks } from './ledger-place.ts';
import { print, printJson } from './terminal.ts';
import { UsageError } from './usage-error.ts';

/** `ringfence verify bundle FILE`: needs nothing but the file and the public key, or its id. */
export async function verifyBundle({ names: [file = ''], values }: Invocation): Promise<number> {
  const { checked, isOurs } = readBundleFile(file, values);
  if (!isOurs)
    throw new UsageError(
      'name the public key of the edge with --key FILE, or its printed id with --key-id ID: the key that lies in a bundle proves nothing by itself',
      'verify',
    );
  const { manifest, id, signedBy, damages, proven, parts } = checked;
  const isUnbroken = damages.length === 0;
  const ledger = plainText(manifest?.ledger ?? '', 40);
  const byLedger = ledger === '' ? 'no ledger behind it' : `${proven} entries proven by the ledger ${ledger}`;
  if (flag(values, 'json'))
    printJson({
      outcome: isUnbroken ? 'unbroken' : 'damaged',
      incident: manifest?.incident ?? null,
      manifest: id,
      key: signedBy ?? null,
      parts: [...parts.keys()],
      proven,
      damages,
    });
  else {
    for (const line of damageLines(damages)) print(line);
    print(
      isUnbroken
        ? `Nothing was changed: evidence of ${plainText(manifest?.incident ?? '', 40)}, made at ${new Date(manifest?.madeAt ?? 0).toISOString()}, ${parts.size} parts, ${byLedger}`
        : 'The bundle is damaged; do not rely on it',
    );
    if (signedBy !== undefined) print(`Signed by the key ${signedBy}`);
    print(`SHA-256 of its manifest ${id}`);
  }
  if (manifest !== undefined)
    await recordCustody(values, manifest.ledger, {
      act: 'verified',
      incident: manifest.incident,
      by: whoAsks(),
      bundle: id,
      file: resolve(file),
      outcome: isUnbroken ? 'unbroken' : 'damaged',
    });
  return isUnbroken ? exitCode.done : exitCode.failed;
}
