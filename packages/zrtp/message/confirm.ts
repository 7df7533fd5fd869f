import { Reader } from '@ringfence/bytes/reader.ts';
import { Writer } from '@ringfence/bytes/writer.ts';

/** Flags of Confirm and SASrelay, RFC 6189 §4.6. */
export interface ConfirmFlags {
  /** E: the PBX offers enrolment, §7.3.1. */
  readonly enrollment: boolean;
  /** V: a person had compared the SAS in the session before, §7.1. */
  readonly verified: boolean;
  /** A: GoClear is taken, §4.7.2. */
  readonly allowClear: boolean;
  /** D: the product can disclose keys, §11. */
  readonly disclosure: boolean;
}

/** What Confirm1 and Confirm2 carry encrypted, RFC 6189 §5.7. */
export interface ConfirmContent extends ConfirmFlags {
  readonly h0: Uint8Array;
  /** Seconds that the new secret may be kept; 0xffffffff is for ever, 0 not at all. */
  readonly cacheSeconds: number;
  /** Type block and signature of the SAS; they are not verified here. */
  readonly signature?: Uint8Array;
}

export const flagOctet = (flags: ConfirmFlags): number =>
  (flags.enrollment ? 8 : 0) |
  (flags.verified ? 4 : 0) |
  (flags.allowClear ? 2 : 0) |
  (flags.disclosure ? 1 : 0);

/** §7.3.1: with E set, A counts as not set. */
export const flagsOf = (octet: number): ConfirmFlags => ({
  enrollment: (octet & 8) !== 0,
  verified: (octet & 4) !== 0,
  allowClear: (octet & 2) !== 0 && (octet & 8) === 0,
  disclosure: (octet & 1) !== 0,
});

/** The 9 bits of signature length, in words with the type block. */
export const signatureLengthOf = (word: number): number => ((word >>> 8) & 0x1ff) * 4;

export function decodeConfirmContent(plain: Uint8Array): ConfirmContent | undefined {
  const reader = new Reader(plain);
  const h0 = reader.bytes(32);
  const word = reader.u32();
  const cacheSeconds = reader.u32();
  if (h0 === undefined || word === undefined || cacheSeconds === undefined) return undefined;
  const signature = reader.rest();
  if (signature.length !== signatureLengthOf(word)) return undefined;
  return { h0, ...flagsOf(word & 0xff), cacheSeconds, ...(signature.length > 0 && { signature }) };
}

export const encodeConfirmContent = (content: Omit<ConfirmContent, 'signature'>): Uint8Array =>
  new Writer(40).bytes(content.h0).u32(flagOctet(content)).u32(content.cacheSeconds).finish();
