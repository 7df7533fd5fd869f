import { makeResponse } from '@ringfence/sip/message/build.ts';
import { HeaderList } from '@ringfence/sip/message/header-list.ts';
import { serializeMessage } from '@ringfence/sip/message/serialize.ts';
import type { SipRequest } from '@ringfence/sip/message/types.ts';
import type { ServerTransaction } from '@ringfence/sip/transaction/transaction.ts';
import type { CallServices } from '../call/services.ts';

export type Respond = (status: number, headers?: HeaderList, reason?: string) => void;

/**
 * Answers one request. Whoever has proven nothing gets no more octets over UDP than it has sent: what does not fit
 * loses its reason phrase, and then its headers.
 */
export function responder(
  services: Pick<CallServices, 'layer' | 'token' | 'now'>,
  transaction: ServerTransaction,
  request: SipRequest,
  proven: () => boolean,
): Respond {
  return (status, headers = new HeaderList(), reason) => {
    const toTag = services.token(16);
    let response = makeResponse(request, status, reason, { toTag, headers });
    if (transaction.flow.transport === 'udp' && !proven()) {
      const most = serializeMessage(request).length;
      if (serializeMessage(response).length > most) response = { ...response, reason: '' };
      if (serializeMessage(response).length > most)
        response = makeResponse(request, status === 401 || status === 407 ? 500 : status, '', { toTag });
    }
    services.layer.respond(transaction, response, services.now());
  };
}
