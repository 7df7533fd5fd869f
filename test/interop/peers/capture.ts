/** dumpcap: a capture of the loopback or of another interface, bounded by its filter, its size and its time. */
import { spawnSync } from 'node:child_process';
import { PeerFailed, Program, sleep } from '../harness/process.ts';
import type { Workspace } from '../harness/workspace.ts';

export type Capture = {
  readonly file: string;
  /** Ends the capture and resolves once the file is complete. */
  stop(): Promise<void>;
};

const MAXIMUM_KB = 400_000;

export async function startCapture(options: {
  readonly workspace: Workspace;
  readonly name: string;
  /** pcap-filter(7). */
  readonly filter: string;
  readonly seconds: number;
  readonly classicFormat?: boolean;
  /** Default: the loopback. */
  readonly device?: string;
}): Promise<Capture> {
  const file = options.workspace.path(`${options.name}.pcap`);
  const program = await Program.start({
    name: `dumpcap ${options.name}`,
    command: 'dumpcap',
    args: [
      '-i',
      options.device ?? 'lo',
      '-f',
      options.filter,
      '-w',
      file,
      // MiB of kernel buffer, so that a burst is not lost to the reader.
      '-B',
      '32',
      '-a',
      `duration:${options.seconds}`,
      '-a',
      `filesize:${MAXIMUM_KB}`,
      ...(options.classicFormat ? ['-P'] : []),
    ],
    cwd: options.workspace.folder,
    log: options.workspace.path(`${options.name}.dumpcap.log`),
  });
  // It names its file once the socket is open.
  await program.readyWhen(() => program.waitFor(/File:/, 10_000));
  await sleep(100);
  return {
    file,
    stop: async () => {
      // The kernel hands packets over in blocks, a quarter of a second after the first of a block at the latest.
      if (program.running) await sleep(700);
      await program.stop('SIGINT');
      if (/([1-9]\d*) packets? dropped/.test(program.output))
        throw new PeerFailed(`dumpcap lost packets: ${program.output}`);
    },
  };
}

/** Why nothing can be captured here; null where it can. */
export function captureAbsent(): string | null {
  const { status, stderr, error } = spawnSync(
    'dumpcap',
    ['-i', 'lo', '-a', 'duration:0', '-w', '/dev/null', '-q'],
    {
      encoding: 'utf8',
      timeout: 5_000,
    },
  );
  if (error) return 'dumpcap is not installed';
  return status === 0 ? null : `dumpcap may not capture: ${(stderr ?? '').trim().split('\n').at(-1)}`;
}
