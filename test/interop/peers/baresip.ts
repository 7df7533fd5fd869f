/** baresip as a phone without sound hardware: it plays a tone from a file and records what it hears. */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import type { Certificates } from '../harness/certificates.ts';
import { keysIn, type Phone } from '../harness/phone-call.ts';
import { freePort, freePorts } from '../harness/ports.ts';
import { PeerFailed, Program, until } from '../harness/process.ts';
import { type Recording, readWav, sineWav } from '../harness/tone.ts';
import { installedVersion } from '../harness/version.ts';
import type { Workspace } from '../harness/workspace.ts';

const ADDRESS = '127.0.0.1';
const TONE_SECONDS = 60;
const MODULES = [
  '/usr/lib/baresip/modules',
  '/usr/lib/x86_64-linux-gnu/baresip/modules',
  '/usr/lib/aarch64-linux-gnu/baresip/modules',
];

export type BaresipOptions = {
  readonly workspace: Workspace;
  readonly name: string;
  readonly certificates: Certificates;
  readonly transport: 'udp' | 'tcp' | 'tls';
  /** SDES SRTP or nothing less; DTLS-SRTP; or plain RTP. */
  readonly media: 'srtp' | 'dtls' | 'rtp';
  /** It offers ICE, and answers it. */
  readonly ice?: boolean;
  /** Where it has its media and its signalling. Default 127.0.0.1, for which baresip gathers no candidate. */
  readonly address?: string;
  /** Hertz of the tone that it plays. */
  readonly tone: number;
  /** It runs in another network, and is spoken to at that address of it. */
  readonly network?: PeerNetwork;
  /** Where it registers and sends its calls; without, it is reached directly. */
  readonly server?: Server;
  /** Where it sends its calls without registering: a proxy. */
  readonly proxy?: { readonly address: string; readonly port: number; readonly password?: string };
};

export type PeerNetwork = {
  /** What starts a program there, before its own command line. */
  readonly enter: readonly [string, ...string[]];
  readonly control: string;
};

export type Server = {
  readonly address: string;
  readonly port: number;
  readonly domain: string;
  readonly password: string;
};

export type Event = { readonly type: string; readonly param?: string };

export class Baresip implements Phone {
  readonly uri: string;
  readonly tone: number;
  readonly program: Program;
  readonly events: Event[] = [];
  #folder: string;
  #control: Socket;
  #pending = '';

  private constructor(uri: string, tone: number, program: Program, folder: string, control: Socket) {
    this.uri = uri;
    this.tone = tone;
    this.program = program;
    this.#folder = folder;
    this.#control = control;
    control.setEncoding('latin1');
    control.on('data', (text: string) => this.#take(text));
    control.on('error', () => undefined);
  }

  static async start(options: BaresipOptions): Promise<Baresip> {
    const { workspace, name, server, proxy, transport } = options;
    const folder = workspace.path(name);
    mkdirSync(folder, { recursive: true });
    const modules = MODULES.find((path) => existsSync(path));
    if (modules === undefined) throw new PeerFailed('baresip has no modules');
    // TLS listens on the port after the one for UDP and TCP.
    const sip = await freePorts(2);
    const rtp = await freePorts(10);
    const control = await freePort();
    const { certificates, address = ADDRESS, network } = options;
    const controlAt = network?.control ?? ADDRESS;
    const pem = readFileSync(certificates.key, 'utf8') + readFileSync(certificates.certificate, 'utf8');
    writeFileSync(join(folder, 'cert.pem'), pem);
    writeFileSync(join(folder, 'tone.wav'), sineWav(options.tone, TONE_SECONDS));
    writeFileSync(
      join(folder, 'config'),
      [
        `sip_listen ${address}:${sip}`,
        `sip_certificate ${join(folder, 'cert.pem')}`,
        `sip_cafile ${certificates.authority}`,
        `net_interface ${address}`,
        `rtp_ports ${rtp}-${rtp + 9}`,
        `audio_source aufile,${join(folder, 'tone.wav')}`,
        // A bridge with one end: what is played goes nowhere, at the pace of a clock.
        'audio_player aubridge,sink',
        'audio_alert aubridge,alert',
        ...['ausrc_srate 8000', 'auplay_srate 8000', 'ausrc_channels 1', 'auplay_channels 1'],
        'audio_buffer 20-160',
        `module_path ${modules}`,
        ...[
          'g711',
          'aufile',
          'aubridge',
          'sndfile',
          'srtp',
          'dtls_srtp',
          ...(options.ice ? ['ice'] : []),
        ].map((module) => `module ${module}.so`),
        'module_tmp account.so',
        'module_app menu.so',
        'module_app ctrl_tcp.so',
        `ctrl_tcp_listen ${controlAt}:${control}`,
        `snd_path ${folder}`,
        '',
      ].join('\n'),
    );
    writeFileSync(join(folder, 'contacts'), '\n');
    const direct = `sip:${name}@${address}:${transport === 'tls' ? sip + 1 : sip};transport=${transport}`;
    const throughProxy = proxy
      ? `;outbound="sip:${proxy.address}:${proxy.port};transport=${transport}"` +
        (proxy.password ? `;auth_user=${name};auth_pass=${proxy.password}` : '')
      : '';
    const account = server
      ? `<sip:${name}@${server.domain};transport=${transport}>;auth_user=${name};auth_pass=${server.password};` +
        `outbound="sip:${server.address}:${server.port};transport=${transport}";regint=60`
      : `<${direct}>;regint=0${throughProxy}`;
    const media = `${mediaOf[options.media]}${options.ice ? ';medianat=ice' : ''}`;
    writeFileSync(join(folder, 'accounts'), `${account}${media};audio_codecs=PCMU;answermode=auto\n`);
    const program = await Program.start({
      name: `baresip ${name}`,
      ...inNetwork(network, 'baresip', ['-f', folder, '-s']),
      cwd: folder,
      log: workspace.path(`${name}.log`),
    });
    try {
      await program.waitFor(/baresip is ready/, 10_000);
      const socket = await until('control socket', 3_000, () => open(controlAt, control));
      const phone = new Baresip(
        server ? `sip:${name}@${server.domain}` : direct,
        options.tone,
        program,
        folder,
        socket,
      );
      if (server) await program.waitFor(/registered successfully|\} 200 OK/, 10_000);
      return phone;
    } catch (cause) {
      await program.stop();
      throw cause;
    }
  }

