/** One flow on the stage: its sipp processes, their media, and what must come of them. */
import { readFileSync } from 'node:fs';
import { sippErrors, startSipp } from '../peers/sipp.ts';
import { scenario } from '../scenarios/steps.ts';
import { type CaseContext, expect } from './case.ts';
import { PeerFailed, type Program, until } from './process.ts';
import { compare, RtpEnd } from './rtp.ts';

export type Place = { readonly address: string; readonly port: number };

const PACKETS = 50;
/** Longer than the media of a flow takes on a busy machine. */
const TALK_MS = 3_000;

export type PartyOptions = {
  readonly at: Place;
  readonly steps?: readonly string[];
  /** In place of steps: a scenario that sipp brings along. */
  readonly builtIn?: string;
  /** A whole scenario, in place of steps. */
  readonly text?: string;
  /** Stopped when the flow is over, whatever it has or has not seen. */
  readonly endless?: boolean;
  /** A called party has no target: it waits. */
  readonly called?: boolean;
  readonly calls?: number;
  readonly keys?: Readonly<Record<string, string>>;
  /** URI of its digests. Default: the edge's address. */
  readonly digestUri?: string;
  readonly callId?: string;
  readonly talkMs?: number;
  readonly target?: Place;
  readonly extra?: readonly string[];
  readonly transport?: 'udp' | 'tcp';
};

export class Scene {
  readonly domain: string;
  readonly edge: Place;
  readonly edgeLog: () => string;
  readonly context: CaseContext;
  readonly #ends = new Map<string, RtpEnd>();
  readonly #parties = new Map<string, Program>();

  constructor(context: CaseContext, domain: string, edge: Place, edgeLog: () => string) {
    this.context = context;
    this.domain = domain;
    this.edge = edge;
    this.edgeLog = edgeLog;
  }

  /** Starts a sipp, with an RTP end at its address. */
  async party(name: string, options: PartyOptions): Promise<void> {
    const { workspace, closes } = this.context;
    const { at, called = false, calls = 1 } = options;
    const end = await this.media(name, at);
    const { builtIn, endless = false } = options;
    const file =
      builtIn ?? workspace.write(`${name}.xml`, options.text ?? scenario(name, options.steps ?? []));
    const program = closes(
      await startSipp({
        workspace,
        name,
        ...(builtIn === undefined ? { scenario: file } : { builtIn }),
        ...at,
        ...(called ? {} : { target: options.target ?? this.edge }),
        transport: options.transport ?? 'udp',
        keys: { dialled: '+12025550123', mport: String(end.port), domain: this.domain, ...options.keys },
        ...(endless ? {} : { calls }),
        holdMs: options.talkMs ?? TALK_MS,
        extra: [
          '-trace_msg',
          '-message_file',
          workspace.path(`${name}.messages`),
          '-trace_logs',
          '-log_file',
          workspace.path(`${name}.log`),
          ...(endless ? [] : ['-timeout', '25', '-timeout_error']),
          ...(options.digestUri === undefined ? [] : ['-auth_uri', options.digestUri]),
          ...(options.callId === undefined ? [] : ['-cid_str', options.callId]),
          ...(options.extra ?? []),
        ],
      }),
    );
    if (!endless) this.#parties.set(name, program);
  }

  /** The RTP end at a place, known by the party's name too. */
  async media(name: string, { address }: Place): Promise<RtpEnd> {
    const end = this.#ends.get(address) ?? this.context.closes(await RtpEnd.open(address));
    this.#ends.set(address, end);
    this.#ends.set(name, end);
    return end;
  }

  /** Every message that the party has sent and received. */
  messages(name: string): string {
    return this.#read(`${name}.messages`);
  }

  received(name: string): string[] {
    return this.messages(name)
      .split(/-{20,}/)
      .filter((part) => /message received/.test(part));
  }

  /** Waits until the party's scenario has said this. */
  async said(name: string, what: string): Promise<void> {
    await until(`\`${what}\` of ${name}`, 15_000, () => {
      const program = this.#parties.get(name)!;
      if (this.#read(`${name}.log`).includes(what)) return true;
      if (!program.running) throw new PeerFailed(`${name} ended early: ${this.complaint(name)}`);
      return null;
    });
  }

  async heard(name: string, pattern: RegExp): Promise<RegExpExecArray> {
    return until(`${pattern} at ${name}`, 10_000, () => pattern.exec(this.messages(name)));
  }

  /** Fifty packets each way between the two, every bit as it was. */
  async voice(one: string, other: string): Promise<string> {
    const ends = [one, other].map((name) => this.#ends.get(name)!) as [RtpEnd, RtpEnd];
    for (const end of ends) {
      end.sent.length = 0;
      end.received.length = 0;
    }
    const [left, right] = [one, other].map((name) => this.#mediaTarget(name)) as [Place, Place];
    await Promise.all([ends[0].send(left, PACKETS), ends[1].send(right, PACKETS)]);
    for (const [from, to, way] of [
      [ends[0], ends[1], `${one} to ${other}`],
      [ends[1], ends[0], `${other} to ${one}`],
    ] as const) {
      await until('the last packet', 400, () => (to.received.length >= PACKETS ? true : null)).catch(() => 0);
      const fault = compare(from.sent, to.received);
      expect(fault === null, `${way}: ${fault}`);
    }
    return `RTP bit-exact ${PACKETS}/${PACKETS} each way`;
  }

  /** How much reaches a party that nobody of ours sends to. */
  packets(name: string): number {
    return this.#ends.get(name)!.received.length;
  }

  end(name: string): RtpEnd {
    return this.#ends.get(name)!;
  }

  /** Where the party is told to send its media. */
  mediaOf(name: string): Place {
    return this.#mediaTarget(name);
  }

  /** All scenarios have come to their end as written. */
  async over(): Promise<void> {
    for (const [name, program] of this.#parties) await this.#ended(name, program);
    this.#parties.clear();
  }

  async ended(name: string): Promise<void> {
    await this.#ended(name, this.#parties.get(name)!);
    this.#parties.delete(name);
  }

  async #ended(name: string, program: Program): Promise<void> {
    const { code } = await program.waitForExit(30_000);
    expect(code === 0, `${name} ended with ${code}: ${this.complaint(name)}`);
  }

  /** What the party did not expect; empty where all went as written. */
  complaint(name: string): string {
    return sippErrors(this.context.workspace, name).slice(0, 900).replaceAll(/\s+/g, ' ');
  }

  #mediaTarget(name: string): Place {
    let place: Place | null = null;
    for (const part of this.received(name)) {
      const port = /^m=audio (\d+) /m.exec(part)?.[1];
      const address = /^c=IN IP4 (\S+)/m.exec(part)?.[1];
      if (port !== undefined && address !== undefined) place = { address, port: Number(port) };
    }
    if (place === null) throw new PeerFailed(`${name} was told of no place for media`);
    return place;
  }

  #read(file: string): string {
    try {
      return readFileSync(this.context.workspace.path(file), 'utf8');
    } catch {
      return '';
    }
  }
}
