/** Which version of a program is installed here. */
import { spawnSync } from 'node:child_process';
import { tmpdir } from 'node:os';

/** Null only where there is no such program; one that does not say its version is `unknown`, and is used. */
export function installedVersion(command: string, args: readonly string[], pattern: RegExp): string | null {
  const { stdout, stderr, error } = spawnSync(command, args, {
    encoding: 'utf8',
    timeout: 10_000,
    // Some write to their home as soon as they run.
    env: { ...process.env, HOME: tmpdir() },
  });
  if (error && 'code' in error && error.code === 'ENOENT') return null;
  return pattern.exec(`${stdout ?? ''}${stderr ?? ''}`)?.[1] ?? 'unknown';
}
