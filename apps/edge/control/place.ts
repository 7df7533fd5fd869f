import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';

/** In the data folder: where the running edge takes commands. */
export const controlSocket = 'control.sock';

/** `sun_path` of Linux, without its closing zero. */
const longest = 107;

/** A name of the socket that the system takes. */
export interface SocketName {
  readonly path: string;
  /** Once the name is not needed any more: for a server when it has closed. */
  done(): void;
}

/**
 * The socket of a data folder; one whose path is longer than an address may be is named by way of a descriptor.
 *
 * Throws as `open` does where the folder is not there.
 */
export function socketName(home: string): SocketName {
  const path = join(home, controlSocket);
  if (Buffer.byteLength(path) <= longest) return { path, done: () => undefined };
  const folder = openSync(home, 'r');
  return { path: `/proc/self/fd/${folder}/${controlSocket}`, done: () => closeSync(folder) };
}
