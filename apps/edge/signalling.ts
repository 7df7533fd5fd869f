import { err, type Result } from '@ringfence/bytes/result.ts';
import { makeResponse } from '@ringfence/sip/message/build.ts';
import { HeaderList } from '@ringfence/sip/message/header-list.ts';
import { type Framing, parseMessage } from '@ringfence/sip/message/parse.ts';
import { screenRequest } from '@ringfence/sip/message/screen.ts';
import type { ParseError, SipMessage, SipRequest, Via } from '@ringfence/sip/message/types.ts';
import { serializeUri } from '@ringfence/sip/message/uri.ts';
import type { TransactionLayer } from '@ringfence/sip/transaction/layer.ts';
import type { ServerTransaction, TransactionOutput } from '@ringfence/sip/transaction/transaction.ts';
import type { Flow } from '@ringfence/sip/transport/flow.ts';
import type { Accounts } from './accounts/accounts.ts';
import { acceptInvite, type Doorway } from './call/accept.ts';
import type { Referral } from './call/judge-refer.ts';
import { CallLeg } from './call/leg.ts';
import { allowedMethods, supportedTags, warning } from './call/messages.ts';
import { invitingBodies } from './call/parts.ts';
import { acceptQualityReport, isQualityReport } from './call/quality-report.ts';
import { acceptRefer } from './call/refer.ts';
import { type ClientOwner, type DialogOwner, type InviteOwner, socketText } from './call/services.ts';
import type { Detection } from './detection/detection.ts';
import type { EventBus } from './events/bus.ts';
import { type MethodGate, refusalHeaders } from './hygiene/methods.ts';
import type { Identifier, KnownSender, UnprovenSender } from './identity/identify.ts';
import { acceptMessage } from './message/pager.ts';
import type { Pbx } from './objects/types.ts';
import type { PatchGate } from './patches/gate.ts';
import type { PbxFront } from './pbx/front.ts';
import { reasonOfRefusal } from './policy/reject-reasons.ts';
import { describePrincipal } from './policy/types.ts';
import { acceptRegister } from './registrar/accept-register.ts';
import { withKeep } from './registrar/outbound.ts';
import type { Registrar } from './registrar/registrar.ts';
import type { DomainDirectory } from './routing/directory.ts';
import { readDialled } from './routing/find-route.ts';
import { StatelessAnswers } from './stateless.ts';
import type { Store } from './store/contract.ts';
import type { Transports } from './transport/contract.ts';
import type { MessageTap } from './transport/message-tap.ts';
import type { PeerOverload } from './trunks/overload.ts';

/** What signalling is joined from. */
export interface SignallingParts {
  readonly layer: TransactionLayer;
  readonly bus: EventBus;
  readonly identifier: Identifier;
  readonly registrar: Registrar;
  readonly store: Store;
  readonly accounts: Accounts;
  readonly door: Doorway;
  readonly pbxFront: PbxFront;
  readonly detection: Detection;
  readonly patches: PatchGate;
  readonly methods: MethodGate;
  transports(): Transports;
  /** Who sees what is sent. */
  tap?(): MessageTap | undefined;
  now(): number;
  messageBytes(): number;
  readonly overload: Pick<PeerOverload, 'stamp' | 'heard'>;
  /** A source has proven itself: admission treats it better from now on. */
  trust(address: string, as: 'trunk' | 'registered' | 'phone' | 'reachable'): void;
}

/** Methods that anybody may be asked to prove themselves for; others are refused before that. */
const challenged = new Set(
  'REGISTER INVITE OPTIONS MESSAGE SUBSCRIBE PUBLISH REFER NOTIFY INFO UPDATE PRACK'.split(' '),
);
const screen = {
  supportedSchemes: new Set(['sip', 'sips', 'tel', 'urn']),
  acceptableBodies: new Set(['application/sdp']),
  supportedExtensions: supportedTags,
};
/** An INVITE may have its description among other parts. */
const inviteScreen = { ...screen, acceptableBodies: invitingBodies };
/** What a PBX's phones send beside calls has bodies of many types; each method looks at its own. */
const anyBody = { supportedSchemes: screen.supportedSchemes };
const onStream: Framing = { stream: true };
const inDatagram: Framing = { stream: false };
/** A WebSocket keeps messages apart as datagrams do: Content-Length may be left out (RFC 7118 §5). */
const isStream = ({ transport }: Flow): boolean => transport === 'tcp' || transport === 'tls';
const tooLarge: Result<SipMessage, ParseError> = err({
  code: 'too-large',
  detail: 'message larger than admission.messageBytes',
});

/**
 * The way of a message: parse, who, transaction, and then to its call, the registrar, or a refusal.
 *
 * Whoever has proven nothing costs no state: unknown senders, wrong credentials and requests for dialogs that are not
 * there are answered from the request alone, before the transaction layer sees them.
 */
