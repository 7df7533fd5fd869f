import { createSocket, type Socket } from 'node:dgram';
import { isIPv6 } from 'node:net';
import type { Sender } from '../outbox.ts';

/** One datagram each: nobody says whether it has come (RFC 5426 §4.2). */
export class DatagramSender implements Sender {
  readonly #host: string;
  readonly #port: number;
  #socket: Socket | undefined;

  constructor(host: string, port: number) {
    this.#host = host;
    this.#port = port;
  }

  async send(batch: readonly Uint8Array[]): Promise<void> {
    const socket = this.#open();
    await Promise.all(
      batch.map(
        (item) =>
          new Promise<void>((resolve, reject) => {
            socket.send(item, this.#port, this.#host, (error) => {
              // What is too long for any datagram will never go.
              if (error === null || (error as NodeJS.ErrnoException).code === 'EMSGSIZE') resolve();
              else reject(error);
            });
          }),
      ),
    );
  }

  close(): void {
    this.#socket?.close();
    this.#socket = undefined;
  }

  #open(): Socket {
    if (this.#socket !== undefined) return this.#socket;
    const socket = createSocket(isIPv6(this.#host) ? 'udp6' : 'udp4');
    socket.on('error', () => undefined);
    socket.unref();
    this.#socket = socket;
    return socket;
  }
}
