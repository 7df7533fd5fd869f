import type { CallList } from '../control/calls.ts';
import type { ZrtpProtection } from '../policy/protection.ts';
import { askEdge } from './ask-edge.ts';
import { flag, type Invocation, text } from './command.ts';
import { exitCode } from './exit-code.ts';
import { print, printable, printJson, table } from './terminal.ts';
import { UsageError } from './usage-error.ts';

/** `ringfence call …`: about calls in progress, asked of the running edge. */
export function run(invocation: Invocation): Promise<number> {
  switch (invocation.action) {
    case 'end':
      return end(invocation);
    case 'sas':
      return compare(invocation);
    case 'record':
      return record(invocation);
    default:
      return list(invocation);
  }
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
                : [
                    `${i === 0 ? 'caller' : 'called'} ${zrtp.sas}${shownAs(zrtp)}${zrtp.verified === true ? ' (same)' : ''}`,
                  ],
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

async function compare({ names: [call = ''], values }: Invocation): Promise<number> {
  const same = flag(values, 'confirm');
  if (same === flag(values, 'deny'))
    throw new UsageError(
      'one of --confirm (the strings are the same) and --deny (they differ) is needed',
      'call',
    );
  const side = text(values, 'side');
  const answer = await askEdge('call sas', { call, same, ...(side === undefined ? {} : { side }) });
  if (!answer.ok) return exitCode.failed;
  const { sas } = answer.value as { readonly sas: string };
  if (flag(values, 'json')) printJson(answer.value);
  else if (same) print(`${sas} is the same: the edge knows this phone from now on.`);
  else
    print(
      `${sas} is not what the phone shows: somebody may be in the middle. See \`call.tampering\` in the log.`,
    );
  return exitCode.done;
}

async function record({ names: [call = '', action = ''], values }: Invocation): Promise<number> {
  const words = ['start', 'stop', 'pause', 'resume'];
  if (!words.includes(action))
    throw new UsageError(`\`${printable(action)}\` is none of ${words.join(', ')}`, 'call');
  const recorder = text(values, 'recorder');
  const answer = await askEdge('call record', {
    call,
    action,
    ...(recorder === undefined ? {} : { recorder }),
  });
  if (!answer.ok) return exitCode.failed;
  if (flag(values, 'json')) printJson(answer.value);
  else if (action === 'start')
    print('The recorder is being called; the event `recording.started` tells of it.');
  else print(`Recording: ${action} is done.`);
  return exitCode.done;
}

/** A phone that has enrolled may show another string than its own. */
const shownAs = ({ sas, relayed }: ZrtpProtection): string =>
  relayed === undefined || relayed === sas ? '' : ` (shown: ${relayed})`;
