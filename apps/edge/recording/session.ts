import { parseSession } from '@ringfence/sdp/parse.ts';
import { makeRequest, makeResponse } from '@ringfence/sip/message/build.ts';
import { HeaderList } from '@ringfence/sip/message/header-list.ts';
import { buildMultipart } from '@ringfence/sip/message/multipart.ts';
import type { SipRequest, SipResponse, Uri } from '@ringfence/sip/message/types.ts';
import { sipUri } from '@ringfence/sip/message/uri.ts';
import type { ClientTransaction, ServerTransaction } from '@ringfence/sip/transaction/transaction.ts';
import { type Flow, isEncrypted } from '@ringfence/sip/transport/flow.ts';
import { type Credentials, isChallenge } from '../call/credentials.ts';
import { takeAnswer } from '../call/forks.ts';
import { CallLeg, type LegEvents } from '../call/leg.ts';
import { product, sdpOf, withSdp } from '../call/messages.ts';
import type { CallServices, ClientOwner } from '../call/services.ts';
import { sideOf } from '../call/setup.ts';
import { checkAnswer } from '../media/agreement.ts';
import { configOf, MediaLeg } from '../media/leg.ts';
import { offering, openAll } from '../media/places.ts';
import { protectionOfStreams } from '../media/shown.ts';
import type { Trunk } from '../objects/types.ts';
import type { LegProtection } from '../policy/protection.ts';
import { describeRecording, labelOf, type RecordableStream } from './description.ts';
import { type RecordedParticipant, writeMetadata } from './metadata.ts';

/** Where a recording server is. */
export interface RecorderWay {
  readonly uri: Uri;
  readonly flow: Flow;
}

export interface RecordedParty {
  /** `sip:alice@example.test` */
  readonly aor: string;
  readonly stream: RecordableStream;
}

/** What a recording session tells of itself. */
export interface SessionEvents {
  /** The recorder has taken the streams: from now on it gets them. */
  begun(): void;
  /** It is over from the recorder's side, or never began. */
  failed(reason: string): void;
}

/** How long a recorder may take to answer. */
export const patienceMs = 5000;

/**
 * One recording session (RFC 7866), the edge as the recording client: a dialog of its own with the recording server,
 * with a stream for each party of the call.
 *
 * The call knows nothing of it: its media is copied in the relay, under keys of this dialog alone.
 */
export class RecordingSession implements LegEvents, ClientOwner {
  readonly id: string;
  readonly #services: CallServices;
  readonly #trunk: Trunk;
  readonly #way: RecorderWay;
  readonly #events: SessionEvents;
  readonly #leg: CallLeg;
  readonly #media: MediaLeg;
  readonly #session: string;
  readonly #participants: readonly RecordedParticipant[];
  #streams: readonly RecordableStream[];
  #state: 'opening' | 'inviting' | 'recording' | 'over' = 'opening';
  #paused = false;
  #cseq = 0;
  #credentials: Credentials | undefined = undefined;
  #transaction: ClientTransaction | undefined = undefined;
  #stopTimer: (() => void) | undefined = undefined;

