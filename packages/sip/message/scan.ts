/** What one pass over the octets of a header block found out. */
export interface HeaderScan {
  /** Index of the CRLF before the empty line; -1 where there is none before `end`. */
  readonly headerEnd: number;
  /** Text saying what is wrong with a line end, if anything is. */
  readonly problem: string | undefined;
  /** No octet above 0x7f. */
  readonly ascii: boolean;
  /** A control character besides CR, LF and HTAB. */
  readonly controls: boolean;
}

const cr = 13;
const lf = 10;

const wrong = (problem: string): HeaderScan => ({ headerEnd: -1, problem, ascii: false, controls: false });

/**
 * Looks for the end of the header block in `bytes[start, end)`, line ends that are not CRLF, and unusual octets.
 *
 * A lone CR or LF is a line end to some parsers and none to others: a way to smuggle headers, so it is refused.
 */
export const scanHeader = (bytes: Uint8Array, start: number, end: number): HeaderScan => {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let ascii = true;
  let controls = false;
  let i = start;
  const lastWord = end - 4;
  while (i < end) {
    // Four octets at once, while all are 0x20 to 0x7e: a byte below 0x20 borrows into bit 7, one above 0x7e carries.
    while (i <= lastWord) {
      const word = view.getInt32(i);
      if (((word | (word + 0x01010101) | (word - 0x20202020)) & 0x80808080) !== 0) break;
      i += 4;
    }
    if (i >= end) break;
    const octet = bytes[i]!;
    if (octet === cr) {
      if (bytes[i + 1] !== lf) return wrong('CR without LF');
      if (bytes[i + 2] === cr && bytes[i + 3] === lf)
        return { headerEnd: i, problem: undefined, ascii, controls };
      i += 2;
      continue;
    }
    if (octet === lf) return wrong('LF without CR');
    if (octet >= 0x80) ascii = false;
    else if ((octet < 0x20 && octet !== 9) || octet === 0x7f) controls = true;
    i++;
  }
  return { headerEnd: -1, problem: undefined, ascii, controls };
};
