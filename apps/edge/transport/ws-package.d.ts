/** The part of the package `ws` that the WebSocket listener uses. */
declare module 'ws' {
  import type { EventEmitter } from 'node:events';
  import type { IncomingMessage } from 'node:http';
  import type { Duplex } from 'node:stream';

  interface SocketEvents {
    message: [data: Buffer, binary: boolean];
    ping: [data: Buffer];
    pong: [data: Buffer];
    close: [code: number, reason: Buffer];
    error: [error: Error & { readonly code?: string }];
  }

  interface WebSocket extends EventEmitter<SocketEvents> {
    send(data: Uint8Array, options: { readonly binary: boolean }): void;
    ping(): void;
    pong(data: Uint8Array): void;
    close(code: number): void;
    terminate(): void;
  }

  class WebSocketServer {
    constructor(options: {
      readonly noServer: true;
      readonly clientTracking: false;
      readonly perMessageDeflate: false;
      readonly autoPong: false;
      readonly allowSynchronousEvents: false;
      /** Octets of a message, and pieces that it may come in. */
      readonly maxPayload: number;
      readonly maxFragments: number;
      readonly maxBufferedChunks: number;
      readonly handleProtocols: (offered: ReadonlySet<string>) => string | false;
    });
    /** Answers a handshake that is not as RFC 6455 wants it by itself, and then does not call `done`. */
    handleUpgrade(
      request: IncomingMessage,
      socket: Duplex,
      head: Buffer,
      done: (socket: WebSocket) => void,
    ): void;
  }
}
