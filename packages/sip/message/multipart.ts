import { MisuseError } from '@ringfence/bytes/misuse.ts';
import { err, ok, type Result } from '@ringfence/bytes/result.ts';
import { skipClass, TOKEN } from './characters.ts';
import { HeaderBlock } from './header-block.ts';
import type { HeaderList } from './header-list.ts';
import { defaultLimits } from './limits.ts';
import { parseMediaType } from './media-type.ts';
import { readParams } from './params.ts';
import { quoteText, unquote } from './quoted.ts';

/** One body part: its Content- headers and its octets (RFC 2046 §5.1). */
export interface BodyPart {
  readonly headers: HeaderList;
  readonly body: Uint8Array;
}

export interface MultipartLimits {
  /** Parts of one body. Default 16. A part that is multipart itself is not opened: the caller decides on depth. */
  readonly partCount: number;
  /** Octets of the headers of one part. Default 4096. */
  readonly partHeaderSize: number;
}

export const defaultMultipartLimits: MultipartLimits = { partCount: 16, partHeaderSize: 4096 };

const boundaryExtra = "'()+_,-./:=? ";

/** RFC 2046 §5.1.1: 1 to 70 characters of bchars, the last one not a space. */
const isBoundary = (text: string): boolean => {
  if (text.length === 0 || text.length > 70 || text.endsWith(' ')) return false;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    const letter = code | 0x20;
    const alphanumeric = (code >= 0x30 && code <= 0x39) || (letter >= 0x61 && letter <= 0x7a);
    if (!alphanumeric && !boundaryExtra.includes(text[i]!)) return false;
  }
  return true;
};

const view = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** Reads the part in `bytes[from, end)`: header lines, an empty line, octets. */
const readPart = (bytes: Buffer, from: number, end: number, limits: MultipartLimits): BodyPart | string => {
  const block = new HeaderBlock(defaultLimits);
  // RFC 2046 §5.1.1: a part may be empty, begin with its empty line, or have headers only.
  if (from >= end) return { headers: block.headers, body: bytes.subarray(end, end) };
  if (bytes[from] === 13 && bytes[from + 1] === 10 && from + 2 <= end) {
    return { headers: block.headers, body: bytes.subarray(from + 2, end) };
  }
  const found = bytes.subarray(from, Math.min(end, from + limits.partHeaderSize)).indexOf('\r\n\r\n');
  if (found < 0 && end - from > limits.partHeaderSize) return 'headers of a part are too large';
  const empty = found < 0 ? end - from : found;
  const text = bytes.toString('utf8', from, from + empty);
  block.read(text, 0, text.length, true);
  if (block.problem !== undefined) return `headers of a part: ${block.problem.detail}`;
  return { headers: block.headers, body: bytes.subarray(Math.min(from + empty + 4, end), end) };
};

/**
 * Splits a multipart body (RFC 2046 §5.1, RFC 5621).
 *
 * `contentType` is the value of the Content-Type header. Bodies are views of `body`. Preamble and epilogue are left
 * out. It is an error if a delimiter line or the closing one is missing, there is no part, or a limit is passed.
 */
export const parseMultipart = (
  contentType: string,
  body: Uint8Array,
  limits: MultipartLimits = defaultMultipartLimits,
): Result<readonly BodyPart[], string> => {
  const type = parseMediaType(contentType);
  if (!type.ok) return type;
  if (!type.value.type.startsWith('multipart/')) return err('not a multipart type');
  const parameter = type.value.params.get('boundary');
  const boundary = typeof parameter === 'string' ? unquote(parameter) : '';
  if (!isBoundary(boundary)) return err('no boundary, or a bad one');

  const bytes = view(body);
  const delimiter = `--${boundary}`;
  const parts: BodyPart[] = [];
  /** Start of the open part; -1 in the preamble. */
  let open = -1;
  let search = 0;
  for (;;) {
    const at = bytes.indexOf(delimiter, search, 'latin1');
    if (at < 0) return err('no closing delimiter');
    search = at + delimiter.length;
    if (at > 0 && !(bytes[at - 2] === 13 && bytes[at - 1] === 10)) continue;
    let lineEnd = search;
    const closing = bytes[lineEnd] === 0x2d && bytes[lineEnd + 1] === 0x2d;
    if (closing) lineEnd += 2;
    while (bytes[lineEnd] === 0x20 || bytes[lineEnd] === 9) lineEnd++;
    const atEnd = lineEnd >= bytes.length;
    // Another boundary that only begins with ours is content.
    if (!(bytes[lineEnd] === 13 && bytes[lineEnd + 1] === 10) && !(closing && atEnd)) continue;
    if (open >= 0) {
      if (parts.length >= limits.partCount) return err('too many parts');
      // The CRLF before the delimiter belongs to the delimiter; a part may also be empty.
      const part = readPart(bytes, open, Math.max(open, at - 2), limits);
      if (typeof part === 'string') return err(part);
      parts.push(part);
    }
    if (closing) return parts.length === 0 ? err('no part') : ok(parts);
    open = lineEnd + 2;
    search = lineEnd;
  }
};

/**
 * A multipart body and its Content-Type value; `subtype` is e.g. `mixed`.
 *
 * The boundary is handed in. Throws `MisuseError` (`bad-boundary`) if it is none or stands in a part.
 */
export const buildMultipart = (
  subtype: string,
  boundary: string,
  parts: readonly BodyPart[],
): { readonly contentType: string; readonly body: Uint8Array } => {
  if (!isBoundary(boundary)) throw new MisuseError('bad-boundary', 'not a multipart boundary');
  if (parts.length === 0) throw new MisuseError('bad-multipart', 'multipart without parts');
  const contentType = `multipart/${subtype};boundary=${quoteText(boundary)}`;
  if (!parseMediaType(contentType).ok) throw new MisuseError('header-injection', 'not a multipart subtype');
  const chunks: Uint8Array[] = [];
  for (const part of parts) {
    const head = part.headers.toWire();
    if (head.includes(`--${boundary}`) || view(part.body).includes(`--${boundary}`, 0, 'latin1')) {
      throw new MisuseError('bad-boundary', 'the boundary stands in a part');
    }
    chunks.push(Buffer.from(`${chunks.length === 0 ? '' : '\r\n'}--${boundary}\r\n${head}\r\n`), part.body);
  }
  chunks.push(Buffer.from(`\r\n--${boundary}--\r\n`));
  return { contentType, body: Buffer.concat(chunks) };
};

/** RFC 5621 §6: whether a body or part must be understood; `required` unless Content-Disposition says optional. */
export const handlingOf = (headers: HeaderList): 'required' | 'optional' => {
  const disposition = headers.get('content-disposition');
  if (disposition === undefined) return 'required';
  const params = readParams(
    disposition,
    skipClass(disposition, 0, disposition.length, TOKEN),
    disposition.length,
    32,
  );
  const handling = typeof params === 'string' ? undefined : params.get('handling');
  return typeof handling === 'string' && handling.toLowerCase() === 'optional' ? 'optional' : 'required';
};
