import type { Listener } from '../config/schema.ts';
import { findPortHolder, type PortHolder } from './port-holder.ts';
import { sentBy } from './sent-by.ts';

/** Why a listener could not be opened, in words that say what to do. */
export interface ListenProblem {
  readonly listener: string;
  readonly transport: Listener['transport'];
  readonly address: string;
  readonly port: number;
  /** The system's code: `EADDRINUSE`, `EACCES`, `EADDRNOTAVAIL`, ...; `tls-material` for keys and certificates. */
  readonly code: string;
  /** Who holds the port, where that could be seen. */
  readonly holder?: PortHolder;
  /** The setting that changes it, e.g. `listeners[2].port`. */
  readonly setting: string;
  readonly text: string;
}

export const describeListenProblem = (listener: Listener, index: number, error: unknown): ListenProblem => {
  const code = errorCode(error);
  const kind = listener.transport === 'udp' ? 'udp' : 'tcp';
  const where = `${listener.transport} ${sentBy(listener.address, listener.port)}`;
  const holder = code === 'EADDRINUSE' ? findPortHolder(kind, listener.address, listener.port) : undefined;
  const setting = `listeners[${index}].${code === 'EADDRNOTAVAIL' || code === 'EINVAL' ? 'address' : 'port'}`;
  const why = ((): string => {
    switch (code) {
      case 'EADDRINUSE':
        return holder === undefined
          ? 'is taken by a process that cannot be seen from here'
          : `is taken by ${holder.command} (pid ${holder.pid})`;
      case 'EACCES':
        return 'may not be opened by this user (ports below 1024 need the right to)';
      case 'EADDRNOTAVAIL':
        return 'has an address that this machine does not have';
      default:
        return `cannot be opened: ${error instanceof Error ? error.message : String(error)}`;
    }
  })();
  return {
    listener: listener.name,
    transport: listener.transport,
    address: listener.address,
    port: listener.port,
    code,
    ...(holder === undefined ? {} : { holder }),
    setting,
    text: `Listener "${listener.name}": ${where} ${why}. Change ${setting} in ringfence.yaml.`,
  };
};

const errorCode = (error: unknown): string =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : 'unknown';
