import type { EdgeEvent, Severity } from '../events/types.ts';
import type { IncidentKind } from './types.ts';

/** What an event says to whoever gathers incidents. */
export interface Sign {
  /** It begins an incident of this kind where none is there that it belongs to; absent: it only joins one. */
  readonly opens?: IncidentKind;
  readonly severity: Severity;
  readonly domain?: string;
  /** As `sourceName` gives it. */
  readonly source?: string;
  /** The source may be forged: nothing is known but the socket that it claims, and nothing else may be acted upon. */
  readonly socket?: string;
  /** `alice@example.test`, or with `/desk` behind. */
  readonly account?: string;
  readonly call?: string;
  /** What joins the incident with it: others who are named in it may be innocent. Default: nobody. */
  readonly involves?: 'all' | 'call';
  /** Events of one rule against one domain belong together, whoever they come from. */
  readonly campaign?: string;
  readonly text: string;
  /** What was paid, and what was not, in hundredths of the currency. */
  readonly money?: { readonly currency: string; readonly lost: number; readonly saved: number };
}

/** These may begin an incident; all others matter only while there is one. */
export const opening: ReadonlySet<EdgeEvent['type']> = new Set([
  'threat.found',
  'call.tampering',
  'call.downgraded',
  'account.quarantined',
  'fraud.verdict',
]);

/**
 * The address of a source without its port, an IPv6 one as its /64: whoever has one address of it has all.
 * Undefined for what is no address.
 */
export function sourceName(text: string): string | undefined {
  const [, bracketed] = /^\[([0-9a-f:.]{2,45})\](?::\d{1,5})?$/i.exec(text) ?? [];
  if (bracketed !== undefined) return v6Name(bracketed);
  if (/^\d{1,3}(?:\.\d{1,3}){3}(?::\d{1,5})?$/.test(text)) return text.replace(/:\d+$/, '');
  if (/^[0-9a-f:]{2,39}(?:\/\d{1,3})?$/i.test(text) && text.includes(':')) return v6Name(text);
  return /^\d{1,3}(?:\.\d{1,3}){3}\/\d{1,2}$/.test(text) ? text : undefined;
}

function v6Name(text: string): string {
  const [address = '', bits] = text.split('/');
  if (bits !== undefined) return text.toLowerCase();
  const [head = '', tail] = address.toLowerCase().split('::');
  const before = head === '' ? [] : head.split(':');
  const after = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = tail === undefined ? 0 : Math.max(0, 8 - before.length - after.length);
  const groups = [...before, ...Array.from({ length: zeros }, () => '0'), ...after].slice(0, 4);
  return `${groups.map((group) => group.replace(/^0+(?=.)/, '')).join(':')}::/64`;
}

/** A name with a port: all that is known of a sender who may be forged. */
export const isSocket = (source: string): boolean => source.startsWith('[') || /^[0-9.]+:\d+$/.test(source);

/** Other rules of detection begin an incident of the kind `scan`. */
const kindOf: Readonly<Record<string, IncidentKind>> = {
  'brute-force': 'brute-force',
  'credential-stuffing': 'brute-force',
  'password-spraying': 'brute-force',
  'account-attacked': 'brute-force',
  'registration-hijack': 'registration-hijack',
  'impossible-travel': 'registration-hijack',
  flood: 'flood',
  surge: 'flood',
};

/** Of these there are too many on the internet for an incident each. */
const campaigns: ReadonlySet<IncidentKind> = new Set(['scan', 'brute-force', 'flood']);

const of = (source: string): string => sourceName(source) ?? source;

