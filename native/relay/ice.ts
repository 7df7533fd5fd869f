import { IceAgent, type IceState } from '@ringfence/ice/agent.ts';
import type { IceCandidate, IceConfig, IceCredentials } from './handshake.ts';
import type { Arrived, Door, IceParticipant, Participating, Transport } from './uplink.ts';

/** What the media process has and an agent has not. */
export interface IceSurroundings {
  /** ms of a clock that never goes back. */
  readonly now: () => number;
  readonly random: (octets: number) => Uint8Array;
}

/** Sooner than this no timer fires: what is due together is done together. */
const shortestPauseMs = 5;
/** A timer that is set for longer looks again. */
const longestPauseMs = 60_000;

/**
 * ICE of one endpoint: the agent of `@ringfence/ice` between the uplink and the path of its media.
 *
 * What `receive` gets was verified in the addon (`addon/stun.cc`) against the very credentials that the agent has. Media
 * has no way until a pair is chosen; it goes and comes by the chosen pair alone, and not at all once the peer's consent
 * has run out (RFC 7675 §5.1).
 */
class IceStream implements IceParticipant {
  readonly #id: number;
  readonly #door: Door;
  readonly #now: () => number;
  readonly #agent: IceAgent;
  #ours: IceCredentials;
  #remote: Transport | undefined;
  #told: { readonly state: IceState; readonly remote: Transport | undefined } | undefined;
  #timer: NodeJS.Timeout | undefined;
  #timerAt = Number.POSITIVE_INFINITY;
  #closed = false;

  constructor(endpoint: Participating, door: Door, { now, random }: IceSurroundings) {
    const { id, address, rtpPort, rtcpPort, ice } = endpoint;
    this.#id = id;
    this.#door = door;
    this.#now = now;
    this.#ours = { ufrag: ice?.ufrag ?? '', password: ice?.password ?? '' };
    this.#agent = new IceAgent({
      mode: ice?.full === true ? 'full' : 'lite',
      local: this.#ours,
      components: [
        { component: 1, address, port: rtpPort },
        ...(rtcpPort === rtpPort ? [] : [{ component: 2 as const, address, port: rtcpPort }]),
      ],
      random,
      dangerousVerifiedBefore: true,
    });
    this.#agent.onSend = ({ component, bytes, ...target }) => door.send(id, component, target, bytes);
    this.#agent.onValid = (component, remote) => door.validate(id, component, remote);
    this.#agent.onInvalid = (component, remote) => door.invalidate(id, component, remote);
    this.#agent.onSelected = (component, remote) => {
      door.choose(id, component, remote);
      if (component === 1) this.#remote = remote;
    };
  }

  configure(config: IceConfig): void {
    const { ours } = config;
    // Those that cannot be come as none.
    const renews = ours !== undefined && ours.ufrag !== '' && ours.password !== '';
    if (renews && (ours.ufrag !== this.#ours.ufrag || ours.password !== this.#ours.password)) {
      this.#ours = ours;
      this.#agent.restart(ours);
    }
    this.#agent.setRemote(config, this.#now());
    this.#settle();
  }

  trickle(candidates: readonly IceCandidate[]): void {
    this.#agent.addCandidates(candidates, this.#now());
    this.#settle();
  }

  receive({ bytes, component, address, port }: Arrived): void {
    this.#agent.receive(bytes, { address, port }, component, this.#now());
    this.#settle();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  /** Tells what has changed, and sets the timer where it has to fire sooner than it would. */
  #settle(): void {
    this.#tell();
    const at = this.#agent.nextAt;
    if (this.#closed || at >= this.#timerAt) return;
    clearTimeout(this.#timer);
    const pause = Math.min(longestPauseMs, Math.max(shortestPauseMs, at - this.#now()));
    this.#timerAt = this.#now() + pause;
    this.#timer = setTimeout(this.#tick, pause);
  }

  readonly #tick = (): void => {
    this.#timerAt = Number.POSITIVE_INFINITY;
    this.#agent.tick(this.#now());
    this.#settle();
  };

  #tell(): void {
    const { state } = this.#agent;
    const remote = state === 'connected' ? this.#remote : undefined;
    if (state === this.#told?.state && remote === this.#told.remote) return;
    this.#told = { state, remote };
    if (state === 'new' || state === 'checking') return;
    this.#door.tell({ kind: 'ice', endpoint: this.#id, state, ...(remote ? { remote } : {}) });
  }
}

export const iceParticipants =
  (surroundings: IceSurroundings) =>
  (endpoint: Participating, door: Door): IceParticipant =>
    new IceStream(endpoint, door, surroundings);
