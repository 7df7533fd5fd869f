import { BoundedMap } from '@ringfence/bytes/bounded-map.ts';
import type { Params, SipRequest, Via } from '@ringfence/sip/message/types.ts';
import { Meter } from '../admission/meter.ts';

export interface PeerOverloadOptions {
  /** Unix ms. */
  readonly now: () => number;
  /** Numbers from 0 up to, and without, 1. */
  readonly random: () => number;
  /** Share of the new calls of trunks that the edge takes at present, 0 to 1. */
  readonly share: () => number;
}

/** What a peer has asked for. */
interface Wish {
  /** Times of `now`. */
  readonly until: number;
  readonly seq: number;
  /** Share of requests to be held back, or what may be sent. */
  readonly limit: number | Meter;
}

/** RFC 7339 §4.3: where the peer names no time. */
const usualValidityMs = 500;
const longestValidityMs = 600_000;
const ourValidityMs = 1_000;
/** What a trunk is offered; a list in quotes is more than some peers can read (Kamailio 5.6 drops the whole request). */
export type OverloadControl = 'loss' | 'rate' | 'off';

const asking = (algorithms: string): Params =>
  new Map<string, string | true>([
    ['oc', true],
    ['oc-algo', `"${algorithms}"`],
  ]);
const askings = { loss: asking('loss'), rate: asking('loss,rate') } as const;
const mostPeers = 4096;

/**
 * Overload control with the peers of trunks, RFC 7339 with the algorithms `loss` (§6) and `rate` (RFC 7415).
 *
 * Each request to an address of a trunk says that the edge speaks it; what its answers ask for holds new calls back until
 * its time is over, never an emergency call. A trunk that speaks it hears in each answer to a new request how much less it
 * is to send. Others, and whoever is no trunk, get and may ask for nothing (§5.2).
 */
export class PeerOverload {
  readonly #options: PeerOverloadOptions;
  readonly #peers = new BoundedMap<string, Wish | undefined>({ capacity: mostPeers });
  /** Of those that are offered `rate`, too. */
  readonly #rated = new BoundedMap<string, true>({ capacity: mostPeers });
  #lastSeq = 0;

  constructor(options: PeerOverloadOptions) {
    this.#options = options;
  }

  /** A trunk is reached there. */
  trunkAt(address: string, control: OverloadControl = 'loss'): void {
    if (control === 'off') return;
    if (control === 'rate') this.#rated.set(address, true);
    if (!this.#peers.has(address)) this.#peers.set(address, undefined);
  }

  /** For our Via to that address; undefined where no trunk is. */
  viaParams(address: string): Params | undefined {
    if (!this.#peers.has(address)) return undefined;
    return this.#rated.has(address) ? askings.rate : askings.loss;
  }

  /** An answer from there, to a request of ours with that Via. */
  heard(address: string, via: Via): void {
    const { params } = via;
    const oc = numberOf(params.get('oc'));
    if (oc === undefined || oc < 0 || !this.#peers.has(address)) return;
    const seq = numberOf(params.get('oc-seq'));
    const before = this.#peers.peek(address);
    // §4.4: what was overtaken by a later one does not count.
    if (seq === undefined || (before !== undefined && seq <= before.seq)) return;
    const validity = Math.min(numberOf(params.get('oc-validity')) ?? usualValidityMs, longestValidityMs);
    const until = this.#options.now() + validity;
    const algorithm = unquoted(params.get('oc-algo'));
    if (algorithm === 'rate') {
      if (!this.#rated.has(address)) return;
      // The same rate goes on, or each answer would give it anew what a second may bring.
      const same = before?.limit instanceof Meter && before.limit.perSecond === Math.max(oc, 0.001);
      this.#peers.set(address, {
        until,
        seq,
        limit: same ? (before.limit as Meter) : new Meter(Math.max(oc, 0.001)),
      });
    } else if (algorithm === undefined || algorithm === 'loss')
      this.#peers.set(address, { until, seq, limit: Math.min(oc, 100) / 100 });
  }

  /** Whether the next call is to be held back from that address. */
  withholds(address: string): boolean {
    const wish = this.#peers.peek(address);
    if (wish === undefined) return false;
    const now = this.#options.now();
    if (wish.until <= now) return false;
    return typeof wish.limit === 'number' ? this.#options.random() < wish.limit : !wish.limit.take(now);
  }

  /** The request of a trunk, with what its answer is to say of our load in its topmost Via. */
  stamp(request: SipRequest): SipRequest {
    const top = request.via[0];
    if (top === undefined || !top.params.has('oc')) return request;
    const offered = unquoted(top.params.get('oc-algo')) ?? 'loss';
    if (!offered.split(',').some((name) => name.trim() === 'loss')) return request;
    const lost = Math.round((1 - this.#options.share()) * 100);
    this.#lastSeq = Math.max(this.#lastSeq + 1, this.#options.now());
    const params = new Map(top.params);
    params.set('oc', String(lost));
    params.set('oc-algo', '"loss"');
    params.set('oc-validity', String(lost === 0 ? 0 : ourValidityMs));
    params.set(
      'oc-seq',
      `${Math.floor(this.#lastSeq / 1000)}.${String(this.#lastSeq % 1000).padStart(3, '0')}`,
    );
    return { ...request, via: [{ ...top, params }, ...request.via.slice(1)] };
  }
}

function numberOf(value: string | true | undefined): number | undefined {
  if (typeof value !== 'string' || !/^[0-9]{1,12}(?:\.[0-9]{1,9})?$/.test(value)) return undefined;
  return Number(value);
}

const unquoted = (value: string | true | undefined): string | undefined =>
  typeof value === 'string' ? value.replaceAll('"', '').toLowerCase() : undefined;
