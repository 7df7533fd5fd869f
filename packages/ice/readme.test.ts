import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

test('README: the worked example runs, and prints what it says', () => {
  const readme = readFileSync(new URL('README.md', import.meta.url), 'utf8');
  const example = readme.slice(readme.indexOf('## Example')).split('```')[1]!.replace('ts\n', '');
  const said = example
    .split('\n')
    .filter((line) => line.startsWith('// '))
    .map((line) => line.slice(3));
  assert.equal(said.length, 3);
  const printed = execFileSync(process.execPath, ['--input-type=module-typescript', '-'], {
    cwd: new URL('.', import.meta.url),
    input: example,
    encoding: 'utf8',
    timeout: 30_000,
  });
  assert.deepEqual(printed.trim().split('\n'), said);
});
