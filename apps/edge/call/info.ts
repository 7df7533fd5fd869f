import { type DtmfInfo, parseDtmfInfo, serializeDtmfInfo } from '@ringfence/sip/headers/dtmf.ts';
import { makeResponse } from '@ringfence/sip/message/build.ts';
import { HeaderList } from '@ringfence/sip/message/header-list.ts';
import { parseMediaType } from '@ringfence/sip/message/media-type.ts';
import type { SipRequest } from '@ringfence/sip/message/types.ts';
import type { ServerTransaction } from '@ringfence/sip/transaction/transaction.ts';
import { messageBody } from '../message/body.ts';
import type { CallLeg } from './leg.ts';
import { packageOf, protectionPackage, readConfirmation } from './protection-info.ts';
import { mostRelayed, relayWithin } from './relay-within.ts';
import type { CallServices } from './services.ts';
import { tricklePackage } from './trickle.ts';

/** A request within an answered call that means something to the other side only. */
export interface Inside {
  readonly call: string;
  readonly leg: CallLeg;
  readonly other: CallLeg;
  readonly transaction: ServerTransaction;
  readonly request: SipRequest;
  /** A person has found the short authentication string to be the same. False: the call has no such string now. */
  confirmSas(sas: string): boolean;
  /** A key was pressed. */
  keyed?(key: string): void;
}

const dtmfTypes = ['application/dtmf-relay', 'application/dtmf'] as const;

/**
 * INFO with a key that was pressed goes to the other side, written anew; without a body it is answered here. Of
 * packages (RFC 6086) there is one here, for phones that have asked for it: others get 469.
 *
 * Which key it was is told to nobody else: it may be part of a secret.
 */
export function acceptInfo(services: CallServices, inside: Inside): void {
  const { call, leg, other, transaction, request } = inside;
  const answer = (status: number, headers = new HeaderList()): void =>
    services.layer.respond(
      transaction,
      makeResponse(request, status, undefined, { headers }),
      services.now(),
    );
  const info = request.headers.get('Info-Package');
  if (info !== undefined) {
    if (!leg.takesProtection || packageOf(info) !== protectionPackage) {
      const known = [
        ...(leg.takesProtection ? [protectionPackage] : []),
        ...(leg.media?.ice === true ? [tricklePackage] : []),
      ];
      return answer(469, new HeaderList().add('Recv-Info', known.join(', ')));
    }
    const sas = readConfirmation(request.body);
    return answer(sas !== undefined && inside.confirmSas(sas) ? 200 : 400);
  }
  if (request.body.length === 0) return answer(200);
  const type = parseMediaType(request.headers.get('Content-Type') ?? '');
  const known = type.ok ? dtmfTypes.find((one) => one === type.value.type) : undefined;
  if (known === undefined) return answer(415, new HeaderList().add('Accept', dtmfTypes.join(', ')));
  const pressed = parseDtmfInfo(known, request.body);
  if (!pressed.ok) return answer(400);
  services.bus.emit({ type: 'call.dtmf', call, leg: leg.index, by: 'info' });
  inside.keyed?.(pressed.value.key);
  if (sendAsEvent(services, leg, other, pressed.value)) return answer(200);
  const headers = new HeaderList().add('Content-Type', known);
  const body = Buffer.from(serializeDtmfInfo(known, pressed.value), 'utf8');
  relayWithin(services, { transaction, request, to: other, headers, body });
}

const usualMs = 160;

/** For a side that has RFC 4733 events, where the one that sends INFO has none: false where it is to go on as INFO. */
function sendAsEvent(
  services: CallServices,
  leg: CallLeg,
  other: CallLeg,
  { key, duration }: DtmfInfo,
): boolean {
  if (!services.config().media.bridgeDigits || key === '!' || eventsOf(leg) !== undefined) return false;
  const endpoint = eventsOf(other);
  return endpoint !== undefined && services.relay()?.press(endpoint, key, duration ?? usualMs) === true;
}

/** The endpoint by which that side has RFC 4733 events, undefined where it has none. */
const eventsOf = ({ media }: CallLeg): number | undefined =>
  media?.streams.find((stream) => stream?.telephoneEvent !== undefined)?.endpoint.id;

/** A key that was pressed as an event in RTP: goes to the other side as INFO where that one has no events. */
export function pressedInRtp(
  services: CallServices,
  call: string,
  leg: CallLeg,
  other: CallLeg | undefined,
  pressed: DtmfInfo,
): void {
  services.bus.emit({ type: 'call.dtmf', call, leg: leg.index, by: 'rtp' });
  if (!services.config().media.bridgeDigits || other?.dialog?.state !== 'confirmed') return;
  if (eventsOf(other) !== undefined || other.relayed >= mostRelayed) return;
  const [type] = dtmfTypes;
  const headers = new HeaderList().add('Content-Type', type);
  const body = Buffer.from(serializeDtmfInfo(type, pressed), 'utf8');
  other.relayed += 1;
  let over = false;
  const done = ({ status }: { readonly status: number } = { status: 408 }): void => {
    if (over || status < 200) return;
    over = true;
    other.relayed -= 1;
  };
  other.send(other.dialog.request('INFO', { contact: other.contact, headers, body }), {
    response: done,
    failed: () => done(),
  });
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
