import type { CallerPolicy } from '../objects/caller-settings.ts';
import type { Reason } from '../policy/types.ts';

export type CallerAction = 'pass' | 'label' | 'block';

/** What a signature says of the number (RFC 8224, RFC 8588): nothing is asked of it yet. */
export type Attestation = 'none';

/** What is known of who says that he calls. All numbers are E.164 with `+`; undefined where there is none. */
export interface CallerFacts {
  readonly trunk: string;
  /** The number that the called side would see. */
  readonly shown: string | undefined;
  /** As written, where it is no number that the country's rules can place. */
  readonly text: string;
  /** The caller shows nobody. */
  readonly hidden: boolean;
  /** Every number that the request claims, with the header that does. */
  readonly claims: readonly { readonly header: string; readonly number: string }[];
  readonly called: string | undefined;
  /** Who is said to have forwarded the call. */
  readonly diverted: readonly string[];
  /** The owner in words, where the number is one of the tenant's. */
  readonly ownerOf: (number: string) => string | undefined;
  /** Absent: the trunk has no list of its own. */
  readonly ofTrunk: ((number: string) => boolean) | undefined;
  /** Undefined: no number at all was shown, or one too short to be judged. */
  readonly possible: boolean | undefined;
  readonly doNotOriginate: (number: string) => boolean;
  readonly attestation: Attestation;
}

export interface CallerVerdict {
  readonly action: CallerAction;
  /** Nothing: the caller may be who he says. */
  readonly reasons: readonly Reason[];
}

const rank: Readonly<Record<CallerAction, number>> = { pass: 0, label: 1, block: 2 };
export const callerDefaults = {
  own: 'label',
  foreign: 'block',
  impossible: 'label',
  doNotOriginate: 'block',
  neighbour: 'pass',
  mismatch: 'pass',
} as const satisfies Partial<Record<keyof CallerPolicy, CallerAction>>;

/**
 * May that number be the caller's? Pure: every finding is a reason, and the gravest action of them holds.
 *
 * Callers who show no number are not judged: hiding is their right.
 */
export function judgeCaller(facts: CallerFacts, policy: CallerPolicy = {}): CallerVerdict {
  const reasons: Reason[] = [];
  let action: CallerAction = 'pass';
  const found = (rule: keyof typeof callerDefaults, text: string, evidence: Reason['evidence']): void => {
    const does = policy[rule] ?? callerDefaults[rule];
    if (rank[does] > rank[action]) action = does;
    reasons.push({
      rule: `caller.${names[rule]}`,
      text,
      evidence: {
        trunk: facts.trunk,
        number: facts.shown ?? facts.text,
        attestation: facts.attestation,
        ...evidence,
      },
      threshold: does,
    });
  };
  const { shown, called, ofTrunk } = facts;
  const isOutside = (number: string): string | undefined =>
    ofTrunk?.(number) === true ? undefined : facts.ownerOf(number);
  const numbers = [...new Set(facts.claims.map(({ number }) => number))];
  if (numbers.length > 1)
    found('mismatch', 'The headers that name the caller show different numbers.', {
      ...Object.fromEntries(facts.claims.map(({ header, number }) => [header, number])),
    });
  for (const number of facts.diverted) {
    const owner = isOutside(number);
    if (owner !== undefined)
      found('own', 'A call from outside says that one of our numbers has forwarded it.', {
        owner,
        diverted: number,
      });
  }
  if (facts.hidden) return { action, reasons };
  if (facts.possible === false)
    found('impossible', 'The number shown is none that any country has given out.', {});
  if (shown === undefined) return { action, reasons };
  if (facts.doNotOriginate(shown))
    found('doNotOriginate', 'The number shown is on the list of those that never call.', {});
  if (ofTrunk?.(shown) === false)
    found('foreign', 'The number shown does not belong to whoever is behind the trunk.', {});
  const owner = isOutside(shown);
  if (owner !== undefined) found('own', 'A call from outside shows a number of our own.', { owner });
  else if (called !== undefined && ofTrunk?.(shown) !== true && isNeighbour(shown, called))
    found('neighbour', 'The number shown differs from the called one in its last digits alone.', { called });
  return { action, reasons };
}

const names: Readonly<Record<keyof typeof callerDefaults, string>> = {
  own: 'own-number',
  foreign: 'foreign-number',
  impossible: 'impossible-number',
  doNotOriginate: 'do-not-originate',
  neighbour: 'neighbour',
  mismatch: 'mismatch',
};

const lastDigits = 4;

const isNeighbour = (shown: string, called: string): boolean =>
  shown !== called &&
  shown.length === called.length &&
  shown.length > lastDigits + 4 &&
  shown.slice(0, -lastDigits) === called.slice(0, -lastDigits);
