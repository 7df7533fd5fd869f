import type { Lift } from '../fraud/keep.ts';
import { digitsOf, Numbers } from '../routing/numbers.ts';
import { askEdge } from './ask-edge.ts';
import { flag, type Invocation, text } from './command.ts';
import { secondsOf } from './duration.ts';
import { exitCode } from './exit-code.ts';
import { configurationOf } from './home.ts';
import { print, printJson, table } from './terminal.ts';
import { UsageError } from './usage-error.ts';

/** `ringfence fraud …`: lets pass for a time what is blocked, and shows why. */
export async function run(invocation: Invocation): Promise<number> {
  const { action, values } = invocation;
  if (action === 'rules' || action === 'mode' || action === 'why')
    return (await import('./fraud-rules.ts')).run(invocation);
  if (action === 'lifts') return lifts(flag(values, 'json'));
  const about = aboutOf(invocation);
  const wanted = text(values, 'for') ?? '1h';
  const answer = await askEdge(
    action === 'lift' ? 'fraud lift' : 'fraud unlift',
    action === 'lift' ? { ...about, seconds: secondsOf(wanted) } : about,
  );
  if (!answer.ok) return exitCode.failed;
  if (flag(values, 'json')) printJson(answer.value);
  else
    print(
      action === 'lift'
        ? `Calls of ${about.what} ${about.value} pass until ${time((answer.value as Lift).until)}; what they cost is counted.`
        : `Rules and caps hold for ${about.what} ${about.value} again.`,
    );
  return exitCode.done;
}

async function lifts(json: boolean): Promise<number> {
  const answer = await askEdge('fraud lifts');
  if (!answer.ok) return exitCode.failed;
  const found = answer.value as readonly Lift[];
  if (json) printJson(found);
  else if (found.length === 0) print('Nothing is lifted.');
  else
    print(
      table(
        ['WHAT', 'VALUE', 'UNTIL', 'BY'],
        found.map(({ kind, value, until, by }) => [kind, value, time(until), by]),
      ),
    );
  return exitCode.done;
}

const time = (at: number): string => `${new Date(at).toISOString().slice(0, 16).replace('T', ' ')} UTC`;

/** One of `--number`, `--account` and `--domain`, as the edge knows it. */
function aboutOf({ values }: Invocation): { readonly what: string; readonly value: string } {
  const given = (['number', 'account', 'domain'] as const).filter((name) => text(values, name) !== undefined);
  const [what] = given;
  if (what === undefined || given.length > 1)
    throw new UsageError('one of --number, --account and --domain is needed', 'fraud');
  const value = text(values, what) ?? '';
  const { config } = configurationOf(values);
  if (what === 'number') {
    const { country, emergency } = config.numbers;
    const e164 = new Numbers(country, emergency).e164(digitsOf(value) ?? '');
    if (e164 === undefined) throw new UsageError(`${value} is no number; write it as +53…`, 'fraud');
    return { what, value: e164 };
  }
  if (what === 'domain') return { what, value: value.toLowerCase() };
  return { what, value: scopeOf(value, config.domain) };
}

/** `alice`, `alice@example.test` or `trunk:pbx@example.test` as the edge names accounts. */
export function scopeOf(name: string, domain: string): string {
  const scope = /^(?:user|trunk):/.test(name) ? name : `user:${name}`;
  const whole = scope.includes('@') ? scope : `${scope}@${domain}`;
  return whole.startsWith('user:') ? whole.toLowerCase() : whole;
}
