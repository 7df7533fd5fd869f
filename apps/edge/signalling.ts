import { makeResponse } from '@ringfence/sip/message/build.ts';
import { HeaderList } from '@ringfence/sip/message/header-list.ts';
import { parseMessage } from '@ringfence/sip/message/parse.ts';
import { screenRequest } from '@ringfence/sip/message/screen.ts';
import { serializeMessage } from '@ringfence/sip/message/serialize.ts';
import type { SipRequest } from '@ringfence/sip/message/types.ts';
import { serializeUri } from '@ringfence/sip/message/uri.ts';
import type { TransactionLayer } from '@ringfence/sip/transaction/layer.ts';
import { statelessTag } from '@ringfence/sip/transaction/matching.ts';
import type { ServerTransaction, TransactionOutput } from '@ringfence/sip/transaction/transaction.ts';
import { stampReceived } from '@ringfence/sip/transaction/via.ts';
import type { Flow } from '@ringfence/sip/transport/flow.ts';
import { acceptInvite, type Doorway } from './call/accept.ts';
import { allowedMethods } from './call/messages.ts';
import { type ClientOwner, type InviteOwner, socketText } from './call/services.ts';
import type { EventBus } from './events/bus.ts';
import type { Identification, Identifier } from './identity/identify.ts';
import type { Principal } from './policy/types.ts';
import type { Registrar } from './registrar/registrar.ts';
import type { DomainDirectory } from './routing/directory.ts';
import { readDialled } from './routing/find-route.ts';
import type { Store } from './store/contract.ts';
import type { Transports } from './transport/contract.ts';

/** What signalling is joined from. */
export interface SignallingParts {
  readonly layer: TransactionLayer;
  readonly bus: EventBus;
  readonly identifier: Identifier;
  readonly registrar: Registrar;
  readonly store: Store;
  readonly door: Doorway;
  transports(): Transports;
  now(): number;
  messageBytes(): number;
  /** A source has proven itself: admission treats it better from now on. */
  trust(address: string, as: 'trunk' | 'registered'): void;
}

const challengedWithoutState = new Set([
  'REGISTER',
  'INVITE',
  'OPTIONS',
  'MESSAGE',
  'SUBSCRIBE',
  'PUBLISH',
  'REFER',
  'NOTIFY',
  'INFO',
  'UPDATE',
  'PRACK',
]);
const screen = {
  supportedSchemes: new Set(['sip', 'sips', 'tel', 'urn']),
  acceptableBodies: new Set(['application/sdp']),
};

/**
 * The way of a message: parse, transaction, who, and then to its call, the registrar, or a refusal.
 *
 * Whoever is unknown costs no state: the challenge is made from the request alone (RFC 3261 §8.2.7), and over UDP it
 * is sent only if it is no longer than what it answers, so that nobody can aim a flood through us.
 */
export class Signalling {
  readonly #parts: SignallingParts;
  /** Set while a message goes through the transaction layer: what its flow alone has proven. */
  #known: Identification | undefined;

  constructor(parts: SignallingParts) {
    this.#parts = parts;
  }

  /** One whole message as it came in. */
  message(flow: Flow, bytes: Uint8Array, now: number): void {
    const parsed = parseMessage(bytes, { totalSize: this.#parts.messageBytes() });
    if (!parsed.ok) {
      const { code, detail, respond } = parsed.error;
      this.#parts.bus.emit({
        type: 'message.malformed',
        source: socketText(flow.remote),
        listener: flow.listener,
        code,
        detail,
      });
      if (respond !== undefined && respond.request.method !== 'ACK')
        this.#stateless(
          flow,
          respond.request,
          bytes.length,
          respond.status,
          respond.reason,
          new HeaderList(),
        );
      return;
    }
    const message = parsed.value;
    if (message.kind === 'request' && !this.#door(message, flow, bytes.length, now)) return;
    this.#parts.layer.receive(message, flow, now);
    this.drain();
    this.#known = undefined;
  }

  /** Sends what there is to send and hands out what has happened. */
  drain(): void {
    const { layer } = this.#parts;
    for (let output = layer.poll(); output !== undefined; output = layer.poll()) this.#output(output);
  }

  closed(flow: Flow): void {
    const { layer, registrar, now } = this.#parts;
    registrar.flowClosed(flow.id);
    layer.flowFailed(flow.id, now());
    this.drain();
  }

