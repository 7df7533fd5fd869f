import type { Judged } from '../fraud/behaviour/behaviour.ts';
import type { FraudRulesAnswer } from '../fraud/behaviour/commands.ts';
import { askEdge } from './ask-edge.ts';
import { flag, type Invocation, text } from './command.ts';
import { exitCode } from './exit-code.ts';
import { configurationOf } from './home.ts';
import { print, printable, printJson, table } from './terminal.ts';

/** `ringfence fraud rules`, `fraud mode` and `fraud why`: rules that judge the behaviour of accounts. */
export async function run({ action, names, values }: Invocation): Promise<number> {
  const json = flag(values, 'json');
  const [first = '', second = ''] = names;
  if (action === 'why') {
    const answer = await askEdge('fraud why', { what: first });
    if (!answer.ok) return exitCode.failed;
    const found = answer.value as readonly Judged[];
    if (json) for (const one of found) print(JSON.stringify(one));
    else
      print(
        found.length === 0
          ? 'Nothing was found there lately; only the last thousand findings are kept. `ringfence cdr show` has what was decided.'
          : found.map(told).join('\n'),
      );
    return exitCode.done;
  }
  const domain = text(values, 'domain') ?? configurationOf(values).config.domain;
  if (action === 'mode') {
    const answer = await askEdge('fraud mode', {
      domain,
      rule: first,
      mode: second,
      ...(flag(values, 'force') ? { force: true } : {}),
    });
    if (!answer.ok) return exitCode.failed;
    if (json) printJson(answer.value);
    else print(`${first} is in ${second} for ${domain}.`);
    return exitCode.done;
  }
  const answer = await askEdge('fraud rules', { domain });
  if (!answer.ok) return exitCode.failed;
  const { name, version, bits, rules } = answer.value as FraudRulesAnswer;
  if (json) printJson(answer.value);
  else
    print(
      [
        `${domain}: ${name}, version ${version}. From ${bits.watch} bits on a call is told of, from ${bits.challenge} on its caller has to prove himself, from ${bits.block} on it is refused.`,
        table(
          ['RULE', 'MODE', 'WEIGHT', 'WOULD HAVE STOPPED'],
          rules.map(({ rule, mode, weight, calls, wouldStop }) => [
            rule,
            mode,
            String(weight),
            calls === undefined ? '' : `${wouldStop} of ${calls} calls`,
          ]),
        ),
      ].join('\n'),
    );
  return exitCode.done;
}

const told = ({ call, at, account, number, rules, verdict }: Judged): string =>
  [
    `${new Date(at).toISOString()}  ${call}  ${account} -> ${number}: ${verdict.action} (${rules})`,
    `  ${verdict.sentence}; ${verdict.threshold} are needed`,
    ...verdict.parts.map(({ rule, text: words, bits }) => `  ${String(bits).padStart(6)}  ${rule}: ${words}`),
  ]
    .map(printable)
    .join('\n');
