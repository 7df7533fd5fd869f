import { createHash, timingSafeEqual } from 'node:crypto';

/** 32 signs, none of which looks like another. */
const alphabet = 'abcdefghijkmnpqrstuvwxyz23456789';
/** 50 bits: with the bounds on guesses, out of reach. */
export const recoverySigns = 10;
export const recoveryCodes = 10;
/** 60 bits. */
export const inviteSigns = 12;

/** Codes for people, in groups: `k3xpa-9mwqe`. Each octet gives five bits. */
export function makeCode(random: (bytes: number) => Uint8Array, signs: number): string {
  const text = [...random(signs)].map((octet) => alphabet[octet & 31]).join('');
  const group = signs % 5 === 0 ? 5 : 4;
  return (text.match(new RegExp(`.{${group}}`, 'g')) ?? []).join('-');
}

/** As it was made, however it was typed. */
export const readCode = (typed: string): string => typed.toLowerCase().replaceAll(/[\s-]/g, '');

/** What is kept of a code. Of its account alone, so that two accounts never share one. */
export const hashCode = (domain: string, user: string, code: string): string =>
  createHash('sha256')
    .update(`${domain}\n${user}\n${readCode(code)}`)
    .digest('base64url');

export const sameHash = (a: string, b: string): boolean =>
  a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b));
