import type { Configuration } from '../config/schema.ts';
import type { Stamped } from './types.ts';

/** Writes events to a stream, one a line: JSON for machines, a short sentence for people. */
export function eventWriter(
  format: Exclude<Configuration['log']['format'], 'auto'>,
  write: (line: string) => void,
): (event: Stamped) => void {
  if (format === 'json')
    return ({ time, severity, type, ...fields }) =>
      write(`${JSON.stringify({ time: new Date(time).toISOString(), severity, event: type, ...fields })}\n`);
  return (event) => write(`${textOf(event)}\n`);
}

function textOf({ time, severity, type, ...fields }: Stamped): string {
  const clock = new Date(time).toISOString().slice(11, 23);
  let text = `${clock} ${severity.padEnd(7)} ${type}`;
  for (const [name, value] of Object.entries(fields)) {
    if (value === undefined || name === 'decision') continue;
    text += ` ${name}=${typeof value === 'string' ? quote(value) : JSON.stringify(value)}`;
  }
  if ('decision' in fields) {
    const { decision } = fields;
    text += ` verdict=${decision.verdict}`;
    if (decision.verdict === 'refuse') text += ` status=${decision.status} cause=${decision.cause}`;
    const why = decision.reasons[0];
    if (why !== undefined) text += ` rule=${why.rule} why=${quote(why.text)}`;
  }
  return text;
}

/** What came from outside cannot break the line or colour the terminal. */
const quote = (text: string): string => {
  const json = JSON.stringify(text);
  return json.includes(' ') || json.includes('\\') || text === '' ? json : text;
};
