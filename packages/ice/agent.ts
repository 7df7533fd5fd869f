import { MisuseError } from '@ringfence/bytes/misuse.ts';
import {
  type Component,
  checkCredentials,
  familyOf,
  type IceBase,
  type IceCandidate,
  type IceCredentials,
  isIceText,
} from './candidate.ts';
import { type ChecklistLimits, defaultLimits, type Pair } from './checklist.ts';
import { type IceRemote, type IceVerdict, Session, type SessionOptions } from './session.ts';
import { decodeStun } from './stun/decode.ts';
import type { TransportAddress } from './stun/message.ts';

export type { IceRemote, IceVerdict } from './session.ts';

/** `lite` only answers checks, unless the peer does so too; `full` makes its own as well. RFC 8445 §2.5. */
export type IceMode = 'lite' | 'full';

/**
 * `connected`: every component that the peer has candidates for has its pair. `failed`: no pair was found in time.
 * `lost`: the peer's consent to receive has run out (RFC 7675 §5.1), and nothing may be sent to it.
 */
export type IceState = 'new' | 'checking' | 'connected' | 'failed' | 'lost';

export interface IceAgentOptions {
  readonly mode: IceMode;
  readonly local: IceCredentials;
  /** One base for each component. */
  readonly components: readonly IceBase[];
  /** That many octets nobody can guess: transaction ids and the tie-breaker. */
  readonly random: (octets: number) => Uint8Array;
  readonly limits?: Partial<ChecklistLimits>;
  /** What is handed to `receive` has been verified against these same credentials. Default false. */
  readonly dangerousVerifiedBefore?: boolean;
}

export interface IcePacket extends TransportAddress {
  readonly component: Component;
  readonly bytes: Uint8Array;
}

/** ICE for one stream, RFC 8445. Times are milliseconds of one clock that never goes back. */
export class IceAgent {
  /** A datagram to be sent from that component's port. */
  onSend: (packet: IcePacket) => void = () => {};
  /**
   * Where media of that component goes to and comes from from now on; undefined: nowhere, because consent has run out.
   * Before the first call media has no way.
   */
  onSelected: (component: Component, remote: TransportAddress | undefined) => void = () => {};
  /**
   * The peer is there: it has answered a check of ours, or, where we only answer, has asked with its credentials. It may send
   * from there from now on (RFC 8445 §12.2); the pair may be selected later, or never.
   */
  onValid: (component: Component, remote: TransportAddress) => void = () => {};
  /** It was valid before a restart, and is not after it. */
  onInvalid: (component: Component, remote: TransportAddress) => void = () => {};
  onState: (state: IceState) => void = () => {};
  state: IceState = 'new';
  #options: SessionOptions;
  #session: Session;
  /** Before a restart: what it has selected stays in use until the new one has selected, RFC 8445 §9. */
  #previous: Session | undefined;
  readonly #using = new Map<Component, { readonly session: Session; readonly pair: Pair }>();

