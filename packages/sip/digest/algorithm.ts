import { hash } from 'node:crypto';

/** RFC 7616 §6.1 and RFC 8760 §2.1, strongest first; session variants are not offered. */
export const digestAlgorithms = ['SHA-512-256', 'SHA-256', 'MD5'] as const;

export type DigestAlgorithm = (typeof digestAlgorithms)[number];

const nodeNames = { 'SHA-512-256': 'sha512-256', 'SHA-256': 'sha256', MD5: 'md5' } as const;

/** Octets of a digest. */
export const digestLength: Readonly<Record<DigestAlgorithm, number>> = {
  'SHA-512-256': 32,
  'SHA-256': 32,
  MD5: 16,
};

/** The algorithm of that name, in any case; a missing parameter means MD5 (RFC 8760 §2.2). */
export function digestAlgorithm(name: string | undefined): DigestAlgorithm | undefined {
  if (name === undefined) return 'MD5';
  const upper = name.toUpperCase();
  return digestAlgorithms.find((known) => known === upper);
}

/** H(data) in lower-case hexadecimal; text is hashed as UTF-8. */
export function digestHex(algorithm: DigestAlgorithm, data: string | Uint8Array): string {
  return hash(nodeNames[algorithm], data, 'hex');
}
