import type { LabelledCall } from '@ringfence/fraud/simulate/types.ts';

const columns = [
  'id',
  'start',
  'direction',
  'domain',
  'account',
  'caller',
  'called',
  'seconds',
  'country',
  'prefix',
  'risk',
  'rate',
  'forwarded',
  'fraud',
] as const;

export const heading = columns.join(',');

/** A call as a row that `ringfence replay` reads again. */
export function fieldsOf({
  facts,
  incoming,
  seconds,
  fraud,
}: LabelledCall): Record<(typeof columns)[number], string | number | boolean> {
  const { id, at, domain, account, caller, called, country, prefix, risk, rate, forwarded } = facts;
  return {
    id,
    start: new Date(at).toISOString(),
    direction: incoming ? 'in' : 'out',
    domain,
    account,
    caller,
    called,
    seconds: Math.round(seconds),
    country,
    prefix,
    risk,
    rate,
    forwarded,
    fraud,
  };
}

/** None of the values holds a comma or a quote: names and numbers are ours. */
export const csvRow = (call: LabelledCall): string => Object.values(fieldsOf(call)).join(',');
export const jsonRow = (call: LabelledCall): string => JSON.stringify(fieldsOf(call));
