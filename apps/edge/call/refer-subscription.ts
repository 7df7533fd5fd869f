import { HeaderList } from '@ringfence/sip/message/header-list.ts';
import type { SipRequest } from '@ringfence/sip/message/types.ts';
import { eventOf } from '../subscription/packages.ts';
import { readSeconds } from '../subscription/state.ts';
import type { CallLeg } from './leg.ts';
import type { Transfer } from './transfer.ts';

/** Without Expires: as long as it is granted, RFC 3515 §2.4.4. */
const unsaid = 2 ** 31;

/**
 * SUBSCRIBE within a call, for how a transfer goes: its referrer asks for longer, for less, or for nothing more. Such a
 * subscription is begun by REFER alone; there is no other event that a call tells of.
 */
export function acceptReferSubscribe(
  transfer: Transfer | undefined,
  leg: CallLeg,
  request: SipRequest,
  answer: (status: number, headers?: HeaderList) => void,
): void {
  const event = eventOf(request);
  if (event?.name !== 'refer') return answer(489, new HeaderList().add('Allow-Events', 'refer'));
  const id = event.id === undefined ? undefined : (readSeconds(event.id) ?? -1);
  const wanted = request.headers.get('Expires');
  const seconds = wanted === undefined ? unsaid : readSeconds(wanted);
  if (seconds === undefined) return answer(400);
  const granted = transfer?.subscribed(leg, id, seconds);
  if (granted === undefined) return answer(481);
  answer(200, new HeaderList().add('Expires', String(granted.seconds)).add('Contact', leg.contact));
  granted.tell();
}
