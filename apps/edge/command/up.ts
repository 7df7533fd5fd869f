import { mkdirSync } from 'node:fs';
import { ensureCertificates } from '../certificates/node-certificates.ts';
import type { LoadedConfiguration } from '../config/load.ts';
import type { Invocation } from './command.ts';
import { text } from './command.ts';
import { compileCacheFolder, compileOnce } from './compile-cache.ts';
import { handover, handoverBytes, youngMegabytes } from './handover.ts';
import { configurationOf, homeFolder } from './home.ts';

/**
 * Checks the configuration, then turns this process into the serving one.
 *
 * The checking libraries and the type stripper cost 50 MB that a daemon has no use for, so the process replaces its
 * program by a fresh one (execve: same pid, same terminal) that starts from compiled code. Where that is not
 * possible, it serves as it is.
 */
export async function run({ values }: Invocation): Promise<number> {
  const home = homeFolder();
  const configFile = text(values, 'config');
  const given = process.env[handover];
  delete process.env[handover];
  let loaded: LoadedConfiguration;
  if (given === undefined) {
    loaded = configurationOf(values);
    mkdirSync(home, { recursive: true, mode: 0o700 });
    // issues what is missing now, and refuses what cannot be used, before anything is listened on
    ensureCertificates({ home, config: loaded.config, now: Date.now });
    const json = JSON.stringify(loaded);
    if (json.length < handoverBytes) await becomeServer(home, json);
  } else {
    loaded = JSON.parse(given) as LoadedConfiguration;
  }
  const { serve } = await import('./serve.ts');
  return serve({ home, loaded, configFile });
}

async function becomeServer(home: string, json: string): Promise<void> {
  const cache = compileCacheFolder(home);
  if (process.execve === undefined || process.platform === 'win32' || cache === undefined) return;
  await compileOnce(cache, () => Promise.all([import('./serve.ts'), import('../store/worker.ts')]));
  const [node = process.execPath, ...args] = [
    process.execPath,
    '--disable-warning=ExperimentalWarning',
    `--max-semi-space-size=${youngMegabytes}`,
    ...process.execArgv,
    ...process.argv.slice(1),
  ];
  process.execve(node, [node, ...args], { ...process.env, NODE_COMPILE_CACHE: cache, [handover]: json });
}
