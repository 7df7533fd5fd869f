import { makeRequest } from '@ringfence/sip/message/build.ts';
import { HeaderList } from '@ringfence/sip/message/header-list.ts';
import type { SipResponse, SipUri } from '@ringfence/sip/message/types.ts';
import { sipUri } from '@ringfence/sip/message/uri.ts';
import type { Candidate } from '@ringfence/sip/resolve/target.ts';
import type { TransactionLayer } from '@ringfence/sip/transaction/layer.ts';
import type { Flow } from '@ringfence/sip/transport/flow.ts';
import { type Credentials, isChallenge, type TrunkRealms } from '../../call/credentials.ts';
import { allowedMethods, contactOf, party, product, userUri } from '../../call/messages.ts';
import type { Trunk } from '../../objects/types.ts';
import { backOff } from './back-off.ts';
import { isStale, movedTo, readGrant, seconds } from './read-answer.ts';

/** What registrations need of the edge. */
export interface RegistrationServices {
  readonly layer: TransactionLayer;
  readonly realms: TrunkRealms;
  now(): number;
  after(milliseconds: number, run: () => void): () => void;
  token(length: number): string;
  random(): number;
  run(step: () => void): void;
  resolve(uri: SipUri): Promise<readonly Candidate[]>;
  connect(candidate: Candidate): Promise<Flow | undefined>;
  /** The connection is not to be closed for idleness, or may be. */
  keep(flow: number, keep: boolean): void;
  changed(client: RegistrationClient): void;
}

/** `idle`: not begun. `trying`: a REGISTER is out. `waiting`: it failed and is tried again later. */
export type RegistrationState = 'idle' | 'trying' | 'registered' | 'waiting' | 'stopped';

/** Where to register, and as whom. */
export interface RegistrationPlan {
  readonly trunk: Trunk;
  readonly registrar: SipUri;
  /** User part and host of the address of record. */
  readonly user: string;
  readonly host: string;
  readonly expires: number;
  /** User part of our contact: nobody but the registrar knows it. */
  readonly contact: string;
}

/** When a registration is refreshed: after this share of what was granted, a little earlier each time or later. */
const refreshShare = { least: 0.7, most: 0.85 };
/** No registrar makes us register more often than this. */
const leastRefreshMs = 5_000;
const mostMoves = 3;
/** Of one REGISTER: a proxy's, the registrar's, and one for an old nonce. */
const mostChallenges = 3;
const mostRetryAfter = 3_600;

/**
 * Keeps one registration at a provider alive (RFC 3261 §10.2): answers challenges, takes a longer expiry where 423
 * asks for one, follows a registrar that has moved, refreshes in time, and waits longer with every failure
 * (RFC 5626 §4.5).
 *
 * One REGISTER at a time; the Call-ID stays, CSeq counts (§10.2.4).
 */
export class RegistrationClient {
  readonly plan: RegistrationPlan;
  state: RegistrationState = 'idle';
  /** Unix ms. */
  since: number;
  /** Until when it is granted, Unix ms; 0 where it is not. */
  until = 0;
  serviceRoute: readonly string[] = [];
  path: readonly string[] = [];
  flow: Flow | undefined = undefined;
  /** Last failure: a status, `timeout`, `transport`, `not-found` or `not-kept`; empty after success. */
  failure = '';
  /** Addresses that the registrar has; calls from there may be ours. */
  readonly addresses = new Set<string>();
  readonly #services: RegistrationServices;
  readonly #callId: string;
  #cseq = 0;
  #failures = 0;
  #expires: number;
  #registrar: SipUri;
  #stopTimer: (() => void) | undefined = undefined;
  /** Counts attempts, so that answers of one that was given up change nothing. */
  #attempt = 0;

  constructor(services: RegistrationServices, plan: RegistrationPlan) {
    this.plan = plan;
    this.#services = services;
    this.#callId = services.token(24);
    this.#expires = plan.expires;
    this.#registrar = plan.registrar;
    this.since = services.now();
  }

