import type { Decision, Principal, Reason, RejectCause } from './types.ts';

/** A 3xx of a phone that was rung, as far as policy cares. */
export interface ForwardFacts {
  readonly mode: 'edge' | 'refuse';
  readonly call: string;
  /** Who redirects, as records have it. */
  readonly by: string;
  readonly to: string;
  /** The call has been there already. */
  readonly visited: boolean;
  /** How often the call has been forwarded, also before it came here. */
  readonly times: number;
  readonly most: number;
}

const refuse = (cause: RejectCause, status: number, phrase: string, why: Reason): Decision => ({
  verdict: 'refuse',
  cause,
  status,
  reason: phrase,
  reasons: [why],
});

/** May the call go on to where a called phone sends it? What it may reach is decided as for a call of its own. Pure. */
export function decideForward(principal: Principal | undefined, facts: ForwardFacts): Decision {
  const { call, by, to, times, most } = facts;
  const evidence = { call, by, to };
  const because = (rule: string, text: string, threshold?: number): Reason =>
    threshold === undefined ? { rule, text, evidence } : { rule, text, evidence, threshold };
  if (principal === undefined || principal.kind !== 'device')
    return refuse('access', 403, 'Forbidden', because('forward.unknown', 'Only a known phone forwards.'));
  if (facts.mode === 'refuse')
    return refuse('policy', 403, 'Forbidden', because('forward.refused', 'Forwarding is switched off here.'));
  if (facts.visited)
    return refuse(
      'no-route',
      482,
      'Loop Detected',
      because('forward.loop', 'The call has been there already.'),
    );
  if (times >= most)
    return refuse('no-route', 482, 'Loop Detected', {
      ...because('forward.too-many', 'The call has been forwarded too often.', most),
      evidence: { ...evidence, times },
    });
  return {
    verdict: 'accept',
    reasons: [because('forward.followed', 'A called phone has sent the call on, by its own rights.')],
  };
}
