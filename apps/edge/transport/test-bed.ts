import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { promisify } from 'node:util';
import type { Flow } from '@ringfence/sip/transport/flow.ts';
import { Admission, type AdmissionOptions, type AdmissionSettings } from '../admission/admission.ts';
import type { Listener } from '../config/schema.ts';
import type { EdgeEvent } from '../events/types.ts';
import type { Transports } from './contract.ts';
import type { ListenProblem } from './listen-problem.ts';
import { type OpenTransportsOptions, openTransports } from './open.ts';
import type { TlsMaterial } from './tls-context.ts';

/** Sockets, certificates and waiting for the tests of this folder. */

const run = promisify(execFile);

export interface TestCertificate {
  readonly cert: string;
  readonly key: string;
}

/** A CA that issues certificates for subject alternative names as openssl writes them (`DNS:`, `URI:`, `IP:`). */
export class TestAuthority {
  readonly cert: string;
  readonly #folder: string;
  #serial = 0;

  static async create(name: string): Promise<TestAuthority> {
    const folder = await mkdtemp(join(tmpdir(), 'ringfence-ca-'));
    await writeFile(join(folder, 'none.cnf'), '[req]\ndistinguished_name=dn\n[dn]\n');
    await openssl(folder, [
      '-subj',
      `/CN=${name}`,
      '-addext',
      'basicConstraints=critical,CA:TRUE',
      '-keyout',
      'ca.key',
      '-out',
      'ca.crt',
    ]);
    return new TestAuthority(folder, await readFile(join(folder, 'ca.crt'), 'utf8'));
  }

  private constructor(folder: string, cert: string) {
    this.#folder = folder;
    this.cert = cert;
  }

  async issue(...names: readonly string[]): Promise<TestCertificate> {
    const stem = `own${++this.#serial}`;
    await openssl(this.#folder, [
      ...['-subj', '/CN=never-looked-at.test', '-addext', `subjectAltName=${names.join(',')}`],
      ...['-addext', 'basicConstraints=critical,CA:FALSE', '-CA', 'ca.crt', '-CAkey', 'ca.key'],
      ...['-keyout', `${stem}.key`, '-out', `${stem}.crt`],
    ]);
    const read = (end: string): Promise<string> => readFile(join(this.#folder, `${stem}.${end}`), 'utf8');
    return { cert: await read('crt'), key: await read('key') };
  }

  async remove(): Promise<void> {
    await rm(this.#folder, { recursive: true });
  }
}

const openssl = (folder: string, options: readonly string[]) =>
  run(
    'openssl',
    [
      'req',
      '-x509',
      '-config',
      'none.cnf',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:P-256',
      '-nodes',
      '-days',
      '2',
      ...options,
    ],
    { cwd: folder },
  );

export const tlsMaterial = (
  own: () => TestCertificate,
  authorities: readonly string[],
  domains: () => Readonly<Record<string, TestCertificate>> = () => ({}),
): TlsMaterial => ({
  key: () => own().key,
  cert: () => own().cert,
  ca: () => authorities,
  domains: () =>
    Object.entries(domains()).map(([domain, { cert, key }]) => ({ domain, certificate: cert, key })),
  settings: {
    trustSystemAuthorities: false,
    minimumVersion: 'TLSv1.2',
    groups: 'X25519MLKEM768:X25519:P-256:P-384',
  },
});

export const settings = (changes: Partial<AdmissionSettings> = {}): AdmissionSettings => ({
  messageBytes: 16384,
  perSourcePerSecond: 100,
  perNetworkPerSecond: 500,
  perMethodPerSecond: 3000,
  perListenerPerSecond: 4000,
  unknownPerSecond: 5000,
  busyPercent: 95,
  lateMilliseconds: 100,
  firstMessageSeconds: 900,
  connectionsPerSource: 64,
  connections: 30000,
  idleSeconds: 900,
  messageSeconds: 10,
  handshakeSeconds: 10,
  blockedUserAgents: ['friendly-scanner', 'sipvicious'],
  emergency: ['112', '911'],
  ...changes,
});

export interface Bed {
  readonly transports: Transports;
  readonly admission: Admission;
  /** Received messages as text. */
  readonly messages: { readonly flow: Flow; readonly text: string }[];
  readonly closed: { readonly flow: Flow; readonly reason: string }[];
  readonly events: EdgeEvent[];
  /** Moves the clock that the transports see. */
  advance(milliseconds: number): void;
  /** Called for each message; set it to answer. */
  onMessage: (flow: Flow, text: string, bytes: Uint8Array) => void;
  port(listener: string): number;
}

interface BedOptions {
  readonly listeners: readonly Listener[];
  readonly settings?: Partial<AdmissionSettings>;
  readonly admission?: Partial<AdmissionOptions>;
  readonly tls?: TlsMaterial;
  readonly environment?: OpenTransportsOptions['environment'];
}

export const openBed = async (options: BedOptions): Promise<Bed> => {
  const opened = await tryBed(options);
  if (!Array.isArray(opened)) return opened as Bed;
  throw new Error((opened as ListenProblem[]).map((problem) => problem.text).join('\n'));
};

export const tryBed = async (options: BedOptions): Promise<Bed | readonly ListenProblem[]> => {
  const events: EdgeEvent[] = [];
  const messages: Bed['messages'] = [];
  const closed: Bed['closed'] = [];
  let ahead = 0;
  const emit = (event: EdgeEvent): void => {
    events.push(event);
  };
  const admission = new Admission({
    settings: settings(options.settings),
    emit,
    seed: 1,
    ...options.admission,
  });
  const opened = await openTransports({
    listeners: options.listeners,
    domain: 'example.com',
    ...(options.tls === undefined ? {} : { tls: options.tls }),
    admission,
    emit,
    clock: () => performance.now() + ahead,
    environment: options.environment ?? {},
    events: {
      message: (flow, bytes) => {
        const text = Buffer.from(bytes).toString('latin1');
        messages.push({ flow, text });
        bed.onMessage(flow, text, bytes);
      },
      closed: (flow, reason) => closed.push({ flow, reason }),
    },
  });
  if (!opened.ok) return opened.error;
  const transports = opened.value;
  const bed: Bed = {
    transports,
    admission,
    messages,
    closed,
    events,
    advance: (milliseconds) => {
      ahead += milliseconds;
    },
    onMessage: () => undefined,
    port: (name) => transports.listeners.find((listener) => listener.name === name)?.bound.port ?? 0,
  };
  return bed;
};

/** Waits for something that sockets will bring about; real input and output cannot be awaited otherwise. */
export const until = async (what: string, holds: () => boolean, milliseconds = 8000): Promise<void> => {
  const end = performance.now() + milliseconds;
  while (!holds()) {
    if (performance.now() > end) throw new Error(`waited in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
};

export const sipRequest = (method: string, extra = '', body = '', uri = 'sip:bob@example.com'): string =>
  `${method} ${uri} SIP/2.0\r\nVia: SIP/2.0/TCP 192.0.2.1:5060;branch=z9hG4bKtest\r\nMax-Forwards: 70\r\n` +
  `From: <sip:alice@example.com>;tag=a\r\nTo: <sip:bob@example.com>\r\nCall-ID: c@example.com\r\nCSeq: 1 ${method}\r\n` +
  `${extra}Content-Length: ${body.length}\r\n\r\n${body}`;
