/** What is looked at; stable names. */
export const fraudRules = [
  'spend',
  'destination',
  'novelty',
  'velocity',
  'concurrency',
  'sequential',
  'short-calls',
  'off-hours',
  'forward',
  'call-back',
  'probing',
  'rotation',
  'pumping',
  'call-through',
  'found-before',
] as const;
export type FraudRule = (typeof fraudRules)[number];

/** What a rule's evidence may lead to; each may do what those before it may. */
export const modes = ['off', 'watch', 'challenge', 'block', 'cut-off'] as const;
export type Mode = (typeof modes)[number];
export type Action = 'pass' | 'watch' | 'challenge' | 'block' | 'cut-off';

/** How a rule counts. */
export interface RuleSettings {
  readonly mode: Mode;
  /** Its bits are multiplied by this. */
  readonly weight: number;
}

/** Everything that decides, as data: which evidence counts how much, and how much is enough. */
export interface RuleSet {
  readonly name: string;
  readonly version: number;
  readonly rules: Readonly<Record<FraudRule, RuleSettings>>;
  /** Bits from which on a call is told of, its caller asked to prove himself, the call stopped. */
  readonly bits: { readonly watch: number; readonly challenge: number; readonly block: number };
  /** Calls cheaper than this a minute, to a destination of no risk, are never judged. */
  readonly cheap: number;
  /** What accounts and destinations cost in an hour before anything is known of them, in money. */
  readonly usual: {
    readonly accountSpend: number;
    readonly destinationSpend: number;
    readonly callsPerHour: number;
    readonly atOnce: number;
  };
  /** Hours of work, where learning has not yet shown others. */
  readonly calendar: Calendar;
}

export interface Calendar {
  /** Minutes east of UTC, where the site has no other. */
  readonly offset: number;
  /** 0 is Sunday. */
  readonly days: readonly number[];
  /** Hours of the day, the second not included. */
  readonly from: number;
  readonly until: number;
  /** `2026-12-25`, or `12-25` in every year. */
  readonly holidays: readonly string[];
}

const shippedMode: Mode = 'cut-off';
const allWith = (weight: Partial<Record<FraudRule, number>>): RuleSet['rules'] =>
  Object.fromEntries(
    fraudRules.map((rule) => [rule, { mode: shippedMode, weight: weight[rule] ?? 1 }]),
  ) as unknown as RuleSet['rules'];

/** What the edge begins with. */
export const shippedRules: RuleSet = {
  name: 'standard',
  version: 1,
  rules: allWith({}),
  bits: { watch: 7, challenge: 9, block: 16 },
  cheap: 0.15,
  usual: { accountSpend: 0.1, destinationSpend: 0.05, callsPerHour: 1, atOnce: 0.4 },
  calendar: { offset: 60, days: [1, 2, 3, 4, 5], from: 7, until: 20, holidays: [] },
};

/** Many call at once, all day long, and what they call changes with the campaign. */
export const callCentreRules: RuleSet = {
  ...shippedRules,
  name: 'call-centre',
  usual: { accountSpend: 0.3, destinationSpend: 0.5, callsPerHour: 6, atOnce: 1 },
};

/** Accounts are other companies: nobody there has a PIN, and numbers shown differ from call to call. */
export const carrierRules: RuleSet = {
  ...shippedRules,
  name: 'carrier',
  rules: allWith({ 'found-before': 0.5, rotation: 0.4 }),
  usual: { accountSpend: 1.5, destinationSpend: 1, callsPerHour: 30, atOnce: 4 },
};

export const shippedRuleSets: readonly RuleSet[] = [shippedRules, callCentreRules, carrierRules];
