import { isIP } from 'node:net';
import type { DnsAnswer, DnsQuery, NaptrRecord, SrvRecord } from '@ringfence/sip/resolve/records.ts';

const foundMilliseconds = 30_000;
const notFoundMilliseconds = 5_000;
const hostsMilliseconds = 30_000;
/** What was found is good for so long where DNS does not answer any more (RFC 8767 §5). */
const staleMilliseconds = 3_600_000;
const entryLimit = 1_000;
const pendingLimit = 256;

/** What is used of node's `dns.promises.Resolver`. */
export interface DnsClient {
  resolve4(name: string): Promise<string[]>;
  resolve6(name: string): Promise<string[]>;
  resolveSrv(name: string): Promise<{ priority: number; weight: number; port: number; name: string }[]>;
  resolveNaptr(name: string): Promise<NaptrRecord[]>;
}

/** Records, of which there may be none; or `failed`, when DNS could not tell. */
export type Looked = DnsAnswer | 'failed';

interface Entry {
  readonly looked: Looked;
  readonly until: number;
  readonly foundAt: number;
}

export interface DnsCacheOptions {
  readonly client: DnsClient;
  readonly clock: () => number;
  /** DNS has answered, or has not; for names that were found before, what was found goes on for an hour. */
  readonly answered?: ((well: boolean, name: string) => void) | undefined;
  /** Names that stand before DNS. */
  readonly hosts: () => Promise<ReadonlyMap<string, readonly string[]>>;
}

/**
 * DNS answers kept for a short while, regardless of their TTL: 30 s, or 5 s when there was nothing.
 *
 * At most 1,000 answers, and at most 256 questions at once; a question asked twice at once goes out once.
 */
export class DnsCache {
  readonly #options: DnsCacheOptions;
  readonly #entries = new Map<string, Entry>();
  readonly #pending = new Map<string, Promise<Looked>>();
  #hosts: Promise<ReadonlyMap<string, readonly string[]>> | undefined;
  #hostsUntil = 0;

  constructor(options: DnsCacheOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#entries.size;
  }

  async look(query: DnsQuery): Promise<Looked> {
    const key = `${query.type} ${query.name}`;
    const known = this.#entries.get(key);
    if (known !== undefined && known.until > this.#options.clock()) return known.looked;
    const pending = this.#pending.get(key);
    if (pending !== undefined) return pending;
    if (this.#pending.size >= pendingLimit) return 'failed';
    const asked = this.#ask(query).then((looked) => {
      this.#pending.delete(key);
      this.#options.answered?.(looked !== 'failed', query.name);
      return this.#keep(key, looked);
    });
    this.#pending.set(key, asked);
    return asked;
  }

  #keep(key: string, looked: Looked): Looked {
    const now = this.#options.clock();
    const known = this.#entries.get(key);
    this.#entries.delete(key);
    if (looked === 'failed' && known !== undefined && now - known.foundAt < staleMilliseconds) {
      this.#entries.set(key, { ...known, until: now + notFoundMilliseconds });
      return known.looked;
    }
    if (this.#entries.size >= entryLimit) this.#entries.delete(this.#entries.keys().next().value!);
    const found = looked !== 'failed' && looked.records.length > 0;
    const until = now + (found ? foundMilliseconds : notFoundMilliseconds);
    this.#entries.set(key, { looked, until, foundAt: found ? now : Number.NEGATIVE_INFINITY });
    return looked;
  }

  async #ask({ type, name }: DnsQuery): Promise<Looked> {
    const { client } = this.#options;
    try {
      switch (type) {
        case 'NAPTR':
          return { type, name, records: await client.resolveNaptr(name) };
        case 'SRV':
          return { type, name, records: (await client.resolveSrv(name)).map(toSrv) };
        case 'A':
        case 'AAAA': {
          const own = await this.#fromHosts(name, type === 'A' ? 4 : 6);
          if (own !== undefined) return { type, name, records: own };
          return {
            type,
            name,
            records: await (type === 'A' ? client.resolve4(name) : client.resolve6(name)),
          };
        }
      }
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? error.code : undefined;
      // The server knows that there is nothing, or that the name cannot be: an answer, not a failure.
      if (code === 'ENOTFOUND' || code === 'ENODATA' || code === 'EBADNAME')
        return { type, name, records: [] };
      return 'failed';
    }
  }

  /** Names of the hosts file are never asked for in DNS, in either family. */
  async #fromHosts(name: string, family: 4 | 6): Promise<readonly string[] | undefined> {
    const now = this.#options.clock();
    if (this.#hosts === undefined || now >= this.#hostsUntil) {
      this.#hosts = this.#options.hosts();
      this.#hostsUntil = now + hostsMilliseconds;
    }
    const addresses = (await this.#hosts).get(name.toLowerCase());
    return addresses?.filter((address) => isIP(address) === family);
  }
}

const toSrv = (record: { priority: number; weight: number; port: number; name: string }): SrvRecord => ({
  priority: record.priority,
  weight: record.weight,
  port: record.port,
  target: record.name,
});
