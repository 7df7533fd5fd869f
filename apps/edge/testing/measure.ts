import type { EndpointOpened, Relay } from '@ringfence/relay/contract.ts';
import type { Flow } from '@ringfence/sip/transport/flow.ts';
import { suiteParameters } from '@ringfence/srtp/suite.ts';
import { steadyClock } from '../clock.ts';
import { Edge } from '../edge.ts';
import { EventBus } from '../events/bus.ts';
import { EventLog } from '../events/log.ts';
import { MessageRing } from '../evidence/message-ring.ts';
import type { Store } from '../store/contract.ts';
import type { Transports } from '../transport/contract.ts';
import { testConfiguration } from './configuration.ts';
import { route, trunk } from './objects.ts';
import { resolveNumeric } from './resolve.ts';

/**
 * CPU of the edge's own JavaScript per call, with nothing behind it: `node apps/edge/testing/measure.ts [calls] [held] [up] [kept]`.
 *
 * A trunk calls a trunk over UDP: 13 messages a call, 500 a second, of which `up` (default 500) stand at any time. What
 * the driver itself costs is taken off. With `held`, so many more are left standing and their memory is told. `kept` is
 * how many messages are kept for evidence (default 20,000; 0: none).
 */

const calls = Number(process.argv[2] ?? 20_000);
const held = Number(process.argv[3] ?? 0);
const up = Number(process.argv[4] ?? 500);
const kept = Number(process.argv[5] ?? 20_000);

const flow = (id: number, address: string): Flow => ({
  id,
  transport: 'udp',
  reliable: false,
  local: { address: '198.51.100.1', port: 5060 },
  remote: { address, port: 5060 },
  sentBy: '198.51.100.1:5060',
  listener: 'inside',
});
const from = flow(1, '192.0.2.10');
const to = flow(2, '192.0.2.20');

let driver = 0n;
/** Time of the driver, which is not the edge's. */
function own<T>(work: () => T): T {
  const began = process.hrtime.bigint();
  const result = work();
  driver += process.hrtime.bigint() - began;
  return result;
}

const inbox: { flow: Flow; text: string }[] = [];
const transports: Transports = {
  listeners: [],
  connect: () => Promise.resolve({ ok: false, error: { code: 'none', detail: '' } }),
  udpFlow: (address) => (address === to.remote.address ? to : from),
  drop: () => undefined,
  flow: (id) => (id === 1 ? from : to),
  send: (target, bytes) => {
    own(() => inbox.push({ flow: target, text: Buffer.from(bytes).toString('latin1') }));
    return true;
  },
  keep: () => undefined,
  alias: () => false,
  backlog: () => 0,
  reloadCertificates: () => Promise.resolve(),
  handOver: () => [],
  close: () => Promise.resolve(),
};

let endpoints = 0;
const relay: Relay = {
  open: (specs) =>
    own(() =>
      Promise.resolve({
        ok: true,
        value: specs.map(
          (spec): EndpointOpened => ({
            id: ++endpoints,
            address: spec.local,
            rtpPort: 20_000 + (endpoints % 10_000) * 2,
            rtcpPort: 20_001 + (endpoints % 10_000) * 2,
            keys: spec.suites.map((suite) => ({
              suite,
              material: new Uint8Array(
                suiteParameters[suite].masterKeyLength + suiteParameters[suite].masterSaltLength,
              ),
            })),
          }),
        ),
      }),
    ),
  configure: () => undefined,
  link: () => undefined,
  unlink: () => undefined,
  press: () => true,
  flush: () => own(() => Promise.resolve()),
  close: (ids) =>
    own(() =>
      Promise.resolve(
        ids.map((id) => ({
          id,
          received: {
            packets: 100,
            octets: 17_200,
            rtcpPackets: 0,
            lost: 0,
            reordered: 0,
            duplicates: 0,
            jitterMs: 1,
            idleMs: 10,
          },
          sent: { packets: 100, octets: 17_200 },
          dropped: { source: 0, authentication: 0, replay: 0, malformed: 0, unlinked: 0 },
        })),
      ),
    ),
  stats: () => Promise.resolve([]),
  onEvent: () => undefined,
};

