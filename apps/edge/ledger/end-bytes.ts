import { hashLength } from '@ringfence/ledger/entry.ts';
import type { Subtree } from '@ringfence/ledger/merkle.ts';

/** A level in one octet and its hash, largest subtree first: how the end of the tree is stored. */
export const encodeSubtrees = (subtrees: readonly Subtree[]): Uint8Array =>
  Buffer.concat(subtrees.flatMap(({ level, hash }) => [Buffer.of(level), hash]));

export function decodeSubtrees(bytes: Uint8Array): Subtree[] {
  const subtrees: Subtree[] = [];
  for (let at = 0; at + hashLength < bytes.length; at += 1 + hashLength)
    subtrees.push({ level: bytes[at] as number, hash: bytes.slice(at + 1, at + 1 + hashLength) });
  return subtrees;
}
