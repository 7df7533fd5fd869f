import { BoundedMap } from '@ringfence/bytes/bounded-map.ts';
import { HeaderList } from '@ringfence/sip/message/header-list.ts';
import type { SipRequest, Uri } from '@ringfence/sip/message/types.ts';
import type { Flow } from '@ringfence/sip/transport/flow.ts';
import type { Configuration } from '../config/schema.ts';
import type { EdgeEvent } from '../events/types.ts';
import type { Binding, Upstream } from '../store/contract.ts';
import { publicGruu, publicUri } from './gruu.ts';
import { flowSeconds, instanceOf, registrationOf, supports } from './outbound.ts';
import { readPath } from './path.ts';
import { readWishes, type Wishes } from './read-contacts.ts';
import type { TemporaryGruus } from './temporary-gruu.ts';

type Limits = Configuration['registrar'];

/** About 200 octets each. */
const lostFlows = 20_000;

/** A stored binding and, while its connection lives, the flow it came over. Calls back use the flow, never the Contact's host. */
export interface LiveBinding extends Binding {
  readonly flow: number | undefined;
}

export interface RegisterOutcome {
  readonly status: number;
  readonly reason: string;
  readonly headers: HeaderList;
  readonly put: readonly Binding[];
  readonly remove: readonly { domain: string; user: string; key: string }[];
  readonly events: readonly EdgeEvent[];
  /** The phone keeps its flow alive by RFC 5626: seconds within which it is asked to. */
  readonly flowSeconds?: number;
  /** Makes the change visible; called once it is on disk. `reachable`: the flow that it came over still lives. */
  commit(reachable: boolean): void;
  /** The change could not be stored and is given up. */
  abandon(): void;
}

/** On what terms a PBX has let a phone in; the edge only passes them on. */
export interface Terms {
  /** Seconds that the phone gets at most. */
  readonly seconds: number;
  readonly upstream: Upstream;
}

interface Owner {
  readonly domain: string;
  readonly user: string;
  readonly device: string;
}

/**
 * Location service and registrar, RFC 3261 §10.3, with keys of RFC 5626 §6 where a phone sends an instance.
 *
 * Holds what is registered now; whoever calls it stores the change first and then lets it take effect.
 */
