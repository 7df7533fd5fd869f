/**
 * Makes `patches.json` from `patches.yaml` and signs it: `node tools/sign-patches.ts --key FILE [--in FILE] [--out FILE]`.
 *
 * The key is an Ed25519 private key as PEM, such as `openssl genpkey -algorithm ed25519` makes; it never is in the
 * repository. Without `--key` only the signature that is there is checked.
 */
import { createPrivateKey, sign } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Value } from '@sinclair/typebox/value';
import { parse } from 'yaml';
import { PatchSet } from '../apps/edge/patches/schema.ts';
import { releaseKeys } from '../apps/edge/patches/shipped.ts';
import { tryPatches } from '../apps/edge/patches/trial.ts';
import { openPatchSet } from '../apps/edge/patches/verify.ts';
import { repositoryRoot } from './imports.ts';

export const patchFolder = join(repositoryRoot, 'apps/edge/patches/data');

/** The set that a YAML text describes, as it is signed: the same text each time. */
export function compilePatches(
  file: string,
  text: string,
): { readonly text: string; readonly problems: string[] } {
  const set: unknown = parse(text);
  if (!Value.Check(PatchSet, set)) {
    const errors = [...Value.Errors(PatchSet, set)].slice(0, 20);
    return { text: '', problems: errors.map(({ path, message }) => `${file}: ${path}: ${message}`) };
  }
  const ids = set.patches.map(({ id }) => id);
  const problems = ids.filter((id, i) => ids.indexOf(id) !== i).map((id) => `${id} is there twice`);
  for (const trial of tryPatches(set))
    for (const problem of trial.problems) problems.push(`${trial.patch.id}: ${problem}`);
  return { text: `${JSON.stringify(set, undefined, 1)}\n`, problems };
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      key: { type: 'string' },
      in: { type: 'string', default: join(patchFolder, 'patches.yaml') },
      out: { type: 'string', default: join(patchFolder, 'patches.json') },
    },
  });
  const { text, problems } = compilePatches(values.in, readFileSync(values.in, 'utf8'));
  for (const problem of problems) console.error(problem);
  if (problems.length > 0) process.exitCode = 1;
  else if (values.key === undefined) {
    const opened = openPatchSet(
      { text: Buffer.from(text), signature: readFileSync(`${values.out}.sig`, 'utf8') },
      releaseKeys(),
    );
    console.log(opened.ok ? 'signed' : `what ${values.in} says ${opened.error}`);
    process.exitCode = opened.ok ? 0 : 1;
  } else {
    const key = createPrivateKey(readFileSync(values.key, 'utf8'));
    writeFileSync(values.out, text);
    writeFileSync(`${values.out}.sig`, `${sign(null, Buffer.from(text), key).toString('base64')}\n`);
    console.log(`${values.out} and its signature`);
  }
}
