/** Calls whose near leg has keys of DTLS or SDES and whose far leg has keys of SDES, and voice through them. */
import { randomBytes } from 'node:crypto';
import { startRelay } from '@ringfence/relay/client.ts';
import type { EndpointConfig, EndpointOpened } from '@ringfence/relay/contract.ts';
import { NativeAssociation, NativeCertificate } from '@ringfence/relay/dtls.ts';
import { native } from '@ringfence/relay/native.ts';
import { createContext, type NativeContext, unprotectRtp } from '@ringfence/relay/srtp.ts';
import { type Suite, suiteParameters } from '@ringfence/srtp/suite.ts';
import { cpuMicroseconds, HOST, isDtls, udpSocket, until } from './dtls-cost.ts';

const HEADER = 12;
const PAYLOAD = 160;
const ROOM = 16 + 4 + 128;
const FAR: Suite = 'AES_CM_128_HMAC_SHA1_80';
const packetMs = 20;

export interface Packets {
  readonly sent: number;
  readonly received: number;
  readonly cpuPerPacket: number;
}

interface Leg {
  readonly endpoint: EndpointOpened;
  readonly sends: NativeContext;
  readonly receives: NativeContext;
  readonly buffer: Uint8Array;
}

const fresh = (suite: Suite): Uint8Array =>
  randomBytes(suiteParameters[suite].masterKeyLength + suiteParameters[suite].masterSaltLength);

/** `calls` calls of 50 packets a second each way for `seconds`, after one second that is not counted. */
export async function measurePackets(by: 'dtls' | 'sdes', calls: number, seconds: number): Promise<Packets> {
  const relay = await startRelay();
  const sockets = [await udpSocket(), await udpSocket()] as const;
  const remote = (side: 0 | 1) => {
    const { port } = sockets[side].address();
    return { address: HOST, rtpPort: port, rtcpPort: port };
  };
  const sdes = (endpoint: EndpointOpened, material: Uint8Array): Leg => ({
    endpoint,
    sends: createContext(FAR, 'send', material),
    receives: createContext(FAR, 'receive', endpoint.keys[0]?.material ?? new Uint8Array(0)),
    buffer: new Uint8Array(HEADER + PAYLOAD + ROOM),
  });
  const config = (side: 0 | 1, material: Uint8Array): EndpointConfig => ({
    media: 'srtp',
    remote: remote(side),
    receive: { suite: FAR, material },
    send: { suite: FAR },
  });
  const legs: [Leg, Leg][] = [];
  try {
    for (let i = 0; i < calls; i += 1) {
      const keys = [fresh(FAR), fresh(FAR)] as const;
      const leg = { local: HOST, ports: 'mux', dscp: 46 } as const;
      const opened = await relay.open([
        by === 'dtls'
          ? { ...leg, suites: [], dtls: true }
          : { ...leg, suites: [FAR], config: config(0, keys[0]) },
        { ...leg, suites: [FAR], config: config(1, keys[1]) },
      ]);
      const [near, far] = opened.ok ? opened.value : [];
      if (!near || !far) throw new Error('relay: endpoints missing');
      relay.link(near.id, far.id);
      const first = by === 'dtls' ? await keyed(near) : sdes(near, keys[0]);
      legs.push([first, sdes(far, keys[1])]);
    }
    await relay.flush();
    return await talk();
  } finally {
    for (const socket of sockets) socket.close();
    await relay.stop();
  }

  /** Keys by DTLS, over the socket that the voice will come from. */
  async function keyed(endpoint: EndpointOpened): Promise<Leg> {
    const certificate = new NativeCertificate();
    if (!endpoint.dtls) throw new Error('relay: no certificate');
    relay.configure(endpoint.id, {
      media: 'srtp',
      remote: remote(0),
      dtls: { role: 'server', fingerprints: [certificate.fingerprint], suites: ['AEAD_AES_256_GCM'] },
    });
    await relay.flush();
    const association = new NativeAssociation({
      certificate,
      role: 'client',
      fingerprints: [endpoint.dtls],
      suites: ['AEAD_AES_256_GCM'],
    });
    const send = (datagrams: readonly Uint8Array[]) => {
      for (const datagram of datagrams) sockets[0].send(datagram, endpoint.rtpPort, HOST);
    };
    const receive = (datagram: Uint8Array, from: { readonly port: number }) => {
      if (isDtls(datagram) && from.port === endpoint.rtpPort) send(association.receive(datagram));
    };
    sockets[0].on('message', receive);
    send(association.start());
    await until(() => association.look().state === 'secured', 'keys');
    sockets[0].off('message', receive);
    const { suite, sendKey, receiveKey } = association.look();
    return {
      endpoint,
      sends: createContext(suite ?? FAR, 'send', sendKey),
      receives: createContext(suite ?? FAR, 'receive', receiveKey),
      buffer: new Uint8Array(HEADER + PAYLOAD + ROOM),
    };
  }

  async function talk(): Promise<Packets> {
    let received = 0;
    const samples: [0 | 1, Uint8Array, number][] = [];
    for (const side of [0, 1] as const) {
      sockets[side].on('message', (packet, from) => {
        received += 1;
        if (samples.length < 200) samples.push([side, Uint8Array.from(packet), from.port]);
      });
    }
    const perTick = (1000 / packetMs) * (seconds + 1);
    let before = 0;
    let receivedBefore = 0;
    let sent = 0;
    const start = performance.now();
    for (let number = 0; number < perTick; number += 1) {
      if (number === 1000 / packetMs) {
        before = cpuMicroseconds(relay.pid);
        receivedBefore = received;
      }
      for (const [call, pair] of legs.entries()) {
        // Spread over the 20 ms, as calls are that began at different times.
        if (call % 10 === 0) {
          const due = start + number * packetMs + (call / legs.length) * packetMs;
          while (performance.now() < due) await new Promise((resolve) => setImmediate(resolve));
        }
        for (const side of [0, 1] as const) {
          const leg = pair[side];
          write(leg.buffer, call * 2 + side + 1, number);
          const length = native().transform(leg.sends.handle, 0, leg.buffer, HEADER + PAYLOAD);
          sockets[side].send(Uint8Array.from(leg.buffer.subarray(0, length)), leg.endpoint.rtpPort, HOST);
          sent += 1;
        }
      }
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
    const cpu = cpuMicroseconds(relay.pid) - before;
    check(samples);
    return { sent, received, cpuPerPacket: cpu / (received - receivedBefore) };
  }

  /** What came through is what was sent: a relay that does less work is no comparison. */
  function check(samples: readonly [0 | 1, Uint8Array, number][]): void {
    for (const [side, packet, port] of samples) {
      const leg = legs.map((pair) => pair[side]).find(({ endpoint }) => endpoint.rtpPort === port);
      const opened = leg && unprotectRtp(leg.receives, packet);
      if (!opened?.ok || opened.value.length !== HEADER + PAYLOAD)
        throw new Error('what came back does not authenticate');
      if (opened.value.subarray(HEADER).some((octet) => octet !== opened.value[HEADER]))
        throw new Error('not the packet that was sent');
    }
    if (samples.length === 0) throw new Error('nothing came through');
  }
}

function write(packet: Uint8Array, ssrc: number, number: number): void {
  const view = new DataView(packet.buffer);
  packet[0] = 0x80;
  packet[1] = 8;
  view.setUint16(2, number + 1);
  view.setUint32(4, (number + 1) * 160);
  view.setUint32(8, ssrc);
  packet.fill(ssrc & 0xff, HEADER, HEADER + PAYLOAD);
}
