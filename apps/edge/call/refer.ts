import { parseSession } from '@ringfence/sdp/parse.ts';
import { parseReferTo } from '@ringfence/sip/headers/refer-to.ts';
import { initialMaxForwards, makeResponse } from '@ringfence/sip/message/build.ts';
import { HeaderList } from '@ringfence/sip/message/header-list.ts';
import { serializeNameAddr } from '@ringfence/sip/message/name-addr.ts';
import type { NameAddr } from '@ringfence/sip/message/types.ts';
import { identify } from '../headers/identity.ts';
import { reasonOfRefusal } from '../policy/reject-reasons.ts';
import { describePrincipal, type Principal } from '../policy/types.ts';
import type { DomainDirectory } from '../routing/directory.ts';
import { claimsOf } from '../trunks/limits/judge.ts';
import type { Doorway } from './accept.ts';
import { Call } from './call.ts';
import { type JudgedRefer, judgeRefer, type Referral, said, shownAs } from './judge-refer.ts';
import type { CallLeg } from './leg.ts';
import { warning } from './messages.ts';
import { ownerOf, placeOf } from './named-leg.ts';
import { openJoining } from './open-joining.ts';
import { partyOf, trunkClaims } from './party.ts';
import { passRefer } from './pass-refer.ts';
import { socketText } from './services.ts';
import type { CallPlan } from './setup.ts';
import { Transfer } from './transfer.ts';
import { Rejoined, Transferee } from './transfer-sides.ts';

/**
 * A REFER within a call (RFC 3515), carried out by the edge: whoever refers may send the other party only where it
 * could call itself.
 *
 * The other party never hears of it; it gets a re-INVITE. Out of dialogs REFER is refused.
 */
export function acceptRefer(door: Doorway, referral: Referral): void {
  const { services } = door;
  const { call, leg, transaction, request } = referral;
  const respond = (status: number, headers = new HeaderList(), reason?: string): void =>
    services.layer.respond(transaction, makeResponse(request, status, reason, { headers }), services.now());

  const unsupported = request.headers.values('Require').filter((tag) => tag.toLowerCase() !== 'norefersub');
  if (unsupported.length > 0)
    return respond(420, new HeaderList().add('Unsupported', unsupported.join(', ')));
  const values = request.headers.all('Refer-To');
  const target = values.length === 1 ? parseReferTo(values[0] ?? '') : undefined;
  if (target?.ok !== true) return respond(400, undefined, 'Bad Refer-To');

  const directory = door.directory(call.domain);
  const found = directory === undefined ? undefined : partyOf(directory, leg.party);
  const judged = judgeRefer(door, referral, target.value, directory, found?.principal);
  if (judged.decision.verdict !== 'accept' || directory === undefined || found === undefined) {
    const { decision } = judged;
    if (decision.verdict !== 'refuse') return respond(403);
    services.bus.emit({
      type: 'request.refused',
      source: socketText(leg.flow.remote),
      method: 'REFER',
      caller: leg.party,
      target: judged.callee,
      decision,
    });
    const headers = new HeaderList().add('Reason', reasonOfRefusal(decision.cause));
    if (decision.warning !== undefined) headers.add('Warning', warning(decision.warning));
    return respond(decision.status, headers, decision.reason);
  }
  if (judged.pass) {
    const other = call.other(leg);
    if (other === undefined) return respond(480);
    call.passed = { referrer: leg, to: other, id: call.referrals === 0 ? undefined : request.cseq.number };
    call.referrals += 1;
    const by = identify(directory, found.principal, said(leg), false).name;
    const partner =
      judged.named === undefined ? undefined : placeOf(door, judged.named)?.call.other(judged.named);
    const place: Parameters<typeof passRefer>[2] = {
      ...target.value,
      dialled: judged.callee,
      domain: directory.name,
    };
    if (judged.named !== undefined && partner !== undefined) {
      judged.named.grantedTo = ownerOf(other);
      // A PBX joins its own two calls: it knows the second one by its own dialog with us.
      if (ownerOf(partner) === ownerOf(other)) {
        const { callId, remoteTag: toTag, localTag: fromTag } = partner;
        place.replaces = { callId, toTag, fromTag, earlyOnly: false };
      }
    }
    return passRefer(services, { transaction, request }, place, call.passed, by);
  }
  const silent = request.headers.get('Refer-Sub')?.trim().toLowerCase() === 'false';
  const headers = new HeaderList().add('Contact', leg.contact);
  if (silent) headers.add('Refer-Sub', 'false').add('Supported', 'norefersub');
  respond(202, headers);
  carryOut(door, referral, { ...judged, decision: judged.decision }, directory, found.principal, silent);
}

