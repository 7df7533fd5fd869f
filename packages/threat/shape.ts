/** Ways in which a request is made unlike those of telephones. */
export const shapeFlag = {
  /** The branch has no magic cookie (RFC 3261 §8.1.1.7), or is guessable. */
  branch: 1,
  /** The tag or the Call-ID has less than 24 bits (RFC 3261 §19.3 wants 32). */
  token: 2,
  /** Header fields in an order that no phone uses. */
  order: 4,
  /** The Via names a loopback address. */
  loopback: 8,
} as const;

const cookie = 'z9hG4bK';
const leastBits = 24;
/** So many characters of any alphabet hold more than that. */
const enough = 16;

/**
 * Most randomness that a token can hold, in bits: its length times that of its alphabet, with runs of one character
 * counted once. Its first 16 characters are looked at.
 */
export function tokenBits(token: string, from = 0): number {
  let digits = 0;
  let hex = 0;
  let lower = 0;
  let upper = 0;
  let other = 0;
  let length = 0;
  let before = -1;
  const end = Math.min(token.length, from + enough);
  for (let i = from; i < end; i += 1) {
    const c = token.charCodeAt(i);
    if (c === before) continue;
    before = c;
    length += 1;
    if (c >= 48 && c <= 57) digits = 10;
    else if (c >= 97 && c <= 102) hex = 6;
    else if (c >= 103 && c <= 122) lower = 26;
    else if (c >= 65 && c <= 90) upper = 26;
    else other = 4;
  }
  const alphabet = digits + (lower === 0 ? hex : lower) + upper + other;
  return alphabet === 0 ? 0 : length * Math.log2(alphabet);
}

/** The flags of a request: texts as parsed, and the whole of it as it came. */
export function readShape(
  branch: string | undefined,
  sentBy: string,
  tag: string,
  callId: string,
  bytes: Uint8Array,
): number {
  let flags = 0;
  if (branch === undefined || !branch.startsWith(cookie) || tokenBits(branch, cookie.length) < leastBits)
    flags |= shapeFlag.branch;
  if (tokenBits(tag) < leastBits || tokenBits(callId) < leastBits) flags |= shapeFlag.token;
  if (sentBy.startsWith('127.') || sentBy === 'localhost' || sentBy === '::1') flags |= shapeFlag.loopback;
  if (oddOrder(bytes)) flags |= shapeFlag.order;
  return flags;
}

const lines = 24;

/**
 * Content-Length before From, or User-Agent before To: telephones write who speaks to whom first; scanners that fill a
 * template in the order of a hash table do not.
 */
export function oddOrder(bytes: Uint8Array): boolean {
  let seen = 0;
  for (let i = bytes.indexOf(10), n = 0; i >= 0 && n < lines; i = bytes.indexOf(10, i + 1), n += 1) {
    const c = bytes[i + 1]! | 0x20;
    const next = bytes[i + 2]! | 0x20;
    if (bytes[i + 1] === 13) return false;
    // l: or Content-Length, the only one in use whose name has its 9th character an l after the dash.
    if (
      (c === 0x6c && (bytes[i + 2] === 58 || bytes[i + 2] === 32)) ||
      (c === 0x63 && (bytes[i + 9]! | 0x20) === 0x6c && bytes[i + 8] === 45)
    )
      seen |= 1;
    else if (c === 0x75 && (bytes[i + 6]! | 0x20) === 0x61) seen |= 2;
    else if (c === 0x66 && (next === 0x72 || bytes[i + 2] === 58 || bytes[i + 2] === 32)) {
      if ((seen & 1) !== 0) return true;
      seen |= 4;
    } else if (c === 0x74 && (next === 0x6f || bytes[i + 2] === 58 || bytes[i + 2] === 32)) {
      if ((seen & 2) !== 0) return true;
      seen |= 8;
    }
    if ((seen & 12) === 12) return false;
  }
  return false;
}

/** The digits of a target behind which prefixes of dial plans vary: its last seven. -1 where it has fewer. */
export function tailOf(target: string): number {
  let digits = 0;
  let tail = 0;
  let scale = 1;
  for (let i = target.length - 1; i >= 0 && digits < 7; i -= 1) {
    const c = target.charCodeAt(i);
    if (c < 48 || c > 57) return -1;
    tail += (c - 48) * scale;
    scale *= 10;
    digits += 1;
  }
  return digits === 7 ? tail : -1;
}

/** The number that a target is, where it is one of 2 to 15 digits; else -1. */
export function numberOf(target: string): number {
  if (target.length < 2 || target.length > 15) return -1;
  let value = 0;
  for (let i = 0; i < target.length; i += 1) {
    const c = target.charCodeAt(i);
    if (c < 48 || c > 57) return -1;
    value = value * 10 + c - 48;
  }
  return value;
}

/** Marks of tools that are found in SIP text, whatever the User-Agent says; each is a name that the tool gives itself. */
const marks = [
  'friendly-scanner',
  'friendly-request',
  'sipvicious',
  'sip-scan',
  'sipcli',
  'sundayddr',
  'vaxsipuseragent',
  'vaxasip',
  'pplsip',
  'sipptk',
  'sipscan',
  'sivus',
  'warvox',
  'nm@nm',
] as const;

/** Texts of which it is remembered whether they hold a mark; forgotten all at once. */
const remembered = 512;

/** Looks for marks; phones of a kind say the same, so most texts were looked at before. At most 64 KB. */
export class MarkReader {
  #known = new Map<string, string | undefined>();

  find(text: string): string | undefined {
    if (text === '' || text.length > 128) return markOf(text);
    const known = this.#known.get(text);
    if (known !== undefined || this.#known.has(text)) return known;
    if (this.#known.size >= remembered) this.#known = new Map();
    const mark = markOf(text);
    this.#known.set(text, mark);
    return mark;
  }
}

/** The mark of a known tool in a User-Agent, display name or user; undefined for none. */
export function markOf(text: string): string | undefined {
  if (text === '') return undefined;
  const lower = text.slice(0, 128).toLowerCase();
  return marks.find((mark) => lower.includes(mark));
}