const store: Store = {
  objects: () => Promise.resolve({ users: [], trunks: [], routes: [] }),
  onObjectsChanged: () => undefined,
  onFailure: () => undefined,
  bindings: () => Promise.resolve([]),
  zrtpPeers: () => Promise.resolve([]),
  knownPeers: () => Promise.resolve([]),
  putKnownPeer: () => Promise.resolve(),
  bans: () => Promise.resolve([]),
  putBans: () => Promise.resolve(),
  factors: () => Promise.resolve([]),
  putFactors: () => Promise.resolve(),
  accounts: () => Promise.resolve([]),
  putAccounts: () => Promise.resolve(),
  incidents: () => Promise.resolve([]),
  putIncident: () => Promise.resolve(),
  spend: () => Promise.resolve([]),
  putSpend: () => Promise.resolve(),
  putZrtpPeer: () => Promise.resolve(),
  putBindings: () => Promise.resolve(),
  putCall: () => Promise.resolve(),
  onTrouble: () => undefined,
  openCalls: () => Promise.resolve([]),
  closeInterrupted: () => Promise.resolve(0),
  close: () => Promise.resolve(),
};

/** So many calls a second, so that finished transactions stay as long, and as many, as they would. */
const rate = 500;
let clock = 1_700_000_000_000;
const now = (): number => clock;

/** Timers by their duration, as Node has them; what is stopped holds nothing. */
interface Timer {
  readonly at: number;
  run: (() => void) | undefined;
}
const timers = new Map<number, { list: Timer[]; head: number }>();
function after(milliseconds: number, run: () => void): () => void {
  const wait = Math.ceil(milliseconds);
  let queue = timers.get(wait);
  if (queue === undefined) {
    queue = { list: [], head: 0 };
    timers.set(wait, queue);
  }
  const timer: Timer = { at: clock + wait, run };
  queue.list.push(timer);
  return () => {
    timer.run = undefined;
  };
}
function pass(milliseconds: number): void {
  clock += milliseconds;
  for (const queue of timers.values()) {
    for (let timer = queue.list[queue.head]; timer !== undefined; timer = queue.list[queue.head]) {
      if (timer.run !== undefined && timer.at > clock) break;
      queue.head += 1;
      timer.run?.();
    }
    if (queue.head > 1000) {
      queue.list.splice(0, queue.head);
      queue.head = 0;
    }
  }
}
const bus = new EventBus(now);
bus.subscribe(new EventLog('json', () => undefined).subscriber, 'info');
const ring =
  kept > 0 ? new MessageRing({ messages: kept, octets: 16 * 1024 * 1024 }, steadyClock()) : undefined;
const edge = new Edge({
  tap: () => ring,
  config: testConfiguration(),
  objects: {
    users: [],
    trunks: [
      trunk('in', { addresses: ['192.0.2.10'] }),
      trunk('out', { addresses: ['192.0.2.20'], target: 'sip:192.0.2.20:5060', free: true }),
    ],
    routes: [route('default', { trunk: 'out' }, { from: 'trunks' })],
  },
  bindings: [],
  store,
  bus,
  now,
  transports: () => transports,
  relay: () => relay,
  trust: () => undefined,
  resolver: { resolveNumeric, resolve: (uri) => Promise.resolve(resolveNumeric(uri) ?? []) },
  after,
});

const sdp = (address: string): string =>
  `v=0\r\no=user1 53655765 2353687637 IN IP4 ${address}\r\ns=-\r\nc=IN IP4 ${address}\r\nt=0 0\r\nm=audio 6000 RTP/AVP 0 8 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\n`;
const offer = sdp('192.0.2.10');
const answer = sdp('192.0.2.20');

const line = (text: string, name: string): string => {
  const at = text.indexOf(`\r\n${name}: `);
  return text.slice(at + 2, text.indexOf('\r\n', at + 2));
};
const uriOf = (contact: string): string => contact.slice(contact.indexOf('<') + 1, contact.indexOf('>'));

const give = (who: Flow, text: string): void => {
  const bytes = own(() => Buffer.from(text, 'latin1'));
  ring?.received(who, bytes);
  edge.message(who, bytes, now());
};

const reply = (request: string, status: string, tag: string, more = '', body = ''): string =>
  `SIP/2.0 ${status}\r\n${line(request, 'Via')}\r\n${line(request, 'From')}\r\n${line(request, 'To')}${
    line(request, 'To').includes(';tag=') ? '' : `;tag=${tag}`
  }\r\n${line(request, 'Call-ID')}\r\n${line(request, 'CSeq')}\r\n${more}Content-Length: ${body.length}\r\n\r\n${body}`;

