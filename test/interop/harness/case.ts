/** What an interop case is, and how it is run. */
import { type Edge, type EdgeOptions, startEdge } from '../edge.ts';
import { Workspace } from './workspace.ts';

export type CaseContext = {
  readonly workspace: Workspace;
  /** Registers what must be stopped when the case ends, however it ends; last started, first stopped. */
  readonly closes: <T extends { stop(): Promise<unknown> }>(thing: T) => T;
  /** Starts an edge that is stopped when the case ends; whoever wraps the case sees it before any traffic. */
  readonly edge: (options: Omit<EdgeOptions, 'workspace'>) => Promise<Edge>;
};

/** Adds to how a case's edge is started, and looks at it once it runs. */
export type Observer = {
  readonly options: (workspace: Workspace) => Pick<EdgeOptions, 'keyLog' | 'mediaPorts'>;
  readonly started: (edge: Edge, context: CaseContext) => Promise<void>;
};

export type Case = {
  readonly name: string;
  /** The program on the other side. */
  readonly peer: string;
  /** Its version here; null where it is not installed. */
  readonly version: () => string | null;
  readonly what: string;
  /** It is taken from the folder that this variable names, since no distribution has it: without, it is skipped anywhere. */
  readonly unset?: string;
  /** Two peers joined without the edge: proves the harness, not the edge. Left out of ordinary runs. */
  readonly peersOnly?: boolean;
  readonly observer?: Observer;
  /** Cases of one such name that follow each other run beside each other. */
  readonly beside?: string;
  /** Resolves with the evidence in a few words; throws where anything was not as it must be. */
  readonly run: (context: CaseContext) => Promise<string>;
};

export type Outcome = {
  readonly name: string;
  readonly peer: string;
  readonly version: string | null;
  readonly what: string;
  readonly result: 'passed' | 'failed' | 'skipped';
  readonly evidence: string;
  readonly seconds: number;
};

const LIMIT_MS = 90_000;

export async function runCase(one: Case): Promise<Outcome> {
  const { name, peer, what } = one;
  const version = one.version();
  const started = Date.now();
  const outcome = (result: Outcome['result'], evidence: string): Outcome => ({
    name,
    peer,
    version,
    what,
    result,
    evidence,
    seconds: Math.round((Date.now() - started) / 100) / 10,
  });
  if (version === null)
    return outcome(
      'skipped',
      one.unset !== undefined && process.env[one.unset] === undefined
        ? `${one.unset} is not set`
        : `${peer} is not installed`,
    );
  const workspace = new Workspace(name);
  const open: { stop(): Promise<unknown> }[] = [];
  const context = makeContext(workspace, open, one.observer);
  let timer: NodeJS.Timeout | undefined;
  let result: Outcome;
  try {
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`not finished after ${LIMIT_MS / 1_000} s`)), LIMIT_MS);
    });
    const evidence = await Promise.race([one.run(context), late]);
    result = outcome('passed', evidence);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    result = outcome('failed', `${reason} (logs: ${workspace.folder})`);
  } finally {
    clearTimeout(timer);
    for (const thing of open.reverse()) await thing.stop().catch(() => undefined);
  }
  if (result.result === 'passed') workspace.remove();
  return result;
}

function makeContext(
  workspace: Workspace,
  open: { stop(): Promise<unknown> }[],
  observer: Observer | undefined,
): CaseContext {
  const context: CaseContext = {
    workspace,
    closes: (thing) => {
      open.push(thing);
      return thing;
    },
    edge: async (options) => {
      const edge = context.closes(
        await startEdge({ ...options, workspace, ...observer?.options(workspace) }),
      );
      await observer?.started(edge, context);
      return edge;
    },
  };
  return context;
}

export function expect(condition: boolean, otherwise: string): asserts condition {
  if (!condition) throw new Error(otherwise);
}
