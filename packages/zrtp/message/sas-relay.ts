import { Reader } from '@ringfence/bytes/reader.ts';
import { Writer } from '@ringfence/bytes/writer.ts';
import { type ConfirmFlags, flagOctet, flagsOf, signatureLengthOf } from './confirm.ts';
import { asciiOf, textOf } from './frame.ts';

/** What SASrelay carries encrypted, RFC 6189 §5.13. */
export interface RelayContent extends Omit<ConfirmFlags, 'enrollment'> {
  /** How the other party renders its SAS. */
  readonly sasType: string;
  /** 32 octets; zeros for somebody who does not trust the relaying end. */
  readonly sasHash: Uint8Array;
}

export function decodeRelayContent(plain: Uint8Array): RelayContent | undefined {
  const reader = new Reader(plain);
  const word = reader.u32();
  const sasType = reader.bytes(4);
  const sasHash = reader.bytes(32);
  if (word === undefined || sasType === undefined || sasHash === undefined) return undefined;
  if (reader.left !== signatureLengthOf(word)) return undefined;
  const { verified, allowClear, disclosure } = flagsOf(word & 0xf7);
  return { verified, allowClear, disclosure, sasType: textOf(sasType), sasHash };
}

export const encodeRelayContent = (content: RelayContent): Uint8Array =>
  new Writer(40)
    .u32(flagOctet({ ...content, enrollment: false }))
    .bytes(asciiOf(content.sasType))
    .bytes(content.sasHash)
    .finish();
