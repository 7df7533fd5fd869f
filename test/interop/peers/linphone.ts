/** linphonec without sound hardware: it plays a tone from a file and records what it hears. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Certificates } from '../harness/certificates.ts';
import { keysIn, type Phone } from '../harness/phone-call.ts';
import { freePort, freePorts } from '../harness/ports.ts';
import { Program, sleep, until } from '../harness/process.ts';
import { type Recording, readWav, sineWav } from '../harness/tone.ts';
import { installedVersion } from '../harness/version.ts';
import type { Workspace } from '../harness/workspace.ts';
import { inNetwork, type PeerNetwork, type Server } from './baresip.ts';

const ADDRESS = '127.0.0.1';
const TONE_SECONDS = 60;

export type LinphoneOptions = {
  readonly workspace: Workspace;
  readonly name: string;
  readonly certificates: Certificates;
  readonly transport: 'udp' | 'tcp' | 'tls';
  /** SDES SRTP or nothing less; plain RTP; or RTP that becomes SRTP by ZRTP. */
  readonly media: 'srtp' | 'rtp' | 'zrtp';
  /** Hertz of the tone that it plays. */
  readonly tone: number;
  /** Where it has its media and its signalling. Default 127.0.0.1. */
  readonly address?: string;
  /** It runs in another network. */
  readonly network?: PeerNetwork;
  readonly server?: Server;
  /** Bound to no address: it uses the one that leads to its server, whichever that is at the time. */
  readonly roams?: boolean;
};

export class Linphone implements Phone {
  readonly uri: string;
  readonly tone: number;
  readonly program: Program;
  #recording: string;
  #coreLog: string;

  private constructor(uri: string, tone: number, program: Program, recording: string, coreLog: string) {
    this.uri = uri;
    this.tone = tone;
    this.#coreLog = coreLog;
    this.program = program;
    this.#recording = recording;
  }

