import type { Severity } from '../events/types.ts';

/** Something that people ought to know, made of one event or of many that are the same. */
export interface Alert {
  readonly id: string;
  readonly key: string;
  readonly rule: string;
  readonly severity: Severity;
  readonly domain?: string;
  readonly firstAt: number;
  lastAt: number;
  count: number;
  /** One line. */
  title: string;
  /** The last event, as docs/events.schema.json has it but for the envelope. */
  event: Readonly<Record<string, unknown>>;
  state: 'open' | 'acknowledged' | 'over';
  acknowledgedBy?: string;
  /** When somebody was last told. */
  toldAt: number;
  /** Channels that know of it. */
  told: string[];
  /** Steps of the escalation that are done, and when the next is due. */
  steps: number;
  stepAt?: number;
}

export type NoticeKind = 'raised' | 'repeated' | 'escalated' | 'over';

/** One alert on its way over one channel. */
export interface Notice {
  readonly id: string;
  readonly alert: string;
  readonly channel: string;
  readonly kind: NoticeKind;
  dueAt: number;
  attempts: number;
}

/** What goes out in one message. */
export interface Delivery {
  readonly kind: NoticeKind;
  readonly notice: string;
  readonly alert: Alert;
}

/** What is kept on disk. */
export interface BookState {
  readonly version: 1;
  readonly alerts: readonly Alert[];
  readonly notices: readonly Notice[];
}