  /** False where the request has been dealt with already. */
  #door(request: SipRequest, flow: Flow, size: number, now: number): boolean {
    const { identifier } = this.#parts;
    if (request.method === 'ACK' || request.method === 'CANCEL') return true;
    if (request.to.params.has('tag')) return true;
    const known = identifier.byFlow(flow) ?? this.#emergency(request, flow);
    this.#known = known;
    if (known !== undefined || request.headers.has('Authorization')) return true;
    const unproven = identifier.byCredentials(request, flow, now);
    if (unproven.kind === 'known') return true;
    this.#challenge(flow, request, size, unproven);
    return false;
  }

  /** A phone that is registered over this very flow need not answer a challenge before it calls for help. */
  #emergency(request: SipRequest, flow: Flow): Identification | undefined {
    if (request.method !== 'INVITE') return undefined;
    if (!readDialled(request.uri, this.#parts.door.numbers()).emergency) return undefined;
    const binding = this.#parts.registrar.byFlow(flow.id);
    if (binding === undefined) return undefined;
    const domain = this.#parts.identifier.domainNamed(binding.domain);
    const device = domain?.devices.get(binding.device);
    if (domain === undefined || device === undefined) return undefined;
    return {
      kind: 'known',
      domain,
      principal: {
        kind: 'device',
        domain: domain.name,
        user: device.user.name,
        device: device.device.name,
        encryption: device.device.encryption,
        proof: 'digest',
      },
    };
  }

  #challenge(
    flow: Flow,
    request: SipRequest,
    size: number,
    unproven: Extract<Identification, { kind: 'unproven' }>,
  ): void {
    if (!challengedWithoutState.has(request.method)) {
      this.#stateless(flow, request, size, 405, undefined, new HeaderList().add('Allow', allowedMethods));
      return;
    }
    // Over UDP a long list of algorithms may not fit: then the first alone, and if that is too long, silence.
    const full = unproven.challenges;
    const lists = flow.transport === 'udp' && full.length > 1 ? [full, full.slice(0, 1)] : [full];
    for (const challenges of lists) {
      const headers = new HeaderList();
      for (const value of challenges) headers.add('WWW-Authenticate', value);
      if (this.#stateless(flow, request, size, 401, undefined, headers)) break;
    }
    if (this.#parts.bus.wants('request.challenged'))
      this.#parts.bus.emit({
        type: 'request.challenged',
        source: socketText(flow.remote),
        method: request.method,
        target: serializeUri(request.uri),
        stale: unproven.stale,
      });
  }

  /** RFC 3261 §8.2.7: the same request gets the same tag. False where the answer would be longer than the request. */
  #stateless(
    flow: Flow,
    request: SipRequest,
    size: number,
    status: number,
    reason: string | undefined,
    headers: HeaderList,
  ): boolean {
    const stamped = stampReceived(request, flow);
    const toTag = request.to.params.has('tag')
      ? undefined
      : statelessTag(`${request.callId} ${request.via[0]?.branch}`);
    const response = makeResponse(
      stamped,
      status,
      reason,
      toTag === undefined ? { headers } : { toTag, headers },
    );
    const bytes = serializeMessage(response);
    if (flow.transport === 'udp' && bytes.length > size) return false;
    this.#parts.transports().send(flow, bytes);
    return true;
  }

  #output(output: TransactionOutput): void {
    switch (output.kind) {
      case 'send':
        if (!this.#parts.transports().send(output.flow, output.bytes))
          this.#parts.layer.flowFailed(output.flow.id, this.#parts.now());
        return;
      case 'request':
        return this.#request(output.transaction, output.request);
      case 'ack':
        return this.#ack(output.request);
      case 'cancelled':
        return (output.transaction.context as InviteOwner | undefined)?.cancelled();
      case 'response':
        return (output.transaction.context as ClientOwner | undefined)?.response(output.response);
      case 'timeout':
      case 'failed':
        if (output.transaction.kind === 'client')
          (output.transaction.context as ClientOwner | undefined)?.failed(
            output.kind === 'timeout' ? 'timeout' : output.reason,
          );
        return;
      case 'terminated':
        return;
    }
  }

  #ack(request: SipRequest): void {
    const tag = request.to.params.get('tag');
    if (typeof tag === 'string') this.#owner(request, tag)?.acknowledged(request);
  }

  #owner(request: SipRequest, localTag: string) {
    const owner = this.#parts.door.services.dialogs.get(localTag);
    if (owner === undefined || owner.callId !== request.callId) return undefined;
    return owner.remoteTag === (request.from.params.get('tag') ?? '') ? owner : undefined;
  }

  #request(transaction: ServerTransaction, request: SipRequest): void {
    const tag = request.to.params.get('tag');
    if (typeof tag === 'string') {
      const owner = this.#owner(request, tag);
      if (owner === undefined) return this.#refuse(transaction, request, 481);
      return owner.request(transaction, request);
    }
    const { flow } = transaction;
    const now = this.#parts.now();
    const who = this.#known ?? this.#parts.identifier.byCredentials(request, flow, now);
    if (who.kind === 'unproven') return this.#unproven(transaction, request, flow, who);
    if (flow.transport !== 'udp' || who.principal.kind === 'trunk')
      this.#parts.trust(flow.remote.address, who.principal.kind === 'trunk' ? 'trunk' : 'registered');
    const screened = screenRequest(request, screen);
    if (screened !== undefined)
      return this.#refuse(transaction, request, screened.status, screened.headers, screened.reason);
    this.#dispatch(transaction, request, who.principal, who.domain);
  }

  #dispatch(
    transaction: ServerTransaction,
    request: SipRequest,
    principal: Principal,
    directory: DomainDirectory,
  ): void {
    const { flow } = transaction;
    switch (request.method) {
      case 'INVITE':
        return acceptInvite(this.#parts.door, { transaction, request, flow, principal, directory });
      case 'REGISTER':
        return this.#register(transaction, request, principal);
      case 'OPTIONS':
        return this.#refuse(
          transaction,
          request,
          200,
          new HeaderList().add('Allow', allowedMethods).add('Accept', 'application/sdp'),
        );
      default:
        return this.#refuse(transaction, request, 405, new HeaderList().add('Allow', allowedMethods));
    }
  }

  #unproven(
    transaction: ServerTransaction,
    request: SipRequest,
    flow: Flow,
    who: Extract<Identification, { kind: 'unproven' }>,
  ): void {
    const headers = new HeaderList();
    for (const value of who.challenges) headers.add('WWW-Authenticate', value);
    // RFC 3261 §22.1 and no word about which part was wrong.
    this.#refuse(transaction, request, 401, headers);
    if (who.failure !== undefined && !who.stale)
      this.#parts.bus.emit({
        type: 'authentication.failed',
        source: socketText(flow.remote),
        username: who.failure.username.slice(0, 64),
        domain: who.domain.name,
        reason: who.failure.reason,
      });
  }

  #register(transaction: ServerTransaction, request: SipRequest, principal: Principal): void {
    const { registrar, store, bus, now, door } = this.#parts;
    if (principal.kind !== 'device') return this.#refuse(transaction, request, 403);
    // §10.3 step 3 and 4: the address of record must be the one that the credentials are for.
    const { uri } = request.to;
    const wanted = uri.scheme === 'sip' || uri.scheme === 'sips' ? uri.user?.toLowerCase() : undefined;
    if (wanted !== principal.user.toLowerCase() && wanted !== principal.device.toLowerCase())
      return this.#refuse(transaction, request, 403);
    if (principal.encryption === 'required' && transaction.flow.transport !== 'tls')
      return this.#refuse(
        transaction,
        request,
        403,
        new HeaderList().add('Warning', '399 ringfence "Encryption is required: register over TLS"'),
      );
    const outcome = registrar.register(request, principal, transaction.flow, now());
    const answer = (status: number, headers: HeaderList, reason?: string): void =>
      this.#refuse(transaction, request, status, headers, reason);
    if (outcome.put.length === 0 && outcome.remove.length === 0)
      return answer(outcome.status, outcome.headers, outcome.reason);
    store.putBindings(outcome.put, outcome.remove).then(
      () =>
        door.services.run(() => {
          outcome.commit();
          this.#parts
            .transports()
            .keep(transaction.flow.id, registrar.byFlow(transaction.flow.id) !== undefined);
          for (const event of outcome.events) bus.emit(event);
          answer(outcome.status, outcome.headers, outcome.reason);
        }),
      (error: unknown) =>
        door.services.run(() => {
          bus.emit({ type: 'edge.error', where: 'store', detail: String(error) });
          answer(503, new HeaderList().add('Retry-After', '10'));
        }),
    );
  }

  #refuse(
    transaction: ServerTransaction,
    request: SipRequest,
    status: number,
    headers = new HeaderList(),
    reason?: string,
  ): void {
    const tagged = request.to.params.has('tag') ? {} : { toTag: this.#parts.door.services.token(16) };
    this.#parts.layer.respond(
      transaction,
      makeResponse(request, status, reason, { ...tagged, headers }),
      this.#parts.now(),
    );
  }
}
