import type { QualityReport } from '@ringfence/rtp/quality-report.ts';
import type { Period } from '@ringfence/tariff/calendar.ts';
import type { Part } from '@ringfence/threat/evidence.ts';
import type { Rule } from '@ringfence/threat/rules.ts';
import type { ComparedBy } from '../call/zrtp-watch.ts';
import type { FraudAction, FraudPart } from '../fraud/gate.ts';
import type { CallCost } from '../fraud/toll.ts';
import type { Action, IncidentKind } from '../incidents/types.ts';
import type { Grade } from '../policy/grade.ts';
import type { TamperKind } from '../policy/known-peers.ts';
import type { LegProtection } from '../policy/protection.ts';
import type { Decision, Reason } from '../policy/types.ts';

export type Severity = 'error' | 'warning' | 'notice' | 'info' | 'debug';

/** What can be missing while the edge goes on; docs/failures.md has a line for each. */
export type TroubleKind =
  | 'ports'
  | 'descriptors'
  | 'disk'
  | 'clock'
  | 'dns'
  | 'certificate'
  | 'database'
  | 'ledger';

/** What speaks against a call that leaves by a trunk. Money in millionths of `currency`. */
export interface FraudFinding {
  readonly call: string;
  readonly domain: string;
  /** Who pays: `user:alice@example.test`, `trunk:pbx@example.test`. */
  readonly account: string;
  readonly number: string;
  readonly source: string;
  readonly trunk: string;
  readonly action: FraudAction;
  readonly rule: string;
  readonly sentence: string;
  readonly parts: readonly FraudPart[];
  /** What it has cost so far. */
  readonly cost: number;
  readonly perMinute: number;
  readonly currency: string;
}

/**
 * The one typed stream of events: log, database and, later, detection, ledger and console read this.
 * `type` is stable. Fields never hold secrets.
 */
