/** The servers that `media.ts` compares, each set up with the same calls: side A speaks `work.a`, side B plain RTP. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { startRelay } from '@ringfence/relay/client.ts';
import type { Suite } from '@ringfence/srtp/suite.ts';

const HOST = '127.0.0.1';

export interface Work {
  readonly name: string;
  /** Absent: plain RTP on both sides. */
  readonly suite?: Suite;
}

export interface Setup {
  readonly work: Work;
  readonly calls: number;
  /** Where the load generator's two sides are. */
  readonly portA: number;
  readonly portB: number;
  /** Master key and salt that side A sends with, in all calls. */
  readonly material: Uint8Array;
  readonly threads: number;
}

export interface Server {
  readonly pid: number;
  /** Per call, the server's ports towards A and towards B. */
  readonly ports: readonly (readonly [number, number])[];
  /** Per call, what the server sends to A with; empty where that is plain. */
  readonly keys: readonly Uint8Array[];
  stop(): Promise<void>;
}

export async function startOurs(setup: Setup): Promise<Server> {
  const { suite } = setup.work;
  const relay = await startRelay({
    threads: setup.threads,
    ...(process.env.GATHER ? { gatherMicroseconds: Number(process.env.GATHER) } : {}),
  });
  const ports: [number, number][] = [];
  const keys: Uint8Array[] = [];
  const leg = { local: HOST, ports: 'pair', dscp: 46 } as const;
  const remote = (port: number) => ({ address: HOST, rtpPort: port, rtcpPort: port + 1 });
  for (let i = 0; i < setup.calls; i++) {
    const opened = await relay.open([
      {
        ...leg,
        suites: suite ? [suite] : [],
        config: {
          remote: remote(setup.portA),
          ...(suite
            ? { media: 'srtp', receive: { suite, material: setup.material }, send: { suite } }
            : { media: 'rtp' }),
        },
      },
      { ...leg, suites: [], config: { remote: remote(setup.portB), media: 'rtp' } },
    ]);
    if (!opened.ok) throw new Error(`relay: ${opened.error}`);
    const [a, b] = opened.value;
    if (!a || !b) throw new Error('relay: endpoints missing');
    relay.link(a.id, b.id);
    ports.push([a.rtpPort, b.rtpPort]);
    if (a.keys[0]) keys.push(a.keys[0].material);
  }
  await relay.stats([1]); // answered once everything before it was applied
  return { pid: relay.pid, ports, keys, stop: () => relay.stop() };
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  child.kill('SIGTERM');
  const hard = setTimeout(() => child.kill('SIGKILL'), 3000);
  await gone;
  clearTimeout(hard);
}

export async function startForwarder(setup: Setup, binary: string): Promise<Server> {
  const args = [setup.calls, setup.threads, setup.portA, setup.portB].map(String);
  const child = spawn(binary, args, { stdio: ['pipe', 'pipe', 'ignore'] });
  const ports: [number, number][] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    const [a, b] = line.split(' ').map(Number);
    ports.push([a ?? 0, b ?? 0]);
    if (ports.length === setup.calls) break;
  }
  return { pid: child.pid ?? 0, ports, keys: [], stop: () => end(child) };
}

type Bencoded = string | number | readonly Bencoded[] | { readonly [key: string]: Bencoded };

function bencode(value: Bencoded): string {
  if (typeof value === 'number') return `i${value}e`;
  if (typeof value === 'string') return `${Buffer.byteLength(value)}:${value}`;
  if (Array.isArray(value)) return `l${value.map(bencode).join('')}e`;
  return `d${Object.entries(value)
    .map(([key, item]) => bencode(key) + bencode(item))
    .join('')}e`;
}

/** The string that follows `key` in a bencoded dictionary. */
function textOf(bencoded: string, key: string): string | undefined {
  const at = bencoded.indexOf(`${key.length}:${key}`);
  const match =
    at < 0 ? null : /^(\d+):/.exec(bencoded.slice(at + key.length + 1 + String(key.length).length));
  if (!match?.[1]) return undefined;
  const from = at + key.length + 1 + String(key.length).length + match[0].length;
  return bencoded.slice(from, from + Number(match[1]));
}

