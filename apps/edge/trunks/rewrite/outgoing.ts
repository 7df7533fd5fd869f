import type { Forwarding } from '@ringfence/sip/headers/diversion.ts';
import type { HeaderList } from '@ringfence/sip/message/header-list.ts';
import type { NameAddr } from '@ringfence/sip/message/types.ts';
import { userUri } from '../../call/messages.ts';
import { writeForwardings } from '../../headers/forwardings.ts';
import { type CallerIdentity, present } from '../../headers/identity.ts';
import type { HeaderRule, Rewrite } from '../../objects/rewrite-settings.ts';
import type { Trunk } from '../../objects/types.ts';
import type { Numbers } from '../../routing/numbers.ts';
import type { TrunkAttempt } from '../search.ts';
import { applyHeaderRules } from './headers.ts';
import { rewriteNumber } from './numbers.ts';

/** A call as it goes out by a trunk. */
export interface Outgoing {
  readonly called: string;
  readonly caller: string;
  readonly headers: readonly HeaderRule[];
}

const noRules: readonly HeaderRule[] = [];

/**
 * The rules of the route, then those of the trunk.
 *
 * An emergency number stays as it was dialled: no rule can lead a call for help elsewhere.
 */
export function outgoing(
  trunk: Trunk,
  route: Rewrite | undefined,
  call: { readonly called: string; readonly caller: string; readonly emergency: boolean },
  numbers: Numbers,
): Outgoing {
  let { called, caller } = call;
  let headers = noRules;
  for (const rewrite of [route, trunk.rewrite?.outbound]) {
    if (rewrite === undefined) continue;
    if (!call.emergency) called = rewriteNumber(rewrite.called, called, numbers).text;
    caller = rewriteNumber(rewrite.caller, caller, numbers).text;
    if (rewrite.headers !== undefined) headers = [...headers, ...rewrite.headers];
  }
  return { called, caller, headers };
}

/** A call before the rules of route and trunk. */
export interface CallOut {
  readonly number: string;
  readonly identity: CallerIdentity;
  readonly emergency: boolean;
  /** Header fields for trusted trunks alone. */
  readonly carried?: HeaderList | undefined;
  /** Forwardings that a trusted side has told of. */
  readonly forwardings?: readonly Forwarding[] | undefined;
}

/** A trunk as a place for a call, told of the caller what it may know, in numbers as it wants them. */
export function trunkAttempt(
  trunk: Trunk,
  route: Rewrite | undefined,
  { number, identity, emergency, carried, forwardings }: CallOut,
  numbers: Numbers,
): TrunkAttempt {
  const before = userOf(identity.number);
  const { called, caller, headers } = outgoing(
    trunk,
    route,
    { called: number, caller: before, emergency },
    numbers,
  );
  const shown = caller === before ? identity : { ...identity, number: withUser(identity.number, caller) };
  const presented = present(shown, 'trunk', trunk.trusted === true);
  if (trunk.trusted === true && carried !== undefined && presented.headers !== undefined)
    for (const [name, value] of carried) presented.headers.add(name, value);
  if (trunk.trusted === true && forwardings !== undefined && presented.headers !== undefined)
    writeForwardings(forwardings, trunk.forwardings ?? 'diversion', trunk.domain, called, presented.headers);
  if (headers.length === 0) return { trunk, number: called, ...presented };
  // A caller who hides is `anonymous` in header fields, too.
  const texts = { caller: userOf(presented.from), called };
  return {
    trunk,
    number: called,
    ...presented,
    writeHeaders: (list) => applyHeaderRules(list, headers, texts),
  };
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
