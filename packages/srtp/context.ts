import { MisuseError } from '@ringfence/bytes/misuse.ts';
import { readU16, readU32 } from '@ringfence/bytes/reader.ts';
import { err, ok, type Result } from '@ringfence/bytes/result.ts';
import { AeadGcmTransform } from './aead-gcm.ts';
import { AesCmTransform } from './aes-cm.ts';
import { deriveSessionKeys } from './key-derivation.ts';
import {
  estimateIndex,
  lastRolloverCounter,
  lastRtcpIndex,
  lastRtpIndex,
  packetIndex,
} from './packet-index.ts';
import { checkWindow, ReplayWindow } from './replay-window.ts';
import { type Suite, suiteParameters } from './suite.ts';
import { indexWordLength, type Transform } from './transform.ts';

export interface SrtpOptions {
  readonly suite: Suite;
  /** Master key, then master salt. Read once, not kept: the caller overwrites it. */
  readonly material: Uint8Array;
  /** Names the key in every packet, 1 to 128 octets, RFC 3711 §3.1. Default none. */
  readonly mki?: Uint8Array;
  /** Replay window in packets. Default 128. */
  readonly window?: number;
  /** Most SSRCs sent and most SSRCs received; each takes about 200 octets and its window. Default 16. */
  readonly streams?: number;
  /** Packets of all streams after which the key is spent, RFC 3711 §9.2. Default 2^48. */
  readonly lifetime?: number;
  /** Rollover counter that new streams begin with. Default 0, RFC 3711 §3.3.1. */
  readonly rolloverCounter?: number;
  /** Takes SRTCP that is authenticated but not encrypted, RFC 3711 §3.4 (E flag). Default false. */
  readonly dangerousUnencryptedRtcp?: boolean;
}

export type SrtpErrorCode =
  /** No RTP or RTCP of version 2, or too short for header, MKI and tag. */
  | 'malformed'
  /** Another MKI than ours. */
  | 'mki'
  /** Seen before, or older than the window. */
  | 'replay'
  /** The tag is not that of our key. */
  | 'authentication'
  /** SRTCP in the clear, where encryption was agreed. */
  | 'unencrypted'
  /** The key or the index is spent: only a new key helps, RFC 3711 §9.2. */
  | 'exhausted'
  /** One more SSRC than the bound. An old one is never dropped: its indexes would begin anew. */
  | 'streams';

export interface SrtpError {
  readonly code: SrtpErrorCode;
}

const fail = (code: SrtpErrorCode): Result<never, SrtpError> => errors[code];
const error = (code: SrtpErrorCode) => err({ code } as SrtpError);
/** Made once: an attacker's packet costs no allocation. */
const errors = {
  malformed: error('malformed'),
  mki: error('mki'),
  replay: error('replay'),
  authentication: error('authentication'),
  unencrypted: error('unencrypted'),
  exhausted: error('exhausted'),
  streams: error('streams'),
} as const;

const largestPacket = 65_535;

/** Octets of the RTP header with CSRCs and extension, RFC 3550 §5.1; `undefined` where `packet` has none. */
export function rtpHeaderLength(packet: Uint8Array): number | undefined {
  if (packet.length < 12 || packet[0]! >>> 6 !== 2) return undefined;
  let length = 12 + (packet[0]! & 0x0f) * 4;
  if ((packet[0]! & 0x10) !== 0) {
    if (packet.length < length + 4) return undefined;
    length += 4 + readU16(packet, length + 2) * 4;
  }
  return length <= packet.length ? length : undefined;
}

/**
 * SRTP and SRTCP under one master key, for one direction of one leg: RFC 3711, RFC 6188, RFC 7714.
 *
 * The reference for the native packet path. Received packets are checked, then authenticated, then accepted: what
 * does not authenticate moves nothing. Packets come back in new memory; the input is never changed.
 */
export class SrtpContext {
  readonly suite: Suite;
  readonly #transform: Transform;
  readonly #mki: Uint8Array;
  readonly #window: number;
  readonly #streams: number;
  readonly #rolloverCounter: number;
  readonly #unencryptedRtcp: boolean;
  /** One window for each SSRC; those of sending guard against serving two packets from one key stream. */
  readonly #sent: Streams = { rtp: new Map(), rtcp: new Map() };
  readonly #received: Streams = { rtp: new Map(), rtcp: new Map() };
  #packetsLeft: number;
  #wiped = false;

