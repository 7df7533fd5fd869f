import { severityRank } from '../events/bus.ts';
import type { EdgeEvent } from '../events/types.ts';
import { Case } from './case.ts';
import { Follower, type Word } from './follow.ts';
import type { Measures } from './measures.ts';
import type { Playbook } from './playbook.ts';
import { opening, type Sign, signOf } from './sign.ts';
import type { Incident, IncidentKind, StepState } from './types.ts';

const quietMs = 3_600_000;
const closeMs = 7 * 86_400_000;
/** Events of one campaign that are further apart begin an incident of their own. */
const campaignMs = 600_000;
const mostOpen = 500;

export interface IncidentParts {
  readonly measures: Measures;
  readonly playbooks: readonly Playbook[];
  /** False: every step waits for an administrator, whatever the playbooks say. */
  readonly automatic: boolean;
  now(): number;
  emit(event: EdgeEvent): void;
  /** Keeps it over a restart; asked at most once a second for each. */
  keep(incident: Incident): void;
}

/**
 * Gathers related events into incidents and has their playbooks followed.
 *
 * Related are events of one source, one account, one call, or one campaign: the same rule against the same domain
 * within ten minutes. At most 500 are open; then the least serious one that has been quiet longest is closed.
 */
export class Incidents {
  readonly #parts: IncidentParts;
  readonly #follower: Follower;
  readonly #open = new Map<string, Case>();
  readonly #byName = new Map<string, Case>();
  readonly #campaigns = new Map<string, { readonly incident: Case; readonly at: number }>();
  readonly #dirty = new Set<Case>();
  readonly #closed = new Map<string, Incident>();
  #taking = false;
  #number = 0;
  #day = '';

