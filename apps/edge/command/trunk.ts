import { readObjectRows, type TrunkRow } from '../store/object-rows.ts';
import { type LiveState, readLiveState } from '../trunks/live-state.ts';
import { targetsOf } from '../trunks/order.ts';
import { ownerOf } from '../trunks/owner.ts';
import { flag, type Invocation, text } from './command.ts';
import { exitCode } from './exit-code.ts';
import { configurationOf, homeFolder, readStore } from './home.ts';
import { print, printJson, table } from './terminal.ts';

export function run({ action, values }: Invocation): number {
  const loaded = configurationOf(values);
  const domain = text(values, 'domain')?.toLowerCase();
  const trunks = (readStore(loaded, readObjectRows)?.trunks ?? []).filter(
    (t) => domain === undefined || t.domain === domain,
  );
  const live = readLiveState(homeFolder());
  if (action === 'state') showState(trunks, live, domain, flag(values, 'json'));
  else list(trunks, live, flag(values, 'json'));
  return exitCode.done;
}

function list(trunks: readonly TrunkRow[], live: LiveState | undefined, json: boolean): void {
  if (json) printJson(trunks);
  else if (trunks.length === 0)
    print('No trunks yet. Describe one in a file and run `ringfence apply -f FILE`.');
  else {
    print(
      table(
        ['TRUNK', 'DOMAIN', 'TARGET', 'ENCRYPTION', 'KNOWN BY', 'STATE'],
        trunks.map((t) => [
          t.name,
          t.domain,
          targetsOf(t)
            .map(({ target }) => target)
            .join(', '),
          t.encryption,
          [
            ...t.addresses,
            ...t.certificateNames,
            ...(t.inbound === undefined ? [] : [`digest ${t.inbound.username}`]),
          ].join(', ') || 'nothing: it cannot call in',
          summary(t, live),
        ]),
      ),
    );
  }
}

function summary(trunk: TrunkRow, live: LiveState | undefined): string {
  if (live === undefined) return 'unknown: no edge runs';
  const targets = live.targets.filter(({ owner }) => owner === ownerOf(trunk));
  if (targets.length === 0) return 'not watched';
  const dead = targets.filter(({ state }) => state === 'quarantined').length;
  return dead === 0 ? 'up' : `${dead} of ${targets.length} in quarantine`;
}

function showState(
  trunks: readonly TrunkRow[],
  live: LiveState | undefined,
  domain: string | undefined,
  json: boolean,
): void {
  const owners = new Set(trunks.map(ownerOf));
  const targets = (live?.targets ?? []).filter(({ owner }) => owners.has(owner));
  const usage = (live?.usage ?? []).filter(
    ({ key }) => domain === undefined || key.endsWith(`@${domain}`) || key === `domain:${domain}`,
  );
  const registrations = (live?.registrations ?? []).filter(({ owner }) => owners.has(owner));
  if (json) return printJson({ running: live !== undefined, targets, usage, registrations });
  if (live === undefined) return print('No edge runs from this data folder: nothing is known of its trunks.');
  for (const { owner, registrar, state, until, failure } of registrations)
    print(
      `${owner}: ${state} at ${registrar}${until === 0 ? '' : ` until ${new Date(until).toISOString()}`}${failure === '' ? '' : ` (last: ${failure})`}`,
    );
  for (const { key, calls, waiting } of usage)
    print(`${key}: ${calls} calls${waiting === 0 ? '' : `, ${waiting} waiting`}`);
  if (targets.length === 0)
    return print('No trunk is watched. Add `health: {}` to a trunk, or give it several targets.');
  print(
    table(
      ['OWNER', 'ADDRESS', 'STATE', 'SINCE', 'LAST FAILURE'],
      targets.map(({ owner, target, state, since, lastFailure }) => [
        owner,
        target,
        state,
        new Date(since).toISOString(),
        lastFailure,
      ]),
    ),
  );
}
