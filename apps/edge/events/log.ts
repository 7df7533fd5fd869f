import { untilNext } from '@ringfence/bytes/moment.ts';
import type { Configuration } from '../config/schema.ts';
import { severityRank } from './bus.ts';
import { eventJson } from './envelope.ts';
import type { EdgeEvent, Severity, Subscriber } from './types.ts';

/** Lines are gathered to the next multiple of this into one write; a notice and what is graver is written at once. */
const gatherMs = 50;
/** Characters that are never held back. */
const mostHeld = 64 * 1024;

/** Writes events, one a line: JSON for machines, a short sentence for people. */
export class EventLog {
  readonly #write: (lines: string) => void;
  readonly #line: (event: EdgeEvent, time: number, severity: Severity) => string;
  #held = '';
  #timer: NodeJS.Timeout | undefined;

  /** `write` gets whole lines, with their ends. */
  constructor(format: Exclude<Configuration['log']['format'], 'auto'>, write: (lines: string) => void) {
    this.#write = write;
    this.#line = format === 'json' ? jsonLine : textLine;
  }

  readonly subscriber: Subscriber = (event, time, severity) => {
    this.#held += this.#line(event, time, severity);
    if (severityRank[severity] <= severityRank.notice || this.#held.length > mostHeld) this.flush();
    else this.#timer ??= setTimeout(() => this.flush(), untilNext(performance.now(), gatherMs));
  };

  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#held === '') return;
    const lines = this.#held;
    this.#held = '';
    this.#write(lines);
  }
}

const jsonLine = (event: EdgeEvent, time: number, severity: Severity): string =>
  `${eventJson(event, time, severity)}\n`;

function textLine({ type, ...fields }: EdgeEvent, time: number, severity: Severity): string {
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
  return `${text}\n`;
}

/** What came from outside cannot break the line or colour the terminal. */
const quote = (text: string): string => {
  const json = JSON.stringify(text);
  return json.includes(' ') || json.includes('\\') || text === '' ? json : text;
};
