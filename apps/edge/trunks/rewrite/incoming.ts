import type { NameAddr } from '@ringfence/sip/message/types.ts';
import { userUri } from '../../call/messages.ts';
import type { Rewrite } from '../../objects/rewrite-settings.ts';
import { type Dialled, readDialled } from '../../routing/find-route.ts';
import type { Numbers } from '../../routing/numbers.ts';
import { rewriteNumber } from './numbers.ts';
import { userOf, withUser } from './outgoing.ts';

/** Whom a trunk's call is for, after the rules of the trunk; an emergency number stays as it is. */
export function calledFrom(rewrite: Rewrite | undefined, dialled: Dialled, numbers: Numbers): Dialled {
  if (rewrite?.called === undefined || dialled.emergency || dialled.text === '') return dialled;
  const { text, rule } = rewriteNumber(rewrite.called, dialled.digits ?? dialled.text, numbers);
  return rule === undefined ? dialled : readDialled(userUri(text, 'rewritten.invalid'), numbers);
}

/** Who calls, after the rules of the trunk. */
export function callerFrom(rewrite: Rewrite | undefined, from: NameAddr, numbers: Numbers): NameAddr {
  const user = userOf(from);
  if (rewrite?.caller === undefined || user === '') return from;
  const { text, rule } = rewriteNumber(rewrite.caller, user, numbers);
  return rule === undefined ? from : withUser(from, text);
}
