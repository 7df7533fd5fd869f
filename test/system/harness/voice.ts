/** The media of one phone in one call, with keys, session descriptions and every packet in the test's hands. */
import { randomBytes } from 'node:crypto';
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { encodeRtp, parseRtp } from '@ringfence/rtp/packet.ts';
import { chooseCrypto, cryptoLines, serializeCrypto } from '@ringfence/sdp/crypto.ts';
import { parseSession } from '@ringfence/sdp/parse.ts';
import { connectionOf } from '@ringfence/sdp/session.ts';
import type { SocketAddress } from '@ringfence/sip/transport/flow.ts';
import { SrtpContext } from '@ringfence/srtp/context.ts';
import { type Suite, suiteParameters } from '@ringfence/srtp/suite.ts';
import { pause } from './waiting.ts';

export type Protection = 'RTP' | Suite;

export interface DescribeOptions {
  readonly direction?: 'sendrecv' | 'sendonly' | 'recvonly' | 'inactive';
  /** Describes something else than this voice does, for offers that must be refused. */
  readonly as?: Protection;
  /** Further lines of the session and of its stream. */
  readonly sessionLines?: readonly string[];
  readonly mediaLines?: readonly string[];
}

export class Voice {
  protection: Protection;
  /** Payloads of RTP that could be read, in the order of their arrival. */
  readonly heard: Uint8Array[] = [];
  readonly said: Uint8Array[] = [];
  /** Every datagram, readable or not. */
  readonly datagrams: { readonly bytes: Uint8Array; readonly from: RemoteInfo }[] = [];
  readonly local: SocketAddress;
  remote: SocketAddress | undefined;
  /** Takes what is no media; true: it is not kept as a datagram. */
  aside: (bytes: Uint8Array, from: RemoteInfo) => boolean = () => false;
  /** Base64 of every key that this side has put into its descriptions, and of those that it was given. */
  readonly keysSeen: Uint8Array[] = [];
  readonly #socket: Socket;
  readonly #ssrc = randomBytes(4).readUInt32BE();
  #open = true;
  #key: Uint8Array = new Uint8Array(0);
  #tag = 1;
  #version = 1;
  #sequence = 1000;
  #outbound: SrtpContext | undefined;
  #inbound: SrtpContext | undefined;

