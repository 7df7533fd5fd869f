import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { checkImports, circles, importsOf, judge } from './imports.ts';

test('imports are found in all their forms, and not in comments or texts', () => {
  const source = [
    "import a from './a.ts';",
    "import type { B } from '@ringfence/sip/b.ts';",
    'import {',
    '  c,',
    "} from './c.ts';",
    "export { d } from './d.ts';",
    "export type * from './e.ts';",
    "import './f.ts';",
    "const g = await import('./g.ts');",
    "const h = new Worker(new URL('./h.ts', import.meta.url));",
    "// import x from './comment.ts';",
    "/* import x from './comment.ts'; */",
    'const text = `',
    "import x from './text.ts';",
    '`;',
    'const s = "import x from \'./text.ts\'";',
  ].join('\n');
  const found = importsOf(source);
  assert.deepEqual(
    found.map(({ specifier }) => specifier),
    ['./a.ts', '@ringfence/sip/b.ts', './c.ts', './d.ts', './e.ts', './f.ts', './g.ts', './h.ts'],
  );
  assert.deepEqual(
    found.filter((i) => i.typeOnly).map((i) => i.specifier),
    ['@ringfence/sip/b.ts', './e.ts'],
  );
  assert.deepEqual(
    found.filter((i) => i.lazy).map((i) => i.line),
    [9, 10],
  );
  assert.equal(found[2]?.line, 5);
});

for (const [from, to, allowed] of [
  ['apps/edge/a.ts', 'packages/sip/a.ts', true],
  ['apps/edge/a.ts', 'native/relay/a.ts', true],
  ['native/relay/a.ts', 'packages/srtp/a.ts', true],
  ['packages/sip/a.ts', 'packages/bytes/a.ts', true],
  ['packages/sip/a.ts', 'packages/sdp/a.ts', false],
  ['packages/srtp/a.ts', 'packages/rtp/a.ts', false],
  ['packages/bytes/a.ts', 'packages/sip/a.ts', false],
  ['packages/sip/a.ts', 'apps/edge/a.ts', false],
  ['native/relay/a.ts', 'apps/edge/a.ts', false],
  ['apps/edge/a.ts', 'packages/testkit/a.ts', false],
  ['apps/edge/a.test.ts', 'packages/testkit/a.ts', true],
  ['packages/testkit/a.ts', 'packages/sip/a.ts', true],
  ['packages/testkit/a.ts', 'apps/edge/a.ts', false],
  ['apps/edge/a.ts', 'apps/edge/b.test.ts', false],
  ['apps/edge/a.ts', 'apps/edge/testing/b.ts', false],
  ['apps/console/a.ts', 'apps/edge/b.ts', false],
  ['packages/new/a.ts', 'packages/bytes/b.ts', false],
] as const) {
  test(`${from} ${allowed ? 'may' : 'must not'} import ${to}`, () => {
    assert.equal(judge(from, to) === undefined, allowed);
  });
}

test('circles are told by their shortest way, once for all files in them', () => {
  const graph = new Map(
    Object.entries({
      a: [{ to: 'b' }],
      b: [{ to: 'c' }, { to: 'a' }],
      c: [{ to: 'b' }],
      d: [{ to: 'd' }],
      e: [{ to: 'a' }],
    }),
  );
  assert.deepEqual(circles(graph), [
    ['a', 'b', 'a'],
    ['c', 'b', 'c'],
    ['d', 'd'],
  ]);
});

test('a tree with a wrong import, a circle, a barrel and a missing file is told of each', () => {
  const root = mkdtempSync(join(tmpdir(), 'ringfence-imports-'));
  try {
    const files: Record<string, string> = {
      'packages/sip/a.ts': "import '@ringfence/sdp/x.ts';\nimport './b.ts';",
      'packages/sip/b.ts': "import './a.ts';\nimport type { T } from './c.ts';",
      'packages/sip/c.ts': "import './b.ts';\nimport '@ringfence/sip';\nimport './missing.ts';",
      'packages/sdp/x.ts': "import '../sip/c.ts';",
    };
    for (const [file, text] of Object.entries(files)) {
      mkdirSync(dirname(join(root, file)), { recursive: true });
      writeFileSync(join(root, file), text);
    }
    const { problems } = checkImports(root);
    const all = problems.map(({ file, line, problem }) => `${file}:${line} ${problem}`).join('\n');
    assert.match(all, /packages\/sip\/a\.ts:1 .*rooms of one floor/);
    assert.match(all, /sip\/a\.ts -> packages\/sip\/b\.ts -> packages\/sip\/a\.ts/);
    assert.match(all, /c\.ts:2 .*no barrel/);
    assert.match(all, /c\.ts:3 .*no such file/);
    assert.match(all, /x\.ts:1 .*as @ringfence\/sip/);
    assert.equal(problems.length, 5);
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
});
