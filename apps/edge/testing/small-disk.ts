import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Why no disk of a few megabytes can be made here; false where one can. */
export const noSmallDisk: string | false =
  process.platform === 'linux' &&
  spawnSync('unshare', ['-m', 'mount', '-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', '/mnt'], { stdio: 'ignore' })
    .status === 0
    ? false
    : 'no small disk can be mounted here (root and unshare are needed)';

/**
 * Runs a program with a folder that is a disk of so many megabytes, in a mount namespace of its own, and another that
 * is none; they are its first arguments. Gives the JSON that it writes to standard output.
 */
export async function onSmallDisk(
  program: string,
  megabytes: number,
  ...more: readonly string[]
): Promise<Record<string, unknown>> {
  const folder = mkdtempSync(join(tmpdir(), 'ringfence-full-'));
  const disk = mkdtempSync(join(folder, 'disk-'));
  const script = 'mount -t tmpfs -o size="$1" tmpfs "$2" && shift 2 && exec "$0" "$@"';
  const child = spawn(
    'unshare',
    // behind the script its $0, $1 and $2; the rest is the program's
    ['-m', 'sh', '-c', script, process.execPath, `${megabytes}m`, disk]
      .concat('--disable-warning=ExperimentalWarning', program, disk, folder)
      .concat(more),
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  try {
    const [code] = (await once(child, 'close')) as [number | null];
    if (code !== 0) throw new Error(`${program} ended with ${code}: ${output.slice(-500)}`);
    return JSON.parse(output) as Record<string, unknown>;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
