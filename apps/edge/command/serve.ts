import { resolve as resolvePath } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { ok, type Result } from '@ringfence/bytes/result.ts';
import { socketText } from '../call/services.ts';
import { ensureCertificates } from '../certificates/node-certificates.ts';
import { steadyClock } from '../clock.ts';
import type { LoadedConfiguration } from '../config/load.ts';
import { Daemon } from '../daemon.ts';
import { EventBus } from '../events/bus.ts';
import { EventLog } from '../events/log.ts';
import { banner } from './banner.ts';
import { exitCode } from './exit-code.ts';
import { loadElsewhere, takeInherited, takePlace } from './take-place.ts';
import { complain } from './terminal.ts';
import { ownVersion } from './version.ts';

/** How often certificates are looked at; they are renewed 30 days early. */
const certificateCheckMs = 6 * 3_600_000;

export interface ServeOptions {
  readonly home: string;
  readonly loaded: LoadedConfiguration;
  readonly configFile: string | undefined;
}

/** Runs the daemon until a signal ends it. */
export async function serve({ home, loaded, configFile }: ServeOptions): Promise<number> {
  const now = steadyClock();
  const version = ownVersion();
  const bus = new EventBus(now);
  const { format: wanted, level } = loaded.config.log;
  const format = wanted === 'auto' ? (process.stdout.isTTY ? 'text' : 'json') : wanted;
  const log = new EventLog(format, (lines) => process.stdout.write(lines));
  bus.subscribe(log.subscriber, level);
  process.once('exit', () => log.flush());
  const certificates = ensureCertificates({ home, config: loaded.config, now: Date.now });
  let current = loaded;
  let next: Result<LoadedConfiguration, { readonly text: string }> = ok(loaded);
  const daemon = await Daemon.start({
    home,
    loaded,
    version,
    certificates,
    bus,
    now,
    inherited: takeInherited(),
    reload: () => next,
    renewCertificates: async () => {
      certificates.renew(current.config);
    },
  });

  const reload = async (): Promise<void> => {
    next = await loadElsewhere(configFile);
    if (next.ok) current = next.value;
    await daemon.reload();
  };
  let asked = false;
  let reloading = false;
  /** One at a time; what is asked for meanwhile is done after it. */
  const onHangup = async (): Promise<void> => {
    asked = true;
    if (reloading) return;
    reloading = true;
    while (asked) {
      asked = false;
      await reload().catch((error: unknown) => bus.emit({ type: 'config.refused', detail: String(error) }));
    }
    reloading = false;
  };
  const certificateCheck = setInterval(() => {
    try {
      if (certificates.renew(current.config) !== undefined) void onHangup();
    } catch (error) {
      bus.emit({
        type: 'edge.error',
        where: 'certificates',
        detail: error instanceof Error ? error.message : String(error),
      });
    }
  }, certificateCheckMs);
  /** Which user has sent it, the system does not say. */
  const signalled = (command: string): void =>
    bus.emit({ type: 'administration.command', command, what: '{}', by: 'signal', refused: '' });
  process.on('SIGHUP', () => {
    signalled('reload');
    void onHangup();
  });
  let upgrading = false;
  process.on('SIGUSR2', () => {
    if (upgrading) return;
    upgrading = true;
    void takePlace({ daemon, home, configFile, bus, flush: () => log.flush() }).finally(() => {
      upgrading = false;
    });
  });

  const stopped = new Promise<void>((resolve) => {
    const onStop = (signal: NodeJS.Signals): void => {
      if (format === 'text')
        complain(`${signal}: no new calls; waiting for live ones. Once more stops at once.`);
      void daemon.stop(signal).then(resolve);
    };
    process.on('SIGTERM', onStop);
    process.on('SIGINT', onStop);
  });
  // Only now may somebody who waits for it send a signal.
  bus.emit({
    type: 'edge.ready',
    listeners: daemon.listeners.map(
      ({ name, transport, bound }) => `${name} ${transport} ${socketText(bound)}`,
    ),
    home,
    version,
  });
  // JSON lines on stdout stay JSON
  if (wanted !== 'json') {
    const text = banner({
      version,
      home,
      loaded,
      listeners: daemon.listeners,
      users: countUsers(home, loaded),
    });
    (format === 'text' ? process.stdout : process.stderr).write(`${text}\n`);
  }
  await stopped;
  clearInterval(certificateCheck);
  return exitCode.done;
}

function countUsers(home: string, loaded: LoadedConfiguration): number {
  const database = new DatabaseSync(resolvePath(home, loaded.config.store.file), { readOnly: true });
  try {
    return (database.prepare('SELECT count(*) AS users FROM users').get() as { users: number }).users;
  } finally {
    database.close();
  }
}
