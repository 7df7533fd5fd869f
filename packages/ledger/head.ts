import { createPublicKey, type KeyObject, sign, verify } from 'node:crypto';
import { err, ok, type Result } from '@ringfence/bytes/result.ts';
import { hashLength, sha256 } from './entry.ts';

/** What the whole ledger was at a moment: whoever has a signed one can show later that it was changed. */
export interface TreeHead {
  /** Hexadecimal name of the ledger, made when it was. */
  readonly ledger: string;
  /** Entries. */
  readonly size: number;
  readonly root: Uint8Array;
  /** Unix milliseconds. */
  readonly time: number;
}

export interface SignedHead extends TreeHead {
  /** Ed25519 over `headText`. */
  readonly signature: Uint8Array;
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

/** What is signed: five lines that a person can read. */
export const headText = ({ ledger, size, root, time }: TreeHead): string =>
  `ringfence ledger head 1\n${ledger}\n${size}\n${hex(root)}\n${time}\n`;

export const signHead = (head: TreeHead, key: KeyObject): SignedHead => ({
  ...head,
  signature: sign(null, Buffer.from(headText(head)), key),
});

export const checkHead = (head: SignedHead, key: KeyObject): boolean => {
  try {
    return verify(null, Buffer.from(headText(head)), key, head.signature);
  } catch {
    return false;
  }
};

/** SHA-256 of the public key, by which people compare it; sixteen groups of four digits. */
export const keyFingerprint = (key: KeyObject): string =>
  (
    hex(
      sha256((key.type === 'private' ? createPublicKey(key) : key).export({ type: 'spki', format: 'der' })),
    ).match(/.{4}/g) ?? []
  ).join(' ');

/** One line of JSON, as witnesses keep it. */
export const encodeHead = (head: SignedHead): string =>
  JSON.stringify({
    ledger: head.ledger,
    size: head.size,
    root: hex(head.root),
    time: head.time,
    signature: Buffer.from(head.signature).toString('base64'),
  });

export function decodeHead(line: string): Result<SignedHead> {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return err('no JSON');
  }
  const { ledger, size, root, time, signature } = (value ?? {}) as Readonly<Record<string, unknown>>;
  if (typeof ledger !== 'string' || !/^[0-9a-f]{32}$/.test(ledger)) return err('no name of a ledger');
  if (!Number.isSafeInteger(size) || (size as number) < 0) return err('no size');
  if (typeof root !== 'string' || !/^[0-9a-f]{64}$/.test(root)) return err('no root');
  if (!Number.isSafeInteger(time) || (time as number) < 0) return err('no time');
  if (typeof signature !== 'string') return err('no signature');
  const bytes = Buffer.from(signature, 'base64');
  if (bytes.length !== 64) return err('a signature of the wrong length');
  const rootBytes = Buffer.from(root, 'hex');
  if (rootBytes.length !== hashLength) return err('no root');
  return ok({ ledger, size: size as number, root: rootBytes, time: time as number, signature: bytes });
}
