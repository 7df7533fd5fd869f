import type { CallLeg } from '../call/leg.ts';
import type { CallServices } from '../call/services.ts';
import type { RecordingPolicy } from '../objects/recording-settings.ts';
import type { Trunk } from '../objects/types.ts';
import type { Recording } from '../policy/grade.ts';
import { nameOf } from '../policy/leg-level.ts';
import type { LegProtection } from '../policy/protection.ts';
import { judgeRecording, type RecordingAsker, type RecordingDecision } from '../policy/recording.ts';
import { ownerOf } from '../trunks/owner.ts';
import { type RecordableStream, recordableOf } from './description.ts';
import { type RecordedParty, type RecorderWay, RecordingSession } from './session.ts';

/** Where recordings go, by domain. */
export interface Recorders {
  of(domain: string): { readonly policy: RecordingPolicy; readonly trunk: Trunk } | undefined;
  reach(trunk: Trunk): Promise<RecorderWay | undefined>;
  /** The program that decides on consent, call by call; absent: there is none. */
  consents?(call: string, parties: readonly string[]): boolean;
}

/** What a recording needs of its call. */
export interface RecordedCall {
  readonly id: string;
  readonly domain: string;
  readonly emergency: boolean;
  legs(): readonly CallLeg[];
  /** Caller and called party as records have them, by leg. */
  parties(): readonly [string, string];
  protection(): readonly LegProtection[];
  /** Who gets the call has changed. */
  changed(): void;
  hangUp(cause: string): void;
}

/** Keys of one party that are remembered while it dials the code. */
const mostKeys = 8;
/** Between two keys of the code, in ms. */
const keyPatienceMs = 3000;

/** Recording of one call: who asked, whether it may be, and what became of it; each step is an audit event. */
export class CallRecording {
  readonly #services: CallServices;
  readonly #recorders: Recorders;
  readonly #call: RecordedCall;
  #session: RecordingSession | undefined = undefined;
  #by = '';
  #since = 0;
  #paused = false;
  #attempt = 0;
  /** The policy starts it by itself, also anew after the media process has died. */
  #always = false;
  readonly #keys = new Map<number, { readonly typed: string; readonly at: number }>();

  constructor(services: CallServices, recorders: Recorders, call: RecordedCall) {
    this.#services = services;
    this.#recorders = recorders;
    this.#call = call;
  }

  /** Who gets the call now, for its grade. */
  get now(): Recording | undefined {
    const session = this.#session;
    const recorder = this.#recorders.of(this.#call.domain);
    if (session?.recording !== true || recorder === undefined) return undefined;
    return {
      by: `the recorder ${nameOf(ownerOf(recorder.trunk)).replace('the trunk ', '')}`,
      protection: session.protection,
    };
  }

  /** The trunk that the policy of the domain names. */
  get recorder(): string {
    return this.#recorders.of(this.#call.domain)?.policy.recorder ?? '';
  }

