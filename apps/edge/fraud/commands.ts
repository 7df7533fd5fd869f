import { oneOf, readArguments, text, whole } from '../control/arguments.ts';
import { CommandRefused } from '../control/command-refused.ts';
import type { ControlServer } from '../control/server.ts';
import type { EventBus } from '../events/bus.ts';
import { loadSheets, rateFile } from './rate-file.ts';
import type { Toll } from './toll.ts';

const longest = 31_536_000;

export interface FraudControl {
  readonly control: ControlServer;
  readonly toll: Toll;
  readonly bus: EventBus;
  readonly home: string;
  currency(): string;
  now(): number;
}

/** Rate sheets in memory are those of the file again; what cannot be used is told. */
export async function loadRates({ toll, bus, home, currency }: FraudControl): Promise<{
  readonly sheets: number;
  readonly rows: number;
}> {
  const { sheets, left } = await loadSheets(rateFile(home), currency());
  toll.prices.replace(sheets);
  for (const detail of left) bus.emit({ type: 'config.refused', detail: `rate sheet ${detail}` });
  return { sheets: sheets.size, rows: [...sheets.values()].reduce((sum, { size }) => sum + size, 0) };
}

/** Commands about what calls cost. */
export function handleFraud(parts: FraudControl): void {
  const { control, toll, now } = parts;
  control.handle('rates reload', () => loadRates(parts));
  control.handle('fraud lifts', () => toll.lifts.list(), { reads: true });
  control.handle('fraud lift', (args, by) => {
    const { what, value, seconds } = readArguments(
      { what: oneOf('number', 'account', 'domain'), value: text(200), seconds: whole(1, longest) },
      args,
    );
    const until = now() + seconds * 1000;
    const lift = { kind: what, value, until, by: by === '' ? 'administrator' : by };
    if (!toll.lifts.add(lift))
      throw new CommandRefused(
        'too-many',
        'As many blocks as may be are lifted; see `ringfence fraud lifts`.',
      );
    return lift;
  });
  control.handle('fraud unlift', (args, by) => {
    const { what, value } = readArguments(
      { what: oneOf('number', 'account', 'domain'), value: text(200) },
      args,
    );
    if (!toll.lifts.remove(what, value, by === '' ? 'administrator' : by))
      throw new CommandRefused(
        'no-such-lift',
        `Nothing is lifted for ${value}; see \`ringfence fraud lifts\`.`,
      );
    return { what, value };
  });
}
