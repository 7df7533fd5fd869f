import type { AlertList } from '../alerts/commands.ts';
import { askEdge } from './ask-edge.ts';
import { flag, type Invocation, text } from './command.ts';
import { exitCode } from './exit-code.ts';
import { print, printable, printJson, table } from './terminal.ts';

/** `ringfence alert …`, asked of the running edge. */
export function run(invocation: Invocation): Promise<number> {
  return invocation.action === 'ack' ? acknowledge(invocation) : list(invocation);
}

async function list({ values }: Invocation): Promise<number> {
  const domain = text(values, 'domain')?.toLowerCase();
  const answer = await askEdge('alert list', {
    ...(flag(values, 'all') ? { all: true } : {}),
    ...(domain === undefined ? {} : { domain }),
  });
  if (!answer.ok) return exitCode.failed;
  const { alerts } = answer.value as AlertList;
  if (flag(values, 'json')) for (const alert of alerts) print(JSON.stringify(alert));
  else if (alerts.length === 0) print('No alerts.');
  else
    print(
      table(
        ['ALERT', 'SEVERITY', 'STATE', 'TIMES', 'LAST', 'WHAT'],
        alerts.map(({ id, severity, state, acknowledgedBy, count, lastAt, title }) => [
          id,
          severity,
          acknowledgedBy === undefined ? state : `${state} (${acknowledgedBy})`,
          String(count),
          new Date(lastAt).toISOString(),
          printable(title),
        ]),
      ),
    );
  return exitCode.done;
}

async function acknowledge({ names: [alert = ''], values }: Invocation): Promise<number> {
  const answer = await askEdge('alert ack', { alert });
  if (!answer.ok) return exitCode.failed;
  if (flag(values, 'json')) printJson(answer.value);
  else print(`Alert ${alert} is yours; nobody else is called.`);
  return exitCode.done;
}
