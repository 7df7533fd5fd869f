import { closeSync } from 'node:fs';
import { isIP, isIPv6 } from 'node:net';
import type { SecureContext } from 'node:tls';
import { MisuseError } from '@ringfence/bytes/misuse.ts';
import { err, ok, type Result } from '@ringfence/bytes/result.ts';
import { type Flow, isEncrypted } from '@ringfence/sip/transport/flow.ts';
import type { Admission } from '../admission/admission.ts';
import { isLoopback } from '../admission/source.ts';
import { hasAccountPage } from '../config/account-page.ts';
import type { Listener } from '../config/schema.ts';
import type { EdgeEvent } from '../events/types.ts';
import { loadPageFiles, type PageFiles } from '../phone-page/files.ts';
import type { AccountDoor } from '../self-service/answer.ts';
import { Connector, type Origin } from './connector.ts';
import type {
  HandedListener,
  ListenerState,
  OutboundTarget,
  TransportEvents,
  Transports,
} from './contract.ts';
import { openKeyLog } from './key-log.ts';
import { describeListenProblem, type ListenProblem } from './listen-problem.ts';
import { LocalAddresses } from './local-address.ts';
import { isWildcard } from './sent-by.ts';
import { StreamFlow } from './stream.ts';
import { StreamListener } from './stream-listener.ts';
import { Streams } from './streams.ts';
import { clientContext, readTlsOptions, type TlsMaterial, type TlsOptions } from './tls-context.ts';
import { UdpListener } from './udp.ts';
import { UdpFlow } from './udp-flows.ts';
import { WebSocketFlow } from './web-socket.ts';
import type { Pages } from './web-socket-door.ts';

export interface OpenTransportsOptions {
  readonly listeners: readonly Listener[];
  /** Needed where a listener or a target is TLS. */
  readonly tls?: TlsMaterial;
  /** Holds the admission settings too: bounds of size, time and number. */
  readonly admission: Admission;
  readonly events: TransportEvents;
  readonly emit: (event: EdgeEvent) => void;
  /** SIP domain of phones that name none; for the phone page. */
  readonly domain?: string;
  /** Answers what the account page asks; absent: no listener has that page. */
  readonly account?: AccountDoor;
  /** Milliseconds that never go back. */
  readonly clock: () => number;
  /** Where RINGFENCE_DANGEROUS_TLS_KEYLOG is looked for. Default: the process's environment. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
  /** What the program before has left open; taken where name, transport, address and port are as configured. */
  readonly inherited?: readonly HandedListener[];
}

type OpenListener = UdpListener | StreamListener;

/**
 * Opens every listener, or none: on failure all problems are told at once and what was opened is closed again.
 *
 * Sockets receive from the moment the promise resolves. Throws nothing that a peer or an administrator can cause.
 */
