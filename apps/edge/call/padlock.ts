import { gradeOf, type Recording, rankOf } from '../policy/grade.ts';
import { type CallGrade, lived } from '../policy/grade-life.ts';
import type { LegProtection } from '../policy/protection.ts';
import type { CallServices } from './services.ts';

/** What protected one call over its whole life: kept for its record, and told whenever it changes. */
export class Padlock {
  readonly #services: CallServices;
  readonly #call: string;
  #life: CallGrade | undefined;

  /** `record`: JSON of what another process has written of the same call; empty: it begins. */
  constructor(services: CallServices, call: string, record = '') {
    this.#services = services;
    this.#call = call;
    this.#life = record === '' ? undefined : readGrade(record);
  }

  /** Undefined before the call is answered. */
  get grade(): CallGrade | undefined {
    return this.#life;
  }

  /** The call was answered. */
  answered(protection: readonly LegProtection[]): void {
    const { grade, sentence, detail } = this.#take(protection, undefined);
    if (this.#services.bus.wants('call.answered'))
      this.#services.bus.emit({
        type: 'call.answered',
        call: this.#call,
        grade,
        sentence,
        detail,
        protection,
      });
  }

  /** What protects the call has changed; where that is less than before it is told as a warning. */
  changed(protection: readonly LegProtection[], recording?: Recording): void {
    const before = this.#life;
    const { now, grade, sentence, detail } = this.#take(protection, recording);
    const { bus } = this.#services;
    bus.emit({ type: 'call.protection', call: this.#call, grade: now, sentence, detail, protection });
    if (before !== undefined && rankOf(grade) > rankOf(before.grade))
      bus.emit({ type: 'call.downgraded', call: this.#call, from: before.grade, to: grade, sentence });
  }

  /** The call ends. Gives JSON for the record; empty where it was never answered. */
  ended(protection: () => readonly LegProtection[], recording?: Recording): string {
    // Keys that never came: what passed without them counts after all.
    if (this.#life?.awaitingSince !== undefined) this.#take(protection(), recording);
    return this.text;
  }

  /** JSON for the record. */
  get text(): string {
    return this.#life === undefined ? '' : JSON.stringify(this.#life);
  }

  #take(protection: readonly LegProtection[], recording: Recording | undefined): CallGrade {
    this.#life = lived(this.#life, gradeOf(protection, recording), this.#services.now());
    return this.#life;
  }
}

/** Of our own writing; whatever else stands there is none. */
export function readGrade(record: string): CallGrade | undefined {
  try {
    const grade = JSON.parse(record) as CallGrade;
    return typeof grade.sentence === 'string' && Array.isArray(grade.changes) ? grade : undefined;
  } catch {
    return undefined;
  }
}
