import type { CallFacts, Risk } from '@ringfence/fraud/call-facts.ts';
import { risks } from '@ringfence/fraud/call-facts.ts';
import type { LabelledCall } from '@ringfence/fraud/simulate/types.ts';
import type { RowProblem } from './csv.ts';
import type { Field, Fields } from './fields.ts';
import { readMoment } from './moment.ts';

/** Where a number leads and what a minute costs: `rate` where that is known, else what its class costs. */
export type Pricing = (
  called: string,
  rate?: number,
) => Pick<CallFacts, 'called' | 'country' | 'prefix' | 'risk' | 'rate'>;

export interface RecordOptions {
  /** Minutes east of UTC, for times that do not say. */
  readonly zone: number | undefined;
  readonly price: Pricing;
  /** Tenant of records that name none. */
  readonly domain: string;
}

const longestCall = 7 * 86_400;
const answeredWords: ReadonlySet<string> = new Set(['answered', 'answer', 'ok', '200', 'normal', '16']);
const usualLabels: ReadonlySet<string> = new Set([
  '',
  '0',
  'false',
  'no',
  'legit',
  'legitimate',
  'normal',
  'ok',
]);

/** A call as its record has it, or what is wrong with which field. */
export function readCall(
  record: Fields,
  row: number,
  { zone, price, domain }: RecordOptions,
): LabelledCall | (Omit<RowProblem, 'column'> & { readonly field: Field }) {
  const wrong = (field: Field, problem: string) => ({ row, field, problem });
  const at = readMoment(record.start ?? '', zone);
  if (typeof at === 'string') return wrong('start', at);
  const called = digitsOf(record.called ?? '');
  if (called === undefined) return wrong('called', 'is no number');
  let seconds = 0;
  let setupSeconds = 5;
  if (record.seconds !== undefined && record.seconds !== '') {
    seconds = Number(record.seconds);
    if (!Number.isFinite(seconds) || seconds < 0 || seconds > longestCall)
      return wrong('seconds', 'is no length of a call in seconds');
  } else if (record.end !== undefined && record.answer !== undefined) {
    const answer = record.answer === '' ? undefined : readMoment(record.answer, zone);
    const end = record.end === '' ? undefined : readMoment(record.end, zone);
    if (typeof answer === 'string') return wrong('answer', answer);
    if (typeof end === 'string') return wrong('end', end);
    if (answer !== undefined && end !== undefined) {
      if (end < answer || answer < at - 1_000) return wrong('end', 'is before the beginning');
      seconds = (end - answer) / 1_000;
      setupSeconds = Math.max(0, (answer - at) / 1_000);
    }
  }
  const disposition = record.disposition?.toLowerCase();
  if (disposition !== undefined && disposition !== '' && !answeredWords.has(disposition)) seconds = 0;
  const found = price(called);
  const rate = record.rate === undefined || record.rate === '' ? found.rate : Number(record.rate);
  if (!Number.isFinite(rate) || rate < 0 || rate > 1_000) return wrong('rate', 'is no price of a minute');
  const risk = record.risk === undefined || record.risk === '' ? found.risk : (record.risk as Risk);
  if (!risks.includes(risk)) return wrong('risk', `is none of ${risks.join(', ')}`);
  const direction = record.direction?.toLowerCase() ?? '';
  const label = record.fraud ?? '';
  const caller = digitsOf(record.caller ?? '') ?? '';
  return {
    facts: {
      id: record.id === undefined || record.id === '' ? String(row) : `${record.id}#${row}`,
      at,
      domain: record.domain || domain,
      account: record.account || caller || 'unknown',
      caller,
      called: record.prefix === undefined ? found.called : called,
      country: record.country ?? found.country,
      prefix: record.prefix ?? found.prefix,
      risk,
      rate,
      forwarded: ['1', 'true', 'yes'].includes(record.forwarded?.toLowerCase() ?? ''),
    },
    incoming: direction.startsWith('in'),
    setupSeconds,
    seconds,
    fraud: usualLabels.has(label.toLowerCase()) ? '' : label,
    story: '',
    site: 'office',
    proves: false,
  };
}

/** Digits of a number, with what people write between them; undefined where it is none. */
function digitsOf(text: string): string | undefined {
  const user = text.replace(/^sips?:|^tel:/i, '').split('@', 1)[0]!;
  const digits = user.replaceAll(/[ ().+-]/g, '');
  return digits.length >= 2 && digits.length <= 32 && /^\d+$/.test(digits)
    ? user.startsWith('+')
      ? digits
      : user.startsWith('00')
        ? digits.slice(2)
        : digits
    : undefined;
}
