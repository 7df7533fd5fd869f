import { type LinkConditions, LossyLink } from '@ringfence/testkit/lossy-link.ts';
import { SeededRandom } from '@ringfence/testkit/random.ts';
import { VirtualTime } from '@ringfence/testkit/virtual-time.ts';
import type { ZrtpOptions, ZrtpOutput, ZrtpSecuredOutput } from '../options.ts';
import { ZrtpSession } from '../session.ts';

type Failed = Extract<ZrtpOutput, { kind: 'failed' }>;

/** One end in virtual time, with everything that it has told. */
export class End {
  readonly session: ZrtpSession;
  readonly told: ZrtpOutput[] = [];
  sent = 0;
  send: (bytes: Uint8Array) => void = () => {};

  constructor(options: ZrtpOptions) {
    this.session = new ZrtpSession(options);
  }

  get secured(): ZrtpSecuredOutput | undefined {
    return this.told.findLast((output) => output.kind === 'secured');
  }

  get failed(): Failed | undefined {
    return this.told.find((output) => output.kind === 'failed');
  }

  /** Kinds of all that was told, for messages. */
  get outcome(): string {
    return `${this.session.state}: ${this.told.map((output) => output.kind).join(' ')}`;
  }

  get suspicions(): readonly string[] {
    return this.told.flatMap((output) => (output.kind === 'suspicious' ? [output.what] : []));
  }

  drain(): void {
    for (const output of this.session.take())
      if (output.kind === 'send') {
        this.sent++;
        this.send(output.bytes);
      } else this.told.push(output);
  }
}

export interface PairSetting extends LinkConditions {
  readonly seed: number;
  readonly a?: Partial<ZrtpOptions>;
  readonly b?: Partial<ZrtpOptions>;
}

/** What stands between the two ends: what it returns goes on, an empty list drops. */
export type Middle = (bytes: Uint8Array, from: 'a' | 'b', now: number) => readonly Uint8Array[];

/** Two sessions joined by a link in virtual time; the seed decides everything but the keys' meaning. */
export class ZrtpPair {
  readonly time = new VirtualTime();
  readonly random: SeededRandom;
  readonly link: LossyLink<Uint8Array>;
  readonly a: End;
  readonly b: End;
  middle: Middle = (bytes) => [bytes];

  constructor(setting: PairSetting) {
    this.random = new SeededRandom(setting.seed);
    this.link = new LossyLink(this.time, this.random, setting);
    const random = (length: number): Uint8Array => this.random.bytes(length);
    this.a = new End({ zid: random(12), ssrc: 0xaaaa, random, retained: () => undefined, ...setting.a });
    this.b = new End({ zid: random(12), ssrc: 0xbbbb, random, retained: () => undefined, ...setting.b });
    this.a.send = (bytes) => this.#through(bytes, 'a');
    this.b.send = (bytes) => this.#through(bytes, 'b');
    this.link.a.receive = (bytes, now) => this.deliver(this.a, bytes, now);
    this.link.b.receive = (bytes, now) => this.deliver(this.b, bytes, now);
  }

  #through(bytes: Uint8Array, from: 'a' | 'b'): void {
    for (const passed of this.middle(bytes, from, this.time.now)) this.link[from].send(passed);
  }

  deliver(end: End, bytes: Uint8Array, now = this.time.now): void {
    end.session.receive(bytes, now);
    end.drain();
  }

  start(): void {
    for (const end of [this.a, this.b]) {
      end.session.start(this.time.now);
      end.drain();
    }
  }

  /** Runs until nothing waits, at most that long. */
  run(limit = 120_000): void {
    const until = this.time.now + limit;
    for (;;) {
      const timer = Math.min(this.a.session.nextAt, this.b.session.nextAt);
      if (Math.min(timer, this.time.next) === Number.POSITIVE_INFINITY) return;
      if (Math.min(timer, this.time.next) > until) throw new Error(`still busy after ${limit} ms`);
      if (this.time.next <= timer) this.time.step();
      else {
        this.time.jump(Math.max(timer, this.time.now));
        for (const end of [this.a, this.b]) {
          end.session.tick(this.time.now);
          end.drain();
        }
      }
    }
  }
}
