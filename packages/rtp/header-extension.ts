import { Reader } from '@ringfence/bytes/reader.ts';
import type { HeaderExtension } from './packet.ts';

/** One element of a header extension, RFC 8285 §4. */
export interface ExtensionElement {
  /** 1 to 14 in the one-octet form, 1 to 255 in the two-octet form. */
  readonly id: number;
  readonly data: Uint8Array;
}

/**
 * The elements of a header extension; none where the profile is not RFC 8285's.
 *
 * What comes after an element that is cut short, or after id 15 of the one-octet form, is ignored (§4.2).
 */
export function extensionElements(extension: HeaderExtension): ExtensionElement[] {
  if (extension.profile === 0xbede) return elements(extension.data, oneOctetHead);
  if ((extension.profile & 0xfff0) === 0x1000) return elements(extension.data, twoOctetHead);
  return [];
}

type Head = (reader: Reader, first: number) => { id: number; length: number } | undefined;

/** §4.2: four bits of id, four of length minus one. */
const oneOctetHead: Head = (_, first) =>
  first >>> 4 === 15 ? undefined : { id: first >>> 4, length: (first & 0x0f) + 1 };

/** §4.3: an octet of id, an octet of length. */
const twoOctetHead: Head = (reader, first) => {
  const length = reader.u8();
  return length === undefined ? undefined : { id: first, length };
};

function elements(data: Uint8Array, headOf: Head): ExtensionElement[] {
  const found: ExtensionElement[] = [];
  const reader = new Reader(data);
  for (let first = reader.u8(); first !== undefined; first = reader.u8()) {
    // Padding between elements.
    if (first === 0) continue;
    const head = headOf(reader, first);
    const bytes = head === undefined ? undefined : reader.bytes(head.length);
    if (head === undefined || bytes === undefined) break;
    if (head.id !== 0) found.push({ id: head.id, data: bytes });
  }
  return found;
}
