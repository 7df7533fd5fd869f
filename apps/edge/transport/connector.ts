import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { connect as connectTls, type PeerCertificate, type SecureContext } from 'node:tls';
import { BoundedMap } from '@ringfence/bytes/bounded-map.ts';
import { err, ok, type Result } from '@ringfence/bytes/result.ts';
import type { Flow } from '@ringfence/sip/transport/flow.ts';
import type { OutboundTarget } from './contract.ts';
import type { KeyLog } from './key-log.ts';
import { sentBy } from './sent-by.ts';
import type { StreamFlow } from './stream.ts';
import type { Streams } from './streams.ts';
import { readTlsFacts } from './tls-facts.ts';
import { namesProve, provesSipDomain } from './tls-identity.ts';

/** A TCP connection that takes longer will not carry a call in time anyway. */
const connectMilliseconds = 5000;
/** Connections being made at once. */
const pendingLimit = 1024;
/** Connections of peers known by another name and port. */
const aliasLimit = 4096;

export interface ConnectProblem {
  /** The system's or OpenSSL's code, or one of `not-an-address`, `no-server-name`, `no-tls`, `too-many`, `connect-timeout`, `handshake-timeout`, `certificate-name`, `closed`. */
  readonly code: string;
  readonly detail: string;
}

/** What an outbound connection takes from the listener that it belongs to. */
export interface Origin {
  readonly listener: string;
  /** Local address to connect from; undefined lets the routing table choose. */
  readonly address: string | undefined;
  readonly publicAddress: string | undefined;
  /** Where peers can reach us; undefined when there is no such listener. */
  readonly port: number | undefined;
}

export interface ConnectorOptions {
  readonly streams: Streams;
  readonly nextId: () => number;
  readonly originFor: (transport: 'tcp' | 'tls', address: string) => Origin;
  /** Undefined when the node has no TLS material. */
  readonly context: () => SecureContext | undefined;
  readonly keyLog: KeyLog | undefined;
}

/**
 * Opens connections and uses open ones again.
 *
 * A TLS connection is used again only for the same name that its certificate proved, never by address alone:
 * otherwise one certificate would vouch for every name that resolves to the same host (CVE-2020-15260). Connections
 * that peers opened are used for what their verified client certificate proves, if they ask for it (RFC 5923).
 */
export class Connector {
  readonly #options: ConnectorOptions;
  readonly #open = new Map<string, StreamFlow>();
  readonly #pending = new Map<string, Promise<Result<Flow, ConnectProblem>>>();
  readonly #sockets = new Set<Socket>();
  /** Connections of peers that want to be reached over them (RFC 5923). */
  readonly #aliases = new BoundedMap<string, StreamFlow>({ capacity: aliasLimit });

  constructor(options: ConnectorOptions) {
    this.#options = options;
  }

  connect(target: OutboundTarget): Promise<Result<Flow, ConnectProblem>> {
    const refused = this.#refuse(target);
    if (refused !== undefined) return Promise.resolve(err(refused));
    const key = targetKey(target);
    const open = this.#open.get(key);
    if (open?.open) return Promise.resolve(ok(open));
    const alias = this.#aliases.get(key);
    if (alias?.open) return Promise.resolve(ok(alias));
    if (alias !== undefined) this.#aliases.delete(key);
    const pending = this.#pending.get(key);
    if (pending !== undefined) return pending;
    const attempt = this.#dial(target, key).finally(() => this.#pending.delete(key));
    this.#pending.set(key, attempt);
    return attempt;
  }

