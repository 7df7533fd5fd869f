import { err, ok, type Result } from '@ringfence/bytes/result.ts';
import type { ConfigProblem } from '../config/problem.ts';
import { parseYaml, readYamlFile, type YamlFile } from '../config/read-yaml.ts';
import { Report, validate } from '../config/validate.ts';
import { ObjectsFile } from './schema.ts';

/** Some tens of thousands of users. */
const maximumBytes = 8 * 1024 * 1024;

/** A file whose every value has the right shape; whether they fit together is for `planChanges` to say. */
export interface ReadObjects {
  readonly file: string;
  readonly objects: ObjectsFile;
  /** Reports against the file's lines. */
  report(): Report;
}

export function readObjectsFile(file: string): Result<ReadObjects, ConfigProblem[]> {
  const read = readYamlFile(file, maximumBytes);
  return read.ok ? shape(read.value) : read;
}

/** The same for text that did not come from a file, such as standard input. */
export function readObjectsText(name: string, text: string): Result<ReadObjects, ConfigProblem[]> {
  if (text.length > maximumBytes) {
    return err([
      {
        file: name,
        line: 0,
        column: 0,
        key: '',
        problem: `has more than ${maximumBytes} bytes`,
        instead: 'Split it.',
      },
    ]);
  }
  const read = parseYaml(name, text);
  return read.ok ? shape(read.value) : read;
}

function shape(yaml: YamlFile): Result<ReadObjects, ConfigProblem[]> {
  const report = new Report(yaml.file, yaml);
  const objects = validate(ObjectsFile, yaml.root, '', report) as ObjectsFile;
  if (report.problems.length > 0) return err(report.problems);
  return ok({ file: yaml.file, objects, report: () => new Report(yaml.file, yaml) });
}
