import { Dialog } from '@ringfence/sip/dialog/dialog.ts';
import { makeResponse } from '@ringfence/sip/message/build.ts';
import { HeaderList } from '@ringfence/sip/message/header-list.ts';
import type { SipRequest, SipResponse } from '@ringfence/sip/message/types.ts';
import type { ServerTransaction } from '@ringfence/sip/transaction/transaction.ts';
import type { Flow } from '@ringfence/sip/transport/flow.ts';
import { product } from '../call/messages.ts';
import type { CallServices } from '../call/services.ts';
import { challengesOf, credentialsOf, isStale, usernameOf } from '../pbx/credentials.ts';
import { SubscriptionLeg } from './leg.ts';
import { type BodyContext, bodyFor, type EventHeader, type EventPackage, eventOf } from './packages.ts';
import { readSeconds, readState, writeState } from './state.ts';

/** A subscription that is over is kept for so long, for the NOTIFY that says so (RFC 6665 §4.1.2.3: timer N). */
const graceMs = 32_000;
export const longestExpires = 3_600;

type Answer = (status: number, headers?: HeaderList) => void;

export interface SubscriptionFields {
  readonly request: SipRequest;
  readonly transaction: ServerTransaction;
  readonly event: EventHeader & { readonly package: EventPackage };
  readonly context: BodyContext;
  /** The phone's newest flow, where the one that it subscribed over is gone. */
  again(flow: Flow): Flow | undefined;
  /** It is over: nothing is left of it. */
  ended(): void;
}

/**
 * One relayed subscription, RFC 6665: a dialog with the phone, where the edge is the notifier, and one with the PBX,
 * where it is the subscriber. Identifiers are each side's own, bodies are written anew.
 */
export class Subscription {
  readonly phone: SubscriptionLeg;
  readonly pbx: SubscriptionLeg;
  /** Unix ms; the owner ends it then. */
  expiresAt: number;
  readonly #services: CallServices;
  readonly #fields: SubscriptionFields;
  /** The first NOTIFY where it came before the answer to the SUBSCRIBE. */
  #held: readonly [SipRequest, Answer] | undefined = undefined;
  #over = false;

  constructor(services: CallServices, fields: SubscriptionFields, pbxFlow: Flow) {
    this.#services = services;
    this.#fields = fields;
    const { request, transaction } = fields;
    this.phone = new SubscriptionLeg(
      services,
      {
        callId: request.callId,
        flow: transaction.flow,
        followTarget: false,
        again: (flow) => fields.again(flow),
      },
      (refresh, answer) => this.#refresh(refresh, answer),
    );
    this.pbx = new SubscriptionLeg(
      services,
      { callId: services.token(24), flow: pbxFlow, followTarget: true },
      (notify, answer) => this.#notified(notify, answer),
    );
    this.expiresAt = services.now() + graceMs;
  }

  get domain(): string {
    return this.#fields.context.domain;
  }

  /** What the PBX's node is asked, with the phone's own credentials. */
  headers(asked: SipRequest): HeaderList {
    const { event } = this.#fields;
    const headers = new HeaderList();
    headers.add('Event', event.name);
    headers.add('Accept', event.package.type);
    const expires = readSeconds(asked.headers.get('Expires'));
    if (expires !== undefined) headers.add('Expires', String(Math.min(expires, longestExpires)));
    headers.add('User-Agent', product);
    for (const [name, value] of credentialsOf(asked)) headers.add(name, value);
    return headers;
  }

  /** The PBX has said yes: `sent` is the SUBSCRIBE that it answers. */
  accepted(sent: SipRequest, response: SipResponse, flow: Flow): void {
    const { request, transaction } = this.#fields;
    const { layer, now } = this.#services;
    this.pbx.flow = flow;
    const dialog = Dialog.uac(sent, response);
    // A NOTIFY that came first counts its CSeq; one of another fork belongs to no subscription of ours.
    let held = this.#held;
    this.#held = undefined;
    if (held !== undefined && !dialog.receive(held[0]).ok) held = undefined;
    if (held !== undefined && this.pbx.remoteTag !== dialog.remoteTag) {
      held[1](481);
      held = undefined;
    }
    this.pbx.dialog = dialog;
    const headers = this.#granted(response, request);
    headers.add('Contact', this.phone.contact);
    const accepted = makeResponse(request, 200, undefined, { toTag: this.phone.localTag, headers });
    this.phone.dialog = Dialog.uas(request, accepted);
    layer.respond(transaction, accepted, now());
    if (held !== undefined) this.#pass(...held);
  }

