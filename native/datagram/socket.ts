import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { getSystemErrorName } from 'node:util';
import { MisuseError } from '@ringfence/bytes/misuse.ts';

type Handle = { readonly __datagram: unique symbol };

/** The functions of `addon/datagram.cc`. Wrong arguments throw a TypeError; hostile datagrams never do. */
interface Native {
  /** A negative errno where the system refuses. */
  open(
    address: Uint8Array,
    bufferBytes: number,
    slab: Uint8Array,
    rows: Uint8Array,
    received: (count: number) => void,
    failed: (errno: number) => void,
  ): Handle | number;
  /** The socket of a program whose place this one has taken; a negative errno where it is none. */
  adopt(
    descriptor: number,
    slab: Uint8Array,
    rows: Uint8Array,
    received: (count: number) => void,
    failed: (errno: number) => void,
  ): Handle | number;
  /** It reads no more and outlives `execve`; its descriptor. */
  handOver(handle: Handle): number;
  start(handle: Handle): void;
  /** 0, or an errno. */
  send(handle: Handle, bytes: Uint8Array, address: Uint8Array): number;
  limit(handle: Handle, sipPerSecond: number, junkPerSecond: number): void;
  refused(handle: Handle): number;
  sieving(handle: Handle): boolean;
  know(address: Uint8Array, seconds: number): void;
  /** Share of the receive queue that is full, 0 to 1. */
  backlog(handle: Handle): number;
  close(handle: Handle): void;
  bound(handle: Handle): number;
  largePages(bytes: Uint8Array): boolean;
  pack(text: string, port: number, out: Uint8Array): boolean;
  name(handle: Handle, index: number): string;
}

const slot = 65_536;
const batch = 16;
const rowWords = 4;
const packedBytes = 28;
/** In place of a length: the datagram was dropped before it came here. */
const dropped = 0xffffffff;

const invalidArgument = 22;

let loaded: Native | undefined;

/** `RINGFENCE_DATAGRAM_ADDON` names another build, for tests under a sanitizer. */
function native(): Native {
  if (loaded !== undefined) return loaded;
  try {
    const file = process.env.RINGFENCE_DATAGRAM_ADDON ?? './build/datagram.node';
    loaded = createRequire(import.meta.url)(file) as Native;
    return loaded;
  } catch (error) {
    throw new MisuseError('datagram-not-built', problem() ?? `cannot load the UDP door: ${String(error)}`);
  }
}

function problem(): string | undefined {
  try {
    return readFileSync(new URL('./build/problem.txt', import.meta.url), 'utf8');
  } catch {
    return undefined;
  }
}

/** An address and port as the system takes them. */
export type PackedAddress = Uint8Array & { readonly __packed: unique symbol };

/** Undefined where `address` is not a numeric IPv4 or IPv6 address (with its zone, where it has one). */
export function packAddress(address: string, port: number): PackedAddress | undefined {
  const out = new Uint8Array(packedBytes);
  return native().pack(address, port, out) ? (out as PackedAddress) : undefined;
}

/**
 * All sockets of this process let that source (an IPv4 address, an IPv6 /64) pass for so many seconds, whatever `limit`
 * says; 0: no longer. At most 500,000 sources. Nothing for what is no address.
 */
export function know(address: string, seconds: number): void {
  const packed = packAddress(address, 0);
  if (packed !== undefined) native().know(packed, seconds);
}

/**
 * Has tables in which each look is at another place lie in pages of 2 MB, where the system has such (transparent huge
 * pages): finding the page then costs less than reading it. What was hardly written to takes all of its memory
 * afterwards: for tables that are filling up.
 */
export function preferLargePages(memory: ArrayBuffer): void {
  if (problem() === undefined) native().largePages(new Uint8Array(memory));
}

export interface DatagramEvents {
  /** `bytes` is only valid until this returns: copy what has to stay. */
  received(bytes: Uint8Array, address: string, port: number): void;
  failed(error: NodeJS.ErrnoException): void;
}

const systemError = (call: string, errno: number): NodeJS.ErrnoException => {
  const code = getSystemErrorName(-errno);
  return Object.assign(new Error(`${call} ${code}`), { code, errno: -errno, syscall: call });
};

