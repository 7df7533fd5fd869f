import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { err, ok, type Result } from '@ringfence/bytes/result.ts';
import { native } from '@ringfence/relay/native.ts';
import type { LoadedConfiguration } from '../config/load.ts';
import type { Daemon } from '../daemon.ts';
import type { EventBus } from '../events/bus.ts';
import type { HandedListener } from '../transport/contract.ts';
import { compileCacheFolder } from './compile-cache.ts';
import { handover, handoverBytes } from './handover.ts';

const loadSeconds = 30;
/** Listening sockets on their way through `execve`: names, places and descriptor numbers. */
const inheritedVariable = 'RINGFENCE_INHERITED';

/** What the program before has left open for this one. */
export function takeInherited(): readonly HandedListener[] {
  const given = process.env[inheritedVariable];
  delete process.env[inheritedVariable];
  return given === undefined ? [] : (JSON.parse(given) as readonly HandedListener[]);
}

export interface TakePlace {
  readonly daemon: Daemon;
  readonly home: string;
  readonly configFile: string | undefined;
  readonly bus: EventBus;
  /** Writes out what the log still holds. */
  flush(): void;
}

/**
 * Has the program on disk take this one's place (execve: same pid, same terminal, same service), with all calls and
 * listening sockets.
 *
 * The new program has read the configuration before, in a process of its own: where it refuses it, or does not run at
 * all, nothing happens. It does not come back where that succeeds.
 */
export async function takePlace({ daemon, home, configFile, bus, flush }: TakePlace): Promise<void> {
  const refuse = (detail: string): void => bus.emit({ type: 'config.refused', detail: `upgrade: ${detail}` });
  if (process.execve === undefined) return refuse('this system cannot replace a program in place');
  const cache = compileCacheFolder(home);
  const loaded = await loadElsewhere(configFile, cache);
  if (!loaded.ok) return refuse(loaded.error.text);
  const json = JSON.stringify(loaded.value);
  if (json.length >= handoverBytes) return refuse('the configuration is too large; stop and start instead');
  const listeners = await daemon.handOver();
  for (const { descriptor } of listeners) native().inherit(descriptor);
  flush();
  // The flags of this start are those of the next.
  process.execve(process.execPath, [process.execPath, ...process.execArgv, ...process.argv.slice(1)], {
    ...process.env,
    ...(cache === undefined ? {} : { NODE_COMPILE_CACHE: cache }),
    [handover]: json,
    [inheritedVariable]: JSON.stringify(listeners),
  });
}

/**
 * Reads the configuration with the program on disk, in a process of its own: reading YAML takes long enough to be
 * heard in a call. With `cache` it compiles the daemon there too, so that its next start is short.
 */
export function loadElsewhere(
  configFile: string | undefined,
  cache?: string,
): Promise<Result<LoadedConfiguration, { readonly text: string }>> {
  const program = fileURLToPath(new URL('./load-elsewhere.ts', import.meta.url));
  const env = { ...process.env, ...(cache === undefined ? {} : { NODE_COMPILE_CACHE: cache }) };
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [
        '--disable-warning=ExperimentalWarning',
        program,
        configFile ?? '',
        ...(cache === undefined ? [] : ['compile']),
      ],
      { timeout: loadSeconds * 1000, maxBuffer: 4 * 1024 * 1024, env },
      (error, stdout, stderr) => {
        if (error === null) resolve(ok(JSON.parse(stdout) as LoadedConfiguration));
        else resolve(err({ text: stderr.trim() || error.message }));
      },
    );
  });
}
