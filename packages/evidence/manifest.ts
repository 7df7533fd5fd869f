import { hash } from 'node:crypto';
import { err, ok, type Result } from '@ringfence/bytes/result.ts';
import { isPartName, mostEntries, mostEntryOctets } from './tar.ts';

/** What the bundle says of one of its parts. */
export interface PartLine {
  readonly name: string;
  /** What it is, in one sentence. */
  readonly what: string;
  readonly size: number;
  /** Hexadecimal. */
  readonly sha256: string;
}

/** What is signed: everything that a bundle holds, by its hash, and where it comes from. */
export interface Manifest {
  readonly incident: string;
  readonly title: string;
  /** Name of the machine. */
  readonly node: string;
  /** Of Ringfence. */
  readonly version: string;
  /** Unix milliseconds. */
  readonly madeAt: number;
  readonly madeBy: string;
  /** Fingerprint of the key that it is signed with. */
  readonly key: string;
  /** Hexadecimal name of the ledger that the proofs are of; empty where there is none. */
  readonly ledger: string;
  /** What a reader has to know: what was left out, what is not as it was on the wire. */
  readonly notes: readonly string[];
  readonly parts: readonly PartLine[];
}

const format = 'ringfence evidence 1';
/** Stands before the manifest where it is signed, so that a signature of anything else of the same key is none of a bundle. */
const context = 'ringfence evidence manifest 1\n';
export const mostManifestOctets = 256 * 1024;

export const sha256Hex = (bytes: Uint8Array): string => hash('sha256', bytes, 'hex');

/** Octets that the signature is of. */
export const signedOctets = (manifest: Uint8Array): Uint8Array =>
  Buffer.concat([Buffer.from(context), manifest]);

/** Always the same octets for the same manifest: fields in this order, two blanks of indentation, one line end. */
export function encodeManifest(manifest: Manifest): Uint8Array {
  const { incident, title, node, version, madeAt, madeBy, key, ledger, notes } = manifest;
  const parts = manifest.parts.map(({ name, what, size, sha256 }) => ({ name, what, size, sha256 }));
  const made = { incident, title, node, version, madeAt, madeBy, key, ledger, notes, parts };
  return Buffer.from(`${JSON.stringify({ format, ...made }, null, 2)}\n`);
}

const decoder = new TextDecoder('utf-8', { fatal: true });

/** Takes nothing but what `encodeManifest` writes, to the octet. */
export function decodeManifest(bytes: Uint8Array): Result<Manifest> {
  if (bytes.length > mostManifestOctets) return err('it is too large');
  let value: unknown;
  try {
    value = JSON.parse(decoder.decode(bytes));
  } catch {
    return err('it is no JSON');
  }
  if (typeof value !== 'object' || value === null) return err('it is no manifest');
  const fields = value as Readonly<Record<string, unknown>>;
  if (fields.format !== format) return err(`it is not of the format ${format}`);
  for (const name of ['incident', 'title', 'node', 'version', 'madeBy', 'key', 'ledger'])
    if (typeof fields[name] !== 'string') return err(`${name} is missing`);
  if (!isCount(fields.madeAt)) return err('madeAt is missing');
  if (!isTexts(fields.notes)) return err('notes are missing');
  if (!Array.isArray(fields.parts) || fields.parts.length > mostEntries) return err('parts are missing');
  const names = new Set<string>();
  for (const part of fields.parts as unknown[]) {
    const { name, what, size, sha256 } = (part ?? {}) as Readonly<Record<string, unknown>>;
    if (typeof name !== 'string' || !isPartName(name)) return err('a part has no name');
    if (names.has(name)) return err(`${name} is named twice`);
    names.add(name);
    if (typeof what !== 'string' || !isCount(size) || size > mostEntryOctets)
      return err(`${name} has no size`);
    if (typeof sha256 !== 'string' || !/^[0-9a-f]{64}$/.test(sha256)) return err(`${name} has no hash`);
  }
  const manifest = value as unknown as Manifest;
  if (Buffer.compare(encodeManifest(manifest), bytes) !== 0) return err('it is not written as an edge does');
  return ok(manifest);
}

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
const isTexts = (value: unknown): boolean =>
  Array.isArray(value) && value.length <= 1000 && value.every((one) => typeof one === 'string');
