/** Many calls at once through the media process, with keys of DTLS on one side, or ZRTP that passes, or neither. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { startRelay } from '@ringfence/relay/client.ts';
import type { EndpointConfig, EndpointOpened, EndpointSpec } from '@ringfence/relay/contract.ts';
import type { RunningRelay } from '@ringfence/relay/control.ts';
import { NativeAssociation, NativeCertificate } from '@ringfence/relay/dtls.ts';
import { native } from '@ringfence/relay/native.ts';
import { createContext, type NativeContext } from '@ringfence/relay/srtp.ts';
import { cpuMicroseconds, HOST, isDtls, udpSocket, until } from './dtls-cost.ts';
import { plainPacket } from './media-packets.ts';

export type CallKind = 'dtls' | 'zrtp' | 'plain';

export interface ManyCalls {
  readonly sent: number;
  readonly received: number;
  readonly cpuPerPacket: number;
  /** Resident memory of the media process once all calls have talked for a while, and in the end, KiB. */
  readonly residentKib: readonly [number, number];
  readonly p99Us: number;
}

const suite = 'AEAD_AES_256_GCM' as const;
const room = 12 + 160 + 160;
const perSecond = 50;
type Socket = Awaited<ReturnType<typeof udpSocket>>;

const residentOf = (pid: number): number =>
  Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1] ?? 0);

/** Both ends of all calls, in a program of its own. */
export function buildLoad(folder: string): string {
  const binary = join(folder, 'media-load');
  const source = fileURLToPath(new URL('./media-load.c', import.meta.url));
  execFileSync(process.env.CC ?? 'cc', ['-O2', '-pthread', '-o', binary, source]);
  return binary;
}

/** Keys by DTLS, over the socket that the voice will come from. */
async function keyed(relay: RunningRelay, endpoint: EndpointOpened, socket: Socket): Promise<NativeContext> {
  const certificate = new NativeCertificate();
  if (endpoint.dtls === undefined) throw new Error('relay: no certificate');
  const { port } = socket.address();
  relay.configure(endpoint.id, {
    media: 'srtp',
    remote: { address: HOST, rtpPort: port, rtcpPort: port },
    dtls: { role: 'server', fingerprints: [certificate.fingerprint], suites: [suite] },
  });
  await relay.flush();
  const association = new NativeAssociation({
    certificate,
    role: 'client',
    fingerprints: [endpoint.dtls],
    suites: [suite],
  });
  const send = (datagrams: readonly Uint8Array[]): void => {
    for (const datagram of datagrams) socket.send(datagram, endpoint.rtpPort, HOST);
  };
  const receive = (datagram: Uint8Array, from: { readonly port: number }): void => {
    if (isDtls(datagram) && from.port === endpoint.rtpPort) send(association.receive(datagram));
  };
  socket.on('message', receive);
  send(association.start());
  await until(() => association.look().state === 'secured', 'keys');
  socket.off('message', receive);
  return createContext(suite, 'send', association.look().sendKey);
}

/** As far as the media process looks at what passes: header, magic cookie, preamble, length, type (RFC 6189 §5). */
function zrtpPacket(type: string): Buffer {
  const packet = Buffer.alloc(12 + 40 + 4, 0xa5);
  packet.writeUInt16BE(0x1000, 0);
  packet.writeUInt32BE(0x5a525450, 4);
  packet.writeUInt16BE(0x505a, 12);
  packet.writeUInt16BE(10, 14);
  packet.write(type.padEnd(8), 16, 'latin1');
  return packet;
}

/** What both sides send: by side, number and call. */
function writePackets(file: string, sends: readonly NativeContext[], calls: number, count: number): void {
  const out = openSync(file, 'w', 0o600);
  for (const side of [0, 1]) {
    const buffer = new Uint8Array(room);
    const one = (call: number, number: number): Uint8Array => {
      const plain = plainPacket(side, call, number);
      buffer.set(plain);
      const context = side === 0 ? sends[call] : undefined;
      const length =
        context === undefined ? plain.length : native().transform(context.handle, 0, buffer, plain.length);
      return buffer.subarray(0, length);
    };
    for (let number = 0; number < count; number += 1) {
      const pieces: Uint8Array[] = [];
      for (let call = 0; call < calls; call += 1) pieces.push(one(call, number).slice());
      if (number === 0) writeSync(out, Uint32Array.of(pieces[0]?.length ?? 0));
      writeSync(out, Buffer.concat(pieces));
    }
  }
  closeSync(out);
}

/** `calls` calls of 50 packets a second each way for `seconds`, after two seconds that are not counted. */
export async function measureCalls(
  kind: CallKind,
  calls: number,
  seconds: number,
  load: string,
  folder: string,
): Promise<ManyCalls> {
  const warm = 2 * perSecond;
  const count = warm + seconds * perSecond;
  const sockets = [await udpSocket(), await udpSocket()] as const;
  const ports = sockets.map((socket) => socket.address().port);
  const relay = await startRelay();
  try {
    const config = (side: 0 | 1): EndpointConfig => ({
      media: 'rtp',
      remote: { address: HOST, rtpPort: ports[side] ?? 0, rtcpPort: ports[side] ?? 0 },
      ...(kind === 'zrtp' ? { zrtp: { mode: 'pass', demanded: false } } : {}),
    });
    const leg = { local: HOST, ports: 'mux', dscp: 46, suites: [] } as const;
    const sends: NativeContext[] = [];
    const towards: number[] = [];
    for (let call = 0; call < calls; call += 1) {
      const near: EndpointSpec = kind === 'dtls' ? { ...leg, dtls: true } : { ...leg, config: config(0) };
      const opened = await relay.open([near, { ...leg, config: config(1) }]);
      const [a, b] = opened.ok ? opened.value : [];
      if (a === undefined || b === undefined) throw new Error(`relay: call ${call} has no endpoints`);
      relay.link(a.id, b.id);
      towards.push(a.rtpPort, b.rtpPort);
      if (kind === 'dtls') sends.push(await keyed(relay, a, sockets[0]));
      if (kind !== 'zrtp') continue;
      // From here on both have keys, and the relay touches nothing.
      await relay.flush();
      sockets[0].send(zrtpPacket('Confirm2'), a.rtpPort, HOST);
      sockets[1].send(zrtpPacket('Conf2ACK'), b.rtpPort, HOST);
    }
    await relay.flush();
    const packets = join(folder, 'packets');
    writePackets(packets, sends, calls, count);
    for (const socket of sockets) socket.close();
    const child = spawn(load, ports.map(String), { stdio: ['pipe', 'pipe', 'inherit'] });
    const ended = once(child, 'close');
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    await lines.next();
    const before = cpuMicroseconds(relay.pid);
    let settled = 0;
    const look = setTimeout(() => {
      settled = residentOf(relay.pid);
    }, 3000);
    child.stdin.end(
      `${[calls, count, warm, packets, join(folder, 'samples'), relay.pid, ...towards].join(' ')}\n`,
    );
    const seen = JSON.parse(String((await lines.next()).value)) as Record<string, number>;
    await ended;
    clearTimeout(look);
    const { sent = 0, received = 0, p99 = 0 } = seen;
    if (received === 0) throw new Error('nothing came through');
    const all = (received * count) / (count - warm);
    return {
      sent,
      received,
      cpuPerPacket: (cpuMicroseconds(relay.pid) - before) / all,
      residentKib: [settled, residentOf(relay.pid)],
      p99Us: p99,
    };
  } finally {
    await relay.stop();
  }
}
