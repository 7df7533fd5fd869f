import { createHash, timingSafeEqual } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import { MisuseError } from '@ringfence/bytes/misuse.ts';
import type { MetricsSettings } from '../config/metrics.ts';
import { createServer } from '../transport/node-http.ts';

export interface MetricsListenerParts {
  readonly settings: MetricsSettings;
  readonly key: () => string;
  readonly cert: () => string;
  readonly contentType: string;
  text(): Promise<string>;
}

const mostConnections = 32;
const timeoutMs = 5_000;

/** Answers Prometheus, and nobody who has no token where one is set. */
export class MetricsListener {
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  /** @throws MisuseError where the address cannot be had or the token cannot be read */
  static async open(parts: MetricsListenerParts): Promise<MetricsListener> {
    const { address, port, tls, tokenFile } = parts.settings;
    const token = tokenFile === undefined ? undefined : digest(readToken(tokenFile));
    const limits = { maxHeaderSize: 8192, headersTimeout: timeoutMs, requestTimeout: timeoutMs };
    const answer = (request: IncomingMessage, response: ServerResponse): void => {
      void respond(parts, token, request, response);
    };
    const server = tls
      ? createSecureServer({ ...limits, key: parts.key(), cert: parts.cert(), minVersion: 'TLSv1.2' }, answer)
      : createServer(limits, answer);
    server.maxConnections = mostConnections;
    await new Promise<void>((resolve, reject) => {
      server.once('error', (error) =>
        reject(new MisuseError('listen-failed', `metrics ${address}:${port}: ${error.message}`)),
      );
      server.listen(port, address, resolve);
    });
    server.unref();
    return new MetricsListener(server);
  }

  /** Scrapes that run are cut off. */
  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.#server.closeAllConnections();
    await closed;
  }
}

async function respond(
  { text, contentType }: MetricsListenerParts,
  token: Buffer | undefined,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const refuse = (status: number): void => {
    response.writeHead(status, {
      connection: 'close',
      ...(status === 401 ? { 'www-authenticate': 'Bearer' } : {}),
    });
    response.end();
  };
  if (token !== undefined && !isBearer(request.headers.authorization, token)) return refuse(401);
  if (request.method !== 'GET' && request.method !== 'HEAD') return refuse(405);
  if (request.url?.split('?', 1)[0] !== '/metrics') return refuse(404);
  try {
    const body = await text();
    response.writeHead(200, { 'content-type': contentType });
    response.end(request.method === 'HEAD' ? undefined : body);
  } catch {
    refuse(500);
  }
}

function isBearer(given: string | undefined, token: Buffer): boolean {
  return given?.startsWith('Bearer ') === true && timingSafeEqual(digest(given.slice(7).trim()), token);
}

const digest = (text: string): Buffer => createHash('sha256').update(text).digest();

function readToken(file: string): string {
  let token = '';
  try {
    token = readFileSync(file, 'utf8').trim();
  } catch (error) {
    throw new MisuseError(
      'listen-failed',
      `metrics.tokenFile: ${error instanceof Error ? error.message : file}`,
    );
  }
  if (token.length < 16)
    throw new MisuseError('listen-failed', `metrics.tokenFile: ${file} holds less than 16 characters`);
  return token;
}
