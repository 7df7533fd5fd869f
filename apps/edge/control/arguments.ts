import { CommandRefused } from './command-refused.ts';

/** One argument of a command: gives its value, or says what it ought to be. */
export interface Argument<T> {
  read(value: unknown): { readonly value: T } | { readonly wanted: string };
}

type Read<A> = { readonly [K in keyof A]: A[K] extends Argument<infer T> ? T : never };

/** Text of 1 to `most` characters without controls. */
export const text = (most = 255): Argument<string> => ({
  read: (value) =>
    typeof value === 'string' && value !== '' && value.length <= most && !hasControls(value)
      ? { value }
      : { wanted: `text of 1 to ${most} characters` },
});

export const whole = (least: number, most: number): Argument<number> => ({
  read: (value) =>
    typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most
      ? { value }
      : { wanted: `a whole number from ${least} to ${most}` },
});

export const boolean: Argument<boolean> = {
  read: (value) => (typeof value === 'boolean' ? { value } : { wanted: 'true or false' }),
};

export const oneOf = <const T extends string>(...words: readonly T[]): Argument<T> => ({
  read: (value) => {
    const found = words.find((word) => word === value);
    return found === undefined ? { wanted: `one of ${words.join(', ')}` } : { value: found };
  },
});

/** May be missing. */
export const optional = <T>(argument: Argument<T>): Argument<T | undefined> => ({
  read: (value) => (value === undefined ? { value: undefined } : argument.read(value)),
});

/**
 * Arguments of a command as they came over the socket, checked. Throws `CommandRefused` with the code `bad-arguments`
 * that names the first that is wrong, missing or unknown.
 */
export function readArguments<const A extends Readonly<Record<string, Argument<unknown>>>>(
  wanted: A,
  given: unknown,
): Read<A> {
  const refuse = (problem: string): never => {
    throw new CommandRefused('bad-arguments', problem);
  };
  if (typeof given !== 'object' || given === null || Array.isArray(given))
    return refuse('arguments are an object');
  const values = given as Readonly<Record<string, unknown>>;
  for (const name of Object.keys(values))
    if (!Object.hasOwn(wanted, name))
      refuse(
        `there is no argument \`${name.slice(0, 40)}\`; known: ${Object.keys(wanted).join(', ') || 'none'}`,
      );
  const out: Record<string, unknown> = {};
  for (const [name, argument] of Object.entries(wanted)) {
    const read = argument.read(Object.hasOwn(values, name) ? values[name] : undefined);
    if ('wanted' in read) refuse(`\`${name}\` has to be ${read.wanted}`);
    else out[name] = read.value;
  }
  return out as Read<A>;
}

function hasControls(value: string): boolean {
  for (let i = 0; i < value.length; i++) {
    const c = value.charCodeAt(i);
    if (c < 0x20 || (c >= 0x7f && c < 0xa0)) return true;
  }
  return false;
}
