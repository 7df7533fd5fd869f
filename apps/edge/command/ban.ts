import type { BanList } from '../admission/bans/commands.ts';
import type { Ban } from '../admission/bans/types.ts';
import { askEdge } from './ask-edge.ts';
import { flag, type Invocation, text } from './command.ts';
import { secondsOf } from './duration.ts';
import { exitCode } from './exit-code.ts';
import { print, printJson, table } from './terminal.ts';

/** `ringfence ban …`: whom the running edge does not listen to. */
export function run(invocation: Invocation): Promise<number> {
  if (invocation.action === 'add') return add(invocation);
  return invocation.action === 'lift' ? lift(invocation) : list(invocation);
}

async function list({ values }: Invocation): Promise<number> {
  const answer = await askEdge('ban list');
  if (!answer.ok) return exitCode.failed;
  const { bans, total, enforced, dropped } = answer.value as BanList;
  if (flag(values, 'json')) {
    for (const ban of bans) print(JSON.stringify(ban));
    return exitCode.done;
  }
  if (bans.length === 0) print('Nobody is banned.');
  else {
    const now = Date.now();
    print(
      table(
        ['SOURCE', 'ENDS IN', 'TIMES', 'CAUSE', 'RULE', 'BY', 'EVIDENCE'],
        bans.map(({ source, until, times, cause, rule, by, evidence }) => [
          source,
          span(Math.max(0, until - now) / 1000),
          String(times),
          cause,
          rule,
          by,
          Object.entries(evidence)
            .map(([name, value]) => `${name} ${value}`)
            .join(', ') || '-',
        ]),
      ),
    );
    if (total > bans.length) print(`… and ${total - bans.length} older ones.`);
  }
  print(
    enforced === 'kernel'
      ? `The kernel drops what they send: ${dropped ?? 0} packets so far.`
      : 'The edge itself drops what they send.',
  );
  return exitCode.done;
}

async function add({ names: [source = ''], values }: Invocation): Promise<number> {
  const wanted = text(values, 'for');
  const seconds = wanted === undefined ? undefined : secondsOf(wanted);
  const why = text(values, 'why');
  const answer = await askEdge('ban add', {
    source,
    ...(seconds === undefined ? {} : { seconds }),
    ...(why === undefined ? {} : { why }),
    ...from(),
  });
  if (!answer.ok) return exitCode.failed;
  const ban = answer.value as Ban;
  if (flag(values, 'json')) printJson(ban);
  else print(`${ban.source} is banned for ${span((ban.until - ban.since) / 1000)}.`);
  return exitCode.done;
}

async function lift({ names: [source = ''], values }: Invocation): Promise<number> {
  const answer = await askEdge('ban lift', { source, ...from() });
  if (!answer.ok) return exitCode.failed;
  if (flag(values, 'json')) printJson(answer.value);
  else print(`${source} is heard again.`);
  return exitCode.done;
}

/** Where the administrator sits, so that nobody shuts himself out: the edge never bans that address. */
function from(): { readonly from?: string } {
  const [address = ''] = (process.env.SSH_CONNECTION ?? '').split(' ');
  return address === '' ? {} : { from: address };
}

function span(seconds: number): string {
  const whole = Math.round(seconds);
  if (whole < 120) return `${whole} s`;
  if (whole < 7200) return `${Math.round(whole / 60)} min`;
  return whole < 172_800 ? `${Math.round(whole / 3600)} h` : `${Math.round(whole / 86_400)} days`;
}
