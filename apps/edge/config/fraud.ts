import { Calendar } from '@ringfence/tariff/calendar.ts';
import { type Static, Type } from '@sinclair/typebox';
import { BehaviourSettings, checkBehaviour } from './fraud-behaviour.ts';
import type { Report } from './validate.ts';

/** Classes that a rule may close; emergency calls pass whatever is written. */
const DestinationClassName = Type.Union([
  Type.Literal('domestic'),
  Type.Literal('mobile'),
  Type.Literal('toll-free'),
  Type.Literal('international'),
  Type.Literal('premium'),
  Type.Literal('shared-cost'),
  Type.Literal('satellite'),
  Type.Literal('high-risk'),
  Type.Literal('unallocated'),
  Type.Literal('unknown'),
]);

const Country = Type.String({ pattern: '^[A-Z]{2}$' });
const cap = (description: string) =>
  Type.Optional(Type.Integer({ minimum: 0, maximum: 100_000_000, description }));

/** Most money over a time, in whole units of `fraud.currency`. */
export const SpendCaps = Type.Object(
  {
    hour: cap('Most money in one hour of the clock.'),
    day: cap('Most money in one day of `fraud.timeZone`.'),
    month: cap('Most money in one month.'),
  },
  {
    additionalProperties: false,
    description:
      'Most money that calls by trunks may cost, in whole units of `fraud.currency`. Calls in progress end when it is spent; emergency calls never do.',
  },
);
export type SpendCaps = Static<typeof SpendCaps>;

/** Where calls may go. */
export const DestinationPolicy = Type.Object(
  {
    open: Type.Optional(
      Type.Array(DestinationClassName, {
        maxItems: 16,
        description: 'Classes that are open though closed above.',
      }),
    ),
    closed: Type.Optional(
      Type.Array(DestinationClassName, { maxItems: 16, description: 'Classes that are closed besides.' }),
    ),
    countries: Type.Optional(
      Type.Array(Country, {
        maxItems: 250,
        description:
          'The only countries that may be called beside the own one, such as `FR`; a high-risk country that stands here is open. Default: all.',
      }),
    ),
    closedCountries: Type.Optional(
      Type.Array(Country, { maxItems: 250, description: 'Countries that may not be called.' }),
    ),
    closedOffHours: Type.Optional(
      Type.Array(DestinationClassName, {
        maxItems: 16,
        description: 'Classes that are closed outside of `fraud.workingHours`.',
      }),
    ),
  },
  {
    additionalProperties: false,
    description:
      'Where calls by trunks may go. What a user says goes before what the domain says, and that before `fraud.destinations`; what the trunk of the call closes is closed for all.',
  },
);
export type DestinationPolicy = Static<typeof DestinationPolicy>;

const price = (text: string) =>
  Type.String({ default: text, pattern: '^[0-9]{1,4}([.][0-9]{1,6})?$', description: `Default ${text}.` });

export const FraudSettings = Type.Object(
  {
    currency: Type.String({
      default: 'EUR',
      pattern: '^[A-Z]{3}$',
      description: 'ISO 4217 code of the money that caps and prices are in.',
    }),
    timeZone: Type.String({
      default: '',
      maxLength: 64,
      description:
        'Where days begin and offices close, such as `Europe/Berlin`. Empty: as the machine has it.',
    }),
    workingHours: Type.Object(
      {
        days: Type.Array(Type.Integer({ minimum: 1, maximum: 7 }), {
          default: [1, 2, 3, 4, 5],
          description: '1 is Monday, 7 is Sunday.',
        }),
        from: Type.String({ default: '07:00', pattern: '^([01][0-9]|2[0-3]):[0-5][0-9]$' }),
        to: Type.String({ default: '20:00', pattern: '^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$' }),
        holidays: Type.Array(Type.String({ pattern: '^[0-9]{4}-[0-9]{2}-[0-9]{2}$' }), {
          default: [],
          maxItems: 1000,
          description: 'Days on which nobody works, such as `2026-12-25`.',
        }),
      },
      { additionalProperties: false, default: {}, description: 'When the site works.' },
    ),
    userCaps: Type.Object(
      {
        hour: cap('In one hour.'),
        day: Type.Integer({ minimum: 0, maximum: 100_000_000, default: 40 }),
        month: cap('In one month.'),
      },
      {
        additionalProperties: false,
        default: {},
        description: 'Caps of every user without `spend` of its own.',
      },
    ),
    trunkCaps: Type.Object(
      {
        hour: cap('In one hour.'),
        day: Type.Integer({ minimum: 0, maximum: 100_000_000, default: 400 }),
        month: cap('In one month.'),
      },
      {
        additionalProperties: false,
        default: {},
        description:
          'Caps of every trunk without `spend` of its own: of calls that leave by it, and of those that come from it and leave by another.',
      },
    ),
    domainCaps: Type.Object(
      {
        hour: cap('In one hour.'),
        day: Type.Integer({ minimum: 0, maximum: 100_000_000, default: 400 }),
        month: cap('In one month.'),
      },
      {
        additionalProperties: false,
        default: {},
        description: 'Caps of every domain without `spend` of its own.',
      },
    ),
    offHoursCap: Type.Integer({
      minimum: 0,
      maximum: 100_000_000,
      default: 10,
      description: 'Most money of one user in one hour outside of `workingHours`.',
    }),
    warnPercent: Type.Array(Type.Integer({ minimum: 1, maximum: 99 }), {
      default: [80, 95],
      maxItems: 8,
      description: 'Percents of a cap that `spend.warning` tells of.',
    }),
    sliceSeconds: Type.Integer({
      minimum: 5,
      maximum: 600,
      default: 30,
      description: 'Seconds that a call sets money aside for at a time.',
    }),
    destinations: Type.Object(
      {
        closed: Type.Array(DestinationClassName, {
          default: ['premium', 'satellite', 'high-risk'],
          maxItems: 16,
          description: 'Classes that nobody may call whom nothing else allows it.',
        }),
        closedOffHours: Type.Array(DestinationClassName, {
          default: [],
          maxItems: 16,
          description: 'Classes that are closed outside of `workingHours`, too.',
        }),
        closedCountries: Type.Array(Country, { default: [], maxItems: 250 }),
      },
      { additionalProperties: false, default: {}, description: 'Where calls by trunks may go.' },
    ),
    prices: Type.Object(
      {
        domestic: price('0.02'),
        mobile: price('0.10'),
        'toll-free': price('0'),
        international: price('0.30'),
        premium: price('3'),
        'shared-cost': price('0.20'),
        satellite: price('8'),
        'high-risk': price('2'),
        unallocated: price('0.30'),
        unknown: price('0.05'),
      },
      {
        additionalProperties: false,
        default: {},
        description: 'What a minute costs where no rate sheet has the number, per class of destination.',
      },
    ),
    behaviour: BehaviourSettings,
  },
  {
    additionalProperties: false,
    default: {},
    description: 'What calls may cost and where they may go: [toll fraud](toll-fraud.md).',
  },
);
export type FraudSettings = Static<typeof FraudSettings>;

export function checkFraud({ timeZone, workingHours, behaviour }: FraudSettings, report: Report): void {
  checkBehaviour(behaviour, 'fraud.behaviour', report);
  if (timeZone !== '') {
    try {
      new Calendar(timeZone);
    } catch {
      report.value(
        'fraud.timeZone',
        `\`${timeZone}\` is no time zone`,
        'Write a name such as `Europe/Berlin`.',
      );
    }
  }
  if (workingHours.from >= workingHours.to)
    report.value('fraud.workingHours.to', 'is not after `from`', 'Write a later time, `24:00` at most.');
}