  /** @throws MisuseError `srtp-key` where material or MKI do not fit, `srtp-window` for the window. */
  constructor(options: SrtpOptions) {
    const parameters = suiteParameters[options.suite];
    const { masterKeyLength, masterSaltLength } = parameters;
    const { material, mki = new Uint8Array(0), window = 128, lifetime = lastRtpIndex + 1 } = options;
    if (material.length !== masterKeyLength + masterSaltLength)
      throw new MisuseError(
        'srtp-key',
        `${options.suite} needs ${masterKeyLength + masterSaltLength} octets`,
      );
    if ((options.mki !== undefined && mki.length === 0) || mki.length > 128)
      throw new MisuseError('srtp-key', 'an MKI has 1 to 128 octets');
    const { rolloverCounter = 0 } = options;
    if (!Number.isInteger(rolloverCounter) || rolloverCounter < 0 || rolloverCounter > lastRolloverCounter)
      throw new MisuseError('srtp-key', 'a rollover counter has 32 bits');
    checkWindow(window);
    const keys = deriveSessionKeys(
      parameters,
      material.subarray(0, masterKeyLength),
      material.subarray(masterKeyLength),
    );
    this.suite = options.suite;
    this.#transform = parameters.aead ? new AeadGcmTransform(keys) : new AesCmTransform(parameters, keys);
    this.#mki = Uint8Array.from(mki);
    this.#window = window;
    this.#streams = options.streams ?? 16;
    this.#packetsLeft = lifetime;
    this.#rolloverCounter = rolloverCounter;
    this.#unencryptedRtcp = options.dangerousUnencryptedRtcp ?? false;
  }