/** Most IPv4 addresses whose text is remembered. */
const mostNames = 4096;

/**
 * A bound UDP socket that reads up to 16 datagrams with one system call, and writes each with one.
 *
 * Reading starts with `start`. What the system cannot take at once is not sent: datagrams may be lost. IPv6 sockets
 * take no IPv4. Constructing throws the system's error, e.g. `EADDRINUSE`; MisuseError `datagram-not-built` where
 * the install could not compile it.
 */
export class DatagramSocket {
  /** As the system writes it. */
  readonly address: string;
  readonly port: number;
  readonly #handle: Handle;
  readonly #slab = Buffer.allocUnsafeSlow(slot * batch);
  readonly #words = new Uint32Array(batch * rowWords);
  readonly #events: DatagramEvents;
  readonly #names = new Map<number, string>();
  #open = true;

  /** `inherited`: the descriptor of a bound socket from `handOver`, of the program whose place this one has taken. */
  constructor(
    address: string,
    port: number,
    bufferBytes: number,
    events: DatagramEvents,
    inherited?: number,
  ) {
    this.#events = events;
    const packed = packAddress(address, port);
    if (packed === undefined) throw systemError('bind', invalidArgument);
    const rows = new Uint8Array(this.#words.buffer);
    const received = (count: number): void => this.#received(count);
    const failed = (errno: number): void => events.failed(systemError('recvmmsg', errno));
    const handle =
      inherited === undefined
        ? native().open(packed, bufferBytes, this.#slab, rows, received, failed)
        : native().adopt(inherited, this.#slab, rows, received, failed);
    if (typeof handle === 'number') throw systemError('bind', -handle);
    this.#handle = handle;
    this.address = native().name(handle, batch);
    this.port = native().bound(handle);
  }

  start(): void {
    native().start(this.#handle);
  }

  /** Reads no more; gives the descriptor, which is open in the program that takes this one's place (`execve`). */
  handOver(): number {
    return native().handOver(this.#handle);
  }

  /** False where the system refused it, or the socket is closed. */
  send(bytes: Uint8Array, to: PackedAddress): boolean {
    return this.#open && (loaded as Native).send(this.#handle, bytes, to) === 0;
  }

  /**
   * From now on drops what sources that are not known (`know`; loopback always is) send beyond these rates, before it
   * costs any JavaScript: what begins as SIP does, and everything else. 0: no bound, as at first. Where far more comes
   * than that, the kernel drops most of it before it is queued, drawn by lot (`sieving`).
   */
  limit(sipPerSecond: number, junkPerSecond: number): void {
    if (this.#open) native().limit(this.#handle, sipPerSecond, junkPerSecond);
  }

  /** Whether the kernel drops what there is too much of now: strangers' datagrams, and those that the queue has no room for. */
  sieving(): boolean {
    return this.#open && native().sieving(this.#handle);
  }

  /** How many datagrams were dropped so since this was asked last. */
  refused(): number {
    return this.#open ? native().refused(this.#handle) : 0;
  }

  /** How full the receive queue is, 0 to 1; what comes when it is full is lost. */
  backlog(): number {
    return this.#open ? native().backlog(this.#handle) : 0;
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    native().close(this.#handle);
  }

  #received(count: number): void {
    const words = this.#words;
    for (let i = 0; i < count && this.#open; i++) {
      const row = i * rowWords;
      const length = words[row]!;
      if (length === dropped) continue;
      const address = words[row + 1] === 4 ? this.#name(words[row + 3]!) : native().name(this.#handle, i);
      this.#events.received(this.#slab.subarray(i * slot, i * slot + length), address, words[row + 2]!);
    }
  }

  #name(address: number): string {
    const known = this.#names.get(address);
    if (known !== undefined) return known;
    if (this.#names.size >= mostNames) this.#names.clear();
    const text = `${address >>> 24}.${(address >>> 16) & 255}.${(address >>> 8) & 255}.${address & 255}`;
    this.#names.set(address, text);
    return text;
  }
}
