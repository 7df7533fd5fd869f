import { Secret } from '@ringfence/bytes/secret.ts';
import { ha1 } from '@ringfence/sip/digest/ha1.ts';
import type { Device, DigestAlgorithm, Ha1Set, Route, Trunk, User } from '../objects/types.ts';

export const domain = 'example.test';

export function ha1Set(username: string, realm: string, password: string, md5 = false): Ha1Set {
  const algorithms: DigestAlgorithm[] = ['SHA-256', 'SHA-512-256'];
  if (md5) algorithms.push('MD5');
  return new Map(
    algorithms.map((algorithm) => [algorithm, new Secret(ha1(algorithm, username, realm, password))]),
  );
}

/** A device whose password is its name with `-secret`. */
export const device = (
  name: string,
  options: { encryption?: Device['encryption']; realm?: string; md5?: boolean } & Pick<
    Device,
    'keying' | 'ice' | 'zrtp' | 'zrtpEnrol' | 'pinned'
  > = {},
): Device => ({
  name,
  ...(options.keying === undefined ? {} : { keying: options.keying }),
  ...(options.ice === undefined ? {} : { ice: options.ice }),
  ...(options.zrtp === undefined ? {} : { zrtp: options.zrtp }),
  ...(options.zrtpEnrol === undefined ? {} : { zrtpEnrol: options.zrtpEnrol }),
  ...(options.pinned === undefined ? {} : { pinned: options.pinned }),
  encryption: options.encryption ?? 'preferred',
  ha1: ha1Set(name, options.realm ?? domain, `${name}-secret`, options.md5),
});

/** A user with one device of the same name unless said otherwise. */
export const user = (
  name: string,
  options: { realm?: string; number?: string; displayName?: string; devices?: Device[] } & Parameters<
    typeof device
  >[1] = {},
): User => ({
  domain: options.realm ?? domain,
  name,
  ...(options.displayName === undefined ? {} : { displayName: options.displayName }),
  ...(options.number === undefined ? {} : { number: options.number }),
  devices: options.devices ?? [device(name, options)],
});

export const trunk = (name: string, fields: Partial<Trunk> = {}): Trunk => ({
  domain,
  name,
  target: 'sip:192.0.2.10:5060',
  addresses: [],
  certificateNames: [],
  encryption: 'none',
  ...fields,
});

export const route = (match: string, to: Route['to'], fields: Partial<Route> = {}): Route => ({
  domain,
  name: match,
  priority: 100,
  match,
  from: 'users',
  to,
  ...fields,
});