export class Registrar {
  readonly #limits: () => Limits;
  readonly #gruus: TemporaryGruus | undefined;
  readonly #users = new Map<string, Map<string, LiveBinding>>();
  readonly #byFlow = new Map<number, Set<LiveBinding>>();
  /** Contacts of a user that are on their way to the disk: they count, so that many at once pass no bound. */
  readonly #pending = new Map<string, number>();
  /** Phones that have left a flow, or whose flow broke, by flow: their calls go on over the next one. */
  readonly #lost = new BoundedMap<number, { readonly owner: string; readonly instance: string }>({
    capacity: lostFlows,
  });
  /** Where the bindings are that a PBX knows by a token: one, or the flows of one phone (RFC 5626). */
  readonly #byToken = new Map<string, { readonly owner: string; readonly keys: Set<string> }>();
  #size = 0;

  /** @param gruus makes addresses of phones that say nothing of their user; absent: there are none. */
  constructor(limits: () => Limits, gruus?: TemporaryGruus) {
    this.#limits = limits;
    this.#gruus = gruus;
  }

  get size(): number {
    return this.#size;
  }

  /** Bindings read from the store at start; their connections are gone, a UDP source may still be reached. */
  restore(bindings: readonly Binding[]): void {
    for (const binding of bindings) this.#set({ ...binding, flow: undefined });
  }

  /** Bindings of a user that have not run out, newest first. */
  lookup(domain: string, user: string, now: number): LiveBinding[] {
    const bindings = this.#users.get(ownerKey(domain, user));
    if (bindings === undefined) return [];
    const live: LiveBinding[] = [];
    for (const binding of bindings.values()) if (binding.expiresAt > now) live.push(binding);
    return live.sort((a, b) => b.updatedAt - a.updatedAt);
  }

  /** The binding that a request over this flow belongs to, RFC 5626 §5.3. */
  byFlow(flow: number): LiveBinding | undefined {
    const first = this.#byFlow.get(flow)?.values().next().value;
    // A proxy's flow carries many phones, and says nothing about which one sends.
    return first?.path === undefined ? first : undefined;
  }

  /** Some binding is reached over that flow. */
  serves(flow: number): boolean {
    return this.#byFlow.has(flow);
  }

  /** The public GRUU that a temporary one stands for now (RFC 5627 §5.3); any other URI as it is. */
  behind(uri: Uri, domain: string, now: number): Uri {
    const named = this.#gruus?.read(uri, domain);
    if (named === undefined) return uri;
    const phone = this.lookup(domain, named.user, now).find((binding) => named.fits(binding));
    return phone === undefined ? uri : (publicUri(phone) ?? uri);
  }

  find(domain: string, user: string, key: string): LiveBinding | undefined {
    return this.#users.get(ownerKey(domain, user))?.get(key);
  }

  /** The live binding that a PBX was given this token for; of several flows the newest that lives. */
  byToken(token: string, now: number): LiveBinding | undefined {
    const place = this.#byToken.get(token);
    if (place === undefined) return undefined;
    const bindings = this.#users.get(place.owner);
    let best: LiveBinding | undefined;
    for (const key of place.keys) {
      const binding = bindings?.get(key);
      if (binding === undefined || binding.expiresAt <= now) continue;
      if (best === undefined || standing(binding) > standing(best)) best = binding;
    }
    return best;
  }

  /** Bindings that share this token. */
  sharing(token: string): number {
    return this.#byToken.get(token)?.keys.size ?? 0;
  }

  /** `terms`: the PBX of the domain has let the phone in, for so long. */
  register(request: SipRequest, owner: Owner, flow: Flow, now: number, terms?: Terms): RegisterOutcome {
    const limits =
      terms === undefined
        ? this.#limits()
        : { ...this.#limits(), minimumExpires: 1, maximumExpires: terms.seconds };
    const key = ownerKey(owner.domain, owner.user);
    const current = this.#users.get(key);
    const wishes = readWishes(request, limits);
    if (wishes.kind === 'refused') return refusal(wishes.status, wishes.reason, wishes.headers);
    const outbound = asksOutbound(request, wishes);
    const path = readPath(request, flow, limits.trustedProxies);
    if (!path.ok) return refusal(400, path.error, new HeaderList());
    const { route } = path.value;
    // RFC 5626 §6: whoever stands between does not keep the flow for the phone.
    if (outbound && request.via.length > 1 && !path.value.outbound)
      return refusal(439, 'First Hop Lacks Outbound Support', new HeaderList());

    const put: LiveBinding[] = [];
    const remove: { domain: string; user: string; key: string }[] = [];
    const events: EdgeEvent[] = [];
    const after = new Map(current ?? []);
    for (const [key, binding] of after) if (binding.expiresAt <= now) after.delete(key);
    const leave = (binding: LiveBinding): void => {
      after.delete(binding.key);
      remove.push({ domain: owner.domain, user: owner.user, key: binding.key });
      events.push(registrationEvent('registration.removed', binding, flow, 0));
    };

    if (wishes.kind === 'all') for (const binding of [...after.values()]) leave(binding);
    else
      for (const wish of wishes.list) {
        const known = after.get(wish.key);
        // §10.3 step 7: an older CSeq of the same Call-ID is a late or repeated request.
        if (known !== undefined && known.callId === request.callId && known.cseq >= request.cseq.number)
          return refusal(500, 'Server Internal Error', new HeaderList());
        if (wish.seconds === 0) {
          if (known !== undefined) leave(known);
          continue;
        }
        const binding: LiveBinding = {
          domain: owner.domain,
          user: owner.user,
          device: owner.device,
          key: wish.key,
          contact: wish.contact,
          callId: request.callId,
          cseq: request.cseq.number,
          expiresAt: now + wish.seconds * 1000,
          transport: flow.transport,
          source: `${flow.remote.address} ${flow.remote.port}`,
          listener: flow.listener,
          userAgent: (request.headers.get('User-Agent') ?? '').slice(0, 128),
          updatedAt: now,
          flow: flow.id,
          ...(terms === undefined ? {} : { upstream: terms.upstream }),
          ...(route.length === 0 ? {} : { path: route }),
        };
        after.set(wish.key, binding);
        put.push(binding);
        events.push(
          registrationEvent(
            known === undefined || hasMoved(known, binding) ? 'registration.added' : 'registration.refreshed',
            binding,
            flow,
            wish.seconds,
          ),
        );
      }
    const pending = this.#pending.get(key) ?? 0;
    const fresh = put.filter((binding) => current?.has(binding.key) !== true).length;
    if (fresh > 0) {
      // A phone that has come back over a new connection takes the place of what its old one left behind.
      for (const old of unreachable(after.values(), owner.device)) {
        if (after.size + pending <= limits.maximumContacts) break;
        leave(old);
      }
    }
    if (fresh > 0 && after.size + pending > limits.maximumContacts)
      return refusal(403, 'Too Many Contacts', new HeaderList());

    this.#reserve(key, fresh);
    const headers = new HeaderList();
    const gruu = supports(request, 'gruu');
    for (const binding of after.values())
      headers.add('Contact', contactValue(binding, now, gruu ? this.#named(binding) : ''));
    // RFC 3327 §5.3
    if (supports(request, 'path')) for (const hop of route) headers.add('Path', hop);
    if (limits.serviceRoute) headers.add('Service-Route', serviceRoute(flow));
    headers.add('Date', new Date(now).toUTCString());
    const keepalive = outbound ? flowSeconds(flow, limits.flowSeconds) : undefined;
    if (keepalive !== undefined) headers.add('Require', 'outbound').add('Flow-Timer', String(keepalive));
    return {
      status: 200,
      reason: 'OK',
      headers,
      put: put.map(({ flow: _flow, ...stored }) => stored),
      remove,
      events,
      ...(keepalive === undefined ? {} : { flowSeconds: keepalive }),
      commit: (reachable) => {
        this.#reserve(key, -fresh);
        for (const gone of remove) this.#delete(owner.domain, owner.user, gone.key);
        for (const binding of put) this.#set(reachable ? binding : { ...binding, flow: undefined });
      },
      abandon: () => this.#reserve(key, -fresh),
    };
  }

  /** A stream broke: its bindings stay until they run out (the phone will be back), but nothing can reach them. */
  flowClosed(flow: number): void {
    const bindings = this.#byFlow.get(flow);
    if (bindings === undefined) return;
    this.#byFlow.delete(flow);
    for (const binding of bindings) {
      this.#leave(binding, flow);
      const owner = this.#users.get(ownerKey(binding.domain, binding.user));
      if (owner?.get(binding.key) === binding) owner.set(binding.key, { ...binding, flow: undefined });
    }
  }

  /** The binding over which the phone is reached now that had registered over a flow that is no more, RFC 5626 §5.3. */
  successor(flow: number, now: number): LiveBinding | undefined {
    const lost = this.#lost.size === 0 ? undefined : this.#lost.get(flow);
    if (lost === undefined) return undefined;
    let newest: LiveBinding | undefined;
    for (const binding of this.#users.get(lost.owner)?.values() ?? []) {
      if (binding.flow === undefined || binding.expiresAt <= now || instanceOf(binding.key) !== lost.instance)
        continue;
      if (newest === undefined || binding.updatedAt > newest.updatedAt) newest = binding;
    }
    return newest;
  }

  /** A phone with an instance has left that flow, or has lost it. */
  hasLost(flow: number): boolean {
    return this.#lost.has(flow);
  }

  /** Flows that phones of a user have left: whoever named the instance of a phone has taken its place, not its connection. */
  leftBy(domain: string, user: string): number[] {
    const key = ownerKey(domain, user);
    return [...this.#lost.entries()].flatMap(([flow, { owner }]) => (owner === key ? [flow] : []));
  }

  /** Takes out what has run out. */
  expire(now: number): { removed: LiveBinding[] } {
    const removed: LiveBinding[] = [];
    for (const bindings of this.#users.values())
      for (const binding of bindings.values()) if (binding.expiresAt <= now) removed.push(binding);
    for (const { domain, user, key } of removed) this.#delete(domain, user, key);
    return { removed };
  }

  /** Users and devices that were taken out of the directory lose their bindings. */
  retain(keep: (binding: LiveBinding) => boolean): LiveBinding[] {
    const removed: LiveBinding[] = [];
    for (const bindings of this.#users.values())
      for (const binding of bindings.values()) if (!keep(binding)) removed.push(binding);
    for (const { domain, user, key } of removed) this.#delete(domain, user, key);
    return removed;
  }

  /** RFC 5627 §5.1; a PBX knows nothing of addresses that are made here. */
  #named(binding: LiveBinding): string {
    const temporary = binding.upstream === undefined ? this.#gruus?.parameter(binding) : undefined;
    return `${publicGruu(binding)}${temporary ?? ''}`;
  }

  #reserve(key: string, contacts: number): void {
    const pending = (this.#pending.get(key) ?? 0) + contacts;
    if (pending > 0) this.#pending.set(key, pending);
    else this.#pending.delete(key);
  }

  #set(binding: LiveBinding): void {
    const key = ownerKey(binding.domain, binding.user);
    let bindings = this.#users.get(key);
    if (bindings === undefined) {
      bindings = new Map();
      this.#users.set(key, bindings);
    }
    const before = bindings.get(binding.key);
    this.#unlink(before);
    if (before?.flow !== undefined && before.flow !== binding.flow) this.#leave(before, before.flow);
    if (!bindings.has(binding.key)) this.#size += 1;
    bindings.set(binding.key, binding);
    const token = binding.upstream?.token;
    if (token !== undefined) {
      const place = this.#byToken.get(token);
      if (place?.owner === key) place.keys.add(binding.key);
      else this.#byToken.set(token, { owner: key, keys: new Set([binding.key]) });
    }
    if (binding.flow === undefined) return;
    const others = this.#byFlow.get(binding.flow);
    if (others === undefined) this.#byFlow.set(binding.flow, new Set([binding]));
    else others.add(binding);
  }

  #delete(domain: string, user: string, key: string): void {
    const owner = ownerKey(domain, user);
    const bindings = this.#users.get(owner);
    const binding = bindings?.get(key);
    if (bindings === undefined || binding === undefined) return;
    this.#unlink(binding);
    bindings.delete(key);
    this.#size -= 1;
    if (bindings.size === 0) this.#users.delete(owner);
  }

  /** The phone of the binding is not to be reached over that flow any more. */
  #leave({ domain, user, key }: LiveBinding, flow: number): void {
    const instance = instanceOf(key);
    if (instance !== undefined) this.#lost.set(flow, { owner: ownerKey(domain, user), instance });
  }

  #unlink(binding: LiveBinding | undefined): void {
    if (binding?.upstream !== undefined) {
      const { token } = binding.upstream;
      const place = this.#byToken.get(token);
      place?.keys.delete(binding.key);
      if (place?.keys.size === 0) this.#byToken.delete(token);
    }
    if (binding?.flow === undefined) return;
    const others = this.#byFlow.get(binding.flow);
    others?.delete(binding);
    if (others?.size === 0) this.#byFlow.delete(binding.flow);
  }
}

