import { randomInt } from 'node:crypto';
import { Resolver } from 'node:dns/promises';
import { performance } from 'node:perf_hooks';
import { err, ok, type Result } from '@ringfence/bytes/result.ts';
import type { SipUri } from '@ringfence/sip/message/types.ts';
import { type Candidate, type ResolveFailure, TargetResolver } from '@ringfence/sip/resolve/target.ts';
import type { DialTransport } from '@ringfence/sip/transport/flow.ts';
import { DnsCache, type DnsClient } from './dns-cache.ts';
import { readHosts } from './hosts.ts';

/** A call cannot wait longer for a name. */
const deadlineMilliseconds = 8_000;
const mostNumeric = 1024;

export interface TargetFinderOptions {
  /** Transports that we can send over, most wanted first. */
  readonly transports: readonly DialTransport[];
  /** Address families that we can send to, the better first. Default IPv4, then IPv6. */
  readonly families?: readonly (4 | 6)[];
  /** Default: the system's name servers, 2 s a try, two tries. */
  readonly client?: DnsClient;
  readonly clock?: () => number;
  readonly hosts?: () => Promise<ReadonlyMap<string, readonly string[]>>;
  readonly random?: () => number;
  /** DNS has answered, or has not. */
  readonly answered?: (well: boolean, name: string) => void;
}

/** Finds where to send a request (RFC 3263), asking the hosts file and DNS without blocking. */
export class TargetFinder {
  readonly #options: TargetFinderOptions;
  readonly #random: () => number;
  readonly #dns: DnsCache;
  /** Where numeric URIs lead; that never changes. */
  readonly #numeric = new Map<string, readonly Candidate[]>();

  constructor(options: TargetFinderOptions) {
    this.#options = options;
    this.#random = options.random ?? (() => randomInt(0x1_0000_0000) / 0x1_0000_0000);
    this.#dns = new DnsCache({
      client: options.client ?? new Resolver({ timeout: 2000, tries: 2 }),
      clock: options.clock ?? (() => performance.now()),
      hosts: options.hosts ?? readHosts,
      answered: options.answered,
    });
  }

  /** In the order to be tried; empty where nothing was found. */
  async resolveTarget(uri: SipUri): Promise<readonly Candidate[]> {
    const found = await this.resolve(uri);
    return found.ok ? found.value : [];
  }

  /** As `resolveTarget`, and why there is nothing. Takes at most 8 s. */
  resolve(uri: SipUri): Promise<Result<readonly Candidate[], ResolveFailure>> {
    const machine = this.#start(uri);
    return new Promise((resolve) => {
      let timer: NodeJS.Timeout | undefined;
      const finish = (result: Result<readonly Candidate[], ResolveFailure>): void => {
        clearTimeout(timer);
        resolve(result);
      };
      const drain = (): void => {
        for (let output = machine.poll(); output !== undefined; output = machine.poll()) {
          if (output.kind === 'resolved') finish(ok(output.candidates));
          else if (output.kind === 'failed') finish(err(output.reason));
          else {
            const query = output;
            timer ??= setTimeout(() => finish(err('unavailable')), deadlineMilliseconds).unref();
            void this.#dns.look(query).then((looked) => {
              if (looked === 'failed') machine.fail(query.type, query.name);
              else machine.answer(looked);
              drain();
            });
          }
        }
      };
      drain();
    });
  }

  /** The answer at once where the URI's host is an address; undefined where DNS would have to be asked. */
  resolveNumeric(uri: SipUri): readonly Candidate[] | undefined {
    const key = numericKey(uri);
    const known = this.#numeric.get(key);
    if (known !== undefined) return known;
    const output = this.#start(uri).poll();
    if (output?.kind === 'resolved') {
      if (this.#numeric.size >= mostNumeric) this.#numeric.clear();
      this.#numeric.set(key, output.candidates);
      return output.candidates;
    }
    return output?.kind === 'failed' ? [] : undefined;
  }

  #start(uri: SipUri): TargetResolver {
    return new TargetResolver(uri, {
      transports: this.#options.transports,
      families: this.#options.families ?? [4, 6],
      random: this.#random,
    });
  }
}

/** What the answer for a numeric URI depends on, RFC 3263 §4; the separator is in no host and no parameter. */
function numericKey({ scheme, host, port, params }: SipUri): string {
  const place = `${scheme}\n${host}\n${port ?? ''}`;
  return params.size === 0
    ? place
    : `${place}\n${written(params.get('transport'))}\n${written(params.get('maddr'))}`;
}

const written = (value: string | true | undefined): string =>
  value === undefined ? '' : value === true ? ';' : `=${value}`;
