import { ok, type Result } from '@ringfence/bytes/result.ts';
import { ask } from '../control/client.ts';
import type { ControlProblem } from '../control/protocol.ts';
import { homeFolder } from './home.ts';
import { complain, printable } from './terminal.ts';

/** Has the edge on RINGFENCE_HOME do something; what it says against that is printed. */
export async function askEdge(
  command: string,
  args: Readonly<Record<string, unknown>> = {},
  milliseconds?: number,
): Promise<Result<unknown, ControlProblem>> {
  const answer = await ask(homeFolder(), command, args, milliseconds);
  if (answer.ok) return ok(answer.value);
  complain(answer.error.text.split('\n').map(printable).join('\n'));
  return answer;
}