export type EdgeEvent =
  | {
      readonly type: 'edge.ready';
      readonly listeners: readonly string[];
      readonly home: string;
      readonly version: string;
    }
  | {
      readonly type: 'edge.draining';
      readonly calls: number;
      readonly legs: number;
      readonly transactions: number;
      readonly seconds: number;
    }
  | { readonly type: 'edge.stopped'; readonly reason: string }
  /** The program on disk takes this one's place in the same process: `calls` go over, `ended` were being set up too long. */
  | { readonly type: 'edge.upgrading'; readonly calls: number; readonly ended: number }
  | { readonly type: 'edge.dangerous'; readonly key: string; readonly meaning: string }
  /** Something that the edge needs is missing; it goes on without, as docs/failures.md says. */
  | { readonly type: 'edge.trouble'; readonly what: TroubleKind; readonly detail: string }
  | { readonly type: 'edge.trouble-over'; readonly what: TroubleKind; readonly seconds: number }
  | { readonly type: 'edge.error'; readonly where: string; readonly detail: string }
  | {
      readonly type: 'config.reloaded';
      readonly what: 'configuration' | 'objects' | 'certificates';
      readonly detail: string;
    }
  | { readonly type: 'config.refused'; readonly detail: string }
  /** Somebody has had the running edge do something (`ringfence call end`, SIGHUP). */
  | {
      readonly type: 'administration.command';
      readonly command: string;
      /** What it was asked with, as JSON; secrets left out, 2,000 characters at most. */
      readonly what: string;
      /** Login name, as the asking program says; `signal` where the system tells no name. */
      readonly by: string;
      /** Stable code where it was not done; empty: it was. */
      readonly refused: string;
    }
  /** An administrator has ended a call. */
  | {
      readonly type: 'call.ended-by-hand';
      readonly call: string;
      readonly domain: string;
      readonly by: string;
    }
  | {
      readonly type: 'flow.opened';
      readonly flow: number;
      readonly listener: string;
      readonly source: string;
      readonly transport: string;
      readonly tls?: string;
      readonly group?: string;
    }
  | { readonly type: 'flow.closed'; readonly flow: number; readonly source: string; readonly reason: string }
  | {
      readonly type: 'admission.refused';
      readonly source: string;
      readonly listener: string;
      readonly rule: string;
      readonly count: number;
      readonly threshold: number;
    }
  /** A registered address has abused its rate: it has that of unknown sources for so long. */
  | {
      readonly type: 'admission.demoted';
      readonly source: string;
      readonly rule: string;
      /** Messages a second that it may send. */
      readonly threshold: number;
      readonly seconds: number;
    }
  /** More comes in than can be dealt with: the least trusted are heard no more. */
  | {
      readonly type: 'overload.began';
      /** Milliseconds that timers are late. */
      readonly delay: number;
      /** Percent of the time that the process works. */
      readonly busy: number;
      /** Percent of the fullest receive queue. */
      readonly queue: number;
    }
  | { readonly type: 'overload.over'; readonly seconds: number }
  /** An attack, as far as can be told: what speaks for it adds up to `bits`. */
  | {
      readonly type: 'threat.found';
      readonly rule: Rule;
      /** An address, a socket where the sender may be forged, or `*` for nobody in particular. */
      readonly source: string;
      readonly domain?: string;
      /** User, or user and device. */
      readonly account?: string;
      readonly bits: number;
      readonly threshold: number;
      readonly parts: readonly Part[];
      /** What is asked for; whether it was done, and why not, `ban.added`, `ban.refused` and `account.quarantined` say. */
      readonly action: 'watch' | 'ban' | 'quarantine';
      readonly sentence: string;
    }
  /** From now on nobody listens to that source. */
  | {
      readonly type: 'ban.added';
      /** An address, a block, or a socket. */
      readonly source: string;
      readonly scope: 'source' | 'network' | 'socket';
      readonly cause: string;
      readonly rule: string;
      readonly evidence: Readonly<Record<string, string | number | boolean>>;
      /** `detection`, `administrator`, `feed:NAME` */
      readonly by: string;
      readonly seconds: number;
      /** How many times this source has been banned, with this one. */
      readonly times: number;
    }
  | {
      readonly type: 'ban.lifted';
      readonly source: string;
      readonly cause: string;
      readonly rule: string;
      readonly by: string;
    }
  | {
      readonly type: 'ban.expired';
      readonly source: string;
      readonly cause: string;
      readonly rule: string;
    }
  /** A list of attackers was read; `skipped` entries are none that may be banned, or too many. */
  | {
      readonly type: 'feed.loaded';
      readonly feed: string;
      readonly addresses: number;
      readonly skipped: number;
    }
  /** A list of attackers could not be read; `stale`: what it had holds no more. */
  | { readonly type: 'feed.failed'; readonly feed: string; readonly detail: string; readonly stale: boolean }
  /** The kernel has begun to drop what banned sources send, or does not any more: then the edge does. */
  | { readonly type: 'ban.kernel'; readonly on: boolean; readonly detail: string }
  /** A ban was asked for and not made: whom it would have hit must never be banned, or may not have sent that. */
  | {
      readonly type: 'ban.refused';
      readonly source: string;
      readonly cause: string;
      /** Why not, e.g. `ban.protected-trunk`. */
      readonly rule: string;
      readonly text: string;
      readonly by: string;
    }
  | {
      readonly type: 'message.malformed';
      readonly source: string;
      readonly listener: string;
      readonly code: string;
      readonly detail: string;
      /** Id of the virtual patch for what this looks like. */
      readonly patch?: string;
    }
  /** A request would have used a known hole of a system behind the edge (docs/patches.md). */
  | {
      readonly type: 'patch.blocked';
      readonly patch: string;
      readonly cve: readonly string[];
      readonly title: string;
      readonly source: string;
      readonly listener: string;
      readonly domain: string;
      readonly method: string;
      readonly target: string;
      readonly decision: Decision;
    }
  /** A system behind the edge has said what it is; `patches` are on for its sake. */
  | {
      readonly type: 'patches.changed';
      readonly owner: string;
      readonly domain: string;
      readonly product: string;
      /** Empty where it does not say. */
      readonly version: string;
      readonly patches: readonly string[];
    }
  | {
      readonly type: 'request.challenged';
      readonly source: string;
      readonly method: string;
      readonly target: string;
      readonly stale: boolean;
    }
  | {
      readonly type: 'request.refused';
      readonly source: string;
      readonly method: string;
      readonly caller: string;
      readonly target: string;
      readonly decision: Decision;
    }
  | {
      readonly type: 'authentication.failed';
      readonly source: string;
      readonly username: string;
      readonly domain: string;
      readonly reason: string;
    }
  | {
      readonly type:
        | 'registration.added'
        | 'registration.refreshed'
        | 'registration.removed'
        | 'registration.expired';
      readonly user: string;
      readonly domain: string;
      readonly device: string;
      readonly contact: string;
      readonly source: string;
      readonly transport: string;
      readonly expires: number;
    }
  /** A phone, or with an empty `device` a whole account, was put aside: it reaches emergency numbers and the help desk. */
  | {
      readonly type: 'account.quarantined';
      readonly domain: string;
      readonly user: string;
      readonly device: string;
      /** Where; empty: everywhere. */
      readonly network: string;
      /** What it says that it is. */
      readonly phone: string;
      /** `policy`, an administrator, a rule of detection. */
      readonly by: string;
      readonly why: string;
      readonly evidence: Readonly<Record<string, string | number | boolean>>;
      /** Unix ms; absent: until somebody releases or confirms it. */
      readonly until?: number;
    }
  | {
      readonly type: 'account.released';
      readonly domain: string;
      readonly user: string;
      readonly device: string;
      readonly by: string;
    }
  /** A place of a phone is known from now on. */
  | {
      readonly type: 'account.confirmed';
      readonly domain: string;
      readonly user: string;
      readonly device: string;
      readonly network: string;
      readonly phone: string;
      /** `code`, `passkey`, `recovery`, `mail`, `first use`, an administrator. */
      readonly by: string;
    }
  /** Somebody has signed in to the account page with the password of that device. */
  | {
      readonly type: 'account.signed-in';
      readonly domain: string;
      readonly user: string;
      readonly device: string;
      readonly source: string;
    }
  /** What a user confirms phones with has changed. */
  | {
      readonly type: 'account.factor-added' | 'account.factor-removed';
      readonly domain: string;
      readonly user: string;
      readonly factor: 'totp' | 'passkey' | 'recovery';
      readonly label: string;
      /** What allowed it: `known place`, `mail`, `invite`, `code`, `passkey`, `recovery`, an administrator. */
      readonly by: string;
      /** Empty where an administrator did it. */
      readonly source: string;
    }
  /** A code or passkey did not hold. `locked`: no more are looked at for `seconds`. */
  | {
      readonly type: 'account.factor-refused';
      readonly domain: string;
      readonly user: string;
      readonly factor: 'code' | 'passkey' | 'invite';
      readonly reason: 'wrong' | 'replayed' | 'locked';
      readonly seconds: number;
      readonly source: string;
    }
  /** An administrator has made a code by which the user may set up a first factor. */
  | {
      readonly type: 'account.invited';
      readonly domain: string;
      readonly user: string;
      readonly by: string;
      /** Unix ms. */
      readonly until: number;
    }
  /** A link that confirms a phone, or lets a factor be set up, is on its way to the user. */
  | {
      readonly type: 'account.link-sent';
      readonly domain: string;
      readonly user: string;
      readonly purpose: 'confirm' | 'enrol';
    }
  | {
      readonly type: 'trunk.registered';
      readonly owner: string;
      readonly registrar: string;
      /** Seconds granted. */
      readonly expires: number;
    }
  | { readonly type: 'trunk.unregistered'; readonly owner: string; readonly registrar: string }
  | {
      readonly type: 'trunk.registration-failed';
      readonly owner: string;
      readonly registrar: string;
      /** A status, `timeout`, `transport`, `not-found`, or `not-kept`. */
      readonly reason: string;
    }
  | {
      readonly type: 'target.quarantined' | 'target.recovered';
      /** e.g. `trunk:carrier@example.test` */
      readonly owner: string;
      /** Transport, address and port. */
      readonly target: string;
      /** `timeout`, `transport`, or the status. */
      readonly reason: string;
    }
  | {
      readonly type: 'call.started';
      readonly call: string;
      readonly domain: string;
      readonly caller: string;
      readonly callee: string;
      readonly principal: string;
      readonly route: string;
      readonly decision: Decision;
    }
  /** A call from a trunk shows a number that may not be the caller's; `action` says what became of it. */
  | {
      readonly type: 'caller.doubted';
      readonly domain: string;
      readonly trunk: string;
      readonly source: string;
      readonly number: string;
      readonly called: string;
      readonly action: 'pass' | 'label' | 'block';
      readonly reasons: readonly Reason[];
    }
  /** A call that leaves by a trunk was refused (`block`, `challenge`) or ended (`cut-off`). */
  | ({ readonly type: 'fraud.verdict' } & FraudFinding)
  /** A call that leaves by a trunk was let pass though something speaks against it. */
  | ({ readonly type: 'fraud.watched' } & FraudFinding)
  /** So many percent of a cap are spent, or set aside by calls in progress. Money in millionths of `currency`. */
  | {
      readonly type: 'spend.warning';
      readonly account: string;
      readonly domain: string;
      readonly period: Period;
      readonly percent: number;
      readonly cap: number;
      readonly spent: number;
      readonly currency: string;
      readonly sentence: string;
    }
  /** A cap is spent: calls are refused or ended until the period is over or somebody raises it. */
  | {
      readonly type: 'spend.exhausted';
      readonly account: string;
      readonly domain: string;
      readonly period: Period;
      readonly cap: number;
      readonly spent: number;
      readonly currency: string;
      readonly sentence: string;
    }
  /** An administrator lets a number, an account or a domain pass for a time, whatever speaks against it. */
  | {
      readonly type: 'fraud.lifted';
      readonly what: 'number' | 'account' | 'domain';
      readonly value: string;
      /** Unix ms. */
      readonly until: number;
      readonly by: string;
    }
  /** A rule about the behaviour of accounts has another mode; `forced`: though it would have stopped too many calls. */
  | {
      readonly type: 'fraud.rule-changed';
      readonly domain: string;
      readonly rule: string;
      readonly from: string;
      readonly to: string;
      readonly forced: boolean;
      /** Calls that it was tried on, and those that it would have stopped. */
      readonly calls: number;
      readonly wouldStop: number;
      readonly by: string;
    }
  | {
      readonly type: 'fraud.lift-ended';
      readonly what: 'number' | 'account' | 'domain';
      readonly value: string;
      readonly by: string;
    }
  /** A called phone sends the call on; `decision` says whether it goes there, and why. */
  | {
      readonly type: 'call.forwarded';
      readonly call: string;
      readonly by: string;
      readonly to: string;
      readonly decision: Decision;
    }
  | { readonly type: 'call.ringing'; readonly call: string; readonly party: string }
  | {
      readonly type: 'call.answered';
      readonly call: string;
      readonly grade: Grade;
      /** Who could listen. */
      readonly sentence: string;
      /** How long a recording of it stays secret. */
      readonly detail: string;
      readonly protection: readonly LegProtection[];
    }
  | {
      readonly type: 'call.protection';
      readonly call: string;
      /** As it is now. */
      readonly grade: Grade;
      /** Who could listen, over the whole call so far. */
      readonly sentence: string;
      readonly detail: string;
      readonly protection: readonly LegProtection[];
    }
  /** Somebody may be in the middle. `refused`: what was asked for was not done; `ended`: the call was, by policy. */
  | {
      readonly type: 'call.tampering';
      readonly call: string;
      readonly leg: number;
      readonly party: string;
      readonly kind: TamperKind;
      readonly evidence: Readonly<Record<string, string | number>>;
      readonly outcome: 'told' | 'ended' | 'refused';
    }
  /** A call in progress has become less protected than it ever was. */
  | {
      readonly type: 'call.downgraded';
      readonly call: string;
      readonly from: Grade;
      readonly to: Grade;
      readonly sentence: string;
    }
  | {
      readonly type: 'call.ended';
      readonly call: string;
      readonly domain: string;
      readonly caller: string;
      readonly callee: string;
      /** Who called, and by which route: as in `call.started`. */
      readonly principal: string;
      readonly route: string;
      /** Who answered, or was tried last; absent where nobody was. */
      readonly partner?: string;
      /** From the INVITE to the first ringing, answer or refusal (session request delay, RFC 6076 §4.3). */
      readonly delayMs: number;
      readonly disposition: string;
      readonly status: number;
      readonly cause: string;
      readonly seconds: number;
      readonly quality: readonly unknown[];
      /** Absent where it left by no trunk that has a price. */
      readonly cost?: CallCost;
      /** The worst of its life; absent where nobody answered. */
      readonly grade?: Grade;
      readonly sentence?: string;
    }
  /** A party has answered our BYE after so long (session disconnect delay, RFC 6076 §4.4). */
  | {
      readonly type: 'call.disconnected';
      readonly party: string;
      readonly status: number;
      readonly milliseconds: number;
    }
  /** After the death of the media process: both sides have taken new ports and keys. */
  | { readonly type: 'call.media-recovered'; readonly call: string; readonly milliseconds: number }
  /** Who records a call, by whose wish, and why it was allowed, refused or has ended. */
  | {
      readonly type:
        | 'recording.started'
        | 'recording.paused'
        | 'recording.resumed'
        | 'recording.stopped'
        | 'recording.refused'
        | 'recording.failed';
      readonly call: string;
      readonly recorder: string;
      readonly by: string;
      readonly why: string;
    }
  /** A phone has published what it has measured of a call (RFC 6035). */
  | ({
      readonly type: 'call.quality-report';
      readonly domain: string;
      readonly user: string;
      readonly device: string;
    } & QualityReport)
  /** A key was pressed; which one is told to the other side of the call alone. */
  | { readonly type: 'call.dtmf'; readonly call: string; readonly leg: number; readonly by: 'info' | 'rtp' }
  | { readonly type: 'call.one-way'; readonly call: string; readonly leg: number; readonly seconds: number }
  | {
      readonly type: 'media.refused';
      readonly call: string;
      readonly leg: number;
      readonly reason: string;
      readonly count: number;
    }
  /** A handshake for keys came to nothing: no media passes on that stream. */
  | {
      readonly type: 'media.unsecured';
      readonly call: string;
      readonly leg: number;
      readonly by: 'dtls' | 'zrtp';
      readonly reason: string;
      readonly detail: string;
    }
  /** ZRTP has gone from end to end, and this end has keys: whoever is not one of the two cannot listen. */
  | {
      readonly type: 'zrtp.passed';
      readonly call: string;
      readonly leg: number;
      readonly party: string;
      /** Hexadecimal. */
      readonly zid: string;
      /** The Hello is the one that signalling has named; absent where it named none. */
      readonly helloMatches?: boolean;
    }
  /** Keys by ZRTP between this party and the edge. */
  | {
      readonly type: 'zrtp.secured';
      readonly call: string;
      readonly leg: number;
      readonly party: string;
      readonly zid: string;
      /** What its user sees; so does the record of the call. */
      readonly sas: string;
      readonly sasType: string;
      readonly continuity: 'new' | 'continued' | 'mismatch';
      readonly verified: boolean;
      /** Its phone has enrolled with the edge as its trusted PBX. */
      readonly enrolled?: true;
      readonly cipher: string;
      readonly group: string;
    }
  /** A phone that has enrolled shows this string from now on, which is that of the other side. */
  | {
      readonly type: 'zrtp.sas-relayed';
      readonly call: string;
      readonly leg: number;
      readonly party: string;
      /** Of the other side; its own where that has none any more. */
      readonly sas: string;
    }
  /** A person has found both short authentication strings to be the same, and said so. */
  | {
      readonly type: 'zrtp.sas-confirmed';
      readonly call: string;
      readonly leg: number;
      readonly party: string;
      readonly sas: string;
      readonly by: ComparedBy;
    }
  /** ZRTP is demanded of this party and did not come: the call was ended. 0 seconds: it failed. */
  | {
      readonly type: 'zrtp.missing';
      readonly call: string;
      readonly leg: number;
      readonly party: string;
      readonly seconds: number;
    }
  | { readonly type: 'media.down'; readonly reason: string; readonly calls: number }
  | { readonly type: 'media.up'; readonly threads: number }
  | {
      readonly type: 'media.instance';
      readonly instance: string;
      readonly state: 'up' | 'down';
      readonly reason: string;
      readonly streams: number;
    }
  | { readonly type: 'media.lost'; readonly call: string; readonly leg: number; readonly reason: string }
  /** A receiver of exports does not take what it should; it waits, within its bounds. */
  | { readonly type: 'export.failing'; readonly export: string; readonly to: string; readonly reason: string }
  /** It takes again. `lost`: what the bounds have pushed out meanwhile. */
  | { readonly type: 'export.recovered'; readonly export: string; readonly to: string; readonly lost: number }
  /** Somebody is to be told of something; `title` is its last event in one line. */
  | {
      readonly type: 'alert.raised';
      readonly alert: string;
      readonly rule: string;
      readonly title: string;
      readonly domain?: string;
    }
  | {
      readonly type: 'alert.acknowledged';
      readonly alert: string;
      readonly rule: string;
      readonly by: string;
    }
  /** A way to reach people does not work; what is for it waits on disk. */
  | { readonly type: 'alert.channel-failing'; readonly channel: string; readonly reason: string }
  | { readonly type: 'alert.channel-recovered'; readonly channel: string }
  /** Messages that the bounds have pushed out before anybody had them. */
  | { readonly type: 'alert.lost'; readonly count: number }
  /** Calls of the process before go on (`calls`), or are over (`interrupted`); `pid` is the media process. */
  | {
      readonly type: 'edge.taken-over';
      readonly calls: number;
      readonly interrupted: number;
      readonly pid: number;
      readonly milliseconds: number;
    }
  /** Related events have become an incident; `weight` is the worst of them. */
  | {
      readonly type: 'incident.opened';
      readonly incident: string;
      readonly kind: IncidentKind;
      readonly weight: Severity;
      readonly title: string;
      /** Absent where it concerns several tenants, or none. */
      readonly domain?: string;
    }
  /** A step of its playbook was done, approved, rejected or taken back; or it waits for an administrator. */
  | {
      readonly type: 'incident.step' | 'incident.waiting';
      readonly incident: string;
      readonly kind: IncidentKind;
      readonly action: Action;
      readonly text: string;
      readonly domain?: string;
    }
  | {
      readonly type: 'incident.closed';
      readonly incident: string;
      readonly kind: IncidentKind;
      readonly by: string;
      readonly domain?: string;
    };

export type EdgeEventType = EdgeEvent['type'];
/** Hears of an event, when it happened (Unix ms) and how much it matters. */
export type Subscriber = (event: EdgeEvent, time: number, severity: Severity) => void;
