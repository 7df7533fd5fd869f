import type { Result } from '@ringfence/bytes/result.ts';
import type { DialTransport, Flow, SocketAddress, Transport } from '@ringfence/sip/transport/flow.ts';

export interface OutboundTarget {
  readonly transport: DialTransport;
  readonly address: string;
  readonly port: number;
  /** Name that the peer's certificate must prove (RFC 5922); required for TLS. */
  readonly serverName?: string;
}

export interface TransportEvents {
  /** One whole SIP message, already admitted. `bytes` is only valid during the call. */
  message(flow: Flow, bytes: Uint8Array, now: number): void;
  /** A stream broke, or was closed by either side. UDP flows never close. */
  closed(flow: Flow, reason: string): void;
}

export interface ListenerState {
  readonly name: string;
  readonly transport: Transport;
  readonly bound: SocketAddress;
}

/** A listening socket on its way from one program to the one that takes its place in the same process. */
export interface HandedListener extends ListenerState {
  readonly descriptor: number;
}

/** All sockets for SIP. */
export interface Transports {
  readonly listeners: readonly ListenerState[];
  /** Flow to a target: an open connection to it if there is one, else a new one (TLS: handshake done and name proven). */
  connect(target: OutboundTarget): Promise<Result<Flow, { code: string; detail: string }>>;
  /** UDP needs no waiting. */
  udpFlow(address: string, port: number, listener?: string): Flow | undefined;
  /** Live flow by id (RFC 5626: back over the flow that registered); undefined once it is closed. */
  flow(id: number): Flow | undefined;
  /** False where the flow is gone. */
  send(flow: Flow, bytes: Uint8Array): boolean;
  /** A flow with a registration is not closed for idleness, or only after as many seconds of silence. */
  keep(flowId: number, keep: boolean, silenceSeconds?: number): void;
  /**
   * The peer of a TLS connection wants to be reached over it as that host and port (RFC 5923 §4). False where its
   * certificate was not verified or does not prove the host; then nothing changes.
   */
  alias(flow: Flow, host: string, port: number): boolean;
  /** Ends a connection of a peer, who may make another; nothing where the flow has none. */
  drop(flowId: number, reason: string): void;
  /** How full the fullest receive queue of datagrams is, 0 to 1. */
  backlog(): number;
  /** New certificates for new handshakes; live connections stay. */
  reloadCertificates(): Promise<void>;
  /** Nothing is received any more; the listening sockets, for the program that takes this one's place. */
  handOver(): readonly HandedListener[];
  close(): Promise<void>;
}
