import type { DigestAlgorithm } from './types.ts';

/** Algorithms that a password is kept for; MD5 only where the device or trunk asks for it. */
export const algorithmsFor = (allowMd5: boolean): readonly DigestAlgorithm[] =>
  allowMd5 ? ['SHA-512-256', 'SHA-256', 'MD5'] : ['SHA-512-256', 'SHA-256'];
