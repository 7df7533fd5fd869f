import { inclusionProof, leafHash, nodeHash } from '@ringfence/ledger/merkle.ts';
import { keptLevel, type LedgerBackend } from './backend.ts';
import { LedgerError } from './ledger-error.ts';

/** Proofs that these entries are in the tree of the first `size`. Reads some hundred entries for each at most. */
export async function prove(
  backend: LedgerBackend,
  sequences: readonly number[],
  size: number,
): Promise<readonly Uint8Array[][]> {
  const known = new Map<string, Uint8Array>();
  const node = async (level: number, index: number): Promise<Uint8Array> => {
    const name = `${level} ${index}`;
    const there = known.get(name);
    if (there !== undefined) return there;
    const made = await make(level, index);
    known.set(name, made);
    return made;
  };
  const make = async (level: number, index: number): Promise<Uint8Array> => {
    if (level >= keptLevel) {
      const kept = await backend.node(level, index);
      if (kept !== undefined) return kept;
    } else if (level > 0 && !known.has(`0 ${index * 2 ** level}`)) {
      const length = 2 ** level;
      const rows = await backend.entries(index * length, length);
      for (const { place, header } of rows) known.set(`0 ${place}`, leafHash(header));
    } else if (level === 0) {
      const [row] = await backend.some([index]);
      if (row === undefined)
        throw new LedgerError('ledger-damaged', `entry ${index} is missing; run \`ringfence verify ledger\``);
      return leafHash(row.header);
    }
    return nodeHash(await node(level - 1, 2 * index), await node(level - 1, 2 * index + 1));
  };
  const proofs: Uint8Array[][] = [];
  for (const sequence of sequences) proofs.push(await inclusionProof(node, sequence, size));
  return proofs;
}