  /**
   * Protects an RTP packet. Of one SSRC, packets come in the order of their numbers, or nearly so.
   *
   * A number that was sent before, or is older than the window, gives `replay`: one key stream must never serve
   * two packets, RFC 3711 §9.1.
   */
  protectRtp(packet: Uint8Array): Result<Uint8Array, SrtpError> {
    this.#checkUse();
    const headerLength = rtpHeaderLength(packet);
    if (headerLength === undefined || packet.length > largestPacket) return fail('malformed');
    const ssrc = readU32(packet, 8);
    const window = this.#streamOf(this.#sent.rtp, ssrc);
    if (window === undefined) return fail('streams');
    const index = this.#rtpIndex(window, readU16(packet, 2));
    if (typeof index === 'string') return fail(index);
    if (!window.check(index)) return fail('replay');
    if (this.#packetsLeft <= 0) return fail('exhausted');
    this.#accept(this.#sent.rtp, ssrc, window, index);
    return ok(this.#transform.protectRtp(packet, headerLength, index, this.#mki));
  }

  /** Check, authenticate and decrypt, accept: RFC 3711 §3.3. */
  unprotectRtp(packet: Uint8Array): Result<Uint8Array, SrtpError> {
    this.#checkUse();
    const headerLength = rtpHeaderLength(packet);
    const mkiLength = this.#mki.length;
    if (headerLength === undefined || packet.length > largestPacket) return fail('malformed');
    if (packet.length < headerLength + this.#transform.overhead.rtp + mkiLength) return fail('malformed');
    if (!this.#carriesMki(packet, this.#transform.behindMki.rtp)) return fail('mki');
    const ssrc = readU32(packet, 8);
    const window = this.#streamOf(this.#received.rtp, ssrc);
    if (window === undefined) return fail('streams');
    const index = this.#rtpIndex(window, readU16(packet, 2));
    if (typeof index === 'string') return fail(index);
    if (!window.check(index)) return fail('replay');
    if (this.#packetsLeft <= 0) return fail('exhausted');
    const plain = this.#transform.unprotectRtp(packet, headerLength, index, mkiLength);
    if (plain === undefined) return fail('authentication');
    this.#accept(this.#received.rtp, ssrc, window, index);
    return ok(plain);
  }

  /** Protects an RTCP compound packet; the first of an SSRC has index 0, RFC 3711 §3.4. */
  protectRtcp(packet: Uint8Array): Result<Uint8Array, SrtpError> {
    this.#checkUse();
    if (!isRtcp(packet) || packet.length > largestPacket) return fail('malformed');
    const ssrc = readU32(packet, 4);
    const window = this.#streamOf(this.#sent.rtcp, ssrc);
    if (window === undefined) return fail('streams');
    const index = window.highest + 1;
    if (index > lastRtcpIndex || this.#packetsLeft <= 0) return fail('exhausted');
    this.#accept(this.#sent.rtcp, ssrc, window, index);
    return ok(this.#transform.protectRtcp(packet, index, this.#mki));
  }

  /** As `unprotectRtp`; the index stands in the packet and is authenticated with it, RFC 3711 §3.4. */
  unprotectRtcp(packet: Uint8Array): Result<Uint8Array, SrtpError> {
    this.#checkUse();
    const mkiLength = this.#mki.length;
    if (!isRtcp(packet) || packet.length > largestPacket) return fail('malformed');
    if (packet.length < 8 + this.#transform.overhead.rtcp + mkiLength) return fail('malformed');
    const behind = this.#transform.behindMki.rtcp;
    if (!this.#carriesMki(packet, behind)) return fail('mki');
    const word = readU32(packet, packet.length - behind - mkiLength - indexWordLength);
    const encrypted = word >>> 31 === 1;
    if (!encrypted && !this.#unencryptedRtcp) return fail('unencrypted');
    const index = word & lastRtcpIndex;
    const ssrc = readU32(packet, 4);
    const window = this.#streamOf(this.#received.rtcp, ssrc);
    if (window === undefined) return fail('streams');
    if (!window.check(index)) return fail('replay');
    if (this.#packetsLeft <= 0) return fail('exhausted');
    const plain = this.#transform.unprotectRtcp(packet, index, encrypted, mkiLength);
    if (plain === undefined) return fail('authentication');
    this.#accept(this.#received.rtcp, ssrc, window, index);
    return ok(plain);
  }

  /** Highest index sent and received of an SSRC, -1 before the first: what a takeover must carry on from. */
  indexes(ssrc: number): { readonly sent: number; readonly received: number } {
    return {
      sent: this.#sent.rtp.get(ssrc)?.highest ?? -1,
      received: this.#received.rtp.get(ssrc)?.highest ?? -1,
    };
  }

  /** Overwrites the session keys. Any use after this is misuse: `srtp-wiped`. */
  wipe(): void {
    this.#transform.wipe();
    this.#wiped = true;
  }

  #checkUse(): void {
    if (this.#wiped) throw new MisuseError('srtp-wiped', 'the keys of this context were overwritten');
  }

  /** The window of an SSRC, a new one that is not yet kept, or nothing where the bound is reached. */
  #streamOf(streams: ReadonlyMap<number, ReplayWindow>, ssrc: number): ReplayWindow | undefined {
    const known = streams.get(ssrc);
    if (known !== undefined || streams.size >= this.#streams) return known;
    return new ReplayWindow(this.#window);
  }

  #accept(streams: Map<number, ReplayWindow>, ssrc: number, window: ReplayWindow, index: number): void {
    if (window.highest === -1) streams.set(ssrc, window);
    window.accept(index);
    this.#packetsLeft -= 1;
  }

  #rtpIndex(window: ReplayWindow, sequence: number): number | 'replay' | 'exhausted' {
    if (window.highest === -1) return packetIndex(this.#rolloverCounter, sequence);
    const index = estimateIndex(window.highest, sequence);
    if (index !== undefined) return index;
    return window.highest < 2 ** 16 ? 'replay' : 'exhausted';
  }

  /** The MKI is no secret, so it is compared without care for time. */
  #carriesMki(packet: Uint8Array, behind: number): boolean {
    const at = packet.length - behind - this.#mki.length;
    for (let i = 0; i < this.#mki.length; i += 1) if (packet[at + i] !== this.#mki[i]) return false;
    return true;
  }
}

interface Streams {
  readonly rtp: Map<number, ReplayWindow>;
  readonly rtcp: Map<number, ReplayWindow>;
}

const isRtcp = (packet: Uint8Array): boolean => packet.length >= 8 && packet[0]! >>> 6 === 2;
