import { HeaderList } from '../message/header-list.ts';
import type { SipRequest, SipResponse, Via } from '../message/types.ts';

const noBody = new Uint8Array(0);

function alike(
  request: SipRequest,
  method: string,
  to: SipRequest['to'],
  headers: HeaderList | undefined,
): SipRequest {
  const own = new HeaderList();
  for (const route of request.headers.all('route')) own.add('Route', route);
  if (headers !== undefined) for (const [name, value] of headers.entries()) own.add(name, value);
  return {
    kind: 'request',
    method,
    uri: request.uri,
    via: [request.via[0] as Via],
    from: request.from,
    to,
    callId: request.callId,
    cseq: { number: request.cseq.number, method },
    maxForwards: 70,
    headers: own,
    body: noBody,
  };
}

/** ACK of a 300-699 answer: same hop, same branch, To of the response. RFC 3261 §17.1.1.3. */
export function ackOfFailure(invite: SipRequest, response: SipResponse): SipRequest {
  return alike(invite, 'ACK', response.to, undefined);
}

/** CANCEL of a request: same hop, same branch, same CSeq number. RFC 3261 §9.1; `headers` e.g. Reason (RFC 3326). */
export function cancelOf(request: SipRequest, headers?: HeaderList): SipRequest {
  return alike(request, 'CANCEL', request.to, headers);
}
