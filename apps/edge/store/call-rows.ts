import type { DatabaseSync, SQLOutputValue, StatementSync } from 'node:sqlite';
import type { CallRecord, LegRecord } from './contract.ts';
import { callFields, legFields, packCall, splitCall, unpackCall } from './pack-call.ts';
import type { JournalRow } from './protocol.ts';

/** `legs.number` is `calls.number` times this, plus the leg's index. */
const legsPerCall = 64;
/** Ended calls that may stay in `live_calls` before they are swept out together. */
const sweepAt = 2000;

const marks = (count: number): string => `${'?,'.repeat(count - 1)}?`;
// empty text stands for a time that has not come; STRICT tables turn digits into integers
const callValues = `(?,?,?,?,?,NULLIF(?,''),NULLIF(?,''),${marks(callFields - 5)})`;
const legValues = `(?,?,?,?,?,?,?,?,NULLIF(?,''),NULLIF(?,''),${marks(legFields - 9)})`;

/** Writes call records; one instance per database, since it hands out `calls.number`. */
export class CallWriter {
  readonly #database: DatabaseSync;
  readonly #putLive: StatementSync;
  readonly #dropLive: StatementSync;
  readonly #putCall: StatementSync;
  readonly #putLegs: StatementSync[] = [];
  #next: number;
  #ended: number[] = [];

  constructor(database: DatabaseSync) {
    this.#database = database;
    this.#putLive = database.prepare('INSERT OR REPLACE INTO live_calls VALUES (?, ?, ?, ?)');
    this.#dropLive = database.prepare('DELETE FROM live_calls WHERE sequence = ?');
    this.#putCall = database.prepare(`INSERT INTO calls VALUES ${callValues}`);
    const row = database.prepare('SELECT coalesce(max(number), 0) + 1 AS next FROM calls').get();
    this.#next = (row as { next: number }).next;
  }

  live(sequence: number, packed: string, state: string): void {
    this.#putLive.run(sequence, this.#next, packed, state);
  }

  /** `sequence` 0: the call was never written as live. */
  ended(sequence: number, packed: string): void {
    const split = splitCall(packed);
    if (split === undefined) throw new TypeError('not a packed call record');
    const { fields, legs } = split;
    const number = this.#next;
    this.#next += 1;
    this.#putCall.run(number, sequence, ...fields.slice(2, 2 + callFields));
    if (legs > 0) {
      const values: (string | number)[] = [];
      for (let leg = 0, at = 2 + callFields; leg < legs; leg++) {
        values.push(number * legsPerCall + leg);
        for (let i = 0; i < legFields; i++, at++) values.push(fields[at]!);
      }
      this.#legStatement(legs).run(...values);
    }
    if (sequence !== 0) this.#ended.push(sequence);
  }

  /** Deletes the rows of ended calls from `live_calls` once they are many; in the order of their pages. */
  sweep(least = sweepAt): void {
    if (this.#ended.length < least) return;
    const ended = this.#ended.sort((a, b) => a - b);
    this.#ended = [];
    for (const sequence of ended) this.#dropLive.run(sequence);
  }

  #legStatement(legs: number): StatementSync {
    let statement = this.#putLegs[legs];
    if (statement === undefined) {
      statement = this.#database.prepare(`INSERT INTO legs VALUES ${Array(legs).fill(legValues).join(',')}`);
      this.#putLegs[legs] = statement;
    }
    return statement;
  }

