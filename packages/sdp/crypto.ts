import { MisuseError } from '@ringfence/bytes/misuse.ts';
import { err, ok, type Result } from '@ringfence/bytes/result.ts';
import type { MediaDescription } from './session.ts';
import { isToken, parseDecimal } from './token.ts';

/** Octets of master key plus master salt of each suite; the names are those of packages/srtp. */
const materialLength = {
  AEAD_AES_256_GCM: 44,
  AEAD_AES_128_GCM: 28,
  AES_256_CM_HMAC_SHA1_80: 46,
  AES_CM_128_HMAC_SHA1_80: 30,
  AES_256_CM_HMAC_SHA1_32: 46,
  AES_CM_128_HMAC_SHA1_32: 30,
} as const;

/** SDES suites of RFC 4568 §6.2, RFC 6188 §4 and RFC 7714 §14.2. */
export type CryptoSuite = keyof typeof materialLength;

/** Strongest first. */
export const cryptoSuites = Object.keys(materialLength) as readonly CryptoSuite[];

export const isCryptoSuite = (name: string): name is CryptoSuite => Object.hasOwn(materialLength, name);

/** One `inline:` key parameter, RFC 4568 §6.1. */
export interface CryptoKey {
  /** Master key, then master salt. The owner overwrites it when the call ends. */
  readonly material: Uint8Array;
  /** Packets for which the key may be used, at most 2^48. Default: the suite's own limit. */
  readonly lifetime?: number;
  /** The MKI as it stands in packets: 1 to 128 octets, big-endian. */
  readonly mki?: Uint8Array;
}

/** `a=crypto`, RFC 4568 §4 and §6, already known to be acceptable. */
export interface CryptoAttribute {
  /** 0 to 999,999,999. */
  readonly tag: number;
  readonly suite: CryptoSuite;
  /** One, or several with an MKI each. */
  readonly keys: readonly [CryptoKey, ...CryptoKey[]];
  /** Window size hint, RFC 4568 §6.3.6. */
  readonly windowSizeHint?: number;
}

/** Why an `a=crypto` line cannot be used. */
export type CryptoRefusal =
  /** Breaks the grammar of RFC 4568 §9, or the key does not fit the suite. */
  | 'malformed'
  | 'unknown-suite'
  /** Asks for weaker protection, or for something that we do not do, RFC 4568 §6.3. */
  | 'unacceptable-parameter'
  /** A tag that a line before has, RFC 4568 §4.1. */
  | 'duplicate-tag'
  /** More lines than we read. */
  | 'limit';

const mostKeys = 4;
const mostLines = 32;
const mostParameters = 16;
const longestLine = 1024;
const longestLifetime = 2 ** 48;

/** Reads the value of one `a=crypto`, RFC 4568 §9.1. Linear in the input; never throws. */
export function parseCrypto(value: string): Result<CryptoAttribute, CryptoRefusal> {
  if (value.length > longestLine) return err('malformed');
  const parts = value.split(/[ \t]/, mostParameters + 3).filter((part) => part !== '');
  if (parts.length < 3) return err('malformed');
  const [tagText, suite, keyText] = parts as [string, string, string];
  const tag = parseTag(tagText);
  if (tag === undefined || !isToken(suite)) return err('malformed');
  if (!isCryptoSuite(suite)) return err('unknown-suite');
  const keys = parseKeys(keyText, materialLength[suite]);
  if (keys === undefined) return err('malformed');
  let windowSizeHint: number | undefined;
  for (let i = 3; i < parts.length; i += 1) {
    const parameter = parts[i]!;
    if (parameter.startsWith('WSH=')) {
      windowSizeHint = parseDecimal(parameter, 4, parameter.length);
      if (windowSizeHint === undefined || windowSizeHint < 64) return err('malformed');
    } else if (parameter === 'FEC_ORDER=FEC_SRTP') {
      // The default order, and no FEC is done: it asks for nothing, RFC 4568 §6.3.4.
    } else if (parameter.startsWith('-') && !isKnownParameter(parameter.slice(1))) {
      // A dash marks what may be ignored when not known, RFC 4568 §6.3.7.
    } else return err('unacceptable-parameter');
  }
  return ok(windowSizeHint === undefined ? { tag, suite, keys } : { tag, suite, keys, windowSizeHint });
}

