import type { EdgeEvent } from '../events/types.ts';

export type CallEnded = Extract<EdgeEvent, { type: 'call.ended' }>;

/** How an attempt to set up a session came out, as the measures of RFC 6076 and ITU-T E.411 and E.425 tell them apart. */
export type Outcome =
  /** A 2xx, and a BYE at its end. */
  | 'completed'
  /** A 2xx, but the session was cut off: media, transport, a restart. */
  | 'dropped'
  /** 3xx: neither success nor failure. */
  | 'redirected'
  /** 486, 600. */
  | 'busy'
  /** 480: nobody took it. */
  | 'unanswered'
  /** 603. */
  | 'declined'
  /** The caller has hung up before. */
  | 'cancelled'
  /** 408, 500, 503, 504: what was asked could not do it. */
  | 'ineffective'
  /** Any other refusal. */
  | 'failed';

/** Undefined for what was no attempt: a request for credentials that was passed on. */
export function outcomeOf({ disposition, status, cause }: CallEnded): Outcome | undefined {
  if (disposition === 'answered') return cause === 'normal' ? 'completed' : 'dropped';
  if (disposition === 'interrupted') return 'dropped';
  if (status === 401 || status === 407) return undefined;
  if (disposition === 'cancelled' || status === 487) return 'cancelled';
  if (status >= 300 && status < 400) return 'redirected';
  if (status === 486 || status === 600) return 'busy';
  if (status === 480) return 'unanswered';
  if (status === 603) return 'declined';
  return status === 408 || status === 500 || status === 503 || status === 504 ? 'ineffective' : 'failed';
}

/** Of 0 to 1; NaN where there was nothing to measure. */
export interface Ratios {
  /** Session establishment ratio, RFC 6076 §4.6. */
  readonly ser: number;
  /** Session establishment effectiveness ratio, §4.7. */
  readonly seer: number;
  /** Ineffective session attempts, §4.8. */
  readonly isa: number;
  /** Session completion ratio, §4.9. */
  readonly scr: number;
  /** Answer seizure ratio, ITU-T E.411. */
  readonly asr: number;
  /** Network effectiveness ratio, ITU-T E.425: what the user decides is no failure of the network. */
  readonly ner: number;
  /** Average call duration, in seconds. */
  readonly acd: number;
  /** Average post-dial delay, in seconds. */
  readonly pdd: number;
}

/** Stretches of the window, and how long each is. */
const stretches = 12;
const stretchMs = 5 * 60_000;

interface Stretch {
  /** Which stretch of time it holds. */
  index: number;
  readonly counts: Record<Outcome, number>;
  seconds: number;
  delays: number;
  delaySeconds: number;
}

const emptyStretch = (): Stretch => ({
  index: -1,
  counts: {
    completed: 0,
    dropped: 0,
    redirected: 0,
    busy: 0,
    unanswered: 0,
    declined: 0,
    cancelled: 0,
    ineffective: 0,
    failed: 0,
  },
  seconds: 0,
  delays: 0,
  delaySeconds: 0,
});

/** The measures of one tenant or trunk over the last hour, in twelve stretches: O(1) a call, 2 kB in all. */
export class SessionWindow {
  readonly #ring: Stretch[] = Array.from({ length: stretches }, emptyStretch);

  add(outcome: Outcome, { seconds, delayMs }: Pick<CallEnded, 'seconds' | 'delayMs'>, now: number): void {
    const index = Math.floor(now / stretchMs);
    let stretch = this.#ring[index % stretches] as Stretch;
    if (stretch.index !== index) {
      stretch = { ...emptyStretch(), index };
      this.#ring[index % stretches] = stretch;
    }
    stretch.counts[outcome] += 1;
    stretch.seconds += seconds;
    // Whoever hangs up at once has not measured how long it would have rung.
    if (outcome === 'cancelled') return;
    stretch.delays += 1;
    stretch.delaySeconds += delayMs / 1000;
  }

  ratios(now: number): Ratios {
    const sum = emptyStretch();
    const current = Math.floor(now / stretchMs);
    for (const stretch of this.#ring) {
      if (stretch.index <= current - stretches) continue;
      for (const outcome of Object.keys(sum.counts) as Outcome[])
        sum.counts[outcome] += stretch.counts[outcome];
      sum.seconds += stretch.seconds;
      sum.delays += stretch.delays;
      sum.delaySeconds += stretch.delaySeconds;
    }
    const { counts } = sum;
    const attempts = Object.values(counts).reduce((all, count) => all + count, 0);
    const answered = counts.completed + counts.dropped;
    const notRedirected = attempts - counts.redirected;
    const byUser = answered + counts.busy + counts.unanswered + counts.declined;
    return {
      ser: answered / notRedirected,
      seer: byUser / notRedirected,
      isa: counts.ineffective / attempts,
      scr: counts.completed / attempts,
      asr: answered / attempts,
      ner: (byUser + counts.cancelled) / attempts,
      acd: sum.seconds / answered,
      pdd: sum.delaySeconds / sum.delays,
    };
  }
}
