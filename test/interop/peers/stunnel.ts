/** stunnel: TLS for programs that have none of their own. */
import type { Certificates } from '../harness/certificates.ts';
import { freePort } from '../harness/ports.ts';
import { Program } from '../harness/process.ts';
import { installedVersion } from '../harness/version.ts';
import type { Workspace } from '../harness/workspace.ts';

export type Tunnel = { readonly address: string; readonly port: number; stop(): Promise<void> };

type Place = { readonly address: string; readonly port: number };

async function start(
  workspace: Workspace,
  name: string,
  service: readonly string[],
  accept: Place,
): Promise<Tunnel> {
  const config = workspace.write(
    `${name}.conf`,
    [
      'foreground = yes',
      'pid =',
      'syslog = no',
      'debug = notice',
      `[${name}]`,
      `accept = ${accept.address}:${accept.port}`,
      ...service,
      '',
    ].join('\n'),
  );
  const program = await Program.start({
    name,
    command: 'stunnel4',
    args: [config],
    cwd: workspace.folder,
    log: workspace.path(`${name}.log`),
  });
  await program.readyWhen(() => program.waitFor(/Configuration successful/, 10_000));
  return {
    ...accept,
    stop: async () => {
      await program.stop();
    },
  };
}

/** Takes TCP on a free port and speaks TLS to `target`, whose certificate it verifies. */
export async function startStunnelClient(options: {
  readonly workspace: Workspace;
  readonly certificates: Certificates;
  readonly target: Place;
  /** Address that the TLS connection comes from. */
  readonly sourceAddress?: string;
}): Promise<Tunnel> {
  const accept = { address: '127.0.0.1', port: await freePort() };
  return start(
    options.workspace,
    `stunnel-client-${accept.port}`,
    [
      'client = yes',
      `connect = ${options.target.address}:${options.target.port}`,
      `CAfile = ${options.certificates.authority}`,
      'verifyChain = yes',
      ...(options.sourceAddress ? [`local = ${options.sourceAddress}`] : []),
    ],
    accept,
  );
}

/** Takes TLS on a free port of `address` and speaks TCP to `target`. */
export async function startStunnelServer(options: {
  readonly workspace: Workspace;
  readonly certificates: Certificates;
  readonly target: Place;
  readonly address?: string;
}): Promise<Tunnel> {
  const address = options.address ?? '127.0.0.1';
  const accept = { address, port: await freePort(address) };
  return start(
    options.workspace,
    `stunnel-server-${accept.port}`,
    [
      'client = no',
      `connect = ${options.target.address}:${options.target.port}`,
      `cert = ${options.certificates.certificate}`,
      `key = ${options.certificates.key}`,
    ],
    accept,
  );
}

export const stunnelVersion = (): string | null =>
  installedVersion('stunnel4', ['-version'], /stunnel ([\d.]+)/);
