import { parseSession } from '@ringfence/sdp/parse.ts';
import { Dialog } from '@ringfence/sip/dialog/dialog.ts';
import { makeResponse } from '@ringfence/sip/message/build.ts';
import { HeaderList } from '@ringfence/sip/message/header-list.ts';
import type { SipRequest, SipResponse } from '@ringfence/sip/message/types.ts';
import type { ServerTransaction } from '@ringfence/sip/transaction/transaction.ts';
import type { Flow } from '@ringfence/sip/transport/flow.ts';
import type { Encryption } from '../config/schema.ts';
import { CallMedia } from '../media/call-media.ts';
import type { LegSide } from '../media/leg.ts';
import type { ReadSession } from '../media/read-offer.ts';
import type { LegProtection } from '../policy/protection.ts';
import type { Decision } from '../policy/types.ts';
import type { CallRecord } from '../store/contract.ts';
import { Branch, type BranchEvents, type BranchTarget } from './branch.ts';
import { Confirmation } from './confirmation.ts';
import { CallLeg } from './leg.ts';
import { allowedMethods, copyAllowed, sdpOf, warning, withSdp } from './messages.ts';
import { type CallFacts, callRecord, type LegQuality, legRecord, qualityOf } from './record.ts';
import { Renegotiation } from './renegotiation.ts';
import type { CallServices, InviteOwner } from './services.ts';

/** How long a caller's INVITE may stay without any answer of ours; RFC 3261 §17.2.1 allows 200 ms. */
const tryingAfter = 150;
/** A BYE's answer waits so long for the record to be on disk, no longer. */
const recordPatience = 200;

/** An INVITE that policy has accepted, with everything that was found out about it. */
export interface AcceptedCall {
  readonly id: string;
  readonly domain: string;
  readonly transaction: ServerTransaction;
  readonly request: SipRequest;
  readonly flow: Flow;
  readonly caller: string;
  readonly callee: string;
  readonly principal: string;
  readonly route: string;
  readonly decision: Decision;
  readonly demanded: Encryption;
  readonly offer: ReadSession;
  readonly targets: readonly BranchTarget[];
}

type State = 'setup' | 'answered' | 'ended';

/**
 * One call: the caller's dialog, the dialogs of those who are rung, and the media between (RFC 7092 §3.2, a
 * signalling and media-plane back-to-back user agent).
 *
 * Nothing is copied from one side to the other but what is on a list; both dialogs have their own identifiers.
 */
export class Call implements BranchEvents, InviteOwner {
  readonly id: string;
  readonly #services: CallServices;
  readonly #accepted: AcceptedCall;
  readonly #inbound: CallLeg;
  readonly #startedAt: number;
  #branches: Branch[] = [];
  #winner: Branch | undefined;
  #media: CallMedia | undefined;
  #state: State = 'setup';
  #lastProvisional = 0;
  #earlyMedia = false;
  #bestStatus = 0;
  #ringingAt: number | undefined;
  #answeredAt: number | undefined;
  #confirmation: Confirmation | undefined;
  #renegotiation: Renegotiation | undefined;
  #stopTrying: (() => void) | undefined;
  #stopRinging: (() => void) | undefined;

