import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  createPrivateKey,
  createPublicKey,
  createSecretKey,
  generateKeyPairSync,
  hkdfSync,
  type KeyObject,
  randomBytes,
  X509Certificate,
} from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { writeWhole } from '../certificates/files.ts';
import type { PersonKey } from './backend.ts';
import { LedgerError } from './ledger-error.ts';

const signingFile = 'ledger-signing.key';
/** Beside the database, for everybody who wants to verify: it is no secret. */
export const publicKeyFile = 'ledger-public.pem';

/** The key that heads are signed with: Ed25519, made with the first entry, readable by its owner alone. */
export function openSigningKey(home: string): KeyObject {
  const file = join(home, 'keys', signingFile);
  if (!existsSync(file)) {
    mkdirSync(join(home, 'keys'), { recursive: true, mode: 0o700 });
    const { privateKey, publicKey } = generateKeyPairSync('ed25519');
    writeWhole(file, privateKey.export({ type: 'pkcs8', format: 'pem' }) as string, 0o600);
    writeWhole(join(home, publicKeyFile), publicKey.export({ type: 'spki', format: 'pem' }) as string, 0o600);
    return privateKey;
  }
  const { mode } = statSync(file);
  if ((mode & 0o077) !== 0)
    throw new LedgerError(
      'ledger-key',
      `${file} may be read by other users (mode ${(mode & 0o777).toString(8)}); run \`chmod 600 ${file}\``,
    );
  try {
    const key = createPrivateKey(readFileSync(file));
    if (key.asymmetricKeyType !== 'ed25519') throw new Error('no Ed25519');
    if (!existsSync(join(home, publicKeyFile)))
      writeWhole(
        join(home, publicKeyFile),
        createPublicKey(key).export({ type: 'spki', format: 'pem' }) as string,
        0o600,
      );
    return key;
  } catch {
    throw new LedgerError('ledger-key', `${file} holds no Ed25519 key; restore it from a backup`);
  }
}

export function readPublicKey(file: string): KeyObject {
  try {
    const key = createPublicKey(readFileSync(file));
    if (key.asymmetricKeyType !== 'ed25519') throw new Error('no Ed25519');
    return key;
  } catch {
    throw new LedgerError(
      'ledger-key',
      `${file} holds no Ed25519 public key; \`${publicKeyFile}\` in the data folder of the edge is the right file`,
    );
  }
}

/** All certificates of a PEM file. */
export function readCertificates(file: string): X509Certificate[] {
  try {
    const found = readFileSync(file, 'latin1').match(
      /-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----/g,
    );
    if (found === null) throw new Error('none');
    return found.map((pem) => new X509Certificate(pem));
  } catch {
    throw new LedgerError('ledger-key', `${file} holds no certificates in PEM; name a file that does`);
  }
}

const nonceLength = 12;

/**
 * Makes, seals and opens the keys of persons, under a key that is derived from the store's. All of them are
 * `KeyObject`s: these print nothing, and a cipher takes them four times as fast as octets.
 */
export class PersonKeys {
  readonly #wrapping: KeyObject;
  readonly #naming: KeyObject;

  constructor(storeKey: Uint8Array) {
    this.#wrapping = derived(storeKey, 'ringfence ledger keys of persons');
    this.#naming = derived(storeKey, 'ringfence ledger names of persons');
  }

  /** Of `keys/store.key` in the data folder. */
  static of(home: string): PersonKeys {
    const file = join(home, 'keys', 'store.key');
    try {
      return new PersonKeys(Buffer.from(readFileSync(file, 'latin1').trim(), 'hex'));
    } catch {
      throw new LedgerError('ledger-key', `there is no key file ${file}; run \`ringfence up\` once`);
    }
  }

  nameOf(tenant: string, person: string): Uint8Array {
    return createHmac('sha256', this.#naming).update(`${tenant}\0${person.toLowerCase()}`).digest();
  }

  make(tenant: string, name: Uint8Array): { stored: PersonKey; key: KeyObject } {
    const id = randomBytes(16);
    const key = randomBytes(32);
    const nonce = randomBytes(nonceLength);
    const cipher = createCipheriv('aes-256-gcm', this.#wrapping, nonce);
    cipher.setAAD(id);
    const sealed = Buffer.concat([nonce, cipher.update(key), cipher.final(), cipher.getAuthTag()]);
    const made = createSecretKey(key);
    key.fill(0);
    return { stored: { id, tenant, name, sealed }, key: made };
  }

  /** Undefined where it was sealed by another node's key, or changed. */
  open({ id, sealed }: PersonKey): KeyObject | undefined {
    try {
      const bytes = Buffer.from(sealed);
      const decipher = createDecipheriv('aes-256-gcm', this.#wrapping, bytes.subarray(0, nonceLength), {
        authTagLength: 16,
      });
      decipher.setAAD(id);
      decipher.setAuthTag(bytes.subarray(bytes.length - 16));
      const key = decipher.update(bytes.subarray(nonceLength, bytes.length - 16));
      decipher.final();
      const opened = createSecretKey(key);
      key.fill(0);
      return opened;
    } catch {
      return undefined;
    }
  }
}

const derived = (key: Uint8Array, purpose: string): KeyObject =>
  createSecretKey(new Uint8Array(hkdfSync('sha256', key, new Uint8Array(0), purpose, 32)));
