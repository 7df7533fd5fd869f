import { err, ok, type Result } from '@ringfence/bytes/result.ts';

/** A fault in a file, where it stands. */
export interface RowProblem {
  readonly row: number;
  /** From 1; 0: the row as a whole. */
  readonly column: number;
  readonly problem: string;
  /** What `row` counts; default: rows. */
  readonly place?: 'row' | 'packet' | 'line';
}

/** Commas, semicolons or tabs: whichever the heading has most of. */
export function separatorOf(heading: string): string {
  let best = ',';
  let most = 0;
  for (const separator of [',', ';', '\t']) {
    const count = heading.split(separator).length;
    if (count > most) {
      most = count;
      best = separator;
    }
  }
  return best;
}

const mostFields = 512;

/** Fields of one line (RFC 4180); text in quotes may hold the separator and doubled quotes, but no line end. */
export function splitRow(text: string, separator: string, row: number): Result<string[], RowProblem> {
  const fields: string[] = [];
  let at = 0;
  for (;;) {
    if (fields.length >= mostFields) return err({ row, column: mostFields, problem: 'too many fields' });
    if (text[at] === '"') {
      let value = '';
      at += 1;
      for (;;) {
        const end = text.indexOf('"', at);
        if (end === -1)
          return err({ row, column: fields.length + 1, problem: 'a quote that does not end in its line' });
        value += text.slice(at, end);
        at = end + 1;
        if (text[at] !== '"') break;
        value += '"';
        at += 1;
      }
      if (at < text.length && text[at] !== separator)
        return err({ row, column: fields.length + 1, problem: 'text after the closing quote' });
      fields.push(value);
    } else {
      const end = text.indexOf(separator, at);
      fields.push(text.slice(at, end === -1 ? text.length : end).trim());
      at = end === -1 ? text.length : end;
    }
    if (at >= text.length) return ok(fields);
    at += 1;
  }
}