export class Signalling {
  readonly #parts: SignallingParts;
  readonly #stateless: StatelessAnswers;
  #holding = false;
  /** Who sent the request that is on its way through the transaction layer. */
  #known: KnownSender | undefined = undefined;

  constructor(parts: SignallingParts) {
    this.#parts = parts;
    this.#stateless = new StatelessAnswers((flow, bytes) => this.#send(flow, bytes));
  }

  /** New calls find nobody from here on; over UDP their INVITE comes again, and whoever is here then takes it. */
  hold(): void {
    this.#holding = true;
  }

  /** Emergency calls wait for nothing. */
  #mayWait(request: SipRequest): boolean {
    if (request.method !== 'INVITE' || request.to.params.has('tag')) return false;
    return (
      !this.#parts.layer.absorbs(request) && !readDialled(request.uri, this.#parts.door.numbers()).emergency
    );
  }

  /** One whole message as it came in. */
  message(flow: Flow, bytes: Uint8Array, now: number): void {
    const { layer, bus, messageBytes } = this.#parts;
    const parsed =
      bytes.length > messageBytes()
        ? tooLarge
        : parseMessage(bytes, undefined, isStream(flow) ? onStream : inDatagram);
    if (!parsed.ok) {
      const { code, detail, respond } = parsed.error;
      const source = socketText(flow.remote);
      this.#parts.detection.malformed(flow, now);
      const patch = this.#parts.patches.name(bytes);
      bus.emit({
        type: 'message.malformed',
        source,
        listener: flow.listener,
        code,
        detail,
        ...(patch === undefined ? {} : { patch }),
      });
      if (respond !== undefined && respond.request.method !== 'ACK')
        this.#stateless.answer(
          flow,
          respond.request,
          bytes.length,
          respond.status,
          undefined,
          respond.reason,
        );
      return;
    }
    const message = parsed.value;
    this.#known = undefined;
    if (this.#holding && message.kind === 'request' && this.#mayWait(message)) return;
    if (message.kind === 'request' && !this.#admit(message, flow, bytes, now)) return;
    // RFC 7339 §5.2: to those it trusts alone.
    const stamped =
      message.kind === 'request' && this.#isTrunk() ? this.#parts.overload.stamp(message) : message;
    layer.receive(stamped, flow, now);
    this.drain();
  }

  #send(flow: Flow, bytes: Uint8Array): boolean {
    this.#parts.tap?.()?.sent(flow, bytes);
    return this.#parts.transports().send(flow, bytes);
  }

  #isTrunk(): boolean {
    const known: KnownSender | undefined = this.#known;
    return known?.principal.kind === 'trunk';
  }

  /** Sends what there is to send and hands out what has happened. */
  drain(): void {
    const { layer } = this.#parts;
    for (let output = layer.poll(); output !== undefined; output = layer.poll()) this.#output(output);
  }

  /** A REFER within a call. */
  refer(referral: Referral): void {
    acceptRefer(this.#parts.door, referral);
  }

  closed(flow: Flow): void {
    const { layer, registrar, now } = this.#parts;
    registrar.flowClosed(flow.id);
    layer.flowFailed(flow.id, now());
    this.drain();
  }

  /** False where the request has been dealt with already. */
  #admit(request: SipRequest, flow: Flow, bytes: Uint8Array, now: number): boolean {
    const { identifier, layer, detection, patches, methods } = this.#parts;
    const { method } = request;
    const size = bytes.length;
    const unsafe = patches.refuse(request, flow, bytes);
    if (unsafe?.verdict === 'refuse') {
      const headers = new HeaderList().add('Reason', reasonOfRefusal(unsafe.cause));
      if (method !== 'ACK' && !this.#stateless.answer(flow, request, size, unsafe.status, headers))
        this.#stateless.answer(flow, request, size, unsafe.status);
      return false;
    }
    if (method === 'ACK') return true;
    if (method === 'CANCEL' || request.to.params.has('tag')) {
      if ((method !== 'CANCEL' && this.#owner(request) !== undefined) || layer.absorbs(request)) return true;
      this.#stateless.answer(flow, request, size, 481);
      return false;
    }
    this.#known = this.#byFlow(request, flow);
    if (this.#known !== undefined) {
      detection.passed(now);
      return true;
    }
    // A repetition carries credentials that have been used: it is its transaction's.
    if (request.headers.has('Authorization') && layer.absorbs(request)) return true;
    if (!challenged.has(method)) {
      const headers = new HeaderList().add('Allow', allowedMethods);
      this.#stateless.answer(flow, request, size, 405, headers);
      return false;
    }
    const domain = identifier.domainOf(request);
    const shut = methods.refuse(request, flow, undefined, undefined);
    if (shut !== undefined) {
      detection.stranger(request, flow, bytes, domain, now);
      methods.tell(request, flow, 'unknown', shut);
      this.#stateless.answer(flow, request, size, shut.status, refusalHeaders(shut));
      return false;
    }
    if (domain.pbx !== undefined) return this.#admitToPbx(request, flow, bytes, now, domain, domain.pbx);
    const who = identifier.byCredentials(request, flow, now);
    detection.saw(request, flow, bytes, who, now);
    if (who.kind === 'unproven') {
      this.#stateless.challenge(flow, request, size, who.challenges);
      this.#tellUnproven(request, flow, who);
      return false;
    }
    this.#known = who;
    return true;
  }

  /** The phones of a PBX prove themselves to it; until then they cost it no more than is set. */
  #admitToPbx(
    request: SipRequest,
    flow: Flow,
    bytes: Uint8Array,
    now: number,
    domain: DomainDirectory,
    pbx: Pbx,
  ): boolean {
    const { layer, pbxFront, door, detection } = this.#parts;
    const size = bytes.length;
    if (layer.absorbs(request)) return true;
    const { emergency } = readDialled(request.uri, door.numbers());
    const who = pbxFront.identify(request, flow, domain, pbx, emergency, now);
    if (who.kind === 'known' && who.principal.kind !== 'unknown') detection.passed(now);
    else detection.stranger(request, flow, bytes, domain, now);
    if (who.kind === 'known') {
      this.#known = who;
      return true;
    }
    const headers = new HeaderList();
    if (who.retryAfter !== undefined) headers.add('Retry-After', String(who.retryAfter));
    const explained = headers.clone().add('Warning', warning(who.warning));
    // Over UDP the explanation may be too long for what was sent.
    if (!this.#stateless.answer(flow, request, size, who.status, explained))
      this.#stateless.answer(flow, request, size, who.status, headers);
    return false;
  }

  /**
   * Who sends, by the flow alone. A phone that has registered over this flow is itself, whatever trunk shares its
   * address, and answers challenges; only for an emergency call over its connection it need not.
   */
  #byFlow(request: SipRequest, flow: Flow): KnownSender | undefined {
    const { registrar, identifier, door } = this.#parts;
    if (request.method === 'REGISTER') return undefined;
    const binding = registrar.byFlow(flow.id);
    if (binding === undefined) return identifier.byFlow(flow, request);
    if (request.method !== 'INVITE' || !flow.reliable) return undefined;
    if (!readDialled(request.uri, door.numbers()).emergency) return undefined;
    return identifier.device(binding.domain, binding.device);
  }

  #tellUnproven(request: SipRequest, flow: Flow, who: UnprovenSender): void {
    const { bus, trust } = this.#parts;
    const { failure, stale } = who;
    // Only who has read our challenge has its nonce.
    if (failure !== undefined && failure.reason !== 'bad-nonce' && failure.reason !== 'malformed')
      trust(flow.remote.address, 'reachable');
    if (failure !== undefined && !stale)
      bus.emit({
        type: 'authentication.failed',
        source: socketText(flow.remote),
        username: failure.username.slice(0, 64),
        domain: who.domain.name,
        reason: failure.reason,
      });
    else if (bus.wants('request.challenged'))
      bus.emit({
        type: 'request.challenged',
        source: socketText(flow.remote),
        method: request.method,
        target: serializeUri(request.uri),
        stale,
      });
  }

  #output(output: TransactionOutput): void {
    switch (output.kind) {
      case 'send':
        if (!this.#send(output.flow, output.bytes))
          this.#parts.layer.flowFailed(output.flow.id, this.#parts.now());
        return;
      case 'request':
        return this.#request(output.transaction, output.request);
      case 'ack':
        return this.#owner(output.request)?.acknowledged(output.request);
      case 'cancelled':
        return (output.transaction.context as InviteOwner | undefined)?.cancelled(output.cancel);
      case 'response':
        this.#hearLoad(output.transaction.flow.remote.address, output.response.via[0]);
        return (output.transaction.context as ClientOwner | undefined)?.response(output.response);
      case 'timeout':
      case 'failed': {
        const { transaction } = output;
        const reason = output.kind === 'timeout' ? 'timeout' : output.reason;
        if (transaction.kind === 'client') (transaction.context as ClientOwner | undefined)?.failed(reason);
        else if (output.kind === 'failed') (transaction.context as InviteOwner | undefined)?.unreachable();
        return;
      }
      case 'terminated':
        return;
    }
  }

  #hearLoad(address: string, via: Via | undefined): void {
    if (via?.params.has('oc') === true) this.#parts.overload.heard(address, via);
  }

  /** The leg that a request is for, RFC 3261 §12.2.2: both tags and the Call-ID must be its own. */
  #owner(request: SipRequest): DialogOwner | undefined {
    const tag = request.to.params.get('tag');
    const owner = typeof tag === 'string' ? this.#parts.door.services.dialogs.get(tag) : undefined;
    if (owner === undefined || owner.callId !== request.callId) return undefined;
    if (owner.begun === false) return owner;
    return owner.remoteTag === (request.from.params.get('tag') ?? '') ? owner : undefined;
  }

  #asksForHelp(owner: DialogOwner): boolean {
    return owner instanceof CallLeg && this.#parts.door.calls.get(owner.call)?.view()?.emergency === true;
  }

  #request(transaction: ServerTransaction, received: SipRequest): void {
    const { identifier, door, trust, pbxFront, detection, methods } = this.#parts;
    const { flow } = transaction;
    const { method } = received;
    const request =
      method === 'REGISTER' || method === 'INVITE'
        ? withKeep(received, flow, door.services.config().registrar.flowSeconds)
        : received;
    const answer = (status: number, headers?: HeaderList, reason?: string): void =>
      this.#answer(transaction, request, status, headers, reason);
    if (request.to.params.has('tag')) {
      const owner = this.#owner(request);
      if (owner === undefined) return answer(481);
      const shut = methods.refuseWithin(request, flow, owner.party ?? '');
      if (shut === undefined || this.#asksForHelp(owner)) return owner.request(transaction, request);
      methods.tell(request, flow, owner.party ?? '', shut);
      return answer(shut.status, refusalHeaders(shut));
    }
    const who = this.#known;
    if (who === undefined) return answer(403);
    const { principal, domain } = who;
    if (principal.kind === 'trunk') {
      trust(flow.remote.address, 'trunk');
      if (principal.proof === 'certificate') this.#alias(request, flow);
    } else if (principal.kind === 'device')
      trust(flow.remote.address, flow.reliable ? 'registered' : 'phone');
    // An INVITE is judged with the call that it asks for, and leaves a record.
    const shut = method === 'INVITE' ? undefined : methods.refuse(request, flow, principal, domain);
    if (shut !== undefined) {
      methods.tell(request, flow, describePrincipal(principal), shut);
      return answer(shut.status, refusalHeaders(shut));
    }
    const report = isQualityReport(request);
    const screened = screenRequest(
      request,
      method === 'INVITE'
        ? inviteScreen
        : domain.pbx === undefined && method !== 'MESSAGE' && !report
          ? screen
          : anyBody,
    );
    if (screened !== undefined) return answer(screened.status, screened.headers, screened.reason);
    if (report) return acceptQualityReport(door.services, request, principal, answer);
    if (domain.pbx !== undefined && pbxFront.request(transaction, request, who, domain.pbx)) return;
    switch (request.method) {
      case 'INVITE': {
        const foreign = identifier.isForeign(request.uri, domain);
        const called = who.called ?? request.uri;
        detection.called(principal, domain, called, flow);
        return acceptInvite(door, {
          transaction,
          request,
          flow,
          principal,
          directory: domain,
          foreign,
          called,
        });
      }
      case 'REGISTER': {
        if (domain.pbx !== undefined && principal.kind === 'unknown')
          return pbxFront.register(transaction, request, domain, domain.pbx);
        const foreign = identifier.isForeign(request.to.uri, domain);
        return acceptRegister(
          { ...this.#parts, run: (step) => door.services.run(step) },
          { request, flow, principal, foreign },
          answer,
        );
      }
      case 'MESSAGE': {
        const foreign = identifier.isForeign(request.uri, domain);
        const called = request.uri;
        const arrival = { transaction, request, flow, principal, directory: domain, foreign, called };
        return acceptMessage(door, arrival, answer);
      }
      case 'OPTIONS':
        return answer(200, new HeaderList().add('Allow', allowedMethods).add('Accept', 'application/sdp'));
      default:
        return answer(405, new HeaderList().add('Allow', allowedMethods));
    }
  }

  /** RFC 5923 §4: the trunk asks to be reached over its connection as what its Via says, if its certificate says so too. */
  #alias({ via }: SipRequest, flow: Flow): void {
    const top = via[0];
    if (top?.params.has('alias') === true) this.#parts.transports().alias(flow, top.host, top.port ?? 5061);
  }

  #answer(
    transaction: ServerTransaction,
    request: SipRequest,
    status: number,
    headers = new HeaderList(),
    reason?: string,
  ): void {
    const { layer, door, now } = this.#parts;
    const tagged = request.to.params.has('tag') ? {} : { toTag: door.services.token(16) };
    layer.respond(transaction, makeResponse(request, status, reason, { ...tagged, headers }), now());
  }
}