/** Bindings of that device whose connection is gone, oldest first; over UDP a source may still be there. */
const unreachable = (bindings: Iterable<LiveBinding>, device: string): LiveBinding[] =>
  [...bindings]
    .filter(
      (binding) => binding.device === device && binding.flow === undefined && binding.transport !== 'udp',
    )
    .sort((a, b) => a.updatedAt - b.updatedAt);

const asksOutbound = (request: SipRequest, wishes: Wishes): boolean =>
  wishes.kind === 'list' &&
  wishes.list.some(({ outbound, seconds }) => outbound && seconds > 0) &&
  supports(request, 'outbound');

function contactValue({ contact, key, expiresAt }: LiveBinding, now: number, gruu: string): string {
  const instance = instanceOf(key);
  const registration = registrationOf(key);
  const named = instance === undefined ? '' : `;+sip.instance=${instance}`;
  const numbered = registration === undefined ? '' : `;reg-id=${registration}`;
  return `<${contact}>${named}${numbered}${gruu};expires=${Math.ceil((expiresAt - now) / 1000)}`;
}

/** RFC 3608 §6.1: requests of the phone come to the listener that it has registered with. */
const serviceRoute = ({ transport, sentBy }: Flow): string => {
  const name = transport === 'wss' ? 'ws' : transport;
  return `<sip:${sentBy}${name === 'udp' ? '' : `;transport=${name}`};lr>`;
};

