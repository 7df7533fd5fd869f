/** One end of a plain RTP stream: sends packets of random payload, and keeps what arrives to be compared bit by bit. */
import { randomBytes } from 'node:crypto';
import { createSocket, type Socket } from 'node:dgram';
import { expect } from './case.ts';
import { freePorts } from './ports.ts';
import { sleep } from './process.ts';

const HEADER = 12;
const PAYLOAD = 160; // 20 ms of PCMU
const INTERVAL_MS = 20;
const OTHERS_KEPT = 1_000;

export type Packet = { readonly sequence: number; readonly timestamp: number; readonly payload: Buffer };

export class RtpEnd {
  readonly address: string;
  readonly port: number;
  readonly sent: Packet[] = [];
  readonly received: Packet[] = [];
  /** Of other payload types, RFC 4733 events among them. */
  readonly others: Buffer[] = [];
  #socket: Socket;
  #source: Buffer = Buffer.alloc(4);
  #last: Packet = { sequence: 0, timestamp: 0, payload: Buffer.alloc(0) };

  private constructor(address: string, port: number, socket: Socket) {
    this.address = address;
    this.port = port;
    this.#socket = socket;
    socket.on('message', (message) => {
      // Version 2 with the payload type of PCMU; the port beside this one takes RTCP.
      if (message.length <= HEADER || message[0]! >> 6 !== 2) return;
      if ((message[1]! & 127) !== 0) {
        if (this.others.length < OTHERS_KEPT) this.others.push(message);
        return;
      }
      this.received.push({
        sequence: message.readUInt16BE(2),
        timestamp: message.readUInt32BE(4),
        payload: Buffer.from(message.subarray(HEADER)),
      });
    });
  }

  static async open(address: string): Promise<RtpEnd> {
    const port = await freePorts(2, address);
    const socket = createSocket('udp4');
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject);
      socket.bind(port, address, resolve);
    });
    return new RtpEnd(address, port, socket);
  }

  /** Sends `count` packets, one every 20 ms. */
  async send(to: { readonly address: string; readonly port: number }, count: number): Promise<void> {
    const source = randomBytes(4);
    this.#source = source;
    const first = randomBytes(2).readUInt16BE(0);
    const time = randomBytes(4).readUInt32BE(0);
    const start = performance.now();
    for (let index = 0; index < count; index += 1) {
      const packet: Packet = {
        sequence: (first + index) & 0xffff,
        timestamp: (time + index * PAYLOAD) >>> 0,
        payload: randomBytes(PAYLOAD),
      };
      const bytes = Buffer.alloc(HEADER + PAYLOAD);
      bytes[0] = 0x80;
      bytes[1] = index === 0 ? 0x80 : 0;
      bytes.writeUInt16BE(packet.sequence, 2);
      bytes.writeUInt32BE(packet.timestamp, 4);
      source.copy(bytes, 8);
      packet.payload.copy(bytes, HEADER);
      this.sent.push(packet);
      this.#last = packet;
      this.#socket.send(bytes, to.port, to.address);
      await sleep(Math.max(0, start + (index + 1) * INTERVAL_MS - performance.now()));
    }
  }

  /** A pressed key: RFC 4733 packets of type 101 within the stream that `send` makes meanwhile, its end thrice. */
  async press(to: { readonly address: string; readonly port: number }, digit: number): Promise<void> {
    const bytes = Buffer.alloc(HEADER + 4);
    bytes[0] = 0x80;
    bytes.writeUInt32BE(this.#last.timestamp, 4);
    this.#source.copy(bytes, 8);
    bytes[12] = digit;
    for (let count = 1; count <= 8; count += 1) {
      bytes[1] = count === 1 ? 0x80 | 101 : 101;
      this.#last = { ...this.#last, sequence: (this.#last.sequence + 1) & 0xffff };
      bytes.writeUInt16BE(this.#last.sequence, 2);
      bytes[13] = count > 5 ? 0x8a : 10;
      bytes.writeUInt16BE(Math.min(count, 6) * PAYLOAD, 14);
      this.#socket.send(bytes, to.port, to.address);
      await sleep(INTERVAL_MS);
    }
  }

  async stop(): Promise<void> {
    await new Promise<void>((resolve) => this.#socket.close(() => resolve()));
  }
}

/** Every packet once, in order, with every bit of its payload as it was: what is not so, or null. */
export function compare(sent: readonly Packet[], received: readonly Packet[]): string | null {
  if (received.length !== sent.length) return `${received.length} of ${sent.length} RTP packets arrived`;
  for (const [index, packet] of sent.entries()) {
    const other = received[index]!;
    if (!other.payload.equals(packet.payload)) return `payload of packet ${index} is another`;
    const steps = (other.sequence - received[0]!.sequence) & 0xffff;
    if (steps !== index) return `packet ${index} has sequence number +${steps}`;
    const ticks = (other.timestamp - received[0]!.timestamp) >>> 0;
    if (ticks !== index * PAYLOAD) return `packet ${index} has timestamp +${ticks}`;
  }
  return null;
}

export function expectBitExact(from: RtpEnd, to: RtpEnd, direction: string): string {
  const fault = compare(from.sent, to.received);
  expect(fault === null, `${direction}: ${fault}`);
  return `${from.sent.length}/${from.sent.length} ${direction}`;
}
