import { accessSync, constants, existsSync, mkdirSync } from 'node:fs';
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

/** From here on modules are taken from the cache, and put there when the process ends or `keep` is called. */
export function useCompileCache(home: string): void {
  const folder = compileCacheFolder(home);
  if (folder !== undefined) module.enableCompileCache(folder);
}

export const keepCompiled = (): void => module.flushCompileCache();