/** Parameters of RFC 4568 §6.3 that turn protection off, or need key derivation rates or FEC that we do not do. */
function isKnownParameter(parameter: string): boolean {
  const equals = parameter.indexOf('=');
  switch (equals === -1 ? parameter : parameter.slice(0, equals)) {
    case 'UNENCRYPTED_SRTP':
    case 'UNENCRYPTED_SRTCP':
    case 'UNAUTHENTICATED_SRTP':
    case 'KDR':
    case 'FEC_ORDER':
    case 'FEC_KEY':
    case 'WSH':
      return true;
  }
  return false;
}

/** 1 to 9 digits. */
function parseTag(text: string): number | undefined {
  if (text.length > 9) return undefined;
  return parseDecimal(text, 0, text.length);
}

function parseKeys(text: string, length: number): [CryptoKey, ...CryptoKey[]] | undefined {
  const parts = text.split(';', mostKeys + 1);
  if (parts.length > mostKeys) return undefined;
  const keys: CryptoKey[] = [];
  for (const part of parts) {
    const key = parseKey(part, length);
    if (key === undefined) return undefined;
    keys.push(key);
  }
  const [first, ...others] = keys;
  if (first === undefined) return undefined;
  if (others.length === 0) return [first];
  // Several keys are told apart by their MKIs: all have one, of one length, none twice, RFC 4568 §6.1.
  const seen = new Set<string>();
  for (const { mki } of keys) {
    if (mki === undefined || mki.length !== first.mki?.length) return undefined;
    const name = Buffer.from(mki.buffer, mki.byteOffset, mki.length).toString('hex');
    if (seen.has(name)) return undefined;
    seen.add(name);
  }
  return [first, ...others];
}

function parseKey(text: string, length: number): CryptoKey | undefined {
  if (!text.startsWith('inline:')) return undefined;
  const fields = text.slice(7).split('|', 4);
  if (fields.length > 3) return undefined;
  const material = decodeBase64(fields[0]!, length);
  if (material === undefined) return undefined;
  let lifetime: number | undefined;
  let mki: Uint8Array | undefined;
  // Both are optional; only the MKI has a colon.
  for (let i = 1; i < fields.length; i += 1) {
    const field = fields[i]!;
    if (field.includes(':')) {
      if (i !== fields.length - 1) return undefined;
      mki = parseMki(field);
      if (mki === undefined) return undefined;
    } else {
      if (i !== 1) return undefined;
      lifetime = parseLifetime(field);
      if (lifetime === undefined) return undefined;
    }
  }
  if (lifetime === undefined) return mki === undefined ? { material } : { material, mki };
  return mki === undefined ? { material, lifetime } : { material, lifetime, mki };
}

/** `2^n` or a number of packets. */
function parseLifetime(text: string): number | undefined {
  const power = text.startsWith('2^');
  const number = parseDecimal(text, power ? 2 : 0, text.length);
  if (number === undefined) return undefined;
  const packets = power ? (number > 48 ? Number.POSITIVE_INFINITY : 2 ** number) : number;
  return packets === 0 || packets > longestLifetime ? undefined : packets;
}

/** `value:length`, the value in decimal, the length in octets. */
function parseMki(text: string): Uint8Array | undefined {
  const colon = text.indexOf(':');
  const length = parseDecimal(text, colon + 1, text.length);
  if (length === undefined || length === 0 || length > 128 || text.length - colon > 4) return undefined;
  if (colon === 0 || colon > 309) return undefined;
  for (let i = 0; i < colon; i += 1) {
    const c = text.charCodeAt(i);
    if (c < 0x30 || c > 0x39) return undefined;
  }
  let rest = BigInt(text.slice(0, colon));
  const mki = new Uint8Array(length);
  for (let i = length - 1; i >= 0; i -= 1) {
    mki[i] = Number(rest & 0xffn);
    rest >>= 8n;
  }
  return rest === 0n ? mki : undefined;
}

/** Exactly `length` octets of base64, into memory of its own so that overwriting it leaves nothing behind. */
function decodeBase64(text: string, length: number): Uint8Array | undefined {
  const digits = Math.ceil((length * 4) / 3);
  // Padding is part of the grammar, but some phones leave it off.
  if (text.length !== digits && text.length !== Math.ceil(length / 3) * 4) return undefined;
  for (let i = 0; i < text.length; i += 1) {
    const c = text.charCodeAt(i);
    if (i >= digits ? c !== 0x3d : !isBase64(c)) return undefined;
  }
  const bytes = Buffer.alloc(length);
  return bytes.write(text, 'base64') === length
    ? new Uint8Array(bytes.buffer, bytes.byteOffset, length)
    : undefined;
}