  constructor(services: CallServices, accepted: AcceptedCall) {
    this.id = accepted.id;
    this.#services = services;
    this.#accepted = accepted;
    this.#startedAt = services.now();
    const { request, flow, transaction } = accepted;
    this.#inbound = new CallLeg(services, this, {
      index: 0,
      party: accepted.principal,
      demanded: accepted.demanded,
      flow,
      followTarget: accepted.principal.startsWith('trunk:'),
    });
    this.#inbound.callId = request.callId;
    this.#inbound.secure = request.uri.scheme === 'sips';
    transaction.context = this;
    this.#stopTrying = services.after(tryingAfter, () =>
      services.run(() => services.layer.trying(transaction, services.now())),
    );
  }

  get live(): boolean {
    return this.#state === 'answered';
  }

  start(): void {
    const { relay, config } = this.#services;
    const engine = relay();
    if (engine === undefined) return this.#refuse(503, 'media', 'failed');
    const { request, offer, targets } = this.#accepted;
    const headers = new HeaderList();
    copyAllowed(request, config().calls.allowedHeaders, headers);
    const maxForwards = (request.maxForwards ?? 70) - 1;
    const options = { dscp: config().media.dscp, newSessionId: () => this.#services.sessionId() };
    const sides = targets.map((target) => this.#side(target.flow, target.demanded));
    void CallMedia.open(
      engine,
      options,
      offer,
      this.#side(this.#accepted.flow, this.#accepted.demanded),
      sides,
    ).then((opened) =>
      this.#services.run(() => {
        if (!opened.ok) return this.#refuse(503, 'media', 'failed');
        this.#media = opened.value;
        this.#inbound.media = opened.value.caller;
        if (this.#state === 'ended') return void opened.value.close();
        this.#ring(opened.value, headers, maxForwards);
      }),
    );
  }

  /** The caller gave up before anybody answered. */
  cancelled(): void {
    if (this.#state !== 'setup') return;
    this.#respond(487);
    this.#end('cancelled', 487, 'normal');
  }

  /** Ends the call from our side: drain, media lost, reload. */
  hangUp(cause: string): void {
    if (this.#state === 'ended') return;
    if (this.#state === 'setup') return this.#refuse(503, cause, 'failed');
    this.#inbound.bye();
    this.#winner?.leg.bye();
    this.#end('answered', 200, cause);
  }

  provisional(branch: Branch, response: SipResponse): void {
    if (this.#state !== 'setup' || this.#media === undefined) return;
    this.#ringingAt ??= this.#services.now();
    this.#services.bus.emit({ type: 'call.ringing', call: this.id, leg: branch.target.party });
    const body = this.#branches.length === 1 ? sdpOf(response) : undefined;
    let description: string | undefined;
    if (body !== undefined && branch.leg.media !== undefined) {
      const parsed = parseSession(body);
      const answer = parsed.ok
        ? this.#media.answer(branch.leg.media, Buffer.from(body).toString('latin1'), parsed.value)
        : undefined;
      if (answer?.ok === true) description = answer.value;
    }
    const status = description === undefined ? 180 : 183;
    if (status <= this.#lastProvisional && (description === undefined || this.#earlyMedia)) return;
    this.#lastProvisional = status;
    this.#earlyMedia ||= description !== undefined;
    this.#respond(response.status === 180 ? 180 : status, description);
  }

  answered(branch: Branch, response: SipResponse): void {
    // Two phones picked up at once: the later one is hung up.
    if (this.#state !== 'setup') return branch.leg.bye();
    const media = this.#media;
    const leg = branch.leg.media;
    if (media === undefined || leg === undefined) return branch.leg.bye();
    const body = sdpOf(response);
    const parsed = body === undefined ? undefined : parseSession(body);
    if (body === undefined || parsed === undefined || !parsed.ok)
      return this.#unusable(branch, 'The called side sent no usable answer');
    const answer = media.answer(leg, Buffer.from(body).toString('latin1'), parsed.value);
    if (!answer.ok) return this.#unusable(branch, answer.error.warning);
    this.#winner = branch;
    this.#state = 'answered';
    this.#stopTimers();
    for (const other of this.#branches) if (other !== branch) other.cancel();
    void media.releaseOthers(leg);
    this.#answer(answer.value);
    this.#save('live', 200, 'normal', []);
    if (this.#services.bus.wants('call.answered'))
      this.#services.bus.emit({ type: 'call.answered', call: this.id, protection: this.protection() });
  }

  failed(branch: Branch, status: number): void {
    if (this.#state !== 'setup') return;
    this.#bestStatus = better(this.#bestStatus, status);
    // RFC 3261 §16.7 step 5: a 6xx ends the search.
    if (status >= 600) for (const other of this.#branches) if (other !== branch) other.cancel();
    if (this.#branches.some(({ state }) => state !== 'failed')) return;
    const final = this.#bestStatus;
    const [cause, disposition] = outcomeOf(final);
    const wire = final === 401 || final === 407 ? 503 : final === 503 ? 500 : final;
    this.#refuse(
      wire,
      cause,
      disposition,
      wire === 488 ? 'The called side cannot do the media that policy asks for' : undefined,
    );
  }

  acknowledged(leg: CallLeg, request: SipRequest): void {
    if (leg === this.#inbound) this.#confirmation?.acknowledge(request);
    this.#renegotiation?.acknowledged(request);
  }

  inDialog(leg: CallLeg, transaction: ServerTransaction, request: SipRequest): void {
    const { layer } = this.#services;
    const now = this.#services.now();
    const dialog = leg.dialog;
    const refuse = (status: number, headers = new HeaderList()): void =>
      layer.respond(transaction, makeResponse(request, status, undefined, { headers }), now);
    if (dialog === undefined) return refuse(481);
    const order = dialog.receive(request);
    if (!order.ok) return refuse(order.status, order.headers);
    switch (request.method) {
      case 'BYE':
        return this.#bye(leg, transaction, request);
      case 'INVITE':
        return this.#reinvite(leg, transaction, request);
      case 'OPTIONS':
        return refuse(200, new HeaderList().add('Allow', allowedMethods).add('Accept', 'application/sdp'));
      default:
        return refuse(405, new HeaderList().add('Allow', allowedMethods));
    }
  }

  /** The padlock's facts, caller first. */
  protection(): LegProtection[] {
    const legs = this.#winner === undefined ? [this.#inbound] : [this.#inbound, this.#winner.leg];
    return legs.map((leg) => leg.protection(this.#media));
  }

  /** Which leg an endpoint of the relay belongs to; undefined: none of ours. */
  legOfEndpoint(endpoint: number): number | undefined {
    for (const leg of [this.#inbound, ...this.#branches.map(({ leg }) => leg)])
      if (leg.media?.endpointIds().includes(endpoint) === true) return leg.index;
    return undefined;
  }

  endpointIds(): number[] {
    const media = this.#media;
    return media === undefined ? [] : [media.caller, ...media.callees].flatMap((leg) => leg.endpointIds());
  }

  #side(flow: Flow, demanded: Encryption): LegSide {
    const { local, advertised } = this.#services.mediaAddress(flow);
    return { local, advertised, signalling: flow.remote.address, demanded };
  }

  #ring(media: CallMedia, headers: HeaderList, maxForwards: number): void {
    this.#branches = this.#accepted.targets.map((target, i) => {
      const leg = media.callees[i];
      const branch = new Branch(this.#services, this, i + 1, target, {
        headers,
        maxForwards,
        offer: (plain) => (leg === undefined ? '' : media.offerTo(leg, plain)),
      });
      branch.leg.media = leg;
      return branch;
    });
    this.#stopRinging = this.#services.after(this.#services.config().calls.ringSeconds * 1000, () =>
      this.#services.run(() => {
        if (this.#state === 'setup') this.#refuse(408, 'timeout', 'unanswered');
      }),
    );
    for (const branch of this.#branches) if (this.#state === 'setup') branch.invite();
  }

  #answer(description: string): void {
    const headers = new HeaderList();
    headers.add('Contact', this.#inbound.contact);
    headers.add('Allow', allowedMethods);
    const body = withSdp(headers, description);
    const response = this.#response(200, headers, body);
    this.#answeredAt = this.#services.now();
    this.#inbound.status = 200;
    this.#inbound.answeredAt = this.#answeredAt;
    if (this.#inbound.dialog === undefined)
      this.#inbound.dialog = Dialog.uas(this.#accepted.request, response);
    else this.#inbound.dialog.confirm(response);
    this.#confirmation = new Confirmation(this.#services, this.#accepted.transaction, response, {
      acknowledged: () => undefined,
      gaveUp: () => {
        this.#inbound.bye();
        this.#winner?.leg.bye();
        this.#end('failed', 408, 'timeout');
      },
    });
  }

  #respond(status: number, description?: string, warn?: string): void {
    const headers = new HeaderList();
    if (status < 300) headers.add('Contact', this.#inbound.contact);
    if (warn !== undefined) headers.add('Warning', warning(warn));
    const body = description === undefined ? undefined : withSdp(headers, description);
    const response = this.#response(status, headers, body);
    if (status > 100 && status < 200) {
      this.#stopTrying?.();
      this.#inbound.dialog ??= Dialog.uas(this.#accepted.request, response);
    }
    this.#services.layer.respond(this.#accepted.transaction, response, this.#services.now());
  }

  #response(status: number, headers: HeaderList, body: Uint8Array | undefined): SipResponse {
    const toTag = this.#inbound.localTag;
    return makeResponse(this.#accepted.request, status, undefined, {
      toTag,
      headers,
      ...(body === undefined ? {} : { body }),
    });
  }

  #refuse(status: number, cause: string, disposition: CallRecord['disposition'], warn?: string): void {
    if (this.#state !== 'setup') return;
    this.#respond(status, undefined, warn);
    this.#end(disposition, status, cause);
  }

  /** Answered, but not with what was asked for: the called side is hung up, the caller hears 488. */
  #unusable(branch: Branch, warn: string): void {
    branch.leg.bye();
    this.#refuse(488, 'media', 'failed', warn);
  }

  #bye(leg: CallLeg, transaction: ServerTransaction, request: SipRequest): void {
    leg.dialog?.terminate();
    leg.endedAt = this.#services.now();
    const other = leg === this.#inbound ? this.#winner?.leg : this.#inbound;
    // A BYE for a leg that was not taken, or came before the answer: only that leg is over.
    if (this.#state === 'setup' && leg !== this.#inbound) {
      this.#services.layer.respond(transaction, makeResponse(request, 200), this.#services.now());
      return;
    }
    if (this.#state === 'setup') this.#respond(487);
    other?.bye();
    leg.forget();
    const saved = this.#end(this.#state === 'setup' ? 'cancelled' : 'answered', 200, 'normal');
    let answered = false;
    const respond = (): void => {
      if (answered) return;
      answered = true;
      stop();
      this.#services.run(() =>
        this.#services.layer.respond(transaction, makeResponse(request, 200), this.#services.now()),
      );
    };
    const stop = this.#services.after(recordPatience, respond);
    void saved.then(respond, respond);
  }

  #reinvite(leg: CallLeg, transaction: ServerTransaction, request: SipRequest): void {
    const { layer } = this.#services;
    const other = leg === this.#inbound ? this.#winner?.leg : this.#inbound;
    const media = this.#media;
    const pending = this.#renegotiation !== undefined || this.#confirmation?.running === true;
    if (this.#state !== 'answered' || other === undefined || media === undefined || pending) {
      // RFC 3261 §14.2: one offer at a time.
      layer.respond(transaction, makeResponse(request, 491), this.#services.now());
      return;
    }
    leg.dialog?.refreshTarget(request);
    this.#renegotiation = new Renegotiation(
      this.#services,
      {
        changed: () =>
          this.#services.bus.emit({ type: 'call.protection', call: this.id, protection: this.protection() }),
        broken: () => this.hangUp('timeout'),
        finished: () => {
          this.#renegotiation = undefined;
        },
      },
      media,
      { from: leg, to: other },
      transaction,
      request,
    );
    this.#renegotiation.start();
  }

  #stopTimers(): void {
    this.#stopTrying?.();
    this.#stopRinging?.();
    this.#stopTrying = undefined;
    this.#stopRinging = undefined;
  }

  /** Once: everything is given back and written down. */
  async #end(disposition: CallRecord['disposition'], status: number, cause: string): Promise<void> {
    if (this.#state === 'ended') return;
    this.#state = 'ended';
    const endedAt = this.#services.now();
    this.#stopTimers();
    this.#confirmation?.stop();
    this.#renegotiation?.stop();
    for (const branch of this.#branches) if (branch !== this.#winner) branch.cancel();
    if (this.#inbound.dialog?.state !== 'confirmed') this.#inbound.forget();
    if (this.#inbound.status === 0) this.#inbound.status = status;
    const protection = this.#records([]);
    this.#services.ended(this.id);
    const qualities: (LegQuality | undefined)[] = [];
    const media = this.#media;
    if (media !== undefined) {
      const legs = [media.caller, ...media.callees];
      const stats = await media.close();
      for (const [index, leg] of legs.entries()) qualities.push(qualityOf(stats[index] ?? [], leg));
    }
    const facts = this.#facts(disposition, status, cause, endedAt);
    const legs = protection.map((leg) => {
      const quality = qualities[leg.index];
      return {
        ...leg,
        endedAt: leg.endedAt ?? endedAt,
        quality: quality === undefined ? '' : JSON.stringify(quality),
      };
    });
    const saved = this.#services.record(callRecord(facts, legs));
    this.#services.bus.emit({
      type: 'call.ended',
      call: this.id,
      disposition,
      status,
      cause,
      seconds: this.#answeredAt === undefined ? 0 : Math.round((endedAt - this.#answeredAt) / 100) / 10,
      quality: qualities,
    });
    await saved;
  }

  #facts(
    disposition: CallRecord['disposition'],
    status: number,
    cause: string,
    endedAt: number | undefined,
  ): CallFacts {
    const { id, domain, caller, callee, principal, route, decision } = this.#accepted;
    return {
      id,
      domain,
      caller,
      callee,
      principal,
      route,
      decision,
      startedAt: this.#startedAt,
      ringingAt: this.#ringingAt,
      answeredAt: this.#answeredAt,
      endedAt,
      disposition,
      status,
      cause,
    };
  }

  /** The winner's leg; of a call that nobody took, all that were tried. */
  #records(qualities: readonly (LegQuality | undefined)[]) {
    const outbound = this.#winner === undefined ? this.#branches : [this.#winner];
    return [this.#inbound, ...outbound.map(({ leg }) => leg)].map((leg) =>
      legRecord(leg, this.#media, qualities[leg.index]),
    );
  }

  #save(disposition: 'live', status: number, cause: string, qualities: readonly LegQuality[]): void {
    const facts = this.#facts(disposition, status, cause, undefined);
    this.#services.record(callRecord(facts, this.#records(qualities))).catch((error: unknown) => {
      this.#services.bus.emit({ type: 'edge.error', where: 'store', detail: String(error) });
    });
  }
}

/** RFC 3261 §16.7 step 6: 6xx first, then what the caller can mend, then the lowest class. */
function better(a: number, b: number): number {
  if (a === 0 || a === b) return b;
  const rank = (status: number): number => {
    if (status >= 600) return 0;
    if (status === 401 || status === 407 || status === 415 || status === 420 || status === 484) return 1;
    if (status === 486 || status === 488) return 2;
    if (status === 503 || status === 408) return 9;
    return 2 + Math.floor(status / 100);
  };
  return rank(a) <= rank(b) ? a : b;
}

function outcomeOf(status: number): [cause: string, disposition: CallRecord['disposition']] {
  if (status === 486 || status === 600) return ['normal', 'busy'];
  if (status === 480 || status === 408 || status === 487) return ['timeout', 'unanswered'];
  if (status === 488 || status === 606) return ['media', 'failed'];
  if (status === 603) return ['normal', 'refused'];
  return ['normal', 'failed'];
}
