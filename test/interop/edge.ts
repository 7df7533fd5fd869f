/**
 * The edge as the interop cases and the bench start it: all that they know about its configuration, its objects and
 * its start is in this file.
 */
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Certificates } from './harness/certificates.ts';
import { freePort, freePorts } from './harness/ports.ts';
import { Program } from './harness/process.ts';
import type { Workspace } from './harness/workspace.ts';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '../..');
const MAIN = join(ROOT, 'apps/edge/main.ts');
export const DOMAIN = 'example.test';

export type EdgeListener = {
  readonly name: string;
  readonly transport: 'udp' | 'tcp' | 'tls' | 'wss';
  readonly encryption: 'required' | 'preferred' | 'none';
  readonly phonePage?: boolean;
  readonly accountPage?: boolean;
  readonly publicAddress?: string;
  readonly dangerousPlaintext?: boolean;
};

type Encryption = EdgeListener['encryption'];

/** The part of the edge's objects file that the cases use; the domain is `example.test` where none is named. */
export type EdgeObjects = {
  readonly domains?: readonly Readonly<Record<string, unknown>>[];
  readonly users?: readonly {
    readonly domain?: string;
    readonly name: string;
    readonly number?: string;
    readonly screening?: Readonly<Record<string, unknown>>;
    readonly devices: readonly {
      name: string;
      password: string;
      encryption: Encryption;
      keying?: 'sdes' | 'dtls' | 'any';
      ice?: 'off' | 'answer' | 'lite' | 'full';
      allowMd5?: boolean;
      codecs?: readonly string[];
      zrtp?: 'off' | 'pass' | 'end' | 'demand';
    }[];
  }[];
  readonly trunks?: readonly {
    readonly domain?: string;
    readonly name: string;
    readonly codecs?: readonly string[];
    readonly free?: boolean;
    readonly forwardings?: 'diversion' | 'history-info' | 'both' | 'none';
    readonly limits?: Readonly<Record<string, number>>;
    readonly messages?: boolean;
    readonly trusted?: boolean;
    readonly transfer?: 'edge' | 'pass' | 'refuse';
    readonly target?: string;
    readonly targets?: readonly { readonly target: string; readonly priority: number }[];
    readonly failover?: { readonly silenceSeconds: number };
    readonly health?: {
      readonly options?: boolean;
      readonly intervalSeconds: number;
      readonly failures: number;
    };
    readonly registration?: { readonly domain: string; readonly expiresSeconds: number };
    readonly addresses?: readonly string[];
    readonly encryption: Encryption;
    readonly keying?: 'sdes' | 'dtls' | 'any';
    readonly outboundAuthentication?: { username: string; password: string; allowMd5?: boolean };
    readonly inboundAuthentication?: { username: string; password: string; allowMd5?: boolean };
  }[];
  readonly routes?: readonly {
    readonly domain?: string;
    readonly match: string;
    readonly from?: 'users' | 'trunks' | 'any';
    readonly to: { trunk: string } | { trunks: readonly string[] } | { user: string } | { block: string };
  }[];
  readonly pbx?: readonly {
    readonly domain?: string;
    readonly nodes: readonly { name: string; target: string; priority?: number }[];
    readonly encryption: Encryption;
    readonly phones: Encryption;
  }[];
};

export type EdgeOptions = {
  readonly workspace: Workspace;
  /** Name of its folder and its log where a case has several. Default: `edge`, `ringfence.log`. */
  readonly name?: string;
  readonly address?: string;
  readonly listeners: readonly EdgeListener[];
  readonly objects: EdgeObjects;
  readonly certificates?: Certificates;
  readonly admission?: Readonly<Record<string, number>>;
  readonly detection?: Readonly<Record<string, unknown>>;
  /** Further parts of `ringfence.yaml`. */
  readonly settings?: Readonly<Record<string, unknown>>;
  /** Size of the media port range; a small one makes a capture filter short. */
  readonly mediaPorts?: number;
  /** Control port of an rtpengine on 127.0.0.1 that carries the voice. Default: our own media process does. */
  readonly rtpengine?: number;
  /** File that receives TLS secrets in the NSS key log format, so that tshark can read the TLS legs. */
  readonly keyLog?: string;
  /** Folder that receives a V8 CPU profile of each of its threads when it ends. */
  readonly profile?: string;
};

export type Edge = {
  readonly address: string;
  readonly pid: number;
  readonly media: { readonly from: number; readonly to: number };
  port(listener: string): number;
  readonly listeners: readonly { readonly transport: EdgeListener['transport']; readonly port: number }[];
  /** Everything that it has written so far. */
  log(): string;
  stop(): Promise<void>;
  /** The same ports and the same data folder. */
  restart(): Promise<void>;
};

