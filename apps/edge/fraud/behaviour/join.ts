import type { Configuration } from '../../config/schema.ts';
import type { EventBus } from '../../events/bus.ts';
import type { FraudGate } from '../gate.ts';
import { Behaviour } from './behaviour.ts';
import type { ProfileRow, ProfileStore } from './keep.ts';
import { RuleSets } from './rule-sets.ts';
import { siteHours } from './site-hours.ts';

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
    const { fraud } = config();
    this.sets.configure(fraud.behaviour, siteHours(fraud, now()));
  }
}
