import type { Configuration } from '../config/schema.ts';
import { patchesOf } from '../patches/shipped.ts';
import { tryPatches } from '../patches/trial.ts';
import { exitCode } from './exit-code.ts';
import { complain, print, printJson, table } from './terminal.ts';

/** `ringfence check --patches`: the set has been verified when it was read; here each patch shows that it works. */
export function checkPatches({ patches: settings }: Configuration, json: boolean): number {
  const set = patchesOf(settings.file);
  const trials = tryPatches(set);
  const unknown = [...settings.on, ...settings.off].filter((id) => !set.patches.some((one) => one.id === id));
  const use = (id: string, harmless: boolean): string => {
    if (!settings.enabled || settings.off.includes(id)) return 'off';
    return harmless || settings.on.includes(id) ? 'always' : 'by product';
  };
  const rows = trials.map(({ patch, problems }) => ({
    id: patch.id,
    version: patch.version,
    use: use(patch.id, patch.harmless),
    cve: patch.cve,
    affected: patch.affected.map(({ product, fixedIn }) =>
      fixedIn === undefined ? product : `${product} before ${fixedIn.join(', ')}`,
    ),
    title: patch.title,
    link: patch.link,
    problems,
  }));
  const failed = rows.filter(({ problems }) => problems.length > 0);
  if (json) printJson({ ok: failed.length === 0, serial: set.serial, unknown, patches: rows });
  else {
    print(
      table(
        ['patch', 'use', 'cve', 'for', 'what'],
        rows.map(({ id, use: used, cve, affected, title }) => [
          id,
          used,
          cve[0] ?? '',
          affected.join('; '),
          title,
        ]),
      ),
    );
    for (const id of unknown) complain(`there is no patch ${id} in this set`);
    for (const { id, problems } of failed) for (const problem of problems) complain(`${id}: ${problem}`);
    print(
      `\nSet ${set.serial}, signature valid: ${rows.length} patches, ${rows.length - failed.length} block their example and let its counter-example pass.`,
    );
  }
  return failed.length === 0 ? exitCode.done : exitCode.configurationRefused;
}
