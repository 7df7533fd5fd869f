import type { LabelledCall } from '@ringfence/fraud/simulate/types.ts';
import { type RowProblem, separatorOf, splitRow } from './csv.ts';
import { type Field, type Fields, fieldOf } from './fields.ts';
import { linesOf } from './lines.ts';
import { type RecordOptions, readCall } from './record.ts';
import { UnusableFile } from './unusable-file.ts';

export interface ReadOptions extends RecordOptions {
  problem(problem: RowProblem): void;
  progress?(read: number, of: number): void;
}

/** A clock that goes back further than calls last. */
const jumpMs = 24 * 3_600_000;

const needed: readonly Field[] = ['start', 'called'];

/**
 * Calls of a file of call records, in its order: CSV with a heading, or JSON lines. What cannot be read is told by row
 * and column and left out.
 */
export async function* readCalls(file: string, options: ReadOptions): AsyncGenerator<LabelledCall> {
  const { problem } = options;
  let columns: (Field | undefined)[] | undefined;
  let separator = ',';
  let json = false;
  let last = 0;
  for await (const { row, text, half } of linesOf(file, options.progress)) {
    if (half && text === '') {
      problem({ row, column: 0, problem: 'the line is longer than 64 KiB' });
      continue;
    }
    if (text.trim() === '') continue;
    if (columns === undefined) {
      json = text.trimStart().startsWith('{');
      if (json) columns = [];
      else {
        separator = separatorOf(text);
        columns = headingOf(text, separator, row, problem);
        continue;
      }
    }
    const record = json ? readJson(text, row, problem) : readRow(text, separator, row, columns, problem);
    if (record === undefined) {
      if (half) problem({ row, column: 0, problem: 'the last line is not complete' });
      continue;
    }
    const call = readCall(record, row, options);
    if ('problem' in call) {
      problem({
        row,
        column: json ? 0 : columns.indexOf(call.field) + 1,
        problem: `\`${call.field}\` ${call.problem}`,
      });
      continue;
    }
    if (call.facts.at < last - jumpMs)
      problem({
        row,
        column: json ? 0 : columns.indexOf('start') + 1,
        problem: `the clock goes back by ${Math.round((last - call.facts.at) / 3_600_000)} hours; the call is taken as if it came now`,
      });
    last = Math.max(last, call.facts.at);
    yield call;
  }
  if (columns === undefined) throw new UnusableFile('the file is empty');
}

function headingOf(
  text: string,
  separator: string,
  row: number,
  problem: (problem: RowProblem) => void,
): (Field | undefined)[] {
  const split = splitRow(text, separator, row);
  if (!split.ok) throw new UnusableFile(`row ${row}, column ${split.error.column}: ${split.error.problem}`);
  const columns = split.value.map(fieldOf);
  for (const field of needed)
    if (!columns.includes(field))
      throw new UnusableFile(
        `row ${row}: no column for \`${field}\`; there are ${split.value.slice(0, 20).join(', ')}`,
      );
  for (const [i, field] of columns.entries()) {
    if (field === undefined)
      problem({
        row,
        column: i + 1,
        problem: `\`${split.value[i]?.slice(0, 40)}\` is not known and not read`,
      });
    else if (columns.indexOf(field) !== i) {
      problem({ row, column: i + 1, problem: `a second column for \`${field}\` is not read` });
      columns[i] = undefined;
    }
  }
  return columns;
}

function readRow(
  text: string,
  separator: string,
  row: number,
  columns: readonly (Field | undefined)[],
  problem: (problem: RowProblem) => void,
): Fields | undefined {
  const split = splitRow(text, separator, row);
  if (!split.ok) {
    problem(split.error);
    return undefined;
  }
  if (split.value.length !== columns.length) {
    problem({
      row,
      column: Math.min(split.value.length, columns.length),
      problem: `${split.value.length} fields where the heading has ${columns.length}`,
    });
    return undefined;
  }
  const record: Fields = {};
  for (const [i, field] of columns.entries()) if (field !== undefined) record[field] = split.value[i] ?? '';
  return record;
}

function readJson(text: string, row: number, problem: (problem: RowProblem) => void): Fields | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    problem({ row, column: 0, problem: 'the line is no JSON' });
    return undefined;
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    problem({ row, column: 0, problem: 'the line is no object' });
    return undefined;
  }
  const record: Fields = {};
  for (const [name, given] of Object.entries(value)) {
    const field = fieldOf(name);
    if (field !== undefined && record[field] === undefined && given !== null && typeof given !== 'object')
      record[field] = String(given);
  }
  return record;
}