/** Undefined: the event is of no concern to any incident. */
export function signOf(event: EdgeEvent): Sign | undefined {
  switch (event.type) {
    case 'threat.found': {
      const { rule, source, account, domain, sentence, action } = event;
      const kind = kindOf[rule] ?? 'scan';
      const name = sourceName(source);
      return {
        // What is only watched is no incident; what nobody in particular does cannot be acted upon, and is one.
        ...(action === 'watch' && source !== '*' ? {} : { opens: kind, involves: 'all' as const }),
        ...(campaigns.has(kind) ? { campaign: `${rule}|${domain ?? ''}` } : {}),
        severity: action === 'watch' ? 'notice' : 'warning',
        ...(domain === undefined ? {} : { domain }),
        ...(name === undefined ? {} : isSocket(source) ? { socket: source } : { source: name }),
        ...(account === undefined || domain === undefined
          ? {}
          : { account: `${account.split('/')[0]}@${domain}` }),
        text: sentence,
      };
    }
    case 'ban.added':
      return {
        severity: 'notice',
        source: of(event.source),
        text: `${event.source} is not heard for ${span(event.seconds)} (${event.cause}, by ${event.by}).`,
      };
    case 'ban.lifted':
      return {
        severity: 'notice',
        source: of(event.source),
        text: `${event.source} is heard again (lifted by ${event.by}).`,
      };
    case 'ban.expired':
      return {
        severity: 'notice',
        source: of(event.source),
        text: `${event.source} is heard again: its ban has run out.`,
      };
    case 'authentication.failed':
      return {
        severity: 'notice',
        domain: event.domain,
        source: of(event.source),
        account: `${event.username}@${event.domain}`,
        text: `${of(event.source)} failed to sign in as ${event.username} (${event.reason}).`,
      };
    case 'admission.refused':
      return {
        severity: 'notice',
        source: of(event.source),
        text: `Messages of ${of(event.source)} are dropped at ${event.listener}: ${event.rule}.`,
      };
    case 'request.refused':
      return {
        severity: 'notice',
        source: of(event.source),
        text: `${event.method} of ${of(event.source)} to ${event.target} was refused${
          event.decision.reasons[0] === undefined ? '' : `: ${event.decision.reasons[0].text}`
        }`,
      };
    case 'registration.added':
      return {
        severity: 'notice',
        domain: event.domain,
        source: of(event.source),
        account: `${event.user}@${event.domain}`,
        text: `${event.device} of ${event.user} registered from ${of(event.source)} over ${event.transport}.`,
      };
    case 'account.quarantined':
      return {
        // A phone in a new place is no incident; what detection or a person has put aside is.
        ...(event.by === 'policy' || event.by.startsWith('incident')
          ? {}
          : { opens: 'compromised-device' as const, involves: 'all' as const }),
        severity: 'warning',
        domain: event.domain,
        account: `${event.user}@${event.domain}`,
        text: `${event.device} of ${event.user} is in quarantine: ${event.why}`,
      };
    case 'account.released':
      return {
        severity: 'notice',
        domain: event.domain,
        account: `${event.user}@${event.domain}`,
        text: `${event.device} of ${event.user} is out of quarantine.`,
      };
    case 'fraud.verdict': {
      const { account, domain, source, call, sentence, cost, perMinute, currency, action, rule } = event;
      const name = sourceName(source);
      // A number that is closed may be a slip; money that is gone is none.
      const grave = action === 'cut-off' || rule === 'fraud.spend-cap';
      return {
        ...(grave ? { opens: 'toll-fraud' as const, campaign: `fraud|${account}` } : {}),
        severity: 'warning',
        domain,
        ...(name === undefined ? {} : { source: name }),
        ...(account.startsWith('user:') ? { account: account.slice(5) } : {}),
        call,
        text: sentence,
        money: { currency, lost: Math.ceil(cost / 10_000), saved: Math.ceil(perMinute / 10_000) },
      };
    }
    case 'call.tampering':
      return {
        opens: 'eavesdropping',
        involves: 'call',
        severity: 'error',
        call: event.call,
        text: `Somebody may be in the middle of the call with ${event.party} (${event.kind}); ${outcomes[event.outcome]}.`,
      };
    case 'call.downgraded':
      return {
        opens: 'eavesdropping',
        involves: 'call',
        severity: 'warning',
        call: event.call,
        text: `A call in progress is protected no more as it was: ${event.sentence}`,
      };
    case 'call.started':
      return {
        severity: 'notice',
        involves: 'call',
        call: event.call,
        ...(accountOf(event.principal) === undefined ? {} : { account: accountOf(event.principal)! }),
        text: `${event.caller} calls ${event.callee} (${event.route}).`,
      };
    case 'call.ended':
      return {
        severity: 'notice',
        call: event.call,
        text: `The call ended after ${event.seconds} s (${event.cause}).`,
      };
    default:
      return undefined;
  }
}

const outcomes = {
  told: 'the call goes on',
  ended: 'the call was ended',
  refused: 'what was asked for was not done',
} as const;

/** `device:alice@example.test/desk` → `alice@example.test`. */
function accountOf(principal: string): string | undefined {
  if (!principal.startsWith('device:')) return undefined;
  const slash = principal.lastIndexOf('/');
  return principal.slice(7, slash < 0 ? undefined : slash);
}

export function span(seconds: number): string {
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172_800) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86_400)} days`;
}
