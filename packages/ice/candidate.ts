import { MisuseError } from '@ringfence/bytes/misuse.ts';
import { addressOctets } from './address.ts';

/** `a=ice-ufrag` and `a=ice-pwd`, RFC 8839 §5.4. */
export interface IceCredentials {
  /** 4 to 256 characters of letters, digits, `+` and `/`. */
  readonly ufrag: string;
  /** 22 to 256 of them. */
  readonly password: string;
}

/** 1 is RTP, 2 is RTCP where the two do not share a port, RFC 8445 §13. */
export type Component = 1 | 2;

export type CandidateKind = 'host' | 'srflx' | 'prflx' | 'relay';

/** A candidate over UDP, RFC 8839 §5.1. */
export interface IceCandidate {
  /** Candidates of one foundation fare alike, RFC 8445 §5.1.1.3. */
  readonly foundation: string;
  readonly component: Component;
  /** 1 to 2^31 - 1. */
  readonly priority: number;
  readonly address: string;
  readonly port: number;
  readonly kind: CandidateKind;
}

/** A local address and port that one component sends from and receives at. */
export interface IceBase {
  readonly component: Component;
  readonly address: string;
  readonly port: number;
}

/** RFC 8445 §5.1.2.2. */
const typePreference: Readonly<Record<CandidateKind, number>> = {
  host: 126,
  prflx: 110,
  srflx: 100,
  relay: 0,
};

/**
 * RFC 8445 §5.1.2.1: `2^24 type + 2^8 local + (256 - component)`.
 * @param localPreference 0 to 65,535; the highest where there is one address alone.
 */
export const candidatePriority = (
  kind: CandidateKind,
  component: Component,
  localPreference = 65_535,
): number => typePreference[kind] * 2 ** 24 + localPreference * 2 ** 8 + (256 - component);

/** RFC 8445 §6.1.2.3: `2^32 min(G, D) + 2 max(G, D) + (G > D)`, G of the controlling agent, D of the other. */
export function pairPriority(controlling: number, controlled: number): bigint {
  const least = BigInt(Math.min(controlling, controlled));
  const most = BigInt(Math.max(controlling, controlled));
  return (least << 32n) + 2n * most + (controlling > controlled ? 1n : 0n);
}

/** Host candidates of our bases, as they are written into SDP. */
export function hostCandidates(bases: readonly IceBase[]): IceCandidate[] {
  const addresses = [...new Set(bases.map(({ address }) => address))];
  return bases.map(({ component, address, port }) => {
    const index = addresses.indexOf(address);
    return {
      foundation: String(index + 1),
      component,
      priority: candidatePriority('host', component, 65_535 - index),
      address,
      port,
      kind: 'host',
    };
  });
}

/** An address that a datagram may be sent to: not unspecified, not broadcast, not multicast. */
export function isUnicast(octets: Uint8Array): boolean {
  if (octets.every((octet) => octet === 0)) return false;
  return octets.length === 4 ? octets[0]! < 224 && octets[0] !== 0 : octets[0] !== 0xff;
}

/** Letters, digits, `+`, `/`: `ice-char` of RFC 8839 §5.1. */
export function isIceText(text: string, least: number, most: number): boolean {
  if (text.length < least || text.length > most) return false;
  for (let i = 0; i < text.length; i += 1) {
    const c = text.charCodeAt(i);
    const letter = (c >= 0x41 && c <= 0x5a) || (c >= 0x61 && c <= 0x7a);
    if (!letter && !(c >= 0x2f && c <= 0x39) && c !== 0x2b) return false;
  }
  return true;
}

/** @throws MisuseError `ice-credentials` where they are not of RFC 8839 §5.4. */
export function checkCredentials({ ufrag, password }: IceCredentials): void {
  if (!isIceText(ufrag, 4, 256) || !isIceText(password, 22, 256))
    throw new MisuseError('ice-credentials', 'ufrag has 4, password 22 characters of ice-char at least');
}

/** Where datagrams of this family can go: 4 or 16 octets. */
export function familyOf(base: IceBase): number {
  const octets = addressOctets(base.address);
  if (octets === undefined)
    throw new MisuseError('ice-base', 'the base of a component is an address literal');
  return octets.length;
}
