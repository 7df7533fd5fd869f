import type { NumberRule } from '../../objects/rewrite-settings.ts';
import { digitsOf, type Numbers } from '../../routing/numbers.ts';
import { matchPattern, type Pattern, parsePattern } from './pattern.ts';
import { expandTemplate, isNumberText, parseTemplate, type Template } from './template.ts';

interface ReadRule {
  readonly pattern: Pattern;
  readonly template: Template | undefined;
}

/** Rules are data of the store: each is read once, as long as it lives. */
const read = new WeakMap<NumberRule, ReadRule | 'bad'>();

function readRule(rule: NumberRule): ReadRule | 'bad' {
  const known = read.get(rule);
  if (known !== undefined) return known;
  const made = makeRule(rule);
  read.set(rule, made);
  return made;
}

function makeRule(rule: NumberRule): ReadRule | 'bad' {
  const pattern = parsePattern(rule.match);
  if (!pattern.ok) return 'bad';
  if (rule.replace === undefined) return { pattern: pattern.value, template: undefined };
  const template = parseTemplate(rule.replace, pattern.value.captures.length);
  return template.ok ? { pattern: pattern.value, template: template.value } : 'bad';
}

/** A number after its rules, and which rule it was. */
export interface Rewritten {
  readonly text: string;
  /** Index of the rule; undefined: none matched, or what came of it is no number. */
  readonly rule: number | undefined;
}

/** Applies the first rule that matches: `replace`, then `e164`, `strip` and `prefix`. */
export function rewriteNumber(
  rules: readonly NumberRule[] | undefined,
  text: string,
  numbers: Numbers,
): Rewritten {
  for (const [index, rule] of (rules ?? []).entries()) {
    const known = readRule(rule);
    const captures = known === 'bad' ? undefined : matchPattern(known.pattern, text);
    if (known === 'bad' || captures === undefined) continue;
    let made = known.template === undefined ? text : expandTemplate(known.template, captures);
    if (rule.e164 === true) {
      const digits = digitsOf(made);
      made = (digits === undefined ? undefined : numbers.e164(digits)) ?? made;
    }
    made = `${rule.prefix ?? ''}${made.slice(rule.strip ?? 0)}`;
    return isNumberText(made) ? { text: made, rule: index } : { text, rule: undefined };
  }
  return { text, rule: undefined };
}
