/** Sockets that send what they are told, octet by octet, and keep what comes. */
import { createSocket } from 'node:dgram';
import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { StreamFramer } from '@ringfence/sip/framing/stream.ts';
import type { SocketAddress } from '@ringfence/sip/transport/flow.ts';

export interface Wire {
  readonly transport: 'udp' | 'tcp' | 'tls';
  readonly local: SocketAddress;
  /** Every SIP message that came, in order. */
  readonly received: Uint8Array[];
  /** True once the other side has closed; never for UDP. */
  readonly closed: boolean;
  onMessage: ((bytes: Uint8Array) => void) | undefined;
  send(bytes: Uint8Array | string): void;
  close(): void;
}

export interface WireOptions {
  readonly transport: 'udp' | 'tcp' | 'tls';
  readonly to: SocketAddress;
  /** Local address. Default 127.0.0.1. */
  readonly from?: string;
  /** PEM of the authority; without it any certificate is taken. */
  readonly authority?: string;
  readonly certificate?: string;
  readonly key?: string;
}

export const openWire = (options: WireOptions): Promise<Wire> =>
  options.transport === 'udp' ? openUdp(options) : openStream(options);

function openUdp({ to, from = '127.0.0.1' }: WireOptions): Promise<Wire> {
  const socket = createSocket(from.includes(':') ? 'udp6' : 'udp4');
  return new Promise((resolve, reject) => {
    socket.once('error', reject);
    socket.bind(0, from, () => {
      socket.on('error', () => undefined);
      const { address, port } = socket.address();
      let open = true;
      const wire: Wire = {
        transport: 'udp',
        local: { address, port },
        received: [],
        closed: false,
        onMessage: undefined,
        send: (bytes) => {
          if (open) socket.send(bytes, to.port, to.address);
        },
        close: () => {
          if (open) socket.close();
          open = false;
        },
      };
      socket.on('message', (bytes) => {
        wire.received.push(bytes);
        wire.onMessage?.(bytes);
      });
      resolve(wire);
    });
  });
}

export type StreamWire = Wire & { readonly socket: Socket | TLSSocket };

export function openStream(options: WireOptions): Promise<StreamWire> {
  const { transport, to, from = '127.0.0.1', authority, certificate, key } = options;
  const place = { host: to.address, port: to.port, localAddress: from };
  return new Promise((resolve, reject) => {
    const socket =
      transport === 'tls'
        ? connectTls({
            ...place,
            ...(authority === undefined ? { rejectUnauthorized: false } : { ca: authority }),
            ...(certificate === undefined ? {} : { cert: certificate }),
            ...(key === undefined ? {} : { key }),
          })
        : connectTcp(place);
    socket.once('error', reject);
    socket.once(transport === 'tls' ? 'secureConnect' : 'connect', () => {
      const state = { closed: false };
      socket.on('error', () => undefined);
      socket.setNoDelay(true);
      const wire: StreamWire = {
        transport: transport === 'tls' ? 'tls' : 'tcp',
        local: { address: socket.localAddress ?? from, port: socket.localPort ?? 0 },
        received: [],
        get closed() {
          return state.closed;
        },
        onMessage: undefined,
        socket,
        send: (bytes) => void socket.write(bytes),
        close: () => socket.destroy(),
      };
      const framer = new StreamFramer();
      socket.on('data', (chunk: Uint8Array) => {
        framer.push(chunk);
        for (let event = framer.next(); event !== undefined; event = framer.next()) {
          if (event.kind === 'error') return;
          if (event.kind !== 'message') continue;
          const bytes = event.bytes.slice();
          wire.received.push(bytes);
          wire.onMessage?.(bytes);
        }
      });
      socket.on('close', () => {
        state.closed = true;
      });
      socket.on('end', () => {
        state.closed = true;
      });
      resolve(wire);
    });
  });
}
