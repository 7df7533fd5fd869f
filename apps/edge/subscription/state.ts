import type { SipMessage } from '@ringfence/sip/message/types.ts';

/** Subscription-State of a NOTIFY, RFC 6665 §8.2.3, as far as it is passed on. */
export interface SubscriptionState {
  readonly state: 'active' | 'pending' | 'terminated';
  readonly expires: number | undefined;
  readonly reason: string | undefined;
  readonly retryAfter: number | undefined;
}

/** RFC 6665 §4.1.3; any other reason means no more than none. */
const reasons = new Set('deactivated probation rejected timeout giveup noresource invariant'.split(' '));
const longestSeconds = 10;

/** Undefined where it is missing or is none of the three states. */
export function readState(message: SipMessage): SubscriptionState | undefined {
  const value = message.headers.get('Subscription-State');
  if (value === undefined) return undefined;
  const [head = '', ...params] = value.split(';', 16);
  const state = head.trim().toLowerCase();
  if (state !== 'active' && state !== 'pending' && state !== 'terminated') return undefined;
  const found = new Map(
    params.map((param) => {
      const [name = '', text = ''] = param.split('=', 2);
      return [name.trim().toLowerCase(), text.trim().toLowerCase()];
    }),
  );
  const reason = found.get('reason');
  return {
    state,
    expires: readSeconds(found.get('expires')),
    reason: reason !== undefined && reasons.has(reason) ? reason : undefined,
    retryAfter: readSeconds(found.get('retry-after')),
  };
}

export function writeState({ state, expires, reason, retryAfter }: SubscriptionState): string {
  let text: string = state;
  if (expires !== undefined && state !== 'terminated') text += `;expires=${expires}`;
  if (reason !== undefined && state === 'terminated') text += `;reason=${reason}`;
  if (retryAfter !== undefined && state === 'terminated') text += `;retry-after=${retryAfter}`;
  return text;
}

/** delta-seconds, RFC 3261 §20.19; anything else counts as not given. */
export function readSeconds(text: string | undefined): number | undefined {
  if (text === undefined || text.length === 0 || text.length > longestSeconds) return undefined;
  for (let i = 0; i < text.length; i += 1) {
    const c = text.charCodeAt(i);
    if (c < 0x30 || c > 0x39) return undefined;
  }
  return Number(text);
}
