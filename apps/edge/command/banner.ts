import type { LoadedConfiguration } from '../config/load.ts';
import type { ListenerState } from '../transport/contract.ts';
import { ownCommand } from './own-command.ts';

export interface BannerFacts {
  readonly version: string;
  readonly home: string;
  readonly loaded: LoadedConfiguration;
  readonly listeners: readonly ListenerState[];
  readonly users: number;
}

/** What a person sees once the edge is up: where it listens, and what to type next. */
export function banner({ version, home, loaded, listeners, users }: BannerFacts): string {
  const names = Math.max(...listeners.map(({ name }) => name.length));
  const rows = listeners.map(({ name, transport, bound }) => {
    const address = bound.address.includes(':') ? `[${bound.address}]` : bound.address;
    const encryption = loaded.config.listeners.find((l) => l.name === name)?.encryption ?? '';
    return `  ${name.padEnd(names)}  ${transport.padEnd(4)} ${`${address}:${bound.port}`.padEnd(24)} encryption ${encryption}`;
  });
  const next =
    users === 0
      ? [
          `No users yet. In another terminal, add one and see its phone settings:`,
          `  ${ownCommand('user add alice')}`,
        ]
      : [`${users} ${users === 1 ? 'user' : 'users'}. In another terminal:`, `  ${ownCommand('user list')}`];
  return [
    '',
    `Ringfence ${version} is up. Domain ${loaded.config.domain}, configuration ${loaded.file ?? 'embedded defaults'}, data ${home}`,
    ...rows,
    ...loaded.warnings.map(({ key, meaning }) => `  dangerous: ${key}: ${meaning}`),
    '',
    ...next,
    'Ctrl-C stops it after live calls have ended.',
    '',
  ].join('\n');
}