export const openTransports = async (
  options: OpenTransportsOptions,
): Promise<Result<Transports, readonly ListenProblem[]>> => {
  const { listeners, admission, emit, clock } = options;
  const problems: ListenProblem[] = [];
  let tls: TlsOptions | undefined;
  try {
    tls = options.tls === undefined ? undefined : await readTlsOptions(options.tls);
  } catch (error) {
    const index = Math.max(
      0,
      listeners.findIndex((listener) => isEncrypted(listener.transport)),
    );
    const listener = listeners[index];
    if (!(error instanceof MisuseError) || listener === undefined) throw error;
    return err([
      {
        ...describeListenProblem(listener, index, error),
        setting: 'tls',
        text: `${error.message}. Change tls in ringfence.yaml.`,
      },
    ]);
  }

  let ids = 0;
  const nextId = (): number => ++ids;
  const lastTrouble = new Map<string, number>();
  const trouble = (listener: string, error: Error): void => {
    const now = clock();
    // Peers can cause these at will (an address without a route), so one a listener and second is told.
    if (now - (lastTrouble.get(listener) ?? Number.NEGATIVE_INFINITY) < 1000) return;
    lastTrouble.set(listener, now);
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EMFILE' || code === 'ENFILE') {
      const detail = `listener ${listener} may take no more connections (ulimit -n); those that are there go on`;
      emit({ type: 'edge.trouble', what: 'descriptors', detail });
    } else emit({ type: 'edge.error', where: `listener ${listener}`, detail: error.message });
  };
  const keyLog = openKeyLog(options.environment ?? process.env, emit);
  const localAddresses = new LocalAddresses(clock);
  const streams = new Streams({ admission, events: options.events, emit, clock });

  const left = [...(options.inherited ?? [])];
  const take = (listener: Listener): number | undefined => {
    const at = left.findIndex((handed) => isFor(handed, listener));
    return at < 0 ? undefined : left.splice(at, 1)[0]?.descriptor;
  };
  // Of listeners that are configured no more, before others may want their ports.
  for (const handed of [...left])
    if (!listeners.some((listener) => isFor(handed, listener))) {
      left.splice(left.indexOf(handed), 1);
      closeSync(handed.descriptor);
    }

  let files: Promise<PageFiles> | undefined;
  const pageFiles = ({ name }: Listener): Promise<PageFiles> => {
    // Nobody waits for it: what is said to the page before it is there is answered a moment later.
    files ??= loadPageFiles(options.domain ?? '');
    files.catch((error: Error) => trouble(name, error));
    return files;
  };
  const pagesOf = (listener: Listener): Pages | undefined => {
    const phone = listener.phonePage === true;
    const account = hasAccountPage(listener) ? options.account : undefined;
    if (!phone && account === undefined) return undefined;
    const pages = { files: pageFiles(listener), phone };
    return account === undefined ? pages : { ...pages, account };
  };
  const open: OpenListener[] = [];
  for (const [index, listener] of listeners.entries()) {
    try {
      if (listener.transport === 'udp') {
        open.push(
          await UdpListener.open(listener, {
            admission,
            events: options.events,
            clock,
            nextId,
            localAddresses,
            trouble,
            inherited: take(listener),
          }),
        );
      } else {
        const wantsTls = isEncrypted(listener.transport);
        const pages = pagesOf(listener);
        if (wantsTls && tls === undefined)
          throw new MisuseError('tls-material', 'it has no key and certificate');
        open.push(
          await StreamListener.open(listener, {
            streams,
            nextId,
            keyLog,
            trouble,
            inherited: take(listener),
            ...(wantsTls && tls ? { tls } : {}),
            ...(pages === undefined ? {} : { pages }),
          }),
        );
      }
    } catch (error) {
      problems.push(describeListenProblem(listener, index, error));
    }
  }
  if (problems.length > 0) {
    streams.close('not started');
    await Promise.all(open.map((listener) => listener.close()));
    return err(problems);
  }
  for (const listener of open) listener.start();
  return ok(new OpenTransports(options, open, streams, tls, { nextId, keyLog }));
};

const isFor = (handed: HandedListener, { name, transport, address, port }: Listener): boolean =>
  handed.name === name &&
  handed.transport === transport &&
  handed.bound.address === address &&
  (port === 0 || handed.bound.port === port);

class OpenTransports implements Transports {
  readonly listeners: readonly ListenerState[];
  readonly #options: OpenTransportsOptions;
  readonly #udp: readonly UdpListener[];
  readonly #streamListeners: readonly StreamListener[];
  readonly #streams: Streams;
  readonly #connector: Connector;
  #tls: TlsOptions | undefined;
  #context: SecureContext | undefined;

