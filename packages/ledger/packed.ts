import { isPlainHeader } from './entry.ts';

/**
 * Many entries in one piece of memory, as databases can give them without an object for each.
 *
 * Of each, one after the other: place (64 bits), lengths of header, body and sealed parts (32 bits each, all ones where
 * content was taken), 0x00, header, length of the body (32 bits), body, sealed parts. So what is hashed lies side by
 * side: 0x00 and header make the leaf, the length and all behind it the content.
 */
export interface PackedEntry {
  readonly place: number;
  /** Where the 0x00 stands. */
  readonly leaf: number;
  /** Where the header ends and the content begins. */
  readonly content: number;
  readonly end: number;
  readonly body: number | undefined;
  readonly sealed: number | undefined;
}

const none = 0xffff_ffff;
const fixed = 20;

/** The entry that begins there; undefined behind the last. What is cut off is misuse, since the database packs it. */
export function packedEntry(bytes: Buffer, at: number): PackedEntry | undefined {
  if (at >= bytes.length) return undefined;
  const body = bytes.readUInt32BE(at + 12);
  const sealed = bytes.readUInt32BE(at + 16);
  const leaf = at + fixed;
  const content = leaf + 1 + bytes.readUInt32BE(at + 8);
  const end = content + 4 + (body === none ? 0 : body) + (sealed === none ? 0 : sealed);
  if (end > bytes.length) throw new RangeError('packed entries that are cut off');
  return {
    place: bytes.readUInt32BE(at) * 2 ** 32 + bytes.readUInt32BE(at + 4),
    leaf,
    content,
    end,
    body: body === none ? undefined : body,
    sealed: sealed === none ? undefined : sealed,
  };
}

/** Whether it has content, and a header of this place whose every field is sound; the others need a closer look. */
export const isPlain = (bytes: Buffer, { place, leaf, content, body }: PackedEntry): boolean =>
  body !== undefined && isPlainHeader(bytes, leaf + 1, content, place);
