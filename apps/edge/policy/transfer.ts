import type { Decision, Principal, Reason, RejectCause } from './types.ts';

/** A REFER within a call, as far as policy cares. */
export interface TransferFacts {
  /** What the configuration says about transfers of this referrer. */
  readonly mode: 'edge' | 'pass' | 'refuse';
  readonly call: string;
  readonly dialled: string;
  readonly emergency: boolean;
  /** Method that the referred party shall use. */
  readonly method: string;
  /** The call is answered and nothing else is being done with it. */
  readonly free: boolean;
  /** How many transfers have led to this call already. */
  readonly generation: number;
  /** Of a Refer-To with Replaces: what the dialog is that it names. */
  readonly replaced?: 'own' | 'unknown' | 'foreign' | 'unanswered';
}

/** So many transfers may follow one another before a call has to be made anew. */
export const mostTransfers = 16;

const refuse = (cause: RejectCause, status: number, phrase: string, why: Reason): Decision => ({
  verdict: 'refuse',
  cause,
  status,
  reason: phrase,
  warning: why.text.endsWith('.') ? why.text.slice(0, -1) : why.text,
  reasons: [why],
});

/** May this party have its call transferred? Where to is decided as for any call of its own. Pure. */
export function decideTransfer(principal: Principal | undefined, facts: TransferFacts): Decision {
  const { call, dialled, generation } = facts;
  const evidence = { call, dialled };
  const because = (rule: string, text: string, threshold?: number): Reason =>
    threshold === undefined ? { rule, text, evidence } : { rule, text, evidence, threshold };
  if (principal === undefined || principal.kind === 'unknown')
    return refuse(
      'access',
      403,
      'Forbidden',
      because('transfer.unknown', 'The referrer is no longer known.'),
    );
  if (facts.mode === 'refuse' && !facts.emergency)
    return refuse(
      'policy',
      403,
      'Forbidden',
      because('transfer.refused', 'Transfers are switched off here.'),
    );
  if (facts.method !== 'INVITE')
    return refuse(
      'policy',
      403,
      'Forbidden',
      because('transfer.method', 'A transfer can only place a call.'),
    );
  if (!facts.free)
    return refuse(
      'policy',
      491,
      'Request Pending',
      because('transfer.pending', 'The call is not free for a transfer.'),
    );
  if (generation >= mostTransfers)
    return refuse(
      'policy',
      403,
      'Forbidden',
      because('transfer.too-many', 'The call has been transferred too often.', mostTransfers),
    );
  if (facts.replaced === 'unknown' || facts.replaced === 'foreign')
    return refuse('access', 404, 'Not Found', {
      ...because('transfer.not-yours', 'The call to be joined is none of the referrer.'),
      evidence: { ...evidence, named: facts.replaced },
    });
  if (facts.replaced === 'unanswered')
    return refuse(
      'policy',
      491,
      'Request Pending',
      because('transfer.unanswered', 'The call to be joined is not answered yet.'),
    );
  return {
    verdict: 'accept',
    reasons: [
      because(
        facts.replaced === 'own' ? 'transfer.attended' : 'transfer.blind',
        'A party of a call has transferred it, by its own rights.',
      ),
    ],
  };
}

/** An INVITE with Replaces (RFC 3891), as far as policy cares. */
export interface PickupFacts {
  readonly mode: 'own' | 'tenant' | 'refuse';
  /** Of the leg that would be replaced, as records have it; undefined: there is no such dialog for this tenant. */
  readonly party: string | undefined;
  /** That leg is one of the sender's own user or trunk, or its owner has asked the sender to replace it. */
  readonly own: boolean;
  readonly earlyOnly: boolean;
  readonly answered: boolean;
  /** That leg is being rung by the edge; the caller's own is not. */
  readonly rung: boolean;
  /** Something else is being done with the call. */
  readonly busy: boolean;
  /** The other party has called by a sips URI, and the sender's signalling is not encrypted. */
  readonly insecure: boolean;
}

const notSecure = 'The call was made by a sips URI, and the sender is not connected over TLS.';

/** A number that picks up calls, as far as policy cares. */
export interface PickupCodeFacts {
  readonly mode: PickupFacts['mode'];
  readonly dialled: string;
  /** User whose call is wanted; undefined: whoever is rung. */
  readonly user: string | undefined;
  /** That user is the sender, or there is none named. */
  readonly own: boolean;
  /** Leg that is rung and would be replaced. */
  readonly found: string | undefined;
  readonly insecure: boolean;
}

/** May this sender take a call that rings somewhere, by the number for it? Pure. */
export function decidePickupCode({ mode, dialled, user, own, found, insecure }: PickupCodeFacts): Decision {
  const because = (rule: string, text: string): Reason => ({
    rule,
    text,
    evidence: {
      pickup: mode,
      dialled,
      ...(user === undefined ? {} : { user }),
      ...(found === undefined ? {} : { party: found }),
    },
  });
  if (mode === 'refuse')
    return refuse(
      'policy',
      403,
      'Forbidden',
      because('pickup.refused', 'Taking calls over is switched off.'),
    );
  if (mode === 'own' && !own)
    return refuse('access', 403, 'Forbidden', because('pickup.not-yours', 'The call is none of the sender.'));
  if (found === undefined)
    return refuse('no-route', 404, 'Not Found', because('pickup.nothing', 'No call rings there.'));
  if (insecure) return refuse('policy', 403, 'Forbidden', because('pickup.sips', notSecure));
  return {
    verdict: 'accept',
    reasons: [because('pickup.code', 'The sender takes a call that rings elsewhere.')],
  };
}

/** May this sender take the place of a party in a call? Pure. */
export function decidePickup(facts: PickupFacts): Decision {
  const { party } = facts;
  const because = (rule: string, text: string): Reason => ({
    rule,
    text,
    evidence: { pickup: facts.mode, ...(party === undefined ? {} : { party }) },
  });
  if (party === undefined)
    return refuse(
      'access',
      481,
      'Call/Transaction Does Not Exist',
      because('pickup.unknown', 'There is no such call to take over.'),
    );
  if (facts.mode === 'refuse')
    return refuse(
      'policy',
      403,
      'Forbidden',
      because('pickup.refused', 'Taking calls over is switched off.'),
    );
  if (facts.mode === 'own' && !facts.own)
    return refuse('access', 403, 'Forbidden', because('pickup.not-yours', 'The call is none of the sender.'));
  if (facts.answered && facts.earlyOnly)
    return refuse('policy', 486, 'Busy Here', because('pickup.answered', 'The call is answered already.'));
  if (facts.insecure) return refuse('policy', 403, 'Forbidden', because('pickup.sips', notSecure));
  // RFC 3891 §3: an early dialog is taken over at the side that has begun it.
  if (!facts.answered && !facts.rung)
    return refuse(
      'access',
      481,
      'Call/Transaction Does Not Exist',
      because('pickup.not-rung', 'Nobody is being rung there whose call could be taken.'),
    );
  if (facts.busy)
    return refuse(
      'policy',
      491,
      'Request Pending',
      because('pickup.pending', 'The call cannot be taken over now.'),
    );
  return {
    verdict: 'accept',
    reasons: [because('pickup.allowed', 'The sender takes the place of a party.')],
  };
}
