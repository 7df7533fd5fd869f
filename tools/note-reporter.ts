import { appendFileSync } from 'node:fs';

interface TestEvent {
  readonly type: string;
  readonly data: {
    readonly name?: string;
    readonly file?: string;
    readonly skip?: string | boolean;
    readonly todo?: string | boolean;
    readonly nesting?: number;
  };
}

function note(file: string | undefined, line: object): void {
  if (file !== undefined) appendFileSync(file, `${JSON.stringify(line)}\n`);
}

/**
 * A reporter for `node --test`: each skipped test as a JSON line to the file in RINGFENCE_SKIPS, each test of the
 * outermost level that failed to the one in RINGFENCE_FAILURES.
 */
// biome-ignore lint/style/noDefaultExport: the test runner takes a reporter's default export
export default async function* notes(source: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  for await (const { type, data } of source) {
    if (type !== 'test:pass' && type !== 'test:fail') continue;
    const { name = '', file = '' } = data;
    const reason = data.skip ?? data.todo;
    if (reason !== undefined && reason !== false)
      note(process.env.RINGFENCE_SKIPS, { name, file, reason: reason === true ? '' : reason });
    else if (type === 'test:fail' && (data.nesting ?? 0) === 0)
      note(process.env.RINGFENCE_FAILURES, { name, file });
  }
  yield '';
}
