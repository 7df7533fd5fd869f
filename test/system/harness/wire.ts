/** Sockets that send what they are told, octet by octet, and keep what comes. */
import { createSocket } from 'node:dgram';
import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { StreamFramer } from '@ringfence/sip/framing/stream.ts';
import { isEncrypted, type SocketAddress, type Transport } from '@ringfence/sip/transport/flow.ts';
import { clientFrame, clientHandshake, ServerFrames } from '@ringfence/testkit/web-socket-frames.ts';

export interface Wire {
  readonly transport: Transport;
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
  readonly transport: Transport;
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
  const web = transport === 'ws' || transport === 'wss';
  const place = { host: to.address, port: to.port, localAddress: from };
  return new Promise((resolve, reject) => {
    const socket = isEncrypted(transport)
      ? connectTls({
          ...place,
          ...(authority === undefined ? { rejectUnauthorized: false } : { ca: authority }),
          ...(certificate === undefined ? {} : { cert: certificate }),
          ...(key === undefined ? {} : { key }),
        })
      : connectTcp(place);
    socket.once('error', reject);
    socket.once(isEncrypted(transport) ? 'secureConnect' : 'connect', () => {
      const state = { closed: false };
      socket.on('error', () => undefined);
      socket.setNoDelay(true);
      const wire: StreamWire = {
        transport,
        local: { address: socket.localAddress ?? from, port: socket.localPort ?? 0 },
        received: [],
        get closed() {
          return state.closed;
        },
        onMessage: undefined,
        socket,
        send: (bytes) => void socket.write(web ? clientFrame(bytes) : bytes),
        close: () => socket.destroy(),
      };
      socket.on('close', () => {
        state.closed = true;
      });
      socket.on('end', () => {
        state.closed = true;
      });
      const take = (bytes: Uint8Array): void => {
        wire.received.push(bytes);
        wire.onMessage?.(bytes);
      };
      if (web) return openWeb(socket, take, () => resolve(wire));
      const framer = new StreamFramer();
      socket.on('data', (chunk: Uint8Array) => {
        framer.push(chunk);
        for (let event = framer.next(); event !== undefined; event = framer.next()) {
          if (event.kind === 'error') return;
          if (event.kind !== 'message') continue;
          take(event.bytes.slice());
        }
      });
      resolve(wire);
    });
  });
}

/** RFC 7118 as a browser does it; `ready` once the edge has agreed. Keepalives are answered. */
function openWeb(socket: Socket, take: (bytes: Uint8Array) => void, ready: () => void): void {
  const frames = new ServerFrames();
  let agreed = false;
  socket.on('data', (chunk: Uint8Array) => {
    for (const { opcode, payload } of frames.push(chunk)) {
      if (opcode === 9) socket.write(clientFrame(payload, 10));
      else if (opcode < 3 && payload.length > 4) take(Uint8Array.from(payload));
    }
    if (agreed || frames.handshake === undefined) return;
    agreed = true;
    if (frames.handshake.startsWith('HTTP/1.1 101 ')) ready();
    else socket.destroy(new Error(frames.handshake));
  });
  socket.write(clientHandshake('edge.test'));
}
