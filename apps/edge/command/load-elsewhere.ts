import { configurationOf, RefusedError } from './home.ts';

/** Program of a short-lived process: writes the checked configuration as JSON, or its problems to stderr. */
try {
  process.stdout.write(JSON.stringify(configurationOf({ config: process.argv[2] })));
} catch (error) {
  process.stderr.write(error instanceof RefusedError ? error.message : String(error));
  process.exitCode = 1;
}
