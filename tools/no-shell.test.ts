import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Configuration } from '../apps/edge/config/schema.ts';
import { ObjectsFile } from '../apps/edge/objects/schema.ts';
import { repositoryRoot } from './imports.ts';

const sources = ['packages', 'native', 'apps'].flatMap((folder) =>
  globSync(`${folder}/**/*.{ts,mts,mjs}`, {
    cwd: repositoryRoot,
    exclude: (path) => path.includes('node_modules'),
  }).filter((file) => !file.includes('.test.') && !file.includes('/testing/')),
);

test('S18: no program is run through a shell', () => {
  assert.ok(sources.length > 400, String(sources.length));
  const wrong: string[] = [];
  for (const file of sources) {
    const text = readFileSync(join(repositoryRoot, file), 'utf8');
    if (!text.includes('node:child_process')) continue;
    const imported = /import \{([^}]*)\} from 'node:child_process'/.exec(text)?.[1] ?? '';
    const names = imported.split(',').map((name) => name.trim().replace(/^type /, ''));
    for (const name of names)
      if (name === 'exec' || name === 'execSync' || name === 'fork') wrong.push(`${file}: ${name}`);
    if (/\bshell:\s*(?!false)/.test(text)) wrong.push(`${file}: shell`);
    if (/\beval\(|new Function\(/.test(text)) wrong.push(`${file}: eval`);
  }
  assert.deepEqual(wrong, []);
});

/** Every key of a schema, at every depth. */
function* keys(schema: unknown): Generator<string> {
  if (typeof schema !== 'object' || schema === null) return;
  const { properties } = schema as { properties?: Record<string, unknown> };
  for (const [key, below] of Object.entries(properties ?? {})) {
    yield key;
    yield* keys(below);
  }
  for (const [key, below] of Object.entries(schema))
    if (key !== 'properties' && typeof below === 'object') yield* keys(below);
}

test('S18: no key of configuration or objects names a program, a script or a command', () => {
  const all = [...keys(Configuration), ...keys(ObjectsFile)];
  assert.ok(all.length > 150, String(all.length));
  assert.deepEqual(
    all.filter(
      (key) => /exec|script|command|hook(?!s?Url)|program|shell/i.test(key) && !/^web[hH]ook/.test(key),
    ),
    [],
  );
});
