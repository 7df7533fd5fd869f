import type { Pair } from './checklist.ts';

/** Requests that are sent at most, RFC 8489 §6.2.1. */
const rc = 7;
/** Multiple of the RTO that is waited after the last one, §6.2.1. */
const rm = 16;
/** Shortest RTO, ms, RFC 8445 §14.3. */
export const leastRto = 500;
const most = 256;

/** A check that is under way. */
export interface Check {
  readonly pair: Pair;
  readonly useCandidate: boolean;
  /** The role that it claimed, which a 487 is about. */
  readonly controlling: boolean;
  readonly bytes: Uint8Array;
  readonly rto: number;
  sent: number;
  /** When it is sent again, or given up. */
  at: number;
  /** Not sent again; its response still counts until then (RFC 8445 §7.3.1.4: a cancelled transaction). */
  cancelled: boolean;
}

/** Transactions are found by the octets of their id. */
export const idOf = (transactionId: Uint8Array): string =>
  Buffer.from(transactionId.buffer, transactionId.byteOffset, transactionId.length).toString('latin1');

/** STUN client transactions over UDP, RFC 8489 §6.2.1; at most 256, the oldest goes first. */
export class Transactions {
  readonly #checks = new Map<string, Check>();

  start(id: string, check: Omit<Check, 'sent' | 'at' | 'cancelled'>, now: number): void {
    if (this.#checks.size >= most) {
      const [oldest] = this.#checks.keys();
      if (oldest !== undefined) this.#checks.delete(oldest);
    }
    this.#checks.set(id, { ...check, sent: 1, at: now + check.rto, cancelled: false });
  }

  find(id: string): Check | undefined {
    return this.#checks.get(id);
  }

  end(id: string): void {
    this.#checks.delete(id);
  }

  cancel(pair: Pair): void {
    for (const check of this.#checks.values()) {
      if (check.pair !== pair || check.cancelled) continue;
      check.cancelled = true;
      // As long as the last of its requests would have been waited for.
      check.at += rm * check.rto;
    }
  }

  /** The pair is gone: nothing of it counts any more. */
  drop(pair: Pair): void {
    for (const [id, check] of this.#checks) if (check.pair === pair) this.#checks.delete(id);
  }

  clear(): void {
    this.#checks.clear();
  }

  tick(now: number, resend: (check: Check) => void, expired: (check: Check) => void): void {
    for (const [id, check] of this.#checks) {
      if (check.at > now) continue;
      if (check.cancelled || check.sent >= rc) {
        this.#checks.delete(id);
        if (!check.cancelled) expired(check);
        continue;
      }
      check.sent += 1;
      check.at = now + check.rto * (check.sent === rc ? rm : 2 ** (check.sent - 1));
      resend(check);
    }
  }

  get nextAt(): number {
    let at = Number.POSITIVE_INFINITY;
    for (const check of this.#checks.values()) if (check.at < at) at = check.at;
    return at;
  }
}
