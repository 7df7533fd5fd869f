import type { ThreatList } from '../detection/commands.ts';
import { askEdge } from './ask-edge.ts';
import { flag, type Invocation, text } from './command.ts';
import { exitCode } from './exit-code.ts';
import { print, printable } from './terminal.ts';

/** `ringfence threat list`: attacks that the running edge has found, asked of it. */
export async function run({ values }: Invocation): Promise<number> {
  const domain = text(values, 'domain')?.toLowerCase();
  const answer = await askEdge('threat list', domain === undefined ? {} : { domain });
  if (!answer.ok) return exitCode.failed;
  const { findings, untold } = answer.value as ThreatList;
  if (flag(values, 'json')) {
    for (const finding of findings) print(JSON.stringify(finding));
    return exitCode.done;
  }
  if (findings.length === 0) print('No attack has been found since the edge was started.');
  for (const { rule, sentence, action, bits, threshold, parts, last, times } of findings) {
    const often = times === 1 ? '' : `, ${times} times`;
    print(`${new Date(last).toISOString()}  ${rule}${often}: ${printable(sentence)}`);
    print(`  ${bits} bits (from ${threshold} on it is an attack); asked for: ${action}`);
    for (const part of parts) print(`  ${String(part.bits).padStart(6)}  ${printable(part.text)}`);
  }
  if (untold > 0) print(`… and ${untold} more, too many at a time to be told one by one.`);
  return exitCode.done;
}
