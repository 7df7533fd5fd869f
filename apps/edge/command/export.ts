import { exportObjects, toYaml } from '../objects/export.ts';
import { readObjectRows } from '../store/object-rows.ts';
import { flag, type Invocation, text } from './command.ts';
import { exitCode } from './exit-code.ts';
import { configurationOf, readStore } from './home.ts';
import { printJson } from './terminal.ts';

export function run({ values }: Invocation): number {
  const loaded = configurationOf(values);
  const rows = readStore(loaded, readObjectRows) ?? {
    users: [],
    devices: [],
    trunks: [],
    routes: [],
    pbx: [],
    domains: [],
  };
  const domain = text(values, 'domain')?.toLowerCase();
  const of = <T extends { domain: string }>(list: readonly T[]) =>
    list.filter((row) => domain === undefined || row.domain === domain);
  const objects = exportObjects({
    users: of(rows.users),
    devices: of(rows.devices),
    trunks: of(rows.trunks),
    routes: of(rows.routes),
    pbx: of(rows.pbx),
    domains: of(rows.domains),
  });
  if (flag(values, 'json')) printJson(objects);
  else process.stdout.write(toYaml(objects));
  return exitCode.done;
}
