import { Calendar, periods } from '@ringfence/tariff/calendar.ts';
import { moneyText } from '@ringfence/tariff/money.ts';
import type { SpendCaps } from '../config/fraud.ts';
import { domainOf } from '../fraud/account.ts';
import { capsOf, workingHoursOf } from '../fraud/caps.ts';
import { readKept } from '../fraud/keep.ts';
import { Directory } from '../routing/directory.ts';
import { assembleObjects, type ObjectRows, readObjectRows } from '../store/object-rows.ts';
import { ObjectWriter } from '../store/object-writer.ts';
import { listSpend } from '../store/spend-rows.ts';
import { flag, type Invocation, text, type Values } from './command.ts';
import { exitCode } from './exit-code.ts';
import { scopeOf } from './fraud.ts';
import { configurationOf, readStore, withStore } from './home.ts';
import { complain, print, printJson, table } from './terminal.ts';
import { UsageError } from './usage-error.ts';

/** `ringfence spend …`: who has spent how much, and who may spend how much. */
export function run(invocation: Invocation): number {
  return invocation.action === 'set' ? set(invocation) : list(invocation);
}

function list({ values }: Invocation): number {
  const loaded = configurationOf(values);
  const { fraud, domain } = loaded.config;
  const stored = readStore(loaded, (database) => ({
    objects: assembleObjects({ ...readObjectRows(database), secrets: new Map() }),
    kept: readKept(listSpend(database)),
  }));
  const zone = fraud.timeZone === '' ? new Intl.DateTimeFormat().resolvedOptions().timeZone : fraud.timeZone;
  const calendar = new Calendar(zone);
  const now = Date.now();
  const offHours = !calendar.works(workingHoursOf(fraud), now);
  const directory = new Directory(stored?.objects ?? { users: [], trunks: [], routes: [] }, domain);
  const spent = new Map<string, number>();
  const add = (scope: string, at: number, amount: number): void => {
    for (const period of periods) {
      const { start, end } = calendar.span(period, now);
      const key = `${scope}|${period}`;
      if (at >= start && at < end) spent.set(key, (spent.get(key) ?? 0) + amount);
    }
  };
  for (const bucket of stored?.kept.buckets ?? [])
    if (bucket.start === calendar.span(bucket.period, now).start)
      spent.set(
        `${bucket.scope}|${bucket.period}`,
        (spent.get(`${bucket.scope}|${bucket.period}`) ?? 0) + bucket.spent,
      );
  for (const [, charges] of stored?.kept.charges ?? [])
    for (const { charge } of charges)
      for (const { at, amount } of charge.bookings) for (const scope of charge.scopes) add(scope, at, amount);
  const wanted = text(values, 'domain')?.toLowerCase();
  const { users = [], trunks = [], domains = [] } = stored?.objects ?? {};
  const capped = [
    ...users.map((user) => ({ ...user, scope: `user:${user.name.toLowerCase()}@${user.domain}` })),
    ...trunks.map((trunk) => ({ ...trunk, scope: `trunk:${trunk.name}@${trunk.domain}` })),
    ...domains.map((one) => ({ ...one, scope: `domain:${one.name}` })),
  ].flatMap(({ scope, spend = {} }) => (Object.keys(spend).length === 0 ? [] : [scope]));
  const rows = [
    ...new Set([...[...spent.keys()].map((key) => key.slice(0, key.lastIndexOf('|'))), ...capped]),
  ]
    .filter((scope) => wanted === undefined || domainOf(scope) === wanted)
    .sort()
    .map((scope) => {
      const caps = capsOf(scope, directory.domain(domainOf(scope)), fraud, offHours);
      return {
        scope,
        ...Object.fromEntries(
          periods.map((period) => [
            period,
            {
              spent: spent.get(`${scope}|${period}`) ?? 0,
              ...(caps[period] === undefined ? {} : { cap: caps[period] }),
            },
          ]),
        ),
      } as { readonly scope: string } & Readonly<
        Record<(typeof periods)[number], { spent: number; cap?: number }>
      >;
    });
  if (flag(values, 'json')) {
    printJson({ currency: fraud.currency, timeZone: zone, unit: 'millionths', accounts: rows });
    return exitCode.done;
  }
  const cell = ({ spent: amount, cap }: { spent: number; cap?: number }): string =>
    `${moneyText(amount)}${cap === undefined ? '' : ` of ${moneyText(cap)}`}`;
  if (rows.length === 0) print('Nothing has been spent this month, and nobody has a cap of their own.');
  else
    print(
      table(
        ['WHO', 'THIS HOUR', 'TODAY', 'THIS MONTH'],
        rows.map(({ scope, hour, day, month }) => [scope, cell(hour), cell(day), cell(month)]),
      ),
    );
  const usual = (caps: SpendCaps): string =>
    periods
      .flatMap((period) => (caps[period] === undefined ? [] : [`${caps[period]} a ${period}`]))
      .join(', ') || 'none';
  print(
    `${fraud.currency}, ${zone}; money of calls in progress is what they have set aside. Caps where nothing else is set: users ${usual(fraud.userCaps)} (${fraud.offHoursCap} an hour outside working hours), trunks ${usual(fraud.trunkCaps)}, domains ${usual(fraud.domainCaps)}.`,
  );
  return exitCode.done;
}

