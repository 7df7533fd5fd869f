import { request as requestSecurely } from 'node:https';
import { isIP } from 'node:net';
import { request as requestPlain } from '../transport/node-http.ts';
import { outsideAddress } from './outside.ts';

export interface Post {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** Inside addresses, and http. */
  readonly inside: boolean;
  /** Addresses of a name. Default: those of the system. */
  readonly resolve?: (host: string) => Promise<readonly string[]>;
}

const patienceMs = 15_000;

/**
 * Posts and waits for a 2xx. Without `inside`, every address of the host must be outside, and the connection is made to
 * an address that was looked at, so that DNS cannot say something else in between. Redirections are not followed.
 *
 * @throws Error with what is wrong, in words, and never with the URL, which may be a secret
 */
export async function post({ url: text, headers, body, inside, resolve }: Post): Promise<void> {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || (url.protocol !== 'https:' && !(inside && url.protocol === 'http:')))
    throw new Error('the URL is not https');
  const host = url.hostname.startsWith('[') ? url.hostname.slice(1, -1) : url.hostname;
  const address = inside ? undefined : await outsideAddress(host, resolve);
  const bytes = Buffer.from(body);
  await new Promise<void>((done, failed) => {
    const send = url.protocol === 'https:' ? requestSecurely : requestPlain;
    const request = send(
      {
        host: address ?? host,
        port: url.port === '' ? (url.protocol === 'https:' ? 443 : 80) : Number(url.port),
        path: `${url.pathname}${url.search}`,
        method: 'POST',
        timeout: patienceMs,
        agent: false,
        headers: { ...headers, host: url.host, 'content-length': bytes.length, 'user-agent': 'Ringfence' },
        ...(url.protocol === 'https:'
          ? { minVersion: 'TLSv1.2', ...(isIP(host) === 0 ? { servername: host } : {}) }
          : {}),
      },
      (response) => {
        const status = response.statusCode ?? 0;
        // What it says is not read.
        response.destroy();
        if (status >= 200 && status < 300) done();
        else failed(new Error(`the receiver answers ${status}`));
      },
    );
    const late = setTimeout(() => request.destroy(new Error('no answer within 15 s')), patienceMs);
    request.on('error', failed);
    request.on('close', () => clearTimeout(late));
    request.end(bytes);
  });
}
