/** Options, order, table and exit code of a run of interop cases; for one script as for all of them. */
import { parseArgs } from 'node:util';
import { edgePresent } from '../edge.ts';
import { type Case, type Outcome, runCase } from './case.ts';

/** So many cases that may run beside each other do so: they wait for timers more than for the processor. */
const BESIDE = 6;

/**
 * Runs cases one after another and sets the exit code: 0 only if none failed.
 *
 * `--only TEXT[,TEXT]` takes those whose name contains one of the texts, `--json` prints a JSON line a case in place of the table,
 * `--peers-only` joins the peers without the edge. A case whose program is missing is skipped by name; with CI=true
 * in the environment it fails, but for what no distribution has (`unset`).
 */
export async function runCases(cases: readonly Case[]): Promise<void> {
  const { values } = parseArgs({
    options: {
      only: { type: 'string' },
      json: { type: 'boolean', default: false },
      'peers-only': { type: 'boolean', default: false },
    },
  });
  const strict = process.env.CI === 'true';
  const chosen = cases.filter(
    (one) =>
      (one.peersOnly ?? false) === values['peers-only'] &&
      (values.only ?? '').split(',').some((text) => one.name.includes(text)),
  );
  if (chosen.length === 0) {
    process.stderr.write(`no case is named like \`${values.only}\`\n`);
    process.exitCode = 2;
    return;
  }
  if (!values['peers-only'] && !edgePresent()) {
    process.stderr.write('apps/edge/main.ts is not there: nothing to join the peers to\n');
    process.exitCode = 2;
    return;
  }
  const outcomes: Outcome[] = [];
  const perform = async (one: Case): Promise<void> => {
    let outcome = await runCase(one);
    // Real programs with sound in real time: a starved machine breaks a row, but not twice.
    if (outcome.result === 'failed') {
      process.stderr.write(`again   ${outcome.name}: ${outcome.evidence}\n`);
      const first = outcome.evidence;
      outcome = await runCase(one);
      if (outcome.result === 'passed')
        outcome = { ...outcome, evidence: `${outcome.evidence}; IN THE SECOND RUN, the first: ${first}` };
    }
    const may = one.unset !== undefined && process.env[one.unset] === undefined;
    if (strict && outcome.result === 'skipped' && !may) outcome = { ...outcome, result: 'failed' };
    outcomes.push(outcome);
    if (values.json) process.stdout.write(`${JSON.stringify(outcome)}\n`);
    else process.stderr.write(`${outcome.result.padEnd(8)}${outcome.name} (${outcome.seconds} s)\n`);
  };
  const waiting = [...chosen];
  for (let one = waiting.shift(); one !== undefined; one = waiting.shift()) {
    if (one.beside === undefined) {
      await perform(one);
      continue;
    }
    const group = [one];
    while (waiting[0]?.beside === one.beside) group.push(waiting.shift()!);
    await Promise.all(
      Array.from({ length: BESIDE }, async () => {
        for (let next = group.shift(); next !== undefined; next = group.shift()) await perform(next);
      }),
    );
  }
  if (!values.json) process.stdout.write(`\n${table(outcomes)}\n`);
  const count = (result: Outcome['result']) => outcomes.filter((outcome) => outcome.result === result).length;
  if (!values.json) {
    process.stdout.write(
      `\n${count('passed')} passed, ${count('failed')} failed, ${count('skipped')} skipped\n`,
    );
  }
  process.exitCode = count('failed') === 0 ? 0 : 1;
  // Nothing is left to wait for; a peer's socket that lingers must not hold the process.
  process.exit();
}

function table(outcomes: readonly Outcome[]): string {
  const rows = [
    ['case', 'peer', 'version', 'what', 'result', 'evidence'],
    ...outcomes.map(({ name, peer, version, what, result, evidence }) => [
      name,
      peer,
      version ?? '–',
      what,
      result,
      evidence.replaceAll('\n', ' '),
    ]),
  ];
  // The last column is left to run on.
  const widths = rows[0]!
    .slice(0, -1)
    .map((_, index) => Math.max(...rows.map((cells) => cells[index]!.length)));
  return rows
    .map((cells) => cells.map((cell, index) => cell.padEnd(widths[index] ?? 0)).join('  '))
    .join('\n');
}