const isBase64 = (c: number): boolean =>
  (c >= 0x41 && c <= 0x5a) ||
  (c >= 0x61 && c <= 0x7a) ||
  (c >= 0x30 && c <= 0x39) ||
  c === 0x2b ||
  c === 0x2f;

/**
 * Writes the value of an `a=crypto`.
 * @throws MisuseError `sdp-crypto` where tag, key, lifetime or MKI break RFC 4568.
 */
export function serializeCrypto(crypto: CryptoAttribute): string {
  const { tag, suite, keys, windowSizeHint } = crypto;
  if (!Number.isInteger(tag) || tag < 0 || tag > 999_999_999 || !isCryptoSuite(suite))
    throw new MisuseError('sdp-crypto', 'no such tag or suite');
  if (keys.length > 1 && keys.some((key) => key.mki === undefined))
    throw new MisuseError('sdp-crypto', 'several keys need an MKI each');
  let text = `${tag} ${suite} `;
  for (let i = 0; i < keys.length; i += 1) {
    if (i > 0) text += ';';
    text += serializeKey(keys[i]!, materialLength[suite]);
  }
  return windowSizeHint === undefined ? text : `${text} WSH=${windowSizeHint}`;
}

function serializeKey({ material, lifetime, mki }: CryptoKey, length: number): string {
  if (material.length !== length) throw new MisuseError('sdp-crypto', 'the key does not fit the suite');
  let text = `inline:${Buffer.from(material.buffer, material.byteOffset, length).toString('base64')}`;
  if (lifetime !== undefined) {
    if (!Number.isInteger(lifetime) || lifetime < 1 || lifetime > longestLifetime)
      throw new MisuseError('sdp-crypto', 'lifetime is not 1 to 2^48');
    const exponent = Math.log2(lifetime);
    text += Number.isInteger(exponent) ? `|2^${exponent}` : `|${lifetime}`;
  }
  if (mki !== undefined) {
    if (mki.length === 0 || mki.length > 128)
      throw new MisuseError('sdp-crypto', 'MKI is not 1 to 128 octets');
    let value = 0n;
    for (const octet of mki) value = (value << 8n) | BigInt(octet);
    text += `|${value}:${mki.length}`;
  }
  return text;
}

/** The `a=crypto` lines of a stream: those that we can use, in the order of preference of their sender. */
export interface CryptoLines {
  readonly acceptable: readonly CryptoAttribute[];
  readonly refused: readonly CryptoRefusal[];
}

export function cryptoLines(media: Pick<MediaDescription, 'attributes'>): CryptoLines {
  const acceptable: CryptoAttribute[] = [];
  const refused: CryptoRefusal[] = [];
  let lines = 0;
  for (const { name, value } of media.attributes) {
    if (name !== 'crypto') continue;
    lines += 1;
    if (lines > mostLines) {
      refused.push('limit');
      break;
    }
    const parsed = parseCrypto(value ?? '');
    if (!parsed.ok) refused.push(parsed.error);
    else if (acceptable.some((other) => other.tag === parsed.value.tag)) refused.push('duplicate-tag');
    else acceptable.push(parsed.value);
  }
  return { acceptable, refused };
}

/**
 * The offered line to answer: of the suites that we support, in our order, the first that was offered.
 *
 * Ours and not the offerer's order, so that a weak suite in front cannot win over a strong one behind it.
 */
export function chooseCrypto(
  offered: readonly CryptoAttribute[],
  supported: readonly CryptoSuite[],
): CryptoAttribute | undefined {
  for (const suite of supported) {
    const found = offered.find((crypto) => crypto.suite === suite);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Finds the offered line that an answer accepts: one line, of an offered tag, with its suite, RFC 4568 §5.1.3. */
export function acceptedCrypto(
  offered: readonly CryptoAttribute[],
  answered: CryptoLines,
): { readonly offered: CryptoAttribute; readonly answered: CryptoAttribute } | undefined {
  const [answer] = answered.acceptable;
  if (answer === undefined || answered.acceptable.length > 1 || answered.refused.length > 0) return undefined;
  const match = offered.find((crypto) => crypto.tag === answer.tag);
  return match === undefined || match.suite !== answer.suite
    ? undefined
    : { offered: match, answered: answer };
}
