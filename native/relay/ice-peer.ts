/** For tests: a peer of ICE on loopback that sends what it is told to. */
import assert from 'node:assert/strict';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { decodeStun } from '@ringfence/ice/stun/decode.ts';
import { type EncodeOptions, encodeStun } from '@ringfence/ice/stun/encode.ts';
import { verifyIntegrity } from '@ringfence/ice/stun/integrity.ts';
import type { ReadStun, StunAttributes, TransportAddress } from '@ringfence/ice/stun/message.ts';
import type { EndpointConfig, EndpointOpened } from './contract.ts';
import type { IceCandidate, IceConfig, IceCredentials } from './handshake.ts';

const secret = (password: string): Uint8Array => new TextEncoder().encode(password);

export class IcePeer {
  static readonly #open = new Set<IcePeer>();
  readonly credentials: IceCredentials;
  readonly address: string;
  readonly socket: Socket;
  readonly stun: ReadStun[] = [];
  /** All that is no STUN. */
  readonly others: Buffer[] = [];
  #transactions = 0;

  private constructor(address: string, socket: Socket, credentials: IceCredentials) {
    this.address = address;
    this.socket = socket;
    this.credentials = credentials;
    IcePeer.#open.add(this);
    socket.on('message', (bytes) => {
      const read = decodeStun(Uint8Array.from(bytes));
      if (read.ok) this.stun.push(read.value);
      else this.others.push(bytes);
    });
  }

  static async open(
    address = '127.0.0.1',
    credentials: IceCredentials = { ufrag: 'phone', password: 'the+password+of+the+phone' },
  ): Promise<IcePeer> {
    const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
    socket.bind(0, address);
    await once(socket, 'listening');
    return new IcePeer(address, socket, credentials);
  }

  /** What a failed test has left. */
  static closeAll(): void {
    for (const { socket } of IcePeer.#open) socket.close();
    IcePeer.#open.clear();
  }

  get port(): number {
    return this.socket.address().port;
  }

  /** As the edge would read it of this peer's SDP. */
  config(rest: Partial<IceConfig> = {}): IceConfig {
    return { ...this.credentials, lite: false, controlling: false, candidates: [], ...rest };
  }

  /** A description whose address is another one than where this peer is. */
  describe(media: EndpointConfig['media'] = 'rtp', ice: Partial<IceConfig> = {}): EndpointConfig {
    const remote = { address: this.address, rtpPort: 9, rtcpPort: 9 };
    return { media, remote, ice: this.config(ice) };
  }

  check(
    { ice }: EndpointOpened,
    attributes: StunAttributes = {},
    password = ice?.password,
    options: EncodeOptions = {},
  ): Uint8Array {
    assert.ok(ice && password !== undefined);
    const transactionId = new Uint8Array(12);
    this.#transactions += 1;
    new DataView(transactionId.buffer).setUint32(8, this.#transactions);
    new DataView(transactionId.buffer).setUint32(0, this.port);
    return encodeStun(
      {
        class: 'request',
        method: 1,
        transactionId,
        attributes: {
          username: `${ice.ufrag}:${this.credentials.ufrag}`,
          priority: 0x6e_ff_ff_ff,
          iceControlling: 5n,
          ...attributes,
        },
      },
      { key: secret(password), ...options },
    );
  }

  send(bytes: Uint8Array, { address, rtpPort }: EndpointOpened, port = rtpPort): void {
    this.socket.send(bytes, port, address);
  }

  /** Answers every request as an agent that only answers does. */
  answerAll(password = this.credentials.password, from: IcePeer = this): void {
    this.socket.on('message', (bytes, { address, port }) => {
      const read = decodeStun(Uint8Array.from(bytes));
      if (!read.ok || read.value.class !== 'request') return;
      from.socket.send(this.success(read.value, { address, port }, password), port, address);
    });
  }

  success(request: ReadStun, mapped: TransportAddress, password: string): Uint8Array {
    const { transactionId } = request;
    return encodeStun(
      { class: 'success', method: 1, transactionId, attributes: { mapped } },
      { key: secret(password) },
    );
  }

  get requests(): readonly ReadStun[] {
    return this.stun.filter((read) => read.class === 'request');
  }

  /** Where it is, as a candidate of its SDP. */
  candidate(component: 1 | 2 = 1): IceCandidate {
    return {
      foundation: '1',
      component,
      priority: 0x7e_ff_ff_ff,
      address: this.address,
      port: this.port,
      kind: 'host',
    };
  }

  /** The last answer, which is of that endpoint's password. */
  answer({ ice }: EndpointOpened): ReadStun | undefined {
    const read = this.stun.at(-1);
    if (read) assert.ok(verifyIntegrity(read, secret(ice?.password ?? '')));
    return read;
  }
}
