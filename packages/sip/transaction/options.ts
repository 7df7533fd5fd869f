import type { Params } from '../message/types.ts';
import type { Flow } from '../transport/flow.ts';
import type { TimerValues } from './timers.ts';

export interface TransactionOptions {
  /** Fresh randomness in token characters, without `z9hG4bK`; at least 64 bits keep answers unguessable. */
  newBranch(): string;
  /** Parameters of our Via over that flow beside `rport`, e.g. of RFC 7339. Default: none. */
  viaParams?(flow: Flow): Params | undefined;
  /** Milliseconds; default RFC 3261 table 4. */
  readonly timers?: Partial<TimerValues>;
  /** Live server transactions, beyond which requests get 503 without state. Default 100,000, about 2 kB each. */
  readonly maxServer?: number;
  /** Live client transactions, beyond which `request` fails with `overload`. Default 100,000. */
  readonly maxClient?: number;
  /** Seconds in the Retry-After of those 503. Default 5. */
  readonly retryAfter?: number;
}

/** What was dropped or refused without the owner hearing of it. */
export interface TransactionCounters {
  strayResponses: number;
  strayCancels: number;
  mergedRequests: number;
  refusedRequests: number;
}
