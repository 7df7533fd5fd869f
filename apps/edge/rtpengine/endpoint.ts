import { randomBytes } from 'node:crypto';
import { err, ok, type Result } from '@ringfence/bytes/result.ts';
import { asText, type NgReply } from '@ringfence/ng/exchange.ts';
import {
  answerRequest,
  deleteRequest,
  type NgOffer,
  offerRequest,
  queryRequest,
  refusalOf,
} from '@ringfence/ng/session.ts';
import type {
  EndpointConfig,
  EndpointOpened,
  EndpointSpec,
  EndpointStats,
} from '@ringfence/relay/contract.ts';
import { type Described, describeInside, describeOutside, type Place, readDescribed } from './description.ts';
import type { Instance } from './instance.ts';
import { Observation } from './observation.ts';

/** Why rtpengine did not do what it was asked. */
export interface Refusal {
  readonly kind: 'unreachable' | 'refused';
  readonly text: string;
}

const tags = { inside: 'in', outside: 'out' } as const;

/**
 * One endpoint of ours as a call of rtpengine with two parties: outside is the peer of the endpoint, with its keys and
 * its address; inside is the other endpoint of the link, in plain RTP. Two endpoints are linked by naming each one's
 * inside place to the other as its party.
 *
 * Were the two peers parties of one call of rtpengine, it would hand the SRTP key of one of them to the other whenever
 * both speak the same suite; joined inside, every leg has keys of its own. docs/adr has the alternatives.
 *
 * What is wanted (`config`, the link) is said at once; `settle` brings rtpengine to it, one exchange after the other.
 */
export class EngineEndpoint {
  readonly id: number;
  readonly instance: Instance;
  readonly spec: EndpointSpec;
  readonly callId = randomBytes(15).toString('base64url');
  readonly observed: Observation;
  peer: EngineEndpoint | undefined = undefined;
  /** The endpoint that this one will probably be linked with: its place is told beforehand. */
  readonly #likely: EngineEndpoint | undefined;
  /** Where the other endpoint of a link sends to. */
  inside: Place | undefined = undefined;
  state: 'open' | 'lost' | 'closed' = 'open';
  readonly #onLost: (endpoint: EngineEndpoint, reason: string) => void;
  #config: EndpointConfig | undefined;
  /** Grows with each `configure`. */
  #version = 0;
  #answeredVersion = -1;
  /** The last offer as far as it may change. */
  #offered = '';
  /** Under which tag each suite was offered last. */
  #tags = new Map<string, number>();
  #rtpPort = 0;
  #settling: Promise<void> | undefined;
  #again = false;

  constructor(
    id: number,
    instance: Instance,
    spec: EndpointSpec,
    likely: EngineEndpoint | undefined,
    onLost: (endpoint: EngineEndpoint, reason: string) => void,
  ) {
    this.id = id;
    this.instance = instance;
    this.spec = spec;
    this.#config = spec.config;
    this.#likely = likely;
    this.observed = new Observation(performance.now());
    this.#onLost = onLost;
  }

  get config(): EndpointConfig | undefined {
    return this.#config;
  }

  configure(config: EndpointConfig): void {
    this.#config = config;
    this.#version += 1;
    this.observed.configuredAt = performance.now();
    void this.settle();
  }

  async open(): Promise<Result<EndpointOpened, Refusal>> {
    const described = await this.#exchange();
    if (!described.ok) return described;
    if (described.value === undefined) return err(refusedWith('opened twice'));
    const { address, port, rtcpPort, keys } = described.value;
    return ok({
      id: this.id,
      address,
      advertised: address,
      keysAt: { name: `rtpengine ${this.instance.name}`, exposed: !this.instance.local },
      rtpPort: port,
      rtcpPort: this.spec.ports === 'single' ? 0 : rtcpPort,
      keys: this.spec.suites.flatMap((wanted) => {
        const key = keys.find(({ suite }) => suite === wanted);
        return key === undefined ? [] : [{ suite: key.suite, material: key.material }];
      }),
    });
  }

  /** Until rtpengine has been told everything; undefined where it has. */
  get settling(): Promise<void> | undefined {
    return this.#settling;
  }

  /** Tells rtpengine what has changed, after what it is being told just now. */
  settle(): Promise<void> {
    this.#again = true;
    this.#settling ??= this.#settle();
    return this.#settling;
  }

  async stats(): Promise<EndpointStats> {
    if (this.state === 'open' && this.instance.healthy) {
      const outcome = await this.instance.ask(queryRequest(this.callId));
      if (outcome.ok) this.#look(outcome.value);
    }
    return this.observed.stats(this.id, performance.now());
  }

