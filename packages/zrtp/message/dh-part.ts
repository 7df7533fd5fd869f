import type { DhType } from '../algorithm.ts';
import { beginMessage, bodyOf } from './frame.ts';

/** Truncated MACs of the secrets that an end holds, or as many random octets, RFC 6189 §4.3.1. */
export interface SecretIds {
  readonly rs1: Uint8Array;
  readonly rs2: Uint8Array;
  readonly aux: Uint8Array;
  readonly pbx: Uint8Array;
}

/** DHPart1 and DHPart2, RFC 6189 §5.5 and §5.6. */
export interface DhPartMessage {
  readonly type: 'DHPart1 ' | 'DHPart2 ';
  readonly h1: Uint8Array;
  readonly ids: SecretIds;
  readonly publicValue: Uint8Array;
  readonly mac: Uint8Array;
}

/** Octets of a public value, RFC 6189 §5.1.5; X255 has 32 as RFC 7748 §5 writes them. */
export const publicValueLength: Readonly<Record<DhType, number>> = {
  DH3k: 384,
  DH2k: 256,
  EC25: 64,
  EC38: 96,
  X255: 32,
};

/** Octets beside the public value. */
const fixed = 21 * 4;

/** The length of the public value is whatever is there: the session knows what it must be. */
export function decodeDhPart(type: DhPartMessage['type'], message: Uint8Array): DhPartMessage | undefined {
  const body = bodyOf(message);
  const length = message.length - fixed;
  if (body === undefined || length < 32 || length > publicValueLength.DH3k) return undefined;
  const h1 = body.bytes(32)!;
  const ids = { rs1: body.bytes(8)!, rs2: body.bytes(8)!, aux: body.bytes(8)!, pbx: body.bytes(8)! };
  return { type, h1, ids, publicValue: body.bytes(length)!, mac: body.bytes(8)! };
}

/** The message with a MAC of zeros, which `seal` of the hash chain fills in. */
export const encodeDhPart = (part: Omit<DhPartMessage, 'mac'>): Uint8Array =>
  beginMessage(part.type, (fixed + part.publicValue.length) / 4)
    .bytes(part.h1)
    .bytes(part.ids.rs1)
    .bytes(part.ids.rs2)
    .bytes(part.ids.aux)
    .bytes(part.ids.pbx)
    .bytes(part.publicValue)
    .zeros(8)
    .finish();