  constructor(
    services: CallServices,
    fields: {
      readonly index: number;
      readonly party: string;
      readonly trunk: Trunk;
      readonly way: RecorderWay;
    },
    parties: readonly RecordedParty[],
    events: SessionEvents,
  ) {
    this.#services = services;
    this.#events = events;
    this.#trunk = fields.trunk;
    this.#way = fields.way;
    const identifier = (): string =>
      Buffer.from(services.token(22), 'base64url').subarray(0, 16).toString('base64');
    this.id = services.token(20);
    this.#session = identifier();
    this.#streams = parties.map(({ stream }) => stream);
    this.#participants = parties.map(({ aor }, i) => ({
      id: identifier(),
      aor,
      stream: { id: identifier(), label: labelOf(i) },
    }));
    const demanded = fields.trunk.encryption === 'none' ? 'none' : 'required';
    this.#leg = new CallLeg(services, this, {
      index: fields.index,
      party: fields.party,
      demanded,
      flow: fields.way.flow,
      followTarget: true,
      callId: services.token(24),
      secure: 'scheme' in fields.way.uri && fields.way.uri.scheme === 'sips',
      trunk: fields.trunk,
    });
    const side = sideOf(services, fields.way.flow, demanded, { keying: 'sdes', ice: 'off' });
    this.#media = new MediaLeg(side, services.sessionId());
  }

  start(): void {
    const relay = this.#services.relay();
    if (relay?.tap === undefined) return this.#fail('the media engine cannot copy');
    const { dscp } = this.#services.config().media;
    const places = this.#streams.map(({ codec }, i) =>
      offering(this.#media, i, { media: 'rtp', mux: false, codec }, dscp),
    );
    void openAll(relay, places, this.#streams[0]?.endpoint).then((opened) =>
      this.#services.run(() => {
        if (!opened.ok) return this.#fail(`no media ports: ${opened.error}`);
        for (const { index, state } of opened.value) {
          state.media = this.#leg.demanded === 'none' ? 'rtp' : 'srtp';
          if (state.media === 'srtp') state.keying = 'sdes';
          this.#media.streams[index] = state;
        }
        if (this.#state !== 'opening') return this.#release();
        this.#state = 'inviting';
        this.#stopTimer = this.#services.after(patienceMs, () =>
          this.#services.run(() => this.#fail('the recorder does not answer')),
        );
        this.#invite();
      }),
    );
  }

  /** What protects the way to the recorder. */
  get protection(): LegProtection {
    const { transport } = this.#leg.flow;
    return {
      ...this.#leg.protection(undefined),
      media: protectionOfStreams(this.#media.streams, isEncrypted(transport)),
    };
  }

  get recording(): boolean {
    return this.#state === 'recording' && !this.#paused;
  }

  /** The parties' streams may have other endpoints by now. */
  follow(streams: readonly RecordableStream[]): void {
    this.#streams = streams;
    if (this.recording) this.#tap();
  }

  /** Nothing is copied meanwhile, and the recorder knows (RFC 7866 §7.1.1.1). */
  pause(paused: boolean): void {
    if (this.#state !== 'recording' || this.#paused === paused) return;
    this.#paused = paused;
    if (paused) this.#untap();
    else this.#tap();
    const { dialog } = this.#leg;
    if (dialog?.state !== 'confirmed') return;
    const headers = new HeaderList().add('User-Agent', product);
    const sdp = describeRecording(this.#media, this.#streams, paused ? 'inactive' : 'sendonly');
    const request = dialog.request('INVITE', {
      contact: this.#contact,
      headers,
      body: withSdp(headers, sdp),
    });
    let ack: Uint8Array | undefined;
    let acknowledged = false;
    this.#leg.send(request, {
      response: (response) => {
        if (response.status < 200 || response.status >= 300) return;
        if (ack !== undefined) return this.#services.layer.resend(ack, this.#leg.flow);
        if (acknowledged) return;
        acknowledged = true;
        this.#leg.ack(response.cseq.number, (bytes) => {
          ack = new Uint8Array(bytes);
        });
      },
      failed: () => undefined,
    });
  }

  /** The recording ends from our side. */
  stop(): void {
    if (this.#state === 'over') return;
    const inviting = this.#state === 'inviting';
    this.#over();
    if (inviting && this.#transaction !== undefined)
      this.#services.layer.cancel(this.#transaction, this.#services.now());
  }

  sent(transaction: ClientTransaction): void {
    this.#transaction = transaction;
  }

  response(response: SipResponse): void {
    const { status } = response;
    const transaction = this.#transaction;
    if (status < 200 || transaction === undefined) return;
    if (status < 300) {
      takeAnswer(this.#services, this.#leg, transaction, response, this.#credentials, false);
      if (this.#state !== 'inviting') return this.#leg.bye();
      const problem = this.#agree(response);
      return problem === undefined ? undefined : this.#fail(problem);
    }
    if (this.#state !== 'inviting') return this.#leg.forget();
    if (isChallenge(status) && this.#credentials === undefined) {
      const { uri } = this.#way;
      this.#credentials = this.#services.realms.answer(this.#trunk, {
        response,
        method: 'INVITE',
        uri,
        cnonce: this.#services.token(16),
      });
      if (this.#credentials !== undefined) return this.#invite();
    }
    this.#fail(`the recorder refuses with ${status}`);
  }

  failed(reason: string): void {
    if (this.#state !== 'over') this.#fail(`the recorder cannot be reached (${reason})`);
    else this.#leg.forget();
  }

  /** A request of the recorder in the dialog. */
  inDialog(leg: CallLeg, transaction: ServerTransaction, request: SipRequest): void {
    const answer = (status: number, headers = new HeaderList()): void =>
      this.#services.layer.respond(
        transaction,
        makeResponse(request, status, undefined, { headers }),
        this.#services.now(),
      );
    if (leg.dialog === undefined) return answer(481);
    const order = leg.dialog.receive(request);
    if (!order.ok) return answer(order.status, order.headers);
    if (request.method === 'BYE') {
      answer(200);
      leg.left();
      return this.#fail('the recorder has ended it');
    }
    const contact = new HeaderList().add('Contact', this.#contact);
    if (request.method === 'OPTIONS' || (request.method === 'UPDATE' && request.body.length === 0))
      return answer(200, contact);
    answer(
      request.method === 'INVITE' || request.method === 'UPDATE' ? 488 : 405,
      new HeaderList().add('Allow', methods),
    );
  }

  acknowledged(): void {}

  /** RFC 7866 §6.1.1: a recording client says so in its Contact. */
  get #contact(): string {
    return `${this.#leg.contact};+sip.src`;
  }

  #invite(): void {
    const { uri, flow } = this.#way;
    const sdp = describeRecording(this.#media, this.#streams, 'sendonly');
    const metadata = writeMetadata({
      session: this.#session,
      participants: this.#participants,
      at: this.#services.now(),
    });
    const part = (type: string, text: string, disposition?: string) => ({
      headers: new HeaderList([
        ['Content-Type', type],
        ...(disposition === undefined ? [] : ([['Content-Disposition', disposition]] as const)),
      ]),
      body: Buffer.from(text, 'utf8'),
    });
    const { contentType, body } = buildMultipart('mixed', this.#services.token(24), [
      part('application/sdp', sdp),
      part('application/rs-metadata+xml', metadata, 'recording-session'),
    ]);
    const headers = new HeaderList()
      .add('Contact', this.#contact)
      .add('Require', 'siprec')
      .add('Allow', methods)
      .add('Accept', 'application/sdp, application/rs-metadata-request')
      .add('User-Agent', product);
    if (this.#credentials !== undefined) headers.add(this.#credentials.name, this.#credentials.value);
    headers.add('Content-Type', contentType);
    this.#cseq += 1;
    const host = flow.sentBy.replace(/:\d+$/, '');
    const request = makeRequest({
      method: 'INVITE',
      uri,
      from: { uri: sipUri({ user: 'recording', host }), params: new Map([['tag', this.#leg.localTag]]) },
      to: { uri, params: new Map() },
      callId: this.#leg.callId,
      cseq: { number: this.#cseq, method: 'INVITE' },
      maxForwards: 70,
      headers,
      body,
    });
    this.#transaction = this.#services.layer.request(request, this.#leg.flow, this.#services.now());
    this.#transaction.context = this;
  }

  /** What is wrong with the answer; undefined: the recorder gets its streams. */
  #agree(response: SipResponse): string | undefined {
    const body = sdpOf(response);
    const parsed = body === undefined ? undefined : parseSession(body);
    const relay = this.#services.relay();
    if (parsed?.ok !== true || relay === undefined) return 'the answer of the recorder cannot be read';
    const read = checkAnswer(this.#media, parsed.value, this.#media.streams, true);
    if (!read.ok) return `the answer of the recorder cannot be used: ${read.error.warning}`;
    for (const [index, stream] of read.value.streams.entries()) {
      const state = this.#media.streams[index];
      if (stream === undefined || state === undefined) continue;
      state.media = stream.media;
      state.suite = stream.crypto?.suite;
      state.tag = stream.crypto?.tag ?? 0;
      state.receive = stream.crypto?.keys[0].material;
      relay.configure(state.endpoint.id, configOf(stream, this.#media.side, undefined));
    }
    if (read.value.streams.filter((stream) => stream !== undefined).length < this.#streams.length)
      return 'the recorder takes only some of the streams';
    this.#stopTimer?.();
    this.#media.keepAgreedKeys();
    this.#state = 'recording';
    this.#tap();
    this.#events.begun();
    return undefined;
  }

  #tap(): void {
    const relay = this.#services.relay();
    for (const [index, { endpoint }] of this.#streams.entries()) {
      const state = this.#media.streams[index];
      if (state !== undefined) relay?.tap?.(endpoint, state.endpoint.id);
    }
    void relay?.flush();
  }

  #untap(): void {
    const relay = this.#services.relay();
    for (const id of this.#media.endpointIds()) relay?.untap?.(id);
    void relay?.flush();
  }

  #fail(reason: string): void {
    if (this.#state === 'over') return;
    this.stop();
    this.#events.failed(reason);
  }

  #over(): void {
    this.#state = 'over';
    this.#stopTimer?.();
    this.#leg.bye();
    this.#release();
  }

  #release(): void {
    const ids = this.#media.endpointIds();
    this.#media.wipe();
    this.#media.streams.length = 0;
    if (ids.length > 0) void this.#services.relay()?.close(ids);
  }
}

const methods = 'INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE';