/** A flow that lives goes before one that is gone, then the newer one. */
const standing = ({ flow, transport, updatedAt }: LiveBinding): number =>
  (flow !== undefined || transport === 'udp' ? 1e15 : 0) + updatedAt;

/** The same instance from another address, or as another product, may be a phone that was taken along, or a copy of it. */
const hasMoved = (before: Binding, { source, userAgent }: Binding): boolean =>
  before.userAgent !== userAgent || addressOf(before) !== addressOf({ source });

const addressOf = ({ source }: Pick<Binding, 'source'>): string => source.slice(0, source.lastIndexOf(' '));

const ownerKey = (domain: string, user: string): string => `${domain}\n${user}`;

const refusal = (status: number, reason: string, headers: HeaderList): RegisterOutcome => ({
  status,
  reason,
  headers,
  put: [],
  remove: [],
  events: [],
  commit: () => undefined,
  abandon: () => undefined,
});

function registrationEvent(
  type: 'registration.added' | 'registration.refreshed' | 'registration.removed',
  binding: LiveBinding,
  flow: Flow,
  expires: number,
): EdgeEvent {
  return {
    type,
    user: binding.user,
    domain: binding.domain,
    device: binding.device,
    contact: binding.contact,
    source: `${flow.remote.address}:${flow.remote.port}`,
    transport: flow.transport,
    expires,
  };
}
