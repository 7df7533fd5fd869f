import { randomBytes } from 'node:crypto';
import type { Relay } from '@ringfence/relay/contract.ts';
import { DigestServer } from '@ringfence/sip/digest/server.ts';
import { parseNameAddr } from '@ringfence/sip/message/name-addr.ts';
import type { SipRequest, SipUri } from '@ringfence/sip/message/types.ts';
import { TransactionLayer } from '@ringfence/sip/transaction/layer.ts';
import type { Flow } from '@ringfence/sip/transport/flow.ts';
import type { Call } from './call/call.ts';
import type { CallServices, DialogOwner } from './call/services.ts';
import { connect, type TargetSources } from './call/targets.ts';
import { isInside } from './config/address-class.ts';
import type { Configuration, Encryption } from './config/schema.ts';
import type { EventBus } from './events/bus.ts';
import { Identifier } from './identity/identify.ts';
import type { Objects } from './objects/types.ts';
import { Registrar } from './registrar/registrar.ts';
import { Directory } from './routing/directory.ts';
import { Numbers } from './routing/numbers.ts';
import { Signalling } from './signalling.ts';
import type { Binding, Store } from './store/contract.ts';
import { Tokens } from './tokens.ts';
import type { Transports } from './transport/contract.ts';

/** What the edge is joined from; whoever makes it owns the processes and sockets behind these. */
export interface EdgeParts {
  readonly config: Configuration;
  readonly objects: Objects;
  readonly bindings: readonly Binding[];
  readonly store: Store;
  readonly bus: EventBus;
  /** Milliseconds, Unix epoch, never running backwards. */
  now(): number;
  transports(): Transports;
  relay(): Relay | undefined;
  trust(address: string, as: 'trunk' | 'registered'): void;
  readonly resolver: Pick<TargetSources, 'resolve' | 'resolveNumeric'>;
}

/** Everything between the sockets and the store: transactions, registrar, calls. */
export class Edge {
  readonly calls = new Map<string, Call>();
  readonly registrar: Registrar;
  readonly layer: TransactionLayer;
  readonly signalling: Signalling;
  readonly #parts: EdgeParts;
  readonly #dialogs = new Map<string, DialogOwner>();
  #config: Configuration;
  #directory: Directory;
  #numbers: Numbers;
  #encryption = new Map<string, Encryption>();
  #draining = false;
  #running = false;
  #timer: NodeJS.Timeout | undefined;
  #armedAt = Number.POSITIVE_INFINITY;