  /** False where the peer's certificate does not prove the host. */
  alias(flow: StreamFlow, host: string, port: number): boolean {
    const names = flow.tls?.peerNames;
    if (flow.transport !== 'tls' || !flow.open || names === undefined || !namesProve(host, names))
      return false;
    const { address } = flow.remote;
    this.#aliases.set(targetKey({ transport: 'tls', address, port, serverName: host }), flow);
    return true;
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  #refuse(target: OutboundTarget): ConnectProblem | undefined {
    if (isIP(target.address) === 0)
      return problem('not-an-address', `${target.address} is not an IP address`);
    if (this.#pending.size >= pendingLimit)
      return problem('too-many', `${pendingLimit} connections are being made`);
    const { streams } = this.#options;
    if (streams.size >= streams.admission.settings.connections * 2)
      return problem('too-many', 'too many connections are open');
    if (target.transport === 'tls' && (target.serverName ?? '') === '') {
      return problem('no-server-name', 'TLS needs the name that the peer must prove (RFC 5922)');
    }
    return undefined;
  }

  #dial(target: OutboundTarget, key: string): Promise<Result<Flow, ConnectProblem>> {
    const { streams, originFor } = this.#options;
    const tls = target.transport === 'tls';
    const origin = originFor(tls ? 'tls' : 'tcp', target.address);
    const where = {
      host: target.address,
      port: target.port,
      ...(origin.address === undefined ? {} : { localAddress: origin.address }),
    };
    const context = tls ? this.#options.context() : undefined;
    if (tls && context === undefined)
      return Promise.resolve(err(problem('no-tls', 'this node has no TLS material')));

    return new Promise((resolve) => {
      const socket =
        context === undefined ? connectTcp(where) : this.#secure(where, target.serverName ?? '', context);
      this.#sockets.add(socket);
      let timer = setTimeout(
        () => fail(problem('connect-timeout', `${sentBy(target.address, target.port)} does not answer`)),
        connectMilliseconds,
      );
      if (tls) {
        socket.once('connect', () => {
          clearTimeout(timer);
          const { handshakeSeconds } = streams.admission.settings;
          timer = setTimeout(
            () => fail(problem('handshake-timeout', 'the TLS handshake takes too long')),
            handshakeSeconds * 1000,
          );
        });
      }
      const fail = (why: ConnectProblem): void => {
        clearTimeout(timer);
        socket.destroy();
        resolve(err(why));
      };
      const failed = (error: Error): void => fail(problem(codeOf(error), error.message));
      const closed = (): void => {
        this.#sockets.delete(socket);
        fail(problem('closed', 'the peer closed the connection'));
      };
      socket.on('error', failed);
      socket.on('close', closed);
      socket.once(tls ? 'secureConnect' : 'connect', () => {
        clearTimeout(timer);
        socket.removeListener('error', failed);
        resolve(ok(this.#adopt(socket, target, key, origin)));
      });
    });
  }

  #secure(where: { host: string; port: number }, serverName: string, context: SecureContext): Socket {
    const { keyLog } = this.#options;
    const socket = connectTls({
      ...where,
      secureContext: context,
      // Server Name Indication is for names only (RFC 6066 §3).
      servername: isIP(serverName) === 0 ? serverName : '',
      rejectUnauthorized: true,
      checkServerIdentity: (_host: string, certificate: PeerCertificate) =>
        wrongName(serverName, certificate),
    });
    if (keyLog !== undefined) socket.on('keylog', keyLog);
    return socket;
  }

  #adopt(socket: Socket, target: OutboundTarget, key: string, origin: Origin): StreamFlow {
    const { streams, nextId } = this.#options;
    const local = { address: socket.localAddress ?? '', port: socket.localPort ?? 0 };
    const flow = streams.adopt(
      {
        id: nextId(),
        transport: target.transport === 'tls' ? 'tls' : 'tcp',
        local,
        remote: { address: target.address, port: target.port },
        sentBy: sentBy(origin.publicAddress ?? local.address, origin.port ?? local.port),
        listener: origin.listener,
        dialled: true,
        ...(target.transport === 'tls'
          ? { tls: readTlsFacts(socket as Parameters<typeof readTlsFacts>[0]) }
          : {}),
      },
      socket,
    );
    this.#open.set(key, flow);
    socket.once('close', () => {
      if (this.#open.get(key) === flow) this.#open.delete(key);
    });
    return flow;
  }
}

const targetKey = (target: OutboundTarget): string =>
  `${target.transport}|${target.transport === 'tls' ? (target.serverName ?? '').toLowerCase() : ''}|${target.address}|${target.port}`;

const wrongName = (serverName: string, certificate: PeerCertificate): Error | undefined => {
  if (provesSipDomain(serverName, certificate.subjectaltname)) return undefined;
  const names = certificate.subjectaltname ?? 'no subject alternative name';
  return Object.assign(new Error(`the certificate is not for ${serverName} but for ${names.slice(0, 200)}`), {
    code: 'certificate-name',
  });
};

const problem = (code: string, detail: string): ConnectProblem => ({ code, detail });

const codeOf = (error: Error): string =>
  'code' in error && typeof error.code === 'string' ? error.code : 'error';
