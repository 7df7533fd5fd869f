import { closeSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';

/** Fills the disk to its last octet. Gives what makes room again. */
export function fillDisk(folder: string): () => void {
  const file = join(folder, 'filler');
  const descriptor = openSync(file, 'w');
  for (let size = 1 << 20; size >= 1; ) {
    try {
      // what could only be written in part is written on in smaller pieces
      if (writeSync(descriptor, Buffer.alloc(size, 1)) < size) size >>= 1;
    } catch {
      size >>= 1;
    }
  }
  closeSync(descriptor);
  return () => rmSync(file);
}
