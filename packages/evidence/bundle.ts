import { createPublicKey, hash, type KeyObject, sign, verify } from 'node:crypto';
import { type Damage, mostDamages } from './damage.ts';
import { decodeManifest, encodeManifest, type Manifest, sha256Hex, signedOctets } from './manifest.ts';
import { readTar, writeTar } from './tar.ts';

/** A part as it is put in; its name is one of lower case letters, digits and `-` with a short extension. */
export interface Part {
  readonly name: string;
  readonly what: string;
  readonly bytes: Uint8Array;
}

export const manifestName = 'manifest.json';
export const signatureName = 'manifest.sig';
export const keyName = 'public-key.pem';

/** SHA-256 of the public key, by which people compare it; sixteen groups of four digits. */
export const keyId = (key: KeyObject): string =>
  (
    hash(
      'sha256',
      (key.type === 'private' ? createPublicKey(key) : key).export({ type: 'spki', format: 'der' }),
      'hex',
    ).match(/.{4}/g) ?? []
  ).join(' ');

export interface MadeBundle {
  readonly bytes: Uint8Array;
  readonly manifest: Manifest;
  /** SHA-256 of the manifest, hexadecimal: what a bundle is known by. */
  readonly id: string;
}

/** One file: manifest, signature (Ed25519, 64 octets), public key, parts in their order. The same input gives the same octets. */
export function makeBundle(
  about: Omit<Manifest, 'parts' | 'key'>,
  given: readonly Part[],
  key: KeyObject,
): MadeBundle {
  const pem = createPublicKey(key).export({ type: 'spki', format: 'pem' }) as string;
  const parts: Part[] = [
    { name: keyName, what: 'Public key that the signature is checked with.', bytes: Buffer.from(pem) },
    ...given,
  ];
  const manifest: Manifest = {
    ...about,
    key: keyId(key),
    parts: parts.map(({ name, what, bytes }) => ({
      name,
      what,
      size: bytes.length,
      sha256: sha256Hex(bytes),
    })),
  };
  const encoded = encodeManifest(manifest);
  const bytes = writeTar(
    [
      { name: manifestName, bytes: encoded },
      { name: signatureName, bytes: sign(null, signedOctets(encoded), key) },
      ...parts,
    ],
    Math.floor(about.madeAt / 1000),
  );
  return { bytes, manifest, id: sha256Hex(encoded) };
}

export interface OpenedBundle {
  /** Undefined where it cannot be read. */
  readonly manifest: Manifest | undefined;
  /** SHA-256 of the manifest; empty where there is none. */
  readonly id: string;
  /** Those that are there, whether or not they are what was signed. */
  readonly parts: ReadonlyMap<string, Uint8Array>;
  /** Of the key that its signature fits; undefined where it fits none. */
  readonly signedBy: string | undefined;
  /** Empty: it is what was made and signed with that key. */
  readonly damages: readonly Damage[];
}

/**
 * Checks a bundle octet by octet and names what is not as it was made. Never fails, whatever it is given; reads no more
 * than `bytes`.
 *
 * With `key`, the signature has to be of that key. Without, the key that lies in the bundle is taken: then somebody has
 * to compare `signedBy` with what the edge prints, since whoever forges a bundle puts in a key of his own.
 */
export function openBundle(bytes: Uint8Array, key?: KeyObject): OpenedBundle {
  const { entries, damages: found } = readTar(bytes);
  const damages: Damage[] = [...found];
  const parts = new Map(entries.map((entry) => [entry.name, entry.bytes]));
  const damage = (kind: Damage['kind'], part: string, text: string): void => {
    if (!damages.some((one) => one.part === part && one.kind === kind)) damages.push({ kind, part, text });
  };
  const encoded = parts.get(manifestName);
  const done = (manifest?: Manifest, signedBy?: string): OpenedBundle => ({
    manifest,
    id: encoded === undefined ? '' : sha256Hex(encoded),
    parts,
    signedBy,
    damages: damages.slice(0, mostDamages),
  });
  if (encoded === undefined) {
    if (entries.length === 0)
      return {
        ...done(),
        damages: [{ kind: 'unreadable', part: '', text: 'this is no evidence bundle' }],
      };
    damage('dropped', manifestName, `${manifestName} is missing; nothing else can be checked without it`);
    return done();
  }
  const signedBy = checkSignature(encoded, parts, key, damage);
  const read = decodeManifest(encoded);
  if (!read.ok) {
    damage('edited', manifestName, `${manifestName} cannot be read: ${read.error}`);
    return done(undefined, signedBy);
  }
  const manifest = read.value;
  const isOf = signedBy === undefined || signedBy === manifest.key;
  if (!isOf) damage('edited', manifestName, `${manifestName} names another key than signed it`);
  const isCut = new Set(found.filter(({ kind }) => kind === 'truncated').map(({ part }) => part));
  for (const { name, size, sha256 } of manifest.parts) {
    const there = parts.get(name);
    if (there === undefined) {
      if (!isCut.has(name)) damage('dropped', name, `${name} is missing`);
    } else if (there.length !== size || sha256Hex(there) !== sha256)
      damage('edited', name, `${name} is not what was put in`);
  }
  const expected = [manifestName, signatureName, ...manifest.parts.map(({ name }) => name)];
  const known = new Set(expected);
  for (const { name } of entries)
    if (!known.has(name)) damage('added', name, `${name} was not there when it was signed`);
  const order = entries.map(({ name }) => name).filter((name) => known.has(name));
  const wanted = expected.filter((name) => parts.has(name));
  const moved = order.findIndex((name, i) => name !== wanted[i]);
  if (moved >= 0)
    damage('reordered', order[moved] ?? '', `${order[moved]} stands where ${wanted[moved]} belongs`);
  return done(manifest, signedBy);
}

/** Fingerprint of the key that it fits. */
function checkSignature(
  encoded: Uint8Array,
  parts: ReadonlyMap<string, Uint8Array>,
  key: KeyObject | undefined,
  damage: (kind: Damage['kind'], part: string, text: string) => void,
): string | undefined {
  const signature = parts.get(signatureName);
  if (signature === undefined) {
    damage('dropped', signatureName, `${signatureName} is missing: nobody has signed this`);
    return undefined;
  }
  const own = readKey(parts.get(keyName));
  for (const one of key === undefined ? [own] : [key, own]) {
    if (one === undefined || !fits(signedOctets(encoded), one, signature)) continue;
    const id = keyId(one);
    if (key !== undefined && id !== keyId(key))
      damage('other-key', signatureName, `it was signed with the key ${id}, not with ${keyId(key)}`);
    return id;
  }
  damage(
    'unsigned',
    signatureName,
    `the signature does not fit ${manifestName}: one of the two was changed, or another key has signed it`,
  );
  return undefined;
}

function fits(octets: Uint8Array, key: KeyObject, signature: Uint8Array): boolean {
  try {
    return verify(null, octets, key, signature);
  } catch {
    return false;
  }
}

function readKey(pem: Uint8Array | undefined): KeyObject | undefined {
  if (pem === undefined || pem.length > 4096) return undefined;
  const text = Buffer.from(pem.buffer, pem.byteOffset, pem.length).toString('latin1');
  if (!text.startsWith('-----BEGIN PUBLIC KEY-----')) return undefined;
  try {
    const key = createPublicKey(text);
    return key.asymmetricKeyType === 'ed25519' ? key : undefined;
  } catch {
    return undefined;
  }
}
