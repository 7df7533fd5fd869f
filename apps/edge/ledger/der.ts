/** One element of DER, in definite form, within the octets it was read from. */
export interface Element {
  readonly tag: number;
  /** Of the whole element, tag and length included. */
  readonly at: number;
  readonly begin: number;
  readonly end: number;
}

/** The element that begins there; undefined where it does not fit. */
export function readElement(bytes: Buffer, at: number, limit = bytes.length): Element | undefined {
  if (at + 2 > limit) return undefined;
  const tag = bytes[at] as number;
  let length = bytes[at + 1] as number;
  let begin = at + 2;
  if (length >= 0x80) {
    const octets = length - 0x80;
    if (octets < 1 || octets > 4 || begin + octets > limit) return undefined;
    length = bytes.readUIntBE(begin, octets);
    begin += octets;
  }
  return begin + length <= limit ? { tag, at, begin, end: begin + length } : undefined;
}

/** What an element is made of, 1,000 elements at most; undefined where that does not fit it. */
export function elementsOf(bytes: Buffer, { begin, end }: Element): Element[] | undefined {
  const inner: Element[] = [];
  for (let at = begin; at < end; ) {
    const element = readElement(bytes, at, end);
    if (element === undefined || inner.length >= 1_000) return undefined;
    inner.push(element);
    at = element.end;
  }
  return inner;
}

export const contentOf = (bytes: Buffer, { begin, end }: Element): Buffer => bytes.subarray(begin, end);
export const wholeOf = (bytes: Buffer, { at, end }: Element): Buffer => bytes.subarray(at, end);

/** Writes one with less than 65,536 octets. */
export function writeElement(tag: number, ...parts: readonly Uint8Array[]): Uint8Array {
  const content = Buffer.concat(parts);
  const { length } = content;
  const size =
    length < 0x80
      ? Buffer.of(length)
      : length < 0x100
        ? Buffer.of(0x81, length)
        : Buffer.of(0x82, length >> 8, length & 0xff);
  return Buffer.concat([Buffer.of(tag), size, content]);
}
