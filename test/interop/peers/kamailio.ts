/** Kamailio in the foreground with a configuration of ours. */
import { mkdirSync } from 'node:fs';
import { Program } from '../harness/process.ts';
import { installedVersion } from '../harness/version.ts';
import type { Workspace } from '../harness/workspace.ts';

export type KamailioOptions = {
  readonly workspace: Workspace;
  readonly name: string;
  readonly config: string;
  /** Shared memory in MiB, for all workers together. */
  readonly sharedMemory?: number;
  /** Private memory in MiB, for each worker. */
  readonly privateMemory?: number;
};

export async function startKamailio(options: KamailioOptions): Promise<Program> {
  const { workspace, name } = options;
  const config = workspace.write(`${name}.cfg`, options.config);
  const run = workspace.path(`${name}.run`);
  mkdirSync(run, { recursive: true });
  const program = await Program.start({
    name,
    command: 'kamailio',
    // -DD stays in the foreground and still forks its workers; -E logs to stderr.
    args: [
      '-f',
      config,
      '-DD',
      '-E',
      '-Y',
      run,
      '-w',
      run,
      // The allocator made for speed: the default one (qm) is made for finding memory errors.
      '-x',
      'fm',
      '-X',
      'fm',
      '-m',
      String(options.sharedMemory ?? 64),
      '-M',
      String(options.privateMemory ?? 8),
    ],
    cwd: workspace.folder,
    log: workspace.path(`${name}.log`),
  });
  // Every configuration given here logs this line from event_route[core:worker-one-init], when it can serve.
  await program.readyWhen(() => program.waitFor(/kamailio serves/, 20_000));
  return program;
}

/** Put at the end of a configuration: tells the harness that the workers are up. */
export const READY_EVENT = `
event_route[core:worker-one-init] {
  xlog("L_ERR", "kamailio serves\\n");
}
`;

export const kamailioVersion = (): string | null =>
  installedVersion('kamailio', ['-v'], /version: kamailio (\S+)/);
