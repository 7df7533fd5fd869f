import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { isTolerated } from './skips.ts';

const folder = mkdtempSync(join(tmpdir(), 'ringfence-runner-'));
after(() => rmSync(folder, { recursive: true, force: true }));

function write(name: string, body: string): string {
  const file = join(folder, name);
  writeFileSync(file, `import { test } from 'node:test';\n${body}\n`);
  return file;
}

const run = (name: string, body: string, env: Record<string, string> = {}) =>
  runFiles([write(name, body)], env);

function runFiles(files: readonly string[], env: Record<string, string> = {}) {
  // a runner within a runner would report to the outer one
  const { NODE_TEST_CONTEXT: _, CI: __, ...rest } = process.env;
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [fileURLToPath(new URL('./test.ts', import.meta.url)), ...files],
    {
      env: { ...rest, ...env },
      encoding: 'utf8',
    },
  );
  return { status, text: stdout + stderr };
}

test('the runner passes on its closing lines and exit code', () => {
  const good = run('good.test.mjs', "test('holds', () => {});");
  assert.equal(good.status, 0, good.text);
  assert.match(good.text, /ℹ pass 1/);
  assert.match(good.text, /no test was skipped/);
  const bad = run('bad.test.mjs', "test('breaks', () => { throw new Error('so it is'); });");
  assert.equal(bad.status, 1);
  assert.match(bad.text, /so it is/);
});

test('skipped tests are named; a skip without a tolerated reason fails the run', () => {
  const corpus = run(
    'corpus.test.mjs',
    "test('reads them', { skip: 'corpus rfc4475 is absent' }, () => {});",
  );
  assert.equal(corpus.status, 0, corpus.text);
  assert.match(corpus.text, /reads them \(corpus rfc4475 is absent\)/);
  const lazy = run('lazy.test.mjs', "test('later', { skip: true }, () => {});");
  assert.equal(lazy.status, 1);
  assert.match(lazy.text, /not tolerated/);
});

test('a program that is not installed is tolerated outside CI only', () => {
  const body = "test('calls', { skip: 'sipp is not installed' }, () => {});";
  assert.equal(run('program.test.mjs', body).status, 0);
  const ci = run('program.test.mjs', body, { CI: 'true' });
  assert.equal(ci.status, 1);
  assert.match(ci.text, /not tolerated in CI/);
  assert.equal(isTolerated('sipp is not installed', true), false);
});

test('what fails beside others is run again alone: it is named, and fails the run if it fails again', () => {
  const good = write('steady.test.mjs', "test('holds', () => {});");
  const mark = join(folder, 'been-here');
  const unsteady = write(
    'unsteady.test.mjs',
    `import { existsSync, writeFileSync } from 'node:fs';
     test('holds the second time', () => {
       if (existsSync(${JSON.stringify(mark)})) return;
       writeFileSync(${JSON.stringify(mark)}, '');
       throw new Error('starved');
     });`,
  );
  const first = runFiles([good, unsteady]);
  assert.equal(first.status, 0, first.text);
  assert.match(first.text, /starved/);
  assert.match(first.text, /UNSTEADY.*holds the second time/s);
  const broken = write('broken.test.mjs', "test('breaks', () => { throw new Error('so it is'); });");
  const second = runFiles([good, broken]);
  assert.equal(second.status, 1);
  assert.doesNotMatch(second.text, /UNSTEADY/);
  const dies = write('dies.test.mjs', 'process.exit(3);');
  const third = runFiles([good, dies]);
  assert.equal(third.status, 1);
  assert.match(third.text, /run again alone/);
});
