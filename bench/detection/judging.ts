/** How many events one core judges, and what a table of a thousand and of a million sources costs. */

import { preferLargePages } from '@ringfence/datagram/socket.ts';
import { loadConfiguration } from '@ringfence/edge/config/load.ts';
import { Detection } from '@ringfence/edge/detection/detection.ts';
import { EventBus } from '@ringfence/edge/events/bus.ts';
import { Directory } from '@ringfence/edge/routing/directory.ts';
import { Numbers } from '@ringfence/edge/routing/numbers.ts';
import { parseMessage } from '@ringfence/sip/message/parse.ts';
import type { SipRequest } from '@ringfence/sip/message/types.ts';
import { SeededRandom } from '@ringfence/testkit/random.ts';
import { HeavyHitters } from '@ringfence/threat/heavy-hitters.ts';
import { type Request, SourceJudge } from '@ringfence/threat/source-judge.ts';
import { kind, TrafficWatch } from '@ringfence/threat/traffic.ts';

export interface Judged {
  readonly events: number;
  /** Of CPU time. */
  readonly perSecond: number;
  readonly nanoseconds: number;
  readonly found: number;
  readonly sources: number;
  readonly evicted: number;
  readonly octets: number;
}

const texts = Array.from({ length: 4096 }, (_, i) => `x${(i * 2_654_435_761).toString(36)}`);

/** Requests and failures of `sources` senders in random order, straight into the judges. */
export function judge(sources: number, room: number, events: number): Judged {
  const pages = (octets: number): ArrayBuffer => {
    const memory = new ArrayBuffer(octets);
    preferLargePages(memory);
    return memory;
  };
  const judges = new SourceJudge({ sources: room, preset: 'standard', seed: 1, memory: pages });
  const talkers = new HeavyHitters(1);
  const traffic = new TrafficWatch();
  const random = new SeededRandom(1);
  const order = Uint32Array.from({ length: 1 << 20 }, () => Math.floor(random.next() * sources));
  const request: Request = {
    high: 0,
    low: 0,
    seconds: 1,
    method: 0,
    target: '',
    exists: true,
    shape: 0,
    tag: '',
    callId: '',
  };
  const run = (from: number, count: number): number => {
    let found = 0;
    for (let i = from; i < from + count; i += 1) {
      const source = order[i & (order.length - 1)]!;
      // 100,000 a second.
      request.seconds = 1 + Math.floor(i / 100_000);
      request.low = Math.imul(source, 2_654_435_761) | 0;
      talkers.add(0, request.low);
      traffic.count(kind.register);
      traffic.tick(request.seconds);
      if (i % 10 === 0) {
        if (judges.failed(0, request.low, request.seconds, source, true) !== undefined) found += 1;
        continue;
      }
      request.target = texts[(source + (i & 3)) & 4095]!;
      request.tag = texts[i & 4095]!;
      request.callId = texts[(i >>> 3) & 4095]!;
      if (judges.request(request) !== undefined) found += 1;
    }
    return found;
  };
  // Everybody is known, and the compiler has seen it all, before the clock starts.
  for (let i = 0; i < sources; i += 1) judges.failed(0, Math.imul(i, 2_654_435_761) | 0, 1, i, true);
  run(0, 200_000);
  const began = process.cpuUsage();
  const found = run(200_000, events);
  return { ...rate(events, began), found, ...judges.size };
}

/** The whole hook of the edge, from parsed requests on: order of headers, marks, honeypots, judges, events. */
export function hook(sources: number, room: number, events: number): Judged {
  const loaded = loadConfiguration({ home: '/nonexistent' });
  if (!loaded.ok) throw new Error('the embedded defaults are refused');
  const { config } = loaded.value;
  const domain = 'example.test';
  const directory = new Directory({ users: [], trunks: [], routes: [] }, domain);
  let now = 1_000_000_000;
  const bus = new EventBus(() => now);
  let found = 0;
  bus.subscribe((event) => {
    if (event.type === 'threat.found') found += 1;
  }, 'warning');
  const detection = new Detection({
    bus,
    now: () => now,
    settings: () => ({ ...config.detection, sources: room, honeypots: ['8999', '+882999123456'] }),
    ban: () => {},
    quarantine: () => {},
    numbers: () => new Numbers('US', config.numbers.emergency),
    directory: (name) => directory.domain(name),
    userAgentOf: () => '',
    isDatagram: () => true,
    seed: 1,
  });
  const messages = Array.from({ length: 1024 }, (_, i) => {
    const bytes = new TextEncoder().encode(
      `REGISTER sip:${domain} SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.9:5060;branch=z9hG4bK${texts[i]}aa;rport\r\nMax-Forwards: 70\r\nFrom: <sip:u${i}@${domain}>;tag=${texts[i]}b\r\nTo: <sip:u${i}@${domain}>\r\nCall-ID: ${texts[i]}cc\r\nCSeq: 1 REGISTER\r\nContact: <sip:u${i}@192.0.2.9:5060>\r\nUser-Agent: Phone 1.2.3\r\nExpires: 3600\r\nContent-Length: 0\r\n\r\n`,
    );
    const parsed = parseMessage(bytes, undefined, { stream: false });
    if (!parsed.ok) throw new Error(parsed.error.detail);
    return { bytes, request: parsed.value as SipRequest };
  });
  const random = new SeededRandom(2);
  const addresses = Array.from(
    { length: sources },
    (_, i) => `10.${(i >>> 16) & 255}.${(i >>> 8) & 255}.${i & 255}`,
  );
  const order = Uint32Array.from({ length: 1 << 20 }, () => Math.floor(random.next() * sources));
  const remote = { address: '', port: 5060 };
  const flow = { id: 1, transport: 'udp', listener: 'udp', reliable: false, remote } as unknown as Parameters<
    Detection['stranger']
  >[1];
  const home = directory.domain(domain)!;
  const run = (count: number): void => {
    for (let i = 0; i < count; i += 1) {
      if (i % 100 === 0) now += 1;
      const { bytes, request } = messages[i & 1023]!;
      remote.address = addresses[order[i & (order.length - 1)]!]!;
      detection.stranger(request, flow, bytes, home, now);
    }
  };
  // Everybody is known before the clock starts.
  run(Math.max(100_000, 2 * sources));
  found = 0;
  const began = process.cpuUsage();
  run(events);
  return { ...rate(events, began), found, ...detection.size };
}

function rate(events: number, began: NodeJS.CpuUsage) {
  const { user, system } = process.cpuUsage(began);
  const seconds = (user + system) / 1e6;
  return {
    events,
    perSecond: Math.round(events / seconds),
    nanoseconds: Math.round((seconds * 1e9) / events),
  };
}
