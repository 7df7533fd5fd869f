import { BoundedMap } from '@ringfence/bytes/bounded-map.ts';
import { HeaderList } from '@ringfence/sip/message/header-list.ts';
import { parseNameAddrList } from '@ringfence/sip/message/name-addr.ts';
import type { SipRequest, SipResponse } from '@ringfence/sip/message/types.ts';
import type { ServerTransaction } from '@ringfence/sip/transaction/transaction.ts';
import { type Flow, isEncrypted } from '@ringfence/sip/transport/flow.ts';
import { contactOf, product } from '../call/messages.ts';
import { socketText } from '../call/services.ts';
import type { Pbx, PbxNode } from '../objects/types.ts';
import { type RegisterParts, settle } from '../registrar/accept-register.ts';
import { instanceOf, registrationOf } from '../registrar/outbound.ts';
import { readWishes, type Wish } from '../registrar/read-contacts.ts';
import type { LiveBinding, Terms } from '../registrar/registrar.ts';
import type { DomainDirectory } from '../routing/directory.ts';
import type { Upstream } from '../store/contract.ts';
import { readSeconds } from '../subscription/state.ts';
import { challengesOf, credentialsOf, isStale, usernameOf } from './credentials.ts';
import { type Forwarded, type ForwardParts, forward } from './forward.ts';
import { partyIn, passedRequest, passedUri, userOf } from './passed.ts';
import { type Respond, responder } from './respond.ts';
import type { Strangers } from './strangers.ts';

/** Registrations that are being tried or have lapsed: what the PBX was told stays the same. About 300 octets each. */
const attemptsKept = 20_000;
const longestUser = 128;
const longestExpires = 86_400;
/** Characters of a token that stands for a phone: 120 bits. */
export const tokenLength = 20;

export interface PbxRegisterParts extends ForwardParts {
  readonly registering: RegisterParts;
  readonly strangers: Strangers;
  trust(address: string): void;
}

/** How one contact of a phone is known to the PBX. */
interface Attempt {
  readonly token: string;
  readonly callId: string;
  cseq: number;
  node: string | undefined;
}

interface Arrival {
  readonly request: SipRequest;
  readonly flow: Flow;
  readonly domain: DomainDirectory;
  readonly pbx: Pbx;
  readonly user: string;
  /** Undefined for a query and for `Contact: *`. */
  readonly wish: Wish | undefined;
  readonly star: boolean;
  readonly known: LiveBinding | undefined;
  readonly respond: Respond;
}

/**
 * REGISTER of a PBX's phones: the PBX decides, RFC 3261 §10, and the edge keeps the way to the phone.
 *
 * The PBX is shown one Contact per phone, at the edge, with an unguessable token. Phones come back often, to hold
 * their NAT open; the PBX sees them only when half of what it granted is over. In between the edge answers, but only
 * to the same flow, contact and digest user, and never for longer than the PBX granted.
 */
export class PbxRegistrations {
  readonly #parts: PbxRegisterParts;
  readonly #attempts = new BoundedMap<string, Attempt>({ capacity: attemptsKept });
  /** Min-Expires that a PBX has asked for, by domain. */
  readonly #minimum = new Map<string, number>();

  constructor(parts: PbxRegisterParts) {
    this.#parts = parts;
  }

  register(transaction: ServerTransaction, request: SipRequest, domain: DomainDirectory, pbx: Pbx): void {
    const { services, registering } = this.#parts;
    const { flow } = transaction;
    const { registrar } = registering;
    let proven = false;
    const respond = responder(services, transaction, request, () => proven);
    const user = userOf(request.to.uri);
    if (user === '' || user.length > longestUser || userOf(request.from.uri) !== user) return respond(403);
    if (pbx.phones === 'required' && !isEncrypted(flow.transport))
      return respond(403, new HeaderList().add('Warning', tlsWanted));
    const wishes = readWishes(request, {
      ...services.config().registrar,
      minimumExpires: 1,
      maximumExpires: longestExpires,
    });
    if (wishes.kind === 'refused') return respond(wishes.status, wishes.headers, wishes.reason);
    if (wishes.kind === 'list' && wishes.list.length > 1) return respond(400, undefined, 'One Contact Only');
    const wish = wishes.kind === 'list' ? wishes.list[0] : undefined;
    const known = wish === undefined ? undefined : registrar.find(domain.name, user, wish.key);
    const star = wishes.kind === 'all';
    const arrival: Arrival = { request, flow, domain, pbx, user, wish, star, known, respond };
    // One flow of several goes (RFC 5626): the PBX goes on reaching the phone over the others.
    if (wish?.seconds === 0 && known?.upstream !== undefined && sameWay(known, flow))
      if (registrar.sharing(known.upstream.token) > 1)
        return this.#grant(arrival, { seconds: 1, upstream: known.upstream });
    const between = this.#between(arrival, false);
    if (between !== undefined) {
      // It is where it registered from: what it sends is no stranger's.
      proven = true;
      return this.#grant(arrival, between);
    }
    if (wish !== undefined && wish.seconds > 0 && known === undefined) {
      // Those whose connection is gone make room for this one.
      const held = registrar
        .lookup(domain.name, user, services.now())
        .filter((binding) => binding.flow !== undefined || binding.transport === 'udp');
      if (held.length >= services.config().registrar.maximumContacts)
        return respond(403, undefined, 'Too Many Contacts');
    }
    this.#ask(
      arrival,
      Math.max(pbx.expires, this.#minimum.get(pbx.domain) ?? 0),
      () => {
        proven = true;
      },
      true,
    );
  }

