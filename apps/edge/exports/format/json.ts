import { eventJson } from '../../events/envelope.ts';
import type { Teller, Told } from './told.ts';

/** The object that docs/events.schema.json describes. */
export const json = ({ event, time, severity, sequence }: Told, { node }: Teller): string =>
  eventJson(event, time, severity, `"sequence":${sequence},"node":${JSON.stringify(node)},`);