  /** Ends what was live when the last process died, but the sequences in `keep`; gives how many calls that were. */
  closeInterrupted(now: number, keep: readonly number[] = []): number {
    const kept = new Set(keep);
    const rows = liveRows(this.#database).filter(({ sequence }) => !kept.has(sequence));
    for (const { sequence, record } of rows) {
      const live = unpackCall(record);
      if (live === undefined) continue;
      const legs = live.legs.map((leg) => ({ ...leg, endedAt: leg.endedAt ?? now }));
      const ended: CallRecord = {
        ...live,
        legs,
        endedAt: now,
        disposition: 'interrupted',
        cause: 'edge-restart',
      };
      this.ended(sequence, packCall(ended));
    }
    this.#ended = [];
    const stale = this.#database.prepare('SELECT sequence FROM live_calls').all() as { sequence: number }[];
    for (const { sequence } of stale) if (!kept.has(sequence)) this.#dropLive.run(sequence);
    return rows.length;
  }

  /** Sequences are never used twice, not even over restarts. */
  nextSequence(): number {
    const row = this.#database
      .prepare(
        'SELECT max((SELECT coalesce(max(sequence), 0) FROM live_calls), (SELECT coalesce(max(sequence), 0) FROM calls)) + 1 AS next',
      )
      .get();
    return (row as { next: number }).next;
  }
}

/** Rows of `live_calls` whose calls have not ended. */
export function liveRows(database: DatabaseSync): JournalRow[] {
  return database
    .prepare(
      `SELECT sequence, record, state FROM live_calls WHERE sequence NOT IN
         (SELECT sequence FROM calls WHERE number >= (SELECT coalesce(min(number), 0) FROM live_calls))
       ORDER BY sequence DESC`,
    )
    .all() as unknown as JournalRow[];
}

export interface CallQuery {
  /** At most so many, newest first. */
  readonly limit: number;
  readonly domain?: string | undefined;
  readonly id?: string | undefined;
}

/** Calls in progress, then finished calls with their legs, each newest first. */
export function listCalls(database: DatabaseSync, query: CallQuery): CallRecord[] {
  const live = liveRows(database)
    .map((row) => unpackCall(row.record))
    .filter((r) => r !== undefined)
    .filter((r) => query.domain === undefined || r.domain === query.domain)
    .filter((r) => query.id === undefined || r.id === query.id);
  const rows = database
    .prepare(
      'SELECT * FROM calls WHERE (?1 IS NULL OR domain = ?1) AND (?2 IS NULL OR id = ?2) ORDER BY number DESC LIMIT ?3',
    )
    .all(query.domain ?? null, query.id ?? null, query.limit);
  const legs = database.prepare('SELECT * FROM legs WHERE number >= ? AND number < ? ORDER BY number');
  const ended = rows.map((row) => {
    const first = Number(row.number) * legsPerCall;
    return readCall(row, legs.all(first, first + legsPerCall));
  });
  return [...live, ...ended].slice(0, query.limit);
}

/** Those calls, in progress or finished, in one pass over the table: it has no index of ids. */
export function callsById(database: DatabaseSync, ids: readonly string[]): CallRecord[] {
  if (ids.length === 0) return [];
  const wanted = new Set(ids);
  const rows = database
    .prepare('SELECT * FROM calls WHERE id IN (SELECT value FROM json_each(?)) ORDER BY number')
    .all(JSON.stringify(ids));
  const legs = database.prepare('SELECT * FROM legs WHERE number >= ? AND number < ? ORDER BY number');
  const ended = rows.map((row) => {
    const first = Number(row.number) * legsPerCall;
    return readCall(row, legs.all(first, first + legsPerCall));
  });
  const live = liveRows(database)
    .map((row) => unpackCall(row.record))
    .filter((call) => call !== undefined)
    .filter(({ id }) => wanted.has(id));
  return [...ended, ...live];
}

type Row = Record<string, SQLOutputValue>;

function readCall(row: Row, legs: readonly Row[]): CallRecord {
  return {
    id: String(row.id),
    domain: String(row.domain),
    startedAt: Number(row.started_at),
    ...(row.ringing_at === null ? {} : { ringingAt: Number(row.ringing_at) }),
    ...(row.answered_at === null ? {} : { answeredAt: Number(row.answered_at) }),
    endedAt: Number(row.ended_at),
    caller: String(row.caller),
    callee: String(row.callee),
    principal: String(row.principal),
    route: String(row.route),
    disposition: String(row.disposition) as CallRecord['disposition'],
    status: Number(row.status),
    cause: String(row.cause),
    decision: String(row.decision),
    grade: String(row.grade),
    ...(row.cost === '' ? {} : { cost: String(row.cost) }),
    legs: legs.map(readLeg),
  };
}

function readLeg(row: Row): LegRecord {
  return {
    index: Number(row.number) % legsPerCall,
    direction: String(row.direction) as LegRecord['direction'],
    principal: String(row.principal),
    remote: String(row.remote),
    transport: String(row.transport),
    callId: String(row.call_id),
    status: Number(row.status),
    startedAt: Number(row.started_at),
    ...(row.answered_at === null ? {} : { answeredAt: Number(row.answered_at) }),
    ...(row.ended_at === null ? {} : { endedAt: Number(row.ended_at) }),
    protection: String(row.protection),
    quality: String(row.quality),
  };
}
