import { BoundedMap } from '@ringfence/bytes/bounded-map.ts';
import type { DestinationClass } from '@ringfence/tariff/destination.ts';
import { contextOf, digitsIn, type Reading, readDestination } from '@ringfence/tariff/dialled.ts';
import { digitsOf, type Numbers } from '../../routing/numbers.ts';
import { riskOf } from '../behaviour/risk.ts';
import type { Pricing } from './record.ts';

/** Prices of classes, money a minute. */
export type ClassPrices = Readonly<Partial<Record<DestinationClass, number>>>;

/** Where nothing is known of what calls cost. */
export const usualPrices: ClassPrices = {
  domestic: 0.02,
  mobile: 0.1,
  'toll-free': 0,
  international: 0.3,
  premium: 3,
  'shared-cost': 0.2,
  satellite: 8,
  'high-risk': 2,
  unallocated: 1,
  unknown: 0.05,
};

const mostKnown = 20_000;

/** Destinations by public numbering data and prices by class, for records that say neither. */
export const pricingOf = (prices: ClassPrices, home: string): Pricing =>
  priced(prices, (called) => readDestination(called, `+${called}`, home));

/** The same for what was dialled, read as the edge reads it: prefixes, separators, letters, `phone-context`. */
export function dialledPricingOf(prices: ClassPrices, numbers: Numbers, home: string): Pricing {
  const national = (digits: string): string | undefined => numbers.e164(digits);
  return priced(prices, (text) => {
    const digits = digitsOf(text);
    const e164 = digits === undefined ? undefined : numbers.e164(digits);
    const found = readDestination(text, e164, home, contextOf(text), national);
    return found.e164 === '' ? { ...found, e164: digitsIn(text) } : found;
  });
}

function priced(
  prices: ClassPrices,
  read: (called: string) => Pick<Reading, 'e164' | 'destination'>,
): Pricing {
  const at = (
    called: string,
    { e164, destination }: Pick<Reading, 'e164' | 'destination'>,
    rate = prices[destination.class] ?? 0,
  ): ReturnType<Pricing> => ({
    called: e164 === '' ? called : e164.replace('+', ''),
    country: destination.country,
    prefix: destination.prefix.replace('+', ''),
    risk: riskOf(destination.class, rate, prices.international ?? 0),
    rate,
  });
  // The same numbers come again and again.
  const known = new BoundedMap<string, ReturnType<Pricing>>({ capacity: mostKnown, order: 'insertion' });
  return (called, rate) => {
    if (rate !== undefined) return at(called, read(called), rate);
    let found = known.get(called);
    if (found === undefined) {
      found = at(called, read(called));
      known.set(called, found);
    }
    return found;
  };
}
