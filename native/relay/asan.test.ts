import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { buildAddon, findCompiler } from '../../tools/build-addon.mjs';
import { addon } from './build.mjs';

const compiler = findCompiler();
const runtime = compiler
  ? spawnSync(compiler, ['-print-file-name=libasan.so'], { encoding: 'utf8' }).stdout.trim()
  : '';

test('the packet path under AddressSanitizer and UndefinedBehaviorSanitizer finds nothing', {
  skip: existsSync(runtime) ? false : 'the compiler or its AddressSanitizer runtime is absent',
}, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'ringfence-asan-'));
  try {
    const target = join(folder, 'relay.node');
    const { problem } = await buildAddon(addon, target, { sanitize: 'address,undefined' });
    assert.equal(problem, undefined);
    const here = (name: string) => fileURLToPath(new URL(name, import.meta.url));
    // Without the mark of a test inside a test, so that it reports as one of its own.
    const { NODE_TEST_CONTEXT: _, ...environment } = process.env;
    const run = spawnSync(
      process.execPath,
      [
        '--test',
        '--test-reporter=tap',
        here('./twin.test.ts'),
        here('./rfc-vectors.test.ts'),
        here('./relaying-in-process.test.ts'),
      ],
      {
        encoding: 'utf8',
        env: {
          ...environment,
          LD_PRELOAD: runtime,
          // Node itself frees nothing at its end.
          ASAN_OPTIONS: 'detect_leaks=0:halt_on_error=1:exitcode=99',
          UBSAN_OPTIONS: 'halt_on_error=1:print_stacktrace=1',
          RINGFENCE_RELAY_ADDON: target,
        },
      },
    );
    const passed = /^# pass (\d+)$/m.exec(run.stdout)?.[1];
    assert.equal(run.status, 0, `${run.stdout.slice(-3000)}\n${run.stderr.slice(-3000)}`);
    assert.ok(Number(passed) >= 40, `only ${passed} tests ran`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
