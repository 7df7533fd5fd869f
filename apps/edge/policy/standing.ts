import type { Decision } from './types.ts';

/** What is held against a device that has proven its password. */
export interface StandingFacts {
  readonly why: string;
  /** Who put it there: `policy`, an administrator, a rule of detection. */
  readonly by: string;
  /** What it may call all the same. */
  readonly helpDesk: readonly string[];
  /** Where its user confirms it. */
  readonly page?: string;
}

/** Whom a device in quarantine wants, in the forms that an administrator may have written. */
export interface Wanted {
  readonly text: string;
  readonly digits?: string;
  readonly e164?: string;
}

/** The call goes to the help desk. */
export const isHelpDesk = ({ helpDesk }: StandingFacts, { text, digits, e164 }: Wanted): boolean =>
  helpDesk.some((one) => one === text || one === digits || one === e164);

/** The sentence that the caller gets with the refusal, in what fits a Warning. */
export function standingSentence({ helpDesk, page }: StandingFacts): string {
  const ways = [
    ...(page === undefined ? [] : [`open ${page}`]),
    ...(helpDesk[0] === undefined ? [] : [`call ${helpDesk[0]}`]),
  ];
  return `This phone must be confirmed first: ${ways.length === 0 ? 'ask your administrator' : ways.join(' or ')}`;
}

/** A call of a device in quarantine to anybody but emergency numbers and the help desk. */
export function quarantined(facts: StandingFacts, dialled: string): Decision {
  return {
    verdict: 'refuse',
    cause: 'policy',
    status: 403,
    reason: 'Forbidden',
    warning: standingSentence(facts),
    reasons: [
      {
        rule: 'account.quarantined',
        text: `The phone is in quarantine: ${facts.why}.`,
        evidence: { dialled, by: facts.by },
        threshold: 'confirmation',
      },
    ],
  };
}
