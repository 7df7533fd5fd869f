import { existsSync } from 'node:fs';
import { type RuleSet, shippedRuleSets, shippedRules } from '@ringfence/fraud/rules.ts';
import { readRuleFile } from '../fraud/behaviour/rule-file.ts';
import type { RowProblem } from '../fraud/replay/csv.ts';
import { readZone } from '../fraud/replay/moment.ts';
import { pricingOf } from '../fraud/replay/pricing.ts';
import { readCalls, UnusableFile } from '../fraud/replay/read-calls.ts';
import { Replay, type ReplayResult } from '../fraud/replay/replay.ts';
import { flag, type Invocation, text } from './command.ts';
import { exitCode } from './exit-code.ts';
import { configurationOf, RefusedError } from './home.ts';
import { complain, print, printable, printJson } from './terminal.ts';
import { UsageError } from './usage-error.ts';

/** Faults that are told one by one. */
const toldProblems = 20;

/** `ringfence replay FILE`: what rules would have done with the calls of a file. */
export async function run({ names, values }: Invocation): Promise<number> {
  const [file = '-'] = names;
  const rules = rulesOf(text(values, 'rules'));
  const zoneText = text(values, 'zone');
  const zone = zoneText === undefined ? undefined : readZone(zoneText);
  if (zoneText !== undefined && zone === undefined)
    throw new UsageError('--zone is a time zone such as +01:00 or Z', 'replay');
  const { config } = configurationOf(values);
  const prices = Object.fromEntries(
    Object.entries(config.fraud.prices).map(([kind, price]) => [kind, Number(price)]),
  );
  const replay = new Replay(() => rules);
  const bar = new ProgressBar();
  let problems = 0;
  const problem = ({ row, column, problem: what }: RowProblem): void => {
    problems += 1;
    if (problems > toldProblems) return;
    bar.clear();
    complain(printable(`row ${row}${column === 0 ? '' : `, column ${column}`}: ${what}`));
  };
  try {
    for await (const call of readCalls(file, {
      zone,
      domain: text(values, 'domain') ?? config.domain,
      price: pricingOf(prices, config.numbers.country.toUpperCase()),
      problem,
      progress: (read, of) => bar.show(read, of, replay.calls),
    }))
      replay.take(call);
  } catch (error) {
    bar.clear();
    if (!(error instanceof UnusableFile) && !isNodeError(error)) throw error;
    complain(`${file}: ${error.message}`);
    return exitCode.failed;
  }
  bar.clear();
  const result = replay.finish();
  if (problems > toldProblems)
    complain(`… and ${problems - toldProblems} more rows that could not be read as they are.`);
  if (flag(values, 'json')) printJson({ ...result, problems });
  else print(told(result, rules));
  return exitCode.done;
}

const isNodeError = (error: unknown): error is Error => error instanceof Error && 'code' in error;

function rulesOf(given: string | undefined): RuleSet {
  if (given === undefined) return shippedRules;
  const shipped = shippedRuleSets.find(({ name }) => name === given);
  if (shipped !== undefined && !existsSync(given)) return shipped;
  const read = readRuleFile(given);
  if (!read.ok) throw new RefusedError(read.error);
  return read.value;
}

const money = (amount: number): string => amount.toFixed(2);
const percent = (share: number): string => `${(share * 100).toFixed(3)} %`;

function told(result: ReplayResult, rules: RuleSet): string {
  const {
    calls,
    incoming,
    cost,
    stopped,
    watched,
    saved,
    byRule,
    labelled,
    touchedShare,
    examples,
    evicted,
  } = result;
  const all = stopped.challenge + stopped.block + stopped['cut-off'];
  return [
    `${calls} calls out and ${incoming} in, judged by ${rules.name} (version ${rules.version}); they cost ${money(cost)}.`,
    `${all} would have been stopped: ${stopped.challenge} asked to prove themselves, ${stopped.block} refused, ${stopped['cut-off']} cut off; ${watched} only watched. ${money(saved)} saved.`,
    ...Object.entries(byRule).map(([rule, of]) => `  ${rule}: ${of.calls} calls, ${money(of.saved)} saved`),
    labelled === undefined
      ? `The records do not say which calls were fraud; if none was, ${percent(touchedShare)} of the calls would have been touched for nothing.`
      : `${labelled.fraudCallsStopped} of ${labelled.fraudCalls} calls of ${labelled.frauds} frauds stopped; of ${money(labelled.fraudCost)} that they cost ${money(labelled.fraudCostLeft)} would have been left. False alarms: ${labelled.falseAlarms}, ${percent(touchedShare)} of the other calls.`,
    ...examples.map(
      (one) =>
        `${new Date(one.at).toISOString()}  ${one.action}  ${one.account}@${one.domain} -> ${one.called}${one.fraud === '' ? '' : ` (${one.fraud})`}: ${one.sentence}`,
    ),
    ...(evicted > 0 ? [`${evicted} accounts, tenants or calls had to make room in memory.`] : []),
  ]
    .map(printable)
    .join('\n');
}

/** One line on a terminal, nothing anywhere else. */
class ProgressBar {
  #shownAt = 0;
  #shown = false;

  show(read: number, of: number, calls: number): void {
    const now = performance.now();
    if (process.stderr.isTTY !== true || now - this.#shownAt < 200) return;
    this.#shownAt = now;
    this.#shown = true;
    const share = of > 0 ? Math.min(1, read / of) : 0;
    const bar =
      of > 0 ? `[${'#'.repeat(Math.round(share * 30)).padEnd(30)}] ${Math.round(share * 100)} %  ` : '';
    process.stderr.write(`\r${bar}${calls} calls\u001b[K`);
  }

  clear(): void {
    if (this.#shown) process.stderr.write('\r\u001b[K');
    this.#shown = false;
  }
}
