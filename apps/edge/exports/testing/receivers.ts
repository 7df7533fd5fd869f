import { createSocket } from 'node:dgram';
import { createServer as createHttpServer, type IncomingHttpHeaders } from 'node:http';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';

export interface Receiver<T> {
  readonly port: number;
  readonly got: T[];
  close(): Promise<void>;
}

/** Datagrams as they come. */
export function udpReceiver(): Promise<Receiver<Buffer>> {
  const got: Buffer[] = [];
  const socket = createSocket('udp4', (message) => got.push(message));
  return new Promise((resolve) => {
    socket.bind(0, '127.0.0.1', () =>
      resolve({
        port: socket.address().port,
        got,
        close: () => new Promise((done) => socket.close(() => done())),
      }),
    );
  });
}

/** What comes over all connections, one after the other, as text. */
export async function streamReceiver(
  options: { readonly tls?: { readonly key: string; readonly cert: string }; readonly port?: number } = {},
): Promise<Receiver<string> & { drop(): void }> {
  const got: string[] = [];
  const sockets = new Set<Socket>();
  const take = (socket: Socket): void => {
    sockets.add(socket);
    socket.on('data', (chunk) => got.push(chunk.toString()));
    socket.on('error', () => undefined);
    socket.on('close', () => sockets.delete(socket));
  };
  const server: Server = options.tls === undefined ? createServer(take) : createTlsServer(options.tls, take);
  const port = await listen(server, options.port);
  const drop = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    port,
    got,
    drop,
    close: () => {
      drop();
      return new Promise((done) => server.close(() => done()));
    },
  };
}

export interface Posted {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** Requests and the status that each gets; `answer` is asked for it, default 200. */
export async function httpReceiver(
  answer: (
    request: Posted,
  ) => number | { readonly status: number; readonly headers: Record<string, string> } = () => 200,
): Promise<Receiver<Posted>> {
  const got: Posted[] = [];
  const server = createHttpServer((request, response) => {
    let body = '';
    request.on('data', (chunk) => (body += String(chunk)));
    request.on('end', () => {
      const posted = { path: request.url ?? '', headers: request.headers, body };
      got.push(posted);
      const said = answer(posted);
      if (typeof said === 'number') response.writeHead(said);
      else response.writeHead(said.status, said.headers);
      response.end();
    });
  });
  const port = await listen(server);
  return {
    port,
    got,
    close: () => {
      server.closeAllConnections();
      return new Promise((done) => server.close(() => done()));
    },
  };
}

const listen = (server: Server, port = 0): Promise<number> =>
  new Promise((resolve) => {
    server.listen(port, '127.0.0.1', () => resolve((server.address() as AddressInfo).port));
  });

/** Until it is so; fails after ten seconds. */
export async function eventually(condition: () => boolean, what: string): Promise<void> {
  const last = performance.now() + 10_000;
  while (!condition()) {
    if (performance.now() > last) throw new Error(`not within ten seconds: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
