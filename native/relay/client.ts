import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { closeSync } from 'node:fs';
import { connect, Socket } from 'node:net';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { MisuseError } from '@ringfence/bytes/misuse.ts';
import { ControlConnection, type OwnChild, type RunningRelay } from './control.ts';
import { native } from './native.ts';
import type { DtlsLimits, ProcessOptions } from './options.ts';

export interface RelayOptions {
  /** Account to run as where the edge was started by root. Default `nobody`. */
  readonly user?: string;
  /** Relaying threads. Default: one per core. */
  readonly threads?: number;
  /**
   * Most open descriptors: an endpoint takes one or two, and one more once media flows. Default 65536, or what the
   * limits allow where that is less; further endpoints then get `no-descriptors`.
   */
  readonly descriptors?: number;
  /** Local ports, both included. Default 20000 to 39999. */
  readonly portRange?: { readonly from: number; readonly to: number };
  /** Scheduling priority, -20 (first) to 19; taken where the edge was started by root. Default -10. */
  readonly nice?: number;
  /** How long media flows on when the edge is gone. Default 0: not at all. */
  readonly graceMs?: number;
  /** Path of the UNIX socket at which the next edge takes over, at most 107 octets. Default: there is none. */
  readonly door?: string;
  /** How often counters are looked at for events. Default 1000. */
  readonly pollMs?: number;
  /** Silence of one side while the other talks, until `one-way`. Default 5000. */
  readonly oneWayAfterMs?: number;
  /** How often at most a busy thread looks at its sockets; adds up to so much delay. Default 250, 0 for none. */
  readonly gatherMicroseconds?: number;
  /** Packets a second and thread from which on it does. Default 6000. */
  readonly gatherAbove?: number;
  /** Default: 250 ms, 30 s, a week, 1,024. */
  readonly dtls?: Partial<DtlsLimits>;
  /** 12 octets: by this phones know us again in ZRTP (RFC 6189 §4.9). Default: random, so that none ever does. */
  readonly zid?: Uint8Array;
}

/** Little heap is needed: no packet ever gets into it. */
const nodeFlags = ['--max-semi-space-size=1', '--max-old-space-size=64', '--v8-pool-size=1'];
const longestComplaint = 2000;

const dtlsDefaults: DtlsLimits = {
  retransmitMs: 250,
  giveUpMs: 30_000,
  certificateMs: 7 * 86_400_000,
  mostHandshakes: 1024,
};

/**
 * Starts the media process and connects to it.
 *
 * Throws MisuseError `relay-not-built` (with what to install), `relay-failed` (with what the process said),
 * `bad-port-range`, or `bad-zid`.
 */
export async function startRelay(options: RelayOptions = {}): Promise<RunningRelay> {
  const { from, to } = options.portRange ?? { from: 20000, to: 39999 };
  if (!(from >= 1 && from < to && to <= 65535)) {
    throw new MisuseError('bad-port-range', `media ports ${from} to ${to} are no range within 1 to 65535`);
  }
  if (options.zid !== undefined && options.zid.length !== 12)
    throw new MisuseError('bad-zid', 'a ZID has 12 octets');
  const door = options.door === undefined ? undefined : openDoor(options.door);
  const settings: ProcessOptions = {
    from,
    to,
    threads: options.threads ?? availableParallelism(),
    descriptors: options.descriptors ?? 65_536,
    user: options.user ?? 'nobody',
    nice: options.nice ?? -10,
    graceMs: options.graceMs ?? 0,
    owner: door === undefined ? -1 : (process.getuid?.() ?? -1),
    instance: randomBytes(12).toString('base64url'),
    pollMs: options.pollMs ?? 1000,
    oneWayAfterMs: options.oneWayAfterMs ?? 5000,
    gatherMicroseconds: options.gatherMicroseconds ?? 250,
    gatherAbove: options.gatherAbove ?? 6000,
    dtls: { ...dtlsDefaults, ...options.dtls },
    zid: Buffer.from(options.zid ?? randomBytes(12)).toString('hex'),
  };
  const ends = new Uint8Array(8);
  if (native().controlPair(ends) !== 8)
    throw new MisuseError('relay-failed', 'no descriptors for the control socket');
  const view = new DataView(ends.buffer);
  const [ours, theirs] = [view.getUint32(0), view.getUint32(4)];
  const child = spawn(
    process.execPath,
    [...nodeFlags, fileURLToPath(new URL('./process.ts', import.meta.url)), JSON.stringify(settings)],
    {
      stdio: ['ignore', 'ignore', 'pipe', theirs, ...(door === undefined ? [] : [door])],
      // The stripped sources are kept, so that later starts need no type stripper in memory.
      env: { NODE_COMPILE_CACHE: fileURLToPath(new URL('./build/cache', import.meta.url)) },
    },
  );
  closeSync(theirs);
  if (door !== undefined) closeSync(door);
  return await new ControlConnection(
    ofChild(child),
    (onread) => new Socket({ fd: ours, readable: true, writable: true, onread }),
    door !== undefined,
  ).ready;
}

function openDoor(path: string): number | undefined {
  const out = new Uint8Array(4);
  const written = native().openDoor(Buffer.from(path), out);
  return written === 4 ? new DataView(out.buffer).getUint32(0) : undefined;
}

/**
 * Takes over the media process that an edge which is gone has left at that door; undefined where there is none.
 *
 * Rejects with MisuseError `relay-taken` where another edge still has it.
 */
export async function adoptRelay(door: string, patienceMs = 2000): Promise<RunningRelay | undefined> {
  let connection: ControlConnection | undefined;
  const reached = await new Promise<boolean>((resolve) => {
    connection = new ControlConnection(undefined, (onread) => {
      const socket = connect({ path: door, onread });
      socket.once('connect', () => resolve(true));
      socket.once('error', () => resolve(false));
      return socket;
    });
    // Said below, where it means something.
    connection.ready.catch(() => undefined);
  });
  if (!reached || connection === undefined) return undefined;
  const timer = setTimeout(() => connection?.giveUp(), patienceMs);
  try {
    return await connection.ready;
  } catch {
    throw new MisuseError(
      'relay-taken',
      'the media process of this data folder answers to another Ringfence that is running',
    );
  } finally {
    clearTimeout(timer);
  }
}

function ofChild(child: ChildProcess): OwnChild {
  let complaint = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    complaint = (complaint + text).slice(-longestComplaint);
  });
  return {
    pid: child.pid ?? 0,
    kill: () => child.kill('SIGKILL'),
    gone: new Promise((resolve) => {
      child.once('error', (error) => resolve(error.message));
      child.once('close', (code, signal) =>
        resolve(complaint.trim() || (signal ? `ended by ${signal}` : `ended with code ${code}`)),
      );
    }),
  };
}
