import type { ClientRecord, ServerRecord, Transaction } from './record.ts';

/** The live transactions of a layer, by what finds them. */
export class TransactionTables {
  readonly servers = new Map<string, ServerRecord>();
  readonly clients = new Map<string, ClientRecord>();
  /** Server transactions by what merged requests share (RFC 3261 §8.2.2.2). */
  readonly merged = new Map<string, ServerRecord>();
  /** Transactions by the reliable flow that they need; datagram flows are searched instead. */
  readonly #byFlow = new Map<number, Set<Transaction>>();

  add(record: Transaction): void {
    if (record.kind === 'client') this.clients.set(record.key, record);
    else {
      this.servers.set(record.key, record);
      if (record.merged !== undefined) this.merged.set(record.merged, record);
    }
    if (!record.flow.reliable) return;
    const set = this.#byFlow.get(record.flow.id);
    if (set === undefined) this.#byFlow.set(record.flow.id, new Set([record]));
    else set.add(record);
  }

  remove(record: Transaction): void {
    if (record.kind === 'client') this.clients.delete(record.key);
    else {
      this.servers.delete(record.key);
      this.unmerge(record);
    }
    if (!record.flow.reliable) return;
    const set = this.#byFlow.get(record.flow.id);
    set?.delete(record);
    if (set?.size === 0) this.#byFlow.delete(record.flow.id);
  }

  /** From now on the request may come another way; under its key may stand another transaction by then. */
  unmerge(record: ServerRecord): void {
    const { merged } = record;
    if (merged !== undefined && this.merged.get(merged) === record) this.merged.delete(merged);
  }

  /** A copy, since what happens to them takes them out. */
  onFlow(flowId: number): readonly Transaction[] {
    const known = this.#byFlow.get(flowId);
    if (known !== undefined) return [...known];
    const found: Transaction[] = [];
    for (const record of this.servers.values()) if (record.flow.id === flowId) found.push(record);
    for (const record of this.clients.values()) if (record.flow.id === flowId) found.push(record);
    return found;
  }
}