  /** Copies are made, or will be as soon as the recorder has answered; `paused` by whoever may. */
  get state(): 'none' | 'recording' | 'paused' {
    if (this.#session === undefined) return 'none';
    return this.#paused ? 'paused' : 'recording';
  }

  /** The call was answered. */
  answered(): void {
    this.#always = this.#recorders.of(this.#call.domain)?.policy.start === 'always';
    if (this.#always) this.start({ kind: 'policy' });
  }

  start(asker: RecordingAsker): RecordingDecision {
    const decision = this.#judge(asker);
    const recorder = this.#recorders.of(this.#call.domain);
    const by = nameOfAsker(asker);
    if (!decision.allowed || recorder === undefined) {
      // A policy for some users is silent about the calls of all others.
      if (decision.reason.rule !== 'recording.not-covered' || asker.kind !== 'policy')
        this.#emit('recording.refused', by, decision.reason.text);
      if (decision.reason.rule !== 'recording.not-covered') this.#cannot();
      return decision;
    }
    if (this.#session !== undefined) return decision;
    this.#attempt += 1;
    const attempt = this.#attempt;
    this.#by = by;
    void this.#recorders.reach(recorder.trunk).then((way) =>
      this.#services.run(() => {
        if (attempt !== this.#attempt) return;
        if (way === undefined) return this.#failed('the recorder cannot be reached');
        this.#open(recorder.trunk, way, decision);
      }),
    );
    return decision;
  }

  stop(by: string): void {
    this.#attempt += 1;
    const session = this.#session;
    this.#session = undefined;
    if (session === undefined) return;
    session.stop();
    this.#emit('recording.stopped', by, this.#duration());
    this.#call.changed();
  }

  pause(paused: boolean, by: string): void {
    if (this.#session === undefined) return;
    this.#paused = paused;
    this.#session.pause(paused);
    this.#emit(paused ? 'recording.paused' : 'recording.resumed', by, '');
    this.#call.changed();
  }

  /** What the call has agreed on has changed: endpoints, and perhaps that ZRTP passes now, which cannot be recorded. */
  follow(): void {
    const session = this.#session;
    if (session === undefined) return;
    const decision = this.#judge({ kind: 'administrator' });
    if (!decision.allowed) {
      this.#session = undefined;
      session.stop();
      this.#emit('recording.stopped', 'policy', decision.reason.text);
      return;
    }
    const streams = this.#streams();
    if (streams !== undefined) session.follow(streams);
  }

  /** The media process is another one: what was copied there is gone with it. */
  renew(): void {
    const session = this.#session;
    if (session === undefined) return;
    this.#session = undefined;
    session.stop();
    this.#emit('recording.stopped', 'policy', 'the media process died');
    this.start({ kind: 'policy' });
  }

  /** A party has pressed a key: the last of the policy's code begins or ends the recording. */
  key(leg: CallLeg, key: string): void {
    const code = this.#recorders.of(this.#call.domain)?.policy.keys;
    if (code === undefined) return;
    const now = this.#services.now();
    const before = this.#keys.get(leg.index);
    const typed =
      `${before !== undefined && now - before.at <= keyPatienceMs ? before.typed : ''}${key}`.slice(
        -mostKeys,
      );
    this.#keys.set(leg.index, { typed, at: now });
    if (!typed.endsWith(code)) return;
    this.#keys.delete(leg.index);
    const asker: RecordingAsker = { kind: 'party', party: leg.party };
    if (this.#session === undefined) this.start(asker);
    else if (this.#judge(asker).allowed) this.stop(leg.party);
  }

  /** The call is over. */
  ended(): void {
    this.#attempt += 1;
    const session = this.#session;
    this.#session = undefined;
    if (session === undefined) return;
    session.stop();
    this.#emit('recording.stopped', 'end of the call', this.#duration());
  }

  #judge(asker: RecordingAsker): RecordingDecision {
    const { id, domain, emergency } = this.#call;
    const policy = this.#recorders.of(domain)?.policy;
    const parties = this.#call.legs().map(({ party }) => party);
    return judgeRecording({
      policy,
      asker,
      parties,
      emergency,
      protection: this.#call.protection(),
      consent: this.#recorders.consents?.(id, parties),
      able: this.#services.relay()?.tap !== undefined,
    });
  }

  #open(trunk: Trunk, way: RecorderWay, decision: RecordingDecision): void {
    const streams = this.#streams();
    if (streams === undefined) return this.#failed('the call has no voice to record');
    const names = this.#call.parties();
    const parties: RecordedParty[] = streams.map((stream, i) => ({
      aor: aorOf(names[i] ?? '', this.#call.domain),
      stream,
    }));
    const session = new RecordingSession(
      this.#services,
      { index: 2, party: ownerOf(trunk), trunk, way },
      parties,
      {
        begun: () => {
          this.#since = this.#services.now();
          this.#emit('recording.started', this.#by, decision.reason.text);
          this.#call.changed();
        },
        failed: (reason) => {
          if (this.#session !== session) return;
          this.#session = undefined;
          this.#failed(reason);
          this.#call.changed();
        },
      },
    );
    this.#session = session;
    this.#paused = false;
    session.start();
  }

  #streams(): readonly RecordableStream[] | undefined {
    const found = this.#call.legs().map(({ media }) => recordableOf(media));
    const streams = found.filter((one) => one !== undefined);
    return streams.length === 2 ? streams : undefined;
  }

  #failed(reason: string): void {
    this.#emit('recording.failed', this.#by, reason);
    this.#cannot();
  }

  /** A call that policy wants recorded goes on without, or not at all. */
  #cannot(): void {
    const policy = this.#recorders.of(this.#call.domain)?.policy;
    if (this.#always && policy?.whenDown === 'end' && !this.#call.emergency) this.#call.hangUp('policy');
  }

  #duration(): string {
    return this.#since === 0
      ? 'nothing was recorded'
      : `${Math.round((this.#services.now() - this.#since) / 1000)} s`;
  }

  #emit(
    type:
      | 'recording.started'
      | 'recording.paused'
      | 'recording.resumed'
      | 'recording.stopped'
      | 'recording.refused'
      | 'recording.failed',
    by: string,
    why: string,
  ): void {
    const recorder = this.#recorders.of(this.#call.domain)?.policy.recorder ?? '';
    this.#services.bus.emit({ type, call: this.#call.id, recorder, by, why });
  }
}

/** Who it was, as the audit event says. */
export function nameOfAsker(asker: RecordingAsker): string {
  if (asker.kind === 'party') return asker.party;
  const name = asker.kind === 'administrator' ? asker.name : undefined;
  return name === undefined || name === '' ? asker.kind : `${asker.kind} ${name}`;
}

/** Of a name that records have: `alice@example.test`, a number, or nothing. */
function aorOf(name: string, domain: string): string {
  if (name === '') return `sip:anonymous@${domain}`;
  return name.includes('@') ? `sip:${name}` : `sip:${name}@${domain}`;
}
