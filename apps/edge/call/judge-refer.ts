import type { ReferTo } from '@ringfence/sip/headers/refer-to.ts';
import { HeaderList } from '@ringfence/sip/message/header-list.ts';
import type { NameAddr, SipRequest } from '@ringfence/sip/message/types.ts';
import type { ServerTransaction } from '@ringfence/sip/transaction/transaction.ts';
import type { Consulted } from '../fraud/toll.ts';
import { anonymous, identify } from '../headers/identity.ts';
import { decideTransfer } from '../policy/transfer.ts';
import type { Decision, Principal } from '../policy/types.ts';
import type { DomainDirectory } from '../routing/directory.ts';
import { readDialled } from '../routing/find-route.ts';
import type { Doorway } from './accept.ts';
import type { Call } from './call.ts';
import { CallForwarder, type Forwarder } from './forward.ts';
import { judgeWay } from './judge-way.ts';
import type { CallLeg } from './leg.ts';
import { party, userUri } from './messages.ts';
import { namedBy, ownerOf } from './named-leg.ts';
import { partyOf } from './party.ts';
import type { AcceptedCall } from './setup.ts';
import type { Place } from './transfer.ts';

/** A REFER in a call of the edge. */
export interface Referral {
  readonly call: Call;
  /** Where it came in. */
  readonly leg: CallLeg;
  readonly transaction: ServerTransaction;
  readonly request: SipRequest;
}

export interface JudgedRefer {
  /** Of the call that is made. */
  readonly id: string;
  readonly decision: Extract<Decision, { verdict: 'accept' }>;
  readonly route: string;
  readonly callee: string;
  readonly targets: AcceptedCall['targets'];
  /** Attended: the leg of the referrer in the call that is to be joined with this one. */
  readonly named: CallLeg | undefined;
  /** The other party is to do it itself. */
  readonly pass: boolean;
  /** What the call that is made costs. */
  readonly consulted?: Consulted;
  /** Judges where the phones of the target send the call; absent: nowhere. */
  readonly forwarder?: () => Forwarder;
}

/** Where to, and may they: the referrer's rights, the same policy and routing as for a call of its own. */
export function judgeRefer(
  door: Doorway,
  { call, leg }: Referral,
  { uri: asked, method, replaces }: ReferTo,
  directory: DomainDirectory | undefined,
  principal: Principal | undefined,
): Omit<JudgedRefer, 'decision'> & { readonly decision: Decision } {
  const { services } = door;
  const config = services.config();
  const uri = door.sources.registrar.behind(asked, call.domain, services.now());
  const dialled = readDialled(uri, door.numbers());
  const owner = replaces === undefined ? undefined : namedBy(door, replaces);
  const named = owner === undefined || owner.call === call ? undefined : owner;
  const trunk = principal?.kind === 'trunk' ? directory?.trunks.get(principal.trunk) : undefined;
  const general =
    config.calls.transfer === 'edge' && directory?.pbx !== undefined ? 'pass' : config.calls.transfer;
  const mode = trunk?.transfer ?? general;
  const allowed = decideTransfer(principal, {
    mode,
    call: call.id,
    dialled: dialled.text,
    emergency: dialled.emergency,
    method,
    free: call.transferable,
    generation: call.generation,
    ...(replaces === undefined ? {} : { replaced: standing(call, leg, named) }),
  });
  const pass = mode === 'pass' && !dialled.emergency;
  const callee = named === undefined || pass ? dialled.text : named.call.partyFacing(named.leg);
  const id = services.token(20);
  const result = { id, callee, targets: [], named: named?.leg, route: named?.call.route ?? '', pass };
  if (allowed.verdict !== 'accept' || directory === undefined || principal === undefined)
    return { ...result, decision: allowed };
  if (named !== undefined || pass) return { ...result, decision: noted(allowed, call, leg) };

  const encrypted = leg.media?.encrypted === true;
  const remaining = call.other(leg);
  const identity = identify(directory, principal, said(leg), dialled.emergency);
  const shown =
    remaining === undefined
      ? identify(directory, principal, said(leg), false).number
      : shownAs(directory, remaining);
  const way = judgeWay(door, {
    id,
    by: 'transfer',
    directory,
    principal,
    flow: leg.flow,
    uri,
    dialled,
    media: { present: true, srtp: encrypted, plain: !encrypted, unsupported: false, usable: 1 },
    identity,
    shown,
  });
  const { route, targets } = way;
  if (way.decision.verdict !== 'accept') return { ...result, route, decision: way.decision };
  const reasons = [...allowed.reasons, ...way.decision.reasons];
  const forwarder = (): Forwarder =>
    new CallForwarder(door, { id, directory, dialled, identity, shown, forwardings: [] });
  return {
    ...result,
    route,
    decision: noted({ ...way.decision, reasons }, call, leg),
    targets,
    ...(way.consulted === undefined ? {} : { consulted: way.consulted }),
    ...(route.startsWith('user:') ? { forwarder } : {}),
  };
}

const none = new HeaderList();

/** What a party has written about itself, without wishes. */
export const said = ({ dialog }: CallLeg): { from: NameAddr; headers: HeaderList } => ({
  from: dialog?.remote ?? nobody,
  headers: none,
});

const nobody: NameAddr = party(userUri('anonymous', 'anonymous.invalid'), undefined);

/** Who has transferred which call: for the record. */
function noted(
  decision: Extract<Decision, { verdict: 'accept' }>,
  call: Call,
  leg: CallLeg,
): Extract<Decision, { verdict: 'accept' }> {
  const [first, ...rest] = decision.reasons;
  if (first === undefined) return decision;
  return {
    ...decision,
    reasons: [{ ...first, evidence: { ...first.evidence, call: call.id, by: leg.party } }, ...rest],
  };
}

/** Both calls must be the referrer's own: of the same user, or of the same trunk. */
function standing(
  call: Call,
  leg: CallLeg,
  named: Place | undefined,
): 'own' | 'unknown' | 'foreign' | 'unanswered' {
  if (named === undefined) return 'unknown';
  if (named.call.domain !== call.domain || ownerOf(named.leg) !== ownerOf(leg)) return 'foreign';
  return named.call.transferable ? 'own' : 'unanswered';
}

/** A party of a call as a new called side shall see it: as the other side of the old call saw it. */
export function shownAs(directory: DomainDirectory, leg: CallLeg): NameAddr {
  if (leg.hidden) return anonymous;
  const known = partyOf(directory, leg.party);
  const from =
    leg.rang === '' ? (leg.dialog?.remote ?? nobody) : party(userUri(leg.rang, directory.name), undefined);
  return known === undefined
    ? from
    : identify(directory, known.principal, { from, headers: none }, false).name;
}
