import type { NameAddr } from '@ringfence/sip/message/types.ts';
import { userUri } from '../../call/messages.ts';
import type { HeaderRule, Rewrite } from '../../objects/rewrite-settings.ts';
import type { Trunk } from '../../objects/types.ts';
import type { Numbers } from '../../routing/numbers.ts';
import type { CallNumbers } from './headers.ts';
import { rewriteNumber } from './numbers.ts';

/** A call as it goes out by a trunk. */
export interface Outgoing {
  readonly number: string;
  readonly from: NameAddr;
  readonly headers: readonly HeaderRule[];
  readonly numbers: CallNumbers;
}

/**
 * The rules of the route, then those of the trunk.
 *
 * An emergency number stays as it was dialled: no rule can lead a call for help elsewhere.
 */
export function outgoing(
  trunk: Trunk,
  route: Rewrite | undefined,
  call: { readonly number: string; readonly from: NameAddr; readonly emergency: boolean },
  numbers: Numbers,
): Outgoing {
  let { number, from } = call;
  const caller = userOf(from);
  let shown = caller;
  const headers: HeaderRule[] = [];
  for (const rewrite of [route, trunk.rewrite?.outbound]) {
    if (rewrite === undefined) continue;
    if (!call.emergency) number = rewriteNumber(rewrite.called, number, numbers).text;
    shown = rewriteNumber(rewrite.caller, shown, numbers).text;
    headers.push(...(rewrite.headers ?? []));
  }
  if (shown !== caller) from = withUser(from, shown);
  return { number, from, headers, numbers: { caller: shown, called: number } };
}

export function userOf({ uri }: NameAddr): string {
  if (uri.scheme === 'tel') return uri.number;
  return 'user' in uri ? (uri.user ?? '') : '';
}

/** The same party under another name or number. */
export const withUser = (party: NameAddr, user: string): NameAddr => ({
  ...party,
  uri: userUri(user, 'host' in party.uri ? party.uri.host : 'anonymous.invalid'),
});
