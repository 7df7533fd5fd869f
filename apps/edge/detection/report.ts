import { BoundedMap } from '@ringfence/bytes/bounded-map.ts';
import type { Finding, Rule } from '@ringfence/threat/rules.ts';
import type { BanProposal } from '../admission/bans/types.ts';
import type { DetectionSettings } from '../config/detection.ts';
import type { EventBus } from '../events/bus.ts';

/** Whom a finding is about. */
export interface Suspect {
  /** An address, a socket where the sender may be forged, or `*` for nobody in particular. */
  readonly source: string;
  /** The sender of what was seen may be forged. */
  readonly spoofable: boolean;
  readonly domain?: string;
  readonly user?: string;
  readonly device?: string;
}

/** What was found lately, for lists. */
export interface RecentFinding extends Finding {
  readonly source: string;
  readonly domain?: string;
  readonly account?: string;
  readonly action: 'watch' | 'ban' | 'quarantine';
  readonly sentence: string;
  /** Unix ms. */
  readonly first: number;
  readonly last: number;
  readonly times: number;
  /** When the last event told of it. */
  readonly told: number;
}

export interface QuarantineOrder {
  readonly domain: string;
  readonly user: string;
  readonly device?: string;
  readonly why: string;
  readonly by: string;
  readonly evidence: Readonly<Record<string, string | number | boolean>>;
}

export interface ReportParts {
  readonly bus: EventBus;
  now(): number;
  settings(): DetectionSettings;
  /** Asks that nobody listens to a source. */
  ban(proposal: BanProposal): void;
  /** Asks that an account may call for help, and nothing else. */
  quarantine(order: QuarantineOrder): void;
}

const remembered = 500;
const rememberedSpoofable = 100;
/** Findings told in a second; forged senders have a bound of their own, so that they hide nobody. */
const toldPerSecond = 100;
const toldSpoofable = 10;
/** The same of the same is told again after so long. */
const retellMs = 60_000;
/** An address with its port. */
const socket = /^(?:[0-9.]+|\[[0-9a-f:.%]+\]):[0-9]+$/i;
const accountRules: ReadonlySet<Rule> = new Set(['registration-hijack', 'impossible-travel']);

const says: Readonly<Record<Rule, (who: string) => string>> = {
  scanner: (who) => `${who} looks for phone systems with a scanning tool.`,
  enumeration: (who) => `${who} tries out which extensions exist.`,
  'brute-force': (who) => `${who} guesses passwords.`,
  'credential-stuffing': (who) => `${who} tries passwords on many accounts.`,
  'password-spraying': () => 'Somebody tries few passwords on many accounts, from many addresses.',
  'account-attacked': (who) => `The password of ${who} is guessed from many addresses.`,
  'registration-hijack': (who) => `Somebody else seems to have registered as ${who}.`,
  'impossible-travel': (who) => `${who} is registered from two places that are too far apart.`,
  flood: (who) => `${who} floods the edge with requests.`,
  surge: () => 'All traffic together has changed suddenly.',
  honeypot: (who) => `${who} used a name or number that nobody has.`,
};

/** Tells of findings, remembers the latest, and has done about them what the rules say. */
export class FindingReport {
  readonly #parts: ReportParts;
  readonly #recent = new BoundedMap<string, RecentFinding>({ capacity: remembered });
  readonly #forged = new BoundedMap<string, RecentFinding>({ capacity: rememberedSpoofable });
  #second = 0;
  #told = 0;
  #toldForged = 0;
  /** Findings since the start that were not told one by one. */
  untold = 0;

  constructor(parts: ReportParts) {
    this.#parts = parts;
  }

  /** Latest first. */
  recent(): RecentFinding[] {
    return [...this.#recent.values(), ...this.#forged.values()].sort((a, b) => b.last - a.last);
  }

  take(finding: Finding, suspect: Suspect): void {
    const { rules } = this.#parts.settings();
    const set = rules[finding.rule];
    if (set === 'off') return;
    if (!this.#mayTell(suspect.spoofable)) {
      this.untold += 1;
      return;
    }
    const { source, domain, user, device } = suspect;
    const account = user === undefined ? undefined : `${user}${device === undefined ? '' : `/${device}`}`;
    const who = account !== undefined && source !== '' ? `${account}@${domain}` : source;
    const sentence = says[finding.rule](finding.rule === 'honeypot' && account === undefined ? source : who);
    const action = set === 'watch' ? 'watch' : this.#actionOn(finding.rule, suspect);
    const named = {
      ...finding,
      source,
      ...(domain === undefined ? {} : { domain }),
      ...(account === undefined ? {} : { account }),
      action,
      sentence,
    };
    if (!this.#remember(named, suspect.spoofable)) return;
    // Before anybody who hears of it asks for the same ban with less evidence.
    if (action === 'ban') this.#ban(finding, suspect);
    this.#parts.bus.emit({ type: 'threat.found', ...named });
    if (action === 'quarantine' && domain !== undefined && user !== undefined)
      this.#parts.quarantine({
        domain,
        user,
        ...(device === undefined ? {} : { device }),
        why: sentence,
        by: 'detection',
        evidence: evidenceOf(finding),
      });
  }

  #actionOn(rule: Rule, { source, spoofable, user, device }: Suspect): 'watch' | 'ban' | 'quarantine' {
    // Of who may be forged a socket is silenced, and here none is known: what comes is dropped anyway.
    if (spoofable && !socket.test(source)) return 'watch';
    if (user !== undefined && (device !== undefined || accountRules.has(rule))) return 'quarantine';
    return source === '*' || source === '' || user !== undefined ? 'watch' : 'ban';
  }

  #ban(finding: Finding, { source, spoofable }: Suspect): void {
    this.#parts.ban({
      source,
      cause: finding.rule,
      rule: `threat.${finding.rule}`,
      evidence: evidenceOf(finding),
      spoofable,
      by: 'detection',
    });
  }

  /** False where it was told lately: it only counts. */
  #remember(finding: Omit<RecentFinding, 'first' | 'last' | 'times' | 'told'>, forged: boolean): boolean {
    const map = forged ? this.#forged : this.#recent;
    const key = `${finding.rule} ${finding.source} ${finding.domain ?? ''} ${finding.account ?? ''}`;
    const before = map.get(key);
    const now = this.#parts.now();
    const again = before === undefined || now - before.told >= retellMs;
    map.set(key, {
      ...finding,
      first: before?.first ?? now,
      last: now,
      times: (before?.times ?? 0) + 1,
      told: again ? now : before.told,
    });
    return again;
  }

  #mayTell(forged: boolean): boolean {
    const second = Math.floor(this.#parts.now() / 1000);
    if (second !== this.#second) {
      this.#second = second;
      this.#told = 0;
      this.#toldForged = 0;
    }
    if (forged) return ++this.#toldForged <= toldSpoofable;
    return ++this.#told <= toldPerSecond;
  }
}

/** As bans and quarantines carry it: the sum, the bound, and each sentence with its bits. */
const evidenceOf = ({ bits, threshold, parts }: Finding): Record<string, string | number> => ({
  bits,
  threshold,
  ...Object.fromEntries(parts.map(({ text, bits: each }, i) => [`part${i + 1}`, `${each}: ${text}`])),
});
