import type { CallList } from '../control/calls.ts';
import { askEdge } from './ask-edge.ts';
import { flag, type Invocation, text } from './command.ts';
import { exitCode } from './exit-code.ts';
import { print, printJson, table } from './terminal.ts';

/** `ringfence call …`: about calls in progress, asked of the running edge. */
export function run(invocation: Invocation): Promise<number> {
  return invocation.action === 'end' ? end(invocation) : list(invocation);
}

async function list({ values }: Invocation): Promise<number> {
  const domain = text(values, 'domain')?.toLowerCase();
  const answer = await askEdge('call list', domain === undefined ? {} : { domain });
  if (!answer.ok) return exitCode.failed;
  const { total, calls } = answer.value as CallList;
  if (flag(values, 'json')) {
    for (const call of calls) print(JSON.stringify(call));
    return exitCode.done;
  }
  if (calls.length === 0) print('No calls are in progress.');
  else {
    const now = Date.now();
    print(
      table(
        ['CALL', 'SECONDS', 'FROM', 'TO', 'STATE', 'PROTECTION', 'STRING (ZRTP)'],
        calls.map(({ id, startedAt, caller, callee, state, grade, recorded, legs }) => [
          id,
          String(Math.max(0, Math.round((now - startedAt) / 1000))),
          caller,
          callee,
          state,
          `${grade ?? '-'}${recorded ? ', recorded' : ''}`,
          legs
            .flatMap(({ media: { zrtp } }, i) =>
              zrtp?.sas === undefined || zrtp.sas === ''
                ? []
                : [`${i === 0 ? 'caller' : 'called'} ${zrtp.sas}${zrtp.verified === true ? ' (same)' : ''}`],
            )
            .join(', ') || '-',
        ]),
      ),
    );
    if (total > calls.length)
      print(`… and ${total - calls.length} more; \`--domain\` shows those of one tenant.`);
  }
  return exitCode.done;
}

async function end({ names: [call = ''], values }: Invocation): Promise<number> {
  const answer = await askEdge('call end', {
    call,
    ...(flag(values, 'emergency') ? { emergency: true } : {}),
  });
  if (!answer.ok) return exitCode.failed;
  if (flag(values, 'json')) printJson(answer.value);
  else print(`Call ${call} is over.`);
  return exitCode.done;
}
