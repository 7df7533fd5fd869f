import { readGrade } from '../call/padlock.ts';
import { listCalls } from '../store/call-rows.ts';
import type { CallRecord } from '../store/contract.ts';
import { flag, type Invocation, text } from './command.ts';
import { exitCode } from './exit-code.ts';
import { configurationOf, readStore } from './home.ts';
import { complain, print, printable, printJson, table } from './terminal.ts';
import { UsageError } from './usage-error.ts';

export function run({ action, names, values }: Invocation): number {
  const loaded = configurationOf(values);
  if (action === 'show') {
    const [call] = readStore(loaded, (database) => listCalls(database, { limit: 1, id: names[0] })) ?? [];
    if (call === undefined) {
      complain(`There is no call ${names[0]}; \`ringfence cdr list\` shows which there are.`);
      return exitCode.failed;
    }
    if (flag(values, 'json')) printJson(opened(call));
    else print(details(call));
    return exitCode.done;
  }
  const limit = Number(text(values, 'limit') ?? '20');
  if (!Number.isInteger(limit) || limit < 1 || limit > 100_000)
    throw new UsageError('--limit is a number from 1 to 100000', 'cdr');
  const calls =
    readStore(loaded, (database) =>
      listCalls(database, { limit, domain: text(values, 'domain')?.toLowerCase() }),
    ) ?? [];
  if (flag(values, 'json')) for (const call of calls) print(JSON.stringify(opened(call)));
  else if (calls.length === 0) print('No calls yet.');
  else
    print(
      table(
        ['CALL', 'STARTED', 'SECONDS', 'FROM', 'TO', 'ROUTE', 'RESULT', 'STATUS', 'PROTECTION'],
        calls.map(row),
      ),
    );
  return exitCode.done;
}

const row = (call: CallRecord): string[] => [
  call.id,
  new Date(call.startedAt).toISOString().slice(0, 19).replace('T', ' '),
  call.answeredAt === undefined || call.endedAt === undefined
    ? '-'
    : String(Math.round((call.endedAt - call.answeredAt) / 1000)),
  call.caller,
  call.callee,
  call.route || '-',
  call.disposition === 'answered' || call.disposition === 'live'
    ? call.disposition
    : `${call.disposition} (${call.cause})`,
  String(call.status),
  readGrade(call.grade)?.grade ?? '-',
];

/** JSON texts inside the record become values. */
const opened = (call: CallRecord) => ({
  ...call,
  decision: value(call.decision),
  grade: value(call.grade),
  ...(call.cost === undefined ? {} : { cost: value(call.cost) }),
  legs: call.legs.map((leg) => ({ ...leg, protection: value(leg.protection), quality: value(leg.quality) })),
});

function value(json: string): unknown {
  if (json === '') return null;
  try {
    return JSON.parse(json) as unknown;
  } catch {
    return json;
  }
}

function details(call: CallRecord): string {
  const grade = readGrade(call.grade);
  const head =
    grade === undefined
      ? ''
      : `${[grade.sentence, grade.detail]
          .filter((text) => text !== '')
          .map(printable)
          .join('\n')}\n\n`;
  return head + JSON.stringify(opened(call), null, 2).split('\n').map(printable).join('\n');
}