let answered: ((ok: string) => void) | undefined;
/** Plays both trunks with what the edge has sent. */
function play(): void {
  for (let item = inbox.shift(); item !== undefined; item = inbox.shift()) {
    const { flow: at, text } = item;
    if (text.startsWith('INVITE')) {
      const contact = 'Contact: <sip:uas@192.0.2.20:5060>\r\n';
      const [ring, take] = own(() => [
        reply(text, '180 Ringing', 'uas', contact),
        reply(text, '200 OK', 'uas', `${contact}Content-Type: application/sdp\r\n`, answer),
      ]);
      give(at, ring!);
      give(at, take!);
    } else if (text.startsWith('BYE'))
      give(
        at,
        own(() => reply(text, '200 OK', '')),
      );
    else if (text.startsWith('SIP/2.0 200') && text.includes(' INVITE\r\n')) answered?.(text);
  }
}

const turn = (): Promise<void> =>
  new Promise((done) => {
    setImmediate(done);
  });

/** Sets a call up; what it resolves with hangs it up. */
async function call(n: number): Promise<() => Promise<void>> {
  pass(1000 / rate);
  const tag = `t${n}`;
  const common = `From: <sip:+4989${n}@192.0.2.10>;tag=${tag}\r\n`;
  let ok = '';
  answered = (text) => {
    ok = text;
  };
  give(
    from,
    `INVITE sip:+4930${100000 + (n % 1000)}@198.51.100.1:5060 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bK-${n}-1\r\n${common}To: <sip:service@198.51.100.1:5060>\r\nCall-ID: ${n}-1@192.0.2.10\r\nCSeq: 1 INVITE\r\nContact: <sip:uac@192.0.2.10:5060>\r\nMax-Forwards: 70\r\nSubject: Performance Test\r\nContent-Type: application/sdp\r\nContent-Length: ${offer.length}\r\n\r\n${offer}`,
  );
  while (ok === '') {
    await turn();
    play();
  }
  const target = uriOf(line(ok, 'Contact'));
  const head = (method: string, cseq: number): string =>
    `${method} ${target} SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bK-${n}-${method}\r\n${common}${line(ok, 'To')}\r\nCall-ID: ${n}-1@192.0.2.10\r\nCSeq: ${cseq} ${method}\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n`;
  give(
    from,
    own(() => head('ACK', 1)),
  );
  return async () => {
    give(
      from,
      own(() => head('BYE', 2)),
    );
    play();
    await turn();
    play();
  };
}

/** Calls that stand at any time: each lasts as long as it takes to set so many up. */
const standing: (() => Promise<void>)[] = [];
async function turnOver(n: number): Promise<void> {
  standing.push(await call(n));
  if (standing.length > up) await standing.shift()?.();
}

const rounds = 20;
for (let n = 0; n < 32 * rate; n += 1) await turnOver(n);
const spent: number[] = [];
for (let round = 0; round < rounds; round += 1) {
  driver = 0n;
  const before = process.cpuUsage();
  for (let n = 0; n < calls / rounds; n += 1) await turnOver(1_000_000 * (round + 1) + n);
  const { user, system } = process.cpuUsage(before);
  spent.push((user + system - Number(driver) / 1000) / (calls / rounds));
}
spent.sort((a, b) => a - b);
const rounded = (value: number): number => Math.round(value * 10) / 10;
const collect = (globalThis as { gc?: () => void }).gc;
collect?.();
console.log(
  JSON.stringify({
    microsecondsPerCall: rounded(spent[rounds / 2]!),
    tenth: rounded(spent[rounds / 10]!),
    heapMegabytes: rounded(process.memoryUsage().heapUsed / 1e6),
    buffersMegabytes: rounded(process.memoryUsage().arrayBuffers / 1e6),
    residentMegabytes: rounded(process.memoryUsage().rss / 1e6),
    left: edge.calls.size - standing.length,
  }),
);
const memory = (): number => {
  collect?.();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
};
if (held > 0) {
  for (let i = 0; i < 400; i += 1) pass(100);
  await turn();
  const before = memory();
  for (let n = 0; n < held; n += 1) await call(90_000_000 + n);
  const fresh = memory();
  for (let i = 0; i < 400; i += 1) pass(100);
  const settled = memory();
  console.log(
    JSON.stringify({
      held: edge.calls.size,
      bytesPerCallFresh: Math.round((fresh - before) / held),
      bytesPerCallSettled: Math.round((settled - before) / held),
    }),
  );
}
edge.stop();
process.exit(0);
