import { resolve } from 'node:path';
import type { Configuration } from '../config/schema.ts';
import { EventBus } from '../events/bus.ts';
import { loadSheets, rateFile } from '../fraud/rate-file.ts';
import { Toll } from '../fraud/toll.ts';
import { assume } from '../identity/assume.ts';
import type { Objects } from '../objects/types.ts';
import { Registrar } from '../registrar/registrar.ts';
import { Directory } from '../routing/directory.ts';
import { Numbers } from '../routing/numbers.ts';
import { type Trace, traceCall } from '../routing/trace.ts';
import { listBindings } from '../store/binding-rows.ts';
import { assembleObjects, readObjectRows } from '../store/object-rows.ts';
import { listSpend, type SpendRow } from '../store/spend-rows.ts';
import { readLiveState } from '../trunks/live-state.ts';
import { flag, type Invocation, text } from './command.ts';
import { exitCode } from './exit-code.ts';
import { configurationOf, homeFolder, readStore } from './home.ts';
import { print, printable, printJson } from './terminal.ts';
import { traceText } from './trace-text.ts';
import { UsageError } from './usage-error.ts';

/** `ringfence route trace NUMBER`: exit code 0 where the call would be placed, 1 where it would be refused. */
export async function run({ names, values }: Invocation): Promise<number> {
  const loaded = configurationOf(values);
  const { config } = loaded;
  const stored = readStore(loaded, (database) => ({
    // Nobody's password is needed to say where a call goes.
    objects: assembleObjects({ ...readObjectRows(database), secrets: new Map() }),
    bindings: listBindings(database),
    spend: listSpend(database),
  }));
  if (stored === undefined)
    throw new UsageError(
      `nothing is stored yet in ${resolve(homeFolder(), config.store.file)}; describe users, trunks and routes and run \`ringfence apply -f FILE\``,
      'route',
    );
  const domain = text(values, 'domain')?.toLowerCase() ?? config.domain;
  const directory = new Directory(stored.objects, config.domain).domain(domain);
  if (directory === undefined) throw new UsageError(`there is no domain ${printable(domain)}`, 'route');
  const registrar = new Registrar(() => config.registrar);
  registrar.restore(stored.bindings);
  const trace = traceCall(
    {
      directory,
      numbers: new Numbers(config.numbers.country, config.numbers.emergency),
      registrar,
      emergencyTrunk: config.numbers.emergencyTrunk,
      maximumCalls: config.calls.maximum,
      live: readLiveState(homeFolder()),
      toll: await tollOf(config, stored.objects, stored.spend),
      now: Date.now(),
    },
    {
      principal: assume(directory, text(values, 'from')),
      dialled: names[0] ?? '',
      caller: text(values, 'caller'),
      plain: flag(values, 'plain'),
    },
  );
  if (flag(values, 'json')) printJson(trace);
  else print(traceText(trace));
  return placed(trace) ? exitCode.done : exitCode.failed;
}

const placed = ({ decision }: Trace): boolean => decision.verdict === 'accept';

/** Money as the store has it: what calls in progress have set aside is counted, and nothing is written. */
async function tollOf(config: Configuration, objects: Objects, rows: readonly SpendRow[]): Promise<Toll> {
  const directory = new Directory(objects, config.domain);
  const numbers = new Numbers(config.numbers.country, config.numbers.emergency);
  const toll = new Toll({
    settings: () => config.fraud,
    home: () => config.numbers.country.toUpperCase(),
    e164: (digits) => numbers.e164(digits),
    directory: (name) => directory.domain(name),
    bus: new EventBus(Date.now),
    now: Date.now,
    after: () => () => undefined,
    store: { putSpend: () => Promise.resolve() },
    rows,
    cutOff: () => undefined,
    failed: () => undefined,
  });
  toll.reopenAll();
  toll.prices.replace((await loadSheets(rateFile(homeFolder()), config.fraud.currency)).sheets);
  return toll;
}
