import type { Severity } from '../events/types.ts';

/** What an incident is about, the most serious last; the playbook is chosen by it. */
export const incidentKinds = [
  'scan',
  'flood',
  'brute-force',
  'registration-hijack',
  'compromised-device',
  'eavesdropping',
  'toll-fraud',
  'stolen-admin',
] as const;
export type IncidentKind = (typeof incidentKinds)[number];

export type Action =
  | 'ban'
  | 'quarantine'
  | 'closeRoute'
  | 'revokeSecret'
  | 'deregister'
  | 'endCalls'
  | 'preserve'
  | 'notify'
  | 'tellUser'
  | 'task';

/** Who or what is involved: the first so many by name, the rest as a number. */
export interface Involved {
  readonly names: readonly string[];
  readonly more: number;
}

export interface TimelineEntry {
  /** Unix ms. */
  readonly at: number;
  /** Of the last of `count` alike. */
  readonly until: number;
  readonly count: number;
  /** Type of the event, or `note` and `step` for what people and playbooks did. */
  readonly type: string;
  /** One sentence for an administrator. */
  readonly text: string;
}

/** Of what a step is done to one source, account, call or route. */
export interface Done {
  readonly target: string;
  readonly at: number;
  /** Unix ms; it is undone then by itself. Absent: nothing is there to undo. */
  readonly until?: number;
  readonly by: string;
  readonly outcome: 'done' | 'undone' | 'expired' | 'failed';
  readonly detail: string;
  readonly mark?: string;
}

export interface StepState {
  /** e.g. `ban` */
  readonly action: Action;
  readonly mode: 'automatic' | 'approval';
  /** How long what it does lasts. */
  readonly minutes?: number;
  /** What it does, as the playbook says. */
  readonly text: string;
  /** An administrator has approved it, rejected it, or ticked it off. */
  readonly word?: { readonly by: string; readonly at: number; readonly approved: boolean };
  /** Awaiting approval. */
  readonly waiting: readonly string[];
  readonly done: readonly Done[];
}

/** Related events, and what was done about them. Money is in the smallest unit of its currency. */
export interface Incident {
  readonly id: string;
  readonly kind: IncidentKind;
  readonly severity: Severity;
  /** quiet: nothing new for an hour; it opens again with the next event. */
  readonly state: 'open' | 'quiet' | 'closed';
  readonly openedAt: number;
  readonly lastAt: number;
  readonly closedAt?: number;
  /** The sentence that it began with. */
  readonly title: string;
  readonly domains: readonly string[];
  readonly sources: Involved;
  readonly accounts: Involved;
  readonly calls: Involved;
  readonly events: number;
  readonly timeline: readonly TimelineEntry[];
  /** Absent: no call of it has a price. */
  readonly money?: { readonly currency: string; readonly lost: number; readonly saved: number };
  /** Name and version of the playbook; absent where there is none for it. */
  readonly playbook?: string;
  readonly steps: readonly StepState[];
}
