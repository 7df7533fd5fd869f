import { strengthOf } from './strength.ts';

const minimumLength = 8;
const generatedLength = 20;
/** Without 0 O o 1 l I, which are mistaken for each other when read from paper. */
const alphabet = 'abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789';

/** What scanners try first, in lower case and without digits at the end. */
const common = new Set(
  'password passwort passw p@ssw p@ssword pass secret geheim changeme default welcome letmein qwerty qwertyui qwertyuiop qwertz qwertzui asdfghjk asdfasdf abcdefgh admin administrator root guest user test tester testing phone telephone extension sip siptest sipphone voip voiptest asterisk freepbx freeswitch kamailio trixbox elastix pbx pbxadmin yealink polycom grandstream snom cisco mitel avaya ringfence iloveyou monkey dragon football baseball sunshine princess superman trustno access master hello'.split(
    ' ',
  ),
);

/**
 * Why a password would be guessed soon; undefined where it may be used.
 *
 * `names` are those that it must not repeat; `least` is the strength that it must have, 0 to 4 as zxcvbn counts.
 */
export function passwordWeakness(password: string, names: readonly string[], least = 0): string | undefined {
  if (password.length < minimumLength)
    return `has ${password.length} characters, fewer than ${minimumLength}`;
  const lower = password.toLowerCase();
  const core = lower.replace(/[0-9!.?#$]{0,8}$/, '');
  if (common.has(core) || common.has(lower)) return 'is among those that attackers try first';
  for (const name of names) {
    const n = name.toLowerCase();
    if (n.length >= 3 && (lower === n || core === n || lower === n + n))
      return `repeats the name \`${name}\``;
  }
  if (/^[0-9]+$/.test(password) && password.length < 16) return 'is digits only';
  if (new Set(lower).size < 5) return 'repeats a few characters';
  if (isRun(lower)) return 'runs along the alphabet or the keyboard';
  if (least === 0 || isRandom(password)) return undefined;
  const strength = strengthOf(password, [...names, ...common]);
  return strength < least
    ? `would be guessed soon (strength ${strength} of 4, at least ${least} here)`
    : undefined;
}

/** As long and as mixed as those that are made here: words and patterns would make it no weaker than demanded. */
function isRandom(password: string): boolean {
  return (
    password.length >= generatedLength &&
    new Set(password).size >= 12 &&
    /[a-z]/.test(password) &&
    /[A-Z]/.test(password) &&
    /[0-9]/.test(password)
  );
}

function isRun(text: string): boolean {
  for (const row of [
    'abcdefghijklmnopqrstuvwxyz',
    '01234567890',
    'qwertyuiop',
    'qwertzuiop',
    'asdfghjkl',
    'yxcvbnm',
    'zxcvbnm',
  ]) {
    if (row.includes(text) || [...row].reverse().join('').includes(text)) return true;
  }
  return false;
}

/**
 * 20 characters of 56: 116 bits.
 *
 * `random` fills its argument with random bytes; biased bytes are thrown away.
 */
export function generatePassword(random: (bytes: Uint8Array) => void): string {
  const fair = 256 - (256 % alphabet.length);
  const bytes = new Uint8Array(64);
  let out = '';
  while (out.length < generatedLength) {
    random(bytes);
    for (const byte of bytes) {
      if (byte < fair && out.length < generatedLength) out += alphabet[byte % alphabet.length];
    }
  }
  bytes.fill(0);
  return out;
}
