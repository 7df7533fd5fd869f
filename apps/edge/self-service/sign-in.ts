import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { ha1 } from '@ringfence/sip/digest/ha1.ts';
import type { Directory, DomainDirectory } from '../routing/directory.ts';

/** SHA-256 is kept of every password. */
const algorithm = 'SHA-256';
const nobody = randomBytes(32);

export interface SignedIn {
  readonly domain: string;
  readonly user: string;
  readonly device: string;
  /** Changes with the password. */
  readonly password: string;
}

/** What is typed: `alice`, or `alice@other.example`. Whatever names no domain of ours means the default. */
export function accountNamed(
  typed: string,
  directory: Directory,
  defaultDomain: string,
): { readonly domain: DomainDirectory; readonly device: string } {
  const at = typed.lastIndexOf('@');
  const named = at < 0 ? undefined : directory.domain(typed.slice(at + 1));
  const domain = named ?? (directory.domain(defaultDomain) as DomainDirectory);
  return { domain, device: at < 0 ? typed : typed.slice(0, at) };
}

/**
 * Holds a password against the HA1 that is kept of a device.
 *
 * Costs one hash and one comparison whoever is named: unknown devices, revoked passwords and domains of a PBX, which
 * keeps its passwords to itself, are compared with nobody's.
 */
export function signIn(domain: DomainDirectory, device: string, password: string): SignedIn | undefined {
  const kept = ha1For(domain, device);
  const given = ha1(algorithm, device, domain.name, password);
  const same = timingSafeEqual(given, kept ?? nobody);
  const entry = domain.devices.get(device);
  if (!same || kept === undefined || entry === undefined) return undefined;
  return { domain: domain.name, user: entry.user.name.toLowerCase(), device, password: markOf(kept) };
}

/** The password is still the one that let him in, and the device is still that user's. */
export function standsFor(directory: Directory, { domain, user, device, password }: SignedIn): boolean {
  const of = directory.domain(domain);
  if (of?.devices.get(device)?.user.name.toLowerCase() !== user) return false;
  const kept = ha1For(of, device);
  return kept !== undefined && markOf(kept) === password;
}

function ha1For(domain: DomainDirectory, name: string): Uint8Array | undefined {
  const device = domain.pbx === undefined ? domain.devices.get(name)?.device : undefined;
  if (device === undefined || domain.restraints?.revoked(domain.name, device) === true) return undefined;
  return device.ha1.get(algorithm)?.reveal();
}

const markOf = (kept: Uint8Array): string => createHash('sha256').update(kept).digest('base64url');
