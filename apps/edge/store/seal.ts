import { createCipheriv, createDecipheriv, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import {
  chmodSync,
  closeSync,
  fstatSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { Secret } from '@ringfence/bytes/secret.ts';
import { StoreError } from './store-error.ts';

const formatVersion = 1;
const nonceLength = 12;
const tagLength = 16;

/** The row that a secret belongs to; authenticated with it, so that it opens in no other row. */
export interface SecretPlace {
  readonly kind: 'device' | 'trunk-in' | 'trunk-out' | 'zrtp' | 'factor';
  readonly domain: string;
  readonly name: string;
  readonly algorithm: string;
}

/**
 * Seals secrets with AES-256-GCM under a key that never enters the database.
 *
 * Layout: version, 96-bit random nonce, ciphertext, 128-bit tag. A key seals far fewer than the 2^32 messages that
 * random nonces allow (NIST SP 800-38D §8.3).
 */
export class Sealer {
  readonly #key: Secret;

  constructor(key: Secret) {
    this.#key = key;
  }

  seal(place: SecretPlace, plaintext: Uint8Array): Uint8Array {
    const nonce = randomBytes(nonceLength);
    const cipher = createCipheriv('aes-256-gcm', this.#key.reveal(), nonce);
    cipher.setAAD(associated(place));
    const body = Buffer.concat([cipher.update(plaintext), cipher.final()]);
    return Buffer.concat([Uint8Array.of(formatVersion), nonce, body, cipher.getAuthTag()]);
  }

  /** Throws `StoreError` where the sealed bytes were changed or moved, or the key is another. */
  open(place: SecretPlace, sealed: Uint8Array): Uint8Array {
    const where = `${place.kind} ${place.name} of ${place.domain}`;
    if (sealed[0] !== formatVersion || sealed.length < 1 + nonceLength + tagLength) {
      throw new StoreError(
        'store-damaged',
        `the ${place.algorithm} secret of ${where} is damaged; set its password anew`,
      );
    }
    const decipher = createDecipheriv(
      'aes-256-gcm',
      this.#key.reveal(),
      sealed.subarray(1, 1 + nonceLength),
      { authTagLength: tagLength },
    );
    decipher.setAAD(associated(place));
    decipher.setAuthTag(sealed.subarray(sealed.length - tagLength));
    try {
      return Buffer.concat([
        decipher.update(sealed.subarray(1 + nonceLength, sealed.length - tagLength)),
        decipher.final(),
      ]);
    } catch {
      throw new StoreError(
        'store-damaged',
        `the ${place.algorithm} secret of ${where} was changed or moved from another row; set its password anew`,
      );
    }
  }

  /** Tells whether two keys are the same without giving either away. */
  fingerprint(): Uint8Array {
    return createHmac('sha256', this.#key.reveal()).update('ringfence store key').digest();
  }

  wipe(): void {
    this.#key.wipe();
  }
}

// names cannot contain NUL, so the join is unambiguous
const associated = (p: SecretPlace): Uint8Array =>
  Buffer.from(`secrets\0${p.kind}\0${p.domain}\0${p.name}\0${p.algorithm}`, 'utf8');

/**
 * Reads the key file, creating it (mode 0600, 32 random bytes as hex) where the database holds no secret yet.
 *
 * Refuses a file that others may read, a key that is missing or is not the one the database was sealed with.
 */
export function openSealer(database: DatabaseSync, keyFile: string, create: boolean): Sealer {
  const known = database.prepare("SELECT value FROM meta WHERE key = 'store_key'").get() as
    | { value: Uint8Array }
    | undefined;
  let bytes = readKey(keyFile);
  if (bytes === undefined) {
    if (known !== undefined) {
      throw new StoreError(
        'store-key-missing',
        `the passwords in the database are sealed under ${keyFile}, which is missing; restore it from a backup`,
      );
    }
    if (!create)
      throw new StoreError(
        'store-key-missing',
        `there is no key file ${keyFile}; run \`ringfence up\` once, or check RINGFENCE_HOME`,
      );
    writeNewFile(keyFile, `${randomBytes(32).toString('hex')}\n`);
    bytes = readKey(keyFile)!;
  }
  const sealer = new Sealer(new Secret(bytes));
  const mark = sealer.fingerprint();
  if (known === undefined) {
    database.prepare("INSERT INTO meta VALUES ('store_key', ?) ON CONFLICT DO NOTHING").run(mark);
    const { value } = database.prepare("SELECT value FROM meta WHERE key = 'store_key'").get() as {
      value: Uint8Array;
    };
    if (timingSafeEqual(value, mark)) return sealer;
  } else if (timingSafeEqual(known.value, mark)) return sealer;
  throw new StoreError(
    'store-key-wrong',
    `${keyFile} is not the key that this database was sealed with; restore the key that belongs to it`,
  );
}

function readKey(file: string): Uint8Array | undefined {
  let descriptor: number;
  try {
    descriptor = openSync(file, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new StoreError(
      'store-key-missing',
      `${file} cannot be read (${(error as NodeJS.ErrnoException).code}); check its owner`,
    );
  }
  try {
    const { mode } = fstatSync(descriptor);
    if ((mode & 0o077) !== 0) {
      throw new StoreError(
        'store-key-exposed',
        `${file} may be read by other users (mode ${(mode & 0o777).toString(8)}); run \`chmod 600 ${file}\`, and change all passwords if others could log in`,
      );
    }
    const text = readFileSync(descriptor, 'latin1').trim();
    if (!/^[0-9a-f]{64}$/.test(text)) {
      throw new StoreError(
        'store-key-wrong',
        `${file} does not hold a key (64 hexadecimal digits); restore it from a backup`,
      );
    }
    return Buffer.from(text, 'hex');
  } finally {
    closeSync(descriptor);
  }
}

/** Complete or not there at all, never over another's; of two processes starting at once, one wins. */
function writeNewFile(file: string, text: string): void {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  const draft = `${file}.${process.pid}.${randomBytes(4).toString('hex')}`;
  const descriptor = openSync(draft, 'wx', 0o600);
  try {
    chmodSync(draft, 0o600);
    writeSync(descriptor, text);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
  try {
    linkSync(draft, file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    unlinkSync(draft);
  }
}
