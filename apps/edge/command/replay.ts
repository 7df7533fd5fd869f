import { resolve } from 'node:path';
import { MisuseError } from '@ringfence/bytes/misuse.ts';
import { shippedRuleSets } from '@ringfence/fraud/rules.ts';
import type { LoadedConfiguration } from '../config/load.ts';
import { modesIn } from '../fraud/behaviour/keep.ts';
import { readRuleFile } from '../fraud/behaviour/rule-file.ts';
import type { NotJudged } from '../fraud/replay/capture/call-assembler.ts';
import type { RowProblem } from '../fraud/replay/csv.ts';
import { readMoment, readZone } from '../fraud/replay/moment.ts';
import { type ClassPrices, dialledPricingOf, pricingOf } from '../fraud/replay/pricing.ts';
import { callsOf } from '../fraud/replay/read-file.ts';
import { Replay, type ReplayResult } from '../fraud/replay/replay.ts';
import { storedCalls } from '../fraud/replay/stored-calls.ts';
import { readTried, type Tried, tenantRules } from '../fraud/replay/tenant-rules.ts';
import { UnusableFile } from '../fraud/replay/unusable-file.ts';
import { Numbers } from '../routing/numbers.ts';
import { openReadOnly } from '../store/database.ts';
import { listSpend } from '../store/spend-rows.ts';
import { flag, type Invocation, text, type Values } from './command.ts';
import { secondsOf } from './duration.ts';
import { exitCode } from './exit-code.ts';
import { configurationOf, homeFolder, RefusedError } from './home.ts';
import { complain, print, printable, printJson } from './terminal.ts';
import { UsageError } from './usage-error.ts';

/** Faults that are told one by one. */
const toldProblems = 20;

/** `ringfence replay`: what rules would have done with the calls of a file, or with those that the edge has kept. */
export async function run({ names: [file], values }: Invocation): Promise<number> {
  const stored = flag(values, 'stored');
  if (stored === (file !== undefined))
    throw new UsageError('name one file, or `--stored` for the calls of this edge', 'replay');
  const zoneText = text(values, 'zone');
  const zone = zoneText === undefined ? undefined : readZone(zoneText);
  if (zoneText !== undefined && zone === undefined)
    throw new UsageError('--zone is a time zone such as +01:00 or Z', 'replay');
  const tried = triedOf(values);
  const since = sinceOf(values, zone);
  const loaded = configurationOf(values);
  const asked: Asked = { loaded, zone, since, domain: text(values, 'domain')?.toLowerCase(), tried };
  const bar = new ProgressBar();
  const problems = new Problems(bar);
  let replay: Replay | undefined;
  try {
    replay = file === undefined ? replayStored(asked, bar) : await replayFile(file, asked, problems, bar);
  } catch (error) {
    bar.clear();
    if (!(error instanceof UnusableFile) && !isFileError(error)) throw error;
    complain(printable(`${file}: ${error.message}`));
    return exitCode.failed;
  }
  bar.clear();
  const result = replay.finish();
  problems.finish();
  if (flag(values, 'json')) printJson({ ...result, problems: problems.count });
  else print(told(result));
  return exitCode.done;
}

interface Asked {
  readonly loaded: LoadedConfiguration;
  readonly zone: number | undefined;
  readonly since: number;
  readonly domain: string | undefined;
  readonly tried: Tried | undefined;
}

function replayStored({ loaded, since, domain, tried }: Asked, bar: ProgressBar): Replay {
  const { config } = loaded;
  const database = openReadOnly(resolve(homeFolder(), config.store.file));
  try {
    const modes = modesIn(listSpend(database));
    const replay = new Replay(tenantRules(config.fraud, Date.now(), tried, modes));
    const options = {
      since,
      domain,
      price: dialledPricingOf(pricesOf(loaded), numbersOf(loaded), homeOf(loaded)),
      progress: (read: number, of: number) => bar.show(read, of, replay.calls),
    };
    for (const call of storedCalls(database, options)) replay.take(call);
    return replay;
  } finally {
    database.close();
  }
}

async function replayFile(file: string, asked: Asked, problems: Problems, bar: ProgressBar): Promise<Replay> {
  const { loaded, zone, domain, tried } = asked;
  const { config } = loaded;
  const numbers = numbersOf(loaded);
  const replay = new Replay(tenantRules(config.fraud, Date.now(), tried));
  const options = {
    zone,
    domain: domain ?? config.domain,
    price: pricingOf(pricesOf(loaded), homeOf(loaded)),
    dialledPrice: dialledPricingOf(pricesOf(loaded), numbers, homeOf(loaded)),
    isEmergency: (dialled: string) => numbers.isEmergency(dialled),
    problem: (problem: RowProblem) => problems.tell(problem),
    notJudged: ({ names, unproven }: NotJudged) => {
      if (names + unproven === 0) return;
      bar.clear();
      complain(
        `Not judged: ${names} calls to names or for help, ${unproven} whose callers were asked for credentials and gave none that held.`,
      );
    },
    progress: (read: number, of: number) => bar.show(read, of, replay.calls),
  };
  for await (const call of callsOf(file, options)) replay.take(call);
  return replay;
}

