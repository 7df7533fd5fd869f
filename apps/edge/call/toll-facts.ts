import type { Consulted } from '../fraud/toll.ts';
import type { FraudFacts } from '../policy/decide.ts';
import type { Decision } from '../policy/types.ts';

/** What policy has to know of the price of a call. */
export function fraudFacts(consulted: Consulted | undefined): { readonly fraud?: FraudFacts } {
  const verdict = consulted?.verdict;
  if (consulted === undefined || verdict === undefined) return {};
  const { account, number } = consulted.call;
  const { action, rule, sentence, told } = verdict;
  return { fraud: { action, rule, sentence, account, number, ...(told === undefined ? {} : { told }) } };
}

/** An accepted call with what speaks against it all the same. */
export function withWatched<D extends Decision>(decision: D, consulted: Consulted | undefined): D {
  const verdict = consulted?.verdict;
  if (consulted === undefined || verdict === undefined || decision.verdict !== 'accept') return decision;
  const { account, number } = consulted.call;
  const why = {
    rule: verdict.rule,
    text: verdict.sentence,
    evidence: { account, number, action: verdict.action },
  };
  return { ...decision, reasons: [...decision.reasons, why] };
}

/** It was refused for what it costs or where it goes, and for nothing else. */
export const isTolled = (decision: Decision): boolean =>
  decision.verdict === 'refuse' && decision.cause === 'fraud';
