import { ipv6Groups } from '../message/host.ts';

/** True for an IPv4 address in dotted form with four decimal parts. */
function isIpv4(host: string): boolean {
  const parts = host.split('.');
  if (parts.length !== 4) return false;
  for (const part of parts) {
    if (part.length === 0 || part.length > 3) return false;
    for (let i = 0; i < part.length; i++)
      if (part.charCodeAt(i) < 0x30 || part.charCodeAt(i) > 0x39) return false;
    if (Number(part) > 255) return false;
  }
  return true;
}

/** Family of a numeric host (IPv6 without brackets), undefined for a name (RFC 3263 §4.1). */
export function addressFamily(host: string): 4 | 6 | undefined {
  if (isIpv4(host)) return 4;
  return host.includes(':') && ipv6Groups(host) !== undefined ? 6 : undefined;
}