const pricesOf = ({ config }: LoadedConfiguration): ClassPrices =>
  Object.fromEntries(Object.entries(config.fraud.prices).map(([kind, price]) => [kind, Number(price)]));
const homeOf = ({ config }: LoadedConfiguration): string => config.numbers.country.toUpperCase();
const numbersOf = ({ config }: LoadedConfiguration): Numbers =>
  new Numbers(config.numbers.country, config.numbers.emergency);

const isFileError = (error: unknown): error is Error =>
  error instanceof Error && 'code' in error && !(error instanceof MisuseError);

/** Rules to be tried; what is wrong with a file of them is told by line. */
function triedOf(values: Values): Tried | undefined {
  const given = text(values, 'rules');
  if (given === undefined) return undefined;
  const tried = readTried(given);
  for (const name of [tried.usual, ...tried.tenants.map(({ rules }) => rules)]) {
    if (name === undefined || shippedRuleSets.some((set) => set.name === name)) continue;
    const read = readRuleFile(name);
    if (!read.ok) throw new RefusedError(read.error);
  }
  return tried;
}

function sinceOf(values: Values, zone: number | undefined): number {
  const given = text(values, 'since');
  if (given === undefined) return 0;
  if (!flag(values, 'stored')) throw new UsageError('--since goes with --stored', 'replay');
  if (/^[0-9]{1,8}[smhd]$/.test(given)) return Date.now() - secondsOf(given) * 1_000;
  const at = readMoment(given, zone);
  if (typeof at === 'string')
    throw new UsageError(`--since ${at}, or 12h or 30d for the last ones`, 'replay');
  return at;
}

/** The first faults one by one, the others by their number. */
class Problems {
  readonly #bar: ProgressBar;
  count = 0;

  constructor(bar: ProgressBar) {
    this.#bar = bar;
  }

  tell({ row, column, problem, place = 'row' }: RowProblem): void {
    this.count += 1;
    if (this.count > toldProblems) return;
    this.#bar.clear();
    complain(printable(`${place} ${row}${column === 0 ? '' : `, column ${column}`}: ${problem}`));
  }

  finish(): void {
    if (this.count > toldProblems)
      complain(`… and ${this.count - toldProblems} more that could not be read as they are.`);
  }
}

const money = (amount: number): string => amount.toFixed(2);
const percent = (share: number): string => `${(share * 100).toFixed(3)} %`;

function told(result: ReplayResult): string {
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
    rules,
  } = result;
  const all = stopped.challenge + stopped.block + stopped['cut-off'];
  return [
    `${calls} calls out and ${incoming} in, judged by ${rules.length === 0 ? 'no rules' : rules.map(({ name, version }) => `${name} (version ${version})`).join(', ')}; they cost ${money(cost)}.`,
    `${all} would have been stopped: ${stopped.challenge} asked to prove themselves, ${stopped.block} refused, ${stopped['cut-off']} cut off; ${watched} only watched. ${money(saved)} saved.`,
    ...Object.entries(byRule).map(([rule, of]) => `  ${rule}: ${of.calls} calls, ${money(of.saved)} saved`),
    labelled === undefined
      ? `The records do not say which calls were fraud; if none was, ${percent(touchedShare)} of the calls would have been touched for nothing.`
      : `${labelled.fraudCallsStopped} of ${labelled.fraudCalls} calls of ${labelled.frauds} frauds stopped; of ${money(labelled.fraudCost)} that they cost ${money(labelled.fraudCostLeft)} would have been left. False alarms: ${labelled.falseAlarms}, ${percent(touchedShare)} of the other calls.`,
    ...examples.map(
      (one) =>
        `${new Date(one.at).toISOString()}  ${one.action}  ${whoOf(one)} -> ${one.called}${one.fraud === '' ? '' : ` (${one.fraud})`}: ${one.sentence}`,
    ),
    ...(evicted > 0 ? [`${evicted} accounts, tenants or calls had to make room in memory.`] : []),
  ]
    .map(printable)
    .join('\n');
}

/** Accounts of the edge name their tenant themselves. */
const whoOf = ({ account, domain }: { account: string; domain: string }): string =>
  account.endsWith(`@${domain}`) ? account : `${account}@${domain}`;

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
