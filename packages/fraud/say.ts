import type { CallFacts } from './call-facts.ts';
import { dayNames, type LocalTime } from './working-hours.ts';

const small = [
  'no',
  'one',
  'two',
  'three',
  'four',
  'five',
  'six',
  'seven',
  'eight',
  'nine',
  'ten',
  'eleven',
  'twelve',
];
const order = [
  '',
  'first',
  'second',
  'third',
  'fourth',
  'fifth',
  'sixth',
  'seventh',
  'eighth',
  'ninth',
  'tenth',
];

/** Small numbers as words. */
export const spell = (count: number): string => small[count] ?? String(count);
export const nth = (count: number): string => order[count] ?? `${count}th`;
export const money = (amount: number): string => amount.toFixed(2);

/** `02:14 on a Sunday` */
export const clock = ({ hour, minute, day, holiday }: LocalTime): string =>
  `${String(hour).padStart(2, '0')}:${String(minute).padStart(2, '0')} on a ${holiday ? 'holiday' : dayNames[day]}`;

/** What a destination is called. */
export const place = ({ country, prefix }: Pick<CallFacts, 'country' | 'prefix'>): string =>
  country === '' ? (prefix === '' ? 'an unknown destination' : `+${prefix}`) : `${country} (+${prefix})`;
