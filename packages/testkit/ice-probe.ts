import assert from 'node:assert/strict';
import {
  IceAgent,
  type IceAgentOptions,
  type IcePacket,
  type IceRemote,
  type IceState,
} from '@ringfence/ice/agent.ts';
import type { Component, IceBase, IceCandidate, IceCredentials } from '@ringfence/ice/candidate.ts';
import type { IceVerdict } from '@ringfence/ice/session.ts';
import { decodeStun } from '@ringfence/ice/stun/decode.ts';
import { encodeStun } from '@ringfence/ice/stun/encode.ts';
import { verifyIntegrity } from '@ringfence/ice/stun/integrity.ts';
import type { ReadStun, StunAttributes, StunMessage, TransportAddress } from '@ringfence/ice/stun/message.ts';
import { SeededRandom } from './random.ts';

export const probeLocal: IceCredentials = { ufrag: 'edge', password: 'the+password+of+the+edge' };
export const probePeer: IceCredentials = { ufrag: 'phone', password: 'the+password+of+the+phone' };
export const probeBases: readonly IceBase[] = [
  { component: 1, address: '192.0.2.1', port: 30_000 },
  { component: 2, address: '192.0.2.1', port: 30_001 },
];
export const phone: TransportAddress = { address: '198.51.100.7', port: 40_000 };

const key = (password: string): Uint8Array => new TextEncoder().encode(password);

export const hostOf = (
  at: TransportAddress,
  component: Component = 1,
  priority = 0x7e_ff_ff_ff,
): IceCandidate => ({
  foundation: '1',
  component,
  priority,
  kind: 'host',
  ...at,
});

/** A request that the agent has made, and when. */
export interface AskedCheck {
  readonly at: number;
  readonly packet: IcePacket;
  readonly message: ReadStun;
}

/** One ICE agent with everything that comes out of it written down, and a peer that says what it is told to. */
export class IceProbe {
  readonly random = new SeededRandom(7);
  readonly agent: IceAgent;
  readonly sent: IcePacket[] = [];
  readonly asked: AskedCheck[] = [];
  readonly selected: [number, string | undefined][] = [];
  readonly valid: string[] = [];
  readonly states: IceState[] = [];
  now = 0;

  constructor(options: Partial<IceAgentOptions> = {}) {
    this.agent = new IceAgent({
      mode: 'lite',
      local: probeLocal,
      components: probeBases.slice(0, 1),
      random: (octets) => this.random.bytes(octets),
      ...options,
    });
    this.agent.onSend = (packet) => {
      this.sent.push(packet);
      const read = decodeStun(packet.bytes);
      assert.ok(read.ok);
      if (read.value.class === 'request') this.asked.push({ at: this.now, packet, message: read.value });
    };
    this.agent.onSelected = (component, remote) =>
      this.selected.push([component, remote && `${remote.address}:${remote.port}`]);
    this.agent.onValid = (_, remote) => this.valid.push(`${remote.address}:${remote.port}`);
    this.agent.onState = (state) => this.states.push(state);
  }

  remote(candidates: readonly IceCandidate[] = [], rest: Partial<IceRemote> = {}): void {
    const remote = { ...probePeer, lite: false, controlling: false, candidates, ...rest };
    assert.ok(this.agent.setRemote(remote, this.now));
  }

  /** A check of the peer; an attribute that is undefined is left out. */
  check(
    attributes: { readonly [K in keyof StunAttributes]?: StunAttributes[K] | undefined } = {},
    rest: Partial<StunMessage> & { readonly password?: string } = {},
  ): Uint8Array {
    const { password = probeLocal.password, ...message } = rest;
    const all = { username: 'edge:phone', priority: 0x6e_ff_ff_ff, iceControlling: 5n, ...attributes };
    const said = Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
    return encodeStun(
      { class: 'request', method: 1, transactionId: this.random.bytes(12), attributes: said, ...message },
      { key: key(password) },
    );
  }

  /** The peer's answer to a check of the agent. */
  response({ message, packet }: AskedCheck, error?: number, password = probePeer.password): Uint8Array {
    const base = probeBases[packet.component - 1]!;
    return encodeStun(
      {
        class: error === undefined ? 'success' : 'error',
        method: 1,
        transactionId: message.transactionId,
        attributes:
          error === undefined
            ? { mapped: { address: base.address, port: base.port } }
            : { error: { code: error, reason: '' } },
      },
      { key: key(password) },
    );
  }

  /** The peer answers this check from where it was sent to. */
  respond(asked: AskedCheck, error?: number): IceVerdict {
    return this.receive(this.response(asked, error), asked.packet, asked.packet.component);
  }

  receive(bytes: Uint8Array, from: TransportAddress = phone, component: Component = 1): IceVerdict {
    return this.agent.receive(bytes, { address: from.address, port: from.port }, component, this.now);
  }

  /** Lets time pass, timer by timer. */
  pass(until: number): void {
    for (let turns = 0; this.agent.nextAt <= until; turns += 1) {
      assert.ok(turns < 100_000, 'timers stand still');
      this.now = Math.max(this.now, this.agent.nextAt);
      this.agent.tick(this.now);
    }
    this.now = until;
  }

  /** The last thing sent, which verifies under the agent's own password. */
  answer(): ReadStun {
    const read = decodeStun(this.sent.at(-1)!.bytes);
    assert.ok(read.ok && verifyIntegrity(read.value, key(probeLocal.password)));
    return read.value;
  }
}
