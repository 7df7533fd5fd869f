import type { Configuration } from '../../config/schema.ts';
import type { EventBus } from '../../events/bus.ts';
import type { FraudGate } from '../gate.ts';
import { Behaviour } from './behaviour.ts';
import type { ProfileRow, ProfileStore } from './keep.ts';
import { RuleSets } from './rule-sets.ts';

export interface BehaviourJoint {
  readonly bus: EventBus;
  readonly store: ProfileStore;
  readonly rows: readonly ProfileRow[];
  readonly gate: FraudGate;
  config(): Configuration;
  now(): number;
  after(milliseconds: number, run: () => void): () => void;
  failed(error: unknown): void;
}

/** The behaviour of accounts as one of the judges of the gate. */
export class BehaviourDesk {
  readonly behaviour: Behaviour;
  readonly sets = new RuleSets();
  readonly #joint: BehaviourJoint;

  /** @throws MisuseError where a file of rules is wrong */
  constructor(joint: BehaviourJoint) {
    this.#joint = joint;
    this.configure();
    const { sets } = this;
    this.behaviour = new Behaviour({
      rules: (domain) => sets.of(domain),
      usualPrice: () => Number(joint.config().fraud.prices.international),
      isEnabled: () => sets.enabled,
      store: joint.store,
      rows: joint.rows,
      now: () => joint.now(),
      after: (ms, run) => joint.after(ms, run),
      failed: (error) => joint.failed(error),
    });
    joint.gate.add(this.behaviour);
    joint.bus.subscribe(this.behaviour.take, 'info');
  }

  /** After a reload. @throws MisuseError where a file of rules is wrong; what held before goes on to hold */
  configure(): void {
    const { config, now } = this.#joint;
    const { behaviour, workingHours, timeZone } = config().fraud;
    const { days, from, to, holidays } = workingHours;
    this.sets.configure(behaviour, { offset: offsetOf(timeZone, now()), days, from, to, holidays });
  }
}

/** Minutes that clocks there are east of UTC at that moment; an empty zone is that of the machine. */
function offsetOf(timeZone: string, at: number): number {
  if (timeZone === '') return -new Date(at).getTimezoneOffset();
  const parts = new Intl.DateTimeFormat('en-US', { timeZone, timeZoneName: 'longOffset' }).formatToParts(at);
  const [, sign = '+', hours = '0', minutes = '0'] =
    /GMT([+-])(\d{2}):(\d{2})/.exec(parts.find(({ type }) => type === 'timeZoneName')?.value ?? '') ?? [];
  return (sign === '-' ? -1 : 1) * (Number(hours) * 60 + Number(minutes));
}
