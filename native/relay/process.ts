/**
 * The media process: holds the sockets and keys of all calls, and nothing else. Started by `client.ts` with one end of
 * a socket as descriptor 3; has no credentials, no environment, no root.
 *
 * When the edge dies it goes on, and the next edge comes in through the door, descriptor 4: a UNIX socket whose file
 * the edge's user alone may open. One edge at a time: as long as one is here, others wait.
 */
import { randomBytes } from 'node:crypto';
import { flushCompileCache } from 'node:module';
import { Socket } from 'node:net';
import { setPriority } from 'node:os';
import { counters, rowLength } from './counters.ts';
import { iceParticipants } from './ice.ts';
import { native } from './native.ts';
import type { ProcessOptions } from './options.ts';
import { dropPrivileges } from './privileges.ts';
import { writeEvent } from './protocol/events.ts';
import { FrameReader, FrameWriter, frameTypes, longestFrame } from './protocol/frames.ts';
import { readSource, writeGreeting, writeList } from './protocol/replies.ts';
import { Uplink } from './uplink.ts';
import { Watch } from './watch.ts';
import { zrtpParticipants } from './zrtp.ts';

const controlDescriptor = 3;
const doorDescriptor = 4;
/** How often the door is looked at while there is no edge. */
const doorMs = 10;
const options = JSON.parse(process.argv[2] ?? '{}') as ProcessOptions;

const relay = native();
flushCompileCache();
relay.limitDescriptors(options.descriptors);
for (const name of Object.keys(process.env)) delete process.env[name];
process.chdir('/');
try {
  // Voice does not wait for anybody's batch job. Needs root or CAP_SYS_NICE; without, we are as everyone else.
  setPriority(options.nice);
} catch {}
dropPrivileges(options.user);
if (relay.harden() !== 1) throw new Error('the media process could not be hardened');
// Ctrl-C reaches the whole process group: when to end is said by the control socket alone.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {});

const { retransmitMs, giveUpMs, certificateMs, mostHandshakes } = options.dtls;
relay.limitDtls(retransmitMs, giveUpMs, certificateMs, mostHandshakes);
relay.start(options.from, options.to, options.threads, options.gatherMicroseconds, options.gatherAbove);

let control: Socket | undefined;
const frames = new FrameWriter();
/** How handshakes stand is told at once, not at the next look. */
const surroundings = { now: () => performance.now(), random: randomBytes };
const zid = Uint8Array.from(Buffer.from(options.zid, 'hex'));
const participants = {
  ice: iceParticipants(surroundings),
  zrtp: zrtpParticipants({ ...surroundings, zid }),
};
const uplink = new Uplink(relay, participants, (event) => {
  if (control === undefined) return;
  writeEvent(frames, event);
  flushSoon();
});
const answer = Buffer.alloc(longestFrame);

function handle(type: number, request: number, body: Uint8Array): void {
  if (type === frameTypes.end) return end();
  if (type === frameTypes.list && body.length === 4) {
    const first = new DataView(body.buffer, body.byteOffset, 4).getUint32(0);
    return writeList(frames, request, first, relay.tick(), idAt);
  }
  if (type === frameTypes.retell) return uplink.tellAgain();
  if (type === frameTypes.trickle) return uplink.trickle(body);
  if (type === frameTypes.confirmSas) return uplink.confirmSas(body);
  if (type === frameTypes.relaySas) return uplink.relaySas(body);
  let length = -1;
  if (
    (type >= frameTypes.open && type <= frameTypes.stats) ||
    type === frameTypes.press ||
    (type >= frameTypes.clip && type <= frameTypes.untap)
  )
    length = relay.request(type, body, answer);
  if (length < 0) {
    frames.begin(frameTypes.refused, request);
    frames.end();
    return;
  }
  uplink.drain();
  if (request === 0) return;
  frames.begin(frameTypes.reply, request);
  frames.bytes(answer.subarray(0, length));
  if (type === frameTypes.open) uplink.writeHellos(frames);
  frames.end();
  answer.fill(0, 0, length);
}

function end(): never {
  relay.stop();
  process.exit(0);
}

let waiting: NodeJS.Timeout | undefined;
let grace: NodeJS.Timeout | undefined;

function serve(descriptor: number): void {
  const reader = new FrameReader();
  const socket = new Socket({
    fd: descriptor,
    readable: true,
    writable: true,
    onread: {
      buffer: reader.buffer,
      callback: (length) => {
        if (!reader.feed(length, handle)) socket.destroy();
        flush();
        return true;
      },
    },
  });
  control = socket;
  socket.on('error', () => {});
  socket.on('close', detached);
  writeGreeting(frames, { instance: options.instance, pid: process.pid });
  flush();
}

let flushing = false;

/** All that happens in one turn leaves in one write. */
function flushSoon(): void {
  if (flushing) return;
  flushing = true;
  setImmediate(() => {
    flushing = false;
    flush();
  });
}

function flush(): void {
  if (frames.length === 0) return;
  const bytes = frames.take();
  if (control === undefined) bytes.fill(0);
  else control.write(bytes, () => bytes.fill(0));
}

/** The edge is gone. Media flows on for the grace period, unless there is none or somebody takes it over. */
function detached(): void {
  control = undefined;
  flush();
  if (!inUse()) end();
  grace = setTimeout(end, options.graceMs);
  if (options.owner < 0) return;
  waiting = setInterval(() => {
    const peer = relay.acceptAt(doorDescriptor, options.owner);
    if (peer < 0) return;
    clearInterval(waiting);
    clearTimeout(grace);
    serve(peer);
  }, doorMs);
}

const table = new Float64Array(relay.rows());
const idAt = (row: number): number => table[row * rowLength + counters.id] ?? 0;

/** Some endpoint talks with another. */
function inUse(): boolean {
  for (let row = relay.tick() - 1; row >= 0; row--)
    if (table[row * rowLength + counters.peer] !== 0) return true;
  return false;
}

const watch = new Watch(table, options.oneWayAfterMs);
const sourceBytes = new Uint8Array(19);

function sourceOf(id: number): { address: string; port: number } | undefined {
  const length = relay.source(id, sourceBytes);
  return length > 0 ? readSource(sourceBytes.subarray(0, length)) : undefined;
}

setInterval(() => {
  const rows = relay.tick();
  if (control === undefined) return;
  const events = watch.look(rows, Number(process.hrtime.bigint() / 1000n) / 1000, sourceOf);
  for (const event of events) writeEvent(frames, event);
  flush();
}, options.pollMs);

serve(controlDescriptor);
setTimeout(() => relay.trim(), 1000).unref();
