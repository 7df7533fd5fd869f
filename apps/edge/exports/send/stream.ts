import { createConnection, isIP, type Socket } from 'node:net';
import { connect as connectSecurely } from 'node:tls';
import type { Sender } from '../outbox.ts';

export interface StreamSenderOptions {
  readonly host: string;
  readonly port: number;
  readonly tls: boolean;
  /** PEM of the authorities of the receiver; default: the well-known ones. */
  readonly authority?: string;
}

const connectMs = 10_000;
/** Nothing goes out for so long: the receiver has stalled. */
const stallMs = 15_000;

/** A connection that stays; TLS always proves the name or address of the receiver (RFC 5425 §5.2). */
export class StreamSender implements Sender {
  readonly #options: StreamSenderOptions;
  #socket: Socket | undefined;
  #opening: Promise<Socket> | undefined;

  constructor(options: StreamSenderOptions) {
    this.#options = options;
  }

  async send(batch: readonly Uint8Array[]): Promise<void> {
    this.#opening ??= this.#socket === undefined ? this.#open() : undefined;
    const socket = this.#socket ?? (await this.#opening);
    if (socket === undefined) throw new Error('no connection');
    await new Promise<void>((resolve, reject) => {
      const stalled = setTimeout(() => socket.destroy(new Error('the receiver takes nothing')), stallMs);
      const done = (error?: Error | null): void => {
        clearTimeout(stalled);
        socket.off('close', closed);
        if (error === undefined || error === null) resolve();
        else reject(error);
      };
      const closed = (): void => done(new Error('the receiver has closed the connection'));
      socket.once('close', closed);
      socket.write(Buffer.concat(batch), done);
    });
  }

  close(): void {
    this.#socket?.end();
    this.#socket?.unref();
    this.#socket = undefined;
  }

  async #open(): Promise<Socket> {
    const { host, port, tls, authority } = this.#options;
    try {
      return await new Promise<Socket>((resolve, reject) => {
        const socket = tls
          ? connectSecurely({
              host,
              port,
              minVersion: 'TLSv1.2',
              ...(isIP(host) === 0 ? { servername: host } : {}),
              ...(authority === undefined ? {} : { ca: authority }),
            })
          : createConnection({ host, port });
        const late = setTimeout(() => socket.destroy(new Error('no connection within 10 s')), connectMs);
        socket.once(tls ? 'secureConnect' : 'connect', () => {
          clearTimeout(late);
          this.#socket = socket;
          socket.unref();
          resolve(socket);
        });
        // What a receiver says is nobody's business, but it must not fill our buffers.
        socket.resume();
        socket.on('error', reject);
        socket.once('close', () => {
          clearTimeout(late);
          if (this.#socket === socket) this.#socket = undefined;
          reject(new Error('the connection was closed'));
        });
      });
    } finally {
      this.#opening = undefined;
    }
  }
}
