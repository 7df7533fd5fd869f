import { describeSource } from './source.ts';

/** Open connections per source and in total; as large as the connections that are open. */
export class ConnectionCount {
  readonly #bySource = new Map<string, number>();
  #total = 0;

  get total(): number {
    return this.#total;
  }

  of(address: string): number {
    return this.#bySource.get(describeSource(address)) ?? 0;
  }

  opened(address: string): void {
    const source = describeSource(address);
    this.#bySource.set(source, (this.#bySource.get(source) ?? 0) + 1);
    this.#total++;
  }

  closed(address: string): void {
    const source = describeSource(address);
    const left = (this.#bySource.get(source) ?? 0) - 1;
    if (left < 0) return;
    if (left === 0) this.#bySource.delete(source);
    else this.#bySource.set(source, left);
    this.#total--;
  }
}
