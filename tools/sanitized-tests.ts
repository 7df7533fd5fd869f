import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Addon, buildAddon, findCompiler } from './build-addon.mjs';

const compiler = findCompiler();
const runtime = compiler
  ? spawnSync(compiler, ['-print-file-name=libasan.so'], { encoding: 'utf8' }).stdout.trim()
  : '';

/** Why tests cannot run under the sanitizers here; false where they can. */
export const sanitizersAbsent: string | false = existsSync(runtime)
  ? false
  : 'the compiler or its AddressSanitizer runtime is absent';

/**
 * Builds an addon under AddressSanitizer and UndefinedBehaviorSanitizer and runs test files with it.
 *
 * `variable` tells the addon's door which build to load. Fails where a test or a sanitizer complains, or where fewer
 * than `least` tests ran.
 */
export async function runSanitized(
  addon: Addon,
  variable: string,
  files: readonly URL[],
  least: number,
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'ringfence-asan-'));
  try {
    const target = join(folder, 'sanitized.node');
    const { problem } = await buildAddon(addon, target, { sanitize: 'address,undefined' });
    assert.equal(problem, undefined);
    // Without the mark of a test inside a test, so that it reports as one of its own.
    const { NODE_TEST_CONTEXT: _, ...environment } = process.env;
    const run = spawnSync(
      process.execPath,
      ['--test', '--test-reporter=tap', ...files.map((file) => fileURLToPath(file))],
      {
        encoding: 'utf8',
        env: {
          ...environment,
          LD_PRELOAD: runtime,
          // Node itself frees nothing at its end.
          ASAN_OPTIONS: 'detect_leaks=0:halt_on_error=1:exitcode=99',
          UBSAN_OPTIONS: 'halt_on_error=1:print_stacktrace=1',
          [variable]: target,
        },
      },
    );
    const passed = /^# pass (\d+)$/m.exec(run.stdout)?.[1];
    assert.equal(run.status, 0, `${run.stdout.slice(-3000)}\n${run.stderr.slice(-3000)}`);
    assert.ok(Number(passed) >= least, `only ${passed} tests ran`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
