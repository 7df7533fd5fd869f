import { randomBytes } from 'node:crypto';
import { createSocket, type Socket } from 'node:dgram';
import { encodeRtp, parseRtp } from '@ringfence/rtp/packet.ts';
import { chooseCrypto, cryptoLines, serializeCrypto } from '@ringfence/sdp/crypto.ts';
import { connectionOf, isSecureRtp, type SessionDescription } from '@ringfence/sdp/session.ts';
import { SrtpContext } from '@ringfence/srtp/context.ts';
import { type Suite, suiteParameters } from '@ringfence/srtp/suite.ts';

/** What a phone does with its media. */
export type Protection = 'RTP' | Suite;

const packetEveryMs = 5;
const payloadOctets = 160;
const packets = 20;

/** The voice of one phone in one call: sends random octets as PCMU, and keeps those that come. */
export class Sound {
  readonly sent: Uint8Array[] = [];
  readonly heard: Uint8Array[] = [];
  readonly protection: Protection;
  readonly #socket: Socket;
  readonly #address: string;
  readonly #key: Uint8Array;
  readonly #ssrc = randomBytes(4).readUInt32BE();
  #tag = 1;
  #outbound: SrtpContext | undefined;
  #inbound: SrtpContext | undefined;
  #remote: { address: string; port: number } | undefined;

  private constructor(socket: Socket, address: string, protection: Protection) {
    this.#socket = socket;
    this.#address = address;
    this.protection = protection;
    const length =
      protection === 'RTP'
        ? 0
        : suiteParameters[protection].masterKeyLength + suiteParameters[protection].masterSaltLength;
    this.#key = randomBytes(length);
    socket.on('message', (bytes) => this.#receive(bytes));
  }

  static open(address: string, protection: Protection): Promise<Sound> {
    const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
    return new Promise((resolve, reject) => {
      socket.once('error', reject);
      socket.bind(0, address, () => resolve(new Sound(socket, address, protection)));
    });
  }

  /** Our session description, as an offer or, after `take` of an offer, as its answer. */
  describe(): string {
    const family = this.#address.includes(':') ? 'IP6' : 'IP4';
    const secure = this.protection !== 'RTP';
    const lines = [
      'v=0',
      `o=phone ${this.#ssrc} 1 IN ${family} ${this.#address}`,
      's=call',
      `c=IN ${family} ${this.#address}`,
      't=0 0',
      `m=audio ${this.#socket.address().port} RTP/${secure ? 'SAVP' : 'AVP'} 0`,
      'a=rtpmap:0 PCMU/8000',
      'a=sendrecv',
    ];
    if (this.protection !== 'RTP')
      lines.push(
        `a=crypto:${serializeCrypto({ tag: this.#tag, suite: this.protection, keys: [{ material: this.#key }] })}`,
      );
    return `${lines.join('\r\n')}\r\n`;
  }

  /** Takes the other side's description; false where it is not what this phone does. */
  take(session: SessionDescription): boolean {
    const media = session.media[0];
    const connection = media === undefined ? undefined : connectionOf(session, media);
    if (media === undefined || connection === undefined || media.port === 0) return false;
    if (this.protection === 'RTP') {
      if (isSecureRtp(media.protocol)) return false;
    } else {
      const crypto = chooseCrypto(cryptoLines(media).acceptable, [this.protection]);
      if (crypto === undefined) return false;
      this.#tag = crypto.tag;
      this.#inbound = new SrtpContext({ suite: this.protection, material: crypto.keys[0].material });
      this.#outbound = new SrtpContext({ suite: this.protection, material: this.#key });
    }
    this.#remote = { address: connection.address, port: media.port };
    return true;
  }

  async speak(): Promise<void> {
    for (let i = 0; i < packets; i += 1) {
      const payload = new Uint8Array(randomBytes(payloadOctets));
      this.sent.push(payload);
      const packet = encodeRtp({
        padding: 0,
        marker: i === 0,
        payloadType: 0,
        sequence: 1000 + i,
        timestamp: 160 * i,
        ssrc: this.#ssrc,
        csrcs: [],
        payload,
      });
      const out = this.#outbound?.protectRtp(packet);
      const bytes = out === undefined ? packet : out.ok ? out.value : undefined;
      if (bytes !== undefined && this.#remote !== undefined)
        this.#socket.send(bytes, this.#remote.port, this.#remote.address);
      await new Promise((done) => {
        setTimeout(done, packetEveryMs);
      });
    }
  }

  close(): void {
    this.#socket.close();
    this.#inbound?.wipe();
    this.#outbound?.wipe();
    this.#key.fill(0);
  }

  #receive(bytes: Uint8Array): void {
    const clear = this.#inbound?.unprotectRtp(bytes);
    if (clear !== undefined && !clear.ok) return;
    const packet = parseRtp(clear === undefined ? bytes : clear.value);
    if (packet.ok && packet.value.payloadType === 0) this.heard.push(packet.value.payload.slice());
  }
}

/** Every octet that one side said is what the other heard, in the same order. */
export function sameSound(said: readonly Uint8Array[], heard: readonly Uint8Array[]): boolean {
  return (
    said.length > 0 &&
    said.length === heard.length &&
    said.every((packet, i) => Buffer.compare(packet, heard[i] as Uint8Array) === 0)
  );
}
