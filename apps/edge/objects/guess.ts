import { ha1 } from '@ringfence/sip/digest/ha1.ts';
import { worstPasswords } from './strength.ts';
import type { DigestAlgorithm } from './types.ts';

/** Of a login as it is kept: which hash, and what else went into it. */
export interface KeptPassword {
  readonly algorithm: DigestAlgorithm;
  readonly username: string;
  readonly realm: string;
  readonly ha1: Uint8Array;
  /** Names and numbers that its owner may have made it from. */
  readonly names: readonly string[];
}

/** How many of the most used passwords are tried: some 20 ms for a login, or half a second. */
export const depth = { usual: 10_000, deep: Number.POSITIVE_INFINITY } as const;

const ends = [
  '',
  ...['1', '12', '123', '1234', '12345', '123456', '!', '1!', '123!', '01', '00', '007', '#', '*', '.', '99'],
  ...Array.from({ length: 41 }, (_, i) => String(1990 + i)),
];
const starts = ['', 'sip', 'voip', 'phone', 'tel', 'ext', 'pass', 'passwort', 'password', 'pw', 'my', 'the'];
const trade =
  'asterisk freepbx freeswitch kamailio opensips trixbox elastix voip siptest sipphone pbx pbxadmin yealink polycom grandstream snom cisco mitel avaya ringfence extension telephone changeme geheim passwort default secret admin';

let worst: readonly string[] | undefined;

/**
 * Tries what attackers try first against the hash that is kept of a password: derivations of the names, all PINs of
 * four digits, the most used passwords. Gives the kind of what fitted, never the password itself; undefined where
 * nothing did, which says no more than that.
 */
export function guess(kept: KeptPassword, tries: number = depth.usual): string | undefined {
  const fits = (password: string): boolean => {
    const made = ha1(kept.algorithm, kept.username, kept.realm, password);
    return Buffer.compare(made, kept.ha1) === 0;
  };
  for (const name of new Set(kept.names.flatMap(forms)))
    for (const candidate of derivations(name))
      if (fits(candidate)) return 'is made from a name of the account';
  for (let pin = 0; pin < 10_000; pin += 1)
    if (fits(String(pin).padStart(4, '0'))) return 'is a number of four digits';
  for (const word of trade.split(' '))
    for (const form of forms(word))
      for (const end of ends) if (fits(form + end)) return 'is a word of the trade that scanners try';
  worst ??= worstPasswords();
  for (const [i, password] of worst.entries()) {
    if (i >= tries) break;
    for (const form of forms(password))
      if (fits(form)) return `is among the ${i < 1000 ? '1,000' : '50,000'} most used`;
  }
  return undefined;
}

/** As it is written, and as it may be. */
function forms(name: string): string[] {
  const lower = name.toLowerCase();
  return [...new Set([name, lower, lower.slice(0, 1).toUpperCase() + lower.slice(1), lower.toUpperCase()])];
}

function* derivations(name: string): Generator<string> {
  if (name === '') return;
  for (const end of ends) for (const start of starts) yield start + name + end;
  yield name + name;
  yield [...name].reverse().join('');
  yield `${name}${[...name].reverse().join('')}`;
}
