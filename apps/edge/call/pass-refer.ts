import { type Replaces, serializeReplaces } from '@ringfence/sip/headers/replaces.ts';
import { sipfragOf, sipfragStatus, sipfragType } from '@ringfence/sip/headers/sipfrag.ts';
import { makeResponse } from '@ringfence/sip/message/build.ts';
import { HeaderList } from '@ringfence/sip/message/header-list.ts';
import { serializeNameAddr } from '@ringfence/sip/message/name-addr.ts';
import { noParams } from '@ringfence/sip/message/params.ts';
import type { NameAddr, SipRequest } from '@ringfence/sip/message/types.ts';
import { sipUri } from '@ringfence/sip/message/uri.ts';
import type { ServerTransaction } from '@ringfence/sip/transaction/transaction.ts';
import type { CallLeg } from './leg.ts';
import { relayWithin } from './relay-within.ts';
import type { CallServices } from './services.ts';

/** A REFER that the other side was asked to carry out: where its NOTIFYs go. */
export interface PassedRefer {
  readonly referrer: CallLeg;
  readonly to: CallLeg;
  /** CSeq of the REFER on the referrer's side, where it is not the first one there. */
  readonly id: number | undefined;
}

/**
 * `calls.transfer: pass`: the other party is asked to place the call itself, by its own rights.
 *
 * The target is written anew under the tenant's own domain; a dialog that it names stays named, since its tags are
 * the edge's own. A PBX gets every REFER of its phones this way.
 */
export function passRefer(
  services: CallServices,
  referral: { readonly transaction: ServerTransaction; readonly request: SipRequest },
  target: { readonly dialled: string; readonly domain: string; replaces?: Replaces },
  passed: PassedRefer,
  by: NameAddr,
): void {
  const { transaction, request } = referral;
  const { replaces } = target;
  const plain = sipUri({ user: target.dialled, host: target.domain });
  const uri =
    replaces === undefined
      ? plain
      : { ...plain, headers: new Map([['Replaces', serializeReplaces(replaces)]]) };
  const headers = new HeaderList()
    .add('Refer-To', serializeNameAddr({ uri, params: noParams }))
    .add('Referred-By', serializeNameAddr({ ...by, params: noParams }));
  relayWithin(services, {
    transaction,
    request,
    to: passed.to,
    headers,
    answer: () => new HeaderList().add('Contact', passed.referrer.contact),
  });
}

/** A NOTIFY of whoever carries out a REFER that was passed on: its status line, in our words, to the referrer. */
export function passNotify(
  services: CallServices,
  passed: PassedRefer,
  transaction: ServerTransaction,
  request: SipRequest,
): void {
  const refuse = (status: number): void =>
    services.layer.respond(transaction, makeResponse(request, status), services.now());
  const event = request.headers.get('Event')?.split(';')[0]?.trim().toLowerCase();
  if (event !== 'refer') return refuse(489);
  const status = sipfragStatus(request.body);
  if (status === undefined) return refuse(400);
  const over =
    request.headers.get('Subscription-State')?.trim().toLowerCase().startsWith('terminated') === true;
  const headers = new HeaderList()
    .add('Event', passed.id === undefined ? 'refer' : `refer;id=${passed.id}`)
    .add('Subscription-State', over ? 'terminated;reason=noresource' : 'active;expires=60')
    .add('Content-Type', sipfragType);
  relayWithin(services, { transaction, request, to: passed.referrer, headers, body: sipfragOf(status) });
}
