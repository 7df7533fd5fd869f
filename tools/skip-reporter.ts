import { appendFileSync } from 'node:fs';

interface TestEvent {
  readonly type: string;
  readonly data: {
    readonly name?: string;
    readonly file?: string;
    readonly skip?: string | boolean;
    readonly todo?: string | boolean;
  };
}

/** A reporter for `node --test` that writes each skipped test as a JSON line to the file in RINGFENCE_SKIPS. */
// biome-ignore lint/style/noDefaultExport: the test runner takes a reporter's default export
export default async function* skips(source: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  const file = process.env.RINGFENCE_SKIPS;
  for await (const { type, data } of source) {
    if (type !== 'test:pass' && type !== 'test:fail') continue;
    const reason = data.skip ?? data.todo;
    if (reason === undefined || reason === false || file === undefined) continue;
    appendFileSync(
      file,
      `${JSON.stringify({ name: data.name ?? '', file: data.file ?? '', reason: reason === true ? '' : reason })}\n`,
    );
  }
  yield '';
}
