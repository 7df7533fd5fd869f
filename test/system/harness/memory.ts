/** Looks into the memory of another process, as somebody would who has taken the machine. */
import { closeSync, openSync, readFileSync, readSync } from 'node:fs';

export const canReadMemory = (): boolean => process.platform === 'linux' && process.geteuid?.() === 0;

const most = 64 * 1024 * 1024;

/** Which of the patterns stand anywhere in the readable memory of the process. */
export function findInMemory(pid: number, patterns: readonly Buffer[]): boolean[] {
  const found = patterns.map(() => false);
  const maps = readFileSync(`/proc/${pid}/maps`, 'utf8').split('\n');
  const memory = openSync(`/proc/${pid}/mem`, 'r');
  try {
    for (const row of maps) {
      const match = /^([0-9a-f]+)-([0-9a-f]+) r/.exec(row);
      if (match === null || row.endsWith('[vvar]') || row.endsWith('[vsyscall]')) continue;
      const from = Number.parseInt(match[1] ?? '0', 16);
      const length = Number.parseInt(match[2] ?? '0', 16) - from;
      // Files mapped read-only are programs, not data.
      if (length > most || / r-[-x]p .*\//.test(row)) continue;
      const bytes = readRegion(memory, from, length);
      for (const [i, pattern] of patterns.entries())
        if (!found[i] && bytes.indexOf(pattern) >= 0) found[i] = true;
    }
  } finally {
    closeSync(memory);
  }
  return found;
}

function readRegion(memory: number, from: number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  try {
    return bytes.subarray(0, readSync(memory, bytes, 0, length, from));
  } catch {
    return Buffer.alloc(0);
  }
}
