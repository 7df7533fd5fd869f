import type { Action, FraudRule, Mode, RuleSet } from './rules.ts';
import { modes } from './rules.ts';

/** One contribution. */
export interface FraudPart {
  readonly rule: FraudRule;
  /** Words that stand alone, such as `third new country in 20 minutes`. */
  readonly text: string;
  /** Tenths; below 0 it speaks for the caller. */
  readonly bits: number;
}

export interface FraudVerdict {
  readonly action: Action;
  /** The rule that says most; absent where nothing speaks against the call. */
  readonly rule?: FraudRule;
  readonly bits: number;
  readonly threshold: number;
  readonly parts: readonly FraudPart[];
  readonly sentence: string;
}

/** Sum over the rules whose mode allows that action. */
const sumFrom = (parts: readonly FraudPart[], rules: RuleSet['rules'], mode: Mode): number => {
  const least = modes.indexOf(mode);
  let sum = 0;
  for (const { rule, bits } of parts) if (modes.indexOf(rules[rule].mode) >= least) sum += bits;
  return Math.round(sum * 10) / 10;
};

/**
 * Adds up. Evidence of a rule counts only towards what its mode allows, so that a rule in `watch` stops nothing, alone
 * or together with others. @param running the call goes on: what would block it cuts it off, where the mode allows
 */
export function decide(parts: readonly FraudPart[], set: RuleSet, running: boolean): FraudVerdict {
  const { rules, bits } = set;
  const stopping = sumFrom(parts, rules, running ? 'cut-off' : 'block');
  const asking = running ? stopping : sumFrom(parts, rules, 'challenge');
  const seen = sumFrom(parts, rules, 'watch');
  if (stopping >= bits.block) return made(running ? 'cut-off' : 'block', stopping, bits.block, parts);
  // A call that goes on cannot be asked for a PIN: it ends, and whoever calls again is asked.
  if (asking >= bits.challenge) return made(running ? 'cut-off' : 'challenge', asking, bits.challenge, parts);
  if (seen >= bits.watch) return made('watch', seen, bits.watch, parts);
  return { action: 'pass', bits: seen, threshold: bits.watch, parts, sentence: '' };
}

function made(action: Action, bits: number, threshold: number, parts: readonly FraudPart[]): FraudVerdict {
  const sorted = [...parts].sort((a, b) => b.bits - a.bits);
  const [first] = sorted;
  return {
    action,
    ...(first === undefined ? {} : { rule: first.rule }),
    bits,
    threshold,
    parts: sorted,
    sentence: [...sorted.filter((part) => part.bits > 0).map(({ text }) => text), `${bits} bits`].join(', '),
  };
}
