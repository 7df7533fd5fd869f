import type { Trace } from '../routing/trace.ts';
import type { TracedTrunk } from '../trunks/trace-trunk.ts';
import { printable } from './terminal.ts';

const results = {
  taken: 'taken',
  'no-match': 'does not match',
  'for-others': 'is for other callers',
  'leads-nowhere': 'matches, but leads to what is not there',
} as const;

/** A trace for people: one numbered step after another. */
export function traceText(trace: Trace): string {
  const { number, routes, decision } = trace;
  const steps: string[][] = [
    [`Caller: ${trace.principal}, encryption ${trace.demanded}`],
    [
      `Number: ${number.dialled}`,
      ...(number.rewritten === undefined ? [] : [`rewritten by the trunk's rules: ${number.rewritten}`]),
      number.emergency
        ? 'an emergency number: no limit, quarantine or rule stands before it'
        : (number.e164 ?? number.digits ?? 'a name, no number'),
    ],
    [
      'Routes:',
      ...routes.map(({ route, match, result }) => `${route} (${match}) ${results[result]}`),
      ...(routes.length === 0 ? ['none is asked'] : []),
    ],
    [`Destination: ${trace.destination}`],
    [
      `Decision: ${decision.verdict}${decision.verdict === 'refuse' ? ` ${decision.status} ${decision.reason}, cause ${decision.cause}` : ''}`,
      ...decision.reasons.map(
        ({ rule, text, evidence, threshold }) =>
          `${rule}: ${text} ${JSON.stringify(evidence)}${threshold === undefined ? '' : `, bound ${threshold}`}`,
      ),
    ],
  ];
  if (trace.price !== undefined) {
    const { account, number: read, class: kind, country, perMinute, currency, prefix } = trace.price;
    steps.push([
      `Price: ${perMinute} ${currency} a minute, paid by ${account}`,
      `${read === '' ? 'no number that could be placed' : read}: class ${kind}${country === '' ? '' : ` in ${country}`}`,
      prefix === '' ? `by \`fraud.prices.${kind}\`` : `by +${prefix} of the rate sheet`,
    ]);
  }
  if (trace.contacts !== undefined)
    steps.push([
      'Phones, as the store says:',
      ...trace.contacts.map(
        ({ device, transport, until }) =>
          `${device} over ${transport} until ${new Date(until).toISOString()}`,
      ),
      ...(trace.contacts.length === 0 ? ['none is registered'] : []),
    ]);
  if (decision.verdict === 'accept')
    for (const trunk of trace.trunks) steps.push(trunkStep(trunk, trace.live));
  if (!trace.live)
    steps.push([
      'No edge runs from this data folder: health, registrations and calls that are up are unknown.',
    ]);
  return steps
    .map(([head, ...lines], i) =>
      [`${i + 1}. ${printable(head ?? '')}`, ...lines.map((line) => `   ${printable(line)}`)].join('\n'),
    )
    .join('\n');
}

function trunkStep(trunk: TracedTrunk, live: boolean): string[] {
  const { limits, full } = trunk;
  return [
    `Trunk ${trunk.trunk}: calls ${trunk.called} as ${trunk.caller}, encryption ${trunk.encryption}`,
    ...trunk.headers.map((rule) => `header: ${rule}`),
    ...trunk.targets.map(
      ({ target, priority, share }) =>
        `${target}, priority ${priority}, ${Math.round(share * 100)} % of its calls`,
    ),
    ...(trunk.health ?? []).map(
      ({ address, state, reason }) => `${address} is ${state}${reason === '' ? '' : ` (${reason})`}`,
    ),
    ...(trunk.health === undefined && trunk.watched && live ? ['health: nothing is known yet'] : []),
    ...(trunk.watched ? [] : ['health: not watched']),
    ...(trunk.registration === undefined ? [] : [`registration: ${trunk.registration}`]),
    ...(limits === undefined
      ? []
      : [`limits: ${JSON.stringify(limits)}${full === undefined ? '' : `, full (${full.what})`}`]),
  ];
}