  /** A binding has lapsed: the phone may come back before its registration at the PBX has. */
  lapsed({ domain, user, key, upstream }: LiveBinding): void {
    if (upstream !== undefined)
      this.#attempts.set(attemptKey(domain, user, key), {
        token: upstream.token,
        callId: upstream.callId,
        cseq: upstream.cseq,
        node: upstream.node,
      });
  }

  /**
   * On what terms the edge may answer by itself; undefined: the PBX has to be asked.
   *
   * `late`: the PBX cannot be asked, so what it has granted holds to its end.
   */
  #between({ request, flow, pbx, wish, known }: Arrival, late: boolean): Terms | undefined {
    const { services, sources } = this.#parts;
    const upstream = known?.upstream;
    const now = services.now();
    if (known === undefined || upstream === undefined || wish === undefined || wish.seconds === 0)
      return undefined;
    if (known.contact !== wish.contact || known.expiresAt <= now || !sameWay(known, flow)) return undefined;
    const username = usernameOf(request);
    // Over a connection the PBX has seen credentials; a datagram's source may be forged.
    if (username === undefined ? !flow.reliable : username !== upstream.username) return undefined;
    const due = upstream.grantedAt + (upstream.grantedUntil - upstream.grantedAt) / 2;
    const stays =
      sources.nodes.isUp(pbx.domain, upstream.node) && pbx.nodes.some(({ name }) => name === upstream.node);
    if (!late && (now >= due || !stays)) return undefined;
    const seconds = Math.min(pbx.phoneExpires, Math.floor((upstream.grantedUntil - now) / 1000));
    return seconds < 1 ? undefined : { seconds, upstream };
  }

  #ask(arrival: Arrival, expires: number, accepted: () => void, again: boolean): void {
    const { services, sources } = this.#parts;
    const { request, domain, pbx, user, wish, star, respond } = arrival;
    const attempt = this.#attemptOf(arrival);
    const asked = star || wish === undefined || wish.seconds === 0 ? 0 : expires;
    const make = (_node: PbxNode, flow: Flow): SipRequest => {
      const headers = new HeaderList();
      if (star) headers.add('Contact', '*');
      else if (wish !== undefined)
        headers.add('Contact', `${contactOf(flow, attempt.token, false)};expires=${asked}`);
      if (star || wish !== undefined) headers.add('Expires', String(asked));
      headers.add('User-Agent', product);
      for (const [name, value] of credentialsOf(request)) headers.add(name, value);
      attempt.cseq += 1;
      return passedRequest(request, {
        uri: passedUri(request.uri, domain.name, flow),
        from: partyIn(domain.name, request.from),
        to: partyIn(domain.name, request.to),
        tag: services.token(16),
        callId: attempt.callId,
        cseq: attempt.cseq,
        headers,
      });
    };
    forward(this.#parts, pbx, sources.nodes.order(pbx, attempt.node), make, (outcome) => {
      if (outcome.kind === 'unreachable') {
        const terms = this.#between(arrival, true);
        if (terms !== undefined) {
          accepted();
          return this.#grant(arrival, terms);
        }
        return respond(503, new HeaderList().add('Retry-After', '10'));
      }
      attempt.node = outcome.node.name;
      const { response } = outcome;
      if (response.status >= 200 && response.status < 300) {
        accepted();
        return this.#accepted(arrival, attempt, asked, outcome);
      }
      const minimum = response.status === 423 ? readSeconds(response.headers.get('Min-Expires')) : undefined;
      if (again && minimum !== undefined && minimum > asked && minimum <= longestExpires) {
        this.#minimum.set(pbx.domain, minimum);
        return this.#ask(arrival, minimum, accepted, false);
      }
      this.#refused(arrival, response, user);
    });
  }

  #accepted(
    arrival: Arrival,
    attempt: Attempt,
    asked: number,
    { response, node }: Extract<Forwarded, { kind: 'answered' }>,
  ): void {
    const { services, trust } = this.#parts;
    const { request, flow, pbx, wish, respond, domain, user } = arrival;
    const now = services.now();
    const granted = asked === 0 ? 0 : Math.min(grantedTo(response, attempt.token) ?? asked, longestExpires);
    // It says yes and grants nothing.
    if (asked > 0 && granted === 0) return respond(500);
    if (wish !== undefined) this.#attempts.delete(attemptKey(domain.name, user, wish.key));
    trust(flow.remote.address);
    this.#grant(arrival, {
      seconds: Math.max(1, Math.min(pbx.phoneExpires, granted)),
      upstream: {
        token: attempt.token,
        node: node.name,
        callId: attempt.callId,
        cseq: attempt.cseq,
        grantedAt: now,
        grantedUntil: now + granted * 1000,
        username: usernameOf(request) ?? '',
      },
    });
  }

  #grant({ request, flow, domain, user, respond }: Arrival, terms: Terms): void {
    const { registering, services } = this.#parts;
    const owner = { domain: domain.name, user, device: user };
    settle(
      registering,
      registering.registrar.register(request, owner, flow, services.now(), terms),
      flow,
      respond,
    );
  }

  #refused({ request, flow, domain, respond }: Arrival, response: SipResponse, user: string): void {
    const { services, strangers } = this.#parts;
    const { status } = response;
    const challenged = status === 401 || status === 407;
    const username = usernameOf(request);
    if ((challenged && username !== undefined && !isStale(response)) || status === 403 || status === 404) {
      strangers.failed(flow.remote.address, user, services.now());
      services.bus.emit({
        type: 'authentication.failed',
        source: socketText(flow.remote),
        username: (username ?? user).slice(0, 64),
        domain: domain.name,
        reason: `pbx-${status}`,
      });
    }
    if (!challenged) return respond(status < 400 ? 500 : status);
    const challenges = challengesOf(response);
    respond(challenges.size === 0 ? 500 : status, challenges);
  }

  #attemptOf({ domain, user, wish, known }: Arrival): Attempt {
    const { services } = this.#parts;
    const fresh = (): Attempt => ({
      token: services.token(tokenLength),
      callId: services.token(24),
      cseq: 0,
      node: known?.upstream?.node,
    });
    if (wish === undefined) return fresh();
    const key = attemptKey(domain.name, user, wish.key);
    const running = this.#attempts.get(key);
    if (running !== undefined) return running;
    const upstream = known?.upstream ?? this.#upstreamOfPhone(domain.name, user, wish.key);
    const attempt =
      upstream === undefined
        ? fresh()
        : { token: upstream.token, callId: upstream.callId, cseq: upstream.cseq, node: upstream.node };
    this.#attempts.set(key, attempt);
    return attempt;
  }

  /** Another flow of the same phone is registered: the PBX knows the phone once, RFC 5626 §3.3. */
  #upstreamOfPhone(domain: string, user: string, key: string): Upstream | undefined {
    const instance = registrationOf(key) === undefined ? undefined : instanceOf(key);
    if (instance === undefined) return undefined;
    const { registering, services } = this.#parts;
    return registering.registrar
      .lookup(domain, user, services.now())
      .find((binding) => binding.upstream !== undefined && instanceOf(binding.key) === instance)?.upstream;
  }
}

const tlsWanted = '399 ringfence "Encryption is required: register over TLS"';

const attemptKey = (domain: string, user: string, key: string): string => `${domain}\n${user}\n${key}`;

/** The connection that registered; over UDP the address and port, also after a restart. */
export const sameWay = (binding: LiveBinding, flow: Flow): boolean =>
  binding.flow === flow.id ||
  (flow.transport === 'udp' &&
    binding.transport === 'udp' &&
    binding.source === `${flow.remote.address} ${flow.remote.port}`);

/** Seconds that the PBX has granted to our Contact, RFC 3261 §10.2.4. */
function grantedTo(response: SipResponse, token: string): number | undefined {
  for (const value of response.headers.values('Contact').slice(0, 64)) {
    const parsed = parseNameAddrList(value);
    const contact = parsed.ok ? parsed.value[0] : undefined;
    if (contact === undefined || userOf(contact.uri) !== token) continue;
    const expires = contact.params.get('expires');
    if (typeof expires === 'string') return readSeconds(expires);
  }
  return readSeconds(response.headers.get('Expires'));
}
