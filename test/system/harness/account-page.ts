/** The account page as a browser asks it: HTTPS, a cookie, JSON. */
import { request } from 'node:https';

export interface PageAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
  readonly body: Readonly<Record<string, never>>;
}

export interface Sent {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

export class AccountPage {
  readonly #port: number;
  readonly #from: string;
  cookie = '';

  /** `from`: the address that the browser has. */
  constructor(port: number, from: string) {
    this.#port = port;
    this.#from = from;
  }

  get origin(): string {
    return `https://127.0.0.1:${this.#port}`;
  }

  send(path: string, { method = 'GET', headers = {}, body }: Sent = {}): Promise<PageAnswer> {
    return new Promise((resolve, reject) => {
      const asked = request(
        {
          host: '127.0.0.1',
          port: this.#port,
          localAddress: this.#from,
          path,
          method,
          // What the certificate says is looked at elsewhere.
          rejectUnauthorized: false,
          headers: { ...headers, ...(this.cookie === '' ? {} : { Cookie: this.cookie }) },
        },
        (response) => {
          const chunks: Buffer[] = [];
          response.on('data', (chunk: Buffer) => chunks.push(chunk));
          response.once('end', () => {
            const text = Buffer.concat(chunks).toString('utf8');
            const [set] = response.headers['set-cookie'] ?? [];
            if (set !== undefined) this.cookie = set.slice(0, set.indexOf(';'));
            const json = response.headers['content-type'] === 'application/json';
            resolve({
              status: response.statusCode ?? 0,
              headers: response.headers,
              text,
              body: json ? (JSON.parse(text) as PageAnswer['body']) : {},
            });
          });
        },
      );
      asked.once('error', reject);
      asked.end(body);
    });
  }

  /** What a script of the page does. */
  ask(operation: string, fields: Readonly<Record<string, unknown>> = {}): Promise<PageAnswer> {
    return this.send(`/account/do/${operation}`, {
      method: 'POST',
      headers: { Origin: this.origin, 'Content-Type': 'application/json' },
      body: JSON.stringify(fields),
    });
  }
}