  /** Wherever a registrar says that it has moved to: what was over TLS stays there. */
  get #tlsOnly(): boolean {
    const { trunk, registrar } = this.plan;
    return (
      trunk.encryption === 'required' ||
      registrar.scheme === 'sips' ||
      registrar.params.get('transport') === 'tls'
    );
  }

  get registrar(): SipUri {
    return this.#registrar;
  }

  start(): void {
    if (this.state === 'idle') this.#register();
  }

  /** Takes the contact back; resolves when the registrar has answered, or does not. */
  async stop(): Promise<void> {
    const was = this.until;
    this.#stopTimer?.();
    this.#attempt += 1;
    const { flow } = this;
    this.#enter('stopped');
    if (flow === undefined || was <= this.#services.now()) return;
    this.#services.keep(flow.id, false);
    await new Promise<void>((done) => {
      const stop = this.#services.after(farewellMs, done);
      this.#services.run(() =>
        this.#send(flow, 0, [], 0, this.#attempt, () => {
          stop();
          done();
        }),
      );
    });
  }

  /** Ends here without taking the contact back. */
  halt(): void {
    this.#stopTimer?.();
    this.#attempt += 1;
    this.state = 'stopped';
  }

  /** The connection broke: whoever calls us cannot reach us, so we register anew at once. */
  flowClosed(flow: number): void {
    if (this.flow?.id !== flow) return;
    this.flow = undefined;
    if (this.state === 'registered') this.#register();
  }

  #register(): void {
    this.#stopTimer?.();
    this.#attempt += 1;
    const attempt = this.#attempt;
    if (this.state !== 'registered') this.#enter('trying');
    void this.#open(attempt, 0);
  }

  /** Goes through the addresses of the registrar until one can be connected to. */
  async #open(attempt: number, moves: number): Promise<void> {
    const { resolve, connect, run } = this.#services;
    const live = this.flow;
    const found = live?.reliable === true ? [] : await resolve(this.#registrar);
    const usable = found.filter(({ transport }) => !this.#tlsOnly || transport === 'tls');
    let flow = live?.reliable === true ? live : undefined;
    for (const candidate of usable) {
      flow ??= await connect(candidate);
      if (flow !== undefined) break;
    }
    run(() => {
      if (attempt !== this.#attempt) return;
      if (flow === undefined) return this.#failed(found.length === 0 ? 'not-found' : 'transport');
      this.flow = flow;
      // Those of today, not of all times.
      if (usable.length > 0) this.addresses.clear();
      for (const { address } of usable.slice(0, mostKnown)) this.addresses.add(address);
      this.addresses.add(flow.remote.address);
      this.#services.keep(flow.id, true);
      this.#send(flow, this.#expires, [], moves, attempt);
    });
  }

  #send(
    flow: Flow,
    expires: number,
    credentials: readonly Credentials[],
    moves: number,
    attempt: number,
    over?: () => void,
    tries = 0,
  ): void {
    const { plan } = this;
    const { layer, token, now } = this.#services;
    const uri = sipUri({ scheme: this.#registrar.scheme, host: plan.host });
    const headers = new HeaderList();
    headers.add(
      'Contact',
      `${contactOf(flow, plan.contact, this.#registrar.scheme === 'sips')};expires=${expires}`,
    );
    headers.add('Expires', String(expires));
    headers.add('Supported', 'path');
    headers.add('Allow', allowedMethods);
    headers.add('User-Agent', product);
    for (const { name, value } of credentials) headers.add(name, value);
    this.#cseq += 1;
    const self = userUri(plan.user, plan.host);
    const request = makeRequest({
      method: 'REGISTER',
      uri,
      from: party(self, undefined, token(16)),
      to: party(self, undefined),
      callId: this.#callId,
      cseq: { number: this.#cseq, method: 'REGISTER' },
      headers,
    });
    layer.request(request, flow, now()).context = {
      response: (response: SipResponse): void => {
        if (response.status < 200) return;
        if (attempt !== this.#attempt) return over?.();
        const again = this.#answer(response, uri, credentials, tries);
        if (again !== undefined) return this.#send(flow, expires, again, moves, attempt, over, tries + 1);
        if (over !== undefined) return over();
        this.#final(response, flow, expires, moves, attempt);
      },
      failed: (reason: string): void => {
        if (attempt !== this.#attempt || over !== undefined) return over?.();
        this.flow = undefined;
        this.#failed(reason === 'timeout' ? 'timeout' : 'transport');
      },
    };
  }

  /** Answers a challenge once, and once more where only the nonce was too old (RFC 3261 §22.2, RFC 7616 §3.3). */
  #answer(
    response: SipResponse,
    uri: SipUri,
    before: readonly Credentials[],
    tries: number,
  ): readonly Credentials[] | undefined {
    if (!isChallenge(response.status) || tries >= mostChallenges) return undefined;
    const { trunk } = this.plan;
    const answer = this.#services.realms.answer(trunk, {
      response,
      method: 'REGISTER',
      uri,
      cnonce: this.#services.token(16),
    });
    if (answer === undefined) return undefined;
    // A proxy and the registrar behind it may both ask.
    const others = before.filter(({ name }) => name !== answer.name);
    return others.length < before.length && !isStale(response) ? undefined : [...others, answer];
  }

  #final(response: SipResponse, flow: Flow, asked: number, moves: number, attempt: number): void {
    const { status } = response;
    if (status < 300) return this.#granted(response, asked);
    if (status === 423) {
      // §10.2.8: the registrar wants a longer one; once.
      const least = seconds(response.headers.get('Min-Expires')) ?? 0;
      if (least > asked && least <= 86_400) {
        this.#expires = least;
        return this.#send(flow, least, [], moves, attempt);
      }
    }
    if ((status === 301 || status === 302) && moves < mostMoves) {
      const moved = movedTo(response);
      if (moved !== undefined) {
        this.#registrar = moved;
        this.#services.keep(flow.id, false);
        this.flow = undefined;
        void this.#open(attempt, moves + 1);
        return;
      }
    }
    this.#failed(String(status), seconds(response.headers.get('Retry-After')));
  }

  #granted(response: SipResponse, asked: number): void {
    const grant = readGrant(response, this.plan.contact, asked);
    if (grant.seconds === 0) return this.#failed('not-kept');
    this.#failures = 0;
    this.failure = '';
    this.serviceRoute = grant.serviceRoute;
    this.path = grant.path;
    this.until = this.#services.now() + grant.seconds * 1000;
    if (this.state !== 'registered') this.#enter('registered');
    const share = refreshShare.least + (refreshShare.most - refreshShare.least) * this.#services.random();
    this.#later(Math.max(leastRefreshMs, grant.seconds * 1000 * share));
  }

  #failed(failure: string, retryAfter = 0): void {
    this.failure = failure;
    this.#failures += 1;
    // Where the registrar has moved to and is no more, its old place is tried again.
    this.#registrar = this.plan.registrar;
    if (this.until <= this.#services.now()) this.until = 0;
    const wait = Math.max(
      backOff(this.#failures, this.#services.random()),
      Math.min(retryAfter, mostRetryAfter) * 1000,
    );
    this.#enter('waiting');
    this.#later(wait);
  }

  #later(milliseconds: number): void {
    this.#stopTimer?.();
    this.#stopTimer = this.#services.after(Math.round(milliseconds), () => this.#register());
  }

  #enter(state: RegistrationState): void {
    this.state = state;
    this.since = this.#services.now();
    this.#services.changed(this);
  }
}

/** How long the answer to a farewell is waited for. */
const farewellMs = 1_500;
/** Addresses of one registrar. */
const mostKnown = 64;