  /** @throws MisuseError `ice-credentials`, `ice-base` or `ice-components`. */
  constructor(options: IceAgentOptions) {
    const { mode, local, components, random, limits } = options;
    checkCredentials(local);
    const families = new Map(components.map((base) => [base.component, familyOf(base)]));
    if (!families.has(1) || families.size !== components.length)
      throw new MisuseError('ice-components', 'a stream has one base for component 1 and at most one for 2');
    this.#options = {
      full: mode === 'full',
      random,
      families,
      limits: { ...defaultLimits, ...limits },
      tieBreaker: Buffer.from(random(8)).readBigUInt64BE(),
      verifiedBefore: options.dangerousVerifiedBefore === true,
    };
    this.#session = this.#begin(local);
  }

  /**
   * The peer as signalled. With the credentials that are known its candidates are added; with others checks begin anew.
   * False, and nothing happens, where the credentials are not of RFC 8839 §5.4.
   */
  setRemote(remote: IceRemote, now: number): boolean {
    if (!isIceText(remote.ufrag, 4, 256) || !isIceText(remote.password, 22, 256)) return false;
    const known = this.#session.remote;
    if (known !== undefined && (known.ufrag !== remote.ufrag || known.password !== remote.password))
      this.#retire();
    const fresh = this.#session.remote === undefined;
    this.#session.start(remote, now);
    if (fresh && !this.#session.isComplete) this.#enter('checking');
    this.#proceed(now);
    return true;
  }

  /** New credentials of ours, RFC 8445 §9. Media goes on by the pair in use until a new one is selected. */
  restart(local: IceCredentials): void {
    checkCredentials(local);
    this.#retire(local);
  }

  /** More candidates of the peer, RFC 8838 §11; those before `setRemote` are not taken. */
  addCandidates(candidates: readonly IceCandidate[], now: number): void {
    this.#session.addCandidates(candidates);
    this.#proceed(now);
  }

  /** The peer has no more of them, RFC 8838 §14. */
  endOfCandidates(now: number): void {
    this.#session.end();
    this.#proceed(now);
  }

  /** A datagram that looks like STUN, and where it came from. */
  receive(bytes: Uint8Array, from: TransportAddress, component: Component, now: number): IceVerdict {
    const read = decodeStun(bytes);
    if (!read.ok) return 'malformed';
    let verdict = this.#session.receive(read.value, from, component, now);
    if (this.#previous !== undefined && (verdict === 'username' || verdict === 'unexpected'))
      verdict = this.#previous.receive(read.value, from, component, now);
    if (verdict === 'answered' || verdict === 'response') this.#proceed(now);
    return verdict;
  }

  /** To be called once `nextAt` has come; at other times it does no harm. */
  tick(now: number): void {
    for (const [component, { session, pair }] of this.#using) {
      if (now < session.consentUntil(pair)) continue;
      this.#using.delete(component);
      session.forget(pair);
      this.onSelected(component, undefined);
      if (component === 1) this.#enter('lost');
    }
    this.#proceed(now);
  }

  /** When `tick` has something to do; Infinity where nothing waits. */
  get nextAt(): number {
    let at = Math.min(this.#session.nextAt, this.#previous?.nextAt ?? Number.POSITIVE_INFINITY);
    for (const { session, pair } of this.#using.values()) at = Math.min(at, session.consentUntil(pair));
    if (this.state === 'checking') at = Math.min(at, this.#session.failsAt);
    return at;
  }

  /** Pairs that are known: bounded by `limits`. */
  get pairCount(): number {
    return this.#session.checklist.pairs.length;
  }

  #begin(local: IceCredentials): Session {
    const session: Session = new Session(local, this.#options, {
      send: (component, { address, port }, bytes) => this.onSend({ component, address, port, bytes }),
      valid: (component, { address, port }) => this.onValid(component, { address, port }),
      selected: (component, pair) => this.#select(session, component, pair),
    });
    return session;
  }

  #retire(local = this.#session.local): void {
    if (this.#session.selected.size > 0) this.#previous = this.#session;
    // Whoever has verified before knows of two generations then, and not which of them has asked.
    this.#options = { ...this.#options, verifiedBefore: false };
    this.#session = this.#begin(local);
  }

  #select(session: Session, component: Component, pair: Pair): void {
    if (session !== this.#session && this.#session.selected.has(component)) return;
    this.#using.set(component, { session, pair });
    this.onSelected(component, { address: pair.address, port: pair.port });
  }

  #proceed(now: number): void {
    this.#session.tick(now);
    this.#previous?.tick(now);
    const session = this.#session;
    if (session.isComplete) {
      if (this.#previous !== undefined) this.#leave(this.#previous, session);
      this.#enter('connected');
    } else if (this.state === 'checking' && now >= session.failsAt) this.#enter('failed');
  }

  /** RFC 8445 §9: the new session has its pairs, and what was before it is over. */
  #leave(previous: Session, { checklist }: Session): void {
    this.#previous = undefined;
    for (const { valid, component, address, port } of previous.checklist.pairs)
      if (valid && checklist.find(component, { address, port })?.valid !== true)
        this.onInvalid(component, { address, port });
  }

  #enter(state: IceState): void {
    if (state === this.state) return;
    this.state = state;
    this.onState(state);
  }
}
