import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  statSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { CertificateError } from './certificate-error.ts';

/** Whole or not at all: written beside, synced, renamed. */
export function writeWhole(file: string, text: string, mode: number): void {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  const draft = `${file}.${process.pid}.${randomBytes(4).toString('hex')}`;
  const descriptor = openSync(draft, 'wx', mode);
  try {
    // the umask may have taken away what others need to read a certificate
    chmodSync(draft, mode);
    writeSync(descriptor, text);
    fsyncSync(descriptor);
    closeSync(descriptor);
    renameSync(draft, file);
  } catch (error) {
    unlinkSync(draft);
    throw error;
  }
}

export function readIfThere(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return undefined;
    throw new CertificateError(
      'certificate-unreadable',
      `${file} cannot be read (${code}); check its owner and mode`,
    );
  }
}

/** Reads a private key, which nobody else may be able to. */
export function readKeyIfThere(file: string): string | undefined {
  const text = readIfThere(file);
  if (text !== undefined && (statSync(file).mode & 0o077) !== 0) {
    throw new CertificateError(
      'certificate-key-exposed',
      `${file} may be read by other users; run \`chmod 600 ${file}\`, and issue it anew if others could log in`,
    );
  }
  return text;
}
