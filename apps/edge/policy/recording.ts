import type { RecordingPolicy } from '../objects/recording-settings.ts';
import type { LegProtection } from './protection.ts';
import type { Reason } from './types.ts';

/** Who wants a call to be recorded. */
export type RecordingAsker =
  | { readonly kind: 'policy' }
  /** A party of the call, `device:alice@example.test/desk`. */
  | { readonly kind: 'party'; readonly party: string }
  /** The administrator, by whatever interface; `name`: who that is, for the audit event. */
  | { readonly kind: 'administrator'; readonly name?: string };

export interface RecordingFacts {
  /** Undefined: nobody of the domain is ever recorded. */
  readonly policy: RecordingPolicy | undefined;
  readonly asker: RecordingAsker;
  readonly parties: readonly string[];
  readonly emergency: boolean;
  readonly protection: readonly LegProtection[];
  /** What the program for consent has said; undefined: there is none. */
  readonly consent: boolean | undefined;
  /** The media engine can copy. */
  readonly able: boolean;
}

export interface RecordingDecision {
  readonly allowed: boolean;
  readonly reason: Reason;
}

/** Whether a call may be recorded, and why: the reason goes to the audit event either way. */
export function judgeRecording(facts: RecordingFacts): RecordingDecision {
  const { policy, asker, parties } = facts;
  const evidence = { asker: asker.kind === 'party' ? asker.party : asker.kind, parties: parties.join(' ') };
  const no = (rule: string, text: string): RecordingDecision => ({
    allowed: false,
    reason: { rule: `recording.${rule}`, text, evidence },
  });
  if (policy === undefined) return no('no-policy', 'The domain has no policy for recording');
  if (facts.emergency) return no('emergency', 'Emergency calls are not recorded here');
  const covered = parties.filter((party) => isCovered(policy, party));
  if (covered.length === 0 && !policy.users.includes('*'))
    return no('not-covered', 'No party of the call is among the users of the policy');
  if (
    asker.kind === 'party' &&
    !(policy.users.includes('*') && isUser(asker.party)) &&
    !covered.includes(asker.party)
  )
    return no('not-entitled', 'Only users of the policy may ask for a recording');
  if (policy.consent === 'hook' && facts.consent !== true)
    return no(
      'no-consent',
      facts.consent === undefined
        ? 'Nothing says that the parties consent: there is no program that decides, and the policy does not state that they are notified'
        : 'The parties have not consented',
    );
  if (facts.protection.some(({ media }) => media.keyExchange === 'zrtp' && media.zrtp?.mode === 'pass'))
    return no('end-to-end', 'ZRTP passes from end to end: the edge has no keys and cannot record');
  if (!facts.able) return no('engine', 'The media engine cannot copy streams');
  return {
    allowed: true,
    reason: {
      rule: 'recording.allowed',
      text:
        policy.consent === 'notified'
          ? 'The policy of the domain covers the call, and states that its parties are notified'
          : 'The policy of the domain covers the call, and its parties have consented',
      evidence,
    },
  };
}

const isUser = (party: string): boolean => party.startsWith('device:');

function isCovered({ users }: RecordingPolicy, party: string): boolean {
  const name = isUser(party) ? party.slice('device:'.length, party.lastIndexOf('@')) : undefined;
  return name !== undefined && users.includes(name);
}