  private constructor(socket: Socket, protection: Protection) {
    this.#socket = socket;
    const { address, port } = socket.address();
    this.local = { address, port };
    this.protection = protection;
    this.newKey();
    socket.on('error', () => undefined);
    socket.on('message', (bytes, from) => this.#received(bytes, from));
  }

  static open(protection: Protection, address = '127.0.0.1'): Promise<Voice> {
    const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
    return new Promise((resolve, reject) => {
      socket.once('error', reject);
      socket.bind(0, address, () => resolve(new Voice(socket, protection)));
    });
  }

  /** A fresh key for the next description. */
  newKey(): void {
    if (this.protection === 'RTP') return;
    const { masterKeyLength, masterSaltLength } = suiteParameters[this.protection];
    this.#key = randomBytes(masterKeyLength + masterSaltLength);
    this.keysSeen.push(this.#key);
  }

  /** Our description: an offer, or the answer after `take`. */
  describe({
    direction = 'sendrecv',
    as = this.protection,
    sessionLines = [],
    mediaLines = [],
  }: DescribeOptions = {}): string {
    const { address, port } = this.local;
    const family = address.includes(':') ? 'IP6' : 'IP4';
    const lines = [
      'v=0',
      `o=- ${this.#ssrc} ${this.#version} IN ${family} ${address}`,
      's=-',
      `c=IN ${family} ${address}`,
      't=0 0',
      ...sessionLines,
      `m=audio ${port} RTP/${as === 'RTP' ? 'AVP' : 'SAVP'} 0`,
      'a=rtpmap:0 PCMU/8000',
      `a=${direction}`,
      ...mediaLines,
    ];
    this.#version += 1;
    if (as !== 'RTP')
      lines.push(
        `a=crypto:${serializeCrypto({ tag: this.#tag, suite: as, keys: [{ material: this.#key }] })}`,
      );
    return `${lines.join('\r\n')}\r\n`;
  }

  /** Takes the other side's description; tells why not. */
  take(sdp: string): string | undefined {
    const session = parseSession(Buffer.from(sdp));
    if (!session.ok) return 'not a session description';
    const media = session.value.media[0];
    const connection = media === undefined ? undefined : connectionOf(session.value, media);
    if (media === undefined || connection === undefined) return 'no media';
    if (media.port === 0) return 'refused';
    const secure = media.protocol.includes('SAVP');
    if (secure !== (this.protection !== 'RTP')) return `profile ${media.protocol}`;
    if (this.protection !== 'RTP') {
      const crypto = chooseCrypto(cryptoLines(media).acceptable, [this.protection]);
      if (crypto === undefined) return 'no usable key';
      for (const line of cryptoLines(media).acceptable)
        for (const key of line.keys) this.keysSeen.push(key.material);
      this.#tag = crypto.tag;
      const material = crypto.keys[0].material;
      const same = this.#inboundKey !== undefined && Buffer.compare(this.#inboundKey, material) === 0;
      if (!same) this.#inbound = new SrtpContext({ suite: this.protection, material });
      this.#inboundKey = material;
      const mine = this.#outboundKey !== undefined && Buffer.compare(this.#outboundKey, this.#key) === 0;
      if (!mine) this.#outbound = new SrtpContext({ suite: this.protection, material: this.#key });
      this.#outboundKey = this.#key;
    }
    this.remote = { address: connection.address, port: media.port };
    return undefined;
  }
  #inboundKey: Uint8Array | undefined;
  #outboundKey: Uint8Array | undefined;

  /** Keys that came another way than in descriptions: what is sent and heard from now on is SRTP under them. */
  keyed(suite: Suite, send: Uint8Array, receive: Uint8Array): void {
    this.#outbound = new SrtpContext({ suite, material: send });
    this.#inbound = new SrtpContext({ suite, material: receive });
  }

  /** The next packet, as it goes onto the wire. */
  packet(payload: Uint8Array = randomBytes(160)): Uint8Array {
    this.#sequence += 1;
    const packet = encodeRtp({
      padding: 0,
      marker: false,
      payloadType: 0,
      sequence: this.#sequence,
      timestamp: 160 * this.#sequence,
      ssrc: this.#ssrc,
      csrcs: [],
      payload,
    });
    const out = this.#outbound?.protectRtp(packet);
    if (out !== undefined && !out.ok) throw new Error(`cannot protect: ${out.error.code}`);
    return out === undefined ? packet : out.value;
  }

  /** Sends so many packets of random sound, 4 ms apart. */
  async say(packets: number): Promise<void> {
    for (let i = 0; i < packets; i += 1) {
      const payload = new Uint8Array(randomBytes(160));
      this.said.push(payload);
      this.send(this.packet(payload));
      await pause(4);
    }
  }

  send(bytes: Uint8Array, to = this.remote): void {
    if (to !== undefined && this.#open) this.#socket.send(bytes, to.port, to.address);
  }

  /** Forgets what was said and heard so far. */
  forget(): void {
    this.heard.length = 0;
    this.said.length = 0;
    this.datagrams.length = 0;
  }

  close(): void {
    if (this.#open) this.#socket.close();
    this.#open = false;
  }

  #received(bytes: Uint8Array, from: RemoteInfo): void {
    if (this.aside(bytes, from)) return;
    this.datagrams.push({ bytes, from });
    const clear = this.#inbound?.unprotectRtp(bytes);
    if (clear !== undefined && !clear.ok) return;
    const packet = parseRtp(clear === undefined ? bytes : clear.value);
    if (packet.ok && packet.value.payloadType === 0) this.heard.push(packet.value.payload.slice());
  }
}

/** Every octet that one said is what the other heard, in that order, and nothing else. */
export const heardExactly = (said: readonly Uint8Array[], heard: readonly Uint8Array[]): boolean =>
  said.length > 0 &&
  said.length === heard.length &&
  said.every((payload, i) => Buffer.compare(payload, heard[i] ?? new Uint8Array(0)) === 0);

/**
 * Waits until what was agreed is in force in the media process: it hears of it before the caller does, but is a
 * process of its own and may come to it a moment later.
 */
async function settled(a: Voice, b: Voice): Promise<void> {
  for (const [from, to] of [
    [a, b],
    [b, a],
  ] as const) {
    const before = to.heard.length;
    for (let i = 0; i < 20 && to.heard.length === before; i += 1) {
      from.send(from.packet());
      for (let j = 0; j < 50 && to.heard.length === before; j += 1) await pause(4);
    }
  }
}

/** Both speak and both hear all of it; gives what is wrong, or undefined. */
export async function talk(a: Voice, b: Voice, packets = 10): Promise<string | undefined> {
  await settled(a, b);
  a.forget();
  b.forget();
  await Promise.all([a.say(packets), b.say(packets)]);
  const end = performance.now() + 5_000;
  while (performance.now() < end && (a.heard.length < packets || b.heard.length < packets)) await pause(5);
  if (!heardExactly(a.said, b.heard)) return `of ${packets} packets ${b.heard.length} arrived at the second`;
  if (!heardExactly(b.said, a.heard)) return `of ${packets} packets ${a.heard.length} arrived at the first`;
  return undefined;
}