async function freeUdpPort(): Promise<number> {
  const socket = createSocket('udp4');
  socket.bind(0, HOST);
  await once(socket, 'listening');
  const { port } = socket.address();
  socket.close();
  return port;
}

const sdp = (port: number, secured: { suite: Suite; material: Uint8Array } | undefined): string =>
  [
    'v=0',
    `o=- 1 1 IN IP4 ${HOST}`,
    's=-',
    `c=IN IP4 ${HOST}`,
    't=0 0',
    `m=audio ${port} RTP/${secured ? 'S' : ''}AVP 0`,
    'a=rtpmap:0 PCMU/8000',
    ...(secured
      ? [`a=crypto:1 ${secured.suite} inline:${Buffer.from(secured.material).toString('base64')}`]
      : []),
    'a=sendrecv',
    '',
  ].join('\r\n');

/** rtpengine in userspace: no kernel table, as many threads as ours, nothing logged, addresses learned at once. */
export async function startRtpengine(setup: Setup, binary: string): Promise<Server> {
  const ng = await freeUdpPort();
  const child = spawn(
    binary,
    [
      '--foreground',
      '--table=-1',
      `--interface=${HOST}`,
      `--listen-ng=${HOST}:${ng}`,
      `--num-threads=${setup.threads}`,
      '--port-min=40000',
      '--port-max=60000',
      '--log-level=1',
      '--log-stderr',
      '--endpoint-learning=immediate',
      '--delete-delay=0',
    ],
    { stdio: ['ignore', 'ignore', 'ignore'] },
  );
  const socket = createSocket('udp4');
  const ask = async (message: Bencoded): Promise<string> => {
    for (let attempt = 0; attempt < 20; attempt++) {
      const cookie = `${attempt}_${Math.random().toString(36).slice(2)}`;
      const reply = new Promise<string | undefined>((resolve) => {
        const timer = setTimeout(() => resolve(undefined), 300);
        socket.once('message', (data) => {
          clearTimeout(timer);
          resolve(data.toString('latin1'));
        });
      });
      socket.send(`${cookie} ${bencode(message)}`, ng, HOST);
      const answer = await reply;
      if (answer?.startsWith(`${cookie} `)) return answer.slice(cookie.length + 1);
    }
    throw new Error('rtpengine does not answer');
  };
  const stop = async () => {
    socket.close();
    await end(child);
  };
  try {
    await ask({ command: 'ping' });
    const { suite } = setup.work;
    const ports: [number, number][] = [];
    const keys: Uint8Array[] = [];
    const plainFlags: Bencoded = { 'transport-protocol': 'RTP/AVP', ICE: 'remove', DTLS: 'off' };
    for (let i = 0; i < setup.calls; i++) {
      const call = { 'call-id': `bench-${i}`, 'from-tag': 'a' };
      const offer = sdp(setup.portA, suite && { suite, material: setup.material });
      const towardsB = textOf(await ask({ command: 'offer', ...call, sdp: offer, ...plainFlags }), 'sdp');
      const answered = await ask({
        command: 'answer',
        ...call,
        'to-tag': 'b',
        sdp: sdp(setup.portB, undefined),
        ICE: 'remove',
      });
      const towardsA = textOf(answered, 'sdp');
      const port = (text: string | undefined) => Number(/^m=audio (\d+)/m.exec(text ?? '')?.[1] ?? 0);
      if (port(towardsA) === 0 || port(towardsB) === 0) throw new Error(`rtpengine refused: ${answered}`);
      ports.push([port(towardsA), port(towardsB)]);
      const inline = /^a=crypto:\d+ \S+ inline:(\S+)/m.exec(towardsA ?? '')?.[1];
      if (suite && inline) keys.push(Uint8Array.from(Buffer.from(inline, 'base64')));
    }
    return { pid: child.pid ?? 0, ports, keys, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
