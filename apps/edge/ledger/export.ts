import { parquetWriteBuffer } from 'hyparquet-writer';
import type { ReadableEntry } from './read.ts';

/** One entry, one line. */
export const jsonLine = (entry: ReadableEntry): string =>
  JSON.stringify({ ...entry, time: new Date(entry.time).toISOString(), body: entry.body ?? null });

const columns = ['sequence', 'time', 'class', 'tenant', 'body', 'persons', 'erased'] as const;
export const csvHeader = `${columns.join(',')}\r\n`;

/** RFC 4180; a text that a spreadsheet would take for a formula gets an apostrophe before it. */
export const csvLine = (entry: ReadableEntry): string =>
  `${[
    entry.sequence,
    new Date(entry.time).toISOString(),
    entry.class,
    entry.tenant,
    entry.body === undefined ? '' : JSON.stringify(entry.body),
    JSON.stringify(entry.persons),
    entry.erased,
  ]
    .map((value) => cell(String(value)))
    .join(',')}\r\n`;

const cell = (value: string): string => {
  const safe = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
};

/** A Parquet file; body and persons are JSON. */
export function parquetOf(entries: readonly ReadableEntry[]): Uint8Array {
  return new Uint8Array(
    parquetWriteBuffer({
      columnData: [
        { name: 'sequence', data: entries.map(({ sequence }) => BigInt(sequence)), type: 'INT64' },
        { name: 'time', data: entries.map(({ time }) => new Date(time)), type: 'TIMESTAMP' },
        { name: 'class', data: entries.map((entry) => entry.class), type: 'STRING' },
        { name: 'tenant', data: entries.map(({ tenant }) => tenant), type: 'STRING' },
        {
          name: 'body',
          data: entries.map(({ body }) => (body === undefined ? '' : JSON.stringify(body))),
          type: 'STRING',
        },
        { name: 'persons', data: entries.map(({ persons }) => JSON.stringify(persons)), type: 'STRING' },
        { name: 'erased', data: entries.map(({ erased }) => erased), type: 'INT32' },
      ],
    }),
  );
}
