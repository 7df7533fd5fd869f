/** rtpengine in userspace, driven over its ng protocol. */
import { createSocket } from 'node:dgram';
import { Program, until } from '../harness/process.ts';
import { installedVersion } from '../harness/version.ts';
import type { Workspace } from '../harness/workspace.ts';

export type RtpengineOptions = {
  readonly workspace: Workspace;
  readonly controlPort: number;
  readonly address: string;
  readonly ports: { readonly from: number; readonly to: number };
  readonly threads: number;
};

function pings(port: number): Promise<true | null> {
  return new Promise((resolve) => {
    const socket = createSocket('udp4');
    const done = (value: true | null) => {
      clearTimeout(timer);
      socket.close(() => resolve(value));
    };
    const timer = setTimeout(() => done(null), 100);
    socket.once('error', () => done(null));
    socket.once('message', () => done(true));
    socket.send('ready d7:command4:pinge', port, '127.0.0.1');
  });
}

export async function startRtpengine(options: RtpengineOptions): Promise<Program> {
  const { workspace, ports } = options;
  const program = await Program.start({
    name: 'rtpengine',
    command: 'rtpengine',
    args: [
      '--foreground',
      // Debian's file would open control ports of its own.
      '--config-file=none',
      '--log-stderr',
      // LOG_ERR: its manual counts logging among the costs of every session.
      '--log-level=3',
      // No kernel module: this is the userspace path.
      '--table=-1',
      `--interface=${options.address}`,
      `--listen-ng=127.0.0.1:${options.controlPort}`,
      `--port-min=${ports.from}`,
      `--port-max=${ports.to}`,
      `--num-threads=${options.threads}`,
      // A session otherwise keeps its ports for 30 s after its delete: at 500 calls/s that is 60,000 ports.
      '--delete-delay=0',
      // One epoll for each thread in place of one that all wait on.
      '--poller-per-thread',
      '--tos=184',
    ],
    cwd: workspace.folder,
    log: workspace.path('rtpengine.log'),
  });
  await program.readyWhen(() =>
    until('rtpengine answers its ping', 20_000, () => pings(options.controlPort)),
  );
  return program;
}

export const rtpengineVersion = (): string | null =>
  installedVersion('rtpengine', ['--version'], /Version: (\S+)/);
