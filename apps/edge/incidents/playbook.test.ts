import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { formatProblem } from '../config/problem.ts';
import { loadPlaybooks, plan } from './playbook.ts';

const folders: string[] = [];
after(() => {
  for (const folder of folders) rmSync(folder, { recursive: true });
});

const own = (files: Readonly<Record<string, string>>): string => {
  const folder = mkdtempSync(join(tmpdir(), 'ringfence-playbooks-'));
  folders.push(folder);
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  return folder;
};

const problems = (folder: string): string => {
  const loaded = loadPlaybooks(folder);
  assert.ok(!loaded.ok);
  return loaded.error.map(formatProblem).join('\n');
};

const scan = `name: scan
version: 7
title: Somebody scans.
incidents: [scan]
steps:
  - ban: { text: For a day., mode: automatic, minutes: 1440 }
  - task: { text: Tell the provider. }
`;

describe('playbooks', () => {
  it('one of the same name takes the place of ours, before all others', () => {
    const loaded = loadPlaybooks(own({ 'scan.yaml': scan, 'readme.txt': 'not one' }));
    assert.ok(loaded.ok);
    assert.equal(loaded.value.filter(({ name }) => name === 'scan').length, 1);
    assert.equal(loaded.value[0]?.version, 7);
    assert.deepEqual(plan(loaded.value[0]!), [
      { action: 'ban', text: 'For a day.', mode: 'automatic', minutes: 1440 },
      { action: 'task', text: 'Tell the provider.', mode: 'approval', minutes: undefined },
    ]);
  });

  it('mistakes are told with file, line and what to write instead', () => {
    const text = problems(
      own({ 'a.yaml': scan.replace('ban:', 'bann:').replace('[scan]', '[scann]'), 'b.yaml': 'name: [' }),
    );
    assert.match(text, /a\.yaml:4:\d+: incidents\[0\]:.*Did you mean `scan`/);
    assert.match(text, /a\.yaml:6:\d+: steps\[0\]\.bann:.*unknown.*Did you mean `ban`/);
    assert.match(text, /b\.yaml:/);
    assert.match(
      problems(own({ 'a.yaml': scan, 'b.yaml': scan.replace('name: scan', 'name: other') })),
      /b\.yaml:4:\d+: incidents: another playbook in .* is for `scan` too/,
    );
    assert.match(problems('/nonexistent/playbooks'), /cannot be read.*Make it/);
  });
});
