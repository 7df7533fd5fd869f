import type { DatabaseSync } from 'node:sqlite';
import { type AccountRow, listAccounts, writeAccounts } from '../store/account-rows.ts';
import { readObjectRows } from '../store/object-rows.ts';
import { noteAct } from './acts.ts';
import { flag, type Invocation, text, type Values } from './command.ts';
import { exitCode } from './exit-code.ts';
import { configurationOf, readStore, withStore } from './home.ts';
import { complain, print, printJson, table } from './terminal.ts';
import { UsageError } from './usage-error.ts';

const by = 'administrator';

/** `ringfence user standing`: places that wait or are known, and who was put aside. */
export function standing({ values }: Invocation): number {
  const loaded = configurationOf(values);
  const domain = text(values, 'domain')?.toLowerCase();
  const rows = (readStore(loaded, listAccounts) ?? []).filter(
    (row) => domain === undefined || row.domain === domain,
  );
  if (flag(values, 'json')) printJson(rows);
  else if (rows.length === 0) print('Nothing is known of any account: nobody is in quarantine.');
  else
    print(
      table(
        ['USER', 'DOMAIN', 'DEVICE', 'STANDING', 'NETWORK', 'PHONE', 'SINCE', 'BY', 'WHY'],
        rows.map((row) => [
          row.user,
          row.domain,
          row.device || 'all',
          row.state,
          row.network || 'all',
          row.phone || '-',
          new Date(row.since).toISOString().slice(0, 16),
          row.by,
          row.why,
        ]),
      ),
    );
  return exitCode.done;
}

/** Confirms the places of an account that wait; a running edge notices within a second. */
export function confirm(invocation: Invocation): number {
  const { values } = invocation;
  const device = text(values, 'device');
  const network = text(values, 'network');
  return change(invocation, (rows) => {
    const waiting = rows.filter(
      (row) =>
        row.state === 'pending' &&
        (device === undefined || row.device === device) &&
        (network === undefined || row.network === network),
    );
    if (waiting.length === 0)
      return 'Nothing of that account waits to be confirmed; `ringfence user standing` shows what there is.';
    const since = Date.now();
    return {
      put: waiting.map((row) => ({ ...row, state: 'known', by, since })),
      remove: [],
      said: `Confirmed: ${waiting.map((row) => `${row.device} in ${row.network}`).join(', ')}.`,
    };
  });
}

/** Puts an account or a device aside. */
export function quarantine(invocation: Invocation): number {
  const { values } = invocation;
  const until = hoursFromNow(values);
  return change(invocation, (_rows, { domain, user }) => ({
    put: [
      {
        domain,
        user,
        device: text(values, 'device') ?? '',
        network: '',
        phone: '',
        state: 'quarantined',
        since: Date.now(),
        ...(until === undefined ? {} : { until }),
        by,
        why: text(values, 'why') ?? 'put aside by the administrator',
        evidence: {},
      },
    ],
    remove: [],
    said: 'In quarantine: only emergency numbers and the help desk are reached, and nothing rings.',
  }));
}

/** Takes it back. */
export function release(invocation: Invocation): number {
  const device = text(invocation.values, 'device');
  return change(invocation, (rows) => {
    const held = rows.filter(
      (row) => row.state === 'quarantined' && (device === undefined || row.device === device),
    );
    if (held.length === 0)
      return 'Nobody has put that account aside; a phone at a new place is confirmed by `ringfence user confirm`.';
    return { put: [], remove: held, said: 'Released.' };
  });
}

interface Step {
  readonly put: readonly AccountRow[];
  readonly remove: readonly AccountRow[];
  readonly said: string;
}

function change(
  { names: [name = ''], values }: Invocation,
  step: (rows: readonly AccountRow[], who: { domain: string; user: string }) => Step | string,
): number {
  const loaded = configurationOf(values);
  const domain = (text(values, 'domain') ?? loaded.config.domain).toLowerCase();
  const user = name.toLowerCase();
  const outcome = withStore(loaded, ({ database }) => {
    const wrong = missing(database, domain, user, text(values, 'device'));
    if (wrong !== undefined) return wrong;
    const rows = listAccounts(database).filter((row) => row.domain === domain && row.user === user);
    const done = step(rows, { domain, user });
    if (typeof done === 'string') return done;
    writeAccounts(database, done.put, done.remove);
    // What wakes a running edge.
    database.exec("UPDATE meta SET value = value + 1 WHERE key = 'objects_version'");
    return done;
  });
  if (typeof outcome === 'string') {
    complain(outcome);
    return exitCode.failed;
  }
  noteAct({
    what: { changed: outcome.put.length + outcome.remove.length },
    person: {
      domain,
      name: user,
      data: {
        put: outcome.put.map(({ device, network, phone, state, why }) => ({
          device,
          network,
          phone,
          state,
          why,
        })),
        removed: outcome.remove.map(({ device, network, state }) => ({ device, network, state })),
      },
    },
  });
  if (flag(values, 'json')) printJson({ user, domain, changed: outcome.put.length + outcome.remove.length });
  else print(outcome.said);
  return exitCode.done;
}

/** Users of a PBX are known to it alone. */
function missing(
  database: DatabaseSync,
  domain: string,
  user: string,
  device: string | undefined,
): string | undefined {
  const rows = readObjectRows(database);
  if (rows.pbx.some((pbx) => pbx.domain === domain)) return undefined;
  if (!rows.users.some((one) => one.domain === domain && one.name.toLowerCase() === user))
    return `There is no user ${user} in ${domain}; \`ringfence user list\` shows which there are.`;
  const has = rows.devices.some(
    (one) => one.domain === domain && one.user.toLowerCase() === user && one.name === device,
  );
  return device === undefined || has ? undefined : `User ${user} has no device ${device}.`;
}

function hoursFromNow(values: Values): number | undefined {
  const given = text(values, 'hours');
  if (given === undefined) return undefined;
  const hours = Number(given);
  if (!(hours > 0 && hours <= 8760)) throw new UsageError('--hours takes a number up to 8760', 'user');
  return Date.now() + hours * 3_600_000;
}
