import type { Severity } from '../events/types.ts';
import type { Alert, Delivery, NoticeKind } from './alert.ts';

const kinds: Readonly<Record<NoticeKind, string>> = {
  raised: '',
  repeated: 'still: ',
  escalated: 'nobody has acknowledged: ',
  over: 'over: ',
};
const order: readonly Severity[] = ['error', 'warning', 'notice', 'info', 'debug'];
/** What helps to understand an alert, where its event has it. */
const shown = [
  'domain',
  'user',
  'username',
  'device',
  'source',
  'owner',
  'target',
  'call',
  'party',
  'listener',
];

/** `error: edge.trouble: no more ports`; of several the gravest, and how many more. */
export function subjectOf(deliveries: readonly Delivery[]): string {
  const gravest = gravestOf(deliveries);
  if (gravest === undefined) return 'Ringfence';
  const more = deliveries.length - 1;
  return `${line(gravest)}${more === 0 ? '' : ` (and ${more} more)`}`;
}

export function gravestOf(deliveries: readonly Delivery[]): Delivery | undefined {
  return [...deliveries].sort((a, b) => order.indexOf(a.alert.severity) - order.indexOf(b.alert.severity))[0];
}

export const line = ({ kind, alert }: Delivery): string =>
  `${alert.severity}: ${kinds[kind]}${oneLine(alert.title)}`;

/** A paragraph for each alert, for people. */
export function textOf(deliveries: readonly Delivery[], node: string): string {
  const parts = deliveries.map((delivery) => {
    const { alert } = delivery;
    const facts = shown.flatMap((name) => {
      const value = alert.event[name];
      return typeof value === 'string' && value !== '' ? [`  ${name}: ${oneLine(value)}`] : [];
    });
    return [line(delivery), `  ${timesOf(alert)}`, ...facts, `  alert: ${alert.id}`].join('\n');
  });
  return `${parts.join('\n\n')}\n\nNode ${node}. Nobody else is called once somebody says: ringfence alert ack ID\n`;
}

function timesOf({ count, firstAt, lastAt }: Alert): string {
  const first = new Date(firstAt).toISOString();
  return count === 1 ? `at ${first}` : `${count} times from ${first} to ${new Date(lastAt).toISOString()}`;
}

/** What came from outside cannot make lines of its own. */
const oneLine = (text: string): string =>
  [...text.slice(0, 500)]
    .map((c) => (c < ' ' || c === '\u007f' || c === '\u2028' || c === '\u2029' ? ' ' : c))
    .join('');
