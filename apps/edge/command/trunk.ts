import { readObjectRows } from '../store/object-rows.ts';
import { flag, type Invocation, text } from './command.ts';
import { exitCode } from './exit-code.ts';
import { configurationOf, readStore } from './home.ts';
import { print, printJson, table } from './terminal.ts';

export function run({ values }: Invocation): number {
  const loaded = configurationOf(values);
  const domain = text(values, 'domain')?.toLowerCase();
  const trunks = (readStore(loaded, readObjectRows)?.trunks ?? []).filter(
    (t) => domain === undefined || t.domain === domain,
  );
  if (flag(values, 'json')) printJson(trunks);
  else if (trunks.length === 0)
    print('No trunks yet. Describe one in a file and run `ringfence apply -f FILE`.');
  else {
    print(
      table(
        ['TRUNK', 'DOMAIN', 'TARGET', 'ENCRYPTION', 'KNOWN BY'],
        trunks.map((t) => [
          t.name,
          t.domain,
          t.target,
          t.encryption,
          [
            ...t.addresses,
            ...t.certificateNames,
            ...(t.inbound === undefined ? [] : [`digest ${t.inbound.username}`]),
          ].join(', ') || 'nothing: it cannot call in',
        ]),
      ),
    );
  }
  return exitCode.done;
}
