import { counters, rowLength, rowOf } from './counters.ts';
import { digits, type WireEvent } from './protocol/events.ts';

const reasons = [
  ['source', counters.droppedSource],
  ['authentication', counters.droppedAuthentication],
  ['replay', counters.droppedReplay],
] as const;

/** Columns of `digitRing`. */
const digitsKept = 8;
/** A peer counts as talking while its last packet is younger than this. */
const talkingMs = 2000;

interface Seen {
  id: number;
  readonly refused: [number, number, number];
  sourceVersion: number;
  exhausted: boolean;
  digits: number;
  oneWay: boolean;
}

/**
 * Turns counters into events: no JavaScript runs per packet, so it looks once a second at what changed.
 *
 * At most one event per endpoint and reason and `mostEvents` in all per look; what is left is told at the next one.
 */
export class Watch {
  readonly #table: Float64Array;
  readonly #oneWayAfterMs: number;
  readonly #mostEvents: number;
  readonly #seen: Seen[] = [];
  #start = 0;

  constructor(table: Float64Array, oneWayAfterMs: number, mostEvents = 256) {
    this.#table = table;
    this.#oneWayAfterMs = oneWayAfterMs;
    this.#mostEvents = mostEvents;
  }

  /** `nowMs` is CLOCK_MONOTONIC, as in the table. */
  look(
    rows: number,
    nowMs: number,
    sourceOf: (id: number) => { address: string; port: number } | undefined,
  ): WireEvent[] {
    const events: WireEvent[] = [];
    for (let i = 0; i < rows; i++) {
      const row = (this.#start + i) % rows;
      const id = this.#table[row * rowLength] ?? 0;
      if (id !== 0) this.#lookAt(row, id, nowMs, sourceOf, events);
      if (events.length >= this.#mostEvents) {
        // The next look begins where this one ended, so that a flood at one endpoint cannot silence the others.
        this.#start = row + 1;
        return events;
      }
    }
    this.#start = 0;
    return events;
  }

  #lookAt(
    row: number,
    id: number,
    nowMs: number,
    sourceOf: (id: number) => { address: string; port: number } | undefined,
    events: WireEvent[],
  ): void {
    let seen = this.#seen[row];
    if (seen?.id !== id) {
      seen = { id, refused: [0, 0, 0], sourceVersion: 0, exhausted: false, digits: 0, oneWay: false };
      this.#seen[row] = seen;
    }
    const at = (column: number) => this.#table[row * rowLength + column] ?? 0;

    const version = at(counters.sourceVersion);
    if (version !== seen.sourceVersion) {
      seen.sourceVersion = version;
      const source = sourceOf(id);
      if (source) events.push({ kind: 'learned', endpoint: id, ...source });
    }
    for (const [index, [reason, column]] of reasons.entries()) {
      const total = at(column);
      const count = total - (seen.refused[index] ?? 0);
      if (count <= 0) continue;
      seen.refused[index] = total;
      events.push({ kind: 'refused', endpoint: id, reason, count });
    }
    if (!seen.exhausted && at(counters.exhausted) > 0) {
      seen.exhausted = true;
      events.push({ kind: 'key-exhausted', endpoint: id });
    }
    const pressed = at(counters.digitCount);
    if (pressed !== seen.digits) this.#lookForDigits(seen, pressed, at, events);
    this.#lookForSilence(row, seen, nowMs, events);
  }

  /** Of more than the row keeps, the first are gone. */
  #lookForDigits(seen: Seen, pressed: number, at: (column: number) => number, events: WireEvent[]): void {
    for (let i = Math.max(seen.digits, pressed - digitsKept); i < pressed; i += 1) {
      const value = at(counters.digitRing + (i % digitsKept));
      const digit = digits[value & 15];
      if (digit !== undefined)
        events.push({ kind: 'digit', endpoint: seen.id, digit, durationMs: Math.floor(value / 16) });
    }
    seen.digits = pressed;
  }

  #lookForSilence(row: number, seen: Seen, nowMs: number, events: WireEvent[]): void {
    const at = (column: number) => this.#table[row * rowLength + column] ?? 0;
    const peer = at(counters.peer);
    const silentMs = nowMs - Math.max(at(counters.receivedAt), at(counters.configuredAt));
    const silent = at(counters.expecting) === 1 && peer !== 0 && silentMs >= this.#oneWayAfterMs;
    if (!silent) {
      seen.oneWay = false;
      return;
    }
    const peerHeard = this.#table[rowOf(peer) * rowLength + counters.receivedAt] ?? 0;
    if (seen.oneWay || peerHeard === 0 || nowMs - peerHeard > talkingMs) return;
    seen.oneWay = true;
    events.push({ kind: 'one-way', endpoint: seen.id, silentMs: Math.round(silentMs) });
  }
}
