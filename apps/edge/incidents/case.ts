import { severityRank } from '../events/bus.ts';
import type { Severity } from '../events/types.ts';
import { InvolvedNames } from './involved.ts';
import type { Sign } from './sign.ts';
import { Timeline } from './timeline.ts';
import { type Incident, type IncidentKind, incidentKinds, type StepState } from './types.ts';

const mostNames = 200;
const mostEntries = 200;
const mostTitle = 300;

/** What has joined an incident with one event, and was not in it before. */
export interface Joined {
  readonly source?: string;
  readonly account?: string;
  readonly call?: string;
}

/** One incident as it grows. Bounded: 200 names of each sort and 200 entries of its timeline; what is more is counted. */
export class Case {
  readonly id: string;
  kind: IncidentKind;
  severity: Severity;
  state: Incident['state'];
  readonly openedAt: number;
  lastAt: number;
  closedAt: number | undefined;
  title: string;
  playbook: string | undefined;
  steps: StepState[];
  money: Incident['money'];
  events: number;
  readonly domains: Set<string>;
  readonly sources: InvolvedNames;
  readonly accounts: InvolvedNames;
  readonly calls: InvolvedNames;
  timeline: Timeline;

  constructor(from: Incident) {
    this.id = from.id;
    this.kind = from.kind;
    this.severity = from.severity;
    this.state = from.state;
    this.openedAt = from.openedAt;
    this.lastAt = from.lastAt;
    this.closedAt = from.closedAt;
    this.title = from.title;
    this.playbook = from.playbook;
    this.steps = [...from.steps];
    this.money = from.money;
    this.events = from.events;
    this.domains = new Set(from.domains);
    this.sources = new InvolvedNames(mostNames, from.sources);
    this.accounts = new InvolvedNames(mostNames, from.accounts);
    this.calls = new InvolvedNames(mostNames, from.calls);
    this.timeline = new Timeline(mostEntries, from.timeline);
  }

  static open(id: string, kind: IncidentKind, title: string, severity: Severity, at: number): Case {
    const nobody = { names: [], more: 0 };
    return new Case({
      id,
      kind,
      severity,
      state: 'open',
      openedAt: at,
      lastAt: at,
      title: title.slice(0, mostTitle),
      domains: [],
      sources: nobody,
      accounts: nobody,
      calls: nobody,
      events: 0,
      timeline: [],
      steps: [],
    });
  }

  /** Takes an event in and says what is new by it. */
  take(sign: Sign, type: string, at: number): Joined {
    this.events += 1;
    this.lastAt = Math.max(at, this.lastAt);
    if (this.state === 'quiet') this.state = 'open';
    if (severityRank[sign.severity] < severityRank[this.severity]) this.severity = sign.severity;
    if (sign.opens !== undefined) this.#escalate(sign.opens);
    this.timeline.add(at, type, sign.text);
    this.#count(sign.money);
    if (sign.involves === undefined) return {};
    if (sign.domain !== undefined && this.domains.size < mostNames) this.domains.add(sign.domain);
    const who = sign.source ?? sign.socket;
    const all = sign.involves === 'all';
    return {
      ...(sign.call !== undefined && this.calls.add(sign.call) ? { call: sign.call } : {}),
      ...(all && who !== undefined && this.sources.add(who) ? { source: who } : {}),
      ...(all && sign.account !== undefined && this.accounts.add(sign.account)
        ? { account: sign.account }
        : {}),
    };
  }

  /** The two were one all along: the older takes the other in. */
  absorb(other: Case): void {
    for (const name of other.sources) this.sources.add(name);
    for (const name of other.accounts) this.accounts.add(name);
    for (const name of other.calls) this.calls.add(name);
    for (const domain of other.domains) this.domains.add(domain);
    const entries = [...this.timeline.entries, ...other.timeline.entries].sort((a, b) => a.at - b.at);
    const both = new Timeline(mostEntries);
    for (const { at, type, text } of entries) both.add(at, type, text);
    this.timeline = both;
    this.events += other.events;
    this.lastAt = Math.max(this.lastAt, other.lastAt);
    if (severityRank[other.severity] < severityRank[this.severity]) this.severity = other.severity;
    this.#escalate(other.kind);
    this.#count(other.money);
    // What was done goes on being looked after here.
    this.steps = [...this.steps, ...other.steps.filter(({ done }) => done.length > 0)];
  }

  /** Money of another currency than the first is not added to it. */
  #count(money: Incident['money']): void {
    if (money === undefined) return;
    const { currency, lost, saved } = this.money ?? { currency: money.currency, lost: 0, saved: 0 };
    if (currency === money.currency)
      this.money = { currency, lost: lost + money.lost, saved: saved + money.saved };
  }

  #escalate(kind: IncidentKind): void {
    if (incidentKinds.indexOf(kind) > incidentKinds.indexOf(this.kind)) this.kind = kind;
  }

  get record(): Incident {
    return {
      id: this.id,
      kind: this.kind,
      severity: this.severity,
      state: this.state,
      openedAt: this.openedAt,
      lastAt: this.lastAt,
      ...(this.closedAt === undefined ? {} : { closedAt: this.closedAt }),
      title: this.title,
      domains: [...this.domains],
      sources: this.sources.state,
      accounts: this.accounts.state,
      calls: this.calls.state,
      events: this.events,
      timeline: this.timeline.entries,
      ...(this.money === undefined ? {} : { money: this.money }),
      ...(this.playbook === undefined ? {} : { playbook: this.playbook }),
      steps: this.steps,
    };
  }
}
