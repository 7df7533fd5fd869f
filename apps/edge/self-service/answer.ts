import type { IncomingMessage, ServerResponse } from 'node:http';
import { securityHeaders } from '../phone-page/answer.ts';
import type { Asker, Desk } from './desk.ts';
import { type Answer, openOperations, operations, type Question } from './operations.ts';
import { done, no, text } from './reply.ts';
import { accountState } from './state.ts';

/** Passkeys are the longest that is sent here, some 3 kB. */
const mostBody = 16_384;
const cookieName = '__Host-ringfence';
const path = '/account/do/';

/** Words of a refusal that goes into the events of admission; undefined: it was answered. */
export type AccountOutcome = 'method' | 'origin' | 'body' | 'not-found' | undefined;

/** The request is for the account page: one of its files, or one of its operations. */
export const isForAccountPage = (url = ''): boolean => url === '/account' || url.startsWith('/account/');

/**
 * Answers what the account page asks: POST with JSON, from its own origin alone.
 *
 * A page of somebody else cannot: the cookie is SameSite=Strict, the Origin must be ours (RFC 6454 §7), and JSON is sent
 * across sites by no form. Nothing that changes anything is done by GET.
 */
export class AccountDoor {
  readonly #desk: Desk;

  constructor(desk: Desk) {
    this.#desk = desk;
  }

  /** Settles when the request is answered; never rejects. */
  async answer(request: IncomingMessage, response: ServerResponse): Promise<AccountOutcome> {
    const { method, headers, url = '' } = request;
    const refused = (outcome: AccountOutcome, status: number): AccountOutcome => {
      send(response, no(status, 'refused'), undefined, true);
      return outcome;
    };
    if (method !== 'POST') return refused('method', 405);
    const { host = '', origin } = headers;
    const site = headers['sec-fetch-site'] ?? 'same-origin';
    if (origin !== `https://${host}` || site !== 'same-origin') return refused('origin', 403);
    const name = url.startsWith(path) ? url.slice(path.length) : '';
    if (!known(name)) return refused('not-found', 404);
    if (headers['content-type'] !== 'application/json') return refused('body', 415);
    const fields = await readFields(request);
    if (fields === undefined) return response.destroyed ? undefined : refused('body', 400);
    // Gone meanwhile.
    const address = request.socket.remoteAddress;
    if (address === undefined) return undefined;
    const token = cookieOf(headers.cookie);
    try {
      const from = { address, proxied: isProxied(headers) };
      const { answer, cookie } = await this.#do(name, { fields, origin }, token, from);
      send(response, answer, cookie);
    } catch (error) {
      const detail = error instanceof Error ? (error.stack ?? error.message) : String(error);
      this.#desk.parts.bus.emit({ type: 'edge.error', where: 'account page', detail });
      if (!response.headersSent) send(response, no(503, 'edge'));
    }
    return undefined;
  }

  async #do(
    name: string,
    question: Question,
    token: string,
    from: Pick<Asker, 'address' | 'proxied'>,
  ): Promise<{ answer: Answer; cookie?: string }> {
    const desk = this.#desk;
    const { fields, origin } = question;
    if (name === 'sign-in') {
      const found = desk.signIn(text(fields, 'name', 128), text(fields, 'password', 256), from.address);
      if (found === 'wrong') return { answer: no(401, 'sign-in') };
      if (found === 'later') return { answer: no(429, 'later') };
      desk.signOut(token);
      return { answer: done(), cookie: found.token };
    }
    if (name === 'sign-out') {
      desk.signOut(token);
      return { answer: done(), cookie: '' };
    }
    const session = token === '' ? undefined : desk.session(token);
    const open = Object.hasOwn(openOperations, name) ? openOperations[name] : undefined;
    if (open !== undefined) {
      const asker = session === undefined ? from : { ...from, session };
      return { answer: await open(desk, asker, question) };
    }
    if (session === undefined) {
      const answer = name === 'state' ? done({ signedIn: false }) : no(401, 'session');
      return token === '' ? { answer } : { answer, cookie: '' };
    }
    const asker = { ...from, session };
    if (name === 'state') return { answer: done({ ...accountState(desk, asker, origin) }) };
    const operation = operations[name];
    return { answer: operation === undefined ? no(404, 'refused') : await operation(desk, asker, question) };
  }
}

const ours = new Set(['sign-in', 'sign-out', 'state']);
const known = (name: string): boolean =>
  ours.has(name) || Object.hasOwn(operations, name) || Object.hasOwn(openOperations, name);

/** A JSON object of at most 16 kB; undefined: it is none. */
async function readFields(request: IncomingMessage): Promise<Question['fields'] | undefined> {
  if (Number(request.headers['content-length'] ?? 0) > mostBody) return undefined;
  const chunks: Buffer[] = [];
  let octets = 0;
  try {
    for await (const chunk of request as AsyncIterable<Buffer>) {
      octets += chunk.length;
      if (octets > mostBody) return undefined;
      chunks.push(chunk);
    }
    const value: unknown = JSON.parse(Buffer.concat(chunks).toString('utf8'));
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Question['fields'])
      : undefined;
  } catch {
    return undefined;
  }
}

/** RFC 7239, RFC 9110 §7.6.3: what a proxy that takes our TLS for its own adds. */
const isProxied = (headers: IncomingMessage['headers']): boolean =>
  ['forwarded', 'x-forwarded-for', 'x-real-ip', 'via'].some((name) => headers[name] !== undefined);

function cookieOf(header = ''): string {
  for (const part of header.split(';')) {
    const [name, value = ''] = part.trim().split('=');
    if (name === cookieName) return value.length <= 64 ? value : '';
  }
  return '';
}

/** `cookie`: the token of a session; empty takes it away. It ends with the browser, and with the session before. */
function send(response: ServerResponse, { status, body }: Answer, cookie?: string, close = false): void {
  const bytes = Buffer.from(JSON.stringify(body));
  response
    .writeHead(status, {
      ...securityHeaders,
      'Cache-Control': 'no-store',
      'Content-Type': 'application/json',
      'Content-Length': String(bytes.length),
      ...(close ? { Connection: 'close' } : {}),
      ...(cookie === undefined
        ? {}
        : {
            'Set-Cookie': `${cookieName}=${cookie}; Path=/; Secure; HttpOnly; SameSite=Strict${cookie === '' ? '; Max-Age=0' : ''}`,
          }),
    })
    .end(bytes);
}
