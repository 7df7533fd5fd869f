import { request as requestSecurely } from 'node:https';
import { request as requestPlain } from '../../transport/node-http.ts';
import { RefusedBatch, type Sender } from '../outbox.ts';

export interface HttpSenderOptions {
  readonly url: URL;
  readonly contentType: string;
  readonly authority?: string;
  readonly bearer?: string;
  /** The body that carries a batch. */
  readonly body: (batch: readonly Uint8Array[]) => Uint8Array;
}

const answerMs = 10_000;

/** POST of a batch; 2xx means that the receiver has it. Redirections are not followed. */
export class HttpSender implements Sender {
  readonly #options: HttpSenderOptions;

  constructor(options: HttpSenderOptions) {
    this.#options = options;
  }

  send(batch: readonly Uint8Array[]): Promise<void> {
    const { url, contentType, authority, bearer, body } = this.#options;
    const bytes = body(batch);
    return new Promise((resolve, reject) => {
      const request = (url.protocol === 'https:' ? requestSecurely : requestPlain)(
        url,
        {
          method: 'POST',
          timeout: answerMs,
          headers: {
            'content-type': contentType,
            'content-length': bytes.length,
            ...(bearer === undefined ? {} : { authorization: `Bearer ${bearer}` }),
          },
          ...(url.protocol === 'https:'
            ? { minVersion: 'TLSv1.2', ...(authority === undefined ? {} : { ca: authority }) }
            : {}),
        },
        (response) => {
          const status = response.statusCode ?? 0;
          response.resume();
          response.once('error', reject);
          response.once('end', () => {
            if (status >= 200 && status < 300) resolve();
            else if (status >= 400 && status < 500 && ![401, 403, 404, 408, 429].includes(status))
              reject(new RefusedBatch(`the receiver answers ${status}`));
            else reject(new Error(`the receiver answers ${status}`));
          });
        },
      );
      request.on('timeout', () => request.destroy(new Error('no answer within 10 s')));
      request.on('error', reject);
      request.end(bytes);
    });
  }

  close(): void {
    // Connections are kept by nobody.
  }
}
