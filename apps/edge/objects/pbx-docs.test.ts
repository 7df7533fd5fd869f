import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { Secret } from '@ringfence/bytes/secret.ts';
import { formatProblem } from '../config/problem.ts';
import { prepareDatabase } from '../store/database.ts';
import { Sealer } from '../store/seal.ts';
import { applyObjects } from './import.ts';
import { readObjectsText } from './read.ts';

const folder = new URL('../../../docs/pbx/', import.meta.url);

/** What an administrator pastes: the YAML of a page that is no ringfence.yaml. */
const blocksOf = (page: string): string[] =>
  [...readFileSync(new URL(page, folder), 'utf8').matchAll(/```yaml\n([^`]*)```/g)].flatMap(
    ([, text = '']) => (text.includes('listeners:') ? [] : [text]),
  );

for (const page of readdirSync(folder))
  test(`the objects in docs/pbx/${page} can be applied as they stand`, () => {
    const blocks = blocksOf(page);
    assert.ok(blocks.length > 0);
    for (const text of blocks) {
      const database = new DatabaseSync(':memory:');
      prepareDatabase(database, 'memory', 0);
      const read = readObjectsText(page, text);
      const applied = read.ok
        ? applyObjects(database, new Sealer(new Secret(new Uint8Array(32))), read.value, {
            defaultDomain: 'example.com',
            prune: false,
            dryRun: false,
            weakPasswords: false,
          })
        : read;
      assert.ok(applied.ok, applied.ok ? '' : applied.error.map(formatProblem).join('\n'));
      assert.ok(applied.value.length > 0);
    }
  });
