/**
 * The media process: holds the sockets and keys of all calls, and nothing else. Started by `client.ts` with one end of
 * a socket as descriptor 3; has no credentials, no environment, no root.
 */
import { flushCompileCache } from 'node:module';
import { Socket } from 'node:net';
import { setPriority } from 'node:os';
import { native } from './native.ts';
import type { ProcessOptions } from './options.ts';
import { dropPrivileges } from './privileges.ts';
import { FrameReader, FrameWriter, frameTypes, longestFrame, readSource, writeEvent } from './protocol.ts';
import { Watch } from './watch.ts';

const controlDescriptor = 3;
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

relay.start(options.from, options.to, options.threads, options.gatherMicroseconds, options.gatherAbove);

const frames = new FrameWriter();
const answer = Buffer.alloc(longestFrame);

function handle(type: number, request: number, body: Uint8Array): void {
  let length = -1;
  if (type >= frameTypes.open && type <= frameTypes.stats) length = relay.request(type, body, answer);
  if (length < 0) {
    frames.begin(frameTypes.refused, request);
    frames.end();
    return;
  }
  if (request === 0) return;
  frames.begin(frameTypes.reply, request);
  frames.bytes(answer.subarray(0, length));
  frames.end();
  answer.fill(0, 0, length);
}

const reader = new FrameReader();

function serve(descriptor: number): Socket {
  const socket = new Socket({
    fd: descriptor,
    readable: true,
    writable: true,
    onread: {
      buffer: reader.buffer,
      callback: (length) => {
        if (!reader.feed(length, handle)) socket.destroy();
        flush(socket);
        return true;
      },
    },
  });
  socket.on('error', () => {});
  socket.on('close', detached);
  return socket;
}

function flush(socket: Socket): void {
  if (frames.length === 0) return;
  const bytes = frames.take();
  socket.write(bytes, () => bytes.fill(0));
}

/** The edge is gone. Media flows on for the grace period, then there is nobody left to end it. */
function detached(): void {
  clearInterval(poll);
  setTimeout(() => {
    relay.stop();
    process.exit(0);
  }, options.graceMs);
}

const control = serve(controlDescriptor);
const watch = new Watch(new Float64Array(relay.rows()), options.oneWayAfterMs);
const sourceBytes = new Uint8Array(19);

function sourceOf(id: number): { address: string; port: number } | undefined {
  const length = relay.source(id, sourceBytes);
  return length > 0 ? readSource(sourceBytes.subarray(0, length)) : undefined;
}

const poll = setInterval(() => {
  const events = watch.look(relay.tick(), Number(process.hrtime.bigint() / 1000n) / 1000, sourceOf);
  for (const event of events) writeEvent(frames, event);
  flush(control);
}, options.pollMs);

// Ready: a reply to request 0, which nobody asks.
frames.begin(frameTypes.reply, 0);
frames.end();
flush(control);
setTimeout(() => relay.trim(), 1000).unref();