  /** Ends it there, and gives what was last known of it. */
  async close(): Promise<EndpointStats> {
    await this.#settling;
    if (this.instance.healthy) {
      const outcome = await this.instance.ask(deleteRequest(this.callId, tags.inside));
      if (outcome.ok && refusalOf(outcome.value) === '') this.observed.take(outcome.value, performance.now());
    }
    return this.observed.stats(this.id, performance.now());
  }

  async #settle(): Promise<void> {
    while (this.#again && this.state === 'open') {
      this.#again = false;
      const before = this.inside;
      const described = await this.#exchange();
      if (this.state !== 'open') break;
      if (!described.ok) {
        // An instance that is gone is told of by its pings, with all its calls.
        if (described.error.kind === 'refused') this.lose(described.error.text);
        break;
      }
      if (this.peer !== undefined && this.inside?.port !== before?.port) void this.peer.settle();
    }
    this.#settling = undefined;
  }

  lose(reason: string): void {
    if (this.state !== 'open') return;
    this.state = 'lost';
    this.#onLost(this, reason);
  }

  #look(reply: NgReply): void {
    const problem = refusalOf(reply);
    if (problem === '') this.observed.take(reply, performance.now());
    else this.lose(problem);
  }

  /**
   * What is wanted now and not yet said: an offer of the inside, and the answer of the outside. A new place inside
   * needs no answer while voice flows both ways; an offer sets the directions of both, so that a held one does.
   */
  async #exchange(): Promise<Result<Described | undefined, Refusal>> {
    const { spec, instance, callId } = this;
    const config = this.#config;
    const version = this.#version;
    const { outside, inside } = instance.settings;
    const media = config?.media ?? mediaOf(spec);
    const common = {
      callId,
      fromTag: tags.inside,
      toTag: tags.outside,
      mux: spec.ports === 'mux',
      ...(outside === undefined ? {} : { direction: [inside ?? outside, outside] as const }),
    };
    const offer: NgOffer = {
      ...common,
      sdp: describeInside(media, (this.peer ?? this.#likely)?.inside),
      transport: media === 'opaque' ? 'udptl' : media === 'srtp' ? 'RTP/SAVP' : 'RTP/AVP',
      suites: media !== 'srtp' ? [] : config?.send === undefined ? spec.suites : [config.send.suite],
      family: spec.local.includes(':') ? 'IP6' : 'IP4',
      dscp: spec.dscp,
      endRtcp: instance.settings.endRtcp === true && media !== 'opaque',
    };
    const wanted = `${offer.transport} ${offer.suites.join()} ${offer.sdp}`;
    let described: Described | undefined;
    if (wanted !== this.#offered) {
      const offered = await this.#ask(offerRequest(offer));
      if (!offered.ok) return offered;
      described = offered.value;
      // A call that it has forgotten is a new one to it, with other ports and keys than those that we have signalled.
      if (this.#rtpPort !== 0 && this.#rtpPort !== described.port)
        return err(refusedWith('its ports have changed'));
      this.#rtpPort = described.port;
      this.#offered = wanted;
      for (const { suite, tag } of described.keys) this.#tags.set(suite, tag);
    }
    if (config === undefined) return ok(described);
    const held = config.remote === undefined || config.accept === false || config.emit === false;
    if (version === this.#answeredVersion && !(held && described !== undefined)) return ok(described);
    const tag = this.#tags.get(config.receive?.suite ?? '') ?? 1;
    const answered = await this.#ask(answerRequest({ ...common, sdp: describeOutside(spec, config, tag) }));
    if (!answered.ok) return answered;
    this.#answeredVersion = version;
    this.inside = { address: answered.value.address, port: answered.value.port };
    return ok(described);
  }

  async #ask(request: Parameters<Instance['ask']>[0]): Promise<Result<Described, Refusal>> {
    const outcome = await this.instance.ask(request);
    if (!outcome.ok)
      return err(
        outcome.error === 'malformed'
          ? refusedWith('a reply that cannot be read')
          : { kind: 'unreachable', text: outcome.error },
      );
    const problem = refusalOf(outcome.value);
    if (problem !== '') return err(refusedWith(problem));
    const described = readDescribed(asText(outcome.value.get('sdp')));
    return described === undefined ? err(refusedWith('a description that cannot be read')) : ok(described);
  }
}

const refusedWith = (text: string): Refusal => ({ kind: 'refused', text: text.slice(0, 200) });

function mediaOf(spec: EndpointSpec): EndpointConfig['media'] {
  if (spec.ports === 'single') return 'opaque';
  return spec.suites.length > 0 ? 'srtp' : 'rtp';
}
