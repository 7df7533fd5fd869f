import { open } from 'node:fs/promises';
import { request as requestHttps } from 'node:https';
import { err, ok, type Result } from '@ringfence/bytes/result.ts';
import { request as requestHttp } from '../../transport/node-http.ts';

/** Some 250,000 addresses. */
export const mostFeedOctets = 4 << 20;
const patienceMs = 30_000;

export interface Fetched {
  /** Undefined: the same as last time. */
  readonly content: string | undefined;
  /** To be asked with next time; empty for none. */
  readonly tag: string;
}

/** The content of a file, or of a web address; bounded in size and time. Redirections are not followed. */
export async function fetchFeed(
  place: { url?: string; file?: string },
  tag: string,
): Promise<Result<Fetched>> {
  try {
    if (place.file !== undefined) return await readFile(place.file, tag);
    return await get(new URL(place.url ?? ''), tag);
  } catch (error) {
    return err(error instanceof Error ? error.message : String(error));
  }
}

async function readFile(path: string, tag: string): Promise<Result<Fetched>> {
  const file = await open(path, 'r');
  try {
    const { size, mtimeMs } = await file.stat();
    if (size > mostFeedOctets) return err(`it has more than ${mostFeedOctets} octets`);
    const seen = `${size} ${mtimeMs}`;
    if (seen === tag) return ok({ content: undefined, tag });
    return ok({ content: await file.readFile('utf8'), tag: seen });
  } finally {
    await file.close();
  }
}

function get(url: URL, tag: string): Promise<Result<Fetched>> {
  const send = url.protocol === 'https:' ? requestHttps : requestHttp;
  return new Promise((settle) => {
    const headers = {
      accept: 'text/plain, application/json',
      'user-agent': 'ringfence',
      ...(tag === '' ? {} : { 'if-none-match': tag }),
    };
    const request = send(url, { headers, signal: AbortSignal.timeout(patienceMs) }, (response) => {
      const { statusCode = 0 } = response;
      if (statusCode === 304) {
        response.resume();
        return settle(ok({ content: undefined, tag }));
      }
      if (statusCode !== 200) {
        response.destroy();
        return settle(err(`its server answers ${statusCode}`));
      }
      const chunks: Buffer[] = [];
      let octets = 0;
      response.on('data', (chunk: Buffer) => {
        octets += chunk.length;
        if (octets <= mostFeedOctets) return void chunks.push(chunk);
        response.destroy();
        settle(err(`it has more than ${mostFeedOctets} octets`));
      });
      response.once('end', () =>
        settle(ok({ content: Buffer.concat(chunks).toString('utf8'), tag: response.headers.etag ?? '' })),
      );
      response.once('error', (error) => settle(err(error.message)));
    });
    request.once('error', (error) => settle(err(error.message)));
    request.end();
  });
}