  constructor(parts: EdgeParts) {
    this.#parts = parts;
    this.#config = parts.config;
    this.#directory = new Directory(parts.objects, parts.config.domain);
    this.#numbers = numbersOf(parts.config);
    this.#encryption = encryptionOf(parts.config);
    const tokens = new Tokens();
    this.layer = new TransactionLayer({ newBranch: () => tokens.token(16) });
    this.registrar = new Registrar(() => this.#config.registrar);
    this.registrar.restore(parts.bindings);
    const digest = new DigestServer({
      key: randomBytes(32),
      nonceLifetimeMs: parts.config.registrar.nonceSeconds * 1000,
      maxNonces: 100_000,
    });
    const identifier = new Identifier(
      digest,
      () => this.#directory,
      () => this.#config.domain,
    );
    const services = this.#services(tokens);
    this.signalling = new Signalling({
      layer: this.layer,
      bus: parts.bus,
      identifier,
      registrar: this.registrar,
      store: parts.store,
      door: {
        services,
        calls: this.calls,
        sources: {
          registrar: this.registrar,
          get transports() {
            return parts.transports();
          },
          resolve: (uri: SipUri) => parts.resolver.resolve(uri),
          resolveNumeric: (uri: SipUri) => parts.resolver.resolveNumeric(uri),
        },
        numbers: () => this.#numbers,
        draining: () => this.#draining,
        listenerEncryption: (listener) => this.#encryption.get(listener) ?? 'required',
      },
      transports: () => parts.transports(),
      now: () => parts.now(),
      messageBytes: () => this.#config.admission.messageBytes,
      trust: (address, as) => parts.trust(address, as),
    });
    this.#trustTrunks();
  }

  get config(): Configuration {
    return this.#config;
  }

  message(flow: Flow, bytes: Uint8Array, now: number): void {
    this.#running = true;
    try {
      this.signalling.message(flow, bytes, now);
    } finally {
      this.#running = false;
    }
    this.#arm();
  }

  closed(flow: Flow): void {
    this.run(() => this.signalling.closed(flow));
  }

  /** Does something and then sends what came of it. */
  run(step: () => void): void {
    if (this.#running) return step();
    this.#running = true;
    try {
      step();
      this.signalling.drain();
    } finally {
      this.#running = false;
    }
    this.#arm();
  }

  reconfigure(config: Configuration): void {
    this.#config = config;
    this.#numbers = numbersOf(config);
    this.#encryption = encryptionOf(config);
  }

  /** New domain objects: takes effect with the next request; bindings of devices that are gone go too. */
  replaceObjects(objects: Objects): void {
    this.#directory = new Directory(objects, this.#config.domain);
    this.#trustTrunks();
    const gone = this.registrar.retain(
      ({ domain, user, device }) =>
        this.#directory.domain(domain)?.devices.get(device)?.user.name.toLowerCase() === user.toLowerCase(),
    );
    if (gone.length > 0)
      void this.#parts.store.putBindings([], gone).catch((error) => this.#storeFailed(error));
  }

  /** Takes out bindings that have run out. */
  expire(): void {
    const { removed } = this.registrar.expire(this.#parts.now());
    if (removed.length === 0) return;
    for (const { user, domain, device, contact, source, transport } of removed)
      this.#parts.bus.emit({
        type: 'registration.expired',
        user,
        domain,
        device,
        contact,
        source,
        transport,
        expires: 0,
      });
    void this.#parts.store.putBindings([], removed).catch((error) => this.#storeFailed(error));
  }

  drain(): void {
    this.#draining = true;
  }

  hangUpAll(cause: string): void {
    this.run(() => {
      for (const call of [...this.calls.values()]) call.hangUp(cause);
    });
  }

  /** Transactions whose answer is still out. */
  get farewells(): number {
    return this.layer.size.client;
  }

  /** The call and leg that an endpoint of the relay belongs to. */
  ownerOf(endpoint: number): { readonly call: Call; readonly leg: number } | undefined {
    for (const call of this.calls.values()) {
      const leg = call.legOfEndpoint(endpoint);
      if (leg !== undefined) return { call, leg };
    }
    return undefined;
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  #services(tokens: Tokens): CallServices {
    const parts = this.#parts;
    return {
      layer: this.layer,
      bus: parts.bus,
      dialogs: this.#dialogs,
      config: () => this.#config,
      relay: () => parts.relay(),
      now: () => parts.now(),
      after: (milliseconds, run) => {
        const timer = setTimeout(run, milliseconds);
        return () => clearTimeout(timer);
      },
      token: (length) => tokens.token(length),
      sessionId: () => tokens.digits(),
      run: (step) => this.run(step),
      record: (call) => parts.store.putCall(call),
      route: (flow, request, followTarget) => this.#route(flow, request, followTarget),
      mediaAddress: (flow) => this.#mediaAddress(flow),
      ended: (id) => {
        this.calls.delete(id);
      },
    };
  }

  /** RFC 3261 §12.2.1.1 and §8.1.2: the topmost Route, else the Request-URI; the flow in hand if it leads there. */
  #route(
    flow: Flow,
    request: SipRequest,
    followTarget: boolean,
  ): Flow | undefined | Promise<Flow | undefined> {
    const live = flow.transport === 'udp' ? flow : this.#parts.transports().flow(flow.id);
    if (!followTarget) return live;
    const next = nextHop(request);
    if (next === undefined) return live;
    const { resolver } = this.#parts;
    const candidate = resolver.resolveNumeric(next)?.[0];
    if (candidate !== undefined) {
      const same = candidate.address === flow.remote.address && candidate.port === flow.remote.port;
      if (same && candidate.transport === flow.transport && live !== undefined) return live;
      if (candidate.transport === 'udp')
        return this.#parts.transports().udpFlow(candidate.address, candidate.port, flow.listener);
    }
    // A connection that lives is as good as a new one to the same peer (RFC 5923).
    if (live !== undefined && live.transport !== 'udp') return live;
    return resolver.resolve(next).then(async (candidates) => {
      for (const found of candidates) {
        const connected = await connect(this.#parts.transports(), found);
        if (connected !== undefined) return connected;
      }
      return undefined;
    });
  }

  #mediaAddress(flow: Flow): { local: string; advertised: string } {
    const { addresses, publicAddress } = this.#config.media;
    const six = flow.local.address.includes(':');
    const local = addresses.find((address) => address.includes(':') === six) ?? flow.local.address;
    const outside =
      publicAddress !== undefined && publicAddress.includes(':') === six && !isInside(flow.remote.address);
    return { local, advertised: outside ? publicAddress : local };
  }

  #arm(): void {
    const next = this.layer.nextTimeout();
    if (next >= this.#armedAt) return;
    clearTimeout(this.#timer);
    this.#armedAt = next;
    this.#timer = setTimeout(() => this.#tick(), Math.max(1, next - this.#parts.now()));
  }

  #tick(): void {
    this.#armedAt = Number.POSITIVE_INFINITY;
    this.run(() => this.layer.handleTimeout(this.#parts.now()));
    this.#arm();
  }

  #trustTrunks(): void {
    for (const domain of this.#directory.domains())
      for (const trunk of domain.trunks.values())
        for (const address of trunk.addresses) {
          const [single, prefix] = address.split('/');
          if (single !== undefined && (prefix === undefined || prefix === '32' || prefix === '128'))
            this.#parts.trust(single, 'trunk');
        }
  }

  #storeFailed(error: unknown): void {
    this.#parts.bus.emit({ type: 'edge.error', where: 'store', detail: String(error) });
  }
}

const numbersOf = ({ numbers }: Configuration): Numbers => new Numbers(numbers.country, numbers.emergency);

const encryptionOf = ({ listeners }: Configuration): Map<string, Encryption> =>
  new Map(
    listeners.map(({ name, encryption, transport }) => [
      name,
      encryption ?? (transport === 'tls' ? 'required' : 'preferred'),
    ]),
  );

function nextHop(request: SipRequest): SipUri | undefined {
  const { uri } = request;
  const own = uri.scheme === 'sip' || uri.scheme === 'sips' ? uri : undefined;
  const route = request.headers.values('Route')[0];
  if (route === undefined) return own;
  const parsed = parseNameAddr(route);
  if (!parsed.ok) return own;
  const hop = parsed.value.uri;
  return hop.scheme === 'sip' || hop.scheme === 'sips' ? hop : own;
}
