/** Data folders and configurations of the edges under test; everything lies in the system's temporary folder. */
import { randomInt } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Transport } from '@ringfence/sip/transport/flow.ts';

export interface ListenerLine {
  readonly name: string;
  readonly transport: Transport;
  readonly address?: string;
  readonly port?: number;
  readonly encryption?: 'required' | 'preferred' | 'none';
  readonly clientCertificate?: 'none' | 'optional' | 'required';
  readonly dangerousPlaintext?: boolean;
  readonly origins?: readonly string[];
  readonly phonePage?: boolean;
  readonly accountPage?: boolean;
  readonly publicAddress?: string;
  readonly ice?: 'off' | 'answer' | 'lite' | 'full';
  readonly methods?: readonly string[];
}

/** One of each transport on loopback; those of TLS demand encryption. */
export const usualListeners: readonly ListenerLine[] = [
  { name: 'udp', transport: 'udp', encryption: 'preferred' },
  { name: 'tcp', transport: 'tcp', encryption: 'preferred' },
  { name: 'tls', transport: 'tls', encryption: 'preferred' },
];

export interface ConfigurationText {
  /** Default 120. */
  readonly mediaPorts?: number;
  /** Further keys below `media`, in flow style. */
  readonly media?: string;
  readonly listeners?: readonly ListenerLine[];
  /** Further top-level keys, in flow style: `{ shutdown: '{ drainSeconds: 3 }' }`. */
  readonly more?: Readonly<Record<string, string>>;
}

export const domain = 'system.test';

/** Media ports of an edge under test: few, so that a test can look at all of them. */
export interface MediaPorts {
  readonly from: number;
  readonly to: number;
}

export const someMediaPorts = (count = 120): MediaPorts => {
  const from = 2 * randomInt(11_000, 15_000);
  return { from, to: from + count - 1 };
};

/** A port that is free now, of those that the system gives to nobody by itself: it can be taken again after a stop. */
export async function freePort(transport: Transport): Promise<number> {
  for (let i = 0; i < 50; i += 1) {
    const port = randomInt(10_000, 20_000);
    if (await isFree(transport, port)) return port;
  }
  throw new Error('no free port');
}

function isFree(transport: Transport, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    if (transport === 'udp') {
      const socket = createSocket('udp4');
      socket.once('error', () => resolve(false));
      socket.bind(port, '127.0.0.1', () => socket.close(() => resolve(true)));
      return;
    }
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}

export function configurationText(
  { listeners = usualListeners, more = {}, media = '' }: ConfigurationText,
  ports: MediaPorts,
): string {
  const rows = [`domain: ${domain}`, 'listeners:'];
  for (const { name, transport, address = '127.0.0.1', port = 0, ...rest } of listeners) {
    const fields = Object.entries({ name, transport, address, port, ...rest });
    rows.push(`  - { ${fields.map(([key, value]) => `${key}: ${JSON.stringify(value)}`).join(', ')} }`);
  }
  const all: Record<string, string> = {
    media: `{ ports: { from: ${ports.from}, to: ${ports.to} }, threads: 1${media === '' ? '' : `, ${media}`} }`,
    log: '{ format: json, level: debug }',
    // It goes by the hour and the day: a test that is about it says so.
    fraud: '{ behaviour: { enabled: false } }',
    ...more,
  };
  for (const [key, value] of Object.entries(all)) rows.push(`${key}: ${value}`);
  return `${rows.join('\n')}\n`;
}

/** A data folder that is taken away when its test is over. */
export class Home {
  readonly path = mkdtempSync(join(tmpdir(), 'ringfence-system-'));
  readonly media: MediaPorts;

  constructor(configuration?: ConfigurationText) {
    this.media = someMediaPorts(configuration?.mediaPorts);
    if (configuration !== undefined) this.configure(configuration);
  }

  configure(configuration: ConfigurationText): void {
    this.write('ringfence.yaml', configurationText(configuration, this.media));
  }

  write(name: string, text: string | Uint8Array): string {
    const file = join(this.path, name);
    writeFileSync(file, text, { mode: 0o600 });
    return file;
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}
