import type { Delivery } from '../alert.ts';

/** Who tells. */
export interface Telling {
  readonly node: string;
  /** Unix ms. */
  readonly now: number;
}

/** Gives what is due to people; rejects, in words without secrets, where it has not arrived. */
export type Channel = (deliveries: readonly Delivery[], telling: Telling) => Promise<void>;