  /** Ends both sides without another word. */
  end(): void {
    if (this.#over) return;
    this.#over = true;
    this.#held?.[1](481);
    this.phone.forget();
    this.pbx.forget();
    this.#fields.ended();
  }

  /** The phone's time is up, or its PBX is gone: it is told so. */
  expire(reason: 'timeout' | 'deactivated'): void {
    if (this.#over) return;
    if (this.phone.dialog !== undefined) {
      const headers = this.#notifyHeaders(`terminated;reason=${reason}`);
      this.phone.send('NOTIFY', { headers }, { response: () => undefined, failed: () => undefined });
    }
    this.end();
  }

  #granted(response: SipResponse, asked: SipRequest): HeaderList {
    const wanted = readSeconds(asked.headers.get('Expires')) ?? longestExpires;
    const granted = Math.min(readSeconds(response.headers.get('Expires')) ?? wanted, longestExpires);
    this.expiresAt = this.#services.now() + granted * 1000 + graceMs;
    return new HeaderList().add('Expires', String(granted));
  }

  /** SUBSCRIBE of the phone within its dialog: refreshed or ended by the PBX, RFC 6665 §4.2.1.3. */
  #refresh(request: SipRequest, answer: Answer): void {
    if (request.method !== 'SUBSCRIBE') return answer(405, new HeaderList().add('Allow', 'SUBSCRIBE'));
    const event = eventOf(request);
    const { name, id } = this.#fields.event;
    if (event?.name !== name || event.id !== id) return answer(489);
    this.phone.dialog?.refreshTarget(request);
    this.pbx.send(
      'SUBSCRIBE',
      { headers: this.headers(request) },
      {
        response: (response) => {
          const { status } = response;
          if (status < 200) return;
          if (status < 300) {
            this.pbx.dialog?.refreshTarget(response);
            const headers = this.#granted(response, request);
            return answer(200, headers.add('Contact', this.phone.contact));
          }
          if (status === 401 || status === 407) {
            // Within the dialog the phone's digest is over our Contact; a PBX that minds gets a new subscription.
            if (usernameOf(request) === undefined || isStale(response))
              return answer(status, challengesOf(response));
            answer(481);
            return this.end();
          }
          answer(statusOfRefusal(status), minimumOf(response));
          // §4.1.2.2: the PBX knows nothing of it any more.
          if (status === 481) this.end();
        },
        failed: () => {
          answer(408);
          this.expire('deactivated');
        },
      },
    );
  }

  #notified(request: SipRequest, answer: Answer): void {
    if (request.method !== 'NOTIFY') return answer(405, new HeaderList().add('Allow', 'NOTIFY'));
    const event = eventOf(request);
    if (event?.name !== this.#fields.event.name) return answer(489);
    if (this.pbx.dialog === undefined) {
      // §4.4.1: the NOTIFY makes the dialog; its From is the PBX.
      this.pbx.dialog = Dialog.uas(request, makeResponse(request, 200));
      this.pbx.dialog.receive(request);
    } else this.pbx.dialog.refreshTarget(request);
    if (this.phone.dialog === undefined) {
      if (this.#held !== undefined) return answer(500);
      this.#held = [request, answer];
      return;
    }
    this.#pass(request, answer);
  }

  #pass(request: SipRequest, answer: Answer): void {
    const { context, event } = this.#fields;
    const state = readState(request);
    if (state === undefined) return answer(400);
    const body = bodyFor(event.package, request, context);
    if (body === undefined) {
      answer(415, new HeaderList().add('Accept', event.package.type));
      if (state.state === 'terminated') this.expire('deactivated');
      return;
    }
    if (state.expires !== undefined && state.state !== 'terminated')
      this.expiresAt = this.#services.now() + Math.min(state.expires, longestExpires) * 1000 + graceMs;
    const headers = this.#notifyHeaders(writeState(state));
    if (body !== null) headers.add('Content-Type', event.package.type);
    const ended = (): void => {
      if (state.state === 'terminated') this.end();
    };
    this.phone.send(
      'NOTIFY',
      { headers, ...(body === null ? {} : { body: Buffer.from(body, 'utf8') }) },
      {
        response: ({ status }) => {
          if (status < 200) return;
          answer(status < 300 ? 200 : statusOfRefusal(status));
          // §4.2.2: whoever answers so has no such subscription.
          if (status === 481) this.end();
          else ended();
        },
        failed: () => {
          // The PBX ends what nobody hears.
          answer(481);
          this.end();
        },
      },
    );
  }

  #notifyHeaders(state: string): HeaderList {
    const { name, id } = this.#fields.event;
    return new HeaderList()
      .add('Event', id === undefined ? name : `${name};id=${id}`)
      .add('Subscription-State', state)
      .add('User-Agent', product);
  }
}

/** What a refusal is for the other side: redirections are not followed, overload behind us is none of ours. */
export const statusOfRefusal = (status: number): number => (status < 400 || status === 503 ? 500 : status);

/** RFC 3261 §20.23 for SUBSCRIBE (RFC 6665 §4.2.1.1). */
export function minimumOf(response: SipResponse): HeaderList {
  const headers = new HeaderList();
  const minimum = readSeconds(response.headers.get('Min-Expires'));
  return minimum === undefined || response.status !== 423
    ? headers
    : headers.add('Min-Expires', String(minimum));
}
