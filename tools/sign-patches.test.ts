import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { compilePatches, patchFolder } from './sign-patches.ts';

const file = join(patchFolder, 'patches.yaml');
const yaml = readFileSync(file, 'utf8');

test('the set that is signed is what the YAML says', () => {
  const { text, problems } = compilePatches(file, yaml);
  assert.deepEqual(problems, []);
  assert.equal(
    readFileSync(join(patchFolder, 'patches.json'), 'utf8'),
    text,
    'sign it anew: docs/patches.md',
  );
});

test('a patch that does not block its example, or that says what no patch says, is not signed', () => {
  const toothless = compilePatches(file, yaml.replace('numberAbove: 65535', 'numberAbove: 2147483647'));
  assert.deepEqual(toothless.problems, []);
  const wrong = compilePatches(file, yaml.replace('RTP/AVP 4294967296', 'RTP/AVP 0'));
  assert.deepEqual(wrong.problems, ['RF-2018-02: its example passes']);
  const unknown = compilePatches(file, yaml.replace('nameEndsIn: control', 'nameMatches: control'));
  assert.ok(unknown.problems.length > 0 && unknown.text === '');
});
