import type { EdgeEvent, Severity } from '../../events/types.ts';

/** One event on its way out. */
export interface Told {
  readonly event: EdgeEvent;
  /** Unix ms. */
  readonly time: number;
  readonly severity: Severity;
  /** Counts what this export was to get, from 1: one that is missing was lost. */
  readonly sequence: number;
}

/** Who tells. */
export interface Teller {
  /** Name of the node. */
  readonly node: string;
  readonly version: string;
  readonly pid: number;
}

/** What most events have, by whatever name. */
export interface Common {
  readonly source?: { readonly ip: string; readonly port?: number };
  readonly user?: string;
  readonly domain?: string;
  readonly call?: string;
  /** The rule that decided, where one did. */
  readonly rule?: string;
  /** Was something refused? */
  readonly refused: boolean;
  /** In words. */
  readonly message: string;
}

type Fields = Readonly<Record<string, unknown>>;

const text = (value: unknown): string | undefined =>
  typeof value === 'string' && value !== '' ? value : undefined;

export function commonOf(event: EdgeEvent): Common {
  const fields = event as unknown as Fields;
  const decision = 'decision' in event ? event.decision : undefined;
  const reason = decision?.reasons[0];
  const source = socketOf(text(fields.source));
  const user = text(fields.username) ?? text(fields.user) ?? text(fields.caller);
  const domain = text(fields.domain);
  const call = text(fields.call);
  const rule = reason?.rule ?? text(fields.rule);
  const words =
    reason?.text ?? text(fields.sentence) ?? text(fields.detail) ?? text(fields.reason) ?? text(fields.why);
  return {
    ...(source === undefined ? {} : { source }),
    ...(user === undefined ? {} : { user }),
    ...(domain === undefined ? {} : { domain }),
    ...(call === undefined ? {} : { call }),
    ...(rule === undefined ? {} : { rule }),
    refused:
      (decision !== undefined && decision.verdict !== 'accept') ||
      event.type.endsWith('.refused') ||
      event.type.endsWith('.failed'),
    message: words === undefined ? event.type : `${event.type}: ${words}`,
  };
}

/** `192.0.2.1:5060`, `[2001:db8::1]:5060`, or an address alone. */
export function socketOf(socket: string | undefined): Common['source'] {
  if (socket === undefined) return undefined;
  const bracket = socket.startsWith('[') ? socket.indexOf(']') : -1;
  if (bracket > 0) {
    const port = Number(socket.slice(bracket + 2));
    return { ip: socket.slice(1, bracket), ...(port > 0 ? { port } : {}) };
  }
  const parts = socket.split(':');
  const port = Number(parts[1]);
  if (parts.length === 2 && parts[0] !== undefined && port > 0) return { ip: parts[0], port };
  return { ip: socket };
}
