import { formatProblem } from '../config/problem.ts';
import { loadPlaybooks } from '../incidents/playbook.ts';
import { flag, type Invocation, text } from './command.ts';
import { exitCode } from './exit-code.ts';
import { configurationOf, RefusedError } from './home.ts';
import { describeChanges, readObjects, tryObjects } from './objects-input.ts';
import { complain, print, printJson } from './terminal.ts';

export async function run({ values }: Invocation): Promise<number> {
  const json = flag(values, 'json');
  try {
    const loaded = configurationOf(values);
    const { playbooks } = loaded.config.incidents;
    const read = loadPlaybooks(playbooks === '' ? undefined : playbooks);
    if (!read.ok) throw new RefusedError(read.error);
    if (flag(values, 'patches')) {
      const { checkPatches } = await import('./check-patches.ts');
      return checkPatches(loaded.config, json);
    }
    const file = text(values, 'file');
    const changes =
      file === undefined
        ? []
        : tryObjects(loaded, await readObjects(file), {
            defaultDomain: loaded.config.domain,
            prune: false,
            weakPasswords: false,
          });
    if (json) printJson({ ok: true, file: loaded.file ?? null, warnings: loaded.warnings, changes });
    else {
      for (const { key, meaning } of loaded.warnings) complain(`dangerous: ${key}: ${meaning}`);
      print(`${loaded.file ?? 'The embedded defaults'}: no problems.`);
      if (file !== undefined)
        print(`${file}: no problems. Applying it would do this:\n${describeChanges(changes)}`);
    }
    return exitCode.done;
  } catch (error) {
    if (!(error instanceof RefusedError)) throw error;
    if (json) printJson({ ok: false, problems: error.problems });
    else {
      for (const problem of error.problems) complain(formatProblem(problem));
      complain(`${error.problems.length} ${error.problems.length === 1 ? 'problem' : 'problems'}.`);
    }
    return exitCode.configurationRefused;
  }
}
