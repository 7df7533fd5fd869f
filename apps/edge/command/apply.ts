import { flag, type Invocation, text } from './command.ts';
import { exitCode } from './exit-code.ts';
import { configurationOf, withStore } from './home.ts';
import { applyOrRefuse, describeChanges, readObjects, tryObjects } from './objects-input.ts';
import { print, printJson } from './terminal.ts';
import { UsageError } from './usage-error.ts';

export async function run({ values }: Invocation): Promise<number> {
  const file = text(values, 'file');
  if (file === undefined)
    throw new UsageError('`ringfence apply` needs -f FILE, or -f - for standard input', 'apply');
  const loaded = configurationOf(values);
  const read = await readObjects(file);
  const options = {
    defaultDomain: loaded.config.domain,
    prune: flag(values, 'prune'),
    weakPasswords: flag(values, 'dangerous-weak-password'),
  };
  const dryRun = flag(values, 'dry-run');
  const changes = dryRun
    ? tryObjects(loaded, read, options)
    : withStore(loaded, (open) => applyOrRefuse(open, read, { ...options, dryRun: false }));
  if (flag(values, 'json')) printJson({ applied: !dryRun, changes });
  else
    print(
      `${describeChanges(changes)}${dryRun && changes.length > 0 ? '\nNothing was changed (--dry-run).' : ''}`,
    );
  return exitCode.done;
}
