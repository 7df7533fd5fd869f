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

/** Compiles what is not built, or was built from other sources; costs nothing where it is up to date. */
function buildAddons(): void {
  for (const name of ['relay', 'datagram']) {
    const folder = join(repositoryRoot, 'native', name);
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

interface Notes {
  readonly skips: string;
  readonly failures: string;
}

function run(
  files: readonly string[],
  options: readonly string[],
  concurrency: number,
  notes: Notes,
): Promise<number> {
  const args = [
    '--disable-warning=ExperimentalWarning',
    '--test',
    `--test-concurrency=${concurrency}`,
    '--test-reporter=spec',
    '--test-reporter-destination=stdout',
    `--test-reporter=${join(repositoryRoot, 'tools/note-reporter.ts')}`,
    '--test-reporter-destination=stderr',
    ...options,
    ...files,
  ];
  return new Promise((resolve) => {
    const child = spawn(process.execPath, args, {
      cwd: repositoryRoot,
      stdio: 'inherit',
      env: { ...process.env, RINGFENCE_SKIPS: notes.skips, RINGFENCE_FAILURES: notes.failures },
    });
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => child.kill(signal));
    child.on('close', (code) => resolve(code ?? 1));
  });
}

interface Note {
  readonly name: string;
  readonly file: string;
}

interface Skip extends Note {
  readonly reason: string;
}

function read<T extends Note>(file: string): T[] {
  if (!existsSync(file)) return [];
  return readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as T);
}

/** More files than this fail for a cause that no second run removes. */
const mostSecondRuns = 4;

/**
 * Runs the files that failed once more, one after another, with nothing beside them: many drive real programs and
 * sockets in real time, which a starved machine breaks. One that fails again fails the run; one that does not is named.
 */
async function runAgain(
  failures: readonly Note[],
  options: readonly string[],
  notes: Notes,
): Promise<boolean> {
  const again = [...new Set(failures.map(({ file }) => file))].filter((file) => file !== '');
  if (again.length === 0 || again.length > mostSecondRuns) return false;
  const list = failures.map(({ name, file }) => `  ${relative(repositoryRoot, file)}: ${name}`).join('\n');
  console.log(`\nFailed beside others, run again alone:\n${list}`);
  const code = await run(again, options, 1, { ...notes, failures: `${notes.failures}.again` });
  if (code === 0) console.log(`\nUNSTEADY: passed in the second run only:\n${list}`);
  return code === 0;
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
  const notes = { skips: join(folder, 'skips'), failures: join(folder, 'failures') };
  // several files wait on sockets and processes rather than compute
  let code = await run(files, options, Math.max(2, availableParallelism()), notes);
  if (code === 1 && files.length > 1 && (await runAgain(read(notes.failures), options, notes))) code = 0;
  const skipped = read<Skip>(notes.skips);
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
