import { readFileSync } from 'node:fs';
import { MisuseError } from '@ringfence/bytes/misuse.ts';

/** User and group number of an account in /etc/passwd. */
export function findAccount(passwd: string, user: string): { uid: number; gid: number } | undefined {
  for (const line of passwd.split('\n')) {
    const [name, , uid, gid] = line.split(':');
    if (name === user && uid && gid) return { uid: Number(uid), gid: Number(gid) };
  }
  return undefined;
}

/**
 * Gives up root for `user`, for good. Does nothing where the process is not root.
 *
 * Throws MisuseError `no-such-user`, or `still-root` should the kernel have let us keep anything.
 */
export function dropPrivileges(user: string): void {
  if (process.getuid?.() !== 0) return;
  const account = findAccount(readFileSync('/etc/passwd', 'latin1'), user);
  if (!account)
    throw new MisuseError(
      'no-such-user',
      `the media process shall run as ${user}, whom /etc/passwd does not have`,
    );
  process.setgroups?.([]);
  process.setgid?.(account.gid);
  process.setuid?.(account.uid);
  if (process.getuid?.() === 0 || process.geteuid?.() === 0 || process.getgid?.() === 0) {
    throw new MisuseError('still-root', `the media process could not become ${user}`);
  }
}