function set({ names: [name = ''], values }: Invocation): number {
  const loaded = configurationOf(values);
  const domain = text(values, 'domain')?.toLowerCase() ?? loaded.config.domain;
  const scope = name.startsWith('domain:') ? name.toLowerCase() : scopeOf(name, domain);
  const caps = wanted(values);
  const outcome = withStore(loaded, ({ database, sealer }) => {
    const rows = readObjectRows(database);
    const writer = new ObjectWriter(database, sealer);
    const owner = domainOf(scope);
    const own = scope.slice(
      scope.indexOf(':') + 1,
      scope.startsWith('domain:') ? undefined : scope.lastIndexOf('@'),
    );
    const change = <T extends { readonly spend?: SpendCaps }>(row: T): T => {
      const { spend: before, ...rest } = row;
      return (caps === undefined ? rest : { ...rest, spend: { ...before, ...caps } }) as T;
    };
    database.exec('BEGIN IMMEDIATE');
    try {
      const found = scope.startsWith('user:')
        ? rows.users.find((one) => one.domain === owner && one.name.toLowerCase() === own)
        : undefined;
      const trunk = scope.startsWith('trunk:')
        ? rows.trunks.find((one) => one.domain === owner && one.name === own)
        : undefined;
      if (found !== undefined) writer.putUser(change(found));
      else if (trunk !== undefined) writer.putTrunk(change(trunk));
      else if (scope.startsWith('domain:') && domainsOf(rows, domain).has(owner))
        writer.putDomain(
          change(rows.domains.find((one) => one.domain === owner) ?? { domain: owner, name: owner }),
        );
      else {
        database.exec('ROLLBACK');
        return `There is no ${scope}; \`ringfence user list\` and \`ringfence export\` show who there is.`;
      }
      // What wakes a running edge.
      database.exec("UPDATE meta SET value = value + 1 WHERE key = 'objects_version'");
      database.exec('COMMIT');
      return undefined;
    } catch (error) {
      if (database.isTransaction) database.exec('ROLLBACK');
      throw error;
    }
  });
  if (outcome !== undefined) {
    complain(outcome);
    return exitCode.failed;
  }
  if (flag(values, 'json')) printJson({ account: scope, spend: caps ?? null });
  else
    print(
      caps === undefined
        ? `${scope} has the usual caps again.`
        : `${scope} may spend: ${said(caps, loaded.config.fraud.currency)}.`,
    );
  return exitCode.done;
}

/** The usual one, and those that something belongs to. */
const domainsOf = (rows: ObjectRows, usual: string): ReadonlySet<string> =>
  new Set([
    usual,
    ...[...rows.domains, ...rows.users, ...rows.trunks, ...rows.routes, ...rows.pbx].map((one) => one.domain),
  ]);

const said = (caps: SpendCaps, currency: string): string =>
  periods
    .flatMap((period) => (caps[period] === undefined ? [] : [`${caps[period]} ${currency} a ${period}`]))
    .join(', ');

/** Undefined: the usual ones. */
function wanted(values: Values): SpendCaps | undefined {
  if (flag(values, 'usual')) return undefined;
  const caps: { hour?: number; day?: number; month?: number } = {};
  for (const period of periods) {
    const given = text(values, period);
    if (given === undefined) continue;
    if (!/^[0-9]{1,8}$/.test(given))
      throw new UsageError(`--${period} is a whole number of the currency, such as 20`, 'spend');
    caps[period] = Number(given);
  }
  if (Object.keys(caps).length === 0)
    throw new UsageError('--hour, --day or --month is needed, or --usual', 'spend');
  return caps;
}