export const edgePresent = (): boolean => existsSync(MAIN);

export function edgeVersion(): string {
  const text = readFileSync(join(ROOT, 'package.json'), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

export async function startEdge(options: EdgeOptions): Promise<Edge> {
  const { workspace, certificates } = options;
  const { media: moreMedia, ...rest } = options.settings ?? {};
  const address = options.address ?? '127.0.0.1';
  const name = options.name ?? 'edge';
  const home = workspace.path(name);
  mkdirSync(home, { recursive: true });
  const ports = new Map<string, number>();
  for (const listener of options.listeners) ports.set(listener.name, await freePort(address));
  const media =
    options.mediaPorts === undefined
      ? { from: 20_000, to: 59_999 }
      : await freePorts(options.mediaPorts, address).then((from) => ({
          from,
          to: from + options.mediaPorts! - 1,
        }));
  // JSON is YAML too.
  workspace.write(
    `${name}/ringfence.yaml`,
    JSON.stringify(
      {
        domain: DOMAIN,
        listeners: options.listeners.map((listener) => ({
          ...listener,
          address,
          port: ports.get(listener.name),
        })),
        ...(certificates
          ? {
              tls: {
                certificate: certificates.certificate,
                key: certificates.key,
                clientAuthorities: [certificates.authority],
              },
            }
          : {}),
        media: {
          addresses: [address],
          ports: media,
          threads: 2,
          ...(options.rtpengine === undefined
            ? {}
            : { engine: 'rtpengine', rtpengine: [{ address: '127.0.0.1', port: options.rtpengine }] }),
          ...(moreMedia as object | undefined),
        },
        ...(options.admission ? { admission: options.admission } : {}),
        ...(options.detection ? { detection: options.detection } : {}),
        shutdown: { drainSeconds: 0 },
        log: { format: 'json' },
        // It goes by the hour and the day: what a row shows must not.
        fraud: { behaviour: { enabled: false } },
        ...rest,
      },
      null,
      2,
    ),
  );
  const env = { RINGFENCE_HOME: home };
  await apply(workspace, name, env, options.objects);
  const launch = async (): Promise<Program> => {
    const started = await Program.start({
      name: 'ringfence',
      command: process.execPath,
      args: [
        ...(options.keyLog ? [`--tls-keylog=${options.keyLog}`] : []),
        ...(options.profile ? ['--cpu-prof', `--cpu-prof-dir=${options.profile}`] : []),
        MAIN,
        'up',
      ],
      cwd: ROOT,
      log: workspace.path(options.name === undefined ? 'ringfence.log' : `${name}.log`),
      env,
    });
    await started.readyWhen(() => started.waitFor(/\bready\b/, 30_000));
    return started;
  };
  let program = await launch();
  return {
    address,
    get pid() {
      return program.pid;
    },
    media,
    listeners: options.listeners.map(({ name, transport }) => ({ transport, port: ports.get(name)! })),
    port: (listener) => {
      const port = ports.get(listener);
      if (port === undefined) throw new Error(`no listener ${listener}`);
      return port;
    },
    log: () => program.output,
    stop: async () => {
      await program.stop();
    },
    restart: async () => {
      await program.stop();
      program = await launch();
    },
  };
}

/** `ringfence apply` works on the data folder, before the daemon starts as well as beside it. */
async function apply(
  workspace: Workspace,
  name: string,
  env: Readonly<Record<string, string>>,
  objects: EdgeObjects,
): Promise<void> {
  const file = workspace.write(`${name}/objects.yaml`, JSON.stringify(withDomain(objects), null, 2));
  const program = await Program.start({
    name: 'ringfence apply',
    command: process.execPath,
    args: [MAIN, 'apply', '-f', file],
    cwd: ROOT,
    log: workspace.path(`ringfence-apply-${name}.log`),
    env,
  });
  const { code } = await program.waitForExit(120_000);
  if (code !== 0) throw new Error(`ringfence apply ended with ${code}: ${program.output.slice(-600)}`);
}

function withDomain(objects: EdgeObjects): EdgeObjects {
  const add = <T extends object>(list: readonly T[] | undefined) =>
    (list ?? []).map((item) => ({ domain: DOMAIN, ...item }));
  return {
    ...(objects.domains === undefined ? {} : { domains: objects.domains }),
    users: add(objects.users),
    trunks: add(objects.trunks),
    routes: add(objects.routes),
    pbx: add(objects.pbx),
  };
}
