import { makeRequest } from '@ringfence/sip/message/build.ts';
import { HeaderList } from '@ringfence/sip/message/header-list.ts';
import { parseMessage } from '@ringfence/sip/message/parse.ts';
import type { NameAddr, SipMessage, SipRequest, SipResponse } from '@ringfence/sip/message/types.ts';
import { sipUri } from '@ringfence/sip/message/uri.ts';
import { TransactionLayer, type TransactionOptions } from '@ringfence/sip/transaction/layer.ts';
import type { ServerTransaction, TransactionOutput } from '@ringfence/sip/transaction/transaction.ts';
import type { Flow, Transport } from '@ringfence/sip/transport/flow.ts';

/** A flow for tests; reliable unless it is UDP. */
export const testFlow = (transport: Transport = 'udp', id = 1): Flow => ({
  id,
  transport,
  reliable: transport !== 'udp',
  local: { address: '192.0.2.1', port: 5060 },
  remote: { address: '192.0.2.2', port: 5060 },
  sentBy: '192.0.2.1:5060',
  listener: 'test',
});

const party = (user: string, tag?: string): NameAddr => ({
  uri: sipUri({ user, host: 'example.com' }),
  params: new Map(tag === undefined ? [] : [['tag', tag]]),
});

export interface ProbeRequest {
  readonly cseq?: number;
  readonly callId?: string;
  readonly toTag?: string;
  readonly headers?: HeaderList;
}

/** A request of a test, without Via. */
export const testRequest = (method: string, fields: ProbeRequest = {}): SipRequest =>
  makeRequest({
    method,
    uri: sipUri({ user: 'bob', host: 'example.com' }),
    from: party('alice', 'from1'),
    to: party('bob', fields.toTag),
    callId: fields.callId ?? 'call1',
    cseq: fields.cseq ?? 1,
    headers: fields.headers ?? new HeaderList().add('Contact', '<sip:alice@192.0.2.2>'),
  });

/** The request as a peer at the far end of the test flow sends it. */
export const fromPeer = (request: SipRequest, branch = 'z9hG4bKpeer', host = '192.0.2.2'): SipRequest => ({
  ...request,
  via: [{ transport: 'UDP', host, port: 5060, branch, params: new Map() }],
});

/** A transaction layer with a clock beside it and everything that came out of it written down. */
export class LayerProbe {
  readonly layer: TransactionLayer;
  readonly flow: Flow;
  now = 0;
  /** Everything since the last `take`, with its time. */
  readonly seen: { readonly at: number; readonly output: TransactionOutput }[] = [];

  constructor(flow: Flow = testFlow(), options: Partial<TransactionOptions> = {}) {
    let branch = 0;
    this.layer = new TransactionLayer({ newBranch: () => `b${++branch}`, ...options });
    this.flow = flow;
  }

  receive(message: SipMessage, flow = this.flow): void {
    this.layer.receive(message, flow, this.now);
    this.drain();
  }

  drain(): void {
    for (let output = this.layer.poll(); output !== undefined; output = this.layer.poll()) {
      this.seen.push({ at: this.now, output });
    }
  }

  /** Runs all timers up to that time. */
  runUntil(time: number): void {
    this.drain();
    while (this.layer.nextTimeout() <= time) {
      this.now = this.layer.nextTimeout();
      this.layer.handleTimeout(this.now);
      this.drain();
    }
    this.now = time;
  }

  /** What came since the last call, in short: `500 send INVITE`, `0 response 180`. */
  take(): string[] {
    this.drain();
    const lines = this.seen.map(({ at, output }) => `${at} ${brief(output)}`);
    this.seen.length = 0;
    return lines;
  }

  /** The messages sent since the last call; forgets everything else. */
  takeSent(): SipMessage[] {
    this.drain();
    const sent = this.seen.flatMap(({ output }) => (output.kind === 'send' ? [read(output.bytes)] : []));
    this.seen.length = 0;
    return sent;
  }

  /** The server transaction of the last new request. */
  lastRequest(): { readonly transaction: ServerTransaction; readonly request: SipRequest } {
    for (let i = this.seen.length - 1; i >= 0; i--) {
      const output = this.seen[i]?.output;
      if (output?.kind === 'request') return output;
    }
    throw new Error('no request came up');
  }
}

/** Reads what a layer sent. */
export function read(bytes: Uint8Array): SipMessage {
  const parsed = parseMessage(bytes);
  if (!parsed.ok) throw new Error(`an own message does not parse: ${parsed.error.detail}`);
  return parsed.value;
}

const name = (message: SipRequest | SipResponse): string =>
  message.kind === 'request' ? message.method : String(message.status);

function brief(output: TransactionOutput): string {
  switch (output.kind) {
    case 'send':
      return `send ${name(read(output.bytes))}`;
    case 'request':
    case 'ack':
      return `${output.kind} ${output.request.method}`;
    case 'cancelled':
      return 'cancelled';
    case 'response':
      return `response ${output.response.status}`;
    case 'failed':
      return `failed ${output.reason} ${output.transaction.method}`;
    default:
      return `${output.kind} ${output.transaction.method}`;
  }
}
