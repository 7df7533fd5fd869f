import type { EdgeEvent, Severity } from './types.ts';

/**
 * Version of the stream's description, docs/events.schema.json. New types and new optional fields leave it as it is;
 * it grows where a field goes away or changes its meaning.
 */
export const schemaVersion = 1;

const typeKey = '{"type":';

/**
 * One event as JSON, as the log and every export have it: the fields of the envelope, the type under the name
 * `event`, and then the event's own fields.
 *
 * `more` are further fields of the envelope, each with its comma behind it, such as `"sequence":7,`.
 */
export function eventJson(event: EdgeEvent, time: number, severity: Severity, more = ''): string {
  const head = `{"schema":${schemaVersion},"time":"${new Date(time).toISOString()}",${more}"severity":"${severity}","event":`;
  const json = JSON.stringify(event);
  if (json.startsWith(typeKey)) return `${head}${json.slice(typeKey.length)}`;
  const { type, ...fields } = event;
  return `${head}${JSON.stringify({ type, ...fields }).slice(typeKey.length)}`;
}
