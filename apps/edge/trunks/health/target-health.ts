/** What counts for and against a target. */
export interface HealthRule {
  /** Failures in a row that lead into quarantine. */
  readonly failures: number;
  /** Answered probes in a row that lead out of it. */
  readonly recoveries: number;
  /** Without probes: how long quarantine lasts, in milliseconds. Undefined where probes lead out. */
  readonly quarantineMs?: number;
}

/** `unknown`: nothing has been tried yet; it is used as if it were up. */
export type HealthState = 'unknown' | 'up' | 'quarantined';

/**
 * Health of one address of a target: counts results, without clock or timers of its own.
 *
 * One success between failures starts the count anew. In quarantine only probes lead out, `recoveries` of them in a
 * row; where nothing probes, time does.
 */
export class TargetHealth {
  state: HealthState = 'unknown';
  /** When the state was entered, Unix ms. */
  since: number;
  /** What the last failure was; empty where there was none. */
  lastFailure = '';
  #failures = 0;
  #recoveries = 0;

  constructor(now: number) {
    this.since = now;
  }

  /** @returns true where this has led out of quarantine. */
  succeeded(rule: HealthRule, now: number, probe: boolean): boolean {
    this.#failures = 0;
    if (this.state !== 'quarantined') {
      if (this.state === 'unknown') this.#enter('up', now);
      return false;
    }
    // A call that an emergency or an end of time has led there proves as much as all probes together.
    this.#recoveries = probe ? this.#recoveries + 1 : rule.recoveries;
    if (this.#recoveries < rule.recoveries) return false;
    this.#enter('up', now);
    return true;
  }

  /** @returns true where this has led into quarantine. */
  failed(rule: HealthRule, now: number, why: string): boolean {
    this.lastFailure = why;
    this.#recoveries = 0;
    this.#failures += 1;
    if (this.state === 'quarantined') {
      // Tried again after its time, and dead again.
      if (this.#timeIsUp(rule, now)) this.since = now;
      return false;
    }
    if (this.#failures < rule.failures) return false;
    this.#enter('quarantined', now);
    return true;
  }

  /** May a call go there? After its time one may try, where nothing else would find out. */
  usable(rule: HealthRule, now: number): boolean {
    return this.state !== 'quarantined' || this.#timeIsUp(rule, now);
  }

  #timeIsUp(rule: HealthRule, now: number): boolean {
    return rule.quarantineMs !== undefined && now - this.since >= rule.quarantineMs;
  }

  #enter(state: HealthState, now: number): void {
    this.state = state;
    this.since = now;
    this.#failures = 0;
    this.#recoveries = 0;
  }
}
