import { err, ok, type Result } from '@ringfence/bytes/result.ts';
import { type Suite, suiteParameters } from '@ringfence/srtp/suite.ts';
import { type ContextHandle, native } from './native.ts';

export type SrtpRefusal = 'malformed' | 'authentication' | 'replay' | 'exhausted';

const refusals: readonly SrtpRefusal[] = ['malformed', 'authentication', 'replay', 'exhausted'];
const overhead = 16 + 4 + 128;
const none = new Uint8Array(0);

const operations = { protectRtp: 0, unprotectRtp: 1, protectRtcp: 2, unprotectRtcp: 3 } as const;

/** One direction of the native SRTP code, for tests and benches; the media process never calls these. */
export class NativeContext {
  readonly handle: ContextHandle;

  constructor(handle: ContextHandle) {
    this.handle = handle;
  }

  /** Continues a stream as if `rtpIndex` had just been the highest, and with `rtcpIndex` as the next to send. */
  resume(ssrc: number, rtpIndex: number, rtcpIndex: number): void {
    native().resume(this.handle, ssrc, rtpIndex, rtcpIndex);
  }
}

/**
 * A context from master key and salt, as SDES carries them.
 *
 * Throws TypeError where the length does not fit the suite.
 */
export function createContext(
  suite: Suite,
  direction: 'send' | 'receive',
  material: Uint8Array,
  mki: Uint8Array = none,
): NativeContext {
  return new NativeContext(
    native().createContext(suiteParameters[suite].id, direction === 'send' ? 0 : 1, material, mki),
  );
}

/** A context from session keys: cipher key, 20 octets of authentication key (unused with AEAD), salt. */
export function createSessionContext(
  suite: Suite,
  direction: 'send' | 'receive',
  rtp: Uint8Array,
  rtcp: Uint8Array,
): NativeContext {
  return new NativeContext(
    native().createSessionContext(suiteParameters[suite].id, direction === 'send' ? 0 : 1, rtp, rtcp),
  );
}

export interface DerivedKeys {
  readonly cipher: Uint8Array;
  readonly authentication: Uint8Array;
  readonly salt: Uint8Array;
}

/** Session keys of a master key, RFC 3711 §4.3. */
export function deriveKeys(suite: Suite, material: Uint8Array, kind: 'rtp' | 'rtcp'): DerivedKeys {
  const { id, masterKeyLength, masterSaltLength } = suiteParameters[suite];
  const out = new Uint8Array(masterKeyLength + 20 + masterSaltLength);
  native().deriveKeys(id, material, kind === 'rtcp' ? 1 : 0, out);
  return {
    cipher: out.subarray(0, masterKeyLength),
    authentication: out.subarray(masterKeyLength, masterKeyLength + 20),
    salt: out.subarray(masterKeyLength + 20),
  };
}

/** AES counter mode keystream of one packet, RFC 3711 §4.1.1. */
export function keystream(
  suite: Suite,
  sessionKeys: Uint8Array,
  ssrc: number,
  index: number,
  length: number,
): Uint8Array {
  const out = new Uint8Array(length);
  native().keystream(suiteParameters[suite].id, sessionKeys, ssrc, index, out);
  return out;
}

function transform(
  context: NativeContext,
  operation: number,
  packet: Uint8Array,
): Result<Uint8Array, SrtpRefusal> {
  const buffer = new Uint8Array(packet.length + overhead);
  buffer.set(packet);
  const length = native().transform(context.handle, operation, buffer, packet.length);
  if (length < 0) return err(refusals[-length - 1] ?? 'malformed');
  return ok(buffer.subarray(0, length));
}

export const protectRtp = (context: NativeContext, packet: Uint8Array): Result<Uint8Array, SrtpRefusal> =>
  transform(context, operations.protectRtp, packet);
export const unprotectRtp = (context: NativeContext, packet: Uint8Array): Result<Uint8Array, SrtpRefusal> =>
  transform(context, operations.unprotectRtp, packet);
export const protectRtcp = (context: NativeContext, packet: Uint8Array): Result<Uint8Array, SrtpRefusal> =>
  transform(context, operations.protectRtcp, packet);
export const unprotectRtcp = (context: NativeContext, packet: Uint8Array): Result<Uint8Array, SrtpRefusal> =>
  transform(context, operations.unprotectRtcp, packet);
