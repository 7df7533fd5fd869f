import type { CallFacts } from '../call-facts.ts';

export const siteKinds = ['office', 'call-centre', 'carrier'] as const;
export type SiteKind = (typeof siteKinds)[number];

export const fraudKinds = [
  'irsf',
  'wangiri',
  'rotation',
  'slow-drip',
  'business-hours',
  'mixed',
  'many-accounts',
  'forward',
  'call-through',
  'adaptive',
] as const;
export type FraudKind = (typeof fraudKinds)[number];

/** A call of labelled traffic. */
export interface LabelledCall {
  readonly facts: CallFacts;
  /** From outside to the account; `facts.caller` calls, and nothing is paid for. */
  readonly incoming: boolean;
  readonly setupSeconds: number;
  /** 0: nobody answered. */
  readonly seconds: number;
  /** Empty: somebody of the tenant wants this call. Else its campaign, such as `irsf#3`. */
  readonly fraud: string;
  /** Why it differs from everyday traffic, such as `traveller`; for looking at false alarms. */
  readonly story: string;
  readonly site: SiteKind;
  /** Whoever calls knows his PIN. */
  readonly proves: boolean;
}

/** What became of a call, told to those who adapt. */
export type Outcome = 'passed' | 'refused' | 'cut';

export interface SimulationOptions {
  readonly seed: number;
  /** Unix ms of the first midnight UTC. */
  readonly start: number;
  readonly days: number;
  /** Tenants of each kind. */
  readonly sites: Readonly<Record<SiteKind, number>>;
  /** Campaigns of fraud for each tenant and day, on average. */
  readonly fraudsPerSiteDay: number;
  readonly kinds: readonly FraudKind[];
  /** Share of people who know their PIN. */
  readonly knowsPin: number;
  /** Multiplies what usual calls cost and how often they go abroad; for sensitivity. */
  readonly abroad: number;
}

export const defaultSimulation: SimulationOptions = {
  seed: 1,
  start: Date.UTC(2026, 1, 2),
  days: 14,
  sites: { office: 12, 'call-centre': 2, carrier: 2 },
  fraudsPerSiteDay: 0.1,
  kinds: fraudKinds,
  knowsPin: 0.8,
  abroad: 1,
};
