import { parseDtmfInfo, serializeDtmfInfo } from '@ringfence/sip/headers/dtmf.ts';
import { makeResponse } from '@ringfence/sip/message/build.ts';
import { HeaderList } from '@ringfence/sip/message/header-list.ts';
import { parseMediaType } from '@ringfence/sip/message/media-type.ts';
import type { SipRequest } from '@ringfence/sip/message/types.ts';
import type { ServerTransaction } from '@ringfence/sip/transaction/transaction.ts';
import { messageBody } from '../message/body.ts';
import type { CallLeg } from './leg.ts';
import { relayWithin } from './relay-within.ts';
import type { CallServices } from './services.ts';

/** A request within an answered call that means something to the other side only. */
export interface Inside {
  readonly call: string;
  readonly leg: CallLeg;
  readonly other: CallLeg;
  readonly transaction: ServerTransaction;
  readonly request: SipRequest;
}

const dtmfTypes = ['application/dtmf-relay', 'application/dtmf'] as const;

/**
 * INFO with a key that was pressed goes to the other side, written anew; without a body it is answered here. Packages
 * (RFC 6086) were not agreed on: 469.
 *
 * Which key it was is told to nobody else: it may be part of a secret.
 */
export function acceptInfo(services: CallServices, { call, leg, other, transaction, request }: Inside): void {
  const answer = (status: number, headers = new HeaderList()): void =>
    services.layer.respond(
      transaction,
      makeResponse(request, status, undefined, { headers }),
      services.now(),
    );
  if (request.headers.has('Info-Package')) return answer(469, new HeaderList().add('Recv-Info', ''));
  if (request.body.length === 0) return answer(200);
  const type = parseMediaType(request.headers.get('Content-Type') ?? '');
  const known = type.ok ? dtmfTypes.find((one) => one === type.value.type) : undefined;
  if (known === undefined) return answer(415, new HeaderList().add('Accept', dtmfTypes.join(', ')));
  const pressed = parseDtmfInfo(known, request.body);
  if (!pressed.ok) return answer(400);
  services.bus.emit({ type: 'call.dtmf', call, leg: leg.index, by: 'info' });
  const headers = new HeaderList().add('Content-Type', known);
  const body = Buffer.from(serializeDtmfInfo(known, pressed.value), 'utf8');
  relayWithin(services, { transaction, request, to: other, headers, body });
}

/** MESSAGE within a call (RFC 3428 §4), under the same bounds as outside of calls. */
export function acceptMessageInside(
  services: CallServices,
  { leg, other, transaction, request }: Inside,
): void {
  const answer = (status: number, headers = new HeaderList()): void =>
    services.layer.respond(
      transaction,
      makeResponse(request, status, undefined, { headers }),
      services.now(),
    );
  const { enabled, perMinute, bytes } = services.config().messages;
  if (!enabled) return answer(403);
  const content = messageBody(request, bytes);
  if ('status' in content) return answer(content.status, content.headers);
  if (!services.messages.take(leg.party, perMinute, services.now()))
    return answer(503, new HeaderList().add('Retry-After', '10'));
  relayWithin(services, { transaction, request, to: other, ...content });
}
