#!/usr/bin/env node
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { useCompileCache } from './command/compile-cache.ts';

/** The first release whose SQLite, type stripping and TLS groups we build on. */
const leastMajor = 24;

const bundled = fileURLToPath(new URL('../../node_modules/node/bin/node', import.meta.url));
if (Number(process.versions.node.split('.', 1)[0]) >= leastMajor) {
  useCompileCache(resolve(process.env.RINGFENCE_HOME || 'data'));
  const { runCommandLine } = await import('./command/main.ts');
  process.exitCode = await runCommandLine(process.argv.slice(2));
} else if (existsSync(bundled)) {
  const { status } = spawnSync(bundled, process.argv.slice(1), { stdio: 'inherit' });
  process.exitCode = status ?? 1;
} else {
  process.stderr.write(
    `Ringfence needs Node.js ${leastMajor} or newer, this is ${process.versions.node}. \`npm ci\` in its folder installs one beside it.\n`,
  );
  process.exitCode = 1;
}
