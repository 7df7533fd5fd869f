import { createReadStream, fstatSync } from 'node:fs';
import { open } from 'node:fs/promises';

/** One line of a file, without its end. */
export interface Line {
  /** From 1. */
  readonly row: number;
  readonly text: string;
  /** It did not end with a line end: the file was cut off in the middle, or is still being written. */
  readonly half: boolean;
}

/** Longer lines are no call records. */
export const longestLine = 64 * 1024;

/**
 * Lines of a file in memory of a few hundred kilobytes, whatever its size. Longer ones come as an empty text that is
 * cut off. UTF-8, with or without a byte order mark; other encodings show as replacement characters.
 *
 * @param progress told how many octets are read, of how many (0 where nobody knows).
 */
export async function* linesOf(
  file: string,
  progress: (read: number, of: number) => void = () => undefined,
): AsyncGenerator<Line> {
  const handle = file === '-' ? undefined : await open(file);
  const size = handle === undefined ? 0 : fstatSync(handle.fd).size;
  const stream =
    handle === undefined ? process.stdin : createReadStream('', { fd: handle, highWaterMark: 256 * 1024 });
  const decoder = new TextDecoder('utf-8');
  let row = 0;
  let rest = '';
  let tooLong = false;
  let read = 0;
  for await (const chunk of stream) {
    const bytes = chunk as Buffer;
    read += bytes.length;
    let text = rest + decoder.decode(bytes, { stream: true });
    let from = 0;
    for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', from)) {
      row += 1;
      const end = at > from && text.charCodeAt(at - 1) === 13 ? at - 1 : at;
      const line = text.slice(from, end);
      const long = tooLong || line.length > longestLine;
      yield { row, text: long ? '' : line, half: long };
      tooLong = false;
      from = at + 1;
    }
    text = text.slice(from);
    if (text.length > longestLine) {
      tooLong = true;
      text = '';
    }
    rest = text;
    progress(read, size);
  }
  rest += decoder.decode();
  if (rest !== '' || tooLong) yield { row: row + 1, text: tooLong ? '' : rest, half: true };
}
