import type { Decision, Reason } from './types.ts';

/** Why a call is none that the called user wants. */
export interface ScreeningFacts {
  readonly user: string;
  readonly rule: 'blocked' | 'not-allowed' | 'anonymous';
  /** The entry of the list, where one says so. */
  readonly entry?: string;
  readonly caller: string;
}

const texts: Readonly<Record<ScreeningFacts['rule'], string>> = {
  blocked: 'The called user takes no calls from this caller.',
  'not-allowed': 'The called user takes calls from certain callers alone.',
  anonymous: 'The called user takes no calls from callers who hide.',
};

/** RFC 5359 §2.13; RFC 5079 for those who hide. The caller is not told which list it was. */
export function screenedOut({ user, rule, entry, caller }: ScreeningFacts): Decision {
  const hidden = rule === 'anonymous';
  const reason: Reason = {
    rule: `screening.${rule}`,
    text: texts[rule],
    evidence: { user, caller, ...(entry === undefined ? {} : { entry }) },
  };
  return {
    verdict: 'refuse',
    cause: 'policy',
    status: hidden ? 433 : 403,
    reason: hidden ? 'Anonymity Disallowed' : 'Forbidden',
    reasons: [reason],
  };
}