  dial(uri: string): void {
    this.#command('dial', uri);
  }

  hangUp(): void {
    this.#command('hangup', '');
  }

  /** Asks for the other party to be sent there: REFER. */
  transfer(uri: string): void {
    this.#command('transfer', uri);
  }

  hold(): void {
    this.#command('hold', '');
  }

  resume(): void {
    this.#command('resume', '');
  }

  /** Resolves with an event of the call, also one that came before. */
  async event(type: string, timeoutMs = 8_000): Promise<Event> {
    return until(
      `${this.program.name}: ${type} (so far: ${this.events.map((event) => event.type).join(' ')})`,
      timeoutMs,
      () => {
        const found = this.events.find((event) => event.type === type);
        if (
          found === undefined &&
          this.events.some((event) => event.type === 'CALL_CLOSED') &&
          type !== 'CALL_CLOSED'
        ) {
          const closed = this.events.find((event) => event.type === 'CALL_CLOSED');
          throw new PeerFailed(`${this.program.name}: call closed (${closed?.param}) before ${type}`);
        }
        return found ?? null;
      },
    );
  }

  async established(): Promise<void> {
    await this.event('CALL_ESTABLISHED');
  }

  async ended(): Promise<void> {
    await this.event('CALL_CLOSED');
  }

  keys(): string[] {
    return keysIn(this.program.output);
  }

  /** The SRTP suite that it says is in use. */
  async suite(): Promise<string> {
    const { param } = await this.event('CALL_MENC', 1_000);
    return param?.split(',').at(-1) ?? '';
  }

  /** What was received and decoded; complete once the call has ended. */
  heard(): Recording {
    const file = readdirSync(this.#folder).find((entry) => entry.endsWith('-dec.wav'));
    if (file === undefined) throw new PeerFailed(`${this.program.name} recorded nothing`);
    return readWav(join(this.#folder, file));
  }

  async stop(): Promise<void> {
    this.#control.destroy();
    await this.program.stop();
  }

  /** ctrl_tcp speaks JSON in netstrings. */
  #command(command: string, params: string): void {
    const text = JSON.stringify({ command, params, token: command });
    this.#control.write(`${Buffer.byteLength(text)}:${text},`);
  }

  #take(text: string): void {
    this.#pending += text;
    for (;;) {
      const colon = this.#pending.indexOf(':');
      if (colon < 0) return;
      const length = Number(this.#pending.slice(0, colon));
      const end = colon + 1 + length;
      if (this.#pending.length < end + 1) return;
      const message = JSON.parse(this.#pending.slice(colon + 1, end)) as {
        event?: boolean;
        type?: string;
        param?: string;
      };
      this.#pending = this.#pending.slice(end + 1);
      if (message.event && message.type) this.events.push({ type: message.type, param: message.param ?? '' });
    }
  }
}

const mediaOf = { srtp: ';mediaenc=srtp-mand', dtls: ';mediaenc=dtls_srtp', rtp: '' } as const;

/** The command line of a program that runs in another network, or in this one. */
export function inNetwork(
  network: PeerNetwork | undefined,
  command: string,
  args: readonly string[],
): { readonly command: string; readonly args: readonly string[] } {
  if (network === undefined) return { command, args };
  const [first, ...rest] = network.enter;
  return { command: first, args: [...rest, command, ...args] };
}

function open(address: string, port: number): Promise<Socket | null> {
  return new Promise((resolve) => {
    const socket = connect(port, address);
    socket.once('connect', () => resolve(socket));
    socket.once('error', () => resolve(null));
  });
}

export const baresipVersion = (): string | null => installedVersion('baresip', ['-h'], /baresip v([\d.]+)/);
