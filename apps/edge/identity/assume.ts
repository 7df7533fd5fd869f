import { MisuseError } from '@ringfence/bytes/misuse.ts';
import type { Principal } from '../policy/types.ts';
import type { DomainDirectory } from '../routing/directory.ts';

/**
 * Somebody as if they had proven who they are: for the tester alone, which places no calls.
 *
 * `from` is a user or a trunk of the domain, `user:NAME` or `trunk:NAME` where both have the name; without it, the
 * first user. Throws `MisuseError` where there is nobody of that name.
 */
export function assume(directory: DomainDirectory, from: string | undefined): Principal {
  const [kind, name] = split(from);
  const user =
    name === undefined ? directory.users.values().next().value : directory.users.get(name.toLowerCase());
  if (user !== undefined && kind !== 'trunk') {
    const device = user.devices[0];
    return {
      kind: 'device',
      domain: directory.name,
      user: user.name,
      device: device?.name ?? user.name,
      encryption: device?.encryption ?? 'required',
      proof: 'digest',
    };
  }
  const trunk = name === undefined ? undefined : directory.trunks.get(name);
  if (trunk === undefined || kind === 'user')
    throw new MisuseError(
      'unknown-caller',
      name === undefined
        ? `domain ${directory.name} has no users; name a trunk with --from`
        : `there is no ${kind ?? 'user or trunk'} \`${name}\` in domain ${directory.name}`,
    );
  return {
    kind: 'trunk',
    domain: directory.name,
    trunk: trunk.name,
    encryption: trunk.encryption,
    proof: 'address',
  };
}

function split(
  from: string | undefined,
): readonly [kind: 'user' | 'trunk' | undefined, name: string | undefined] {
  if (from === undefined) return [undefined, undefined];
  for (const kind of ['user', 'trunk'] as const)
    if (from.startsWith(`${kind}:`)) return [kind, from.slice(kind.length + 1)];
  return [undefined, from];
}
