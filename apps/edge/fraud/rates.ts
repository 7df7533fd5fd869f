import type { DestinationClass } from '@ringfence/tariff/destination.ts';
import { parseMoney } from '@ringfence/tariff/money.ts';
import type { Rate } from '@ringfence/tariff/rate.ts';
import type { RateTable } from '@ringfence/tariff/rate-table.ts';
import type { FraudSettings } from '../config/fraud.ts';

/** The sheet that holds where a trunk has none of its own. */
export const usualSheet = 'default';

/** Prices of destinations: the sheet of the trunk, the usual sheet, the class. */
export class Prices {
  #sheets: ReadonlyMap<string, RateTable> = new Map();
  #settings: FraudSettings['prices'] | undefined = undefined;
  #classes = new Map<DestinationClass, Rate>();

  /** In place of all sheets there were; calls in progress keep their price. */
  replace(sheets: ReadonlyMap<string, RateTable>): void {
    this.#sheets = sheets;
  }

  get sheets(): ReadonlyMap<string, RateTable> {
    return this.#sheets;
  }

  /** @param trunk such as `trunk:carrier@example.test`. */
  find(trunk: string, number: string, kind: DestinationClass, settings: FraudSettings): Rate {
    const known =
      number === '' || this.#sheets.size === 0
        ? undefined
        : (this.#sheets.get(trunk)?.find(number) ?? this.#sheets.get(usualSheet)?.find(number));
    return known ?? this.#ofClass(kind, settings);
  }

  #ofClass(kind: DestinationClass, { prices }: FraudSettings): Rate {
    if (prices !== this.#settings) {
      this.#settings = prices;
      this.#classes = new Map(
        Object.entries(prices).map(([name, text]) => [
          name as DestinationClass,
          { prefix: '', perMinute: parseMoney(text) ?? 0, connection: 0, initial: 60, next: 1 },
        ]),
      );
    }
    return this.#classes.get(kind) ?? { prefix: '', perMinute: 0, connection: 0, initial: 60, next: 1 };
  }
}
