/** An edge with users, trunks and phones, for one test file; everything is taken down in the end. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isEncrypted, type Transport } from '@ringfence/sip/transport/flow.ts';
import { Agent, type AgentOptions, type CallOptions, type Incoming, type Leg } from './agent.ts';
import { ringfenceDoes } from './command.ts';
import { EdgeProcess } from './edge-process.ts';
import { type ConfigurationText, freePort, Home, usualListeners } from './place.ts';
import { type Protection, Voice } from './voice.ts';
import { until } from './waiting.ts';

export const password = 'correct-Horse-7-battery';

export interface UserLine {
  readonly name: string;
  readonly domain?: string;
  readonly encryption?: 'required' | 'preferred' | 'none';
  readonly number?: string;
  readonly email?: string;
  readonly allowMd5?: boolean;
  readonly keying?: 'sdes' | 'dtls' | 'any';
  readonly ice?: 'off' | 'answer' | 'lite' | 'full';
}

/** Objects as `ringfence apply` reads them; JSON is YAML. */
export interface ObjectLines {
  readonly users?: readonly UserLine[];
  readonly trunks?: readonly Record<string, unknown>[];
  readonly routes?: readonly Record<string, unknown>[];
  readonly pbx?: readonly Record<string, unknown>[];
  readonly domains?: readonly Record<string, unknown>[];
}

export const objectsText = ({
  users = [],
  trunks = [],
  routes = [],
  pbx = [],
  domains,
}: ObjectLines): string =>
  JSON.stringify({
    users: users.map(({ name, domain, encryption = 'preferred', number, email, allowMd5, keying, ice }) => ({
      name,
      ...(domain === undefined ? {} : { domain }),
      ...(number === undefined ? {} : { number }),
      ...(email === undefined ? {} : { email }),
      devices: [
        {
          name,
          password,
          encryption,
          ...(allowMd5 === undefined ? {} : { allowMd5 }),
          ...(keying === undefined ? {} : { keying }),
          ...(ice === undefined ? {} : { ice }),
        },
      ],
    })),
    trunks,
    routes,
    pbx,
    ...(domains === undefined ? {} : { domains }),
  });

export type PhonePlace = Partial<
  Pick<AgentOptions, 'from' | 'authority' | 'certificate' | 'key' | 'password' | 'domain' | 'instance'>
> & {
  readonly listener?: string;
};

/** A call that is up, both sides of it. */
export interface Pair {
  readonly caller: Leg;
  readonly callee: Leg;
  readonly callerVoice: Voice;
  readonly calleeVoice: Voice;
  /** The INVITE as the called side got it. */
  readonly incoming: Incoming;
  readonly answerText: string;
}

export class Bed {
  readonly home: Home;
  edge: EdgeProcess;
  readonly #closing: (() => void)[] = [];
  readonly #calls: Pair[] = [];
  readonly #registered = new Map<string, { readonly agent: Agent; readonly edge: EdgeProcess }>();

  private constructor(home: Home, edge: EdgeProcess) {
    this.home = home;
    this.edge = edge;
  }

  /** Objects are applied before the start. */
  static async open(
    objects: ObjectLines,
    configuration: ConfigurationText = {},
    /** Puts more into its data folder. */
    prepare: (home: Home) => void = () => undefined,
  ): Promise<Bed> {
    const home = new Home(configuration);
    try {
      prepare(home);
      await apply(home, objects);
      return new Bed(home, await EdgeProcess.start(home.path));
    } catch (error) {
      home.remove();
      throw error;
    }
  }

  /** Changes objects of the running edge and waits until it has taken them. */
  async apply(objects: ObjectLines, ...more: string[]): Promise<void> {
    const from = this.edge.events.length;
    await apply(this.home, objects, ...more);
    await this.edge.event('config.reloaded', ({ what }) => what === 'objects', from);
  }

  /** An edge that can be started again on the same ports; where somebody else was quicker, others are taken. */
  static async openToRestart(objects: ObjectLines, configuration: ConfigurationText = {}): Promise<Bed> {
    for (let tries = 1; ; tries += 1) {
      const listeners = await Promise.all(
        (configuration.listeners ?? usualListeners).map(async (line) => ({
          ...line,
          port: await freePort(line.transport),
        })),
      );
      try {
        return await Bed.open(objects, { ...configuration, listeners });
      } catch (error) {
        if (tries === 5 || !String(error).includes(' is taken by ')) throw error;
      }
    }
  }