  constructor(
    options: OpenTransportsOptions,
    open: readonly OpenListener[],
    streams: Streams,
    tls: TlsOptions | undefined,
    shared: Pick<ConstructorParameters<typeof Connector>[0], 'nextId' | 'keyLog'>,
  ) {
    this.#options = options;
    this.listeners = open;
    this.#udp = open.filter((listener) => listener instanceof UdpListener);
    this.#streamListeners = open.filter((listener) => listener instanceof StreamListener);
    this.#streams = streams;
    this.#tls = tls;
    this.#connector = new Connector({
      ...shared,
      streams,
      originFor: (transport, address) => this.#origin(transport, address),
      context: () => this.#clientContext(),
    });
  }

  async connect(target: OutboundTarget): Promise<Result<Flow, { code: string; detail: string }>> {
    if (target.transport !== 'udp') return this.#connector.connect(target);
    const flow = this.udpFlow(target.address, target.port);
    if (flow !== undefined) return ok(flow);
    return err({ code: 'no-listener', detail: `no UDP listener reaches ${target.address}` });
  }

  udpFlow(address: string, port: number, listener?: string): Flow | undefined {
    if (isIP(address) === 0 || !(port > 0 && port < 65536)) return undefined;
    const usable = this.#udp.filter(
      (udp) => (listener === undefined || udp.name === listener) && reaches(udp.bound.address, address),
    );
    return best(usable, address)?.flowTo(address, port);
  }

  flow(id: number): Flow | undefined {
    const stream = this.#streams.flow(id);
    if (stream !== undefined) return stream;
    for (const udp of this.#udp) {
      const flow = udp.flow(id);
      if (flow !== undefined) return flow;
    }
    return undefined;
  }

  send(flow: Flow, bytes: Uint8Array): boolean {
    return flow instanceof UdpFlow || flow instanceof StreamFlow || flow instanceof WebSocketFlow
      ? flow.send(bytes)
      : false;
  }

  keep(flowId: number, keep: boolean, silenceSeconds = Number.POSITIVE_INFINITY): void {
    const stream = this.#streams.flow(flowId);
    if (stream !== undefined) stream.keptSeconds = keep ? silenceSeconds : undefined;
    else for (const udp of this.#udp) if (udp.keep(flowId, keep)) return;
  }

  alias(flow: Flow, host: string, port: number): boolean {
    return flow instanceof StreamFlow && this.#connector.alias(flow, host, port);
  }

  drop(flowId: number, reason: string): void {
    this.#streams.flow(flowId)?.close(reason);
  }

  backlog(): number {
    let most = 0;
    for (const udp of this.#udp) most = Math.max(most, udp.takeStock());
    return most;
  }

  async reloadCertificates(): Promise<void> {
    if (this.#options.tls === undefined) return;
    const tls = await readTlsOptions(this.#options.tls);
    this.#tls = tls;
    this.#context = undefined;
    for (const listener of this.#streamListeners) listener.useCertificates(tls);
  }

  handOver(): readonly HandedListener[] {
    const handed: HandedListener[] = [];
    for (const listener of [...this.#udp, ...this.#streamListeners]) {
      const { name, transport, bound } = listener;
      const descriptor = listener.handOver();
      if (descriptor !== undefined) handed.push({ name, transport, bound, descriptor });
    }
    return handed;
  }

  async close(): Promise<void> {
    this.#connector.close();
    this.#streams.close('shutdown');
    await Promise.all([...this.#udp, ...this.#streamListeners].map((listener) => listener.close()));
    this.#options.admission.flush();
  }

  #clientContext(): SecureContext | undefined {
    if (this.#tls === undefined || this.#options.tls === undefined) return undefined;
    this.#context ??= clientContext(this.#tls, this.#options.tls.settings.trustSystemAuthorities);
    return this.#context;
  }

  #origin(transport: 'tcp' | 'tls', address: string): Origin {
    const usable = this.#streamListeners.filter(
      (l) => l.transport === transport && reaches(l.bound.address, address),
    );
    const from = best(usable, address);
    if (from === undefined)
      return { listener: 'outbound', address: undefined, publicAddress: undefined, port: undefined };
    const publicAddress = this.#options.listeners.find(
      (listener) => listener.name === from.name,
    )?.publicAddress;
    const own = isWildcard(from.bound.address) ? undefined : from.bound.address;
    return { listener: from.name, address: own, publicAddress, port: from.bound.port };
  }
}

/** A socket bound to loopback reaches loopback alone, and families do not mix. */
const reaches = (local: string, peer: string): boolean =>
  isIPv6(local) === isIPv6(peer) &&
  (isWildcard(local) || isLoopback(local) === isLoopback(peer) || isLoopback(peer));

/** For loopback peers a loopback listener goes before others; else the first in the configuration. */
const best = <T extends ListenerState>(usable: readonly T[], peer: string): T | undefined =>
  (isLoopback(peer) ? usable.find((listener) => isLoopback(listener.bound.address)) : undefined) ?? usable[0];
