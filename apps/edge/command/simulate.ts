import { once } from 'node:events';
import { Simulation } from '@ringfence/fraud/simulate/simulation.ts';
import { defaultSimulation, type FraudKind, fraudKinds } from '@ringfence/fraud/simulate/types.ts';
import { csvRow, heading, jsonRow } from '../fraud/simulate/write.ts';
import { flag, type Invocation, text, type Values } from './command.ts';
import { exitCode } from './exit-code.ts';
import { complain } from './terminal.ts';
import { UsageError } from './usage-error.ts';

function whole(values: Values, name: string, usual: number, least: number, most: number): number {
  const given = text(values, name);
  if (given === undefined) return usual;
  const value = Number(given);
  if (!Number.isInteger(value) || value < least || value > most)
    throw new UsageError(`--${name} is a number from ${least} to ${most}`, 'simulate');
  return value;
}

const flushAt = 64 * 1024;

/** `ringfence simulate`: labelled calls on standard output. */
export async function run({ values }: Invocation): Promise<number> {
  const given = text(values, 'frauds')
    ?.split(',')
    .filter((kind) => kind !== '' && kind !== 'none');
  const unknown = given?.find((kind) => !fraudKinds.includes(kind as FraudKind));
  if (unknown !== undefined)
    throw new UsageError(`--frauds knows ${fraudKinds.join(', ')} and none, not ${unknown}`, 'simulate');
  const seed = whole(values, 'seed', 1, 0, 0x7fff_ffff);
  const simulation = new Simulation({
    ...defaultSimulation,
    seed,
    days: whole(values, 'days', 14, 1, 3_650),
    sites: {
      office: whole(values, 'offices', 12, 0, 10_000),
      'call-centre': whole(values, 'call-centres', 2, 0, 10_000),
      carrier: whole(values, 'carriers', 2, 0, 10_000),
    },
    kinds: (given as readonly FraudKind[] | undefined) ?? fraudKinds,
  });
  const json = flag(values, 'json');
  let buffer = json ? '' : `${heading}\n`;
  let calls = 0;
  for (const call of simulation.calls()) {
    calls += 1;
    buffer += `${json ? jsonRow(call) : csvRow(call)}\n`;
    if (buffer.length < flushAt) continue;
    if (!process.stdout.write(buffer)) await once(process.stdout, 'drain');
    buffer = '';
  }
  process.stdout.write(buffer);
  complain(`${calls} calls, ${simulation.campaigns.length} frauds, seed ${seed}`);
  return exitCode.done;
}
