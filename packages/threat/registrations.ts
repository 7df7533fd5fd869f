import { BoundedMap } from '@ringfence/bytes/bounded-map.ts';
import { type Part, tenths } from './evidence.ts';
import { type Finding, makeFinding } from './rules.ts';

/** Where an address is, as far as it is known. */
export interface Place {
  readonly name: string;
  /** ISO 3166, two letters. */
  readonly country?: string;
  /** Degrees. */
  readonly latitude?: number;
  readonly longitude?: number;
}

export interface Registration {
  /** Names the account and its device, and nobody else's. */
  readonly account: string;
  /** IPv4 /24 or IPv6 /48 as text. */
  readonly network: string;
  readonly userAgent: string;
  readonly contact: string;
  readonly place: Place | undefined;
  readonly seconds: number;
  /** Seconds until which it holds. */
  readonly until: number;
  /** Wrong passwords for the account lately, 0 where none came from there. */
  readonly guesses: number;
}

/**
 * Bits of each change. A user who takes his softphone along brings at most 9 (another network, another program, while
 * the desk phone goes on), and from abroad 13: none alone is an attack. Passwords guessed
 * before are.
 */
const bits = { network: 3, country: 4, userAgent: 3, alive: 3, guess: 1, mostGuesses: 14 } as const;
/** Faster than an airliner, and far enough for addresses to be told apart. */
const fastest = 1_000;
const farthest = 300;
const travelBits = 14;
const accountsKept = 100_000;
const hour = 3_600;

/** Kilometres between two places along the surface (haversine, mean radius). */
export function kilometres(a: Place, b: Place): number | undefined {
  if (
    a.latitude === undefined ||
    a.longitude === undefined ||
    b.latitude === undefined ||
    b.longitude === undefined
  )
    return undefined;
  const radians = Math.PI / 180;
  const dLat = (b.latitude - a.latitude) * radians;
  const dLon = (b.longitude - a.longitude) * radians;
  const h =
    Math.sin(dLat / 2) ** 2 +
    Math.cos(a.latitude * radians) * Math.cos(b.latitude * radians) * Math.sin(dLon / 2) ** 2;
  return 2 * 6371 * Math.asin(Math.min(1, Math.sqrt(h)));
}

/**
 * Accounts that are taken over: somebody registers with the right password, but not as the one who is registered.
 *
 * Remembers the last registration of each of 100,000 accounts (about 400 octets each); a refresh costs one look-up.
 */
export class RegistrationWatch {
  readonly #last = new BoundedMap<string, Registration>({ capacity: accountsKept });

  /** What is remembered was made by somebody who knew the password. */
  registered(next: Registration, threshold: number): readonly Finding[] {
    const last = this.#last.get(next.account);
    this.#last.set(next.account, next);
    const findings: Finding[] = [];
    const travel = last === undefined ? undefined : travelled(last, next, threshold);
    if (travel !== undefined) findings.push(travel);
    const parts = last === undefined ? [] : changesOf(last, next);
    if (next.guesses >= 1)
      parts.push({
        text: `Wrong passwords came from there before (about ${Math.round(next.guesses)}).`,
        bits: tenths(Math.min(bits.mostGuesses, next.guesses * bits.guess)),
      });
    const finding = makeFinding('registration-hijack', threshold, parts);
    if (finding.bits >= threshold) findings.push(finding);
    return findings;
  }
}

function changesOf(last: Registration, next: Registration): Part[] {
  if (last.contact === next.contact) return [];
  if (last.network === next.network && last.userAgent === next.userAgent) return [];
  const parts: Part[] = [];
  if (last.network !== next.network)
    parts.push({ text: 'It comes from another network than before.', bits: bits.network });
  const [from, to] = [last.place?.country, next.place?.country];
  if (from !== undefined && to !== undefined && from !== to)
    parts.push({ text: `It comes from ${to}, the one before from ${from}.`, bits: bits.country });
  if (last.userAgent !== next.userAgent)
    parts.push({ text: 'It is another program than before.', bits: bits.userAgent });
  if (last.until > next.seconds)
    parts.push({ text: 'The phone that was registered before still is.', bits: bits.alive });
  return parts;
}

function travelled(last: Registration, next: Registration, threshold: number): Finding | undefined {
  if (last.place === undefined || next.place === undefined) return undefined;
  const distance = kilometres(last.place, next.place);
  if (distance === undefined || distance < farthest) return undefined;
  const hours = Math.max(1, next.seconds - last.seconds) / hour;
  const speed = distance / hours;
  if (speed < fastest) return undefined;
  const minutes = Math.max(1, Math.round(hours * 60));
  return makeFinding('impossible-travel', Math.min(threshold, travelBits), [
    {
      text: `From ${last.place.name} to ${next.place.name}, ${Math.round(distance)} km, in ${minutes} min.`,
      bits: travelBits,
    },
  ]);
}