function carryOut(
  door: Doorway,
  { call, leg, request }: Referral,
  judged: JudgedRefer,
  directory: DomainDirectory,
  principal: Principal,
  silent: boolean,
): void {
  const { services } = door;
  const remaining = call.other(leg);
  const told = leg.media?.lastDescription ?? '';
  const session = parseSession(Buffer.from(told, 'utf8'));
  if (remaining === undefined || !session.ok) return;
  const place = judged.named === undefined ? undefined : placeOf(door, judged.named);
  const partner = place?.call.other(place.leg);
  const transfer = new Transfer(services, {
    referrers: place === undefined ? [{ call, leg }] : [{ call, leg }, place],
    silent,
    id: call.referrals === 0 ? undefined : request.cseq.number,
    cseq: request.cseq.number,
    expires: services.config().calls.ringSeconds + 60,
    cause: 'transferred',
  });
  call.referrals += 1;
  const headers = new HeaderList();
  // RFC 3892 §2.1, made from what was proven; only phones of the tenant are told.
  if (judged.route.startsWith('user:'))
    headers.add('Referred-By', serializeNameAddr(identify(directory, principal, said(leg), false).name));
  const plan: CallPlan = {
    id: judged.id,
    domain: directory.name,
    caller: callerText(shownAs(directory, remaining)),
    callee: judged.callee,
    principal: describePrincipal(principal),
    route: judged.route,
    decision: judged.decision,
    headers,
    maxForwards: initialMaxForwards - 1,
    generation: call.generation + 1,
    hidden: remaining.hidden,
  };
  const legs = partner === undefined ? [remaining] : [remaining, partner];
  const made = begin(door, plan, transfer, remaining, () => {
    // Their places were held by the calls that end now.
    door.limits.take(plan.id, trunkClaims(directory, legs));
  });
  const own = claimsOf(principal, directory).filter(({ key }) => !key.startsWith('trunk:'));
  door.limits.take(plan.id, own);
  if (judged.consulted !== undefined) services.toll?.begin(judged.consulted);
  const opened = openJoining(services, {
    caller: made.side,
    former: remaining,
    session: session.value,
    ...(partner === undefined
      ? { targets: judged.targets, forwarder: judged.forwarder }
      : {
          partner,
          search: (events, invite) =>
            new Rejoined(services, partner, events, invite, {
              answered: () => {},
              failed: (status) => transfer.failed(status),
              lost: () => transfer.lost(),
            }),
        }),
  });
  transfer.begin(made.call);
  made.call.start(plan, opened);
}

function begin(
  door: Doorway,
  plan: CallPlan,
  transfer: Transfer,
  remaining: CallLeg,
  joined: () => void,
): { readonly call: Call; readonly side: Transferee } {
  const { services } = door;
  let side: Transferee | undefined;
  const call = new Call(services, plan, (events) => {
    side = new Transferee(services, remaining, events, {
      ringing: (status) => transfer.progress(status),
      joining: () => {
        transfer.joining = true;
      },
      joined: () => {
        joined();
        call.joined();
        transfer.succeeded();
      },
      refused: (status) => transfer.failed(status),
      lost: () => transfer.lost(),
    });
    return side;
  });
  door.calls.set(plan.id, call);
  const { id, domain, caller, callee, principal, route, decision } = plan;
  services.bus.emit({ type: 'call.started', call: id, domain, caller, callee, principal, route, decision });
  if (side === undefined) throw new Error('a call makes its side');
  return { call, side };
}

const callerText = ({ uri }: NameAddr): string =>
  uri.scheme === 'sip' || uri.scheme === 'sips' ? `${uri.user ?? ''}@${uri.host}` : '';
