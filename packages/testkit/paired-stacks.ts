import type { Flow, Transport } from '@ringfence/sip/transport/flow.ts';
import { type LinkConditions, LossyLink } from './lossy-link.ts';
import { SeededRandom } from './random.ts';
import { UserAgent } from './user-agent.ts';
import { VirtualTime } from './virtual-time.ts';

export interface PairOptions extends LinkConditions {
  readonly seed: number;
  /** Milliseconds until an unanswered INVITE is cancelled. Default 120,000. */
  readonly patience?: number;
}

const flowBetween = (transport: Transport, id: number, from: string, to: string): Flow => ({
  id,
  transport,
  reliable: transport !== 'udp',
  local: { address: from, port: 5060 },
  remote: { address: to, port: 5060 },
  sentBy: `${from}:5060`,
  listener: 'pair',
});

/**
 * Two whole user agents joined by a link in virtual time.
 *
 * Everything that happens is decided by the seed, so a failure is found again by its number.
 */
export class PairedStacks {
  readonly time = new VirtualTime();
  readonly random: SeededRandom;
  readonly link: LossyLink<Uint8Array>;
  readonly alice: UserAgent;
  readonly bob: UserAgent;

  constructor(options: PairOptions) {
    this.random = new SeededRandom(options.seed);
    this.link = new LossyLink(this.time, this.random, options);
    const transport = options.reliable === true ? 'tcp' : 'udp';
    const patience = options.patience === undefined ? {} : { patience: options.patience };
    const agent = (name: string, id: number, from: string, to: string) =>
      new UserAgent({ name, flow: flowBetween(transport, id, from, to), random: this.random, ...patience });
    this.alice = agent('alice', 1, '192.0.2.1', '192.0.2.2');
    this.bob = agent('bob', 2, '192.0.2.2', '192.0.2.1');
    this.alice.send = (bytes) => this.link.a.send(bytes);
    this.bob.send = (bytes) => this.link.b.send(bytes);
    this.link.a.receive = (bytes, now) => this.alice.receive(bytes, now);
    this.link.b.receive = (bytes, now) => this.bob.receive(bytes, now);
  }

  /** Nothing under way, no transaction left, no timer pending. */
  get idle(): boolean {
    return this.alice.idle && this.bob.idle && this.link.flying === 0;
  }

  /** Runs until nothing is left to do; throws where that takes longer than `limit` milliseconds of virtual time. */
  run(limit = 3_600_000): void {
    for (;;) {
      const timer = Math.min(this.alice.nextTimeout(), this.bob.nextTimeout());
      const next = Math.min(timer, this.time.next);
      if (next === Number.POSITIVE_INFINITY) return;
      if (next > limit) throw new Error(`still busy after ${limit} ms: next event at ${next}`);
      if (timer < this.time.next) {
        this.time.jump(Math.max(timer, this.time.now));
        if (this.alice.nextTimeout() <= timer) this.alice.handleTimeout(this.time.now);
        if (this.bob.nextTimeout() <= timer) this.bob.handleTimeout(this.time.now);
      } else this.time.step();
    }
  }
}
