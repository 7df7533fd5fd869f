import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import { UsageError } from './usage-error.ts';

export const print = (text: string): void => {
  process.stdout.write(`${text}\n`);
};

export const printJson = (value: unknown): void =>
  print(JSON.stringify(value, null, process.stdout.isTTY ? 2 : 0));

export const complain = (text: string): void => {
  process.stderr.write(`${text}\n`);
};

/** Standard input as UTF-8 text of at most `maximum` bytes. */
export async function readStandardInput(maximum: number): Promise<string> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of process.stdin) {
    length += chunk.length;
    if (length > maximum) throw new UsageError(`standard input has more than ${maximum} bytes`);
    chunks.push(chunk as Uint8Array);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** Asks without showing what is typed. */
export function askHidden(question: string): Promise<string> {
  if (process.stdin.isTTY !== true)
    throw new UsageError('there is no terminal to ask on; use --password-stdin');
  process.stderr.write(question);
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() });
  const lines = createInterface({ input: process.stdin, output: silent, terminal: true });
  return new Promise((resolve) => {
    lines.question('', (answer) => {
      lines.close();
      process.stderr.write('\n');
      resolve(answer);
    });
  });
}

/** Left-aligned columns under their headings. */
export function table(headings: readonly string[], rows: readonly (readonly string[])[]): string {
  const safe = rows.map((row) => row.map(printable));
  const widths = headings.map((heading, i) =>
    Math.max(heading.length, ...safe.map((row) => row[i]?.length ?? 0)),
  );
  return [headings, ...safe]
    .map((row) =>
      row
        .map((cell, i) => (i === row.length - 1 ? cell : cell.padEnd(widths[i] ?? 0)))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** What peers wrote cannot move the cursor. */
export const printable = (value: string): string =>
  [...value].map((c) => (c < ' ' || (c >= '\u007f' && c < '\u00a0') ? '?' : c)).join('');
