import { MisuseError } from '@ringfence/bytes/misuse.ts';
import type { Damage } from './damage.ts';

/** One file of the archive. */
export interface TarEntry {
  readonly name: string;
  readonly bytes: Uint8Array;
}

const block = 512;
/** No folders, no dots in front, nothing that a file system or a shell takes for something else. */
const namePattern = /^[a-z0-9][a-z0-9-]{0,40}(?:\.[a-z0-9]{1,8})?$/;
export const isPartName = (name: string): boolean => namePattern.test(name);

export const mostEntries = 64;
export const mostEntryOctets = 128 * 1024 * 1024;
/** Blocks that are looked at for the next header after one that cannot be read. */
const mostSearched = 65_536;

const encoder = new TextEncoder();

/** POSIX.1-1988 ustar: name, mode, owner, size, time, checksum, type; owner root, mode 0600, no folders. */
function header(name: string, size: number, seconds: number): Uint8Array {
  const bytes = new Uint8Array(block);
  const put = (at: number, text: string): void => bytes.set(encoder.encode(text), at);
  const octal = (value: number, digits: number): string => `${value.toString(8).padStart(digits, '0')}\0`;
  put(0, name);
  put(100, octal(0o600, 7));
  put(108, octal(0, 7));
  put(116, octal(0, 7));
  put(124, octal(size, 11));
  put(136, octal(seconds, 11));
  put(148, '        ');
  put(156, '0');
  put(257, 'ustar\x0000');
  let sum = 0;
  for (const octet of bytes) sum += octet;
  put(148, `${sum.toString(8).padStart(6, '0')}\0 `);
  return bytes;
}

/** The same entries and time give the same octets. `seconds` is Unix time. */
export function writeTar(entries: readonly TarEntry[], seconds: number): Uint8Array {
  const chunks: Uint8Array[] = [];
  if (entries.length > mostEntries) throw new MisuseError('evidence-parts', 'too many parts for a bundle');
  for (const { name, bytes } of entries) {
    if (!isPartName(name)) throw new MisuseError('evidence-parts', `${name} is no name of a part`);
    if (bytes.length > mostEntryOctets) throw new MisuseError('evidence-parts', `${name} is too large`);
    chunks.push(header(name, bytes.length, seconds), bytes);
    const rest = bytes.length % block;
    if (rest > 0) chunks.push(new Uint8Array(block - rest));
  }
  chunks.push(new Uint8Array(2 * block));
  return Buffer.concat(chunks);
}

export interface TarContent {
  readonly entries: readonly TarEntry[];
  readonly damages: readonly Damage[];
}

/**
 * Takes nothing but what `writeTar` writes, to the octet: a header that says anything else is damage, and what can be
 * read behind it still is. Entries are views of `bytes`, 64 at most; of one name the first and a damage.
 */
export function readTar(bytes: Uint8Array): TarContent {
  const entries: TarEntry[] = [];
  const damages: Damage[] = [];
  const seen = new Set<string>();
  let seconds: number | undefined;
  let before = 'the beginning';
  let at = 0;
  let searched = 0;
  const damage = (kind: Damage['kind'], part: string, text: string): void => {
    damages.push({ kind, part, text });
  };
  for (;;) {
    if (at + block > bytes.length) {
      damage('truncated', '', `the file ends after ${before}, before its end`);
      break;
    }
    if (isZero(bytes, at, at + block)) {
      const end = at + 2 * block;
      if (end > bytes.length || !isZero(bytes, at, end))
        damage('truncated', '', `the file ends after ${before}, before its end`);
      else if (bytes.length > end) damage('added', '', `${bytes.length - end} octets were added at its end`);
      break;
    }
    const read = readHeader(bytes, at, seconds);
    if (read === undefined) {
      if (searched === 0)
        damage(
          'edited',
          '',
          `the header after ${before} is not one that an edge writes; parts may be missing`,
        );
      searched += 1;
      at += block;
      if (searched > mostSearched) break;
      continue;
    }
    searched = 0;
    seconds ??= read.seconds;
    const from = at + block;
    const end = from + read.size;
    const padded = from + Math.ceil(read.size / block) * block;
    if (end > bytes.length) {
      damage('truncated', read.name, `the file ends within ${read.name}`);
      seen.add(read.name);
      break;
    }
    if (entries.length >= mostEntries) {
      damage('added', '', `there are more than ${mostEntries} parts`);
      break;
    }
    if (seen.has(read.name)) damage('added', read.name, `${read.name} is there twice`);
    else entries.push({ name: read.name, bytes: bytes.subarray(from, end) });
    seen.add(read.name);
    if (!isZero(bytes, end, Math.min(padded, bytes.length)))
      damage('edited', read.name, `something stands behind the end of ${read.name}`);
    before = read.name;
    at = padded;
  }
  return { entries, damages };
}

function readHeader(
  bytes: Uint8Array,
  at: number,
  wanted: number | undefined,
): { readonly name: string; readonly size: number; readonly seconds: number } | undefined {
  const text = (from: number, length: number): string =>
    String.fromCharCode(...bytes.subarray(at + from, at + from + length));
  const [name = ''] = text(0, 100).split('\0', 1);
  const size = octalOf(text(124, 12));
  const seconds = octalOf(text(136, 12));
  if (!isPartName(name) || size === undefined || seconds === undefined) return undefined;
  if (size > mostEntryOctets || (wanted !== undefined && seconds !== wanted)) return undefined;
  const own = header(name, size, seconds);
  for (let i = 0; i < block; i += 1) if (bytes[at + i] !== own[i]) return undefined;
  return { name, size, seconds };
}

const octalOf = (text: string): number | undefined =>
  /^[0-7]{11}\0$/.test(text) ? Number.parseInt(text, 8) : undefined;

function isZero(bytes: Uint8Array, from: number, to: number): boolean {
  for (let i = from; i < to; i += 1) if (bytes[i] !== 0) return false;
  return true;
}
