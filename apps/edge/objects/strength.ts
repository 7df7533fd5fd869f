import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);
/** What stands behind this costs an attacker nothing more, and us time that grows with the square. */
const judgedCharacters = 48;

interface Judge {
  check(password: string, userInputs?: string[]): { readonly score: number };
}

let loaded: Judge | undefined;

/** Loaded at the first password alone: the words of the dictionaries take 30 MB and some tenths of a second. */
function judge(): Judge {
  if (loaded !== undefined) return loaded;
  const { ZxcvbnFactory }: typeof import('@zxcvbn-ts/core') = require('@zxcvbn-ts/core');
  const common: typeof import('@zxcvbn-ts/language-common') = require('@zxcvbn-ts/language-common');
  const english: typeof import('@zxcvbn-ts/language-en') = require('@zxcvbn-ts/language-en');
  loaded = new ZxcvbnFactory({
    dictionary: { ...common.dictionary, ...english.dictionary },
    graphs: common.adjacencyGraphs,
    maxLength: judgedCharacters,
  });
  return loaded;
}

/**
 * How long a password would be guessed at, 0 to 4: 10^3, 10^6, 10^8 and 10^10 guesses stand between (zxcvbn).
 *
 * `words` are those that an attacker would try for this account: its names, its number, its domain.
 */
export const strengthOf = (password: string, words: readonly string[]): number =>
  judge().check(password, [...words]).score;

/** The most used passwords of the world, worst first, in lower case. */
export function worstPasswords(): readonly string[] {
  const { dictionary }: typeof import('@zxcvbn-ts/language-common') = require('@zxcvbn-ts/language-common');
  return (dictionary['passwords-common'] ?? []).map(String);
}
