import type { Risk } from '@ringfence/fraud/call-facts.ts';
import type { DestinationClass } from '@ringfence/tariff/destination.ts';

/** From this price of a minute on a country is one that fraud could live on. */
const raisedFrom = 0.12;

/**
 * How the behaviour of accounts sees a class of destination.
 *
 * @param rate money a minute @param usual the price that stands for all countries, and so says nothing of one.
 */
export function riskOf(kind: DestinationClass, rate: number, usual: number): Risk {
  switch (kind) {
    case 'emergency':
    case 'domestic':
    case 'mobile':
    case 'toll-free':
      return 'home';
    case 'premium':
    case 'satellite':
      return 'premium';
    case 'high-risk':
    case 'unallocated':
      return 'high';
    case 'shared-cost':
      return 'raised';
    case 'unknown':
      // Nothing is known of what it costs: an extension of the PBX behind the trunk, or a number that no plan has.
      return rate >= raisedFrom ? 'raised' : 'home';
    case 'international':
      return rate >= raisedFrom && rate !== usual ? 'raised' : 'ordinary';
  }
}
