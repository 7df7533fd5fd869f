import type { Ban } from '../admission/bans/types.ts';
import type { Incident } from '../incidents/types.ts';
import type { Objects } from '../objects/types.ts';
import type { KnownPeer } from '../policy/known-peers.ts';
import type { AccountRow } from './account-rows.ts';
import type { BanWrite } from './ban-rows.ts';
import type { FactorName, FactorRow } from './factor-rows.ts';
import type { SpendRow } from './spend-rows.ts';
import type { ZrtpPeer } from './zrtp-rows.ts';

/** How a binding stands at the PBX that it was passed on to. Times are Unix ms. */
export interface Upstream {
  /** User part of the Contact that the PBX was shown; unguessable. */
  readonly token: string;
  readonly node: string;
  readonly callId: string;
  readonly cseq: number;
  readonly grantedAt: number;
  readonly grantedUntil: number;
  /** Digest user name that the PBX has accepted. */
  readonly username: string;
}

/** One registered contact, RFC 3261 §10. Times are Unix ms. */
export interface Binding {
  readonly domain: string;
  readonly user: string;
  readonly device: string;
  /** Identifies the binding: contact URI, or instance and reg-id (RFC 5626). */
  readonly key: string;
  readonly contact: string;
  readonly callId: string;
  readonly cseq: number;
  readonly expiresAt: number;
  readonly transport: string;
  readonly source: string;
  readonly listener: string;
  readonly userAgent: string;
  readonly updatedAt: number;
  /** Proxies on the way to the phone, as values of Route (RFC 3327). */
  readonly path?: readonly string[];
  /** Present where a PBX registered it, not the edge. */
  readonly upstream?: Upstream;
}

/** One call in the CDR table; written when it is answered or refused, and again when it ends. */
export interface CallRecord {
  readonly id: string;
  readonly domain: string;
  readonly startedAt: number;
  readonly ringingAt?: number;
  readonly answeredAt?: number;
  /** Absent while the call lives. */
  readonly endedAt?: number;
  /** Caller and called party as the edge understood them. */
  readonly caller: string;
  readonly callee: string;
  /** `device:alice@example.test/desk`, `trunk:carrier@example.test`, `unknown`. */
  readonly principal: string;
  /** e.g. `user:bob`, `trunk:carrier`, `emergency`, `block:...`; empty where none was found. */
  readonly route: string;
  readonly disposition:
    | 'live'
    | 'answered'
    | 'cancelled'
    | 'busy'
    | 'unanswered'
    | 'refused'
    | 'failed'
    | 'interrupted';
  /** SIP status that ended the set-up, or 200. */
  readonly status: number;
  /** Stable reject or hang-up reason: `normal`, `rate`, `no-route`, `authentication`, `access`, `policy`, `malformed`, `overload`, `media`, `timeout`, `edge-restart`, `administrator`. */
  readonly cause: string;
  /** Decision with its reasons, as JSON. */
  readonly decision: string;
  /** What protected the call over its life, JSON of `CallGrade`; empty where it was not answered. */
  readonly grade: string;
  /** What it cost, JSON of `CallCost`; absent where it left by no trunk that has a price. */
  readonly cost?: string;
  readonly legs: readonly LegRecord[];
}

export interface LegRecord {
  /** 0 is the caller. */
  readonly index: number;
  readonly direction: 'in' | 'out';
  readonly principal: string;
  readonly remote: string;
  readonly transport: string;
  readonly callId: string;
  readonly status: number;
  readonly startedAt: number;
  readonly answeredAt?: number;
  readonly endedAt?: number;
  /** Protection record, JSON. */
  readonly protection: string;
  /** Counters and MOS, JSON; empty where no media flowed. */
  readonly quality: string;
}

/** A call of the last process: its record and what it left for going on. */
export interface OpenCall {
  readonly record: CallRecord;
  readonly journal: string;
}

export interface StoreProblem {
  readonly what: 'disk' | 'database';
  readonly detail: string;
}

/**
 * The database, owned by a worker thread. A returned promise settles once the change is committed, so whatever has
 * been acknowledged survives `kill -9`. Calls never wait for it longer than their owner wants to.
 */
export interface Store {
  objects(): Promise<Objects>;
  /** Called when another process (the command line) has changed domain objects. */
  onObjectsChanged(listener: () => void): void;
  bindings(): Promise<readonly Binding[]>;
  putBindings(
    put: readonly Binding[],
    remove: readonly { domain: string; user: string; key: string }[],
  ): Promise<void>;
  /** `journal`: what another process goes on with, while the call lives; empty where it cannot. */
  putCall(record: CallRecord, journal?: string): Promise<void>;
  /** What is kept of the ZRTP of phones. */
  zrtpPeers(): Promise<readonly ZrtpPeer[]>;
  /** In place of what was kept of that party. Its secrets are sealed under the store's key, and overwritten here. */
  putZrtpPeer(peer: ZrtpPeer): Promise<void>;
  /** What parties have shown of themselves, those that changed last at the end. */
  knownPeers(): Promise<readonly KnownPeer[]>;
  /** In place of what was kept of that party; `forget` are those that make room for it. */
  putKnownPeer(peer: KnownPeer, forget: readonly string[]): Promise<void>;
  /** Present ones, and those that ended within a week. */
  bans(): Promise<readonly Ban[]>;
  putBans(write: BanWrite): Promise<void>;
  /** How accounts and their devices stand, oldest first. */
  accounts(): Promise<readonly AccountRow[]>;
  putAccounts(put: readonly AccountRow[], remove: readonly AccountRow[]): Promise<void>;
  /** Second factors of accounts, oldest first. */
  factors(): Promise<readonly FactorRow[]>;
  putFactors(put: readonly FactorRow[], remove: readonly FactorName[]): Promise<void>;
  /** Open ones, and the latest 200 of those that are closed. */
  incidents(): Promise<readonly Incident[]>;
  /** In place of what was kept of that incident. */
  putIncident(incident: Incident): Promise<void>;
  /** What is kept of money that calls have cost: buckets, live calls, lifted blocks. */
  spend(): Promise<readonly SpendRow[]>;
  /** All of it or nothing. */
  putSpend(put: readonly SpendRow[], remove: readonly string[]): Promise<void>;
  /** Calls that were live when the last process died. Asked before anything is written. */
  openCalls(): Promise<readonly OpenCall[]>;
  /**
   * Closes them with `interrupted`/`edge-restart` as of `at`, but those whose ids are in `keep`, which go on under
   * the record that they have; gives the number of those closed.
   */
  closeInterrupted(at: number, keep?: ReadonlySet<string>): Promise<number>;
  /**
   * Called when writes begin to fail for something that passes (a full disk, a lock), and with undefined when they
   * succeed again. Meanwhile call records are kept in memory, within bounds, and written then.
   */
  onTrouble(listener: (problem: StoreProblem | undefined) => void): void;
  /** What the start had to put aside, in words for the administrator. */
  readonly repaired?: string | undefined;
  /** The thread died: nothing can be recorded from here on, every promise rejects. Called at most once. */
  onFailure(listener: (reason: string) => void): void;
  close(): Promise<void>;
}
