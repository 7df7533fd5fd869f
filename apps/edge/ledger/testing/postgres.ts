import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const debian = '/usr/lib/postgresql';
/** Debian's `nobody`: PostgreSQL does not run as root. */
const nobody = 65_534;

/** Folder of the programs of the newest PostgreSQL installed as Debian does; undefined where there is none. */
export function postgresFolder(): string | undefined {
  if (!existsSync(debian)) return undefined;
  return readdirSync(debian)
    .filter(
      (name) =>
        existsSync(join(debian, name, 'bin/initdb')) && existsSync(join(debian, name, 'bin/postgres')),
    )
    .sort((a, b) => Number(b) - Number(a))
    .map((name) => join(debian, name, 'bin'))[0];
}

export interface Postgres {
  /** Of a database of its own for each schema that a test names. */
  readonly url: string;
  /** Ends it at once, as a crash does. */
  kill(): Promise<void>;
  start(): Promise<void>;
  stop(): Promise<void>;
}

/** A server of its own in a temporary folder, on a UNIX socket alone. */
export async function startPostgres(bin: string): Promise<Postgres> {
  const folder = mkdtempSync(join(tmpdir(), 'ringfence-pg-'));
  const root = process.getuid?.() === 0;
  if (root) chownSync(folder, nobody, nobody);
  const as = root ? { uid: nobody, gid: nobody } : {};
  const env = { ...process.env, LC_ALL: 'C' };
  const data = join(folder, 'data');
  execFileSync(
    join(bin, 'initdb'),
    ['-D', data, '-U', 'ringfence', '--auth=trust', '--encoding=UTF8', '--no-sync'],
    { ...as, env, cwd: folder, stdio: 'pipe' },
  );
  let child: ChildProcess | undefined;
  const start = async (): Promise<void> => {
    child = spawn(
      join(bin, 'postgres'),
      [
        '-D',
        data,
        '-k',
        folder,
        '-c',
        'listen_addresses=',
        '-c',
        'shared_buffers=16MB',
        '-c',
        'max_connections=10',
      ],
      { ...as, env, cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] },
    );
    await ready(child);
  };
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    const running = child;
    child = undefined;
    if (running === undefined || running.exitCode !== null) return;
    const gone = new Promise((resolve) => running.once('exit', resolve));
    running.kill(signal);
    await gone;
  };
  await start();
  return {
    url: `postgresql://ringfence@/postgres?host=${encodeURIComponent(folder)}`,
    start,
    // SIGQUIT: immediate shutdown, recovery at the next start
    kill: () => end('SIGQUIT'),
    stop: async () => {
      await end('SIGINT');
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

const ready = (child: ChildProcess): Promise<void> =>
  new Promise((resolve, reject) => {
    let said = '';
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      said += text;
      if (said.includes('ready to accept connections')) resolve();
    });
    child.once('exit', () => reject(new Error(`postgres ended: ${said}`)));
  });
