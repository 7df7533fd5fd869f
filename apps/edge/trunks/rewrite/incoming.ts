import { userUri } from '../../call/messages.ts';
import type { CallerIdentity } from '../../headers/identity.ts';
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
export function callerFrom(
  rewrite: Rewrite | undefined,
  identity: CallerIdentity,
  numbers: Numbers,
): CallerIdentity {
  const user = userOf(identity.number);
  if (rewrite?.caller === undefined || user === '') return identity;
  const { text, rule } = rewriteNumber(rewrite.caller, user, numbers);
  if (rule === undefined) return identity;
  const number = withUser(identity.number, text);
  return { ...identity, name: number, number };
}
