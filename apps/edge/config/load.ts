import { existsSync } from 'node:fs';
import { dirname, join as joinPath, resolve } from 'node:path';
import { err, ok, type Result } from '@ringfence/bytes/result.ts';
import { checkConfiguration, type DangerousSetting } from './checks.ts';
import type { ConfigProblem } from './problem.ts';
import { readYamlFile, type Value } from './read-yaml.ts';
import { Configuration } from './schema.ts';
import { Report, validate } from './validate.ts';

export interface LoadedConfiguration {
  /** Defaults are filled in at every depth, `encryption` and `clientCertificate` of listeners included. */
  readonly config: Configuration;
  /** Settings that weaken the edge, to be logged at start and shown in the console. */
  readonly warnings: readonly DangerousSetting[];
  /** The file that was read; absent where the embedded defaults stand alone. */
  readonly file?: string;
}

/** Larger than any sensible file, small enough to parse in a blink. */
const maximumBytes = 256 * 1024;

/**
 * Reads `file`, or `ringfence.yaml` in the data folder, or takes the embedded defaults where neither is given.
 *
 * Pure but for reading: nothing is written, no listener is touched. PEM paths come back absolute; they are taken
 * relative to the file's folder.
 */
export function loadConfiguration(options: {
  readonly home: string;
  readonly file?: string | undefined;
}): Result<LoadedConfiguration, ConfigProblem[]> {
  const usual = joinPath(options.home, 'ringfence.yaml');
  const file = options.file ?? (existsSync(usual) ? usual : undefined);
  if (file === undefined) {
    const report = new Report('embedded defaults');
    return finish(null, report, options.home);
  }
  const read = readYamlFile(file, maximumBytes);
  if (!read.ok) return read;
  const loaded = finish(read.value.root, new Report(file, read.value), dirname(resolve(file)));
  return loaded.ok ? ok({ ...loaded.value, file }) : loaded;
}

function finish(root: Value, report: Report, folder: string): Result<LoadedConfiguration, ConfigProblem[]> {
  const value = validate(Configuration, root, '', report) as Configuration;
  if (report.problems.length > 0) return err(report.problems);
  const checked = checkConfiguration(value, folder, report);
  return report.problems.length > 0 ? err(report.problems) : ok(checked);
}
