/** sipp as caller or called party, with scenarios of ours. */
import { readFileSync } from 'node:fs';
import { Program } from '../harness/process.ts';
import { installedVersion } from '../harness/version.ts';
import type { Workspace } from '../harness/workspace.ts';

export type SippOptions = {
  readonly workspace: Workspace;
  readonly name: string;
  readonly scenario?: string;
  /** A scenario that sipp brings along (`-sn`), in place of a file. */
  readonly builtIn?: string;
  readonly address: string;
  readonly port: number;
  /** Where a caller sends; a called party has none. */
  readonly target?: { readonly address: string; readonly port: number };
  readonly transport?: 'udp' | 'tcp';
  /** Values of [keyword] in the scenario. */
  readonly keys?: Readonly<Record<string, string>>;
  readonly calls?: number;
  readonly perSecond?: number;
  readonly holdMs?: number;
  readonly extra?: readonly string[];
};

/** sipp raises an alarm, and finally gives up, when its own loop is late; a busy machine is no reason for that. */
const PATIENT = ['-watchdog_major_maxtriggers', '1000000', '-watchdog_minor_maxtriggers', '1000000'];
/** As large as the kernel gives, so that what is lost is lost by the server under test. */
const BUFFERS = ['-buff_size', '4000000'];

export async function startSipp(options: SippOptions): Promise<Program> {
  const { workspace, name, target } = options;
  const args = [
    ...(target ? [`${target.address}:${target.port}`] : []),
    ...(options.builtIn === undefined ? ['-sf', options.scenario!] : ['-sn', options.builtIn]),
    '-i',
    options.address,
    '-bind_local',
    '-p',
    String(options.port),
    '-t',
    options.transport === 'tcp' ? 't1' : 'u1',
    '-nostdin',
    '-trace_err',
    '-error_file',
    workspace.path(`${name}.errors`),
    ...PATIENT,
    ...BUFFERS,
  ];
  for (const [key, value] of Object.entries(options.keys ?? {})) args.push('-key', key, value);
  if (options.calls !== undefined) args.push('-m', String(options.calls));
  if (options.perSecond !== undefined) args.push('-r', String(options.perSecond));
  if (options.holdMs !== undefined) args.push('-d', String(options.holdMs));
  args.push(...(options.extra ?? []));
  return Program.start({
    name,
    command: 'sipp',
    args,
    cwd: workspace.folder,
    log: null,
    env: { TERM: 'dumb' },
  });
}

/** What sipp said about messages it did not expect; empty where all went as written in the scenario. */
export function sippErrors(workspace: Workspace, name: string): string {
  try {
    return readFileSync(workspace.path(`${name}.errors`), 'utf8').slice(0, 2_000);
  } catch {
    return '';
  }
}

export const sippVersion = (): string | null => installedVersion('sipp', ['-v'], /SIPp v([\d.]*\d)/);
