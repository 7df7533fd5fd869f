import { highRiskCountries } from './high-risk.ts';
import { type NumberKind, placeOf } from './numbering-plan.ts';

/** Classes of where a call may go, as policies and default prices name them. */
export const destinationClasses = [
  /** A call for help; nothing stands before it. */
  'emergency',
  /** Fixed and voice-over-IP numbers of the home country. */
  'domestic',
  /** Mobile numbers of the home country. */
  'mobile',
  'toll-free',
  /** Any other country that is in no class below. */
  'international',
  /** Called parties who are paid for being called: premium rate here and abroad, +979. */
  'premium',
  /** Shared-cost and personal numbers, +808. */
  'shared-cost',
  /** Satellite telephones and networks of no country: +870, +878, +881, +882, +883, +888. */
  'satellite',
  /** Countries of `high-risk.ts`. */
  'high-risk',
  /** A country that is known, and a number that its plan has not given out. */
  'unallocated',
  /** No number that any plan could place. */
  'unknown',
] as const;

export type DestinationClass = (typeof destinationClasses)[number];

export interface Destination {
  /** ISO 3166; empty where it is no country's, or unknown. */
  readonly country: string;
  /** +, calling code and the first digits of what follows: the range that the number lies in. */
  readonly prefix: string;
  readonly class: DestinationClass;
  readonly kind: NumberKind | 'emergency' | 'unknown';
}

/** Codes of networks that are no country's, ITU-T E.164 Annex D to the Operational Bulletin. */
const networks: ReadonlySet<string> = new Set(['870', '878', '881', '882', '883', '888']);

export const emergency: Destination = { country: '', prefix: '', class: 'emergency', kind: 'emergency' };
export const unknown: Destination = { country: '', prefix: '', class: 'unknown', kind: 'unknown' };

/**
 * Where a number leads, by public numbering data.
 *
 * @param e164 + and digits; anything else is of class `unknown`, never passed silently.
 * @param home ISO code of the country that the caller is in; without it nothing is domestic.
 */
export function classify(e164: string, home = ''): Destination {
  const place = placeOf(e164);
  if (place === undefined) return unknown;
  const { country, callingCode, kind } = place;
  const digits = 1 + callingCode.length + (callingCode === '1' ? 3 : 2);
  return { country, prefix: e164.slice(0, digits), class: classOf(country, callingCode, kind, home), kind };
}

function classOf(country: string, code: string, kind: NumberKind, home: string): DestinationClass {
  if (kind === 'premium') return 'premium';
  if (networks.has(code)) return 'satellite';
  if (country !== home && highRiskCountries.has(country)) return 'high-risk';
  if (kind === 'unallocated') return 'unallocated';
  if (kind === 'shared-cost' || kind === 'personal') return 'shared-cost';
  if (kind === 'toll-free') return 'toll-free';
  if (country !== home) return 'international';
  return kind === 'mobile' || kind === 'pager' ? 'mobile' : 'domestic';
}