  constructor(parts: IncidentParts) {
    this.#parts = parts;
    this.#follower = new Follower({
      measures: parts.measures,
      now: () => parts.now(),
      changed: (incident) => this.#dirty.add(incident),
      told: (incident, step, text, waits) => this.#told(incident, step, text, waits),
    });
  }

  /** Of the process before: what is open goes on. */
  restore(incidents: readonly Incident[]): void {
    for (const record of incidents) {
      this.#count(record.id);
      if (record.state === 'closed') {
        this.#closed.set(record.id, record);
        continue;
      }
      const incident = new Case(record);
      this.#open.set(incident.id, incident);
      this.#index(incident);
      this.#follower.resume(incident);
    }
  }

  get size(): number {
    return this.#open.size;
  }

  /** Subscriber of the bus. Where no incident is open, all but a few types cost one look. */
  readonly take = (event: EdgeEvent, time: number): void => {
    // What measures set off is told by the measures.
    if (this.#taking || (this.#open.size === 0 && !opening.has(event.type))) return;
    const sign = signOf(event);
    if (sign === undefined) return;
    this.#taking = true;
    try {
      this.#gather(sign, event.type, time);
    } finally {
      this.#taking = false;
    }
  };

  /** An administrator says that something has happened. */
  open(
    kind: IncidentKind,
    text: string,
    by: string,
    involved: { account?: string; source?: string } = {},
  ): Incident {
    const now = this.#parts.now();
    const sign: Sign = { opens: kind, severity: 'warning', involves: 'all', text, ...involved };
    const incident = this.#begin(sign, kind, now);
    incident.take(sign, 'note', now);
    incident.timeline.add(now, 'note', `Opened by ${by}.`);
    this.#index(incident);
    this.#follow(incident);
    return incident.record;
  }

  list(): Incident[] {
    const open = [...this.#open.values()].map(({ record }) => record);
    return [...open, ...this.#closed.values()].sort((a, b) => b.lastAt - a.lastAt);
  }

  find(id: string): Incident | undefined {
    return this.#open.get(id)?.record ?? this.#closed.get(id);
  }

  /** Undefined: done; else why not. Steps are counted from 1, as they are shown. */
  say(id: string, step: number, word: Word, by: string): string | undefined {
    const incident = this.#open.get(id);
    if (incident === undefined) return this.#closed.has(id) ? 'it is closed' : 'there is no such incident';
    this.#taking = true;
    try {
      return this.#follower.say(incident, step - 1, word, by);
    } finally {
      this.#taking = false;
    }
  }

  note(id: string, text: string, by: string): string | undefined {
    const incident = this.#open.get(id);
    if (incident === undefined) return this.#closed.has(id) ? 'it is closed' : 'there is no such incident';
    incident.timeline.add(this.#parts.now(), 'note', `${by}: ${text}`);
    this.#dirty.add(incident);
    return undefined;
  }

  close(id: string, by: string): string | undefined {
    const incident = this.#open.get(id);
    if (incident === undefined)
      return this.#closed.has(id) ? 'it is closed already' : 'there is no such incident';
    this.#close(incident, by);
    return undefined;
  }

  /** Ends what has run out, lets incidents become quiet and close; once a second. */
  sweep(): void {
    const now = this.#parts.now();
    for (const incident of [...this.#open.values()]) {
      this.#follower.sweep(incident);
      const idle = now - incident.lastAt;
      if (incident.state === 'open' && idle >= quietMs) {
        incident.state = 'quiet';
        this.#dirty.add(incident);
      }
      if (idle >= closeMs) this.#close(incident, 'nothing new for a week');
    }
    for (const [name, { at }] of this.#campaigns) if (now - at > campaignMs) this.#campaigns.delete(name);
    for (const incident of this.#dirty) this.#parts.keep(incident.record);
    this.#dirty.clear();
  }

  #gather(sign: Sign, type: string, time: number): void {
    const found = this.#related(sign, time);
    let incident = found[0];
    if (incident === undefined) {
      if (sign.opens === undefined) return;
      incident = this.#begin(sign, sign.opens, time);
    } else for (const other of found.slice(1)) this.#merge(incident, other);
    const { kind } = incident;
    const isNew = incident.events === 0;
    const joined = incident.take(sign, type, time);
    this.#dirty.add(incident);
    this.#name(incident, sign, time);
    if (isNew || incident.kind !== kind) this.#follow(incident);
    else {
      const again = causes(sign);
      if (again.size > 0 || Object.keys(joined).length > 0) this.#follower.joined(incident, again);
    }
  }

  /** The oldest first. */
  #related({ source, socket, account, call, campaign, opens }: Sign, time: number): Case[] {
    const found = new Set<Case>();
    const look = (name: string): void => {
      const incident = this.#byName.get(name);
      if (incident !== undefined) found.add(incident);
    };
    if (call !== undefined) look(`c:${call}`);
    if (source !== undefined) look(`s:${source}`);
    if (socket !== undefined) look(`s:${socket}`);
    if (account !== undefined) look(`a:${account}`);
    if (campaign !== undefined && opens !== undefined && found.size === 0) {
      const latest = this.#campaigns.get(campaign);
      if (latest !== undefined && time - latest.at <= campaignMs && latest.incident.state !== 'closed')
        found.add(latest.incident);
    }
    return [...found].sort((a, b) => a.openedAt - b.openedAt);
  }

  #begin(sign: Sign, kind: IncidentKind, time: number): Case {
    if (this.#open.size >= mostOpen) this.#makeRoom();
    const incident = Case.open(this.#nextId(time), kind, sign.text, sign.severity, time);
    this.#open.set(incident.id, incident);
    this.#dirty.add(incident);
    return incident;
  }

  #follow(incident: Case): void {
    const found = this.#parts.playbooks.find(({ incidents }) => incidents.includes(incident.kind));
    const { id, kind, severity, title } = incident;
    if (incident.playbook === undefined)
      this.#parts.emit({
        type: 'incident.opened',
        incident: id,
        kind,
        weight: severity,
        title,
        ...tenantOf(incident),
      });
    if (found === undefined) return;
    const steps = this.#parts.automatic
      ? found
      : { ...found, steps: found.steps.map((step) => byHand(step)) as Playbook['steps'] };
    this.#follower.begin(incident, steps);
  }

  #merge(into: Case, other: Case): void {
    into.absorb(other);
    this.#open.delete(other.id);
    this.#index(into);
    other.state = 'closed';
    other.closedAt = this.#parts.now();
    other.timeline.add(other.closedAt, 'note', `Goes on as ${into.id}.`);
    this.#dirty.add(other);
    this.#remember(other.record);
  }

  #index(incident: Case): void {
    for (const name of incident.sources) this.#byName.set(`s:${name}`, incident);
    for (const name of incident.accounts) this.#byName.set(`a:${name}`, incident);
    for (const name of incident.calls) this.#byName.set(`c:${name}`, incident);
  }

  #name(incident: Case, sign: Sign, time: number): void {
    if (sign.source !== undefined && incident.sources.has(sign.source))
      this.#byName.set(`s:${sign.source}`, incident);
    if (sign.socket !== undefined && incident.sources.has(sign.socket))
      this.#byName.set(`s:${sign.socket}`, incident);
    if (sign.account !== undefined && incident.accounts.has(sign.account))
      this.#byName.set(`a:${sign.account}`, incident);
    if (sign.call !== undefined && incident.calls.has(sign.call))
      this.#byName.set(`c:${sign.call}`, incident);
    if (sign.campaign !== undefined && sign.opens !== undefined) {
      if (this.#campaigns.size >= mostOpen && !this.#campaigns.has(sign.campaign)) return;
      this.#campaigns.set(sign.campaign, { incident, at: time });
    }
  }

  #makeRoom(): void {
    const [least] = [...this.#open.values()].sort(
      (a, b) => severityRank[b.severity] - severityRank[a.severity] || a.lastAt - b.lastAt,
    );
    if (least !== undefined) this.#close(least, `more than ${mostOpen} incidents`);
  }

  #close(incident: Case, by: string): void {
    const now = this.#parts.now();
    incident.state = 'closed';
    incident.closedAt = now;
    incident.timeline.add(now, 'note', `Closed: ${by}.`);
    this.#open.delete(incident.id);
    for (const [kind, names] of [
      ['s', incident.sources],
      ['a', incident.accounts],
      ['c', incident.calls],
    ] as const)
      for (const name of names)
        if (this.#byName.get(`${kind}:${name}`) === incident) this.#byName.delete(`${kind}:${name}`);
    this.#dirty.add(incident);
    this.#remember(incident.record);
    this.#parts.emit({
      type: 'incident.closed',
      incident: incident.id,
      kind: incident.kind,
      by,
      ...tenantOf(incident),
    });
  }

  #remember(record: Incident): void {
    this.#closed.set(record.id, record);
    if (this.#closed.size > mostOpen) this.#closed.delete(this.#closed.keys().next().value as string);
  }

  #told(incident: Case, step: StepState, text: string, waits: boolean): void {
    incident.timeline.add(this.#parts.now(), 'step', text);
    this.#parts.emit({
      type: waits ? 'incident.waiting' : 'incident.step',
      incident: incident.id,
      kind: incident.kind,
      action: step.action,
      text,
      ...tenantOf(incident),
    });
  }

  /** `INC-20261124-3`: the third of that day (UTC). */
  #nextId(time: number): string {
    const day = new Date(time).toISOString().slice(0, 10).replaceAll('-', '');
    if (day > this.#day) {
      this.#day = day;
      this.#number = 0;
    }
    this.#number += 1;
    return `INC-${this.#day}-${this.#number}`;
  }

  #count(id: string): void {
    const [, day = '', number = '0'] = id.split('-');
    if (day < this.#day) return;
    this.#number = day > this.#day ? Number(number) : Math.max(this.#number, Number(number));
    this.#day = day;
  }
}

const nobody: ReadonlySet<string> = new Set();

/** Who has given cause for an incident with this very sign. */
function causes({ opens, involves, source, socket, account }: Sign): ReadonlySet<string> {
  if (opens === undefined || involves !== 'all') return nobody;
  return new Set([source, socket, account].filter((name) => name !== undefined));
}

function byHand(step: Playbook['steps'][number]): Playbook['steps'][number] {
  const [[action, settings]] = Object.entries(step) as [[string, object]];
  return { [action]: 'mode' in settings ? { ...settings, mode: 'approval' } : settings } as never;
}

const tenantOf = ({ domains }: Case): { domain?: string } => {
  const [domain] = domains;
  return domains.size === 1 && domain !== undefined ? { domain } : {};
};
