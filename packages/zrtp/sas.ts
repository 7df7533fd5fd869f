import { readU32 } from '@ringfence/bytes/reader.ts';
import { evenWords, oddWords } from './pgp-words.ts';

const letters = 'ybndrfg8ejkmcpqxot1uwisza345h769';

/** The leftmost 20 bits in four letters, RFC 6189 §5.1.6. */
function base32(value: number): string {
  let text = '';
  for (const shift of [27, 22, 17, 12]) text += letters[(value >>> shift) & 31]!;
  return text;
}

/** The leftmost 16 bits in two words. */
const base256 = (value: number): string => `${evenWords[value >>> 24]!} ${oddWords[(value >>> 16) & 0xff]!}`;

/**
 * The short authentication string as people read it to each other: `B32 ` four letters, `B256` two words with a space
 * between. A rendering that is not known gives undefined.
 */
export function renderSas(sasHash: Uint8Array, type: string): string | undefined {
  const value = readU32(sasHash, 0);
  if (type === 'B32 ') return base32(value);
  return type === 'B256' ? base256(value) : undefined;
}
