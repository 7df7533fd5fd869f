import type { Incident } from '../incidents/types.ts';
import { askEdge } from './ask-edge.ts';
import { flag, type Invocation, text } from './command.ts';
import { exitCode } from './exit-code.ts';
import { print, printable, printJson, table } from './terminal.ts';

/** `ringfence incident …`: what the running edge has gathered, and what is done about it. */
export async function run({ action, names, values }: Invocation): Promise<number> {
  const json = flag(values, 'json');
  const [incident = '', second = ''] = names;
  switch (action) {
    case 'list': {
      const domain = text(values, 'domain')?.toLowerCase();
      const answer = await askEdge('incident list', {
        ...(domain === undefined ? {} : { domain }),
        ...(flag(values, 'all') ? { all: true } : {}),
      });
      if (!answer.ok) return exitCode.failed;
      const found = answer.value as readonly Incident[];
      if (json) for (const one of found) print(JSON.stringify(one));
      else print(found.length === 0 ? 'No incidents.' : listed(found));
      return exitCode.done;
    }
    case 'show': {
      const answer = await askEdge('incident show', { incident });
      if (!answer.ok) return exitCode.failed;
      if (json) printJson(answer.value);
      else print(shown(answer.value as Incident));
      return exitCode.done;
    }
    case 'open': {
      const [account, source] = [text(values, 'account'), text(values, 'source')];
      const answer = await askEdge('incident open', {
        kind: incident,
        text: second,
        ...(account === undefined ? {} : { account }),
        ...(source === undefined ? {} : { source }),
      });
      if (!answer.ok) return exitCode.failed;
      if (json) printJson(answer.value);
      else print(shown(answer.value as Incident));
      return exitCode.done;
    }
    case 'approve':
    case 'reject':
    case 'undo':
      return said(await askEdge('incident step', { incident, step: Number(second), word: action }), json);
    case 'note':
      return said(await askEdge('incident note', { incident, text: second }), json);
    default:
      return said(await askEdge('incident close', { incident }), json);
  }
}

function said(answer: Awaited<ReturnType<typeof askEdge>>, json: boolean): number {
  if (!answer.ok) return exitCode.failed;
  if (json) printJson(answer.value);
  else print('Done.');
  return exitCode.done;
}

const listed = (incidents: readonly Incident[]): string =>
  table(
    ['INCIDENT', 'KIND', 'STATE', 'SINCE', 'LATEST', 'EVENTS', 'WAITS', 'WHAT'],
    incidents.map((one) => [
      one.id,
      one.kind,
      one.state,
      time(one.openedAt),
      time(one.lastAt),
      String(one.events),
      String(one.steps.filter(waits).length),
      one.title,
    ]),
  );

const waits = ({ action, word, waiting }: Incident['steps'][number]): boolean =>
  waiting.length > 0 || (action === 'task' && word === undefined);

const time = (at: number): string => new Date(at).toISOString().slice(0, 19).replace('T', ' ');

function shown(one: Incident): string {
  const lines = [
    `${one.id}: ${one.title}`,
    `${one.kind}, ${one.state}, since ${time(one.openedAt)}, latest ${time(one.lastAt)}, ${one.events} events`,
    ...involved('Sources', one.sources),
    ...involved('Accounts', one.accounts),
    ...involved('Calls', one.calls),
    one.money === undefined
      ? 'Money: no call of it has a price.'
      : `Money: ${one.money.lost / 100} ${one.money.currency} lost, ${one.money.saved / 100} ${one.money.currency} saved.`,
    '',
    'What happened (UTC):',
    ...one.timeline.map(
      ({ at, count, text }) => `  ${time(at)}  ${text}${count > 1 ? ` (${count} times)` : ''}`,
    ),
  ];
  if (one.steps.length > 0)
    lines.push(
      '',
      `What is done about it (${one.playbook ?? 'by hand'}):`,
      ...one.steps.flatMap((step, i) => [
        `  ${i + 1}. ${step.text}${waits(step) ? `  <- ringfence incident approve ${one.id} ${i + 1}` : ''}`,
        ...(step.word === undefined
          ? []
          : [
              `     ${step.word.approved ? 'approved' : 'rejected'} by ${step.word.by}, ${time(step.word.at)}`,
            ]),
        ...step.waiting.filter(() => step.action !== 'task').map((target) => `     waits: ${target}`),
        ...step.done.map(
          ({ target, outcome, until, detail }) =>
            `     ${outcome}: ${target}${outcome === 'done' && until !== undefined ? ` until ${time(until)}` : ''}${detail === '' ? '' : ` (${detail})`}`,
        ),
      ]),
    );
  return lines.map(printable).join('\n');
}

const involved = (what: string, { names, more }: Incident['sources']): string[] =>
  names.length === 0
    ? []
    : [
        `${what}: ${names.slice(0, 20).join(', ')}${names.length + more > 20 ? ` and ${names.length + more - 20} more` : ''}`,
      ];