  /** Starts an edge in the same data folder after the last one has gone. */
  async restart(): Promise<EdgeProcess> {
    this.edge = await EdgeProcess.start(this.home.path);
    return this.edge;
  }

  get authority(): string {
    return readFileSync(join(this.home.path, 'tls', 'ca.crt'), 'utf8');
  }

  async phone(name: string, transport: Transport = 'udp', place: PhonePlace = {}): Promise<Agent> {
    const { listener = transport, ...rest } = place;
    const agent = await Agent.open({
      name,
      password,
      transport,
      to: this.edge.at(listener),
      ...(isEncrypted(transport) ? { authority: this.authority } : {}),
      ...rest,
    });
    this.#closing.push(() => agent.close());
    return agent;
  }

  /** A phone that is registered; the last one of that name goes away first, so that one phone rings. */
  async registered(name: string, transport: Transport = 'udp', place: PhonePlace = {}): Promise<Agent> {
    const last = this.#registered.get(name);
    if (last !== undefined && last.edge === this.edge && !last.agent.closed && !last.agent.wire.closed)
      await last.agent.register(0);
    last?.agent.close();
    const agent = await this.phone(name, transport, place);
    const { status } = await agent.register();
    if (status !== 200) throw new Error(`${name} cannot register: ${status}`);
    this.#registered.set(name, { agent, edge: this.edge });
    return agent;
  }

  async voice(protection: Protection = 'RTP', address = '127.0.0.1'): Promise<Voice> {
    const voice = await Voice.open(protection, address);
    this.#closing.push(() => voice.close());
    return voice;
  }

  /** A call between two phones, answered. */
  async connect(
    caller: Agent,
    callee: Agent,
    dialled: string,
    protection: {
      readonly from?: Protection;
      readonly to?: Protection;
      readonly place?: string;
      readonly toPlace?: string;
    } = {},
    options: CallOptions = {},
  ): Promise<Pair> {
    const callerVoice = await this.voice(protection.from ?? 'RTP', protection.place);
    const calleeVoice = await this.voice(protection.to ?? 'RTP', protection.toPlace);
    let callee_: { incoming: Incoming; leg: Leg } | undefined;
    let problem = 'nobody was rung';
    callee.onInvite = (incoming) => {
      const wrong = calleeVoice.take(incoming.sdp);
      if (wrong !== undefined) {
        problem = `the called side was offered ${wrong}`;
        incoming.respond(488, 'Not Acceptable Here');
        return;
      }
      incoming.ring();
      callee_ = { incoming, leg: incoming.accept(calleeVoice.describe()) };
    };
    const { answer, leg } = await caller.call(dialled, callerVoice.describe(), options);
    if (leg === undefined) throw new Error(`the call was refused: ${answer.text} (${problem})`);
    const wrong = callerVoice.take(leg.remoteSdp);
    if (wrong !== undefined) throw new Error(`the caller was answered ${wrong}: ${leg.remoteSdp}`);
    const other = await until('the called side', () => callee_);
    const pair: Pair = {
      caller: leg,
      callee: other.leg,
      callerVoice,
      calleeVoice,
      incoming: other.incoming,
      answerText: answer.text,
    };
    this.#calls.push(pair);
    return pair;
  }

  /** Ends whatever calls are still up. */
  async hangUpAll(): Promise<void> {
    for (const { caller } of this.#calls.splice(0))
      if (!caller.ended && !caller.agent.closed) await caller.hangUp().catch(() => undefined);
  }

  /** Call records, newest first. */
  async records(limit = 200): Promise<CallLine[]> {
    const out = await ringfenceDoes(this.home.path, ['cdr', 'list', '--json', '--limit', String(limit)]);
    return out
      .split('\n')
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line) as CallLine);
  }

  async close(): Promise<void> {
    try {
      for (const close of this.#closing.splice(0)) close();
    } finally {
      await this.edge.stop();
      this.home.remove();
    }
  }
}

export interface CallLine {
  readonly id: string;
  readonly disposition: string;
  readonly status: number;
  readonly cause: string;
  readonly caller: string;
  readonly callee: string;
  readonly route: string;
  readonly principal: string;
  readonly endedAt?: number;
  readonly legs: readonly {
    readonly callId: string;
    readonly protection: unknown;
    readonly quality: unknown;
  }[];
}

async function apply(home: Home, objects: ObjectLines, ...more: string[]): Promise<void> {
  await ringfenceDoes(home.path, ['apply', '-f', '-', ...more], objectsText(objects));
}
