import type { Suspicion, ZrtpOutput } from './options.ts';
import { encodePacket } from './packet.ts';
import { Repeats, type Schedule, type TimerName } from './timers.ts';

/** How often one kind of message is answered within a session: what asks for it does not authenticate. */
const mostReplies = 100;
/** How many suspicions are told of one session. */
export const mostSuspicions = 16;

/** What leaves a session: packets, outputs and the times at which it wants to be called. */
export class Wire {
  #outputs: ZrtpOutput[] = [];
  readonly #ssrc: number;
  #sequence: number;
  readonly #timers = new Map<TimerName, number>();
  readonly #repeats: Partial<Record<'T1' | 'T2', Repeats>> = {};
  readonly #replies = new Map<string, number>();
  #suspicions = 0;

  constructor(ssrc: number, firstSequence: number) {
    this.#ssrc = ssrc;
    this.#sequence = firstSequence;
  }

  /** Hands out all that has come up since the last call. */
  take(): readonly ZrtpOutput[] {
    const outputs = this.#outputs;
    this.#outputs = [];
    return outputs;
  }

  tell(output: ZrtpOutput): void {
    this.#outputs.push(output);
  }

  suspect(what: Suspicion): void {
    if (this.#suspicions++ < mostSuspicions) this.tell({ kind: 'suspicious', what });
  }

  send(message: Uint8Array): void {
    const bytes = encodePacket({ sequence: this.#sequence, ssrc: this.#ssrc, message });
    this.#sequence = (this.#sequence + 1) & 0xffff;
    this.tell({ kind: 'send', bytes });
  }

  /** Answers what may be a repetition or forged: a bounded number of times of each kind. */
  reply(kind: string, message: Uint8Array): void {
    const count = this.#replies.get(kind) ?? 0;
    if (count >= mostReplies) return;
    this.#replies.set(kind, count + 1);
    this.send(message);
  }

  /** Sends now and again on a schedule, in place of what that timer had sent again. */
  repeat(timer: 'T1' | 'T2', message: Uint8Array, schedule: Schedule, now: number): void {
    const repeats = new Repeats(message, schedule);
    this.#repeats[timer] = repeats;
    this.send(message);
    this.#timers.set(timer, now + repeats.interval);
  }

  /** A timer that repeats has run out: false where its schedule is over. */
  again(timer: 'T1' | 'T2', now: number): boolean {
    const repeats = this.#repeats[timer];
    if (repeats === undefined || !repeats.again()) return false;
    this.send(repeats.message);
    this.#timers.set(timer, now + repeats.interval);
    return true;
  }

  /** Goes on with what T1 sends on a longer schedule. */
  prolong(timer: 'T1' | 'T2', schedule: Schedule): void {
    this.#repeats[timer]?.prolong(schedule);
  }

  start(timer: TimerName, at: number): void {
    this.#timers.set(timer, at);
  }

  runs(timer: TimerName): boolean {
    return this.#timers.has(timer);
  }

  stop(...timers: readonly TimerName[]): void {
    for (const timer of timers) this.#timers.delete(timer);
  }

  stopAll(): void {
    this.#timers.clear();
  }

  get nextAt(): number {
    let next = Number.POSITIVE_INFINITY;
    for (const at of this.#timers.values()) if (at < next) next = at;
    return next;
  }

  /** Takes a timer that is due off the list. */
  due(now: number): TimerName | undefined {
    for (const [timer, at] of this.#timers)
      if (at <= now) {
        this.#timers.delete(timer);
        return timer;
      }
    return undefined;
  }
}
