import { Dialog } from '@ringfence/sip/dialog/dialog.ts';
import { answer as answerChallenge } from '@ringfence/sip/digest/client.ts';
import { makeRequest } from '@ringfence/sip/message/build.ts';
import { HeaderList } from '@ringfence/sip/message/header-list.ts';
import type { NameAddr, SipResponse, Uri } from '@ringfence/sip/message/types.ts';
import { serializeUri } from '@ringfence/sip/message/uri.ts';
import type { ClientTransaction } from '@ringfence/sip/transaction/transaction.ts';
import type { Flow } from '@ringfence/sip/transport/flow.ts';
import type { Encryption } from '../config/schema.ts';
import type { Trunk } from '../objects/types.ts';
import { CallLeg, type LegEvents } from './leg.ts';
import { product, withSdp } from './messages.ts';
import type { CallServices, ClientOwner } from './services.ts';

/** Whom a branch rings, and how it gets there. */
export interface BranchTarget {
  readonly party: string;
  readonly demanded: Encryption;
  /** Request-URI. */
  readonly uri: Uri;
  readonly from: NameAddr;
  readonly to: NameAddr;
  readonly flow: Flow;
  /** Further candidates of RFC 3263 §4.3, tried after a failure of the one before. */
  readonly alternatives: readonly (() => Promise<Flow | undefined>)[];
  readonly trunk?: Trunk;
}

export interface BranchEvents extends LegEvents {
  provisional(branch: Branch, response: SipResponse): void;
  answered(branch: Branch, response: SipResponse): void;
  failed(branch: Branch, status: number): void;
}

const transportFailure = 503;
const timedOut = 408;

/** One attempt to reach one phone or trunk: an INVITE, its retries, and the dialog that comes of it. */
export class Branch implements ClientOwner {
  readonly leg: CallLeg;
  readonly target: BranchTarget;
  state: 'idle' | 'calling' | 'early' | 'answered' | 'failed' = 'idle';
  readonly #services: CallServices;
  readonly #events: BranchEvents;
  readonly #offer: (plain: boolean) => string;
  readonly #headers: HeaderList;
  readonly #maxForwards: number;
  #transaction: ClientTransaction | undefined;
  #cseq = 1;
  #plain = false;
  #authenticated = false;
  #cancelled = false;
  #credentials: { readonly name: string; readonly value: string } | undefined;
  #next = 0;
  #ack: Uint8Array | undefined;
  #answeredTag = '';

  constructor(
    services: CallServices,
    events: BranchEvents,
    index: number,
    target: BranchTarget,
    invite: {
      /** Header fields to pass on. */
      readonly headers: HeaderList;
      readonly maxForwards: number;
      /** The description to offer. */
      offer(plain: boolean): string;
    },
  ) {
    this.#services = services;
    this.#events = events;
    this.target = target;
    this.#offer = (plain) => invite.offer(plain);
    this.#headers = invite.headers;
    this.#maxForwards = invite.maxForwards;
    this.leg = new CallLeg(services, events, {
      index,
      party: target.party,
      demanded: target.demanded,
      flow: target.flow,
      followTarget: target.trunk !== undefined,
    });
    this.leg.callId = services.token(24);
    this.leg.secure = target.uri.scheme === 'sips';
  }

  /** CSeq of the INVITE that is in flight. */
  get cseq(): number {
    return this.#cseq;
  }

