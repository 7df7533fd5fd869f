/** What the edge tells the page about a call, in INFO of the package `ringfence-protection` (RFC 6086). */
export const protectionPackage = 'ringfence-protection';

export const grades = ['end-to-end', 'hop-by-hop', 'partly-protected', 'in-the-clear'] as const;
export type Grade = (typeof grades)[number];

export interface Protection {
  /** The worst that the call has had. */
  readonly grade: Grade;
  /** What protects the call, in one sentence. */
  readonly sentence: string;
  /** Short authentication string that two people compare; absent where there is none. */
  readonly sas?: string;
  /** Somebody has said before that it is the same on both sides. */
  readonly confirmed: boolean;
}

/** Reads the body of such an INFO; undefined where it is not one. Unknown fields are passed over. */
export function readProtection(body: string): Protection | undefined {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const { grade, sentence, sas, confirmed } = value as Readonly<Record<string, unknown>>;
  const known = grades.find((one) => one === grade);
  if (known === undefined || typeof sentence !== 'string') return undefined;
  return {
    grade: known,
    sentence: sentence.slice(0, 500),
    confirmed: confirmed === true,
    ...(typeof sas === 'string' && sas !== '' ? { sas: sas.slice(0, 64) } : {}),
  };
}

/** What the page says when a person has compared the string and found it the same. */
export const confirmation = (sas: string): string => JSON.stringify({ confirmed: true, sas });
