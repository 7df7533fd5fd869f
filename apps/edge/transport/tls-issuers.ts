import { X509Certificate } from 'node:crypto';
import type { DetailedPeerCertificate } from 'node:tls';

/** A chain has hardly more. */
const mostIssuers = 4;

/**
 * SHA-256 fingerprints of the authorities above a peer's certificate, nearest first, each of whose signature was checked
 * here. To be asked only of a chain that was verified; `peer` with its issuers, as `getPeerCertificate(true)` gives it.
 */
export function issuersOf(peer: DetailedPeerCertificate): readonly string[] {
  const found: string[] = [];
  let below = peer;
  while (found.length < mostIssuers) {
    const issuer: DetailedPeerCertificate | undefined = below.issuerCertificate;
    // A self-signed one is its own.
    if (issuer === undefined || issuer.fingerprint256 === below.fingerprint256) break;
    if (!new X509Certificate(below.raw).verify(new X509Certificate(issuer.raw).publicKey)) break;
    found.push(issuer.fingerprint256);
    below = issuer;
  }
  return found;
}
