import { existsSync, mkdirSync, readdirSync, symlinkSync } from 'node:fs';
import { join, relative } from 'node:path';
import { repositoryRoot } from './imports.ts';

/**
 * Links packages of ours that came with a newer commit than the last `npm ci`, as npm itself would: a package of ours
 * needs nothing from the registry, so nobody has to install anything for it.
 */
export function linkWorkspaces(root: string = repositoryRoot): void {
  const scope = join(root, 'node_modules/@ringfence');
  if (!existsSync(join(root, 'node_modules'))) return;
  mkdirSync(scope, { recursive: true });
  for (const floor of ['packages', 'native', 'apps'])
    for (const name of readdirSync(join(root, floor))) {
      const link = join(scope, name);
      if (existsSync(join(root, floor, name, 'package.json')) && !existsSync(link))
        symlinkSync(relative(scope, join(root, floor, name)), link);
    }
}
