import type { LegProtection } from '../policy/protection.ts';

/** A call in progress as an administrator sees it. */
export interface CallView {
  readonly id: string;
  readonly domain: string;
  readonly caller: string;
  readonly callee: string;
  readonly route: string;
  readonly state: 'setup' | 'answered';
  readonly emergency: boolean;
  /** Unix ms. */
  readonly startedAt: number;
  readonly answeredAt?: number;
  /** The worst of its life so far, once answered, with its reason. */
  readonly grade?: string;
  readonly sentence?: string;
  readonly recorded: boolean;
  /** Caller first. */
  readonly legs: readonly LegProtection[];
}
