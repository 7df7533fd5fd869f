/**
 * Prints what one whole call costs without sockets: `node packages/testkit/call-cost.ts [calls]`.
 *
 * Two transaction layers and their dialogs, INVITE, 100, 180, 200, ACK, BYE, 200: each of the seven messages is
 * built, serialized, parsed and matched once, which is what a back-to-back user agent does for both its legs. The
 * clock runs at 1,000 calls/s, so finished transactions pile up as they would.
 */
import { Dialog } from '@ringfence/sip/dialog/dialog.ts';
import { makeRequest, makeResponse } from '@ringfence/sip/message/build.ts';
import { HeaderList } from '@ringfence/sip/message/header-list.ts';
import { parseMessage } from '@ringfence/sip/message/parse.ts';
import type { SipRequest } from '@ringfence/sip/message/types.ts';
import { parseUri, sipUri } from '@ringfence/sip/message/uri.ts';
import { TransactionLayer } from '@ringfence/sip/transaction/layer.ts';
import type { Flow } from '@ringfence/sip/transport/flow.ts';
import { testFlow } from './layer-probe.ts';
import { SeededRandom } from './random.ts';

const calls = Number(process.argv[2] ?? 20_000);
const random = new SeededRandom(1);
const flow = testFlow();
const from = sipUri({ user: 'alice', host: '192.0.2.1' });
const to = sipUri({ user: 'bob', host: '192.0.2.2' });
const sdp = new TextEncoder().encode(
  'v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0 8 101\r\n' +
    'a=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\na=sendrecv\r\n',
);

class Side {
  readonly layer: TransactionLayer;
  dialog: Dialog | undefined;
  request: SipRequest | undefined;
  peer!: Side;
  answered = 0;

  constructor() {
    this.layer = new TransactionLayer({ newBranch: () => random.token(16), maxServer: 1e6, maxClient: 1e6 });
  }

  take(bytes: Uint8Array, via: Flow, now: number): void {
    const parsed = parseMessage(bytes);
    if (!parsed.ok) throw new Error(parsed.error.detail);
    this.layer.receive(parsed.value, via, now);
    this.drain(now);
  }

  drain(now: number): void {
    for (let output = this.layer.poll(); output !== undefined; output = this.layer.poll()) {
      if (output.kind === 'send') queue.push(this.peer, output.bytes);
      else if (output.kind === 'request' && output.request.method === 'INVITE') {
        const { transaction, request } = output;
        this.layer.trying(transaction, now);
        const headers = new HeaderList().add('Contact', '<sip:bob@192.0.2.2:5060>');
        const ringing = makeResponse(request, 180, undefined, { toTag: 'b', headers });
        this.layer.respond(transaction, ringing, now);
        this.dialog = Dialog.uas(request, ringing);
        const ok = makeResponse(request, 200, undefined, { toTag: 'b', headers, body: sdp });
        this.layer.respond(transaction, ok, now);
        this.dialog.confirm(ok);
      } else if (output.kind === 'request') {
        this.dialog?.receive(output.request);
        this.layer.respond(output.transaction, makeResponse(output.request, 200), now);
      } else if (output.kind === 'response') {
        const { response } = output;
        if (response.cseq.method === 'BYE') this.answered++;
        else if (response.status >= 200 && this.request !== undefined) {
          this.dialog = Dialog.uac(this.request, response);
          this.layer.sendAck(this.dialog.ack(1), flow);
          this.layer.request(this.dialog.request('BYE'), flow, now);
        }
      }
    }
  }
}

const queue = {
  items: [] as (readonly [Side, Uint8Array])[],
  messages: 0,
  push(side: Side, bytes: Uint8Array): void {
    this.items.push([side, bytes]);
    this.messages++;
  },
};

const alice = new Side();
const bob = new Side();
alice.peer = bob;
bob.peer = alice;

let now = 0;
function place(): void {
  const request = makeRequest({
    method: 'INVITE',
    uri: to,
    from: { uri: from, params: new Map([['tag', random.token(8)]]) },
    to: { uri: to, params: new Map() },
    callId: random.token(20),
    cseq: 1,
    headers: new HeaderList()
      .add('Contact', '<sip:alice@192.0.2.1:5060>')
      .add('Content-Type', 'application/sdp')
      .add('Allow', 'INVITE, ACK, CANCEL, BYE, OPTIONS')
      .add('User-Agent', 'Ringfence'),
    body: sdp,
  });
  alice.request = request;
  alice.layer.request(request, flow, now);
  alice.drain(now);
  for (const [side, bytes] of queue.items) side.take(bytes, flow, now);
  queue.items.length = 0;
  now += 1;
  for (const side of [alice, bob]) {
    if (side.layer.nextTimeout() <= now) side.layer.handleTimeout(now);
    side.drain(now);
  }
}

if (!parseUri('sip:warm@example.com').ok) throw new Error('no parser');
for (let i = 0; i < 3000; i++) place();
queue.messages = 0;
alice.answered = 0;
const before = process.cpuUsage();
for (let i = 0; i < calls; i++) place();
const used = process.cpuUsage(before);
const micros = (used.user + used.system) / calls;
const live =
  alice.layer.size.client + alice.layer.size.server + bob.layer.size.client + bob.layer.size.server;
const row = {
  bench: 'call-cost',
  work: 'INVITE..BYE, UAS and UAC, no sockets',
  unit: 'us CPU per call',
  ours: Number(micros.toFixed(1)),
  calls: alice.answered,
  messages: queue.messages / calls,
  live,
  heapMB: Math.round(process.memoryUsage().heapUsed / 1e6),
};
process.stdout.write(`${JSON.stringify(row)}\n`);
