import type { FactorList, Invitation } from '../self-service/commands.ts';
import { askEdge } from './ask-edge.ts';
import { flag, type Invocation, text, type Values } from './command.ts';
import { exitCode } from './exit-code.ts';
import { print, printJson, table } from './terminal.ts';
import { UsageError } from './usage-error.ts';

/** `ringfence user factor …`: what a user confirms phones with, as the running edge has it. */
export function factor(invocation: Invocation): Promise<number> {
  const [action = '', user = ''] = invocation.names;
  if (action === 'list') return list(user, invocation.values);
  if (action === 'reset') return reset(user, invocation.values);
  if (action === 'invite') return invite(user, invocation.values);
  throw new UsageError(
    '`ringfence user factor` takes `list`, `reset` or `invite`, and then the user',
    'user',
  );
}

const who = (user: string, values: Values): Record<string, unknown> => {
  const domain = text(values, 'domain');
  return { user, ...(domain === undefined ? {} : { domain }) };
};

async function list(user: string, values: Values): Promise<number> {
  const answer = await askEdge('user factor list', who(user, values));
  if (!answer.ok) return exitCode.failed;
  const { factors } = answer.value as FactorList;
  if (flag(values, 'json')) printJson(answer.value);
  else if (factors.length === 0)
    print(`${user} has set nothing up. \`ringfence user factor invite ${user}\` makes a code for it.`);
  else
    print(
      table(
        ['KIND', 'NAME', 'SINCE', 'LAST USED'],
        factors.map(({ kind, label, since, used }) => [
          kind,
          label,
          day(since),
          used === 0 ? '-' : day(used),
        ]),
      ),
    );
  return exitCode.done;
}

async function reset(user: string, values: Values): Promise<number> {
  const answer = await askEdge('user factor reset', who(user, values));
  if (!answer.ok) return exitCode.failed;
  if (flag(values, 'json')) printJson(answer.value);
  else print(`${user} has nothing any more to confirm phones with; phones that are known stay so.`);
  return exitCode.done;
}

async function invite(user: string, values: Values): Promise<number> {
  const given = text(values, 'hours');
  if (given !== undefined && !/^[1-9][0-9]{0,2}$/.test(given))
    throw new UsageError('--hours takes a whole number up to 720', 'user');
  const hours = given === undefined ? {} : { hours: Number(given) };
  const answer = await askEdge('user factor invite', { ...who(user, values), ...hours });
  if (!answer.ok) return exitCode.failed;
  const { code, until, page } = answer.value as Invitation;
  if (flag(values, 'json')) printJson(answer.value);
  else
    print(
      `Code for ${user}, shown only now: ${code}\nIt can be used once, until ${new Date(until).toISOString().slice(0, 16).replace('T', ' ')} UTC, by who signs in with the telephone password at ${page ?? 'the account page, which no listener has yet (accountPage: true)'}.`,
    );
  return exitCode.done;
}

const day = (at: number): string => new Date(at).toISOString().slice(0, 16);