  invite(): void {
    const { leg, target } = this;
    const headers = new HeaderList();
    headers.add('Contact', leg.contact);
    headers.add('Allow', 'INVITE, ACK, CANCEL, BYE, OPTIONS');
    headers.add('User-Agent', product);
    if (this.#credentials !== undefined) headers.add(this.#credentials.name, this.#credentials.value);
    for (const [name, value] of this.#headers.entries()) headers.add(name, value);
    const body = withSdp(headers, this.#offer(this.#plain));
    const request = makeRequest({
      method: 'INVITE',
      uri: target.uri,
      from: { ...target.from, params: new Map([['tag', leg.localTag]]) },
      to: target.to,
      callId: leg.callId,
      cseq: { number: this.#cseq, method: 'INVITE' },
      maxForwards: this.#maxForwards,
      headers,
      body,
    });
    this.state = 'calling';
    this.#transaction = this.#services.layer.request(request, leg.flow, this.#services.now());
    this.#transaction.context = this;
  }

  /** Ends the attempt; a 2xx that crosses it is acknowledged and hung up. */
  cancel(): void {
    if (this.#cancelled || this.state === 'answered' || this.state === 'failed') return;
    this.#cancelled = true;
    if (this.#transaction !== undefined) this.#services.layer.cancel(this.#transaction, this.#services.now());
    else this.#fail(487);
  }

  response(response: SipResponse): void {
    const { status } = response;
    const tag = response.to.params.get('tag');
    if (status < 200) {
      if (status === 100 || this.#cancelled || this.state === 'answered') return;
      if (typeof tag === 'string') this.#early(response);
      this.state = 'early';
      this.#events.provisional(this, response);
      return;
    }
    if (status < 300) return this.#success(response, typeof tag === 'string' ? tag : '');
    this.leg.status = status;
    if (this.#cancelled) return this.#fail(status);
    if ((status === 401 || status === 407) && this.#authenticate(response)) return;
    if ((status === 488 || status === 415 || status === 606) && this.#retryPlain()) return;
    if (status === 503 || status === 408) return this.#tryNext(status);
    this.#fail(status);
  }

  failed(reason: 'timeout' | 'transport' | 'overload'): void {
    const status = reason === 'timeout' ? timedOut : transportFailure;
    if (this.state === 'answered' || this.state === 'failed') return;
    this.leg.status = status;
    if (this.#cancelled) this.#fail(status);
    else this.#tryNext(status);
  }

  /** Acknowledges our own 2xx; repeated for each repetition of it. */
  acknowledge(): void {
    this.leg.ack(this.#cseq, (bytes) => {
      this.#ack = bytes;
    });
  }

  #early(response: SipResponse): void {
    if (this.#transaction === undefined || this.leg.dialog !== undefined) return;
    this.leg.dialog = Dialog.uac(this.#transaction.request, response);
  }

  #success(response: SipResponse, tag: string): void {
    if (this.state === 'answered') {
      // A repetition gets its ACK again (§13.2.2.4); a second fork behind the peer is not taken.
      if (tag === this.#answeredTag && this.#ack !== undefined)
        this.#services.layer.resend(this.#ack, this.leg.flow);
      return;
    }
    if (this.#transaction === undefined) return;
    const early = this.leg.dialog;
    if (early !== undefined && early.remoteTag === tag) early.confirm(response);
    else this.leg.dialog = Dialog.uac(this.#transaction.request, response);
    this.leg.status = response.status;
    this.#answeredTag = tag;
    this.state = 'answered';
    this.acknowledge();
    if (this.#cancelled) return this.leg.bye();
    this.leg.answeredAt = this.#services.now();
    this.#events.answered(this, response);
  }

  /** RFC 3261 §22.2: once, with the credentials that the trunk was given. */
  #authenticate(response: SipResponse): boolean {
    const outbound = this.target.trunk?.outbound;
    if (outbound === undefined || this.#authenticated) return false;
    const proxy = response.status === 407;
    const answered = answerChallenge(
      response.headers.all(proxy ? 'Proxy-Authenticate' : 'WWW-Authenticate'),
      {
        method: 'INVITE',
        uri: serializeUri(this.target.uri),
        username: outbound.username,
        password: outbound.password,
        cnonce: this.#services.token(16),
        nc: 1,
        allowMd5: outbound.allowMd5,
      },
    );
    if (!answered.ok) return false;
    this.#authenticated = true;
    this.#credentials = { name: proxy ? 'Proxy-Authorization' : 'Authorization', value: answered.value.authorization };
    this.#again();
    return true;
  }

  /** `preferred` takes plain RTP from a peer that has refused SRTP; `required` never does. */
  #retryPlain(): boolean {
    if (this.#plain || this.target.demanded !== 'preferred') return false;
    this.#plain = true;
    this.#again();
    return true;
  }

  #again(): void {
    this.#cseq += 1;
    this.leg.dialog = undefined;
    this.invite();
  }

  #tryNext(status: number): void {
    const next = this.target.alternatives[this.#next];
    if (next === undefined) return this.#fail(status);
    this.#next += 1;
    void next().then((flow) =>
      this.#services.run(() => {
        if (this.#cancelled) this.#fail(487);
        else if (flow === undefined) this.#tryNext(status);
        else {
          this.leg.flow = flow;
          this.#again();
        }
      }),
    );
  }

  #fail(status: number): void {
    if (this.state === 'failed') return;
    this.state = 'failed';
    this.leg.status = status;
    this.leg.endedAt = this.#services.now();
    this.leg.forget();
    this.#events.failed(this, status);
  }
}
