import type { DestinationPolicy, FraudSettings } from '../config/fraud.ts';
import type { Trunk } from '../objects/types.ts';
import type { DomainDirectory } from '../routing/directory.ts';
import { nameOf } from './account.ts';
import type { FraudVerdict, OutgoingCall } from './gate.ts';

/** How a class is named to people. */
const spoken: Readonly<Record<string, string>> = {
  premium: 'premium-rate numbers',
  satellite: 'satellite telephones and international networks',
  'high-risk': 'countries that toll fraud ends in',
  'shared-cost': 'shared-cost and personal numbers',
  unallocated: 'numbers that no country has given out',
  unknown: 'numbers that no plan knows',
  international: 'other countries',
  domestic: 'numbers of this country',
  mobile: 'mobile numbers of this country',
  'toll-free': 'toll-free numbers',
};

/**
 * May calls go there at all: by class, country and time of day, for who pays and by the trunk that is used.
 *
 * What a user says goes before what its domain says, and that before what holds for all; what the trunk closes is closed.
 */
export function judgeDestination(
  call: OutgoingCall,
  directory: DomainDirectory,
  trunk: Trunk,
  settings: FraudSettings,
  home: string,
  works: () => boolean,
): FraudVerdict | undefined {
  const name = nameOf(call.account);
  const payer = call.account.startsWith('user:')
    ? directory.users.get(name)?.destinations
    : directory.trunks.get(name)?.destinations;
  const levels: readonly (readonly [string, DestinationPolicy | undefined])[] = [
    ['fraud.destinations', settings.destinations],
    [`domain ${directory.name}`, directory.destinations],
    [call.account, payer],
  ];
  const { class: kind, country } = call.destination;
  if (kind === 'emergency') return undefined;
  let closedBy: string | undefined;
  let countryClosedBy: string | undefined;
  let offHoursBy: string | undefined;
  for (const [by, policy] of levels) {
    if (policy === undefined) continue;
    const listed = policy.countries !== undefined && country !== '' && policy.countries.includes(country);
    if (policy.open?.includes(kind) === true || (kind === 'high-risk' && listed)) {
      closedBy = undefined;
      offHoursBy = undefined;
    }
    if (policy.closed?.includes(kind) === true) closedBy = by;
    if (policy.closedOffHours?.includes(kind) === true) offHoursBy = by;
    if (listed) countryClosedBy = undefined;
    else if (policy.countries !== undefined && country !== '' && country !== home) countryClosedBy = by;
    if (policy.closedCountries?.includes(country) === true) countryClosedBy = by;
  }
  const own = trunk.destinations;
  const owner = `trunk ${trunk.name}`;
  if (own?.closed?.includes(kind) === true) closedBy = owner;
  if (own?.closedOffHours?.includes(kind) === true) offHoursBy = owner;
  if (own?.closedCountries?.includes(country) === true) countryClosedBy = owner;
  if (own?.countries !== undefined && country !== '' && country !== home && !own.countries.includes(country))
    countryClosedBy = owner;
  if (closedBy !== undefined)
    return closed('fraud.class-closed', call, `Calls to ${spoken[kind]} are closed`, closedBy);
  if (countryClosedBy !== undefined)
    return closed(
      'fraud.country-closed',
      call,
      `Calls to the country ${country} are closed`,
      countryClosedBy,
    );
  if (offHoursBy !== undefined && !works())
    return closed(
      'fraud.off-hours',
      call,
      `Calls to ${spoken[kind]} are closed outside working hours`,
      offHoursBy,
    );
  return undefined;
}

function closed(rule: string, call: OutgoingCall, told: string, by: string): FraudVerdict {
  const { number, dialled, disguised, destination } = call;
  const shown = number === '' ? dialled : number;
  const disguise = disguised ? `, dialled as ${dialled}` : '';
  return {
    action: 'block',
    rule,
    told,
    sentence: `${told}: ${shown}${disguise} is of class ${destination.class}${destination.country === '' ? '' : ` in ${destination.country}`} (closed by ${by}).`,
    parts: [{ text: `class ${destination.class}` }, { text: `closed by ${by}` }],
  };
}
