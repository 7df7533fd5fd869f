/** For tests: a phone with sockets on loopback, and waiting for what the relay has counted. */
import assert from 'node:assert/strict';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import type { SrtpContext } from '@ringfence/srtp/context.ts';
import { type Suite, suiteParameters } from '@ringfence/srtp/suite.ts';
import type { EndpointOpened, EndpointSpec, EndpointStats, Remote } from './contract.ts';
import type { RunningRelay } from './control.ts';

const patienceMs = 5000;

export class Phone {
  static readonly #open = new Set<Phone>();
  readonly address: string;
  readonly rtp: Socket;
  readonly rtcp: Socket;
  readonly rtpReceived: Buffer[] = [];
  readonly rtcpReceived: Buffer[] = [];

  private constructor(address: string, rtp: Socket, rtcp: Socket) {
    this.address = address;
    this.rtp = rtp;
    this.rtcp = rtcp;
    Phone.#open.add(this);
    rtp.on('message', (packet) => this.rtpReceived.push(packet));
    if (rtcp !== rtp) rtcp.on('message', (packet) => this.rtcpReceived.push(packet));
  }

  /** `mux`: one socket for both, whose packets all end in `rtpReceived`. */
  static async open(address = '127.0.0.1', mux = false): Promise<Phone> {
    const bound = async () => {
      const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
      socket.bind(0, address);
      await once(socket, 'listening');
      return socket;
    };
    const rtp = await bound();
    return new Phone(address, rtp, mux ? rtp : await bound());
  }

  get remote(): Remote {
    return { address: this.address, rtpPort: this.rtp.address().port, rtcpPort: this.rtcp.address().port };
  }

  /** What a failed test has left. */
  static closeAll(): void {
    for (const phone of Phone.#open) phone.close();
  }

  close(): void {
    if (!Phone.#open.delete(this)) return;
    this.rtp.close();
    if (this.rtcp !== this.rtp) this.rtcp.close();
  }
}

/** Gives the other processes time until `done`, at most five seconds. */
export async function until(done: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const end = performance.now() + patienceMs;
  while (!(await done())) {
    assert.ok(performance.now() < end, `waited in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

export async function openAll(
  relay: RunningRelay,
  specs: readonly EndpointSpec[],
): Promise<readonly EndpointOpened[]> {
  const opened = await relay.open(specs);
  assert.ok(opened.ok, `open: ${opened.ok ? '' : opened.error}`);
  return opened.value;
}

export async function statsOf(relay: RunningRelay, id: number): Promise<EndpointStats> {
  const [stats] = await relay.stats([id]);
  assert.ok(stats);
  return stats;
}

/** All packets that reached the endpoint, taken or not. */
export const seen = ({ received, dropped }: EndpointStats): number =>
  received.packets +
  received.rtcpPackets +
  dropped.source +
  dropped.authentication +
  dropped.replay +
  dropped.malformed;

export const materialOf = (suite: Suite, fill: number): Uint8Array => {
  const { masterKeyLength, masterSaltLength } = suiteParameters[suite];
  return Uint8Array.from({ length: masterKeyLength + masterSaltLength }, (_, i) => (i * 11 + fill) & 0xff);
};

export function rtpPacket(sequence: number, ssrc = 1, payloadType = 8): Uint8Array {
  const packet = new Uint8Array(172);
  const view = new DataView(packet.buffer);
  packet[0] = 0x80;
  packet[1] = payloadType;
  view.setUint16(2, sequence);
  view.setUint32(4, sequence * 160);
  view.setUint32(8, ssrc);
  for (let i = 12; i < packet.length; i++) packet[i] = (i + sequence) & 0xff;
  return packet;
}

/** A receiver report without blocks. */
export function rtcpPacket(ssrc = 1): Uint8Array {
  const packet = new Uint8Array(8);
  packet.set([0x80, 201, 0, 1]);
  new DataView(packet.buffer).setUint32(4, ssrc);
  return packet;
}

/** RFC 5761 §4. */
function looksLikeRtcp(packet: Uint8Array): boolean {
  const type = (packet[1] ?? 0) & 0x7f;
  return type >= 64 && type <= 95;
}

export function protect(context: SrtpContext | undefined, packet: Uint8Array): Uint8Array {
  if (!context) return packet;
  const isRtcp = looksLikeRtcp(packet);
  const result = isRtcp ? context.protectRtcp(packet) : context.protectRtp(packet);
  assert.ok(result.ok);
  return result.value;
}

export function unprotect(context: SrtpContext | undefined, packet: Uint8Array): Uint8Array {
  if (!context) return packet;
  const isRtcp = looksLikeRtcp(packet);
  const result = isRtcp ? context.unprotectRtcp(packet) : context.unprotectRtp(packet);
  assert.ok(result.ok, `cannot open: ${result.ok ? '' : result.error.code}`);
  return result.value;
}

export const hex = (bytes: Uint8Array | undefined): string => Buffer.from(bytes ?? []).toString('hex');
