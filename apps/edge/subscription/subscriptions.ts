import { makeResponse } from '@ringfence/sip/message/build.ts';
import { HeaderList } from '@ringfence/sip/message/header-list.ts';
import type { SipRequest } from '@ringfence/sip/message/types.ts';
import type { ServerTransaction } from '@ringfence/sip/transaction/transaction.ts';
import type { Flow } from '@ringfence/sip/transport/flow.ts';
import type { TargetSources } from '../call/targets.ts';
import type { Pbx } from '../objects/types.ts';
import { challengesOf } from '../pbx/credentials.ts';
import { type ForwardParts, forward } from '../pbx/forward.ts';
import { partyIn, passedRequest, passedUri } from '../pbx/passed.ts';
import type { Principal } from '../policy/types.ts';
import type { DomainDirectory } from '../routing/directory.ts';
import type { DialogNames } from './dialog-names.ts';
import { allowedEvents, eventOf } from './packages.ts';
import { minimumOf, Subscription, statusOfRefusal } from './subscription.ts';

/** Of one user, over all its phones: as many keys as the largest expansion modules have. About 4 kB each. */
const mostOfUser = 256;
/** In all. */
const most = 50_000;

export interface SubscriptionParts extends ForwardParts {
  readonly sources: ForwardParts['sources'] & Pick<TargetSources, 'registrar'>;
  readonly names: DialogNames;
}

/** SUBSCRIBE of a PBX's phones, relayed (RFC 6665): message-summary, dialog, presence and reg. */
export class Subscriptions {
  readonly #parts: SubscriptionParts;
  readonly #live = new Set<Subscription>();
  readonly #ofUser = new Map<string, number>();

  constructor(parts: SubscriptionParts) {
    this.#parts = parts;
  }

  get size(): number {
    return this.#live.size;
  }

  /** A SUBSCRIBE outside of any dialog, from a phone that is registered. */
  subscribe(
    transaction: ServerTransaction,
    request: SipRequest,
    { user }: Extract<Principal, { kind: 'device' }>,
    { name: domain }: DomainDirectory,
    pbx: Pbx,
  ): void {
    const { services, sources, names } = this.#parts;
    const answer = (status: number, headers = new HeaderList()): void =>
      services.layer.respond(
        transaction,
        makeResponse(request, status, undefined, { toTag: services.token(16), headers }),
        services.now(),
      );
    const event = eventOf(request);
    const pack = event?.package;
    if (event === undefined || pack === undefined)
      return answer(489, new HeaderList().add('Allow-Events', allowedEvents));
    const owner = `${domain}\n${user}`;
    const held = this.#ofUser.get(owner) ?? 0;
    if (held >= mostOfUser) return answer(403);
    if (this.#live.size >= most) return answer(503, new HeaderList().add('Retry-After', '60'));
    const node = nodeOf(sources, domain, user, services.now());
    const subscription = new Subscription(
      services,
      {
        request,
        transaction,
        event: { ...event, package: pack },
        context: { domain, names },
        again: (flow) => flowOfUser(sources, domain, user, flow, services.now()),
        ended: () => {
          this.#live.delete(subscription);
          const left = (this.#ofUser.get(owner) ?? 1) - 1;
          if (left > 0) this.#ofUser.set(owner, left);
          else this.#ofUser.delete(owner);
        },
      },
      transaction.flow,
    );
    this.#live.add(subscription);
    this.#ofUser.set(owner, held + 1);
    let sent = request;
    let cseq = 0;
    const make = (_: unknown, flow: Flow): SipRequest => {
      cseq += 1;
      subscription.pbx.flow = flow;
      const headers = subscription.headers(request);
      headers.add('Contact', subscription.pbx.contact);
      sent = passedRequest(request, {
        uri: passedUri(request.uri, domain, flow),
        from: partyIn(domain, request.from),
        to: partyIn(domain, request.to),
        tag: subscription.pbx.localTag,
        callId: subscription.pbx.callId,
        cseq,
        headers,
      });
      return sent;
    };
    forward(this.#parts, pbx, sources.nodes.order(pbx, node), make, (outcome) => {
      if (outcome.kind === 'unreachable') {
        answer(503, new HeaderList().add('Retry-After', '10'));
        return subscription.end();
      }
      const { response, flow } = outcome;
      const { status } = response;
      if (status < 300) return subscription.accepted(sent, response, flow);
      if (status === 401 || status === 407) answer(status, challengesOf(response));
      else answer(statusOfRefusal(status), minimumOf(response));
      subscription.end();
    });
  }

  /** Ends what belongs to PBXs that are no more. */
  retain(domains: ReadonlySet<string>): void {
    for (const subscription of this.#live)
      if (!domains.has(subscription.domain)) subscription.expire('deactivated');
  }

  /** Ends what has run out. */
  sweep(now: number): void {
    for (const subscription of this.#live) if (subscription.expiresAt <= now) subscription.expire('timeout');
  }
}

const nodeOf = (
  { registrar }: SubscriptionParts['sources'],
  domain: string,
  user: string,
  now: number,
): string | undefined => registrar.lookup(domain, user, now)[0]?.upstream?.node;

/** Undefined while the flow in hand lives, and where no other of the user's is certain to lead to the same phone. */
function flowOfUser(
  { registrar, transports }: SubscriptionParts['sources'],
  domain: string,
  user: string,
  flow: Flow,
  now: number,
): Flow | undefined {
  if (flow.transport === 'udp' || transports.flow(flow.id) !== undefined) return undefined;
  const live = registrar
    .lookup(domain, user, now)
    .flatMap((binding) => (binding.flow === undefined ? [] : (transports.flow(binding.flow) ?? [])));
  return live.length === 1 ? live[0] : undefined;
}
