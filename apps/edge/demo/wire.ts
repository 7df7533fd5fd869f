import { createSocket } from 'node:dgram';
import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { StreamFramer } from '@ringfence/sip/framing/stream.ts';
import type { Flow, SocketAddress, Transport } from '@ringfence/sip/transport/flow.ts';

/** A phone's one way to the edge. */
export interface Wire {
  readonly flow: Flow;
  send(bytes: Uint8Array): void;
  close(): void;
}

export interface WireOptions {
  readonly transport: Transport;
  /** Local address. */
  readonly from: string;
  readonly to: SocketAddress;
  /** PEM of the authority that the edge's certificate comes from. */
  readonly authority: string;
  received(bytes: Uint8Array): void;
}

const hostPort = ({ address, port }: SocketAddress): string =>
  address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;

const flowOf = (transport: Transport, local: SocketAddress, remote: SocketAddress): Flow => ({
  id: 1,
  transport,
  reliable: transport !== 'udp',
  local,
  remote,
  sentBy: hostPort(local),
  listener: 'phone',
});

export const openWire = (options: WireOptions): Promise<Wire> =>
  options.transport === 'udp' ? openDatagram(options) : openStream(options);

function openDatagram({ from, to, received }: WireOptions): Promise<Wire> {
  const socket = createSocket(from.includes(':') ? 'udp6' : 'udp4');
  return new Promise((resolve, reject) => {
    socket.once('error', reject);
    socket.on('message', (bytes) => received(bytes));
    socket.bind(0, from, () => {
      const { address, port } = socket.address();
      resolve({
        flow: flowOf('udp', { address, port }, to),
        send: (bytes) => socket.send(bytes, to.port, to.address),
        close: () => socket.close(),
      });
    });
  });
}

function openStream({ transport, from, to, authority, received }: WireOptions): Promise<Wire> {
  const place = { host: to.address, port: to.port, localAddress: from };
  return new Promise((resolve, reject) => {
    const socket: Socket =
      transport === 'tls'
        ? connectTls({
            ...place,
            ca: authority,
            minVersion: 'TLSv1.2',
            ecdhCurve: 'X25519MLKEM768:X25519:P-256',
          })
        : connectTcp(place);
    socket.once('error', reject);
    const framer = new StreamFramer();
    socket.on('data', (chunk: Uint8Array) => {
      framer.push(chunk);
      for (let event = framer.next(); event !== undefined; event = framer.next())
        if (event.kind === 'message') received(event.bytes);
    });
    socket.once(transport === 'tls' ? 'secureConnect' : 'connect', () => {
      socket.setNoDelay(true);
      const local = { address: socket.localAddress ?? from, port: socket.localPort ?? 0 };
      resolve({
        flow: flowOf(transport, local, to),
        send: (bytes) => socket.write(bytes),
        close: () => socket.destroy(),
      });
    });
  });
}
