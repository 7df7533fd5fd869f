import { readFileSync } from 'node:fs';
import { MisuseError } from '@ringfence/bytes/misuse.ts';
import { err, type Result } from '@ringfence/bytes/result.ts';
import type { PatchSet } from './schema.ts';
import { openPatchSet } from './verify.ts';

const folder = new URL('./data/', import.meta.url);

/** Keys that may sign sets of patches. */
export const releaseKeys = (): readonly string[] => [readFileSync(new URL('release.pub', folder), 'utf8')];

let opened: PatchSet | undefined;

/**
 * The set that comes with this version.
 *
 * @throws MisuseError `bad-patches` where its file is not what was signed
 */
export function shippedPatches(): PatchSet {
  if (opened !== undefined) return opened;
  const result = openPatchSet(
    {
      text: readFileSync(new URL('patches.json', folder)),
      signature: readFileSync(new URL('patches.json.sig', folder), 'utf8'),
    },
    releaseKeys(),
  );
  if (!result.ok)
    throw new MisuseError('bad-patches', `the set of patches that was installed ${result.error}`);
  opened = result.value;
  return opened;
}

/**
 * A newer set from a file, with its signature in `<file>.sig`.
 *
 * One that is older than the set that was shipped is refused: it would take patches away.
 */
export function readPatchFile(file: string, keys = releaseKeys()): Result<PatchSet, string> {
  let text: Uint8Array;
  let signature: string;
  try {
    text = readFileSync(file);
    signature = readFileSync(`${file}.sig`, 'utf8');
  } catch (error) {
    return err(`cannot be read (${(error as NodeJS.ErrnoException).code ?? String(error)})`);
  }
  const result = openPatchSet({ text, signature }, keys);
  if (!result.ok) return result;
  const { serial } = shippedPatches();
  return result.value.serial < serial
    ? err(`has the serial ${result.value.serial} and is older than what is installed, ${serial}`)
    : result;
}

/** The set that configuration asks for; a file that cannot be used any more gives way to the shipped one. */
export function patchesOf(file: string | undefined): PatchSet {
  if (file === undefined) return shippedPatches();
  const result = readPatchFile(file);
  return result.ok ? result.value : shippedPatches();
}
