import { makeResponse } from '@ringfence/sip/message/build.ts';
import { HeaderList } from '@ringfence/sip/message/header-list.ts';
import type { SipRequest, SipResponse } from '@ringfence/sip/message/types.ts';
import type { ServerTransaction } from '@ringfence/sip/transaction/transaction.ts';
import { statusForCaller } from './hunt.ts';
import type { CallLeg } from './leg.ts';
import type { CallServices } from './services.ts';

/** Requests of one side that may wait for the other's answer at once; more get 503. */
export const mostRelayed = 8;

/** What goes to the other side: nothing of the request that came but what its caller has put here. */
export interface Relayed {
  readonly transaction: ServerTransaction;
  readonly request: SipRequest;
  readonly to: CallLeg;
  readonly headers: HeaderList;
  readonly body?: Uint8Array;
  /** Header fields of our answer; default none. */
  answer?(response: SipResponse): HeaderList;
}

/**
 * Carries a request within a dialog to the other side of the call, and its final answer back.
 *
 * A 481 or a time-out of the other side ends nothing here: its session is watched by other means.
 */
export function relayWithin(services: CallServices, relayed: Relayed): void {
  const { transaction, request, to, headers, body } = relayed;
  const respond = (status: number, more = new HeaderList()): void =>
    services.layer.respond(
      transaction,
      makeResponse(request, status, undefined, { headers: more }),
      services.now(),
    );
  if (to.dialog?.state !== 'confirmed') return respond(480);
  if (to.relayed >= mostRelayed) return respond(503, new HeaderList().add('Retry-After', '5'));
  to.relayed += 1;
  let over = false;
  const finish = (status: number, more?: HeaderList): void => {
    if (over) return;
    over = true;
    to.relayed -= 1;
    respond(status, more);
  };
  const fields = { contact: to.contact, headers, ...(body === undefined ? {} : { body }) };
  to.send(to.dialog.request(request.method, fields), {
    response: (response) => {
      const { status } = response;
      if (status < 200) return;
      // The dialog that asked is there, whatever the other side says of its own.
      if (status >= 300) finish(status === 481 || status === 408 ? 480 : statusForCaller(status));
      else finish(status, relayed.answer?.(response));
    },
    failed: () => finish(480),
  });
}
