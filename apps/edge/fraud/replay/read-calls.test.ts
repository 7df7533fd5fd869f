import { deepEqual, equal, match, ok, rejects } from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import type { LabelledCall } from '@ringfence/fraud/simulate/types.ts';
import type { RowProblem } from './csv.ts';
import { longestLine } from './lines.ts';
import { pricingOf, usualPrices } from './pricing.ts';
import { readCalls } from './read-calls.ts';

const folder = mkdtempSync(join(tmpdir(), 'replay-'));
after(() => rmSync(folder, { recursive: true }));

async function read(
  text: string | Uint8Array,
  zone?: number,
): Promise<{ calls: LabelledCall[]; problems: RowProblem[] }> {
  const file = join(folder, 'calls');
  writeFileSync(file, text);
  const calls: LabelledCall[] = [];
  const problems: RowProblem[] = [];
  const options = {
    zone,
    domain: 'example.test',
    price: pricingOf(usualPrices, 'DE'),
    problem: (problem: RowProblem) => problems.push(problem),
  };
  for await (const call of readCalls(file, options)) calls.push(call);
  return { calls, problems };
}

describe('call records of others', () => {
  it('are read by the names that their columns have there, and priced where they say nothing of it', async () => {
    const { calls, problems } = await read(
      '\ufeffcalldate;src;dst;billsec;accountcode;disposition\r\n2026-05-01 09:00:00;"4930;1";0053512345678;65;alice;ANSWERED\r\n',
      60,
    );
    deepEqual(problems, []);
    const [call] = calls;
    equal(call?.facts.at, Date.UTC(2026, 4, 1, 8));
    equal(call?.facts.called, '53512345678'.replace('535', '535'));
    equal(call?.facts.country, 'CU');
    equal(call?.facts.risk, 'high');
    equal(call?.seconds, 65);
    equal(call?.facts.account, 'alice');
  });

  it('as JSON lines name their tenant, and what was fraud', async () => {
    const { calls } = await read(
      '{"start_time":1777626000,"destination_number":"+4930123456","duration":12,"domain":"a.test","label":"irsf#1"}\n{"start_time":"2026-05-01T09:00:01Z","destination_number":"4930123456","fraud":false}\n',
    );
    deepEqual(
      calls.map(({ facts, fraud }) => [facts.domain, facts.risk, fraud]),
      [
        ['a.test', 'home', 'irsf#1'],
        ['example.test', 'home', ''],
      ],
    );
  });

  it('with faults are told by row and column, and the others are read', async () => {
    const { calls, problems } = await read(
      [
        'start,called,seconds,mood',
        '2026-05-01T09:00:00Z,4930123456,10,glad',
        '2026-05-01 09:00:00,4930123456,10,no zone',
        '2026-02-31T09:00:00Z,4930123456,10,no such day',
        '2026-05-01T09:00:02Z,alice,10,no number',
        '2026-05-01T09:00:03Z,4930123456,-4,negative',
        '2026-05-01T09:00:04Z,4930123456',
        '2026-05-01T09:00:05Z,"4930123456,10,open quote',
        '2026-04-01T09:00:06Z,4930123456,10,clock jump',
        '2026-05-01T09:00:07Z,49301',
      ].join('\n'),
    );
    equal(calls.length, 2);
    deepEqual(
      problems.map(({ row, column }) => [row, column]),
      [
        [1, 4],
        [3, 1],
        [4, 1],
        [5, 2],
        [6, 3],
        [7, 2],
        [8, 2],
        [9, 1],
        [10, 2],
        [10, 0],
      ],
    );
    match(problems[1]!.problem, /--zone/);
    match(problems[7]!.problem, /clock goes back by 720 hours/);
    match(problems[9]!.problem, /not complete/);
  });

  it('without a column that is needed, or without anything, are refused whole', async () => {
    await rejects(read('when,whom\n1,2\n'), /row 1: no column for `start`; there are when, whom/);
    await rejects(read(''), /empty/);
  });

  it('of any bytes and any length take bounded memory', async () => {
    const long = `start,called\n${'9'.repeat(longestLine * 3)}\n2026-05-01T09:00:00Z,4930123456\n`;
    const { calls, problems } = await read(long);
    equal(calls.length, 1);
    match(problems[0]!.problem, /64 KiB/);
    const bytes = new Uint8Array(200_000);
    for (let i = 0; i < bytes.length; i += 1) bytes[i] = (i * 7919) % 256;
    const text = new TextEncoder().encode('start,called\n');
    const mixed = new Uint8Array(text.length + bytes.length);
    mixed.set(text);
    mixed.set(bytes, text.length);
    ok((await read(mixed)).problems.length > 0);
  });
});
