import type { KeyObject } from 'node:crypto';
import { decodeHeader } from '@ringfence/ledger/entry.ts';
import type { SignedHead } from '@ringfence/ledger/head.ts';
import { asRemovalAct, Removals } from '@ringfence/ledger/removal.ts';
import { Verdict, type Verification } from '@ringfence/ledger/verdict.ts';
import { ChunkVerifier } from '@ringfence/ledger/verify-chunk.ts';
import type { LedgerBackend } from './backend.ts';
import { classWord } from './words.ts';

const slice = 4096;

export interface VerifyOptions {
  readonly key: KeyObject;
  /** Heads that witnesses have kept. */
  readonly witnessed?: readonly SignedHead[];
  /** Hears how far it is, some times a second at most. */
  readonly progress?: (done: number, size: number) => void;
}

/** Reads every entry and says what is not as it was recorded. Entries appended meanwhile are left for the next time. */
export async function verifyLedger(
  backend: LedgerBackend,
  { key, witnessed = [], progress }: VerifyOptions,
): Promise<Verification> {
  // Heads first: whatever they cover was there before.
  const heads = [...(await backend.heads()), ...witnessed];
  const { size: end } = await backend.end();
  const covered = Math.max(end, ...heads.map(({ size }) => size));
  const verdict = new Verdict({ ledger: backend.ledger, key, heads });
  const chunk = new ChunkVerifier(0, Verdict.sizes({ heads }), await removalsOf(backend, end));
  for (let from = 0; ; ) {
    const rows = await backend.entries(from, slice);
    for (const row of rows) if (row.place < covered) chunk.entry(row);
    const last = rows.at(-1);
    if (last === undefined || rows.length < slice || last.place >= covered) break;
    from = last.place + 1;
    progress?.(from, end);
  }
  verdict.add(chunk.finish());
  return verdict.finish();
}

/**
 * Acts of retention, found by the index and, where that does not reach, by their headers. One that the index hides
 * makes damage of what it allowed, never the other way round; what it says is checked with all other entries.
 */
async function removalsOf(backend: LedgerBackend, size: number): Promise<Removals> {
  const removals = new Removals();
  const take = (body: Uint8Array | undefined): void => {
    if (body === undefined) return;
    try {
      const act = asRemovalAct(JSON.parse(Buffer.from(body).toString('utf8')));
      if (act !== undefined) removals.add(act);
    } catch {
      // no act; that its content is not what was recorded will be told
    }
  };
  const indexed = Math.min(size, await backend.indexed());
  for (let before = indexed; before > 0; ) {
    const found = await backend.search([classWord('ledger')], { from: 0, before }, 1000);
    for (const { header, body } of await backend.some(found)) {
      const read = decodeHeader(header);
      if (read.ok && read.value.class === 'ledger') take(body);
    }
    before = found.length < 1000 ? 0 : (found.at(-1) ?? 0);
  }
  for (let from = indexed; from < size; ) {
    const rows = await backend.entries(from, slice);
    for (const { header, body } of rows) {
      const read = decodeHeader(header);
      if (read.ok && read.value.class === 'ledger') take(body);
    }
    from = (rows.at(-1)?.place ?? size) + 1;
  }
  return removals;
}
