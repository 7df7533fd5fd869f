/**
 * What ICE and DTLS add to the setup of a call: from the answer that a WebRTC peer gets to keys on both sides, on loopback.
 *
 * The media goes through a relay of the bench, which sees how often and for how long the peer waits for the edge. The rest
 * of the time is the peer's own: werift handshakes in JavaScript, and is deaf to DTLS until its ICE is done, so that the
 * edge's first ClientHello has to be repeated.
 *
 *     node bench/call-handshakes.ts [--calls 20]
 */
import { createSocket, type Socket } from 'node:dgram';
import { parseArgs } from 'node:util';
import { Bed } from '../test/system/harness/bed.ts';
import { until } from '../test/system/harness/waiting.ts';
import { WebPeer } from '../test/system/harness/web-peer.ts';

const loopback = '127.0.0.1';
const bound = (): Promise<Socket> =>
  new Promise((done) => {
    const socket = createSocket('udp4');
    socket.bind(0, loopback, () => done(socket));
  });

interface Way {
  readonly port: number;
  /** How long something of the peer's was waiting for the edge, and how often. */
  seen(): { readonly edgeMs: number; readonly exchanges: number };
  close(): void;
}

/** Stands between a peer and a port of the edge. */
async function watched(port: number): Promise<Way> {
  const outer = await bound();
  const inner = await bound();
  let peer: { readonly address: string; readonly port: number } | undefined;
  let asked: number | undefined;
  let edgeMs = 0;
  let exchanges = 0;
  outer.on('message', (bytes, from) => {
    peer = from;
    asked ??= performance.now();
    inner.send(bytes, port, loopback);
  });
  inner.on('message', (bytes) => {
    if (asked !== undefined) {
      edgeMs += performance.now() - asked;
      exchanges += 1;
    }
    asked = undefined;
    if (peer !== undefined) outer.send(bytes, peer.port, peer.address);
  });
  return {
    port: outer.address().port,
    seen: () => ({ edgeMs, exchanges }),
    close: () => {
      outer.close();
      inner.close();
    },
  };
}

interface Measured {
  readonly allMs: number;
  readonly edgeMs: number;
  readonly exchanges: number;
}

/** From the answer to keys at the peer. */
async function oneCall(bed: Bed): Promise<Measured> {
  const web = await bed.registered('web', 'wss');
  const desk = await bed.registered('desk', 'udp');
  const voice = await bed.voice('RTP');
  const peer = new WebPeer();
  try {
    desk.onInvite = (incoming) => {
      if (voice.take(incoming.sdp) !== undefined) return incoming.respond(488, 'Not Acceptable Here');
      incoming.accept(voice.describe());
    };
    const { answer, leg } = await web.call('desk', await peer.offer());
    if (leg === undefined) throw new Error(answer.text);
    const port = Number(/^m=audio (\d+)/m.exec(leg.remoteSdp)?.[1]);
    const way = await watched(port);
    const began = performance.now();
    let secured = 0;
    peer.connection.connectionStateChange.subscribe((state) => {
      if (state === 'connected') secured = performance.now();
    });
    await peer.take(leg.remoteSdp.replaceAll(` ${port} `, ` ${way.port} `));
    await until('keys', () => secured > 0);
    const seen = way.seen();
    await leg.hangUp();
    way.close();
    return { allMs: secured - began, ...seen };
  } finally {
    await peer.close();
    voice.close();
  }
}

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;

const { values } = parseArgs({ options: { calls: { type: 'string', default: '20' } } });
const calls = Math.min(200, Math.max(1, Number(values.calls) || 20));
const bed = await Bed.open(
  { users: [{ name: 'web', encryption: 'required' }, { name: 'desk' }] },
  {
    listeners: [
      { name: 'wss', transport: 'wss', encryption: 'required' },
      { name: 'udp', transport: 'udp', encryption: 'preferred' },
    ],
  },
);
try {
  // The first call warms up both processes.
  await oneCall(bed);
  const all: Measured[] = [];
  for (let i = 0; i < calls; i += 1) all.push(await oneCall(bed));
  const p50 = (of: (one: Measured) => number): number => median(all.map(of));
  process.stdout.write(
    `ICE and DTLS, ${calls} calls: ${p50(({ allMs }) => allMs).toFixed(1)} ms p50 to keys on both sides, ` +
      `${p50(({ edgeMs }) => edgeMs).toFixed(1)} ms of it the edge's in ${p50(({ exchanges }) => exchanges)} exchanges\n`,
  );
} finally {
  await bed.close();
}
process.exit(0);
