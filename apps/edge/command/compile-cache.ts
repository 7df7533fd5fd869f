import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import module from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/**
 * Folder of compiled code: beside the dependencies where that may be written, else in the data folder.
 *
 * Code that comes from it needs no type stripper, which costs 20 MB of resident memory and a quarter of a second.
 * Whoever could write there could also change the program.
 */
export function compileCacheFolder(home: string): string | undefined {
  const modules = fileURLToPath(new URL('../../../node_modules', import.meta.url));
  for (const [parent, folder] of [
    [modules, join(modules, '.cache', 'ringfence')],
    [home, join(home, 'cache')],
  ] as const) {
    if (!existsSync(parent)) continue;
    try {
      mkdirSync(folder, { recursive: true, mode: 0o700 });
      accessSync(folder, constants.W_OK);
      return folder;
    } catch {
      // read-only: try the next
    }
  }
  return undefined;
}

/** From here on modules are taken from the cache, and put there when the process ends. */
export function useCompileCache(home: string): void {
  const folder = compileCacheFolder(home);
  if (folder !== undefined) module.enableCompileCache(folder);
}

/**
 * Has `load` compile the program once after each change of its sources, so that the serving process finds all of it
 * compiled.
 */
export async function compileOnce(folder: string, load: () => Promise<unknown>): Promise<void> {
  const mark = join(folder, `compiled-${process.version}-${sourcesMark()}`);
  if (existsSync(mark)) return;
  await load();
  module.flushCompileCache();
  for (const name of readdirSync(folder))
    if (name.startsWith('compiled-')) rmSync(join(folder, name), { force: true });
  writeFileSync(mark, '');
}

/** Number and latest change of the source files. */
function sourcesMark(): string {
  let latest = 0;
  let count = 0;
  for (const floor of ['apps', 'native', 'packages']) {
    const root = fileURLToPath(new URL(`../../../${floor}`, import.meta.url));
    if (!existsSync(root)) continue;
    for (const name of readdirSync(root, { recursive: true, encoding: 'utf8' })) {
      if (!name.endsWith('.ts') || name.endsWith('.test.ts') || name.includes('node_modules')) continue;
      count += 1;
      latest = Math.max(latest, statSync(join(root, name)).mtimeMs);
    }
  }
  return `${count}-${Math.floor(latest)}`;
}
