import { spawn, spawnSync } from 'node:child_process';
import { existsSync, globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { repositoryRoot } from './imports.ts';
import { isTolerated } from './skips.ts';
import { linkWorkspaces } from './workspaces.ts';

/**
 * `npm test`: every *.test.ts of packages, native, apps, tools and test/system through Node's own runner.
 *
 * Arguments go to the runner; those that name files replace the list. Exit code is the runner's, or 1 where a test
 * was skipped for a reason that tools/skips.ts does not tolerate.
 */
const patterns = [
  'packages/**/*.test.ts',
  'native/**/*.test.ts',
  'apps/**/*.test.ts',
  'tools/**/*.test.ts',
  'test/system/**/*.test.ts',
];

function buildAddons(): void {
  for (const name of ['relay', 'datagram']) {
    const folder = join(repositoryRoot, 'native', name);
    if (existsSync(join(folder, 'build', `${name}.node`))) continue;
    console.log(`native/${name} is not built yet; building it.`);
    const { status } = spawnSync(process.execPath, [join(folder, 'build.mjs')], {
      cwd: folder,
      stdio: 'inherit',
    });
    if (status !== 0 || !existsSync(join(folder, 'build', `${name}.node`))) {
      console.error(`native/${name} could not be built: install g++ and try again.`);
      process.exit(1);
    }
  }
}

function run(files: readonly string[], options: readonly string[], skips: string): Promise<number> {
  const args = [
    '--disable-warning=ExperimentalWarning',
    '--test',
    // several files wait on sockets and processes rather than compute
    `--test-concurrency=${Math.max(2, availableParallelism())}`,
    '--test-reporter=spec',
    '--test-reporter-destination=stdout',
    `--test-reporter=${join(repositoryRoot, 'tools/skip-reporter.ts')}`,
    '--test-reporter-destination=stderr',
    ...options,
    ...files,
  ];
  return new Promise((resolve) => {
    const child = spawn(process.execPath, args, {
      cwd: repositoryRoot,
      stdio: 'inherit',
      env: { ...process.env, RINGFENCE_SKIPS: skips },
    });
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => child.kill(signal));
    child.on('close', (code) => resolve(code ?? 1));
  });
}

interface Skip {
  readonly name: string;
  readonly file: string;
  readonly reason: string;
}

function readSkips(file: string): Skip[] {
  if (!existsSync(file)) return [];
  return readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Skip);
}

const given = process.argv.slice(2);
const named = given.filter((arg) => !arg.startsWith('-'));
const options = given.filter((arg) => arg.startsWith('-'));
const files =
  named.length > 0
    ? named
    : globSync(patterns, { cwd: repositoryRoot, exclude: (path) => path.includes('node_modules') }).sort();
if (files.length === 0) {
  console.error('No test files were found.');
  process.exit(1);
}
linkWorkspaces();
buildAddons();
const folder = mkdtempSync(join(tmpdir(), 'ringfence-test-'));
try {
  const skipFile = join(folder, 'skips');
  const code = await run(files, options, skipFile);
  const skipped = readSkips(skipFile);
  // a filter by name reports everything else as skipped
  const filtered = options.some((option) => /^--test-(?:name-pattern|skip-pattern|only)/.test(option));
  const inCi = process.env.CI === 'true';
  const refused = filtered ? [] : skipped.filter(({ reason }) => !isTolerated(reason, inCi));
  const line = ({ name, file, reason }: Skip) =>
    `  ${relative(repositoryRoot, file)}: ${name}${reason === '' ? '' : ` (${reason})`}`;
  if (filtered) console.log('Some tests were left out by name.');
  else if (skipped.length === 0) console.log(`${files.length} test files; no test was skipped.`);
  else console.log(`${files.length} test files; skipped:\n${skipped.map(line).join('\n')}`);
  if (refused.length > 0) {
    console.error(
      `Skipped for a reason that is not tolerated${inCi ? ' in CI' : ''}:\n${refused.map(line).join('\n')}`,
    );
  }
  process.exitCode = code === 0 && refused.length > 0 ? 1 : code;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
