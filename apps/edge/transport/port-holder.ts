import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { addressWords } from './local-address.ts';

export interface PortHolder {
  readonly pid: number;
  /** Name of the program, from /proc/PID/comm. */
  readonly command: string;
}

/**
 * Which process holds a local port, told from Linux' /proc; undefined where that cannot be seen (another user's
 * process without privilege, another network namespace, another system).
 */
export const findPortHolder = (
  kind: 'udp' | 'tcp',
  address: string,
  port: number,
): PortHolder | undefined => {
  const inodes = new Set<string>();
  const wanted = addressWords(address);
  for (const [table, words] of [
    [kind, 2],
    [`${kind}6`, 8],
  ] as const) {
    for (const line of read(`/proc/net/${table}`).split('\n').slice(1)) {
      const fields = line.trim().split(/\s+/);
      const [host = '', hexPort = ''] = (fields[1] ?? '').split(':');
      if (Number.parseInt(hexPort, 16) !== port) continue;
      // Of TCP sockets only those that listen (state 0A) hold the port against us.
      if (kind === 'tcp' && fields[3] !== '0A') continue;
      const held = fromProc(host);
      const any = held.every((w) => w === 0) || wanted.every((w) => w === 0);
      if (any || (wanted.length === words && held.every((w, i) => w === wanted[i])))
        inodes.add(fields[9] ?? '');
    }
  }
  inodes.delete('');
  return inodes.size === 0 ? undefined : findByInode(inodes);
};

/** /proc/net prints addresses as 32-bit words in the byte order of the machine, which is little-endian here. */
const fromProc = (hex: string): number[] => {
  const words: number[] = [];
  for (let i = 0; i + 8 <= hex.length; i += 8) {
    const byte = (n: number): number => Number.parseInt(hex.slice(i + 2 * n, i + 2 * n + 2), 16);
    words.push((byte(3) << 8) | byte(2), (byte(1) << 8) | byte(0));
  }
  return words;
};

const findByInode = (inodes: ReadonlySet<string>): PortHolder | undefined => {
  for (const pid of list('/proc')) {
    if (!/^\d+$/.test(pid)) continue;
    for (const fd of list(`/proc/${pid}/fd`)) {
      const target = link(`/proc/${pid}/fd/${fd}`);
      if (!target.startsWith('socket:[') || !inodes.has(target.slice(8, -1))) continue;
      return { pid: Number(pid), command: read(`/proc/${pid}/comm`).trim() };
    }
  }
  return undefined;
};

const list = (path: string): string[] => {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
};

const read = (path: string): string => {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
};

const link = (path: string): string => {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
};
