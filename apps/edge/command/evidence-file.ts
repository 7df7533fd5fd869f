import type { KeyObject } from 'node:crypto';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Damage } from '@ringfence/evidence/damage.ts';
import { type CheckedBundle, checkBundle, mostBundleOctets } from '../evidence/check.ts';
import { publicKeyFile, readPublicKey } from '../ledger/keys.ts';
import { text, type Values } from './command.ts';
import { homeFolder } from './home.ts';
import { printable } from './terminal.ts';
import { UsageError } from './usage-error.ts';

export interface ReadBundle {
  readonly checked: CheckedBundle;
  /** The key was named, or is that of the edge on this machine. */
  readonly isOurs: boolean;
}

/** Reads and checks a bundle, with the key that was named, else with that of the edge here, else with the one in it. */
export function readBundleFile(file: string, values: Values): ReadBundle {
  const path = resolve(file);
  const { size } = statSync(path, { throwIfNoEntry: false }) ?? {};
  if (size === undefined) throw new UsageError(`there is no file ${printable(file)}`, 'evidence');
  if (size > mostBundleOctets)
    throw new UsageError(`${printable(file)} is larger than any evidence bundle`, 'evidence');
  const bytes = readFileSync(path);
  const named = text(values, 'key-id');
  if (named !== undefined) return byId(bytes, named);
  const key = keyOf(values);
  return { checked: checkBundle(bytes, key), isOurs: key !== undefined };
}

function keyOf(values: Values): KeyObject | undefined {
  const given = text(values, 'key');
  if (given !== undefined) return readPublicKey(resolve(given));
  const own = join(homeFolder(), publicKeyFile);
  return existsSync(own) ? readPublicKey(own) : undefined;
}

/** The key lies in the bundle; that it is the right one, its printed id says. */
function byId(bytes: Uint8Array, named: string): ReadBundle {
  const id = named.replaceAll(/[\s:]/g, '').toLowerCase();
  if (!/^[0-9a-f]{64}$/.test(id))
    throw new UsageError('--key-id is the id of a key as it is printed: 64 hexadecimal digits', 'verify');
  const checked = checkBundle(bytes);
  const { signedBy, damages } = checked;
  if (signedBy === undefined || signedBy.replaceAll(' ', '') === id) return { checked, isOurs: true };
  const other: Damage = {
    kind: 'other-key',
    part: 'manifest.sig',
    text: `it was signed with the key ${signedBy}, not with ${id.match(/.{4}/g)?.join(' ')}`,
  };
  return { checked: { ...checked, damages: [other, ...damages] }, isOurs: true };
}

export const damageLines = (damages: readonly Damage[]): string[] =>
  damages.map(({ kind, text: sentence }) => printable(`${kind.padEnd(12)} ${sentence}`));
