import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { classify } from '@ringfence/tariff/destination.ts';
import { moneyText } from '@ringfence/tariff/money.ts';
import type { Rate } from '@ringfence/tariff/rate.ts';
import { ask } from '../control/client.ts';
import {
  importSheet,
  listSheets,
  loadSheets,
  openRates,
  rateFile,
  ratesOf,
  removeSheet,
} from '../fraud/rate-file.ts';
import { Prices, usualSheet } from '../fraud/rates.ts';
import { digitsOf, Numbers } from '../routing/numbers.ts';
import { flag, type Invocation, text, type Values } from './command.ts';
import { exitCode } from './exit-code.ts';
import { configurationOf, homeFolder } from './home.ts';
import { complain, print, printable, printJson, table } from './terminal.ts';
import { UsageError } from './usage-error.ts';

/** `ringfence rates …`: what minutes cost. */
export function run(invocation: Invocation): Promise<number> | number {
  switch (invocation.action) {
    case 'import':
      return take(invocation);
    case 'remove':
      return remove(invocation);
    case 'trace':
      return trace(invocation);
    default:
      return show(invocation);
  }
}

/** The sheet of a trunk, or the usual one. */
function sheetOf(values: Values): string {
  const trunk = text(values, 'trunk');
  if (trunk === undefined) return usualSheet;
  const { config } = configurationOf(values);
  return `trunk:${trunk.includes('@') ? trunk : `${trunk}@${text(values, 'domain')?.toLowerCase() ?? config.domain}`}`;
}

async function take({ names: [file = ''], values }: Invocation): Promise<number> {
  const path = resolve(file);
  if (!existsSync(path)) throw new UsageError(`there is no file ${printable(path)}`, 'rates');
  const { config } = configurationOf(values);
  const sheet = sheetOf(values);
  const encoding = text(values, 'encoding') ?? '';
  try {
    if (encoding !== '') new TextDecoder(encoding);
  } catch {
    throw new UsageError(`${encoding} is no encoding; write utf-8, utf-16le or windows-1252`, 'rates');
  }
  const database = openRates(rateFile(homeFolder()), true);
  if (database === undefined) return exitCode.failed;
  try {
    const { rows, problems, problemCount } = await importSheet(database, path, {
      sheet,
      currency: (text(values, 'currency') ?? config.fraud.currency).toUpperCase(),
      encoding,
      now: Date.now(),
    });
    if (problemCount > 0) {
      for (const { row, column, text: why } of problems)
        complain(printable(`${file}: row ${row}${column === '' ? '' : `, column ${column}`}: ${why}`));
      if (problemCount > problems.length) complain(`… and ${problemCount - problems.length} more.`);
      complain('Nothing was imported.');
      return exitCode.failed;
    }
    if (flag(values, 'json')) printJson({ sheet, rows });
    else print(`${rows} rates are in the sheet ${sheet}.`);
  } finally {
    database.close();
  }
  return tellEdge();
}

/** A running edge reads the sheets again; without one the next start does. */
async function tellEdge(): Promise<number> {
  await ask(homeFolder(), 'rates reload', {}, 120_000);
  return exitCode.done;
}

function remove({ values }: Invocation): Promise<number> | number {
  const database = openRates(rateFile(homeFolder()), false);
  const sheet = sheetOf(values);
  try {
    if (database === undefined || !removeSheet(database, sheet)) {
      complain(`There is no sheet ${sheet}; \`ringfence rates show\` shows which there are.`);
      return exitCode.failed;
    }
  } finally {
    database?.close();
  }
  print(`The sheet ${sheet} is gone: prices are those of the classes.`);
  return tellEdge();
}

function show({ names: [prefix], values }: Invocation): number {
  const database = openRates(rateFile(homeFolder()), false);
  if (database === undefined) {
    print('No rate sheet is imported: prices are those of the classes (`fraud.prices`).');
    return exitCode.done;
  }
  try {
    if (prefix === undefined) {
      const sheets = listSheets(database);
      if (flag(values, 'json')) printJson(sheets);
      else
        print(
          table(
            ['SHEET', 'CURRENCY', 'ROWS', 'IMPORTED', 'FROM'],
            sheets.map(({ name, currency, rows, importedAt, source }) => [
              name,
              currency,
              String(rows),
              new Date(importedAt).toISOString().slice(0, 16),
              source,
            ]),
          ),
        );
      return exitCode.done;
    }
    const found = ratesOf(database, sheetOf(values), prefix.replace(/^\+|^00/, ''), 1000);
    if (flag(values, 'json')) for (const rate of found) print(JSON.stringify(rate));
    else print(table(['PREFIX', 'PER MINUTE', 'CONNECTION', 'FIRST', 'NEXT'], found.map(cells)));
    return exitCode.done;
  } finally {
    database.close();
  }
}

const cells = ({ prefix, perMinute, connection, initial, next }: Rate): string[] => [
  `+${prefix}`,
  moneyText(perMinute),
  moneyText(connection),
  `${initial} s`,
  `${next} s`,
];

async function trace({ names: [number = ''], values }: Invocation): Promise<number> {
  const { config } = configurationOf(values);
  const home = config.numbers.country.toUpperCase();
  const e164 = new Numbers(home, config.numbers.emergency).e164(digitsOf(number) ?? '') ?? '';
  const destination = classify(e164, home);
  const prices = new Prices();
  prices.replace((await loadSheets(rateFile(homeFolder()), config.fraud.currency)).sheets);
  const sheet = sheetOf(values);
  const rate = prices.find(sheet, e164, destination.class, config.fraud);
  const found = { number: e164, ...destination, currency: config.fraud.currency, rate };
  if (flag(values, 'json')) printJson(found);
  else
    print(
      [
        `Number: ${e164 === '' ? 'none that could be placed' : e164}`,
        `Class: ${destination.class}${destination.country === '' ? '' : ` (${destination.country}, ${destination.kind})`}`,
        `Price: ${moneyText(rate.perMinute)} ${config.fraud.currency} a minute, ${moneyText(rate.connection)} to begin with, first ${rate.initial} s, then ${rate.next} s at a time`,
        `From: ${rate.prefix === '' ? `the class (fraud.prices.${destination.class})` : `+${rate.prefix} of the rate sheet`}`,
      ].join('\n'),
    );
  return exitCode.done;
}
