import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { MisuseError } from '@ringfence/bytes/misuse.ts';

/** A crypto context inside the addon. */
export type ContextHandle = { readonly __context: unique symbol };
export type DtlsCertificateHandle = { readonly __dtlsCertificate: unique symbol };
export type DtlsAssociationHandle = { readonly __dtlsAssociation: unique symbol };

/** The functions of `addon/addon.cc`. Wrong arguments throw a TypeError; hostile packets never do. */
export interface Native {
  /** For the next `start`. Milliseconds; 250, 30,000, a week and 1,024 unless called. */
  limitDtls(retransmitMs: number, giveUpMs: number, certificateMs: number, mostHandshakes: number): void;
  start(from: number, to: number, threads: number, gatherMicroseconds: number, gatherAbove: number): void;
  stop(): void;
  /** Octets written to `out`; -1 where the body is malformed and nothing was applied. */
  request(type: number, body: Uint8Array, out: Uint8Array): number;
  /** Writes the learned address in wire form; octets written, 0 where there is none. */
  source(id: number, out: Uint8Array): number;
  rows(): ArrayBuffer;
  /** Ends grace periods of replaced keys; the number of rows that are or were in use. */
  tick(): number;
  /** `callback` is called, at most once until `drain` has emptied it, when something comes up from the threads. */
  listen(callback: () => void): void;
  /** What has come up, oldest first, as much as fits into `out`: `addon/uplink.h`. Octets written. */
  drain(out: Uint8Array): number;
  uplinkCounts(): ArrayBuffer;
  /** What `dtls-counts.ts` names; valid until `stop`. */
  dtlsCounts(): ArrayBuffer;
  /** Addresses are in wire form, empty for none. 1 where it was done. */
  sendDatagram(id: number, component: number, address: Uint8Array, bytes: Uint8Array): number;
  validatePair(id: number, component: number, address: Uint8Array): number;
  invalidatePair(id: number, component: number, address: Uint8Array): number;
  choosePair(id: number, component: number, address: Uint8Array): number;
  secure(id: number, suite: number, send: Uint8Array, receive: Uint8Array): number;
  passMedia(id: number): number;
  checkStun(bytes: Uint8Array, password: Uint8Array): number;
  harden(): number;
  limitDescriptors(most: number): void;
  trim(): void;
  controlPair(out: Uint8Array): number;
  /** A listening UNIX socket with mode 0600: its descriptor in 4 octets; octets written, 0 where there is none. */
  openDoor(path: Uint8Array, out: Uint8Array): number;
  /** Whoever waits at the door and runs as `user` or root; -1 where nobody does. */
  acceptAt(door: number, user: number): number;
  /** The descriptor outlives `execve`; 1 where that was possible. */
  inherit(descriptor: number): number;
  createContext(suite: number, direction: number, material: Uint8Array, mki: Uint8Array): ContextHandle;
  createSessionContext(suite: number, direction: number, rtp: Uint8Array, rtcp: Uint8Array): ContextHandle;
  deriveKeys(suite: number, material: Uint8Array, rtcp: number, out: Uint8Array): number;
  keystream(suite: number, keys: Uint8Array, ssrc: number, index: number, out: Uint8Array): number;
  transform(context: ContextHandle, operation: number, buffer: Uint8Array, length: number): number;
  resume(context: ContextHandle, ssrc: number, rtpIndex: number, rtcpIndex: number): void;
  createDtlsCertificate(fingerprint: Uint8Array): DtlsCertificateHandle;
  createDtlsAssociation(
    certificate: DtlsCertificateHandle,
    server: number,
    fingerprints: Uint8Array,
    suites: Uint8Array,
    retransmitMs: number,
    giveUpMs: number,
  ): DtlsAssociationHandle;
  /** Octets written; -1 where `out` is too short. */
  dtlsStep(
    association: DtlsAssociationHandle,
    operation: number,
    datagram: Uint8Array,
    out: Uint8Array,
  ): number;
  dtlsLook(association: DtlsAssociationHandle, out: Uint8Array): number;
}

/** What the rest of the code calls: an addon of older sources lacks the later of them. */
const functions = [
  'start',
  'stop',
  'request',
  'limitDtls',
  'source',
  'rows',
  'tick',
  'listen',
  'drain',
  'uplinkCounts',
  'dtlsCounts',
  'sendDatagram',
  'validatePair',
  'invalidatePair',
  'choosePair',
  'secure',
  'passMedia',
  'checkStun',
  'harden',
  'limitDescriptors',
  'trim',
  'controlPair',
  'openDoor',
  'acceptAt',
  'inherit',
  'createContext',
  'createSessionContext',
  'deriveKeys',
  'keystream',
  'transform',
  'resume',
] as const satisfies readonly (keyof Native)[];

let loaded: Native | undefined;

/**
 * The native addon, loaded on first use.
 *
 * `RINGFENCE_RELAY_ADDON` names another build, for tests under a sanitizer.
 *
 * Throws MisuseError `relay-not-built` with what to install where the install could not build it, and with what to run
 * where it was built from older sources than these.
 */
export function native(): Native {
  loaded ??= load(process.env.RINGFENCE_RELAY_ADDON ?? './build/relay.node');
  return loaded;
}

/** Exported for tests. */
export function load(path: string): Native {
  let addon: Partial<Native>;
  try {
    addon = createRequire(import.meta.url)(path) as Partial<Native>;
  } catch (error) {
    throw new MisuseError('relay-not-built', problem() ?? `cannot load the media path: ${String(error)}`);
  }
  const missing = functions.filter((name) => typeof addon[name] !== 'function');
  if (missing.length > 0)
    throw new MisuseError(
      'relay-not-built',
      `Ringfence's media path was built from older sources (it lacks ${missing.join(', ')}).\nRun: npm rebuild @ringfence/relay`,
    );
  return addon as Native;
}

function problem(): string | undefined {
  try {
    return readFileSync(new URL('./build/problem.txt', import.meta.url), 'utf8');
  } catch {
    return undefined;
  }
}
