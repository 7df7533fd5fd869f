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

test('the UDP socket under AddressSanitizer and UndefinedBehaviorSanitizer finds nothing', {
  skip: existsSync(runtime) ? false : 'the compiler or its AddressSanitizer runtime is absent',
}, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'ringfence-asan-'));
  try {
    const target = join(folder, 'datagram.node');
    const { problem } = await buildAddon(addon, target, { sanitize: 'address,undefined' });
    assert.equal(problem, undefined);
    const { NODE_TEST_CONTEXT: _, ...environment } = process.env;
    const run = spawnSync(
      process.execPath,
      ['--test', '--test-reporter=tap', fileURLToPath(new URL('./socket.test.ts', import.meta.url))],
      {
        encoding: 'utf8',
        env: {
          ...environment,
          LD_PRELOAD: runtime,
          ASAN_OPTIONS: 'detect_leaks=0:halt_on_error=1:exitcode=99',
          UBSAN_OPTIONS: 'halt_on_error=1:print_stacktrace=1',
          RINGFENCE_DATAGRAM_ADDON: target,
        },
      },
    );
    const passed = /^# pass (\d+)$/m.exec(run.stdout)?.[1];
    assert.equal(run.status, 0, `${run.stdout.slice(-3000)}\n${run.stderr.slice(-3000)}`);
    assert.ok(Number(passed) >= 7, `only ${passed} tests ran`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
