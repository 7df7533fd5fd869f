import type { KeyObject } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { decodeHeader } from '@ringfence/ledger/entry.ts';
import type { SignedHead } from '@ringfence/ledger/head.ts';
import { asRemovalAct, Removals } from '@ringfence/ledger/removal.ts';
import { Verdict, type Verification } from '@ringfence/ledger/verdict.ts';
import type { ChunkFindings } from '@ringfence/ledger/verify-chunk.ts';
import type { LedgerBackend } from './backend.ts';
import type { LedgerPlace } from './protocol.ts';
import { usualLength } from './verify-part.ts';
import { readHere, readInThreads } from './verify-readers.ts';
import { classWord } from './words.ts';

const slice = 1000;
/** Below so many entries a thread costs more than it brings. */
const worthThreads = 4 * usualLength;
const mostThreads = 4;

export interface VerifyOptions {
  readonly key: KeyObject;
  /** Heads that witnesses have kept. */
  readonly witnessed?: readonly SignedHead[];
  /** Hears how far it is, after each part of 65,536 entries. */
  readonly progress?: (done: number, size: number) => void;
  /** Where the ledger is: large ones are then read by several threads, each with a connection of its own. */
  readonly place?: LedgerPlace;
  /** Default: as many as the machine has processors, 4 at most, and none for a small ledger. */
  readonly threads?: number;
  /** Entries of one part, a power of two; for tests. */
  readonly partLength?: number;
}

/** Reads every entry and says what is not as it was recorded. Entries appended meanwhile are left for the next time. */
export async function verifyLedger(backend: LedgerBackend, options: VerifyOptions): Promise<Verification> {
  for (let attempt = 0; ; attempt++) {
    const { size } = await backend.end();
    const verification = await verifyOnce(backend, options);
    // Retention that ran meanwhile has written down what it took, but behind the end that was looked at.
    const taken = verification.damages.some(({ kind }) => kind === 'removed');
    if (!taken || attempt > 0 || (await backend.end()).size === size) return verification;
  }
}

async function verifyOnce(
  backend: LedgerBackend,
  { key, witnessed = [], progress, place, threads, partLength = usualLength }: VerifyOptions,
): Promise<Verification> {
  // Heads first: whatever they cover was there before.
  const heads = [...(await backend.heads()), ...witnessed];
  const { size: end } = await backend.end();
  const verdict = new Verdict({ ledger: backend.ledger, key, heads });
  const { sizes } = verdict;
  const covered = Math.max(end, sizes.at(-1) ?? 0);
  const options = { sizes, removals: await removalsOf(backend, end) };
  const count = threads ?? (covered < worthThreads ? 0 : Math.min(mostThreads, availableParallelism()));
  const readers =
    place === undefined || count === 0 ? readHere(backend, options) : readInThreads(place, options, count);
  try {
    const reading: Promise<ChunkFindings>[] = [];
    const join = async (): Promise<void> => {
      const findings = await (reading.shift() as Promise<ChunkFindings>);
      verdict.add(findings);
      progress?.(Math.min(findings.end, end), end);
    };
    for (let begin = 0; ; begin += partLength) {
      // Where an intruder has left a hole, however large, it is stepped over at once.
      const [next] = await backend.entries(begin, 1);
      if (next === undefined || next.place >= covered) break;
      begin = next.place - (next.place % partLength);
      const part = readers.read({ begin, end: Math.min(begin + partLength, covered) });
      // told of when its turn comes, also where an earlier one fails
      part.catch(() => undefined);
      reading.push(part);
      if (reading.length >= readers.together) await join();
    }
    while (reading.length > 0) await join();
    return verdict.finish();
  } finally {
    await readers.close();
  }
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
    const found = await backend.search([classWord('ledger')], { from: 0, before }, slice);
    for (const { header, body } of await backend.some(found)) {
      const read = decodeHeader(header);
      if (read.ok && read.value.class === 'ledger') take(body);
    }
    before = found.length < slice ? 0 : (found.at(-1) ?? 0);
  }
  for (let from = indexed; from < size; ) {
    const rows = await backend.ofClass('ledger', from, slice);
    for (const { body } of rows) take(body);
    from = rows.length < slice ? size : (rows.at(-1)?.place ?? size) + 1;
  }
  return removals;
}
