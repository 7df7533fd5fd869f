import { createSocket, type Socket } from 'node:dgram';
import { decodeBencode, encodeBencode, type Writable } from '@ringfence/ng/bencode.ts';
import { asDictionary, asText, type NgReply } from '@ringfence/ng/exchange.ts';

/** What a fake says to a request; undefined: nothing, as if it were gone. */
export type Answering = (request: NgReply) => Writable | undefined;

/** A control port for tests: remembers what it was asked, and answers as it is told. */
export class FakeNg {
  readonly asked: NgReply[] = [];
  readonly port: number;
  answering: Answering;
  readonly #socket: Socket;

  private constructor(socket: Socket, answering: Answering) {
    this.#socket = socket;
    this.port = socket.address().port;
    this.answering = answering;
    socket.on('message', (bytes, { port, address }) => {
      const end = bytes.indexOf(32);
      const body = decodeBencode(bytes, end + 1);
      const request = body.ok ? asDictionary(body.value) : undefined;
      if (request === undefined) return;
      if (request.get('command') !== 'ping') this.asked.push(request);
      const reply = this.answering(request);
      if (reply === undefined) return;
      socket.send(Buffer.concat([bytes.subarray(0, end + 1), encodeBencode(reply)]), port, address);
    });
  }

  static open(answering: Answering = plausible()): Promise<FakeNg> {
    const socket = createSocket('udp4');
    return new Promise((resolve, reject) => {
      socket.once('error', reject);
      socket.bind(0, '127.0.0.1', () => resolve(new FakeNg(socket, answering)));
    });
  }

  /** Commands that came, without pings. */
  get commands(): string[] {
    return this.asked.map((request) => asText(request.get('command')));
  }

  close(): void {
    this.#socket.close();
  }
}

/** Gives every call two ports and keeps them while it knows the call. */
export function plausible(): Answering & { forget(): void } {
  const ports = new Map<string, number>();
  let next = 20_000;
  const answer: Answering = (request) => {
    const command = asText(request.get('command'));
    const call = asText(request.get('call-id'));
    if (command === 'ping') return { result: 'pong' };
    if (command === 'delete' || command === 'query')
      return ports.has(call) ? { result: 'ok' } : { result: 'error', 'error-reason': 'Unknown call-id' };
    if (!ports.has(call)) {
      ports.set(call, next);
      next += 4;
    }
    const port = (ports.get(call) ?? 0) + (command === 'answer' ? 2 : 0);
    return {
      result: 'ok',
      sdp: `v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\nm=audio ${port} RTP/AVP 0\r\n`,
    };
  };
  return Object.assign(answer, { forget: () => ports.clear() });
}
