import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { err, ok, type Result } from '@ringfence/bytes/result.ts';
import { type Static, Type } from '@sinclair/typebox';
import type { ConfigProblem } from '../config/problem.ts';
import { readYamlFile } from '../config/read-yaml.ts';
import { Report, validate } from '../config/validate.ts';
import { type Action, incidentKinds } from './types.ts';

const mode = Type.Union([Type.Literal('automatic'), Type.Literal('approval')], {
  default: 'approval',
  description: 'automatic: at once, to whatever joins the incident. approval: when an administrator says so.',
});
const text = Type.String({
  minLength: 1,
  maxLength: 300,
  description: 'What it does and why, in one sentence.',
});
const minutes = Type.Integer({
  minimum: 1,
  maximum: 43_200,
  default: 60,
  description: 'After so long it is undone by itself.',
});
const lasting = Type.Object({ text, mode, minutes });
const once = Type.Object({ text, mode });

/** Each takes what it acts on from the incident. Emergency calls, trunks and nodes of a PBX stay out of reach of all. */
export const Step = Type.Union([
  Type.Object({ ban: lasting }),
  Type.Object({ quarantine: lasting }),
  Type.Object({ closeRoute: lasting }),
  Type.Object({ revokeSecret: lasting }),
  Type.Object({ deregister: once }),
  Type.Object({ endCalls: once }),
  Type.Object({ preserve: once }),
  Type.Object({ tellUser: once }),
  Type.Object({ notify: Type.Object({ text }) }),
  Type.Object({ task: Type.Object({ text }) }),
]);

export const Playbook = Type.Object(
  {
    name: Type.String({
      minLength: 1,
      maxLength: 40,
      pattern: '^[A-Za-z0-9._+~-]+$',
      description: 'Unique.',
    }),
    version: Type.Integer({
      minimum: 1,
      maximum: 1_000_000,
      description: 'Written into the incidents that follow it.',
    }),
    title: Type.String({ minLength: 1, maxLength: 200, description: 'What has happened, in one sentence.' }),
    incidents: Type.Array(Type.Union(incidentKinds.map((kind) => Type.Literal(kind))), {
      minItems: 1,
      maxItems: incidentKinds.length,
      description: 'Kinds of incident that it is for.',
    }),
    steps: Type.Array(Step, { minItems: 1, maxItems: 30, description: 'In their order.' }),
  },
  { description: 'What is done about a kind of incident.' },
);
export type Playbook = Static<typeof Playbook>;

/** One step in one shape. */
export interface PlannedStep {
  readonly action: Action;
  readonly text: string;
  readonly mode: 'automatic' | 'approval';
  readonly minutes: number | undefined;
}

export function plan(playbook: Playbook): PlannedStep[] {
  return playbook.steps.map((step) => {
    const [[action, settings]] = Object.entries(step) as [
      [Action, { text: string; mode?: 'automatic' | 'approval'; minutes?: number }],
    ];
    const mode = settings.mode ?? (action === 'notify' ? 'automatic' : 'approval');
    return { action, text: settings.text, mode, minutes: settings.minutes };
  });
}

const shipped = join(import.meta.dirname, 'playbooks');
const mostBytes = 64 * 1024;
const mostFiles = 100;

/**
 * Those that come with the edge, and those of `folder` (`*.yaml`), which take the place of shipped ones of the same name.
 *
 * Two of one name in the folder, or two for one kind of incident there, are refused.
 */
export function loadPlaybooks(folder?: string): Result<Playbook[], ConfigProblem[]> {
  const problems: ConfigProblem[] = [];
  const read = (from: string): Playbook[] => {
    const found: Playbook[] = [];
    const files = readdirSync(from)
      .filter((name) => name.endsWith('.yaml'))
      .sort();
    for (const name of files.slice(0, mostFiles)) {
      const file = join(from, name);
      const yaml = readYamlFile(file, mostBytes);
      if (!yaml.ok) {
        problems.push(...yaml.error);
        continue;
      }
      const report = new Report(file, yaml.value);
      const playbook = validate(Playbook, yaml.value.root, '', report) as Playbook;
      if (report.problems.length === 0) {
        if (found.some((other) => other.name === playbook.name))
          report.value(
            'name',
            `\`${playbook.name}\` is the name of another playbook in ${from}`,
            'Choose another name.',
          );
        for (const kind of playbook.incidents)
          if (found.some((other) => other.incidents.includes(kind)))
            report.value(
              'incidents',
              `another playbook in ${from} is for \`${kind}\` too`,
              'Keep one of the two.',
            );
      }
      problems.push(...report.problems);
      found.push(playbook);
    }
    return found;
  };
  const ours = read(shipped);
  let own: Playbook[] = [];
  if (folder !== undefined) {
    try {
      own = read(folder);
    } catch (error) {
      problems.push({
        file: folder,
        line: 0,
        column: 0,
        key: '',
        problem: `the folder of playbooks cannot be read (${error instanceof Error ? error.message : String(error)})`,
        instead: 'Make it, or take `incidents.playbooks` out.',
      });
    }
  }
  if (problems.length > 0) return err(problems);
  const replaced = new Set(own.map(({ name }) => name));
  return ok([...own, ...ours.filter(({ name }) => !replaced.has(name))]);
}
