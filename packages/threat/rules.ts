import type { Part } from './evidence.ts';
import { waldBounds } from './evidence.ts';

/** What is judged; stable names. */
export const rules = [
  'scanner',
  'enumeration',
  'brute-force',
  'credential-stuffing',
  'password-spraying',
  'account-attacked',
  'registration-hijack',
  'impossible-travel',
  'flood',
  'surge',
  'honeypot',
] as const;
export type Rule = (typeof rules)[number];

/** An attack, as far as can be told, with all that speaks for and against it. */
export interface Finding {
  readonly rule: Rule;
  /** Sum of the parts, in tenths. */
  readonly bits: number;
  readonly threshold: number;
  readonly parts: readonly Part[];
}

/** How soon it is called an attack. */
export type Preset = 'lenient' | 'standard' | 'strict';

/**
 * False alarms and misses that each preset takes, per source and decision.
 *
 * `standard` is 1 in 10,000, the value that TFPS ships for its own sequential test; with 2.2 bits an outcome (0.15
 * against 0.70, of the same source) six outcomes decide. `strict` is the 1 in 1,000 of its worked example.
 */
const errors: Readonly<Record<Preset, readonly [falseAlarm: number, miss: number]>> = {
  lenient: [1e-6, 1e-2],
  standard: [1e-4, 1e-2],
  strict: [1e-3, 1e-2],
};

export const boundsOf = (preset: Preset) => waldBounds(...errors[preset]);

export const makeFinding = (rule: Rule, threshold: number, parts: readonly Part[]): Finding => ({
  rule,
  threshold: Math.round(threshold * 10) / 10,
  parts: parts.filter(({ bits }) => bits !== 0),
  bits: Math.round(parts.reduce((sum, { bits }) => sum + bits, 0) * 10) / 10,
});
