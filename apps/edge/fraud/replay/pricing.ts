import type { DestinationClass } from '@ringfence/tariff/destination.ts';
import { readDestination } from '@ringfence/tariff/dialled.ts';
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
export function pricingOf(prices: ClassPrices, home: string): Pricing {
  // The same numbers come again and again.
  const known = new Map<string, ReturnType<Pricing>>();
  return (called) => {
    const found = known.get(called);
    if (found !== undefined) return found;
    const { e164, destination } = readDestination(called, `+${called}`, home);
    const rate = prices[destination.class] ?? 0;
    const priced = {
      called: e164 === '' ? called : e164.replace('+', ''),
      country: destination.country,
      prefix: destination.prefix.replace('+', ''),
      risk: riskOf(destination.class, rate, prices.international ?? 0),
      rate,
    };
    if (known.size >= mostKnown) known.clear();
    known.set(called, priced);
    return priced;
  };
}
