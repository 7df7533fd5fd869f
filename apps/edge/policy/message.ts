import type { RouteFacts } from './decide.ts';
import { quarantined, type StandingFacts } from './standing.ts';
import type { Decision, Principal, Reason, RejectCause } from './types.ts';

/** A MESSAGE, as far as policy cares. */
export interface MessageFacts {
  readonly enabled: boolean;
  readonly dialled: string;
  /** The sender has not had its share of this minute. */
  readonly withinRate: boolean;
  readonly perMinute: number;
  readonly route: RouteFacts;
  /** A trunk on either side that carries no messages. */
  readonly closedTrunk?: string;
  /** What is held against the device, where it writes to anybody but the help desk. */
  readonly standing?: StandingFacts;
}

/** May this be sent? Pure. */
export function decideMessage(principal: Principal, facts: MessageFacts): Decision {
  const { dialled, route } = facts;
  const refuse = (
    cause: RejectCause,
    status: number,
    phrase: string,
    rule: string,
    text: string,
    more: Reason['evidence'] = {},
  ): Decision => ({
    verdict: 'refuse',
    cause,
    status,
    reason: phrase,
    reasons: [{ rule, text, evidence: { dialled, ...more } }],
    ...(cause === 'rate' ? { retryAfter: 10 } : {}),
  });
  if (principal.kind === 'unknown')
    return refuse('access', 403, 'Forbidden', 'access.unknown', 'The sender has not proven who it is.');
  if (facts.standing !== undefined) return quarantined(facts.standing, dialled);
  if (!facts.enabled)
    return refuse('policy', 403, 'Forbidden', 'message.refused', 'Messages are switched off here.');
  if (!facts.withinRate)
    return refuse('rate', 503, 'Service Unavailable', 'message.rate', 'The sender sends too many messages.', {
      perMinute: facts.perMinute,
    });
  if (facts.closedTrunk !== undefined)
    return refuse('policy', 403, 'Forbidden', 'message.trunk', 'The trunk carries no messages.', {
      trunk: facts.closedTrunk,
    });
  if (route.kind === 'blocked')
    return refuse(
      'policy',
      403,
      'Forbidden',
      'route.blocked',
      `A route blocks this destination: ${route.why}.`,
    );
  if (route.kind === 'offline')
    return refuse(
      'no-route',
      480,
      'Temporarily Unavailable',
      'route.offline',
      'The user has no phone registered.',
    );
  if (route.kind !== 'found')
    return refuse(
      'no-route',
      404,
      'Not Found',
      'route.none',
      'No user and no route matches the name or number.',
    );
  return {
    verdict: 'accept',
    reasons: [
      { rule: 'message.allowed', text: 'The sender may send messages there.', evidence: { dialled } },
    ],
  };
}
