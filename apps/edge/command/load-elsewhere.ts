import { configurationOf, RefusedError } from './home.ts';

/**
 * Program of a short-lived process: writes the checked configuration as JSON, or its problems to stderr.
 * With `compile` it loads the daemon as well, which leaves it compiled, or says why it cannot be loaded.
 */
try {
  const [file, compile] = process.argv.slice(2);
  process.stdout.write(JSON.stringify(configurationOf(file === '' ? {} : { config: file })));
  if (compile !== undefined) await Promise.all([import('./serve.ts'), import('../store/worker.ts')]);
} catch (error) {
  process.stderr.write(error instanceof RefusedError ? error.message : String(error));
  process.exitCode = 1;
}