  static async start(options: LinphoneOptions): Promise<Linphone> {
    const { workspace, name, server, transport, address = ADDRESS } = options;
    const folder = workspace.path(name);
    // Its database opens only in a folder that is there, and without the database its core never starts.
    mkdirSync(join(folder, '.local/share/linphone'), { recursive: true });
    mkdirSync(join(folder, '.config/linphone'), { recursive: true });
    const port = await freePort();
    const rtp = await freePorts(2);
    const tone = join(folder, 'tone.wav');
    const recording = join(folder, 'heard.wav');
    const coreLog = workspace.path(`${name}.core.log`);
    writeFileSync(tone, sineWav(options.tone, TONE_SECONDS));
    const account = server
      ? [
          '[proxy_0]',
          `reg_proxy=<sip:${server.address}:${server.port};transport=${transport}>`,
          `reg_route=<sip:${server.address}:${server.port};transport=${transport};lr>`,
          `reg_identity=sip:${name}@${server.domain}`,
          ...['reg_expires=60', 'reg_sendregister=1', 'publish=0', 'nat_policy_ref='],
          '[auth_info_0]',
          ...[`username=${name}`, `userid=${name}`, `passwd=${server.password}`],
          ...[`realm=${server.domain}`, `domain=${server.domain}`],
        ]
      : [];
    const config = [
      '[sip]',
      ...(['udp', 'tcp', 'tls'] as const).map(
        (each) => `${each === 'udp' ? 'sip_port' : `sip_${each}_port`}=${each === transport ? port : 0}`,
      ),
      ...(options.roams ? [] : [`bind_address=${address}`, `contact=sip:${name}@${address}`]),
      `root_ca=${options.certificates.authority}`,
      // Its TLS library knows names in certificates but no addresses; the chain is verified.
      ...['verify_server_certs=1', 'verify_server_cn=0'],
      `media_encryption=${options.media === 'rtp' ? 'none' : options.media}`,
      // Kept in its folder: who calls again is known again.
      `zrtp_secrets_cache=${join(folder, 'zrtp.cache')}`,
      `media_encryption_mandatory=${options.media === 'srtp' ? 1 : 0}`,
      ...['ipv6_migration_done=1', 'use_ipv6=0', `default_proxy=${server ? 0 : -1}`],
      '[rtp]',
      ...[`audio_rtp_port=${rtp}`, ...(options.roams ? [] : [`bind_address=${address}`])],
      '[net]',
      'dns_srv_enabled=0',
      '[video]',
      ...['enabled=0', 'capture=0', 'display=0', 'automatically_initiate=0', 'automatically_accept=0'],
      '[sound]',
      ...['echocancellation=0', 'agc=0'],
      '[audio_codec_0]',
      ...['mime=PCMU', 'rate=8000', 'channels=1', 'enabled=1'],
      ...account,
      '',
    ];
    writeFileSync(join(folder, 'linphonerc'), config.join('\n'));
    const program = await Program.start({
      name: `linphonec ${name}`,
      ...inNetwork(options.network, 'linphonec', [
        '-c',
        join(folder, 'linphonerc'),
        ...['-a', '-d', '6', '-l', coreLog],
      ]),
      cwd: folder,
      log: workspace.path(`${name}.log`),
      env: {
        HOME: folder,
        XDG_DATA_HOME: join(folder, '.local/share'),
        XDG_CONFIG_HOME: join(folder, '.config'),
      },
    });
    try {
      await program.waitFor(/linphonec> /, 10_000);
      program.write('soundcard use files\n');
      await program.waitFor(/Using wav files/, 5_000);
      program.write(`record ${recording}\nplay ${tone}\n`);
      if (server) {
        // It says nothing of its own accord about its registration.
        await until(`${program.name} registers`, 10_000, async () => {
          program.write('status register\n');
          await sleep(200);
          return /registered, identity=/.test(program.output) ? true : null;
        });
      }
    } catch (cause) {
      await program.stop();
      throw cause;
    }
    const direct = `sip:${name}@${address}:${port};transport=${transport}`;
    return new Linphone(
      server ? `sip:${name}@${server.domain}` : direct,
      options.tone,
      program,
      recording,
      coreLog,
    );
  }

  dial(uri: string): void {
    this.program.write(`call ${uri}\n`);
  }

  async established(timeoutMs = 8_000): Promise<void> {
    await this.program.waitFor(/Call \d+ with .* connected|Media streams established/, timeoutMs);
  }

  hangUp(): void {
    this.program.write('terminate\n');
  }

  /** Asks for the other party to be sent there: REFER. `1 --to-call 2` joins two calls: Refer-To with Replaces. */
  transfer(target: string): void {
    this.program.write(`transfer ${target}\n`);
  }

  hold(): void {
    this.program.write('pause\n');
  }

  resume(): void {
    this.program.write('resume\n');
  }

  async ended(timeoutMs = 8_000): Promise<void> {
    await this.program.waitFor(/Call \d+ with .* ended|Call terminated/, timeoutMs);
  }

  /** The short authentication string that it shows, once ZRTP has come to one. */
  sas(timeoutMs = 8_000): Promise<string> {
    return until(`${this.program.name} shows a SAS`, timeoutMs, () => this.#sas());
  }

  async #sas(): Promise<string | null> {
    await sleep(100);
    const found = /authentication token is (\w+)/i.exec(readFileSync(this.#coreLog, 'utf8'));
    return found?.[1] ?? null;
  }

  keys(): string[] {
    return keysIn(readFileSync(this.#coreLog, 'utf8'));
  }

  /** What was received and decoded; complete once the call has ended. */
  heard(): Recording {
    return readWav(this.#recording);
  }

  async stop(): Promise<void> {
    if (this.program.running) this.program.write('quit\n');
    await this.program.waitForExit(2_000).catch(() => this.program.stop());
  }
}

export const linphoneVersion = (): string | null =>
  installedVersion('linphonec', ['-v'], /version:?\s*([\d.]+)/i);
