import { type Suite, suiteParameters, suites } from '@ringfence/srtp/suite.ts';
import type { DtlsSuite, Fingerprint } from './handshake.ts';
import { type DtlsAssociationHandle, type DtlsCertificateHandle, native } from './native.ts';

const hashes = ['sha-256', 'sha-384', 'sha-512'] as const;
const operations = { start: 0, receive: 1, resume: 2, passTime: 3, close: 4 } as const;
const states = ['handshaking', 'secured', 'failed', 'closed'] as const;
const failures = [
  'fingerprint',
  'hello-hash',
  'no-common-suite',
  'timeout',
  'alert',
  'protocol',
  'authentication',
] as const;
const longestFlight = 65_536;
const nothing = new Uint8Array(0);

/** The association of `addon/dtls-association.cc`, for tests and benches; the media process runs its own without JavaScript. */
export class NativeCertificate {
  readonly fingerprint: Fingerprint;
  readonly handle: DtlsCertificateHandle;

  constructor() {
    const value = new Uint8Array(32);
    this.handle = native().createDtlsCertificate(value);
    this.fingerprint = { hash: 'sha-256', value };
  }
}

export interface AssociationOptions {
  readonly certificate: NativeCertificate;
  readonly role: 'client' | 'server';
  readonly fingerprints: readonly Fingerprint[];
  readonly suites: readonly DtlsSuite[];
  /** Until the first repetition; then twice as long each time. */
  readonly retransmitMs?: number;
  readonly giveUpMs?: number;
}

export interface AssociationView {
  readonly state: (typeof states)[number];
  readonly failure: (typeof failures)[number] | undefined;
  readonly suite: Suite | undefined;
  readonly version: string;
  readonly cipher: string;
  readonly group: string;
  readonly detail: string;
  readonly peer: Uint8Array;
  /** Master key, then master salt; empty until secured. */
  readonly sendKey: Uint8Array;
  readonly receiveKey: Uint8Array;
}

export class NativeAssociation {
  readonly #handle: DtlsAssociationHandle;
  readonly #out = new Uint8Array(longestFlight);

  constructor(options: AssociationOptions) {
    const fingerprints = options.fingerprints.flatMap(({ hash, value }) => [
      hashes.indexOf(hash),
      value.length,
      ...value,
    ]);
    this.#handle = native().createDtlsAssociation(
      options.certificate.handle,
      options.role === 'server' ? 1 : 0,
      Uint8Array.from(fingerprints),
      Uint8Array.from(options.suites, (suite) => suiteParameters[suite].id),
      options.retransmitMs ?? 50,
      options.giveUpMs ?? 30_000,
    );
  }

  /** Each of these gives the datagrams that are to be sent. */
  start(): Uint8Array[] {
    return this.#step(operations.start, nothing);
  }
  receive(datagram: Uint8Array): Uint8Array[] {
    return this.#step(operations.receive, datagram);
  }
  /** A ClientHello whose cookie was found good. */
  resume(hello: Uint8Array): Uint8Array[] {
    return this.#step(operations.resume, hello);
  }
  /** Does nothing before it is time. */
  passTime(): Uint8Array[] {
    return this.#step(operations.passTime, nothing);
  }
  close(): Uint8Array[] {
    return this.#step(operations.close, nothing);
  }

  look(): AssociationView {
    const out = new Uint8Array(2048);
    native().dtlsLook(this.#handle, out);
    let at = 3;
    const octets = (): Uint8Array => {
      const length = out[at] ?? 0;
      at += 1 + length;
      return out.slice(at - length, at);
    };
    const text = (): string => Buffer.from(octets()).toString('latin1');
    const state = states[out[0] ?? 0] ?? 'failed';
    return {
      state,
      failure: state === 'failed' ? failures[out[1] ?? 0] : undefined,
      suite: suites.find((suite) => suiteParameters[suite].id === out[2]),
      version: text(),
      cipher: text(),
      group: text(),
      detail: text(),
      peer: octets(),
      sendKey: octets(),
      receiveKey: octets(),
    };
  }

  #step(operation: number, datagram: Uint8Array): Uint8Array[] {
    const length = native().dtlsStep(this.#handle, operation, datagram, this.#out);
    const datagrams: Uint8Array[] = [];
    for (let at = 0; at < length; ) {
      const end = at + 2 + (((this.#out[at] ?? 0) << 8) | (this.#out[at + 1] ?? 0));
      datagrams.push(this.#out.slice(at + 2, end));
      at = end;
    }
    return datagrams;
  }
}
