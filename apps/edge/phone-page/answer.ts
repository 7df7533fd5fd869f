import type { IncomingMessage, ServerResponse } from 'node:http';
import type { PageFiles } from './files.ts';

/**
 * Header fields of everything that the page's server says. Scripts and styles come from it alone, none stands in the
 * page; nobody may put the page into a frame; the microphone is for it alone.
 */
export const securityHeaders: Readonly<Record<string, string>> = {
  'Content-Security-Policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
  'Strict-Transport-Security': 'max-age=31536000',
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
  'Referrer-Policy': 'no-referrer',
  'Permissions-Policy':
    'microphone=(self), camera=(), display-capture=(), geolocation=(), payment=(), usb=(), clipboard-read=()',
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
  'Cross-Origin-Resource-Policy': 'same-origin',
};

/** What became of a request; the word for a refusal goes into the event. */
export type PageOutcome = 'answered' | 'not-found' | 'method' | 'body';

/**
 * Answers a request for a file of the page. The path is looked up as it came, in a list: no file is opened, and there
 * is no path to climb out of. Browsers ask again each time whether a file has changed (RFC 9110 §13.1.2).
 *
 * `home` is where `/` leads. A request with a body, or of another method than GET and HEAD, is refused and ends the connection.
 */
export function answerPage(
  files: PageFiles,
  request: IncomingMessage,
  response: ServerResponse,
  home = '/phone',
): PageOutcome {
  const { method = '', url = '', headers } = request;
  if (method !== 'GET' && method !== 'HEAD') {
    refuse(response, 405, { Allow: 'GET, HEAD' });
    return 'method';
  }
  const length = headers['content-length'];
  if (headers['transfer-encoding'] !== undefined || (length !== undefined && length !== '0')) {
    refuse(response, 400);
    return 'body';
  }
  if (url === '/' || url === '/phone/' || url === '/account/') {
    const location = url === '/' ? home : url.slice(0, -1);
    response
      .writeHead(308, { ...securityHeaders, Location: location, 'Cache-Control': 'no-store', ...empty })
      .end();
    return 'answered';
  }
  const file = files.get(url);
  if (file === undefined) {
    refuse(response, 404);
    return 'not-found';
  }
  const common = {
    ...securityHeaders,
    'Cache-Control': 'no-cache',
    ETag: file.etag,
    Vary: 'Accept-Encoding',
  };
  if (headers['if-none-match'] === file.etag) {
    response.writeHead(304, common).end();
    return 'answered';
  }
  const zipped = takesGzip(headers['accept-encoding']);
  const body = zipped ? file.gzip : file.body;
  response.writeHead(200, {
    ...common,
    'Content-Type': file.type,
    'Content-Length': String(body.length),
    ...(zipped ? { 'Content-Encoding': 'gzip' } : {}),
  });
  response.end(method === 'HEAD' ? undefined : body);
  return 'answered';
}

/** Says no, and that nothing more is heard on this connection. */
export function refuse(
  response: ServerResponse,
  status: number,
  more: Readonly<Record<string, string>> = {},
): void {
  response
    .writeHead(status, {
      ...securityHeaders,
      'Cache-Control': 'no-store',
      Connection: 'close',
      ...empty,
      ...more,
    })
    .end();
}

const empty = { 'Content-Length': '0' };

/** RFC 9110 §12.5.3, as browsers write it; whoever gives weights gets the file as it is. */
const takesGzip = (accepted: string | string[] = ''): boolean =>
  String(accepted)
    .split(',')
    .some((coding) => coding.trim().toLowerCase() === 'gzip');
