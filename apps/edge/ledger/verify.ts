import type { KeyObject, X509Certificate } from 'node:crypto';
import { availableParallelism } from 'node:os';
import type { SignedHead } from '@ringfence/ledger/head.ts';
import { Verdict, type Verification } from '@ringfence/ledger/verdict.ts';
import type { ChunkFindings } from '@ringfence/ledger/verify-chunk.ts';
import { readActs, type StampedHead } from './acts.ts';
import type { LedgerBackend } from './backend.ts';
import type { LedgerPlace } from './protocol.ts';
import { usualLength } from './verify-part.ts';
import { readHere, readInThreads } from './verify-readers.ts';

/** Below so many entries a thread costs more than it brings. */
const worthThreads = 4 * usualLength;
const mostThreads = 4;

export interface VerifyOptions {
  readonly key: KeyObject;
  /** Certificates, one of which has to stand behind each time stamp; without any, only its signature is verified. */
  readonly trusted?: readonly X509Certificate[];
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

export interface LedgerVerification extends Verification {
  /** Time stamps that hold, and the newest head that one is over. */
  readonly stamps: number;
  readonly stamped?: StampedHead;
}

/** Reads every entry and says what is not as it was recorded. Entries appended meanwhile are left for the next time. */
export async function verifyLedger(
  backend: LedgerBackend,
  options: VerifyOptions,
): Promise<LedgerVerification> {
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
  { key, trusted = [], witnessed = [], progress, place, threads, partLength = usualLength }: VerifyOptions,
): Promise<LedgerVerification> {
  // Heads first: whatever they cover was there before.
  const kept = await backend.heads();
  const { size: end } = await backend.end();
  const { removals, stamps, newest, badStamps } = await readActs(backend, end, { key, trusted });
  const heads = [...kept, ...witnessed, ...(newest === undefined ? [] : [newest.head])];
  const verdict = new Verdict({ ledger: backend.ledger, key, heads });
  const { sizes } = verdict;
  const covered = Math.max(end, sizes.at(-1) ?? 0);
  const options = { sizes, removals };
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
    for (const { sequence, why } of badStamps) verdict.stampForged(sequence, why);
    return { ...verdict.finish(), stamps, ...(newest === undefined ? {} : { stamped: newest }) };
  } finally {
    await readers.close();
  }
}
