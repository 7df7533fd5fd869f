import type { AlertRule, AlertSettings } from '../config/alerts.ts';
import { severityRank } from '../events/bus.ts';
import type { EdgeEvent, Severity } from '../events/types.ts';

type Fields = Readonly<Record<string, unknown>>;

/** What makes two events one alert, where a rule names nothing. */
const usualGroup = [
  'domain',
  'user',
  'username',
  'account',
  'device',
  'source',
  'owner',
  'target',
  'what',
  'where',
  'export',
  'key',
  'rule',
  'party',
];

/** Attacks, and protection that goes away: told without anybody having to name them. */
const usualSecurity = [
  'account.quarantined',
  'threat.found',
  'call.tampering',
  'fraud.verdict',
  'spend.warning',
  'spend.exhausted',
  'call.downgraded',
  'zrtp.tampering',
  'zrtp.missing',
  'media.unsecured',
  'target.quarantined',
  'trunk.registration-failed',
  'export.failing',
];

/** The rules of a configuration; the usual ones where it has none. */
export function rulesOf({ rules, channels }: AlertSettings): readonly AlertRule[] {
  if (rules.length > 0) return rules;
  const names = channels.map(({ name }) => name);
  const usual = { where: [], groupBy: [], repeatMinutes: 60, channels: names, escalate: [] };
  return [
    { ...usual, name: 'errors', events: [], level: 'error' },
    { ...usual, name: 'security', events: usualSecurity, level: 'warning' },
  ];
}

export class Rule {
  readonly settings: AlertRule;
  readonly #rank: number;
  readonly #types: ReadonlySet<string>;
  readonly #families: ReadonlySet<string>;

  constructor(settings: AlertRule) {
    this.settings = settings;
    this.#rank = severityRank[settings.level];
    this.#types = new Set(settings.events.filter((pattern) => !pattern.endsWith('.*')));
    this.#families = new Set(
      settings.events.filter((pattern) => pattern.endsWith('.*')).map((pattern) => pattern.slice(0, -2)),
    );
  }

  matches(event: EdgeEvent, severity: Severity): boolean {
    if (severityRank[severity] > this.#rank) return false;
    const { events, where } = this.settings;
    if (
      events.length > 0 &&
      !this.#types.has(event.type) &&
      !this.#families.has(event.type.split('.', 1)[0] ?? '')
    )
      return false;
    const fields = event as unknown as Fields;
    return where.every(({ field, is }) =>
      is.includes(String(Object.hasOwn(fields, field) ? fields[field] : '')),
    );
  }

  /** Events with the same key are one alert. */
  keyOf(event: EdgeEvent): string {
    const { groupBy, name } = this.settings;
    const fields = event as unknown as Fields;
    const parts: (readonly [string, string])[] = [];
    for (const field of groupBy.length > 0 ? groupBy : usualGroup) {
      const value = fields[field];
      if (typeof value !== 'string' && typeof value !== 'number') continue;
      parts.push([field, field === 'source' ? withoutPort(String(value)) : String(value).slice(0, 200)]);
    }
    return JSON.stringify([name, event.type, parts]);
  }
}

/** `192.0.2.1:5060` and `[2001:db8::1]:5060`; an address alone stays as it is. */
function withoutPort(socket: string): string {
  if (socket.startsWith('[')) return socket.slice(1, socket.indexOf(']'));
  const parts = socket.split(':');
  return parts.length === 2 && parts[0] !== undefined ? parts[0] : socket;
}

/** What ends what, and the fields that say that it is the same thing. */
const ends: Readonly<Record<string, readonly [begins: string, fields: readonly string[]]>> = {
  'edge.trouble-over': ['edge.trouble', ['what']],
  'target.recovered': ['target.quarantined', ['owner', 'target']],
  'trunk.registered': ['trunk.registration-failed', ['owner']],
  'media.up': ['media.down', []],
  'export.recovered': ['export.failing', ['export']],
  'account.released': ['account.quarantined', ['domain', 'user', 'device']],
  'account.confirmed': ['account.quarantined', ['domain', 'user', 'device']],
};

/** True where `event` says that what `begun` has told is over. */
export function isEndOf(event: EdgeEvent, begun: Fields): boolean {
  const [type, fields] = ends[event.type] ?? [];
  if (type === undefined || begun.type !== type) return false;
  const now = event as unknown as Fields;
  return fields?.every((field) => now[field] === begun[field]) === true;
}

export const mayEnd = (type: string): boolean => Object.hasOwn(ends, type);
