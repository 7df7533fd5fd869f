export interface ReliableTimers {
  /** Milliseconds; default 500. */
  readonly T1?: number;
}

/** `repeat`: send the provisional response again. `gave-up`: no PRACK in 64*T1, the INVITE is refused with 5xx. */
export type ReliableOutput = 'repeat' | 'gave-up';

/** RAck, RFC 3262 §7.2; undefined where it is malformed. */
export function parseRack(
  value: string,
): { readonly rseq: number; readonly cseq: number; readonly method: string } | undefined {
  const parts = value.trim().split(/[ \t]{1,8}/);
  const [rseq = '', cseq = '', method = ''] = parts;
  if (parts.length !== 3 || !isNumber(rseq) || !isNumber(cseq) || method === '') return undefined;
  return { rseq: Number(rseq), cseq: Number(cseq), method };
}

/** RSeq, RFC 3262 §7.1: 1 to 2^32 - 1; undefined where it is malformed. */
export function parseRseq(value: string): number | undefined {
  const text = value.trim();
  const number = isNumber(text) ? Number(text) : 0;
  return number >= 1 && number <= 0xffffffff ? number : undefined;
}

function isNumber(text: string): boolean {
  if (text.length === 0 || text.length > 10) return false;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code < 48 || code > 57) return false;
  }
  return true;
}

/**
 * Repeats a reliable provisional response until its PRACK comes, RFC 3262 §3: after T1, doubling without a cap, for
 * 64*T1. One at a time, as the RFC asks for the first and allows for all.
 */
export class ReliableUas {
  readonly #T1: number;
  #rseq: number;
  /** Sent, without PRACK so far. */
  #open = false;
  #interval = 0;
  #next = Number.POSITIVE_INFINITY;
  #end = Number.POSITIVE_INFINITY;
  #output: ReliableOutput | undefined = undefined;

  /** `first`: RSeq of the first response, chosen at random from 1 to 2^31 - 1 (RFC 3262 §3). */
  constructor(first: number, timers: ReliableTimers = {}) {
    this.#rseq = first - 1;
    this.#T1 = timers.T1 ?? 500;
  }

  /** A response is out, is repeated, and has no PRACK yet. */
  get waiting(): boolean {
    return this.#next !== Number.POSITIVE_INFINITY;
  }

  /** A response goes out now; gives its RSeq. Not while another waits. */
  sent(now: number): number {
    this.#rseq += 1;
    this.#open = true;
    this.#interval = this.#T1;
    this.#next = now + this.#interval;
    this.#end = now + 64 * this.#T1;
    return this.#rseq;
  }

  /** A PRACK with that RSeq came; false where nothing with that number waits for one (then the answer is 481). */
  acknowledged(rseq: number): boolean {
    if (!this.#open || rseq !== this.#rseq) return false;
    this.#open = false;
    this.stop();
    return true;
  }

  /** The INVITE has its final response: nothing is repeated any more, but a PRACK on its way is still known. */
  stop(): void {
    this.#next = Number.POSITIVE_INFINITY;
    this.#output = undefined;
  }

  handleTimeout(now: number): void {
    if (now < this.#next) return;
    if (now >= this.#end) {
      this.stop();
      this.#output = 'gave-up';
      return;
    }
    this.#interval *= 2;
    this.#next = Math.min(now + this.#interval, this.#end);
    this.#output = 'repeat';
  }

  /** When to call `handleTimeout`, Infinity where nothing waits. */
  nextTimeout(): number {
    return this.#next;
  }

  poll(): ReliableOutput | undefined {
    const output = this.#output;
    this.#output = undefined;
    return output;
  }
}

/**
 * The order of reliable provisional responses to one INVITE in one early dialog, RFC 3262 §4: the first may have any
 * number, each other is one higher; whatever else comes is neither acknowledged nor looked at.
 */
export class ReliableUac {
  #last: number | undefined = undefined;

  /** True where the response is to be processed, and acknowledged with PRACK. */
  receive(rseq: number): boolean {
    if (this.#last !== undefined && rseq !== this.#last + 1) return false;
    this.#last = rseq;
    return true;
  }
}
